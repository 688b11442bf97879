//! The checkers of a real server: what they are, and the words of the simple ones.

use super::super::block::Statement;
use super::super::code::Code;
use super::super::command::Command;
use super::super::diag::{Sink, Spanned, quoted};
use super::super::global::IGNORED;
use super::super::page::Page;
use super::super::row::{Head, Kind, Row, Rows, plain_fields, read_lines, rows};
use super::super::scalar::Scalar;
use super::super::statement::value;
use super::super::units::{self, Garbage};
use super::http::Get;
use super::probe::{Pace, Probe, pace_rows, probe_rows};
use super::script::User;
use super::udp::UdpCheck;
use super::{mentions, quiet_error, show_one, text_of, word_of};
use crate::time::Duration;
use std::net::IpAddr;

/// One checker of a real server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Checker {
    /// `TCP_CHECK`.
    Tcp(Box<TcpCheck>),
    /// `HTTP_GET`.
    Http(Box<Get<false>>),
    /// `SSL_GET`.
    Ssl(Box<Get<true>>),
    /// `SMTP_CHECK`.
    Smtp(Box<SmtpCheck>),
    /// `DNS_CHECK`.
    Dns(Box<DnsCheck>),
    /// `UDP_CHECK`.
    Udp(Box<UdpCheck>),
    /// `PING_CHECK`.
    Ping(Box<PingCheck>),
    /// `MISC_CHECK`.
    Misc(Box<MiscCheck>),
    /// `FILE_CHECK`.
    File(Box<FileCheck>),
    /// `BFD_CHECK`.
    Bfd(Box<BfdCheck>),
}

/// The checkers of a real server, in the order of the file.
pub type Checkers = Vec<Checker>;

/// Reads the block of one checker of the server at `server`.
pub(super) fn read_checker(
    server: IpAddr,
    head: &Head,
    found: &Statement,
    sink: &mut Sink,
) -> Option<Checker> {
    match head.word {
        "TCP_CHECK" => read(server, head, found, sink).map(Checker::Tcp),
        "HTTP_GET" => read(server, head, found, sink).map(Checker::Http),
        "SSL_GET" => read(server, head, found, sink).map(Checker::Ssl),
        "SMTP_CHECK" => read(server, head, found, sink).map(Checker::Smtp),
        "DNS_CHECK" => read(server, head, found, sink).map(Checker::Dns),
        "UDP_CHECK" => read(server, head, found, sink).map(Checker::Udp),
        "PING_CHECK" => read(server, head, found, sink).map(Checker::Ping),
        "MISC_CHECK" => read(server, head, found, sink).map(Checker::Misc),
        "FILE_CHECK" => read(server, head, found, sink).map(Checker::File),
        "BFD_CHECK" => read(server, head, found, sink).map(Checker::Bfd),
        _ => None,
    }
}

fn read<T: Check>(
    server: IpAddr,
    head: &Head,
    found: &Statement,
    sink: &mut Sink,
) -> Option<Box<T>> {
    let mut block = Box::<T>::default();
    read_lines(block.as_mut(), head.word, found, sink);
    (sink.stopped() || block.end(server, found, sink)).then_some(block)
}

/// Writes all checkers of a server.
pub(super) fn show_checkers(checkers: &[Checker], page: &mut Page) {
    for checker in checkers {
        match checker {
            Checker::Tcp(it) => show_one(it.as_ref(), &["TCP_CHECK"], page),
            Checker::Http(it) => show_one(it.as_ref(), &["HTTP_GET"], page),
            Checker::Ssl(it) => show_one(it.as_ref(), &["SSL_GET"], page),
            Checker::Smtp(it) => show_one(it.as_ref(), &["SMTP_CHECK"], page),
            Checker::Dns(it) => show_one(it.as_ref(), &["DNS_CHECK"], page),
            Checker::Udp(it) => show_one(it.as_ref(), &["UDP_CHECK"], page),
            Checker::Ping(it) => show_one(it.as_ref(), &["PING_CHECK"], page),
            Checker::Misc(it) => show_one(it.as_ref(), &["MISC_CHECK"], page),
            Checker::File(it) => show_one(it.as_ref(), &["FILE_CHECK"], page),
            Checker::Bfd(it) => show_one(it.as_ref(), &["BFD_CHECK"], page),
        }
    }
}

/// The block of a checker.
pub(super) trait Check: Rows + Default {
    /// Looks at the block when all its lines are read; false, and reported, if it is left out.
    fn end(&mut self, server: IpAddr, found: &Statement, sink: &mut Sink) -> bool;
}

/// `TCP_CHECK`: a connection that is closed at once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TcpCheck {
    /// The common words.
    pub probe: Probe,
}

impl Rows for TcpCheck {
    fn rows() -> &'static [Row<Self>] {
        probe_rows! { TcpCheck, "1", "1", }
    }
}

impl Check for TcpCheck {
    fn end(&mut self, server: IpAddr, found: &Statement, sink: &mut Sink) -> bool {
        self.probe.end(server, found, sink)
    }
}

/// `PING_CHECK`: an echo request.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PingCheck {
    /// The common words.
    pub probe: Probe,
}

impl Rows for PingCheck {
    fn rows() -> &'static [Row<Self>] {
        probe_rows! { PingCheck, "1", "1", }
    }
}

impl Check for PingCheck {
    fn end(&mut self, server: IpAddr, found: &Statement, sink: &mut Sink) -> bool {
        self.probe.end(server, found, sink)
    }
}

/// `SMTP_CHECK`: a dialogue with a mail server.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SmtpCheck {
    /// The common words.
    pub probe: Probe,
    /// `helo_name`.
    pub helo_name: Option<Box<str>>,
    /// `host` blocks, in the order of the file.
    pub hosts: Vec<SmtpHost>,
}

impl Rows for SmtpCheck {
    fn rows() -> &'static [Row<Self>] {
        probe_rows! { SmtpCheck, "1", "1",
            "helo_name" => helo_name: Kind::Soft(&Kind::Text), Built, "smtpchecker.keepalived.org",
                "The name that the check gives itself.";
            "host" => (read_host, show_hosts): Kind::Block(""), Built, "",
                "An old way to say where to connect: its words count instead of those around it.";
        }
    }
}

impl Check for SmtpCheck {
    fn end(&mut self, server: IpAddr, found: &Statement, sink: &mut Sink) -> bool {
        self.probe.end(server, found, sink)
    }
}

/// `host` in `SMTP_CHECK`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SmtpHost {
    /// The common words.
    pub probe: Probe,
}

impl Rows for SmtpHost {
    fn rows() -> &'static [Row<Self>] {
        probe_rows! { SmtpHost, "1", "1", }
    }
}

/// What belongs together is checked by [`SmtpCheck`], once for each address.
fn read_host(block: &mut SmtpCheck, head: &Head, found: &Statement, sink: &mut Sink) {
    let mut host = SmtpHost::default();
    read_lines(&mut host, head.word, found, sink);
    let outer = block.probe.ends.connect_ip;
    if let Some(server) = host.probe.ends.connect_ip.or(outer)
        && !host.probe.end(server, found, sink)
    {
        return;
    }
    block.hosts.push(host);
}

fn show_hosts(block: &SmtpCheck, head: &Head, page: &mut Page) {
    for host in &block.hosts {
        show_one(host, &[head.word], page);
    }
}

/// `DNS_CHECK`: one question to a name server.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DnsCheck {
    /// The common words.
    pub probe: Probe,
    /// `type`; SOA if not written.
    pub record: Option<DnsType>,
    /// `name`; the root if not written.
    pub name: Option<DnsName>,
}

impl Rows for DnsCheck {
    fn rows() -> &'static [Row<Self>] {
        probe_rows! { DnsCheck, "3", "",
            "name" => name: Kind::Text, Built, ".",
                "The name that is asked for.";
            "type" => record: Kind::Choice(&[
                    "A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "DNSKEY",
                ]), Built, "SOA",
                "The type of record that is asked for.";
        }
    }
}

impl Check for DnsCheck {
    fn end(&mut self, server: IpAddr, found: &Statement, sink: &mut Sink) -> bool {
        self.probe.end(server, found, sink)
    }
}

/// A type of record (RFC 1035 section 3.2.2, RFC 3596, RFC 4034), as on the wire.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum DnsType {
    /// An IPv4 address.
    A = 1,
    /// A name server.
    Ns = 2,
    /// The name that this one stands for.
    Cname = 5,
    /// The beginning of a zone.
    Soa = 6,
    /// A mail server.
    Mx = 15,
    /// Text.
    Txt = 16,
    /// An IPv6 address.
    Aaaa = 28,
    /// A signature.
    Rrsig = 46,
    /// The key of a zone.
    Dnskey = 48,
}

const DNS_TYPES: &[(&str, DnsType)] = &[
    ("A", DnsType::A),
    ("NS", DnsType::Ns),
    ("CNAME", DnsType::Cname),
    ("SOA", DnsType::Soa),
    ("MX", DnsType::Mx),
    ("TXT", DnsType::Txt),
    ("AAAA", DnsType::Aaaa),
    ("RRSIG", DnsType::Rrsig),
    ("DNSKEY", DnsType::Dnskey),
];

impl Scalar for DnsType {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        word_of(DNS_TYPES, false, found, sink)
    }

    fn show(&self, head: &Head, page: &mut Page) {
        page.line(&[head.word, text_of(DNS_TYPES, self)]);
    }
}

/// A domain name: labels of 1 to 63 octets, 253 in all, perhaps with a point at the end; `.` for
/// the root.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DnsName(pub Box<str>);

/// Octets of a label (RFC 1035 section 2.3.4).
const LABEL_MAX: usize = 63;
/// Characters of a name whose form on the wire has the 255 octets of RFC 1035 section 2.3.4.
const NAME_MAX: usize = 253;

impl Scalar for DnsName {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let word = value(found, sink)?;
        let shown = quoted(&word.text);
        let name = word.text.strip_suffix('.').unwrap_or(&word.text);
        let root = name.is_empty() && word.text == ".";
        if !root && name.split('.').any(str::is_empty) {
            let message = format!("{shown} is no domain name, it has an empty part; {IGNORED}");
            sink.error(word.span, message)
                .code(Code::BadValue)
                .help("write one point between two parts");
            return None;
        }
        let too_long = name.len() > NAME_MAX || name.split('.').any(|it| it.len() > LABEL_MAX);
        if too_long {
            let message = format!("{shown} is too long for a question; {IGNORED}");
            quiet_error(word, message, sink).help(format!(
                "a part has at most {LABEL_MAX} octets, a name {NAME_MAX}"
            ));
            return None;
        }
        Some(Self(word.text.as_str().into()))
    }

    fn show(&self, head: &Head, page: &mut Page) {
        page.line(&[head.word, &self.0]);
    }
}

/// `MISC_CHECK`: a program whose exit code counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MiscCheck {
    /// When it runs.
    pub pace: Pace,
    /// `misc_path`; the last counts.
    pub path: Option<Spanned<Command>>,
    /// `misc_timeout`; the `delay_loop` if not written.
    pub timeout: Option<Duration>,
    /// `misc_dynamic`: its exit code sets the weight.
    pub dynamic: bool,
    /// `user`.
    pub user: Option<User>,
}

impl Rows for MiscCheck {
    fn rows() -> &'static [Row<Self>] {
        pace_rows! { MiscCheck, pace, "0", "1",
            "misc_dynamic" => dynamic: Kind::Flag, Built, "",
                "An exit code of 2 to 255 sets the weight to that code less 2.";
            "misc_path" => path: Kind::Soft(&Kind::Command), Built, "",
                "The program: it exits with 0 if the server is up.";
            "misc_timeout" => timeout: Kind::WholeSeconds { min: 0, max: 4_294 }, Built, "",
                "How long a run may take; else delay_loop.";
            "user" => user: Kind::Soft(&Kind::Other("USER [GROUP]")), Built, "",
                "Who runs the program; else script_user.";
        }
    }
}

impl Check for MiscCheck {
    fn end(&mut self, _server: IpAddr, found: &Statement, sink: &mut Sink) -> bool {
        needs(self.path.is_some(), "misc_path", "COMMAND", found, sink)
    }
}

/// `FILE_CHECK`: the number in a file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FileCheck {
    /// `track_file`: the name of such a block.
    pub track_file: Option<Spanned<Box<str>>>,
    /// `weight`; that of the block if not written.
    pub weight: Option<FileWeight>,
}

impl Rows for FileCheck {
    fn rows() -> &'static [Row<Self>] {
        rows! { FileCheck:
            "track_file" => track_file: Kind::Text, Built, "",
                "The name of the track_file block.";
            "weight" => weight:
                Kind::Soft(&Kind::Other("-2147483647..2147483647 [reverse|noreverse]")), Built, "",
                "Factor of the number in the file, which is added to the weight; else that of the \
                 track_file block.";
        }
    }
}

impl Check for FileCheck {
    fn end(&mut self, _server: IpAddr, found: &Statement, sink: &mut Sink) -> bool {
        needs(self.track_file.is_some(), "track_file", "NAME", found, sink)
    }
}

/// The weight of a `FILE_CHECK`.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct FileWeight {
    /// The factor.
    pub value: i32,
    /// `reverse`: with weight 0, up counts as down.
    pub reverse: bool,
}

impl Scalar for FileWeight {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let (number, options) = found.arguments().split_first()?;
        let max = i64::from(i32::MAX);
        let value = units::signed(number, -max..=max, Garbage::Refuse, IGNORED, sink)?;
        let mut weight = Self {
            value: i32::try_from(value).ok()?,
            reverse: false,
        };
        if let Some(word) = options.first() {
            match word.text.as_str() {
                "reverse" => weight.reverse = true,
                "noreverse" => {}
                other => {
                    let message = format!("{} is not known behind a weight", quoted(other));
                    sink.error(word.span, message)
                        .code(Code::UnknownOption)
                        .help("only `reverse` may stand here");
                }
            }
        }
        if let Some(word) = options.get(1) {
            let message = format!("{} and what follows it is ignored", quoted(&word.text));
            sink.note(word.span, message);
        }
        Some(weight)
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let value = self.value.to_string();
        let mut words = vec![head.word, &value];
        words.extend(self.reverse.then_some("reverse"));
        page.line(&words);
    }
}

/// `BFD_CHECK`: a session with another router.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BfdCheck {
    /// `name`: that of the `bfd_instance`.
    pub name: Option<Spanned<Box<str>>>,
    /// `alpha`.
    pub alpha: Option<bool>,
}

impl Rows for BfdCheck {
    fn rows() -> &'static [Row<Self>] {
        rows! { BfdCheck:
            "alpha" => alpha: Kind::Bool, Built, "",
                "The server counts as down until the session is up; else as the real server says.";
            "name" => name: Kind::Soft(&Kind::Text), Built, "",
                "The name of the bfd_instance.";
        }
    }
}

impl Check for BfdCheck {
    fn end(&mut self, _server: IpAddr, found: &Statement, sink: &mut Sink) -> bool {
        needs(self.name.is_some(), "name", "BFD_INSTANCE", found, sink)
    }
}

/// Reports a checker without what it needs; if its line is there, that has had its message.
pub(super) fn needs(
    there: bool,
    word: &str,
    shape: &str,
    found: &Statement,
    sink: &mut Sink,
) -> bool {
    if !there && !mentions(found, word) {
        let keyword = quoted(found.keyword());
        let message = format!("this {keyword} has no `{word}`; the check is left out");
        sink.error(found.span(), message)
            .code(Code::IncompleteBlock)
            .help(format!("write `{word} {shape}` in it"));
    }
    there
}

plain_fields!(DnsType, DnsName, FileWeight, User);
