//! `encap` of a route: what its packets are wrapped into.

use std::net::{IpAddr, Ipv6Addr};

use super::code::Code;
use super::diag::Sink;
use super::options::{self, LineWord, Options, Symbol, Value, Words, words};
use super::row::{Head, Kind};
use crate::ids::Family;

/// What packets are wrapped into.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Encap {
    /// `mpls`: labels, the outermost first; each has 20 bits.
    Mpls(Vec<u32>),
    /// `ip`: another IPv4 header.
    Ip(Tunnel4),
    /// `ip6`: another IPv6 header.
    Ip6(Tunnel6),
    /// `ila`: the locator that replaces the first 64 bits of the destination.
    Ila(u64),
}

/// `encap ip`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tunnel4 {
    /// `id`: the key of the tunnel.
    pub id: Option<u64>,
    /// `dst`: its other end.
    pub destination: Option<IpAddr>,
    /// `src`: this end.
    pub source: Option<IpAddr>,
    /// `tos` of the outer header.
    pub tos: Option<Symbol<255>>,
    /// `ttl` of the outer header.
    pub ttl: Option<u8>,
    /// `flags` of the tunnel.
    pub flags: Option<u16>,
}

/// `encap ip6`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tunnel6 {
    /// `id`: the key of the tunnel.
    pub id: Option<u64>,
    /// `dst`: its other end.
    pub destination: Option<IpAddr>,
    /// `src`: this end.
    pub source: Option<IpAddr>,
    /// `tc`: the traffic class of the outer header.
    pub traffic_class: Option<Symbol<255>>,
    /// `hoplimit` of the outer header.
    pub hop_limit: Option<u8>,
    /// `flags` of the tunnel.
    pub flags: Option<u16>,
}

impl Options for Tunnel4 {
    fn words() -> &'static [LineWord<Self>] {
        words! { Tunnel4:
            "dst" => destination: Kind::Address, Built, "",
                "The other end of the tunnel of encap.";
            "flags" => flags: Kind::number(0, 65_535), Built, "",
                "Flags of the tunnel of encap.";
            "id" => id: Kind::Other("0..18446744073709551615"), Built, "",
                "The key of the tunnel of encap.";
            "src" => source: Kind::Address, Built, "",
                "This end of the tunnel of encap.";
            "tos" => tos: Kind::Other("0..255|NAME"), Built, "",
                "The type of service of the outer header.";
            "ttl" => ttl: Kind::number(0, 255), Built, "",
                "The time to live of the outer header, for encap ip.";
        }
    }
}

impl Options for Tunnel6 {
    fn words() -> &'static [LineWord<Self>] {
        words! { Tunnel6:
            "dst" => destination: Kind::Address, Built, "",
                "The other end of the tunnel of encap.";
            "flags" => flags: Kind::number(0, 65_535), Built, "",
                "Flags of the tunnel of encap.";
            "hoplimit" => hop_limit: Kind::number(0, 255), Built, "",
                "The hop limit of the outer header, for encap ip6.";
            "id" => id: Kind::Other("0..18446744073709551615"), Built, "",
                "The key of the tunnel of encap.";
            "src" => source: Kind::Address, Built, "",
                "This end of the tunnel of encap.";
            "tc" => traffic_class: Kind::Other("0..255|NAME"), Built, "",
                "The traffic class of the outer header, for encap ip6.";
        }
    }
}

/// The words of tunnels for the catalogue, those of routes left out.
pub(super) fn heads() -> Vec<Head> {
    let mut heads = options::heads::<Tunnel4>();
    heads.retain(|head| !matches!(head.word, "src" | "tos"));
    for mut head in options::heads::<Tunnel6>() {
        if head.word == "hoplimit" {
            head.word = "hoplimit (encap)";
        }
        if matches!(head.word, "tc" | "hoplimit (encap)") {
            heads.push(head);
        }
    }
    heads
}

impl Value for Encap {
    fn read(_head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<Self> {
        // The original does not end for this one.
        let strict = std::mem::replace(&mut words.strict, false);
        let kind = words.value(sink)?;
        words.strict = strict;
        match kind.text.as_str() {
            "mpls" => mpls(words, sink).map(Self::Mpls),
            "ila" => locator(words, sink).map(Self::Ila),
            "ip" => {
                let mut tunnel = Tunnel4::default();
                tunnel_words(&mut tunnel, words, sink)?;
                let ends = [tunnel.destination, tunnel.source];
                check(tunnel.id, ends, Family::V4, words, sink)?;
                Some(Self::Ip(tunnel))
            }
            "ip6" => {
                let mut tunnel = Tunnel6::default();
                tunnel_words(&mut tunnel, words, sink)?;
                let ends = [tunnel.destination, tunnel.source];
                check(tunnel.id, ends, Family::V6, words, sink)?;
                Some(Self::Ip6(tunnel))
            }
            _ => {
                words
                    .wrong(kind, "is no encapsulation", sink)
                    .code(Code::BadChoice)
                    .help("write mpls, ip, ip6 or ila");
                None
            }
        }
    }

    fn show(&self, out: &mut Vec<String>) {
        match self {
            Self::Mpls(labels) => {
                let labels: Vec<String> = labels.iter().map(u32::to_string).collect();
                out.extend(["mpls".to_owned(), labels.join("/")]);
            }
            Self::Ip(tunnel) => {
                out.push("ip".to_owned());
                options::show_options(tunnel, out);
            }
            Self::Ip6(tunnel) => {
                out.push("ip6".to_owned());
                options::show_options(tunnel, out);
            }
            Self::Ila(locator) => {
                let groups =
                    [48, 32, 16, 0].map(|shift| format!("{:x}", locator >> shift & 0xffff));
                out.extend(["ila".to_owned(), groups.join(":")]);
            }
        }
    }
}

/// The options of a tunnel, up to the first word that is none of them.
fn tunnel_words<T: Options>(tunnel: &mut T, words: &mut Words<'_>, sink: &mut Sink) -> Option<()> {
    while let Some(row) = words.peek().and_then(|word| options::find::<T>(&word.text)) {
        words.next_option();
        (row.read)(tunnel, &row.head, words, sink)?;
    }
    Some(())
}

/// A tunnel leads somewhere, and its ends are of its family.
fn check(
    id: Option<u64>,
    ends: [Option<IpAddr>; 2],
    family: Family,
    words: &Words<'_>,
    sink: &mut Sink,
) -> Option<()> {
    let strange = ends
        .into_iter()
        .flatten()
        .any(|end| Family::of(end) != family);
    if strange {
        let what = "ends a tunnel with an address of the other family";
        words.misplaced(what, sink).code(Code::MixedFamilies);
        return None;
    }
    if id.is_none() && ends == [None, None] {
        words.misplaced("leaves a tunnel without `id`, `dst` and `src`", sink);
        return None;
    }
    Some(())
}

/// `LABEL[/LABEL]...`.
fn mpls(words: &mut Words<'_>, sink: &mut Sink) -> Option<Vec<u32>> {
    const LARGEST: u32 = (1 << 20) - 1;
    let word = words.value(sink)?;
    let label = |text: &str| {
        let number = options::c_number(text).and_then(|it| u32::try_from(it).ok());
        number.filter(|number| *number <= LARGEST)
    };
    let labels: Option<Vec<u32>> = word.text.split('/').map(label).collect();
    if labels.is_none() {
        words
            .wrong(word, "is no MPLS label", sink)
            .code(Code::BadNumber)
            .help("write labels up to 1048575, with `/` between them");
    }
    labels
}

/// Four groups of hexadecimal digits.
fn locator(words: &mut Words<'_>, sink: &mut Sink) -> Option<u64> {
    let word = words.value(sink)?;
    // The first half of an IPv6 address, so its notation is checked like one.
    let whole = format!("{}::", word.text);
    let full = word.text.split(':').count() == 4;
    let address = whole.parse::<Ipv6Addr>().ok().filter(|_| full);
    let Some(address) = address else {
        words
            .wrong(word, "is no locator", sink)
            .code(Code::BadAddress)
            .help("write four groups of hexadecimal digits, as 2001:db8:0:1");
        return None;
    };
    u64::try_from(address.to_bits() >> 64).ok()
}
