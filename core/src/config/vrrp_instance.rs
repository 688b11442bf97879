//! `vrrp_instance`.
//!
//! As in keepalived the family of an instance is that of the first address in its block, whichever
//! word it follows; later addresses of the other family are reported and left out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::address_line::{self, AddressEntry};
use super::announcement::AnnouncementWords;
use super::block::Statement;
use super::bound::{ChecksumStyle, PeerTtl};
use super::diag::{Class, Severity, Sink, Span, Spanned, quoted};
use super::global::{self, set};
use super::keywords::Place;
use super::lexer::Word;
use super::statement::{self, flag, value};
use super::units::{self, Garbage};
use crate::ids::{Family, Version};
use crate::limits;
use crate::time::Duration;

/// What `state` says.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum InitialState {
    /// `state MASTER`.
    Master,
    /// `state BACKUP`.
    Backup,
}

/// What `authentication` says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Authentication {
    /// `auth_type PASS`.
    pub pass: Option<Span>,
    /// `auth_pass`: the first eight octets, filled with zeros.
    pub password: Option<Spanned<[u8; limits::PASSWORD]>>,
}

/// One `vrrp_instance` as written; `None` and `false` where nothing was written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// `interface`.
    pub interface: Option<Spanned<String>>,
    /// Family of the first address in the block, or IPv6 by `native_ipv6`.
    pub family: Option<Family>,
    /// `version`, or 3 by `native_ipv6`.
    pub version: Option<Spanned<Version>>,
    /// `virtual_router_id`.
    pub vrid: Option<Spanned<u8>>,
    /// `priority`.
    pub priority: Option<Spanned<u8>>,
    /// `state`.
    pub state: Option<Spanned<InitialState>>,
    /// `advert_int`.
    pub advert_int: Option<Spanned<Duration>>,
    /// `nopreempt`, unless a later `preempt` takes it back.
    pub nopreempt: Option<Span>,
    /// `preempt_delay`.
    pub preempt_delay: Option<Spanned<Duration>>,
    /// `authentication`.
    pub authentication: Authentication,
    /// `virtual_ipaddress`.
    pub addresses: Vec<AddressEntry>,
    /// `virtual_ipaddress_excluded`.
    pub excluded: Vec<AddressEntry>,
    /// `no_virtual_ipaddress`.
    pub no_virtual_ipaddress: bool,
    /// `mcast_src_ip` or `unicast_src_ip`.
    pub source: Option<Spanned<IpAddr>>,
    /// `mcast_dst_ip`.
    pub mcast_dst: Option<Spanned<IpAddr>>,
    /// The first word that asks for unicast.
    pub unicast: Option<Span>,
    /// `unicast_peer`.
    pub peers: Vec<Spanned<IpAddr>>,
    /// `min_ttl` and `max_ttl` of the peers that have them.
    pub peer_ttl: Vec<PeerTtl>,
    /// `old_unicast_checksum`.
    pub old_checksum: Option<ChecksumStyle>,
    /// `v3_checksum_as_v2`.
    pub v3_checksum_as_v2: Option<bool>,
    /// `strict_mode`.
    pub strict: Option<Spanned<bool>>,
    /// `accept`.
    pub accept: Option<Span>,
    /// `owner_ignore_adverts`.
    pub owner_ignore_adverts: Option<bool>,
    /// `timer_expired_backup`, or its synonym `thread_timer_expired`.
    pub timer_expired_backup: Option<Spanned<u8>>,
    /// `unicast_ttl`.
    pub unicast_ttl: Option<Spanned<u8>>,
    /// `check_unicast_src`.
    pub check_unicast_src: bool,
    /// The words `garp_..` about announcements.
    pub garp: AnnouncementWords,
    /// `lower_prio_no_advert`.
    pub lower_prio_no_advert: Option<bool>,
    /// `higher_prio_send_advert`.
    pub higher_prio_send_advert: Option<bool>,
    /// `skip_check_adv_addr`; as in keepalived any legal value switches it on.
    pub skip_check_adv_addr: bool,
    /// `down_timer_adverts`.
    pub down_timer_adverts: Option<u8>,
    /// `dont_track_primary`.
    pub dont_track_primary: bool,
    /// Lines of the block were refused unread, so what seems to be missing may stand there.
    pub unread: bool,
}

/// Reads one block; `None` if it has no usable name.
///
/// `names` are those of the blocks before, with their lines.
pub(super) fn read(
    block: &Statement,
    names: &mut BTreeMap<String, u32>,
    sink: &mut Sink,
) -> Option<Instance> {
    let [name] = block.arguments() else {
        let message = "a `vrrp_instance` has one name; the block is skipped";
        sink.error(block.span(), message)
            .help("write `vrrp_instance NAME {`; a name with blanks needs double quotes");
        return None;
    };
    if let Some(line) = names.insert(name.text.clone(), name.span.line) {
        names.insert(name.text.clone(), line);
        let message = format!(
            "an instance {} is defined already on line {line}; this block is skipped",
            quoted(&name.text)
        );
        sink.error(name.span, message)
            .help("give each instance a name of its own");
        return None;
    }
    let mut instance = Instance {
        name: name.text.clone(),
        span: name.span,
        ..Instance::default()
    };
    let statements = block.block.iter().flat_map(|block| &block.statements);
    for found in statements {
        instance.unread |= found.is_unexpanded();
        if statement::is_built(Place::Instance, found, sink) {
            instance.set(found, sink);
        }
        if sink.stopped() {
            break;
        }
    }
    Some(instance)
}

/// A number of at most eight bits and where it stands.
fn small(
    found: &Statement,
    range: std::ops::RangeInclusive<u64>,
    sink: &mut Sink,
) -> Option<Spanned<u8>> {
    let word = value(found, sink)?;
    let number = units::number(word, range, Garbage::Refuse, global::IGNORED, sink)?;
    Some(Spanned::new(u8::try_from(number).ok()?, word.span))
}

/// The highest priority of the other routers; 254 if it is not told.
fn rival_priority(found: &Statement, sink: &mut Sink) -> Option<Spanned<u8>> {
    if found.arguments().is_empty() {
        return Some(Spanned::new(254, found.span()));
    }
    small(found, 1..=254, sink)
}

impl Instance {
    fn set(&mut self, found: &Statement, sink: &mut Sink) {
        match found.keyword() {
            "interface" => self.interface(found, sink),
            "virtual_router_id" => {
                set(&mut self.vrid, small(found, 1..=255, sink));
            }
            "priority" => self.priority(found, sink),
            "state" => self.state(found, sink),
            "advert_int" => self.advert_int(found, sink),
            "version" => {
                if let Some(version) = global::version(found, sink) {
                    self.version = Some(Spanned::new(version, found.span()));
                }
            }
            "native_ipv6" => self.native_ipv6(found, sink),
            "nopreempt" => {
                flag(found, sink);
                self.nopreempt = Some(found.span());
            }
            "preempt" => {
                flag(found, sink);
                self.nopreempt = None;
            }
            "preempt_delay" => self.preempt_delay(found, sink),
            "authentication" => self.authentication(found, sink),
            "virtual_ipaddress" => self.virtual_ipaddress(found, sink),
            "virtual_ipaddress_excluded" => self.virtual_ipaddress_excluded(found, sink),
            "no_virtual_ipaddress" => {
                flag(found, sink);
                self.no_virtual_ipaddress = true;
            }
            "accept" => {
                flag(found, sink);
                self.accept = Some(found.span());
            }
            "dont_track_primary" => {
                flag(found, sink);
                self.dont_track_primary = true;
            }
            "debug" => self.debug(found, sink),
            "down_timer_adverts" => {
                set(
                    &mut self.down_timer_adverts,
                    global::down_timer_adverts(found, sink),
                );
            }
            "lower_prio_no_advert" => {
                set(&mut self.lower_prio_no_advert, global::boolean(found, sink));
            }
            "higher_prio_send_advert" => {
                set(
                    &mut self.higher_prio_send_advert,
                    global::boolean(found, sink),
                );
            }
            "skip_check_adv_addr" => self.skip_check_adv_addr(found, sink),
            _ => self.set_rules(found, sink),
        }
    }

    /// What the RFCs do not know.
    fn set_rules(&mut self, found: &Statement, sink: &mut Sink) {
        match found.keyword() {
            "strict_mode" => {
                let strict = global::boolean(found, sink);
                set(
                    &mut self.strict,
                    strict.map(|on| Spanned::new(on, found.span())),
                );
            }
            "owner_ignore_adverts" => {
                set(&mut self.owner_ignore_adverts, global::boolean(found, sink));
            }
            "timer_expired_backup" | "thread_timer_expired" => {
                set(&mut self.timer_expired_backup, rival_priority(found, sink));
            }
            _ => self.set_transport(found, sink),
        }
    }

    /// Where adverts come from and go to, and announcements.
    fn set_transport(&mut self, found: &Statement, sink: &mut Sink) {
        match found.keyword() {
            "mcast_src_ip" => self.source(found, sink),
            "unicast_src_ip" => {
                self.unicast.get_or_insert(found.span());
                self.source(found, sink);
            }
            "unicast_peer" => self.unicast_peer(found, sink),
            "unicast_ttl" => {
                set(&mut self.unicast_ttl, small(found, 0..=255, sink));
            }
            "check_unicast_src" => {
                flag(found, sink);
                self.unicast.get_or_insert(found.span());
                self.check_unicast_src = true;
            }
            "old_unicast_checksum" => self.old_unicast_checksum(found, sink),
            "v3_checksum_as_v2" => {
                set(&mut self.v3_checksum_as_v2, global::boolean(found, sink));
            }
            "mcast_dst_ip" => self.mcast_dst(found, sink),
            word => self.garp.set(word, found, sink),
        }
    }

    fn interface(&mut self, found: &Statement, sink: &mut Sink) {
        let Some(word) = value(found, sink) else {
            return;
        };
        if word.text.len() > limits::INTERFACE_NAME {
            let message = format!(
                "{} is too long for the name of an interface, which has at most {} characters; the \
                 line is ignored",
                quoted(&word.text),
                limits::INTERFACE_NAME
            );
            sink.error(word.span, message);
            return;
        }
        self.interface = Some(Spanned::new(word.text.clone(), word.span));
    }

    fn priority(&mut self, found: &Statement, sink: &mut Sink) {
        let Some(word) = value(found, sink) else {
            return;
        };
        let number = units::number(word, 1..=255, Garbage::Refuse, "100 is used", sink);
        let priority = number.and_then(|n| u8::try_from(n).ok()).unwrap_or(100);
        self.priority = Some(Spanned::new(priority, word.span));
    }

    fn state(&mut self, found: &Statement, sink: &mut Sink) {
        let Some(word) = value(found, sink) else {
            return;
        };
        let state = match word.text.as_str() {
            "MASTER" => InitialState::Master,
            "BACKUP" => {
                let before = self.state.as_ref().map(|state| state.value);
                if before == Some(InitialState::Master) {
                    let message = "`state MASTER` stands before this; BACKUP is ignored";
                    sink.error(word.span, message)
                        .help("write one `state` only");
                    return;
                }
                InitialState::Backup
            }
            other => {
                let message = format!("{} is not a state; BACKUP is used", quoted(other));
                let upper = other.to_uppercase();
                let found = sink
                    .error(word.span, message)
                    .help("write MASTER or BACKUP");
                if matches!(upper.as_str(), "MASTER" | "BACKUP") {
                    found.suggest(upper);
                }
                InitialState::Backup
            }
        };
        self.state = Some(Spanned::new(state, word.span));
    }

    fn advert_int(&mut self, found: &Statement, sink: &mut Sink) {
        let Some(word) = value(found, sink) else {
            return;
        };
        let range = Duration::from_millis(10)..=Duration::from_secs(255);
        if let Some(interval) = units::seconds(word, range, global::IGNORED, sink) {
            self.advert_int = Some(Spanned::new(interval, word.span));
        }
    }

    fn native_ipv6(&mut self, found: &Statement, sink: &mut Sink) {
        flag(found, sink);
        if self.family == Some(Family::V4) {
            let message = "an IPv4 address stands before `native_ipv6`, which is ignored";
            sink.error(found.span(), message);
            return;
        }
        self.family = Some(Family::V6);
        self.version = Some(Spanned::new(Version::V3, found.span()));
    }

    fn preempt_delay(&mut self, found: &Statement, sink: &mut Sink) {
        let Some(word) = value(found, sink) else {
            return;
        };
        let range = Duration::ZERO..=Duration::from_secs(1_000);
        let delay = units::seconds(word, range, "0 is used", sink).unwrap_or_default();
        self.preempt_delay = Some(Spanned::new(delay, word.span));
    }

    fn debug(&mut self, found: &Statement, sink: &mut Sink) {
        let Some(word) = value(found, sink) else {
            return;
        };
        let level = units::number(word, 0..=4, Garbage::Cut, global::IGNORED, sink);
        if level.is_some_and(|level| level > 0) {
            let message = "`debug` is not built yet in this version of relevo; the daemon runs \
                           without it";
            sink.note(found.span(), message);
        }
    }

    fn skip_check_adv_addr(&mut self, found: &Statement, sink: &mut Sink) {
        let Some(wanted) = global::boolean(found, sink) else {
            return;
        };
        self.skip_check_adv_addr = true;
        if !wanted {
            let message = "as in keepalived, any value switches `skip_check_adv_addr` on in an \
                           instance";
            sink.note(found.span(), message)
                .help("remove the line to switch it off");
        }
    }

    fn authentication(&mut self, block: &Statement, sink: &mut Sink) {
        let statements = block.block.iter().flat_map(|block| &block.statements);
        for found in statements {
            self.unread |= found.is_unexpanded();
            if statement::is_built(Place::Authentication, found, sink) {
                match found.keyword() {
                    "auth_type" => self.auth_type(found, sink),
                    "auth_pass" => self.auth_pass(found, sink),
                    _ => {}
                }
            }
            if sink.stopped() {
                return;
            }
        }
    }

    fn auth_type(&mut self, found: &Statement, sink: &mut Sink) {
        let Some(word) = value(found, sink) else {
            return;
        };
        match word.text.as_str() {
            "PASS" => self.authentication.pass = Some(word.span),
            "AH" => {
                sink.refuse(word.span, "`auth_type AH`");
            }
            "NONE" => {
                let message =
                    "keepalived does not know `auth_type NONE`; no authentication is used";
                sink.error(word.span, message)
                    .help("remove the block `authentication`");
            }
            other => {
                let message = format!(
                    "{} is not a kind of authentication; the line is ignored",
                    quoted(other)
                );
                sink.error(word.span, message).help("write PASS");
            }
        }
    }

    fn auth_pass(&mut self, found: &Statement, sink: &mut Sink) {
        let Some(word) = value(found, sink) else {
            return;
        };
        let octets = word.text.as_bytes();
        if octets.len() > limits::PASSWORD {
            let message = format!(
                "the password has {} octets; only the first {} count",
                octets.len(),
                limits::PASSWORD
            );
            sink.error(word.span, message)
                .help("cut it to eight, which also fits every other router");
        }
        let mut password = [0; limits::PASSWORD];
        for (to, from) in password.iter_mut().zip(octets) {
            *to = *from;
        }
        self.authentication.password = Some(Spanned::new(password, word.span));
    }

    fn virtual_ipaddress(&mut self, block: &Statement, sink: &mut Sink) {
        // On any interface: the address is in the adverts, once.
        let mut advertised: BTreeSet<IpAddr> = self.addresses.iter().map(addr_of).collect();
        let excluded: BTreeSet<_> = self.excluded.iter().map(place_of).collect();
        for line in lines(block, sink) {
            self.unread |= line.is_unexpanded();
            let Some(entry) = read_address(line, sink) else {
                continue;
            };
            let addr = entry.address.addr;
            if !joins_family(&mut self.family, addr, entry.span, sink) {
                continue;
            }
            if excluded.contains(&place_of(&entry)) || !advertised.insert(addr) {
                report_twice(&entry, sink);
            } else {
                self.addresses.push(entry);
            }
        }
    }

    fn virtual_ipaddress_excluded(&mut self, block: &Statement, sink: &mut Sink) {
        let all = self.addresses.iter().chain(&self.excluded);
        let mut held: BTreeSet<_> = all.map(place_of).collect();
        for line in lines(block, sink) {
            self.unread |= line.is_unexpanded();
            let Some(entry) = read_address(line, sink) else {
                continue;
            };
            if held.insert(place_of(&entry)) {
                self.excluded.push(entry);
            } else {
                report_twice(&entry, sink);
            }
        }
    }

    fn source(&mut self, found: &Statement, sink: &mut Sink) {
        let Some(word) = value(found, sink) else {
            return;
        };
        let Some(addr) = units::address(word, sink) else {
            return;
        };
        self.source = joins_family(&mut self.family, addr, word.span, sink)
            .then_some(Spanned::new(addr, word.span));
    }

    fn mcast_dst(&mut self, found: &Statement, sink: &mut Sink) {
        let Some(word) = value(found, sink) else {
            return;
        };
        let Some(addr) = units::address(word, sink) else {
            return;
        };
        if !joins_family(&mut self.family, addr, word.span, sink) {
            return;
        }
        let usable = match addr {
            IpAddr::V4(addr) => addr.is_multicast(),
            IpAddr::V6(addr) => global::is_link_local_group(addr),
        };
        if usable {
            self.mcast_dst = Some(Spanned::new(addr, word.span));
        } else {
            let message = format!("{addr} is not a multicast group of the link; it is ignored");
            sink.error(word.span, message)
                .help("write a group such as 224.0.0.18 or ff02::12");
        }
    }

    fn old_unicast_checksum(&mut self, found: &Statement, sink: &mut Sink) {
        self.unicast.get_or_insert(found.span());
        match statement::optional(found, sink) {
            None => self.old_checksum = Some(ChecksumStyle::OldUnicast),
            Some(word) if word.text == "never" => self.old_checksum = Some(ChecksumStyle::Never),
            Some(word) => {
                let message = format!(
                    "{} is not a way of `old_unicast_checksum`; the line is ignored",
                    quoted(&word.text)
                );
                sink.error(word.span, message)
                    .help("write `never`, or nothing behind it");
            }
        }
    }

    fn unicast_peer(&mut self, block: &Statement, sink: &mut Sink) {
        self.unicast.get_or_insert(block.span());
        let known = self.peers.iter().map(|peer| (peer.value, peer.span.line));
        let mut seen: BTreeMap<IpAddr, u32> = known.collect();
        for line in lines(block, sink) {
            self.unread |= line.is_unexpanded();
            let [first, options @ ..] = line.words.as_slice() else {
                continue;
            };
            if line.is_unexpanded() {
                continue;
            }
            let Some(addr) = units::address(first, sink) else {
                continue;
            };
            if !joins_family(&mut self.family, addr, first.span, sink) {
                continue;
            }
            let limits = peer_options(addr, options, sink);
            let line = first.span.line;
            if let Some(before) = seen.get(&addr) {
                let message = format!(
                    "the peer {addr} stands already on line {before}; this line is ignored"
                );
                sink.error(first.span, message);
            } else {
                seen.insert(addr, line);
                self.peers.push(Spanned::new(addr, first.span));
                self.peer_ttl.extend(limits);
            }
        }
    }
}

/// The first address decides the family; false, and reported, for one of the other family.
fn joins_family(family: &mut Option<Family>, addr: IpAddr, span: Span, sink: &mut Sink) -> bool {
    let family = *family.get_or_insert(Family::of(addr));
    if family == Family::of(addr) {
        return true;
    }
    let message = format!(
        "{addr} is not {family}, as the addresses before it in this instance; it is ignored"
    );
    sink.error(span, message)
        .help("use an instance of its own for the other family, or virtual_ipaddress_excluded");
    false
}

/// The lines of a block of values, which hold no blocks themselves.
fn lines<'s>(block: &'s Statement, sink: &mut Sink) -> &'s [Statement] {
    if let Some(word) = block.arguments().first() {
        let message = format!(
            "{} stands between {} and its block; it is ignored",
            quoted(&word.text),
            quoted(block.keyword())
        );
        sink.error(word.span, message);
    }
    let statements = match &block.block {
        Some(block) => block.statements.as_slice(),
        None => &[],
    };
    for inner in statements.iter().filter_map(|line| line.block.as_ref()) {
        let message = "no block belongs here; what is in it is skipped";
        sink.report(
            Severity::Error,
            Class::UnexpectedBraceOpen,
            inner.open,
            message,
        );
    }
    statements
}

fn read_address(line: &Statement, sink: &mut Sink) -> Option<AddressEntry> {
    if line.is_unexpanded() {
        return None;
    }
    address_line::read(&line.words, sink)
}

fn addr_of(entry: &AddressEntry) -> IpAddr {
    entry.address.addr
}

/// An address and the interface that it goes on.
fn place_of(entry: &AddressEntry) -> (IpAddr, Option<String>) {
    (entry.address.addr, entry.address.dev.clone())
}

fn report_twice(entry: &AddressEntry, sink: &mut Sink) {
    let message = format!(
        "the address {} stands twice in this instance; this line is ignored",
        entry.address.addr
    );
    sink.error(entry.span, message)
        .help("remove one of the two");
}

/// What follows a peer on its line: the limits of its TTL.
fn peer_options(addr: IpAddr, options: &[Word], sink: &mut Sink) -> Option<PeerTtl> {
    let mut limits = PeerTtl {
        addr,
        min: u8::MIN,
        max: u8::MAX,
    };
    for pair in options.chunks(2) {
        let [name, value @ ..] = pair else { break };
        let limit = match name.text.as_str() {
            "min_ttl" => &mut limits.min,
            "max_ttl" => &mut limits.max,
            other => {
                let message = format!(
                    "{} is not an option of a peer; the rest of the line is ignored",
                    quoted(other)
                );
                sink.error(name.span, message)
                    .help("write each peer on a line of its own");
                break;
            }
        };
        let Some(value) = value.first() else {
            let message = format!("{} needs a value; it is ignored", quoted(&name.text));
            sink.error(name.span, message)
                .help("write 0 to 255 behind it");
            break;
        };
        let number = units::number(value, 0..=255, Garbage::Refuse, "it is ignored", sink);
        if let Some(number) = number.and_then(|number| u8::try_from(number).ok()) {
            *limit = number;
        }
    }
    if limits.min > limits.max
        && let Some(first) = options.first()
    {
        let message = format!(
            "`min_ttl` {} is more than `max_ttl` {}: every packet of this peer is discarded",
            limits.min, limits.max
        );
        sink.error(first.span, message);
    }
    (limits.min > u8::MIN || limits.max < u8::MAX).then_some(limits)
}
