//! One line of `virtual_ipaddress`, `virtual_ipaddress_excluded` or `static_ipaddress`.
//!
//! As in the original an option that is not known is reported and skipped, and the address is kept;
//! some mistakes lose the address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use super::block::Statement;
use super::bound::VirtualAddress;
use super::code::Code;
use super::diag::{Sink, Span, Spanned, quoted};
use super::lexer::Word;
use super::options::{self, LineWord, Options, Part, Prefix, Value, Words, words};
use super::page::Page;
use super::row::{Head, Kind, Line, Standing};
use super::static_lines::Static;
use super::units::{self, Garbage};
use crate::ids::Family;
use crate::limits;

/// What becomes of a line with some mistakes.
const DROPPED: &str = "the address is dropped";

/// An address as written; its interface is checked against the host when bound.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AddressEntry {
    /// Where the address stands.
    pub span: Span,
    /// The address with what its line says and this version carries out.
    pub address: VirtualAddress,
    /// Where `dev` names the interface.
    pub dev: Option<Spanned<String>>,
    /// `peer`: the other end of a point-to-point link.
    pub peer: Option<Prefix>,
    /// `preferred_lft`.
    pub preferred_lifetime: Option<Lifetime>,
    /// `home`, of IPv6.
    pub home: bool,
    /// `mngtmpaddr`, of IPv6.
    pub managed_temporary: bool,
    /// `autojoin`.
    pub autojoin: bool,
    /// `no_track`.
    pub no_track: bool,
    /// `use_vmac`, not of static addresses.
    pub use_vmac: bool,
    /// `track_group`, of static addresses.
    pub track_group: Option<Spanned<String>>,
}

impl AddressEntry {
    /// An address without options.
    const fn new(addr: IpAddr, prefix: u8, span: Span) -> Self {
        let mut address = VirtualAddress::new(addr, prefix);
        address.deprecated = false;
        Self {
            span,
            address,
            dev: None,
            peer: None,
            preferred_lifetime: None,
            home: false,
            managed_temporary: false,
            autojoin: false,
            no_track: false,
            use_vmac: false,
            track_group: None,
        }
    }
}

/// How long an address is preferred over others as a source.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Lifetime {
    /// For so many seconds; never for 0.
    Seconds(u32),
    /// As long as it is there.
    Forever,
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds) => write!(f, "{seconds}"),
            Self::Forever => f.write_str("forever"),
        }
    }
}

/// What an IPv4 line says of its broadcast address.
#[derive(Clone, Copy)]
enum Broadcast {
    Given(Ipv4Addr),
    Ones(Span),
    Zeros(Span),
}

/// What has been read of one line so far.
struct Draft {
    entry: AddressEntry,
    /// The line gives a prefix length.
    has_length: bool,
    broadcast: Option<Broadcast>,
    scope: Option<Span>,
    label: Option<Span>,
    peer: Option<Span>,
}

/// Names of scopes, and rtnetlink's numbers for them.
const SCOPES: [(&str, u8); 5] = [
    ("global", 0),
    ("site", 200),
    ("link", 253),
    ("host", 254),
    ("nowhere", 255),
];

impl Options for Draft {
    fn words() -> &'static [LineWord<Self>] {
        words! { Draft:
            "-nodad" => (Draft::dad, |it, head, out| {
                let address = &it.entry.address;
                (address.addr.is_ipv6() && !address.nodad).show(head, out);
            }): Kind::Flag, Built, "",
                "Duplicate address detection runs for this IPv6 address; without it it does not.";
            "<ADDR[/MASK]>" => (|_, _, _, _| None, options::unshown):
                Kind::Other("ADDRESS[/LENGTH]"), Built, "",
                "The address and the length of its prefix, /32 or /128 where none is written.";
            "autojoin" => entry.autojoin: Kind::Flag, Harmless, "",
                "The kernel joins the multicast group that the address is.";
            "brd" => (Draft::broadcast, |it, head, out| {
                it.entry.address.broadcast.map(IpAddr::V4).show(head, out);
            }): Kind::Other("ADDRESS|+|-"), Built, "",
                "The broadcast address of IPv4; + sets all bits behind the prefix, - none.";
            "broadcast" = "brd" => (Draft::broadcast, options::unshown):
                Kind::Other("ADDRESS|+|-"), Built, "",
                "Another word for brd.";
            "dev" => (Draft::dev, |it, head, out| it.entry.dev.show(head, out)):
                Kind::Name(limits::INTERFACE_NAME), Built, "",
                "The interface that carries the address instead of that of the instance.";
            "home" => entry.home: Kind::Flag, Harmless, "",
                "An IPv6 address is the home address of a mobile host.";
            "label" => (Draft::label, |it, head, out| {
                let label = &it.entry.address.label;
                label.clone().map(|it| Spanned::new(it, Span::default())).show(head, out);
            }): Kind::Name(limits::INTERFACE_NAME), Built, "",
                "The label of an IPv4 address, as eth0:1.";
            "mngtmpaddr" => entry.managed_temporary: Kind::Flag, Harmless, "",
                "The kernel makes temporary IPv6 addresses from this one.";
            "no_track" => entry.no_track: Kind::Flag, Refused, "",
                "Nothing happens if somebody else removes the address.";
            "noprefixroute" => entry.address.no_prefix_route: Kind::Flag, Built, "",
                "The kernel adds no route for the prefix of the address.";
            "peer" => (Draft::peer, |it, head, out| it.entry.peer.show(head, out)):
                Kind::Other("ADDRESS[/LENGTH]"), Refused, "",
                "The address of the other end; the length is then that of its prefix.";
            "preferred_lft" => (Draft::preferred, |it, head, out| {
                if let Some(lifetime) = it.entry.preferred_lifetime {
                    out.extend([head.word.to_owned(), lifetime.to_string()]);
                }
            }): Kind::Other("SECONDS|forever"), Built, "",
                "How long an IPv6 address is preferred as a source; 0 for /128 where none is written.";
            "scope" => (Draft::scope, Draft::show_scope):
                Kind::Other("global|site|link|host|nowhere|0..255"), Built, "global",
                "The scope of an IPv4 address.";
            "track_group" => (Draft::track_group, |it, head, out| {
                it.entry.track_group.show(head, out);
            }): Kind::Other("GROUP"), Built, "",
                "The instances of this group track the interface of a static address.";
            "use_vmac" => (Draft::use_vmac, |it, head, out| it.entry.use_vmac.show(head, out)):
                Kind::Flag, Refused, "",
                "The address goes on a virtual MAC interface of its own over dev.";
        }
    }
}

fn read_line(words: &[Word], fixed: bool, sink: &mut Sink) -> Option<AddressEntry> {
    let (first, rest) = words.split_first()?;
    let (addr, prefix) = units::prefix(first, sink)?;
    let mut words = Words::new(first, rest, DROPPED);
    words.fixed = fixed;
    let mut draft = Draft {
        entry: AddressEntry::new(addr, prefix, first.span),
        has_length: first.text.contains('/'),
        broadcast: None,
        scope: None,
        label: None,
        peer: None,
    };
    while let Some(word) = words.next_option() {
        draft.option(word, &mut words, sink)?;
    }
    Some(draft.finish(sink))
}

impl Draft {
    /// One option; `None` if the line is dropped for it.
    fn option(&mut self, word: &Word, words: &mut Words<'_>, sink: &mut Sink) -> Option<()> {
        let stranger = if words.fixed {
            "use_vmac"
        } else {
            "track_group"
        };
        let known = options::find::<Self>(&word.text).filter(|row| row.head.word != stranger);
        let Some(row) = known else {
            unknown(word, sink);
            return Some(());
        };
        let before = sink.weight();
        (row.read)(self, &row.head, words, sink)?;
        // What stands in a block that is not carried out needs no message of its own.
        if sink.weight() == before && !words.fixed {
            say_standing(row.head.standing, word, sink);
        }
        Some(())
    }

    fn dad(&mut self, _: &Head, _: &mut Words<'_>, _: &mut Sink) -> Option<()> {
        self.entry.address.nodad = false;
        Some(())
    }

    fn dev(&mut self, head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<()> {
        let before = self.entry.dev.is_some();
        let at = words.span();
        let value = words.value(sink)?;
        if before {
            let message = "`dev` is written twice for one address; the address is dropped";
            sink.error(at, message).code(Code::SurplusValue);
            return None;
        }
        if value.text.len() > limits::INTERFACE_NAME {
            let what = "is too long for the name of an interface";
            words.wrong(value, what, sink).code(Code::LongName);
            return None;
        }
        let _ = head;
        self.entry.dev = Some(Spanned::new(value.text.clone(), value.span));
        self.entry.address.dev = Some(value.text.clone());
        Some(())
    }

    fn broadcast(&mut self, _: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<()> {
        let at = words.span();
        let value = words.value(sink)?;
        if self.entry.address.addr.is_ipv6() {
            let message = "IPv6 knows no broadcast; the address is dropped";
            sink.error(at, message)
                .code(Code::MixedFamilies)
                .help("remove the option and its value");
            return None;
        }
        self.broadcast = Some(match value.text.as_str() {
            "+" => Broadcast::Ones(value.span),
            "-" => Broadcast::Zeros(value.span),
            text => match text.parse() {
                Ok(addr) => Broadcast::Given(addr),
                Err(_) => {
                    words
                        .wrong(value, "is not an IPv4 broadcast address", sink)
                        .code(Code::BadAddress)
                        .help("write an address, or `+` to derive it from the prefix");
                    return None;
                }
            },
        });
        Some(())
    }

    fn scope(&mut self, _: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<()> {
        let at = words.span();
        let value = words.value(sink)?;
        let name = SCOPES.iter().find(|(name, _)| *name == value.text);
        let number = || options::c_number(&value.text).and_then(|it| u8::try_from(it).ok());
        match name.map(|(_, number)| *number).or_else(number) {
            Some(scope) => {
                self.entry.address.scope = scope;
                self.scope = Some(at);
            }
            None => {
                let message = format!("{} is not a scope; it is ignored", quoted(&value.text));
                sink.error(value.span, message)
                    .code(Code::BadChoice)
                    .help("write global, site, link, host, nowhere or a number up to 255");
            }
        }
        Some(())
    }

    fn show_scope(&self, head: &Head, out: &mut Vec<String>) {
        let scope = self.entry.address.scope;
        if scope != 0 {
            let name = SCOPES.iter().find(|(_, number)| *number == scope);
            let name = name.map_or_else(|| scope.to_string(), |(name, _)| (*name).to_owned());
            out.extend([head.word.to_owned(), name]);
        }
    }

    fn label(&mut self, _: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<()> {
        let at = words.span();
        let value = words.value(sink)?;
        if value.text.len() > limits::INTERFACE_NAME {
            let message = format!(
                "the label {} has more than {} characters; the address is dropped",
                quoted(&value.text),
                limits::INTERFACE_NAME
            );
            sink.error(value.span, message).code(Code::LongName);
            return None;
        }
        self.entry.address.label = Some(value.text.clone());
        self.label = Some(at);
        Some(())
    }

    /// A peer that is wrong is left out, and the address kept.
    fn peer(&mut self, _: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<()> {
        const IGNORED: &str = "the peer is left out";
        let at = words.span();
        let value = words.value(sink)?;
        let Some(peer) = Prefix::parse(value, IGNORED, sink) else {
            return Some(());
        };
        if peer.family() != Family::of(self.entry.address.addr) {
            let message = format!("the peer {peer} is of another family; {IGNORED}");
            sink.error(value.span, message).code(Code::MixedFamilies);
            return Some(());
        }
        self.entry.peer = Some(peer);
        self.peer = Some(at);
        Some(())
    }

    fn preferred(&mut self, _: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<()> {
        let value = words.value(sink)?;
        if value.text == "forever" {
            self.entry.preferred_lifetime = Some(Lifetime::Forever);
            return Some(());
        }
        let range = 0..=u64::from(u32::MAX);
        let lost = "the default is used";
        let number = units::number(value, range, Garbage::Cut, lost, sink);
        if let Some(seconds) = number.and_then(|number| u32::try_from(number).ok()) {
            self.entry.preferred_lifetime = Some(Lifetime::Seconds(seconds));
            if seconds != 0 && !words.fixed {
                let message = "a preferred lifetime other than 0 and forever is not built yet in \
                               this version of relevo; forever is used";
                sink.note(value.span, message).code(Code::NotBuilt);
            }
        }
        Some(())
    }

    fn track_group(&mut self, head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<()> {
        let name = words.value(sink)?;
        let _ = head;
        self.entry.track_group = Some(Spanned::new(name.text.clone(), name.span));
        Some(())
    }

    fn use_vmac(&mut self, _: &Head, _: &mut Words<'_>, _: &mut Sink) -> Option<()> {
        self.entry.use_vmac = true;
        Some(())
    }

    /// What depends on more than one option.
    fn finish(mut self, sink: &mut Sink) -> AddressEntry {
        self.finish_peer(sink);
        let address = &mut self.entry.address;
        match address.addr {
            IpAddr::V4(addr) => {
                let (ones, span) = match self.broadcast {
                    None => return self.entry,
                    Some(Broadcast::Given(given)) => {
                        address.broadcast = Some(given);
                        return self.entry;
                    }
                    Some(Broadcast::Ones(span)) => (true, span),
                    Some(Broadcast::Zeros(span)) => (false, span),
                };
                address.broadcast = units::broadcast(addr, address.prefix, ones);
                if address.broadcast.is_none() {
                    let message = format!(
                        "a network of prefix length {} has no broadcast address; none is set",
                        address.prefix
                    );
                    sink.error(span, message).code(Code::NoBroadcast);
                }
            }
            IpAddr::V6(_) => {
                if let Some(span) = self.scope.filter(|_| address.scope != 0) {
                    let message =
                        "the kernel derives the scope of an IPv6 address; it is ignored here";
                    sink.error(span, message).code(Code::UnusedWord);
                    address.scope = 0;
                }
                if let Some(span) = self.label.filter(|_| address.label.is_some()) {
                    sink.error(span, "IPv6 addresses have no label; it is ignored")
                        .code(Code::UnusedWord);
                    address.label = None;
                }
                // A single address must not become the source of the host's own traffic.
                address.deprecated = match self.entry.preferred_lifetime {
                    None => address.prefix == Family::V6.prefix_max(),
                    Some(lifetime) => lifetime == Lifetime::Seconds(0),
                };
            }
        }
        self.entry
    }

    /// With a peer the prefix is the peer's, and nothing is broadcast.
    fn finish_peer(&mut self, sink: &mut Sink) {
        let Some(at) = self.peer else {
            return;
        };
        let address = &mut self.entry.address;
        if self.has_length {
            let message = "an address with a peer has no prefix length of its own; it is ignored";
            sink.error(self.entry.span, message)
                .code(Code::UnusedWord)
                .help("write the length behind the address of the peer");
            address.prefix = Family::of(address.addr).prefix_max();
        }
        if self.broadcast.take().is_some() {
            let message = "an address with a peer has no broadcast address; it is ignored";
            sink.error(at, message).code(Code::UnusedWord);
        }
    }
}

fn unknown(word: &Word, sink: &mut Sink) {
    let other = word.text.as_str();
    let message = format!(
        "{} is not an option of an address; it is skipped",
        quoted(other)
    );
    let found = sink.error(word.span, message).code(Code::UnknownOption);
    if let Some(near) = options::nearest::<Draft>(other) {
        found.help(format!("did you mean `{near}`?")).suggest(near);
    } else if other.parse::<IpAddr>().is_ok() || Prefix::fits(word) {
        found.help("write each address on a line of its own");
    }
}

fn say_standing(standing: Standing, word: &Word, sink: &mut Sink) {
    let what = format!("`{}` of a virtual address", word.text);
    match standing {
        Standing::Built => {}
        Standing::Refused => drop(sink.refuse(word.span, &what)),
        Standing::Harmless => {
            let message = format!(
                "{what} is not built yet in this version of relevo; the address is used without it"
            );
            sink.note(word.span, message).code(Code::NotBuilt);
        }
    }
}

/// The options of an address for the catalogue.
pub(super) fn heads() -> Vec<Head> {
    let mut heads = options::heads::<Draft>();
    heads.retain(|head| head.word != "track_group");
    heads
}

fn show(entry: &AddressEntry, page: &mut Page) {
    let address = Prefix {
        addr: entry.address.addr,
        length: entry.address.prefix,
    };
    let mut out = Vec::new();
    Value::show(&address, &mut out);
    let draft = Draft {
        entry: entry.clone(),
        has_length: false,
        broadcast: None,
        scope: None,
        label: None,
        peer: None,
    };
    options::show_options(&draft, &mut out);
    let words: Vec<&str> = out.iter().map(String::as_str).collect();
    page.line(&words);
}

impl Line for AddressEntry {
    fn read(line: &Statement, sink: &mut Sink) -> Option<Self> {
        read_line(&line.words, false, sink)
    }

    fn show(&self, page: &mut Page) {
        show(self, page);
    }
}

impl Line for Static<AddressEntry> {
    fn read(line: &Statement, sink: &mut Sink) -> Option<Self> {
        read_line(&line.words, true, sink).map(Self)
    }

    fn show(&self, page: &mut Page) {
        show(&self.0, page);
    }
}
