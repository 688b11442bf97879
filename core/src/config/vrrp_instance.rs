//! `vrrp_instance`.
//!
//! As in keepalived the family of an instance is that of the first address in its block, whichever
//! word it follows; later addresses of the other family are reported and left out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::address_line::AddressEntry;
use super::announcement::{AnnouncementWords, DELAY, LOWER_REPEAT, REFRESH, REPEAT};
use super::authentication::{AuthHmac, Authentication};
use super::block::Statement;
use super::bound::{ChecksumStyle, PeerTtl};
use super::code::Code;
use super::diag::{Sink, Span, Spanned};
use super::global;
use super::instance_words::{Peer, PreemptDelay, Priority, RivalPriority, Wish};
use super::route_line::RouteLine;
use super::row::{Begin, Kind, Lines, Row, Rows, own_name, rows};
use super::rule_line::RuleLine;
use super::script::{First, OptionalScript, SCRIPT, Script};
use super::track::{TRACKED, TRACKED_INTERFACES, TRACKED_WIDE, TrackWords};
use super::vmac::{EXTRA_GARP, ExtraGarp, USE_IPVLAN, USE_VMAC, UseIpvlan, UseVmac};
use crate::ids::{Family, Version};
use crate::time::Duration;

/// One `vrrp_instance` as written; `None` where nothing was written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// `interface`.
    pub interface: Option<Spanned<String>>,
    /// `vrf`.
    pub vrf: Option<Spanned<String>>,
    /// Family of the first address in the block, or IPv6 by `native_ipv6`.
    pub family: Option<Family>,
    /// `native_ipv6`.
    pub native_ipv6: Option<Span>,
    /// `version`, or 3 by `native_ipv6`.
    pub version: Option<Spanned<Version>>,
    /// `virtual_router_id`.
    pub vrid: Option<Spanned<u8>>,
    /// `priority`.
    pub priority: Option<Spanned<Priority>>,
    /// `state`.
    pub state: Wish,
    /// `advert_int`.
    pub advert_int: Option<Spanned<Duration>>,
    /// `preempt` or, if false, `nopreempt`.
    pub preempt: Option<Spanned<bool>>,
    /// `preempt_delay`.
    pub preempt_delay: Option<Spanned<PreemptDelay>>,
    /// `authentication`.
    pub authentication: Option<Box<Authentication>>,
    /// `auth_hmac`.
    pub auth_hmac: Option<Box<AuthHmac>>,
    /// `virtual_ipaddress`.
    pub addresses: Lines<AddressEntry>,
    /// `virtual_ipaddress_excluded`.
    pub excluded: Lines<AddressEntry>,
    /// `virtual_routes`.
    pub routes: Lines<RouteLine>,
    /// `virtual_rules`.
    pub rules: Lines<RuleLine>,
    /// `no_virtual_ipaddress`.
    pub no_virtual_ipaddress: Option<Span>,
    /// `promote_secondaries`.
    pub promote_secondaries: Option<Span>,
    /// The words about where adverts come from and go to.
    pub transport: Transport,
    /// `strict_mode`.
    pub strict: Option<Spanned<bool>>,
    /// `accept` or, if false, `no_accept`.
    pub accept: Option<Spanned<bool>>,
    /// `owner_ignore_adverts`.
    pub owner_ignore_adverts: Option<Spanned<bool>>,
    /// `timer_expired_backup`, or its synonym `thread_timer_expired`.
    pub timer_expired_backup: Option<Spanned<RivalPriority>>,
    /// The words `garp_..` about announcements.
    pub garp: AnnouncementWords,
    /// `garp_extra_if`.
    pub garp_extra_if: Option<Spanned<ExtraGarp>>,
    /// `lower_prio_no_advert`.
    pub lower_prio_no_advert: Option<Spanned<bool>>,
    /// `higher_prio_send_advert`.
    pub higher_prio_send_advert: Option<Spanned<bool>>,
    /// `skip_check_adv_addr`; as in keepalived any legal value switches it on.
    pub skip_check_adv_addr: Option<Spanned<bool>>,
    /// `down_timer_adverts`.
    pub down_timer_adverts: Option<Spanned<u8>>,
    /// `dont_track_primary`.
    pub dont_track_primary: Option<Span>,
    /// `linkbeat_use_polling`, deprecated.
    pub linkbeat_use_polling: Option<Span>,
    /// `lvs_sync_daemon_interface`, deprecated.
    pub lvs_sync_daemon_interface: Option<Spanned<String>>,
    /// `debug`.
    pub debug: Option<Spanned<u8>>,
    /// What it tracks.
    pub track: TrackWords,
    /// Whom it tells of its changes.
    pub notify: NotifyWords,
    /// Interfaces of its own.
    pub vmac: VmacWords,
}

/// Where the adverts of an instance come from and go to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Transport {
    /// `mcast_src_ip`.
    pub mcast_src: Option<Spanned<IpAddr>>,
    /// `unicast_src_ip`, or a `mcast_src_ip` behind it.
    pub unicast_src: Option<Spanned<IpAddr>>,
    /// `track_src_ip`.
    pub track_src_ip: Option<Span>,
    /// `mcast_dst_ip`.
    pub mcast_dst: Option<Spanned<IpAddr>>,
    /// The first word that asks for unicast.
    pub unicast: Option<Span>,
    /// `unicast_peer`.
    pub peers: Lines<Peer>,
    /// `unicast_fault_no_peer`.
    pub unicast_fault_no_peer: Option<Span>,
    /// `unicast_ttl`.
    pub unicast_ttl: Option<Spanned<u8>>,
    /// `check_unicast_src`.
    pub check_unicast_src: Option<Span>,
    /// `old_unicast_checksum`.
    pub old_checksum: Option<Spanned<ChecksumStyle>>,
    /// `v3_checksum_as_v2`.
    pub v3_checksum_as_v2: Option<Spanned<bool>>,
    /// `kernel_rx_buf_size`, in octets.
    pub rx_buffer: Option<Spanned<u32>>,
}

impl Transport {
    /// Where the source of adverts stands.
    pub(super) fn source_place(&self) -> Option<Span> {
        let written = self.unicast_src.as_ref().or(self.mcast_src.as_ref());
        written.map(|written| written.span)
    }

    /// The source of adverts, whichever word says it.
    pub fn source(&self) -> Option<IpAddr> {
        let written = self.unicast_src.as_ref().or(self.mcast_src.as_ref());
        written.map(|written| written.value)
    }

    /// The limits of the TTL of the peers that have them.
    pub(super) fn peer_ttl(&self) -> Vec<PeerTtl> {
        let limits = |peer: &Spanned<Peer>| PeerTtl {
            addr: peer.value.addr,
            min: peer.value.min_ttl.unwrap_or(u8::MIN),
            max: peer.value.max_ttl.unwrap_or(u8::MAX),
        };
        let all = self.peers.0.iter().map(limits);
        all.filter(|it| it.min > u8::MIN || it.max < u8::MAX)
            .collect()
    }
}

/// Whom an instance or a group tells of its changes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NotifyWords {
    /// `notify_master`.
    pub master: First<Script>,
    /// `notify_backup`.
    pub backup: First<Script>,
    /// `notify_fault`.
    pub fault: First<Script>,
    /// `notify_stop`.
    pub stop: First<Script>,
    /// `notify_deleted`: of instances only.
    pub deleted: First<OptionalScript>,
    /// `notify_master_rx_lower_pri`: of instances only.
    pub master_rx_lower_pri: First<Script>,
    /// `notify`.
    pub any: First<Script>,
    /// `smtp_alert`.
    pub smtp_alert: Option<Spanned<bool>>,
    /// `notify_priority_changes`.
    pub priority_changes: Option<Spanned<bool>>,
}

/// Interfaces that an instance makes for itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VmacWords {
    /// `use_vmac`.
    pub use_vmac: Option<Spanned<UseVmac>>,
    /// `use_vmac_addr`.
    pub use_vmac_addr: Option<Span>,
    /// `vmac_xmit_base`.
    pub xmit_base: Option<Span>,
    /// `use_ipvlan`.
    pub use_ipvlan: Option<Spanned<UseIpvlan>>,
}

/// An advert interval in any version.
const INTERVAL: Kind = Kind::Seconds {
    min_us: 10_000,
    max_us: 255_000_000,
};

/// A delay of preemption.
const PREEMPT_DELAY: Kind = Kind::Seconds {
    min_us: 0,
    max_us: 1_000_000_000,
};

/// Its words.
const ROWS: &[Row<Instance>] = rows! { Instance:
    "accept" => accept: Kind::Switch(true), Built, "",
        "A master that does not own the addresses takes packets to them, also in strict mode.";
    "advert_int" => advert_int: INTERVAL, Built, "1",
        "Time between two adverts; whole seconds in version 2, at most 40.95 s in version 3.";
    "auth_hmac" => auth_hmac: Kind::Block(""), Refused, "",
        "Adverts are signed, and checked for it.";
    "authentication" => authentication: Kind::Block(""), Built, "",
        "The password of version 2.";
    "check_unicast_src" => transport.check_unicast_src: Kind::Flag, Built, "",
        "Only adverts from configured peers count.";
    "debug" => debug: Kind::number_cut(0, 4), Built, "0",
        "How much is logged; not built yet.";
    "dont_track_primary" => dont_track_primary: Kind::Flag, Built, "",
        "The state of the instance's interface does not matter.";
    "down_timer_adverts" => down_timer_adverts: Kind::number_cut(1, 100), Built, "",
        "Adverts that may be missed before a backup takes over.";
    "garp_extra_if" => garp_extra_if: EXTRA_GARP, Harmless, "",
        "Period of announcements out of the interfaces that the addresses stand on.";
    "garp_lower_prio_delay" => garp.lower_prio_delay: DELAY, Built, "",
        "Seconds from an advert of lower priority to the second block of announcements.";
    "garp_lower_prio_repeat" => garp.lower_prio_repeat: LOWER_REPEAT, Built, "",
        "Announcements of each address after an advert of lower priority.";
    "garp_master_delay" => garp.master_delay: DELAY, Built, "",
        "Seconds from becoming master to the second block of announcements; 0 for none.";
    "garp_master_refresh" => garp.refresh: REFRESH, Built, "",
        "Seconds between announcements of a master; 0 for none.";
    "garp_master_refresh_repeat" => garp.refresh_repeat: REPEAT, Built, "",
        "Announcements of each address at a refresh.";
    "garp_master_repeat" => garp.master_repeat: REPEAT, Built, "",
        "Announcements of each address in a block.";
    "higher_prio_send_advert" => higher_prio_send_advert: Kind::Bool, Built, "",
        "A master sends one last advert before it yields to a higher priority.";
    "interface" => interface: Kind::Interface, Built, "",
        "The interface that adverts are sent on; required.";
    "kernel_rx_buf_size" => transport.rx_buffer: Kind::number(0, u32::MAX as i64), Harmless, "",
        "Octets of the receive buffer of the instance's socket.";
    "linkbeat_use_polling" => linkbeat_use_polling: Kind::Flag, Refused, "",
        "Deprecated: the state of the link is asked for; use linkbeat_interfaces.";
    "lower_prio_no_advert" => lower_prio_no_advert: Kind::Bool, Built, "",
        "A master does not answer an advert of lower priority.";
    "lvs_sync_daemon_interface" => lvs_sync_daemon_interface: Kind::Interface, Refused, "",
        "Deprecated: the interface of the IPVS synchronisation; use lvs_sync_daemon.";
    "mcast_dst_ip" => transport.mcast_dst: Kind::Address, Built, "",
        "The multicast group of the adverts.";
    "mcast_src_ip" => transport.mcast_src: Kind::Address, Built, "",
        "The source address of the adverts; the interface's own by default.";
    "native_ipv6" => native_ipv6: Kind::Flag, Built, "",
        "The instance is of IPv6 whatever its addresses say.";
    "no_accept" => accept: Kind::Switch(false), Refused, "",
        "Packets to the addresses are dropped unless the router owns them.";
    "no_virtual_ipaddress" => no_virtual_ipaddress: Kind::Flag, Built, "",
        "The instance is meant to have no address.";
    "nopreempt" => preempt: Kind::Switch(false), Built, "",
        "A router that comes back does not take over from a live master.";
    "notify" => notify.any: SCRIPT, Harmless, "",
        "Runs at every change of state, with four arguments.";
    "notify_backup" => notify.backup: SCRIPT, Harmless, "",
        "Runs when the router becomes a backup.";
    "notify_deleted" => notify.deleted: Kind::Other("[COMMAND [USER [GROUP]]]"), Harmless, "",
        "Runs when a reload removes the instance, instead of notify_fault.";
    "notify_fault" => notify.fault: SCRIPT, Harmless, "",
        "Runs when the instance becomes faulty.";
    "notify_master" => notify.master: SCRIPT, Harmless, "",
        "Runs when the router becomes master.";
    "notify_master_rx_lower_pri" => notify.master_rx_lower_pri: SCRIPT, Harmless, "",
        "Runs when a master hears an advert of lower priority.";
    "notify_priority_changes" => notify.priority_changes: Kind::Bool, Harmless, "",
        "Changes of the priority are told too.";
    "notify_stop" => notify.stop: SCRIPT, Harmless, "",
        "Runs when the daemon ends.";
    "old_unicast_checksum" => transport.old_checksum: Kind::Other("[never]"), Built, "",
        "The checksum of version 3 that keepalived sent to peers up to 1.3.6, or with never no thought of it.";
    "owner_ignore_adverts" => owner_ignore_adverts: Kind::Bool, Built, "",
        "The owner of the addresses discards what it hears.";
    "preempt" => preempt: Kind::Switch(true), Built, "",
        "Takes back a nopreempt before it.";
    "preempt_delay" => preempt_delay: PREEMPT_DELAY, Built, "0",
        "Time from hearing a master of lower priority to taking over.";
    "priority" => priority: Kind::number(1, 255), Built, "100",
        "The highest priority is master; 255 owns the addresses, and is what state MASTER without a priority means.";
    "promote_secondaries" => promote_secondaries: Kind::Flag, Refused, "",
        "The kernel keeps the other addresses of a network when the first one goes.";
    "skip_check_adv_addr" => skip_check_adv_addr: Kind::Bool, Built, "",
        "The addresses in adverts of the known master are not compared; any value switches it on.";
    "smtp_alert" => notify.smtp_alert: Kind::Bool, Harmless, "",
        "Changes of state are told by mail.";
    "state" => state: Kind::Choice(&["MASTER", "BACKUP"]), Built, "BACKUP",
        "The state to begin with; MASTER does not make a takeover faster.";
    "strict_mode" => strict: Kind::Bool, Built, "",
        "Nothing that the RFCs do not know, whatever vrrp_strict says.";
    "thread_timer_expired" = "timer_expired_backup" => timer_expired_backup:
        Kind::Other("[1..254]"), Built, "",
        "The old name of timer_expired_backup.";
    "timer_expired_backup" => timer_expired_backup: Kind::Other("[1..254]"), Built, "",
        "A master whose advert is so late that a router of this priority has taken over becomes a backup.";
    "track_bfd" => track.bfds: TRACKED, Refused, "",
        "BFD sessions whose state changes the priority, or makes the instance faulty.";
    "track_file" => track.files: TRACKED_WIDE, Refused, "",
        "Files whose number changes the priority, or makes the instance faulty.";
    "track_interface" => track.interfaces: TRACKED_INTERFACES, Refused, "",
        "Interfaces whose state changes the priority, or makes the instance faulty.";
    "track_process" => track.processes: TRACKED_WIDE, Refused, "",
        "Processes whose number changes the priority, or makes the instance faulty.";
    "track_script" => track.scripts: TRACKED, Refused, "",
        "Scripts whose result changes the priority, or makes the instance faulty.";
    "track_src_ip" => transport.track_src_ip: Kind::Flag, Refused, "",
        "The instance is faulty while the host does not have its source address.";
    "unicast_fault_no_peer" => transport.unicast_fault_no_peer: Kind::Flag, Refused, "",
        "A unicast instance is faulty while it has no peer.";
    "unicast_peer" => transport.peers: Kind::Lines("ADDRESS [min_ttl 0..255] [max_ttl 0..255]"),
        Built, "",
        "The other routers, where adverts do not go to a group, and the TTLs accepted from them.";
    "unicast_src_ip" => transport.unicast_src: Kind::Address, Built, "",
        "The source address of the adverts to unicast peers.";
    "unicast_ttl" => transport.unicast_ttl: Kind::number(0, 255), Built, "255",
        "The TTL or hop limit of the adverts to unicast peers.";
    "use_ipvlan" => vmac.use_ipvlan: USE_IPVLAN, Refused, "",
        "The addresses stand on an ipvlan interface of the instance.";
    "use_vmac" => vmac.use_vmac: USE_VMAC, Refused, "",
        "The addresses stand on an interface with the virtual MAC address.";
    "use_vmac_addr" => vmac.use_vmac_addr: Kind::Flag, Refused, "",
        "Addresses on other interfaces have the virtual MAC address too.";
    "v3_checksum_as_v2" => transport.v3_checksum_as_v2: Kind::Bool, Built, "",
        "The checksum of version 3 over IPv4 leaves the pseudo-header out.";
    "version" => version: Kind::number_cut(2, 3), Built, "",
        "The version of VRRP; IPv6 has version 3 only.";
    "virtual_ipaddress" => addresses: Kind::Lines("ADDRESS"), Built, "",
        "The addresses that the master holds and its adverts name; all are of one family.";
    "virtual_ipaddress_excluded" => excluded: Kind::Lines("ADDRESS"), Built, "",
        "Addresses that the master holds and its adverts do not name.";
    "virtual_router_id" => vrid: Kind::number(1, 255), Built, "",
        "The VRID, the same on all routers of the instance; required.";
    "virtual_routes" => routes: Kind::Lines("ROUTE"), Refused, "",
        "Routes that the master has.";
    "virtual_rules" => rules: Kind::Lines("RULE"), Refused, "",
        "Rules of routing that the master has.";
    "vmac_garp_intvl" = "garp_extra_if" => garp_extra_if: EXTRA_GARP, Harmless, "",
        "The old name of garp_extra_if.";
    "vmac_xmit_base" => vmac.xmit_base: Kind::Flag, Refused, "",
        "Adverts go through the interface under that of use_vmac.";
    "vrf" => vrf: Kind::Interface, Refused, "",
        "The VRF of an instance without an interface.";
};

impl Rows for Instance {
    fn rows() -> &'static [Row<Self>] {
        ROWS
    }

    fn on_line(&mut self, line: &Statement, sink: &mut Sink) {
        match line.keyword() {
            "native_ipv6" => self.on_native_ipv6(line, sink),
            "mcast_src_ip" | "unicast_src_ip" => self.on_source(line, sink),
            "mcast_dst_ip" => self.on_group(sink),
            "unicast_peer" | "check_unicast_src" | "old_unicast_checksum" => {
                self.transport.unicast.get_or_insert(line.span());
                let first = self.transport.peers.0.first();
                let family = first.map(|peer| Family::of(peer.value.addr));
                self.family = self.family.or(family);
            }
            "virtual_ipaddress" => {
                let first = self.addresses.0.first();
                let family = first.map(|entry| Family::of(entry.value.address.addr));
                self.family = self.family.or(family);
            }
            "skip_check_adv_addr" => self.on_skip_check(line, sink),
            "debug" if self.debug.as_ref().is_some_and(|level| level.value > 0) => {
                let message = "`debug` is not built yet in this version of relevo; the daemon runs \
                               without it";
                sink.note(line.span(), message).code(Code::NotBuilt);
            }
            _ => {}
        }
    }
}

impl Begin for Instance {
    fn begin(found: &Statement, sink: &mut Sink) -> Option<Self> {
        let name = own_name(found, sink)?;
        Some(Self {
            name: name.value,
            span: name.span,
            ..Self::default()
        })
    }

    fn heading(&self) -> Vec<&str> {
        vec![&self.name]
    }

    fn end(&mut self, _found: &Statement, sink: &mut Sink) -> bool {
        self.keep_own_family(sink);
        self.drop_second_peers(sink);
        self.drop_second_addresses(sink);
        true
    }
}

impl Instance {
    /// Where `nopreempt` stands, unless a later `preempt` takes it back.
    pub fn nopreempt(&self) -> Option<Span> {
        let written = self.preempt.as_ref().filter(|preempt| !preempt.value)?;
        Some(written.span)
    }

    /// Where `accept` stands, unless a later `no_accept` takes it back.
    pub fn accepts(&self) -> Option<Span> {
        let written = self.accept.as_ref().filter(|accept| accept.value)?;
        Some(written.span)
    }

    fn on_native_ipv6(&mut self, line: &Statement, sink: &mut Sink) {
        if self.family == Some(Family::V4) {
            let message = "an IPv4 address stands before `native_ipv6`, which is ignored";
            sink.error(line.span(), message).code(Code::MixedFamilies);
            self.native_ipv6 = None;
            return;
        }
        self.family = Some(Family::V6);
        self.version = Some(Spanned::new(Version::V3, line.span()));
    }

    /// The last of the two words counts, and once `unicast_src_ip` was written, unicast is asked for.
    fn on_source(&mut self, line: &Statement, sink: &mut Sink) {
        let transport = &mut self.transport;
        let written = if line.keyword() == "unicast_src_ip" {
            transport.unicast.get_or_insert(line.span());
            transport.mcast_src = None;
            transport.unicast_src.take()
        } else {
            transport.mcast_src.take()
        };
        let Some(source) = written else {
            return;
        };
        if !joins_family(&mut self.family, source.value, source.span, sink) {
            transport.unicast_src = None;
            return;
        }
        if line.keyword() == "unicast_src_ip" || transport.unicast_src.is_some() {
            transport.unicast_src = Some(source);
        } else {
            transport.mcast_src = Some(source);
        }
    }

    fn on_group(&mut self, sink: &mut Sink) {
        let Some(group) = self.transport.mcast_dst.take() else {
            return;
        };
        let addr = group.value;
        if !joins_family(&mut self.family, addr, group.span, sink) {
            return;
        }
        let usable = match addr {
            IpAddr::V4(addr) => addr.is_multicast(),
            IpAddr::V6(addr) => global::is_link_local_group(addr),
        };
        if usable {
            self.transport.mcast_dst = Some(group);
        } else {
            let message = format!("{addr} is not a multicast group of the link; it is ignored");
            sink.error(group.span, message)
                .code(Code::BadMulticastGroup)
                .help("write a group such as 224.0.0.18 or ff02::12");
        }
    }

    fn on_skip_check(&mut self, line: &Statement, sink: &mut Sink) {
        let Some(skip) = &mut self.skip_check_adv_addr else {
            return;
        };
        if !skip.value {
            skip.value = true;
            let message = "as in keepalived, any value switches `skip_check_adv_addr` on in an \
                           instance";
            sink.note(line.span(), message)
                .help("remove the line to switch it off");
        }
    }

    /// Addresses and peers of the other family are left out.
    fn keep_own_family(&mut self, sink: &mut Sink) {
        let mut family = self.family;
        let addresses = &mut self.addresses.0;
        addresses
            .retain(|entry| joins_family(&mut family, entry.value.address.addr, entry.span, sink));
        let peers = &mut self.transport.peers.0;
        peers.retain(|peer| joins_family(&mut family, peer.value.addr, peer.span, sink));
    }

    fn drop_second_peers(&mut self, sink: &mut Sink) {
        let mut seen: BTreeMap<IpAddr, u32> = BTreeMap::new();
        self.transport.peers.0.retain(|peer| {
            let addr = peer.value.addr;
            let before = seen.get(&addr).copied();
            if let Some(before) = before {
                let message = format!(
                    "the peer {addr} stands already on line {before}; this line is ignored"
                );
                sink.error(peer.span, message).code(Code::PeerTwice);
            } else {
                seen.insert(addr, peer.span.line);
            }
            before.is_none()
        });
    }

    /// An address is in the adverts once, on whatever interface, and is held once on each.
    fn drop_second_addresses(&mut self, sink: &mut Sink) {
        let mut advertised: BTreeSet<IpAddr> = BTreeSet::new();
        self.addresses.0.retain(|entry| {
            let is_new = advertised.insert(entry.value.address.addr);
            if !is_new {
                report_twice(entry, sink);
            }
            is_new
        });
        if self.excluded.0.is_empty() {
            return;
        }
        let held = self.addresses.0.iter().map(|entry| place_of(&entry.value));
        let mut held: BTreeSet<_> = held.collect();
        self.excluded.0.retain(|entry| {
            let is_new = held.insert(place_of(&entry.value));
            if !is_new {
                report_twice(entry, sink);
            }
            is_new
        });
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
        .code(Code::MixedFamilies)
        .help("use an instance of its own for the other family, or virtual_ipaddress_excluded");
    false
}

/// An address and the interface that it goes on.
fn place_of(entry: &AddressEntry) -> (IpAddr, Option<String>) {
    (entry.address.addr, entry.address.dev.clone())
}

fn report_twice(entry: &Spanned<AddressEntry>, sink: &mut Sink) {
    let message = format!(
        "the address {} stands twice in this instance; this line is ignored",
        entry.value.address.addr
    );
    sink.error(entry.span, message)
        .code(Code::AddressTwice)
        .help("remove one of the two");
}
