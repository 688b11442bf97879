//! `bfd_instance`.

use super::code::Code;
use std::net::IpAddr;

use super::block::Statement;
use super::diag::{Sink, Span, Spanned, quoted};
use super::row::{Begin, Kind, Row, Rows, first_name, rows};
use super::track::{WEIGHT, Weight};
use crate::ids::Family;
use crate::time::Duration;

/// The longest name, as in keepalived.
const NAME_MAX: usize = 31;

/// `bfd_instance`: a session of bidirectional forwarding detection (RFC 5880) with one neighbour.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BfdInstance {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// `neighbor_ip`, or its synonym `neighbour_ip`.
    pub neighbor: Option<Spanned<IpAddr>>,
    /// `source_ip`.
    pub source: Option<Spanned<IpAddr>>,
    /// `min_rx`: the required minimum of the interval that is received.
    pub min_rx: Option<Spanned<Duration>>,
    /// `min_tx`: the desired minimum of the interval that is sent.
    pub min_tx: Option<Spanned<Duration>>,
    /// `idle_tx`: the interval that is sent while the session is not up.
    pub idle_tx: Option<Spanned<Duration>>,
    /// `multiplier`.
    pub multiplier: Option<Spanned<u8>>,
    /// `passive`.
    pub passive: Option<Span>,
    /// `ttl`, or its synonym `hoplimit`.
    pub ttl: Option<Spanned<u8>>,
    /// `max_hops`; -1 for no limit.
    pub max_hops: Option<Spanned<i16>>,
    /// `multihop` (RFC 5883).
    pub multihop: Option<Spanned<bool>>,
    /// `weight`.
    pub weight: Option<Spanned<Weight>>,
    /// `vrrp`: instances hear of it; checkers too unless it stands alone.
    pub vrrp: Option<Span>,
    /// `checker`: checkers hear of it; instances too unless it stands alone.
    pub checker: Option<Span>,
}

impl Rows for BfdInstance {
    fn rows() -> &'static [Row<Self>] {
        /// The longest interval: what 32 bits hold in microseconds.
        const LONGEST: u32 = u32::MAX / 1_000;
        const INTERVAL: Kind = Kind::Millis {
            min: 1,
            max: LONGEST,
        };
        const IDLE: Kind = Kind::Millis {
            min: 1_000,
            max: LONGEST,
        };
        rows! { BfdInstance:
            "checker" => checker: Kind::Flag, Built, "",
                "Only checkers hear of it, unless vrrp stands here too.";
            "hoplimit" = "ttl" => ttl: Kind::number(1, 255), Built, "",
                "The same as ttl.";
            "idle_tx" => idle_tx: IDLE, Built, "1000",
                "Interval of the packets sent while the session is not up.";
            "max_hops" => max_hops: Kind::number(-1, 255), Built, "0",
                "How many routers a packet may have passed; -1 for any number.";
            "min_rx" => min_rx: INTERVAL, Built, "10",
                "The shortest interval of packets that this host can receive.";
            "min_tx" => min_tx: INTERVAL, Built, "10",
                "The shortest interval of packets that this host likes to send.";
            "multihop" => multihop: Kind::Bool, Built, "off",
                "The neighbour is behind routers (RFC 5883).";
            "multiplier" => multiplier: Kind::number(1, 255), Built, "5",
                "Intervals without a packet after which the neighbour is down.";
            "neighbor_ip" => neighbor: Kind::Address, Built, "",
                "The address of the neighbour; required.";
            "neighbour_ip" = "neighbor_ip" => neighbor: Kind::Address, Built, "",
                "The same as neighbor_ip.";
            "passive" => passive: Kind::Flag, Built, "",
                "Nothing is sent until the neighbour is heard.";
            "source_ip" => source: Kind::Address, Built, "",
                "The source address of the packets; the kernel chooses by default.";
            "ttl" => ttl: Kind::number(1, 255), Built, "",
                "The TTL or hop limit of the packets; 255 with IPv4, 64 with IPv6 by default.";
            "vrrp" => vrrp: Kind::Flag, Built, "",
                "Only instances hear of it, unless checker stands here too.";
            "weight" => weight: WEIGHT, Built, "0",
                "Added to the priority while it is up or, if negative, while it is down; 0 makes faulty.";
        }
    }
}

impl Begin for BfdInstance {
    fn begin(found: &Statement, sink: &mut Sink) -> Option<Self> {
        let name = first_name(found, sink)?;
        if name.value.len() > NAME_MAX {
            let shown = quoted(&name.value);
            let message = format!(
                "{shown} is too long for the name of a session, which has at most {NAME_MAX} \
                 octets; the block is skipped"
            );
            sink.error(name.span, message);
            return None;
        }
        Some(Self {
            name: name.value,
            span: name.span,
            ..Self::default()
        })
    }

    fn heading(&self) -> Vec<&str> {
        vec![&self.name]
    }

    fn end(&mut self, found: &Statement, sink: &mut Sink) -> bool {
        let Some(neighbor) = &self.neighbor else {
            self.without_neighbor(found, sink);
            return false;
        };
        let addr = neighbor.value;
        if let Some(source) = &self.source
            && Family::of(source.value) != Family::of(addr)
        {
            let message = format!(
                "{} and the neighbour {addr} are not of the same family; the block is left out",
                source.value
            );
            sink.error(source.span, message).code(Code::MixedFamilies);
            return false;
        }
        let key = addr.to_string();
        if let Some(first) = sink.first_use("bfd_instance neighbor_ip", &key, neighbor.span) {
            let line = first.line;
            let message = format!(
                "{addr} is the neighbour of a session already on line {line}; the block is left out"
            );
            sink.error(neighbor.span, message).code(Code::NameTaken);
            return false;
        }
        self.limit_hops(addr, sink);
        true
    }
}

impl BfdInstance {
    fn without_neighbor(&self, found: &Statement, sink: &mut Sink) {
        let lines = found.block.iter().flat_map(|block| &block.statements);
        let is_neighbor = |word: &str| matches!(word, "neighbor_ip" | "neighbour_ip");
        let mut words = lines.into_iter().map(Statement::keyword);
        if sink.stopped() || words.any(is_neighbor) {
            return;
        }
        let name = quoted(&self.name);
        let message = format!("the bfd_instance {name} has no `neighbor_ip` and is left out");
        sink.error(self.span, message)
            .code(Code::IncompleteBlock)
            .help("write `neighbor_ip ADDRESS` in it");
    }

    /// A packet cannot have passed more routers than its TTL allows.
    fn limit_hops(&mut self, neighbor: IpAddr, sink: &mut Sink) {
        let default = if neighbor.is_ipv4() { 255 } else { 64 };
        let ttl = self.ttl.as_ref().map_or(default, |ttl| ttl.value);
        if let Some(hops) = &mut self.max_hops
            && hops.value > i16::from(ttl)
        {
            let message = format!(
                "`max_hops` {} is more than the TTL {ttl}; {ttl} is used",
                hops.value
            );
            sink.error(hops.span, message)
                .code(Code::BadNumber)
                .suggest(ttl.to_string());
            hops.value = i16::from(ttl);
        }
    }
}
