//! `virtual_server`: a service, and the servers that it is spread over.

use super::super::code::Code;
use std::net::{IpAddr, Ipv4Addr};

use super::super::Config;
use super::super::block::Statement;
use super::super::diag::{Sink, Span, quoted};
use super::super::global::IGNORED;
use super::super::page::Page;
use super::super::row::{Field, Head, Kind, Row, Rows, plain_fields, read_lines, rows};
use super::super::scalar::Scalar;
use super::super::statement::{flag, optional, value};
use super::super::units::{self, Garbage};
use super::forward::{self, Forwarding};
use super::probe::{ANY_TIME, CONNECT_TIME, SOME_TIME};
use super::real::{RealServer, service};
use super::scheduler::{Scheduling, read_flag, read_scheduler, show_flag, show_scheduler};
use super::script::Script;
use super::{SnmpName, passes, show_one, text_of, word_of};
use crate::ids::Family;
use crate::time::Duration;

/// What a virtual server answers to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Service {
    /// An address and a port; 0 for every port.
    Address(IpAddr, u16),
    /// Packets with this mark; not 0.
    Fwmark(u32),
    /// All members of this `virtual_server_group`.
    Group(Box<str>),
}

/// `virtual_server`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VirtualServer {
    /// What it answers to.
    pub service: Service,
    /// Where its heading stands.
    pub span: Span,
    /// The family of its real servers, as far as the lines that were read say it; those that are
    /// reached by tunnels may differ.
    pub family: Option<Family>,
    /// `ip_family`.
    pub ip_family: Option<IpFamily>,
    /// `lb_algo` and its flags.
    pub scheduling: Scheduling,
    /// `ops`: one packet at a time.
    pub one_packet: bool,
    /// `lb_kind`; NAT if not written.
    pub forwarding: Option<Forwarding>,
    /// `persistence_engine`.
    pub persistence_engine: Option<Box<str>>,
    /// `persistence_timeout`.
    pub persistence_timeout: Option<PersistenceTimeout>,
    /// `persistence_granularity`.
    pub persistence_granularity: Option<Granularity>,
    /// `protocol`; UDP if not written.
    pub protocol: Option<Protocol>,
    /// `ha_suspend`.
    pub ha_suspend: bool,
    /// `omega`.
    pub omega: bool,
    /// `quorum_up`.
    pub quorum_up: Option<Script>,
    /// `quorum_down`.
    pub quorum_down: Option<Script>,
    /// `quorum`; 1 if not written.
    pub quorum: Option<u32>,
    /// `hysteresis`; 0 if not written.
    pub hysteresis: Option<u32>,
    /// `weight`; 1 if not written.
    pub weight: Option<u32>,
    /// `sorry_server` and the words about it.
    pub sorry: Option<SorryServer>,
    /// What its real servers inherit.
    pub tuning: Tuning,
    /// `real_server` blocks, in the order of the file.
    pub real_servers: Vec<RealServer>,
}

/// The words of a virtual server that its real servers and their checkers inherit.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tuning {
    /// `retry`; not 0.
    pub retry: Option<u32>,
    /// `delay_before_retry`.
    pub delay_before_retry: Option<Duration>,
    /// `warmup`.
    pub warmup: Option<Duration>,
    /// `connect_timeout`; 5 s if not written.
    pub connect_timeout: Option<Duration>,
    /// `delay_loop`; 60 s if not written.
    pub delay_loop: Option<Duration>,
    /// `inhibit_on_failure`.
    pub inhibit_on_failure: Option<bool>,
    /// `alpha`.
    pub alpha: Option<bool>,
    /// `smtp_alert`.
    pub smtp_alert: Option<bool>,
    /// `virtualhost`.
    pub virtualhost: Option<Box<str>>,
    /// `snmp_name`.
    pub snmp_name: Option<SnmpName>,
}

/// What is served while there is no quorum.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SorryServer {
    /// Its address.
    pub address: IpAddr,
    /// Its port; 0 if none is written.
    pub port: u16,
    /// Where it stands.
    pub span: Span,
    /// `sorry_server_inhibit`.
    pub inhibit: bool,
    /// `sorry_server_lvs_method`; as `lb_kind` if not written.
    pub forwarding: Option<Forwarding>,
}

impl Rows for VirtualServer {
    fn rows() -> &'static [Row<Self>] {
        ROWS
    }
}

const ROWS: &[Row<VirtualServer>] = rows! { VirtualServer:
    "alpha" => tuning.alpha: Kind::Bool, Built, "off",
        "Real servers count as down until their checks have succeeded.";
    "connect_timeout" => tuning.connect_timeout: CONNECT_TIME, Built, "5",
        "connect_timeout of all checks.";
    "delay_before_retry" => tuning.delay_before_retry: ANY_TIME, Built, "",
        "delay_before_retry of all checks.";
    "delay_loop" => tuning.delay_loop: SOME_TIME, Built, "60",
        "delay_loop of all checks.";
    "flag-1" => (read_flag, show_flag): Kind::Flag, Built, "",
        "Sets the first flag of the scheduler.";
    "flag-2" => (read_flag, show_flag): Kind::Flag, Built, "",
        "Sets the second flag of the scheduler.";
    "flag-3" => (read_flag, show_flag): Kind::Flag, Built, "",
        "Sets the third flag of the scheduler.";
    "ha_suspend" => ha_suspend: Kind::Flag, Built, "",
        "Checks only while the address of the service is on this host.";
    "hashed" => (read_flag, |_, _, _| {}): Kind::Flag, Built, "",
        "Has no effect; the scheduler before it must be sh or mh.";
    "hysteresis" => hysteresis: Kind::number(0, 4_294_967_295), Built, "0",
        "How far beyond quorum the weights must go before anything changes; less than quorum.";
    "inhibit_on_failure" => tuning.inhibit_on_failure: Kind::Bool, Built, "off",
        "Failed servers stay with weight 0 instead of being removed.";
    "ip_family" => (read_family, show_family): Kind::Choice(&["inet", "inet6"]), Built, "",
        "The family of a service that is a mark; else that of its servers, else inet.";
    "lb_algo" => (read_scheduler, show_scheduler): Kind::Choice(&[
            "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "mh", "dh", "fo", "ovf", "sed",
            "nq", "twos",
        ]), Built, "wlc",
        "The scheduler.";
    "lb_kind" => forwarding: Kind::Other(forward::SHAPE), Built, "NAT",
        "How packets reach the real servers.";
    "lvs_method" = "lb_kind" => forwarding: Kind::Other(forward::SHAPE), Built, "NAT",
        "The same as lb_kind.";
    "lvs_sched" = "lb_algo" => (read_scheduler, |_, _, _| {}): Kind::Choice(&[
            "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "mh", "dh", "fo", "ovf", "sed",
            "nq", "twos",
        ]), Built, "wlc",
        "The same as lb_algo.";
    "mh-fallback" => (read_flag, show_flag): Kind::Flag, Built, "",
        "With mh: another server is chosen if the first is down.";
    "mh-port" => (read_flag, show_flag): Kind::Flag, Built, "",
        "With mh: the client's port counts, too.";
    "omega" => omega: Kind::Flag, Built, "",
        "Runs notify_down and quorum_down when the daemon stops.";
    "ops" => one_packet: Kind::Flag, Built, "",
        "Each packet of UDP is scheduled by itself.";
    "persistence_engine" => persistence_engine: Kind::Text, Built, "",
        "What tells clients apart, as sip.";
    "persistence_granularity" => (read_granularity, show_granularity):
        Kind::Other("NETMASK, or 1..128 for IPv6"), Built, "",
        "How many clients count as one; else each for itself.";
    "persistence_timeout" => persistence_timeout: Kind::Other("[1..2678400]"), Built, "",
        "For so many seconds (360 if none are written) a client stays with its server.";
    "protocol" => protocol: Kind::Choice(&["TCP", "UDP", "SCTP"]), Built, "UDP",
        "The protocol; a service that is a mark has none.";
    "quorum" => quorum: Kind::number(1, 4_294_967_295), Built, "1",
        "So much weight must be up for the service to work.";
    "quorum_down" => quorum_down: Kind::Command, Built, "",
        "Runs when quorum is lost.";
    "quorum_up" => quorum_up: Kind::Command, Built, "",
        "Runs when quorum is gained.";
    "real_server" => (read_real, show_real): Kind::Block("ADDRESS [PORT]"), Built, "",
        "One server.";
    "retry" => tuning.retry: Kind::number(1, 4_294_967_295), Built, "",
        "retry of all checks.";
    "sh-fallback" => (read_flag, show_flag): Kind::Flag, Built, "",
        "With sh: another server is chosen if the first is down.";
    "sh-port" => (read_flag, show_flag): Kind::Flag, Built, "",
        "With sh: the client's port counts, too.";
    "smtp_alert" => tuning.smtp_alert: Kind::Bool, Built, "",
        "Mail when quorum is gained or lost; else as the global words say, else off.";
    "snmp_name" => tuning.snmp_name: Kind::Soft(&Kind::Text), Built, "",
        "A name for SNMP.";
    "sorry_server" => (read_sorry, show_sorry): Kind::Other("ADDRESS [PORT]"), Built, "",
        "The server that is used while there is no quorum.";
    "sorry_server_inhibit" => (read_sorry_inhibit, |_, _, _| {}): Kind::Flag, Built, "",
        "inhibit_on_failure for the sorry server.";
    "sorry_server_lvs_method" => (read_sorry_method, |_, _, _| {}):
        Kind::Other(forward::SHAPE), Built, "",
        "How packets reach the sorry server; else as lb_kind says.";
    "virtualhost" => tuning.virtualhost: Kind::Soft(&Kind::Text), Built, "",
        "virtualhost of all checks.";
    "warmup" => tuning.warmup: ANY_TIME, Built, "",
        "warmup of all checks; else delay_loop.";
    "weight" => weight: Kind::number(1, 2_147_483_647), Built, "1",
        "weight of all real servers.";
};

/// `virtual_server` at the top level.
pub(in crate::config) fn read_server(
    config: &mut Config,
    head: &Head,
    found: &Statement,
    sink: &mut Sink,
) {
    let Some(mut server) = begin(found, sink) else {
        return;
    };
    read_lines(&mut server, head.word, found, sink);
    if !sink.stopped() && passes::complete(&mut server, found, sink) {
        config.lvs.servers.push(server);
    }
}

/// Writes all of them.
pub(in crate::config) fn show_servers(config: &Config, head: &Head, page: &mut Page) {
    for server in &config.lvs.servers {
        match &server.service {
            Service::Address(address, 0) => {
                show_one(server, &[head.word, &address.to_string()], page);
            }
            Service::Address(address, port) => {
                let words = [head.word, &address.to_string(), &port.to_string()];
                show_one(server, &words, page);
            }
            Service::Fwmark(mark) => {
                show_one(server, &[head.word, "fwmark", &mark.to_string()], page);
            }
            Service::Group(name) => show_one(server, &[head.word, "group", name], page),
        }
    }
}

/// What happens to a block that is unusable.
const SKIPPED: &str = "the block is skipped";

fn begin(found: &Statement, sink: &mut Sink) -> Option<VirtualServer> {
    let words = found.arguments();
    let Some(first) = words.first() else {
        sink.missing_parameter(found.span(), found.keyword());
        return None;
    };
    let is_named = matches!(first.text.as_str(), "fwmark" | "group");
    let value = words.get(1).filter(|_| is_named);
    if is_named && value.is_none() {
        let message = format!("{} needs a value; {SKIPPED}", quoted(&first.text));
        sink.error(first.span, message)
            .help("write `virtual_server fwmark N` or `virtual_server group NAME`");
        return None;
    }
    let service = match (first.text.as_str(), value) {
        ("fwmark", Some(mark)) => {
            let range = 1..=u64::from(u32::MAX);
            let mark = units::number(mark, range, Garbage::Refuse, SKIPPED, sink)?;
            Service::Fwmark(u32::try_from(mark).ok()?)
        }
        ("group", Some(name)) => Service::Group(name.text.as_str().into()),
        _ => {
            let (address, port) = service(words, SKIPPED, sink)?;
            Service::Address(address, port)
        }
    };
    Some(VirtualServer::new(service, first.span))
}

impl VirtualServer {
    fn new(service: Service, span: Span) -> Self {
        let family = match &service {
            Service::Address(address, _) => Some(Family::of(*address)),
            Service::Fwmark(_) | Service::Group(_) => None,
        };
        Self {
            service,
            span,
            family,
            ip_family: None,
            scheduling: Scheduling::default(),
            one_packet: false,
            forwarding: None,
            persistence_engine: None,
            persistence_timeout: None,
            persistence_granularity: None,
            protocol: None,
            ha_suspend: false,
            omega: false,
            quorum_up: None,
            quorum_down: None,
            quorum: None,
            hysteresis: None,
            weight: None,
            sorry: None,
            tuning: Tuning::default(),
            real_servers: Vec::new(),
        }
    }
}

/// `ip_family`.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum IpFamily {
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
}

const FAMILIES: &[(&str, IpFamily)] = &[("inet", IpFamily::Inet), ("inet6", IpFamily::Inet6)];

fn read_family(block: &mut VirtualServer, _head: &Head, found: &Statement, sink: &mut Sink) {
    let Some(written) = word_of(FAMILIES, true, found, sink) else {
        return;
    };
    let family = match written {
        IpFamily::Inet => Family::V4,
        IpFamily::Inet6 => Family::V6,
    };
    if let Some(known) = block.family.filter(|known| *known != family) {
        let message = format!("the lines above make this a service of {known}; {IGNORED}");
        sink.error(found.span(), message)
            .code(Code::MixedFamilies)
            .help("remove the line, or the addresses of the other family");
        return;
    }
    block.family = Some(family);
    block.ip_family = Some(written);
}

fn show_family(block: &VirtualServer, head: &Head, page: &mut Page) {
    if let Some(family) = block.ip_family {
        page.line(&[head.word, text_of(FAMILIES, &family)]);
    }
}

/// How long a client stays with its server, in seconds; 1..=2678400.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct PersistenceTimeout(pub u32);

impl PersistenceTimeout {
    /// What `persistence_timeout` alone says.
    pub const DEFAULT: Self = Self(360);
    /// 31 days.
    const MAX: u64 = 2_678_400;
}

impl Scalar for PersistenceTimeout {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let Some(word) = optional(found, sink) else {
            return Some(Self::DEFAULT);
        };
        let seconds = units::number(word, 1..=Self::MAX, Garbage::Refuse, IGNORED, sink)?;
        u32::try_from(seconds).ok().map(Self)
    }

    fn show(&self, head: &Head, page: &mut Page) {
        page.line(&[head.word, &self.0.to_string()]);
    }
}

/// Which bits of an address tell clients apart.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Granularity {
    /// These.
    Mask(Ipv4Addr),
    /// So many from the first on; 1..=128.
    Prefix(u8),
}

fn read_granularity(block: &mut VirtualServer, _head: &Head, found: &Statement, sink: &mut Sink) {
    let Some(word) = value(found, sink) else {
        return;
    };
    let guess = if word.text.contains('.') {
        Family::V4
    } else {
        Family::V6
    };
    let family = block.family.unwrap_or(guess);
    let granularity = match family {
        Family::V4 => mask(word, sink).map(Granularity::Mask),
        Family::V6 => units::number(word, 1..=128, Garbage::Refuse, IGNORED, sink)
            .and_then(|prefix| u8::try_from(prefix).ok())
            .map(Granularity::Prefix),
    };
    if granularity.is_some() {
        block.family = Some(family);
        block.persistence_granularity = granularity;
    }
}

/// A mask, or the number that it is: the original takes `24` for 0.0.0.24.
fn mask(word: &super::super::lexer::Word, sink: &mut Sink) -> Option<Ipv4Addr> {
    let text = word.text.as_str();
    let written = text.strip_prefix('/').unwrap_or(text).parse::<u32>().ok();
    let meant = written.filter(|prefix| (1..=32).contains(prefix));
    let meant = meant.map(|prefix| Ipv4Addr::from_bits(u32::MAX << (32 - prefix)));
    let number = text.parse::<u32>().ok().map(Ipv4Addr::from_bits);
    let Some(mask) = text.parse::<Ipv4Addr>().ok().or(number) else {
        let message = format!("{} is no IPv4 netmask; {IGNORED}", quoted(text));
        let report = sink.error(word.span, message).code(Code::BadAddress);
        match meant {
            Some(meant) => report.suggest(meant.to_string()),
            None => report.help("write a netmask, as 255.255.255.0"),
        };
        return None;
    };
    if mask.to_bits().count_zeros() != mask.to_bits().trailing_zeros() || mask.is_unspecified() {
        let message = format!("the netmask {mask} does not consist of ones followed by zeros");
        let report = sink.note(word.span, message).code(Code::BadAddress);
        if let Some(meant) = meant {
            report.suggest(meant.to_string());
        }
    }
    Some(mask)
}

fn show_granularity(block: &VirtualServer, head: &Head, page: &mut Page) {
    match block.persistence_granularity {
        Some(Granularity::Mask(mask)) => page.line(&[head.word, &mask.to_string()]),
        Some(Granularity::Prefix(prefix)) => page.line(&[head.word, &prefix.to_string()]),
        None => {}
    }
}

/// The protocol of a service.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

const PROTOCOLS: &[(&str, Protocol)] = &[
    ("TCP", Protocol::Tcp),
    ("UDP", Protocol::Udp),
    ("SCTP", Protocol::Sctp),
];

impl Scalar for Protocol {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        word_of(PROTOCOLS, false, found, sink)
    }

    fn show(&self, head: &Head, page: &mut Page) {
        page.line(&[head.word, text_of(PROTOCOLS, self)]);
    }
}

plain_fields!(PersistenceTimeout, Protocol);

fn read_real(block: &mut VirtualServer, head: &Head, found: &Statement, sink: &mut Sink) {
    if found.arguments().is_empty() {
        sink.missing_parameter(found.span(), found.keyword());
        return;
    }
    let Some((address, port)) = service(found.arguments(), SKIPPED, sink) else {
        return;
    };
    let mut server = RealServer::new(address, port);
    read_lines(&mut server, head.word, found, sink);
    server.checkers.shrink_to_fit();
    let method = server.more.forwarding.or(block.forwarding);
    if matches!(method, Some(Forwarding::Tun(_))) {
        block.real_servers.push(server);
        return;
    }
    let family = Family::of(address);
    match block.family {
        Some(known) if known != family => {
            let message = format!("{address} is {family}, but the service is {known}; {SKIPPED}");
            let at = found.arguments().first().map_or(found.span(), |it| it.span);
            sink.error(at, message)
                .code(Code::MixedFamilies)
                .help("only servers that are reached by TUN may be of another family");
        }
        _ => {
            block.family = Some(family);
            block.real_servers.push(server);
        }
    }
}

fn show_real(block: &VirtualServer, head: &Head, page: &mut Page) {
    for server in &block.real_servers {
        let address = server.address.to_string();
        if server.port == 0 {
            show_one(server, &[head.word, &address], page);
        } else {
            show_one(
                server,
                &[head.word, &address, &server.port.to_string()],
                page,
            );
        }
    }
}

/// The last counts.
fn read_sorry(block: &mut VirtualServer, _head: &Head, found: &Statement, sink: &mut Sink) {
    if found.arguments().is_empty() {
        sink.missing_parameter(found.span(), found.keyword());
        return;
    }
    if let Some((address, port)) = service(found.arguments(), IGNORED, sink) {
        block.sorry = Some(SorryServer {
            address,
            port,
            span: found.arguments().first().map_or(found.span(), |it| it.span),
            inhibit: false,
            forwarding: None,
        });
    }
}

/// With the words that belong to it.
fn show_sorry(block: &VirtualServer, head: &Head, page: &mut Page) {
    let Some(sorry) = &block.sorry else {
        return;
    };
    let address = sorry.address.to_string();
    if sorry.port == 0 {
        page.line(&[head.word, &address]);
    } else {
        page.line(&[head.word, &address, &sorry.port.to_string()]);
    }
    if sorry.inhibit {
        page.line(&["sorry_server_inhibit"]);
    }
    if let Some(forwarding) = sorry.forwarding {
        let head = Head {
            word: "sorry_server_lvs_method",
            ..*head
        };
        forwarding.show(&head, page);
    }
}

/// The sorry server that stands above the line.
fn sorry_of<'b>(
    block: &'b mut VirtualServer,
    found: &Statement,
    sink: &mut Sink,
) -> Option<&'b mut SorryServer> {
    if block.sorry.is_none() {
        let keyword = quoted(found.keyword());
        let message = format!("{keyword} stands before any `sorry_server`; {IGNORED}");
        sink.error(found.span(), message)
            .code(Code::UnusedWord)
            .help("write it below the `sorry_server` that it is about");
    }
    block.sorry.as_mut()
}

fn read_sorry_inhibit(block: &mut VirtualServer, _head: &Head, found: &Statement, sink: &mut Sink) {
    if let Some(sorry) = sorry_of(block, found, sink) {
        flag(found, sink);
        sorry.inhibit = true;
    }
}

fn read_sorry_method(block: &mut VirtualServer, head: &Head, found: &Statement, sink: &mut Sink) {
    if let Some(sorry) = sorry_of(block, found, sink) {
        sorry.forwarding.read(head, found, sink);
    }
}
