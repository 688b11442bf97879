//! `real_server`: one server behind a virtual one.

use super::super::code::Code;
use std::net::IpAddr;

use super::super::block::Statement;
use super::super::diag::{Sink, quoted};
use super::super::lexer::Word;
use super::super::page::Page;
use super::super::row::{Head, Kind, Row, Rows};
use super::super::units::{self, Garbage};
use super::checkers::{Checker, Checkers, read_checker, show_checkers};
use super::forward::{self, Forwarding};
use super::probe::{ANY_TIME, CONNECT_TIME, SOME_TIME};
use super::script::Script;
use super::{Blank, Rare, SnmpName, sorted_rows};
use crate::time::Duration;

/// `real_server`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RealServer {
    /// Its address.
    pub address: IpAddr,
    /// Its port; 0 if none is written.
    pub port: u16,
    /// `weight`.
    pub weight: Option<u32>,
    /// Its checkers, in the order of the file.
    pub checkers: Checkers,
    /// All other words.
    pub more: Rare<RealServerMore>,
}

/// What few real servers say.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RealServerMore {
    /// `lvs_method`.
    pub forwarding: Option<Forwarding>,
    /// `uthreshold`: most connections; 0 for no limit.
    pub upper: Option<u32>,
    /// `lthreshold`: below it the server gets connections again.
    pub lower: Option<u32>,
    /// `inhibit_on_failure`.
    pub inhibit_on_failure: Option<bool>,
    /// `notify_up`.
    pub notify_up: Option<Script>,
    /// `notify_down`.
    pub notify_down: Option<Script>,
    /// `alpha`.
    pub alpha: Option<bool>,
    /// `smtp_alert`.
    pub smtp_alert: Option<bool>,
    /// `retry`; not 0.
    pub retry: Option<u32>,
    /// `delay_before_retry`.
    pub delay_before_retry: Option<Duration>,
    /// `warmup`.
    pub warmup: Option<Duration>,
    /// `connect_timeout`.
    pub connect_timeout: Option<Duration>,
    /// `delay_loop`.
    pub delay_loop: Option<Duration>,
    /// `virtualhost`.
    pub virtualhost: Option<Box<str>>,
    /// `snmp_name`.
    pub snmp_name: Option<SnmpName>,
}

impl Blank for RealServerMore {
    fn blank() -> &'static Self {
        static BLANK: RealServerMore = RealServerMore {
            forwarding: None,
            upper: None,
            lower: None,
            inhibit_on_failure: None,
            notify_up: None,
            notify_down: None,
            alpha: None,
            smtp_alert: None,
            retry: None,
            delay_before_retry: None,
            warmup: None,
            connect_timeout: None,
            delay_loop: None,
            virtualhost: None,
            snmp_name: None,
        };
        &BLANK
    }
}

macro_rules! real_rows {
    ($($checker:literal = $text:literal;)*) => {
        sorted_rows! { RealServer:
            $($checker => (read_check, show_checks): Kind::Block(""), Built, "", $text;)*
            "alpha" => more.alpha: Kind::Bool, Built, "",
                "The server counts as down until its checks have succeeded; else as the virtual server says.";
            "connect_timeout" => more.connect_timeout: CONNECT_TIME, Built, "",
                "connect_timeout of its checks; else as the virtual server says.";
            "delay_before_retry" => more.delay_before_retry: ANY_TIME, Built, "",
                "delay_before_retry of its checks; else as the virtual server says.";
            "delay_loop" => more.delay_loop: SOME_TIME, Built, "",
                "delay_loop of its checks; else as the virtual server says.";
            "inhibit_on_failure" => more.inhibit_on_failure: Kind::Bool, Built, "",
                "A failed server stays with weight 0; else as the virtual server says.";
            "lthreshold" => more.lower: Kind::number(0, 4_294_967_295), Built, "0",
                "A full server gets connections again below this number.";
            "lvs_method" => more.forwarding: Kind::Other(forward::SHAPE), Built, "",
                "How packets reach it; else as the virtual server says.";
            "notify_down" => more.notify_down: Kind::Command, Built, "",
                "Runs when the server goes down.";
            "notify_up" => more.notify_up: Kind::Command, Built, "",
                "Runs when the server comes up.";
            "retry" => more.retry: Kind::number(1, 4_294_967_295), Built, "",
                "retry of its checks; else as the virtual server says.";
            "smtp_alert" => more.smtp_alert: Kind::Bool, Built, "",
                "Mail when it goes up or down; else as the global words say, else on.";
            "snmp_name" => more.snmp_name: Kind::Soft(&Kind::Text), Built, "",
                "A name for SNMP.";
            "uthreshold" => more.upper: Kind::number(0, 4_294_967_295), Built, "0",
                "The most connections; 0 for no limit.";
            "virtualhost" => more.virtualhost: Kind::Soft(&Kind::Text), Built, "",
                "virtualhost of its checks; else as the virtual server says.";
            "warmup" => more.warmup: ANY_TIME, Built, "",
                "warmup of its checks; else as the virtual server says.";
            "weight" => weight: Kind::number(0, 2_147_483_647), Built, "",
                "Its share of the connections; else as the virtual server says.";
        }
    };
}

impl Rows for RealServer {
    fn rows() -> &'static [Row<Self>] {
        real_rows! {
            "BFD_CHECK" = "It is up while a BFD session is.";
            "DNS_CHECK" = "It is up while it answers a question of DNS.";
            "FILE_CHECK" = "The number in a file changes its weight.";
            "HTTP_GET" = "It is up while its pages are as they should be.";
            "MISC_CHECK" = "It is up while a program says so.";
            "PING_CHECK" = "It is up while it answers echo requests.";
            "SMTP_CHECK" = "It is up while it speaks SMTP.";
            "SSL_GET" = "The same as HTTP_GET, with TLS.";
            "TCP_CHECK" = "It is up while it takes connections.";
            "UDP_CHECK" = "It is up while no error comes back, or while it answers.";
        }
    }
}

fn read_check(block: &mut RealServer, head: &Head, found: &Statement, sink: &mut Sink) {
    let Some(checker) = read_checker(block.address, head, found, sink) else {
        return;
    };
    if let Checker::Bfd(new) = &checker
        && let Some(name) = &new.name
        && block
            .checkers
            .iter()
            .any(|known| known.follows(&name.value))
    {
        let message = format!(
            "this server follows the session {} already; the check is left out",
            quoted(&name.value)
        );
        sink.error(name.span, message).help("remove one of the two");
        return;
    }
    block.checkers.push(checker);
}

/// The first of their rows writes all of them, in their order.
fn show_checks(block: &RealServer, head: &Head, page: &mut Page) {
    if RealServer::rows().first().map(|row| row.head.word) == Some(head.word) {
        show_checkers(&block.checkers, page);
    }
}

impl RealServer {
    /// A server of which only the address is known.
    pub(super) const fn new(address: IpAddr, port: u16) -> Self {
        Self {
            address,
            port,
            weight: None,
            checkers: Vec::new(),
            more: Rare(None),
        }
    }
}

/// `ADDRESS [PORT]`, 0 without a port; `None`, and reported, if they are unusable. `outcome` says
/// what happens then.
pub(super) fn service(words: &[Word], outcome: &str, sink: &mut Sink) -> Option<(IpAddr, u16)> {
    let address = words.first()?;
    let text = address.text.as_str();
    // What stands behind these is dropped as in the original.
    let bare = text.find(['/', '-']).map_or(text, |at| &text[..at]);
    let Ok(parsed) = bare.parse() else {
        let message = format!("{} is not an IPv4 or IPv6 address; {outcome}", quoted(text));
        let report = sink.error(address.span, message).code(Code::BadAddress);
        match text.rsplit_once(':') {
            Some((ip, port)) if ip.parse::<IpAddr>().is_ok() => {
                report.suggest(format!("{ip} {port}"));
            }
            _ => drop(report.help("write the address, a blank and the port")),
        }
        return None;
    };
    if bare.len() < text.len() {
        let message = format!("only {bare} counts here");
        sink.note(address.span, message)
            .code(Code::SurplusValue)
            .suggest(bare);
    }
    let Some(port) = words.get(1) else {
        return Some((parsed, 0));
    };
    let number = units::number(port, 0..=65_535, Garbage::Refuse, outcome, sink)?;
    if let Some(word) = words.get(2) {
        let message = format!("{} and what follows it is ignored", quoted(&word.text));
        sink.note(word.span, message).code(Code::SurplusValue);
    }
    Some((parsed, u16::try_from(number).ok()?))
}
