//! One line of `virtual_routes` or `static_routes`.
//!
//! As in the original a route with a mistake is dropped. `inet` and `inet6` do not swallow the word
//! behind them, as they do there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::block::Statement;
use super::code::Code;
use super::diag::{Class, Severity, Sink, Span, Spanned, quoted};
use super::lexer::Word;
use super::options::{self, LineWord, Options, Part, Prefix, Realms, Symbol, Value, Words, words};
use super::page::Page;
use super::route_encap::{self, Encap};
use super::row::{Head, Kind, Line};
use super::scalar::Choice;
use super::static_lines::Static;

use crate::ids::Family;
use crate::limits;

/// What becomes of a line with a mistake.
const DROPPED: &str = "the route is dropped";

/// The number of keepalived among the protocols that make routes and rules.
pub(super) const PROTOCOL: u32 = 18;

/// What the kernel does with packets of a route.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum RouteType {
    /// `unicast`: sends them on.
    Unicast,
    /// `local`: takes them.
    Local,
    /// `broadcast`: takes them, and sends them as broadcasts.
    Broadcast,
    /// `anycast`: the same, for an anycast address.
    Anycast,
    /// `multicast`: sends them on as multicasts.
    Multicast,
    /// `blackhole`: drops them.
    Blackhole,
    /// `unreachable`: refuses them, the host being unreachable.
    Unreachable,
    /// `prohibit`: refuses them, it being forbidden.
    Prohibit,
    /// `throw`: looks further, in the next table.
    Throw,
    /// `nat`: no kernel of today knows it.
    Nat,
    /// `xresolve`: no kernel of today knows it.
    Xresolve,
}

impl RouteType {
    const WORDS: [(&'static str, Self); 11] = [
        ("unicast", Self::Unicast),
        ("local", Self::Local),
        ("broadcast", Self::Broadcast),
        ("anycast", Self::Anycast),
        ("multicast", Self::Multicast),
        ("blackhole", Self::Blackhole),
        ("unreachable", Self::Unreachable),
        ("prohibit", Self::Prohibit),
        ("throw", Self::Throw),
        ("nat", Self::Nat),
        ("xresolve", Self::Xresolve),
    ];
}

/// How a route comes among those that are there.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Placing {
    /// `add`: only if there is none like it.
    Add,
    /// `append`: behind those like it.
    Append,
    /// `prepend`: before those like it.
    Prepend,
}

/// A metric that path discovery may not change if it is locked.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Lockable<T> {
    /// `lock` stands before it.
    pub lock: bool,
    /// The value.
    pub value: T,
}

impl Value for Lockable<u32> {
    fn read(head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<Self> {
        let lock = words.take("lock");
        let value = u32::read(head, words, sink)?;
        Some(Self { lock, value })
    }

    fn show(&self, out: &mut Vec<String>) {
        out.extend(self.lock.then(|| "lock".to_owned()));
        out.push(self.value.to_string());
    }
}

impl Value for Lockable<String> {
    fn read(_head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<Self> {
        let lock = words.take("lock");
        let value = words.value(sink)?.text.clone();
        Some(Self { lock, value })
    }

    fn show(&self, out: &mut Vec<String>) {
        out.extend(self.lock.then(|| "lock".to_owned()));
        out.push(self.value.clone());
    }
}

/// A time of TCP in microseconds, of which the kernel keeps a fraction of a millisecond.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct TcpTime {
    /// 200 ms..=120 s.
    pub micros: u64,
}

impl TcpTime {
    const MIN: u64 = 200_000;
    const MAX: u64 = 120_000_000;
}

impl Value for Lockable<TcpTime> {
    /// A bare number counts in the kernel's unit: an eighth of a millisecond for `rtt`, a quarter for
    /// `rttvar`, one for `rto_min`. As in the original what is too short or too long for TCP is moved
    /// into its range.
    fn read(head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<Self> {
        let lock = words.take("lock");
        let word = words.value(sink)?;
        let (unit_us, most) = match head.word {
            "rtt" => (125, 960_000),
            "rttvar" => (250, 480_000),
            _ => (1_000, 120_000),
        };
        let text = word.text.to_ascii_lowercase();
        let (number, scale, largest) = if let Some(number) = text.strip_suffix("ms") {
            (number, 1_000, most * 1_000)
        } else if let Some(number) = text.strip_suffix('s') {
            (number, 1_000_000, most * 1_000)
        } else {
            (text.as_str(), unit_us, most * unit_us)
        };
        let given = time(number, scale).filter(|us| *us <= largest);
        let finer = number.split_once('.').is_some() && given.is_some_and(|us| us % 1_000 != 0);
        let Some(given) = given else {
            let help = format!("write a time up to {}s, or with ms behind it", most / 1_000);
            let message = format!("{} is no such time; {}", quoted(&word.text), words.lost);
            sink.number(word.span, message).help(help);
            return None;
        };
        let given = if finer {
            given.next_multiple_of(1_000)
        } else {
            given
        };
        let micros = given.clamp(TcpTime::MIN, TcpTime::MAX);
        if finer {
            let shown = quoted(&word.text);
            let message = format!(
                "{shown} is finer than a millisecond; {}ms is used",
                micros / 1_000
            );
            sink.number(word.span, message);
        } else if micros != given {
            let message = format!(
                "{} is outside 200ms..120s, which is what TCP takes; {}ms is used",
                quoted(&word.text),
                micros / 1_000
            );
            sink.note(word.span, message);
        }
        let value = TcpTime { micros };
        Some(Self { lock, value })
    }

    fn show(&self, out: &mut Vec<String>) {
        out.extend(self.lock.then(|| "lock".to_owned()));
        let micros = self.value.micros;
        let text = format!("{}.{:03}", micros / 1_000, micros % 1_000);
        out.push(format!(
            "{}ms",
            text.trim_end_matches('0').trim_end_matches('.')
        ));
    }
}

/// A decimal number of `scale` microseconds, cut to microseconds.
fn time(number: &str, scale: u64) -> Option<u64> {
    let number = number.strip_prefix('+').unwrap_or(number);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if number.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole = if whole.is_empty() {
        0
    } else {
        whole.parse::<u64>().ok()?
    };
    let six = format!("{:0<6}", fraction.get(..6).unwrap_or(fraction));
    let part = six.parse::<u64>().ok()?.checked_mul(scale)? / 1_000_000;
    whole.checked_mul(scale)?.checked_add(part)
}

/// `pref`: which of two IPv6 routers is preferred.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Preference {
    /// The other one.
    Low,
    /// Neither.
    Medium,
    /// This one.
    High,
}

impl Choice for Preference {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("low", Self::Low),
        ("medium", Self::Medium),
        ("high", Self::High),
    ];
}

/// `ttl-propagate`: whether the TTL goes into MPLS headers and back.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Propagation {
    /// It does.
    Enabled,
    /// It does not.
    Disabled,
}

impl Choice for Propagation {
    const WORDS: &'static [(&'static str, Self)] =
        &[("enabled", Self::Enabled), ("disabled", Self::Disabled)];
}

/// One of several next hops of a route.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NextHop {
    /// `via`: the gateway.
    pub via: Option<IpAddr>,
    /// `dev`: the interface.
    pub dev: Option<Spanned<String>>,
    /// `weight` against the other hops: 1..=256.
    pub weight: Option<u16>,
    /// `onlink`.
    pub onlink: bool,
    /// `realms`.
    pub realms: Option<Realms>,
    /// `as`: the address that the destination is translated to.
    pub translated: Option<IpAddr>,
    /// `encap`.
    pub encap: Option<Encap>,
}

impl Options for NextHop {
    fn words() -> &'static [LineWord<Self>] {
        words! { NextHop:
            "as" => (|hop, _, words, sink| translation(&mut hop.translated, words, sink),
                |hop, head, out| hop.translated.show(head, out)):
                Kind::Other("[to] ADDRESS"), Built, "",
                "Another destination address.";
            "dev" => dev: Kind::Name(limits::INTERFACE_NAME), Built, "", "The interface.";
            "encap" => (|hop, head, words, sink| hop.encap.read(head, words, sink),
                options::unshown): Kind::Other("mpls|ip|ip6|ila ..."), Built, "", "The tunnel.";
            "onlink" => onlink: Kind::Flag, Built, "", "The gateway is on the link.";
            "realms" => realms: Kind::Other("[FROM/]TO"), Built, "", "The realms.";
            "via" => (|hop, head, words, sink| gateway(&mut hop.via, head, words, sink),
                |hop, head, out| hop.via.show(head, out)):
                Kind::Other("[inet|inet6] ADDRESS"), Built, "", "The gateway.";
            "weight" => weight: Kind::number(1, 256), Built, "1",
                "The share of a next hop among the others, within nexthop.";
        }
    }
}

/// One route as written; `None` and `false` where nothing was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteLine {
    /// Where it stands.
    pub span: Span,
    /// The type word before the destination.
    pub kind: Option<RouteType>,
    /// The destination.
    pub destination: Option<Prefix>,
    /// `from`: the route is for packets from there only; IPv6.
    pub from: Option<Prefix>,
    /// `src`: the source address that the host prefers.
    pub source: Option<IpAddr>,
    /// `via`: the gateway.
    pub via: Option<IpAddr>,
    /// `dev`: the interface.
    pub dev: Option<Spanned<String>>,
    /// `table`; main by default.
    pub table: Option<Symbol<{ u32::MAX }>>,
    /// `vrf`: the interface whose table is meant.
    pub vrf: Option<Spanned<String>>,
    /// `tos`.
    pub tos: Option<Symbol<255>>,
    /// `protocol`; keepalived's by default.
    pub protocol: Option<Symbol<255>>,
    /// `scope`.
    pub scope: Option<Symbol<255>>,
    /// `metric`.
    pub metric: Option<u32>,
    /// `mtu`, in octets.
    pub mtu: Option<Lockable<u32>>,
    /// `advmss`, in octets.
    pub advmss: Option<Lockable<u32>>,
    /// `rtt`.
    pub rtt: Option<Lockable<TcpTime>>,
    /// `rttvar`.
    pub rtt_variance: Option<Lockable<TcpTime>>,
    /// `reordering`.
    pub reordering: Option<Lockable<u32>>,
    /// `window`, in octets.
    pub window: Option<u32>,
    /// `cwnd`.
    pub cwnd: Option<Lockable<u32>>,
    /// `ssthresh`.
    pub ssthresh: Option<Lockable<u32>>,
    /// `realms`; IPv4.
    pub realms: Option<Realms>,
    /// `hoplimit`.
    pub hop_limit: Option<u8>,
    /// `rto_min`.
    pub rto_min: Option<Lockable<TcpTime>>,
    /// `initcwnd`.
    pub initial_cwnd: Option<u32>,
    /// `initrwnd`.
    pub initial_rwnd: Option<u32>,
    /// `features ecn`.
    pub ecn: bool,
    /// `quickack`: 0 or 1.
    pub quickack: Option<u8>,
    /// `congctl`: the name of an algorithm.
    pub congestion: Option<Lockable<String>>,
    /// `pref`; IPv6.
    pub preference: Option<Preference>,
    /// `expires`, in seconds; IPv6.
    pub expires: Option<u32>,
    /// `fastopen_no_cookie`: 0 or 1.
    pub fastopen_no_cookie: Option<u8>,
    /// `ttl-propagate`.
    pub ttl_propagate: Option<Propagation>,
    /// `onlink`.
    pub onlink: bool,
    /// `inet` or `inet6`.
    pub family: Option<Family>,
    /// `add`, `append` or `prepend`; without a word `add` behind a type and `prepend` otherwise.
    pub placing: Option<Placing>,
    /// `no_track`.
    pub no_track: bool,
    /// `as`: the address that the destination is translated to.
    pub translated: Option<IpAddr>,
    /// `encap`.
    pub encap: Option<Encap>,
    /// `nexthop`, or the gateways of `via` and `or`.
    pub nexthops: Vec<NextHop>,
    /// `track_group`, of static routes.
    pub track_group: Option<Spanned<String>>,
}

impl RouteLine {
    const fn new(span: Span) -> Self {
        Self {
            span,
            kind: None,
            destination: None,
            from: None,
            source: None,
            via: None,
            dev: None,
            table: None,
            vrf: None,
            tos: None,
            protocol: None,
            scope: None,
            metric: None,
            mtu: None,
            advmss: None,
            rtt: None,
            rtt_variance: None,
            reordering: None,
            window: None,
            cwnd: None,
            ssthresh: None,
            realms: None,
            hop_limit: None,
            rto_min: None,
            initial_cwnd: None,
            initial_rwnd: None,
            ecn: false,
            quickack: None,
            congestion: None,
            preference: None,
            expires: None,
            fastopen_no_cookie: None,
            ttl_propagate: None,
            onlink: false,
            family: None,
            placing: None,
            no_track: false,
            translated: None,
            encap: None,
            nexthops: Vec::new(),
            track_group: None,
        }
    }

    /// A type word, and the destination that follows it.
    fn typed(&mut self, head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<()> {
        let known = RouteType::WORDS.iter().find(|(word, _)| *word == head.word);
        self.kind = known.map(|(_, kind)| *kind);
        self.to(words, sink)
    }

    fn to(&mut self, words: &mut Words<'_>, sink: &mut Sink) -> Option<()> {
        let word = words.value(sink)?;
        self.goes_to(word, words, sink)
    }

    fn goes_to(&mut self, word: &Word, words: &Words<'_>, sink: &mut Sink) -> Option<()> {
        let everything = |addr| Some(Prefix { addr, length: 0 });
        self.destination = match word.text.as_str() {
            "default" => everything(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            "default6" => everything(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
            _ => Prefix::parse(word, words.lost, sink),
        };
        self.destination.map(|_| ())
    }

    fn show_destination(&self, out: &mut Vec<String>) {
        let kind = RouteType::WORDS
            .iter()
            .find(|(_, kind)| Some(*kind) == self.kind);
        out.extend(kind.map(|(word, _)| (*word).to_owned()));
        out.extend(self.destination.map(|to| match to {
            Prefix { addr, length: 0 } if addr.is_unspecified() => match addr {
                IpAddr::V4(_) => "default".to_owned(),
                IpAddr::V6(_) => "default6".to_owned(),
            },
            to => to.to_string(),
        }));
    }

    /// The deprecated second gateway makes a route of two hops.
    fn second(&mut self, words: &mut Words<'_>, head: &Head, sink: &mut Sink) -> Option<()> {
        deprecated(words.span(), "or", "nexthop via", sink);
        let via = IpAddr::read(head, words, sink)?;
        for via in self.via.take().into_iter().chain([via]) {
            self.nexthops.push(NextHop {
                via: Some(via),
                ..NextHop::default()
            });
        }
        Some(())
    }

    /// The hops, which are the last of the line.
    fn hops(&mut self, words: &mut Words<'_>, sink: &mut Sink) -> Option<()> {
        self.nexthops.clear();
        loop {
            let mut hop = NextHop::default();
            while let Some(row) = words
                .peek()
                .and_then(|word| options::find::<NextHop>(&word.text))
            {
                words.next_option();
                (row.read)(&mut hop, &row.head, words, sink)?;
            }
            self.nexthops.push(hop);
            if !words.take("nexthop") {
                break;
            }
        }
        if let Some(word) = words.peek() {
            let message = format!(
                "{} is no word of a next hop; it and the rest of the line are ignored",
                quoted(&word.text)
            );
            sink.error(word.span, message)
                .help("write the options of the route before its first `nexthop`");
            words.skip_all();
        }
        Some(())
    }

    fn features(&mut self, words: &mut Words<'_>, sink: &mut Sink) -> Option<()> {
        let word = words.value(sink)?;
        if word.text == "ecn" {
            self.ecn = true;
        } else {
            let message = format!("{} is no feature; it is ignored", quoted(&word.text));
            sink.error(word.span, message).help("the only one is `ecn`");
        }
        Some(())
    }
}

/// `gw` and `or`, which will go one day.
fn deprecated(at: Span, word: &str, better: &str, sink: &mut Sink) {
    let message = format!("`{word}` of a route is deprecated");
    sink.report(Severity::Deprecated, Class::Deprecated, at, message)
        .help(format!("write `{better}` instead"));
}

/// `[inet|inet6] ADDRESS`.
fn gateway(
    slot: &mut Option<IpAddr>,
    head: &Head,
    words: &mut Words<'_>,
    sink: &mut Sink,
) -> Option<()> {
    let family = if words.take("inet") {
        Some(Family::V4)
    } else if words.take("inet6") {
        Some(Family::V6)
    } else {
        None
    };
    let at = words.peek().map_or(words.span(), |word| word.span);
    let addr = IpAddr::read(head, words, sink)?;
    if family.is_some_and(|family| family != Family::of(addr)) {
        let message = format!("{addr} is not of the family written before it; {DROPPED}");
        sink.error(at, message);
        return None;
    }
    *slot = Some(addr);
    Some(())
}

/// `as [to] ADDRESS`, which the original reads and leaves out.
fn translation(slot: &mut Option<IpAddr>, words: &mut Words<'_>, sink: &mut Sink) -> Option<()> {
    let at = words.span();
    words.take("to");
    let word = words.value(sink)?;
    let message = "`as` is for MPLS, where this kind of route has no use for it; it is ignored";
    sink.report(Severity::Warning, Class::General, at, message);
    *slot = word.text.parse().ok();
    Some(())
}

macro_rules! number32 {
    () => {
        Kind::number(0, 4_294_967_295)
    };
}
const LOCKABLE: Kind = Kind::Other("[lock] 0..4294967295");
const TIME: Kind = Kind::Other("[lock] TIME[s|ms]");
const TYPED: Kind = Kind::Other("DESTINATION");

impl Options for RouteLine {
    fn words() -> &'static [LineWord<Self>] {
        WORDS
    }
}

const WORDS: &[LineWord<RouteLine>] = words! { RouteLine:
    "<DEST>" => (|_, _, _, _| None, options::unshown):
        Kind::Other("ADDRESS[/LENGTH]|default|default6"), Built, "",
        "The destination; the word to, or one of the types, may stand before it.";
    "add" => (|it, _, _, _| { it.placing = Some(Placing::Add); Some(()) },
        |it, head, out| (it.placing == Some(Placing::Add)).show(head, out)):
        Kind::Flag, Built, "",
        "The route is added only if there is none like it.";
    "advmss" => advmss: LOCKABLE, Built, "",
        "The segment size that TCP announces, in octets.";
    "anycast" => (RouteLine::typed, options::unshown): TYPED, Built, "",
        "A route of this type: the address is an anycast address of the host.";
    "append" => (|it, _, _, _| { it.placing = Some(Placing::Append); Some(()) },
        |it, head, out| (it.placing == Some(Placing::Append)).show(head, out)):
        Kind::Flag, Built, "",
        "The route comes behind those like it.";
    "as" => (|it, _, words, sink| translation(&mut it.translated, words, sink),
        |it, head, out| it.translated.show(head, out)):
        Kind::Other("[to] ADDRESS"), Built, "",
        "Another destination address, for MPLS; it is left out.";
    "blackhole" => (RouteLine::typed, options::unshown): TYPED, Built, "",
        "A route of this type: packets are dropped.";
    "broadcast" => (RouteLine::typed, options::unshown): TYPED, Built, "",
        "A route of this type: packets are broadcasts.";
    "congctl" => congestion: Kind::Other("[lock] NAME"), Built, "",
        "The algorithm of TCP against congestion.";
    "cwnd" => cwnd: LOCKABLE, Built, "",
        "The largest congestion window of TCP.";
    "dev" => dev: Kind::Name(limits::INTERFACE_NAME), Built, "",
        "The interface that packets leave through.";
    "dsfield" = "tos" => tos: Kind::Other("0..255|NAME"), Built, "",
        "Another word for tos.";
    "encap" => (|it, head, words, sink| it.encap.read(head, words, sink), options::unshown):
        Kind::Other("mpls LABELS|ip OPTIONS|ip6 OPTIONS|ila LOCATOR"), Built, "",
        "What packets are wrapped into.";
    "expires" => expires: number32!(), Built, "",
        "The seconds after which an IPv6 route goes.";
    "fastopen_no_cookie" => fastopen_no_cookie: Kind::number(0, 1), Built, "",
        "TCP opens fast without a cookie.";
    "features" => (|it, _, words, sink| it.features(words, sink), |it, head, out| {
        if it.ecn {
            out.extend([head.word.to_owned(), "ecn".to_owned()]);
        }
    }): Kind::Choice(&["ecn"]), Built, "",
        "TCP tells congestion explicitly on this route.";
    "from" => from: Kind::Other("ADDRESS[/LENGTH]"), Built, "",
        "The IPv6 route is for packets from there only.";
    "gw" = "via" => (|it, head, words, sink| {
        deprecated(words.span(), "gw", "via", sink);
        gateway(&mut it.via, head, words, sink)
    }, options::unshown): Kind::Other("[inet|inet6] ADDRESS"), Built, "",
        "The old word for via.";
    "hoplimit" => hop_limit: Kind::number(0, 255), Built, "",
        "The hop limit or TTL of packets.";
    "inet" => (|it, _, _, _| { it.family = Some(Family::V4); Some(()) },
        |it, head, out| (it.family == Some(Family::V4)).show(head, out)):
        Kind::Flag, Built, "",
        "The route is one of IPv4.";
    "inet6" => (|it, _, _, _| { it.family = Some(Family::V6); Some(()) },
        |it, head, out| (it.family == Some(Family::V6)).show(head, out)):
        Kind::Flag, Built, "",
        "The route is one of IPv6.";
    "initcwnd" => initial_cwnd: number32!(), Built, "",
        "The congestion window that TCP begins with.";
    "initrwnd" => initial_rwnd: number32!(), Built, "",
        "The receive window that TCP begins with.";
    "local" => (RouteLine::typed, options::unshown): TYPED, Built, "",
        "A route of this type: the host takes the packets.";
    "metric" => metric: number32!(), Built, "",
        "Among routes to one destination the lowest metric counts.";
    "mtu" => mtu: LOCKABLE, Built, "",
        "The largest packet, in octets.";
    "multicast" => (RouteLine::typed, options::unshown): TYPED, Built, "",
        "A route of this type: packets are multicasts.";
    "nat" => (RouteLine::typed, options::unshown): TYPED, Built, "",
        "A route of this type, which no kernel of today takes.";
    "nexthop" => (|it, _, words, sink| it.hops(words, sink), options::unshown):
        Kind::Other("[via ADDRESS] [dev INTERFACE] [weight N] [onlink] [realms R] [encap E]"),
        Built, "",
        "One of several hops; they are the last of the line.";
    "no_track" => no_track: Kind::Flag, Built, "",
        "Nothing happens if somebody else removes the route.";
    "oif" = "dev" => dev: Kind::Name(limits::INTERFACE_NAME), Built, "",
        "Another word for dev.";
    "onlink" => onlink: Kind::Flag, Built, "",
        "The gateway is on the link, whatever other routes say.";
    "or" => (|it, head, words, sink| it.second(words, head, sink), options::unshown):
        Kind::Address, Built, "",
        "A second gateway, as two next hops make it.";
    "pref" => preference: Kind::Choice(&["low", "medium", "high"]), Built, "medium",
        "How much an IPv6 router is preferred.";
    "preference" = "metric" => metric: number32!(), Built, "",
        "Another word for metric.";
    "prepend" => (|it, _, _, _| { it.placing = Some(Placing::Prepend); Some(()) },
        |it, head, out| (it.placing == Some(Placing::Prepend)).show(head, out)):
        Kind::Flag, Built, "",
        "The route comes before those like it; so it does without a word.";
    "priority" = "metric" => metric: number32!(), Built, "",
        "Another word for metric.";
    "prohibit" => (RouteLine::typed, options::unshown): TYPED, Built, "",
        "A route of this type: packets are refused as forbidden.";
    "protocol" => protocol: Kind::Other("0..255|NAME"), Built, "keepalived",
        "What made the route; any other is not tracked.";
    "quickack" => quickack: Kind::number(0, 1), Built, "",
        "TCP acknowledges at once.";
    "realms" => realms: Kind::Other("[FROM/]TO"), Built, "",
        "The realms of an IPv4 route.";
    "reordering" => reordering: LOCKABLE, Built, "",
        "How far packets of TCP may come out of order.";
    "rto_min" => rto_min: TIME, Built, "",
        "The shortest time after which TCP sends again.";
    "rtt" => rtt: TIME, Built, "",
        "The round trip time that TCP begins with.";
    "rttvar" => rtt_variance: TIME, Built, "",
        "The variance of the round trip time that TCP begins with.";
    "scope" => scope: Kind::Other("global|site|link|host|nowhere|0..255|NAME"), Built, "",
        "How far the destination is.";
    "src" => source: Kind::Address, Built, "",
        "The source address that the host prefers for this route.";
    "ssthresh" => ssthresh: LOCKABLE, Built, "",
        "The threshold of TCP's slow start.";
    "table" => table: Kind::Other("0..4294967295|NAME"), Built, "main",
        "The table that the route is in.";
    "throw" => (RouteLine::typed, options::unshown): TYPED, Built, "",
        "A route of this type: the next rule decides.";
    "to" => (|it, _, words, sink| it.to(words, sink), options::unshown): TYPED, Built, "",
        "The destination.";
    "tos" => tos: Kind::Other("0..255|NAME"), Built, "",
        "The route is for this type of service only.";
    "track_group" => (|it, _, words, sink| group(&mut it.track_group, words, sink),
        |it, head, out| it.track_group.show(head, out)): Kind::Other("GROUP"), Built, "",
        "The instances of this group track the interface of a static route.";
    "ttl-propagate" => ttl_propagate: Kind::Choice(&["enabled", "disabled"]), Built, "",
        "Whether the TTL goes into MPLS headers and back.";
    "unicast" => (RouteLine::typed, options::unshown): TYPED, Built, "",
        "A route of this type: packets go on to the gateway or interface.";
    "unreachable" => (RouteLine::typed, options::unshown): TYPED, Built, "",
        "A route of this type: packets are refused, the host being unreachable.";
    "via" => (|it, head, words, sink| gateway(&mut it.via, head, words, sink),
        |it, head, out| it.via.show(head, out)):
        Kind::Other("[inet|inet6] ADDRESS"), Built, "",
        "The gateway.";
    "vrf" => vrf: Kind::Name(limits::INTERFACE_NAME), Built, "",
        "The route is in the table of this VRF.";
    "window" => window: number32!(), Built, "",
        "The largest window that TCP announces, in octets.";
    "xresolve" => (RouteLine::typed, options::unshown): TYPED, Built, "",
        "A route of this type, which no kernel of today takes.";
};

/// `track_group`.
pub(super) fn group(
    slot: &mut Option<Spanned<String>>,
    words: &mut Words<'_>,
    sink: &mut Sink,
) -> Option<()> {
    let name = words.value(sink)?;
    *slot = Some(Spanned::new(name.text.clone(), name.span));
    Some(())
}

/// The route of one line; `None`, and reported, if it is dropped.
fn read(line: &[Word], fixed: bool, sink: &mut Sink) -> Option<RouteLine> {
    let first = line.first()?;
    let mut words = Words::new(first, line, DROPPED);
    words.strict = true;
    words.fixed = fixed;
    let mut route = RouteLine::new(first.span);
    while let Some(word) = words.next_option() {
        let known = options::find::<RouteLine>(&word.text);
        let known = known.filter(|row| fixed || row.head.word != "track_group");
        if let Some(row) = known {
            (row.read)(&mut route, &row.head, &mut words, sink)?;
        } else if Prefix::fits(word) || matches!(word.text.as_str(), "default" | "default6") {
            route.goes_to(word, &words, sink)?;
        } else {
            unknown(word, sink);
            return None;
        }
    }
    route.finish(sink).then_some(route)
}

fn unknown(word: &Word, sink: &mut Sink) {
    let message = format!(
        "{} is neither a destination nor a word of a route; {DROPPED}",
        quoted(&word.text)
    );
    let found = sink.error(word.span, message).code(Code::UnknownOption);
    if let Some(near) = options::nearest::<RouteLine>(&word.text) {
        found.help(format!("did you mean `{near}`?")).suggest(near);
    }
}

impl RouteLine {
    /// What depends on more than one option; false, and reported, if the route is dropped.
    fn finish(&mut self, sink: &mut Sink) -> bool {
        let Some(destination) = self.destination else {
            let message = format!("this route has no destination; {DROPPED}");
            sink.error(self.span, message)
                .help("write an address, with `/` and its length for a network, or `default`");
            return false;
        };
        let family = destination.family();
        let strange = [
            (
                self.family.is_some_and(|it| it != family),
                "`inet` or `inet6`",
            ),
            (self.is_strange(family), "an address on this line"),
        ];
        if let Some((_, what)) = strange.iter().find(|(is, _)| *is) {
            let message = format!("{what} is not of the family of {destination}; {DROPPED}");
            sink.error(self.span, message)
                .help("write IPv4 and IPv6 routes on lines of their own");
            return false;
        }
        let wrong = match family {
            Family::V4 => [
                (self.from.is_some(), "`from`", "IPv6"),
                (self.preference.is_some(), "`pref`", "IPv6"),
                (self.expires.is_some(), "`expires`", "IPv6"),
            ],
            Family::V6 => [
                (self.realms.is_some(), "`realms`", "IPv4"),
                (
                    self.nexthops.iter().any(|hop| hop.realms.is_some()),
                    "`realms`",
                    "IPv4",
                ),
                (false, "", ""),
            ],
        };
        if let Some((_, word, other)) = wrong.iter().find(|(is, _, _)| *is) {
            let message = format!("{word} is for routes of {other} only; {DROPPED}");
            sink.error(self.span, message);
            return false;
        }
        self.finish_tracking(sink);
        true
    }

    /// An address is of another family than the destination.
    fn is_strange(&self, family: Family) -> bool {
        let own = [self.source, self.via, self.from.map(|it| it.addr)];
        let hops = self.nexthops.iter().map(|hop| hop.via);
        let mut all = own.into_iter().chain(hops).flatten();
        all.any(|addr| Family::of(addr) != family)
    }

    /// The original cannot track a route without an interface or of another protocol.
    fn finish_tracking(&mut self, sink: &mut Sink) {
        let own = match &self.protocol {
            None => true,
            Some(Symbol::Number(number)) => *number == PROTOCOL,
            Some(Symbol::Name(name)) => name == "keepalived",
        };
        if !self.no_track && !own {
            let message = "a route of another protocol cannot be tracked; it is made one of \
                           keepalived";
            sink.report(Severity::Warning, Class::General, self.span, message)
                .help("write `no_track` to keep the protocol");
            self.protocol = None;
        }
        if !self.no_track && self.dev.is_none() {
            let message = "a route without `dev` cannot be tracked, and is not";
            sink.report(Severity::Warning, Class::Warning, self.span, message)
                .help("write `dev` and its interface, or `no_track`");
            self.no_track = true;
        }
    }
}

fn show(route: &RouteLine, page: &mut Page) {
    let mut out = Vec::new();
    route.show_destination(&mut out);
    options::show_options(route, &mut out);
    show_encap(route.encap.as_ref(), &mut out);
    for hop in &route.nexthops {
        out.push("nexthop".to_owned());
        options::show_options(hop, &mut out);
        show_encap(hop.encap.as_ref(), &mut out);
    }
    let words: Vec<&str> = out.iter().map(String::as_str).collect();
    page.line(&words);
}

/// Last, since its options would be taken for it.
fn show_encap(encap: Option<&Encap>, out: &mut Vec<String>) {
    if let Some(encap) = encap {
        out.push("encap".to_owned());
        encap.show(out);
    }
}

/// The words of a route for the catalogue, those of its hops and tunnels among them.
pub(super) fn heads() -> Vec<Head> {
    let mut heads = options::heads::<RouteLine>();
    heads.retain(|head| head.word != "track_group");
    let hop = options::heads::<NextHop>();
    heads.extend(hop.into_iter().filter(|head| head.word == "weight"));
    heads.extend(route_encap::heads());
    heads.sort_by_key(|head| head.word);
    heads
}

impl Line for RouteLine {
    fn read(line: &Statement, sink: &mut Sink) -> Option<Self> {
        read(&line.words, false, sink)
    }

    fn show(&self, page: &mut Page) {
        show(self, page);
    }
}

impl Line for Static<RouteLine> {
    fn read(line: &Statement, sink: &mut Sink) -> Option<Self> {
        read(&line.words, true, sink).map(Self)
    }

    fn show(&self, page: &mut Page) {
        show(&self.0, page);
    }
}
