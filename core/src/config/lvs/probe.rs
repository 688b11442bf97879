//! The words that all checkers share: where to connect, and how often.

use super::super::code::Code;
use std::net::IpAddr;

use super::super::block::Statement;
use super::super::diag::{Sink, Span};
use super::super::row::Kind;
use super::{Blank, Rare};
use crate::ids::Family;
use crate::time::Duration;

/// When a checker runs. What is not written is inherited from the real server.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pace {
    /// `delay_before_retry`.
    pub delay_before_retry: Option<Duration>,
    /// `warmup`.
    pub warmup: Option<Duration>,
    /// `delay_loop`; at least a microsecond.
    pub delay_loop: Option<Duration>,
    /// `retry`.
    pub retry: Option<u32>,
    /// `alpha`.
    pub alpha: Option<bool>,
    /// `log_all_failures`.
    pub log_all_failures: Option<bool>,
}

/// A checker that sends something.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Probe {
    /// When it runs.
    pub pace: Pace,
    /// `connect_timeout`; 1 us to 4294.967295 s.
    pub connect_timeout: Option<Duration>,
    /// `connect_port`; not 0.
    pub connect_port: Option<u16>,
    /// The other words about its socket.
    pub ends: Rare<Endpoint>,
}

/// The socket of a checker, apart from its port.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Endpoint {
    /// `connect_ip`.
    pub connect_ip: Option<IpAddr>,
    /// `bindto`.
    pub bindto: Option<IpAddr>,
    /// `bind_port`; not 0.
    pub bind_port: Option<u16>,
    /// `bind_if`; at most 15 octets.
    pub bind_if: Option<Box<str>>,
    /// `fwmark`.
    pub fwmark: Option<u32>,
}

impl Blank for Endpoint {
    fn blank() -> &'static Self {
        static BLANK: Endpoint = Endpoint {
            connect_ip: None,
            bindto: None,
            bind_port: None,
            bind_if: None,
            fwmark: None,
        };
        &BLANK
    }
}

/// The rows of a checker without a socket: the words of [`Pace`] at `path`, then its own.
///
/// `retry` and `delay` are what counts where neither it nor the servers say anything.
macro_rules! pace_rows {
    ($block:ty, $path:ident $(. $more:ident)*, $retry:literal, $delay:literal, $($rows:tt)*) => {
        $crate::config::lvs::sorted_rows! { $block:
            "alpha" => $path $(. $more)* .alpha: Kind::Bool, Built, "",
                "The server counts as down until this check has succeeded; else as the real server says.";
            "delay_before_retry" => $path $(. $more)* .delay_before_retry:
                $crate::config::lvs::probe::ANY_TIME, Built, $delay,
                "Pause before a failed check is repeated; else as the servers say.";
            "delay_loop" => $path $(. $more)* .delay_loop:
                $crate::config::lvs::probe::SOME_TIME, Built, "60",
                "Pause between two checks; else as the servers say.";
            "log_all_failures" => $path $(. $more)* .log_all_failures: Kind::Bool, Built, "",
                "Logs also the failures that are retried; else as checker_log_all_failures says.";
            "retry" => $path $(. $more)* .retry: Kind::number(0, 4_294_967_295), Built, $retry,
                "How many failures in a row leave the server up; else as the servers say.";
            "warmup" => $path $(. $more)* .warmup:
                $crate::config::lvs::probe::ANY_TIME, Built, "",
                "The first check comes at a random moment within this time; else as the servers say, \
                 else delay_loop.";
            $($rows)*
        }
    };
}

/// The rows of a checker that sends something: the words of its field `probe`, then its own.
macro_rules! probe_rows {
    ($block:ty, $retry:literal, $delay:literal, $($rows:tt)*) => {
        $crate::config::lvs::probe::pace_rows! { $block, probe.pace, $retry, $delay,
            "bind_if" => probe.ends.bind_if: Kind::Name($crate::limits::INTERFACE_NAME), Built, "",
                "The interface to send from; link-local addresses need it.";
            "bind_port" => probe.ends.bind_port: Kind::number(1, 65_535), Built, "",
                "The port to send from.";
            "bindto" => probe.ends.bindto: Kind::Address, Built, "",
                "The address to send from.";
            "connect_ip" => probe.ends.connect_ip: Kind::Address, Built, "",
                "The address to check; else that of the real server.";
            "connect_port" => probe.connect_port: Kind::number(1, 65_535), Built, "",
                "The port to check; else that of the real server.";
            "connect_timeout" => probe.connect_timeout:
                $crate::config::lvs::probe::CONNECT_TIME, Built, "5",
                "How long a connection and each answer may take; else as the servers say.";
            "fwmark" => probe.ends.fwmark: Kind::number(0, 4_294_967_295), Built, "",
                "The mark of the packets sent.";
            $($rows)*
        }
    };
}
pub(super) use {pace_rows, probe_rows};

/// The longest time that fits the original's counter of microseconds.
const LONGEST_US: u64 = u64::MAX - 1;
/// From no time at all.
pub(super) const ANY_TIME: Kind = Kind::Seconds {
    min_us: 0,
    max_us: LONGEST_US,
};
/// From a microsecond.
pub(super) const SOME_TIME: Kind = Kind::Seconds {
    min_us: 1,
    max_us: LONGEST_US,
};
/// From a microsecond to what 32 bits of microseconds hold.
pub(super) const CONNECT_TIME: Kind = Kind::Seconds {
    min_us: 1,
    max_us: 4_294_967_295,
};

impl Probe {
    /// Checks what belongs together, for a checker of the server at `server`. What does not fit is
    /// left out, as in the original; false if the checker is left out itself.
    pub(super) fn end(&mut self, server: IpAddr, found: &Statement, sink: &mut Sink) -> bool {
        let family = Family::of(self.ends.connect_ip.unwrap_or(server));
        if let Some(bindto) = self.ends.bindto
            && Family::of(bindto) != family
        {
            let message = format!(
                "`bindto {bindto}` is not of the family of what is checked, {family}; it is ignored"
            );
            sink.error(place_of(found, "bindto"), message)
                .code(Code::MixedFamilies)
                .help("give both addresses of one family");
            self.ends.bindto = None;
        }
        if self.ends.bind_if.is_some() {
            return true;
        }
        if let Some(bindto) = self.ends.bindto.filter(|addr| is_link_local(*addr)) {
            let message = format!(
                "the kernel does not bind to the link-local address {bindto} without `bind_if`"
            );
            sink.note(place_of(found, "bindto"), message)
                .code(Code::MissingValue)
                .help("write `bind_if INTERFACE` beside it");
        }
        let target = self.ends.connect_ip.unwrap_or(server);
        if is_link_local(target) {
            let message =
                format!("the link-local address {target} needs `bind_if`; the check is left out");
            sink.error(place_of(found, "connect_ip"), message)
                .code(Code::MissingValue)
                .help("write `bind_if INTERFACE` in the block");
            return false;
        }
        true
    }
}

fn is_link_local(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(_) => false,
        IpAddr::V6(addr) => addr.is_unicast_link_local(),
    }
}

/// Where `word` stands in the block of `found`, or where that begins.
pub(super) fn place_of(found: &Statement, word: &str) -> Span {
    let lines = found.block.iter().flat_map(|block| &block.statements);
    let line = lines.rev().find(|line| line.keyword() == word);
    line.map_or_else(|| found.span(), Statement::span)
}
