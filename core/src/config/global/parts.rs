//! What the words of `global_defs` that are not about the election are read into.

use std::net::IpAddr;

use super::super::block::Statement;
use super::super::code::Code;
use super::super::diag::{Sink, quoted};
use super::super::lexer::Word;
use super::super::page::Page;
use super::super::row::{Head, Kind, Line, Lines, Standing, plain_fields};
use super::super::scalar::Scalar;
use super::super::units::{self, Garbage};
use super::IGNORED;
use crate::time::Duration;

/// Whether and how mails are sent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Mail {
    /// `notification_email`.
    pub recipients: Lines<Recipients>,
    /// `notification_email_from`.
    pub from: Option<String>,
    /// `smtp_server`.
    pub server: Option<SmtpServer>,
    /// `smtp_helo_name`.
    pub helo_name: Option<Named>,
    /// `smtp_connect_timeout`; 0 counts as a second.
    pub connect_timeout: Option<Duration>,
    /// `smtp_alert`.
    pub alert: Option<bool>,
    /// `smtp_alert_vrrp`.
    pub alert_vrrp: Option<bool>,
    /// `smtp_alert_checker`.
    pub alert_checker: Option<bool>,
    /// `no_email_faults`.
    pub no_faults: bool,
    /// `no_checker_emails`.
    pub no_checkers: bool,
}

/// The addresses of one line of `notification_email`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recipients(pub Vec<String>);

impl Recipients {
    /// The line, for the catalogue.
    pub(in crate::config) const HEAD: Head = Head {
        word: "<email address>",
        kind: Kind::Text,
        standing: Standing::Built,
        synonym_of: "",
        default: "",
        text: "Who gets mails; several on a line if one likes.",
    };
}

impl Line for Recipients {
    fn read(line: &Statement, _sink: &mut Sink) -> Option<Self> {
        Some(Self(texts(&line.words)))
    }

    fn show(&self, page: &mut Page) {
        for recipient in &self.0 {
            page.line(&[recipient]);
        }
    }
}

fn texts(words: &[Word]) -> Vec<String> {
    words.iter().map(|word| word.text.clone()).collect()
}

/// `smtp_server`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SmtpServer {
    /// Its address or name.
    pub host: String,
    /// Its port; 25 without one.
    pub port: Option<u16>,
}

impl Scalar for SmtpServer {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let Some((host, more)) = found.arguments().split_first() else {
            sink.missing_parameter(found.span(), found.keyword());
            return None;
        };
        let port = match more.first() {
            None => None,
            Some(word) => {
                let port = units::number(word, 1..=65_535, Garbage::Refuse, IGNORED, sink)?;
                u16::try_from(port).ok()
            }
        };
        surplus(more.get(1), sink);
        let host = host.text.clone();
        Some(Self { host, port })
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let port = self.port.map(|port| port.to_string());
        let mut words = vec![head.word, &self.host];
        words.extend(port.as_deref());
        page.line(&words);
    }
}

fn surplus(word: Option<&Word>, sink: &mut Sink) {
    if let Some(word) = word {
        let message = format!("{} and what follows it is ignored", quoted(&word.text));
        sink.note(word.span, message).code(Code::SurplusValue);
    }
}

/// A word that may stand alone or with a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named(pub Option<String>);

impl Scalar for Named {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        surplus(found.arguments().get(1), sink);
        let name = found.arguments().first();
        Some(Self(name.map(|word| word.text.clone())))
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let mut words = vec![head.word];
        words.extend(self.0.as_deref());
        page.line(&words);
    }
}

/// A word that may stand alone or with names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamedSets(pub Vec<String>);

impl Scalar for NamedSets {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        const MOST: usize = 6;
        surplus(found.arguments().get(MOST), sink);
        let words = found.arguments();
        Some(Self(texts(words.get(..MOST).unwrap_or(words))))
    }

    fn show(&self, head: &Head, page: &mut Page) {
        show_words(head, &self.0, page);
    }
}

fn show_words(head: &Head, more: &[String], page: &mut Page) {
    let mut words = vec![head.word];
    words.extend(more.iter().map(String::as_str));
    page.line(&words);
}

/// How scripts are run, and which ones at the start and at the end.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scripts {
    /// `use_symlink_paths`.
    pub symlink_paths: bool,
    /// `set_supplementary_groups`.
    pub supplementary_groups: bool,
    /// `startup_script`.
    pub startup: Option<Vec<String>>,
    /// `startup_script_timeout`.
    pub startup_timeout: Option<Duration>,
    /// `shutdown_script`.
    pub shutdown: Option<Vec<String>>,
    /// `shutdown_script_timeout`.
    pub shutdown_timeout: Option<Duration>,
    /// `script_user`.
    pub user: Option<ScriptUser>,
    /// `enable_script_security`.
    pub security: bool,
}

/// Who runs scripts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScriptUser {
    /// Name or number of the user.
    pub user: String,
    /// Name or number of the group; that of the user without one.
    pub group: Option<String>,
    /// The supplementary groups of the user too.
    pub supplementary: bool,
}

impl Scalar for ScriptUser {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let (user, more) = found.arguments().split_first()?;
        surplus(more.get(1), sink);
        let group = more.first().map(|word| word.text.as_str());
        let bare = group.and_then(|group| group.strip_prefix(':'));
        let named = bare.or(group).filter(|group| !group.is_empty());
        Some(Self {
            user: user.text.clone(),
            group: named.map(str::to_owned),
            supplementary: bare.is_some(),
        })
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let colon = if self.supplementary { ":" } else { "" };
        let group = format!("{colon}{}", self.group.as_deref().unwrap_or_default());
        let mut words = vec![head.word, &self.user];
        words.extend((!group.is_empty()).then_some(group.as_str()));
        page.line(&words);
    }
}

/// FIFOs that get a line for each change.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fifos {
    /// `notify_fifo`.
    pub all: Option<Fifo>,
    /// `notify_fifo_script`.
    pub all_script: Option<Vec<String>>,
    /// `vrrp_notify_fifo`.
    pub vrrp: Option<Fifo>,
    /// `vrrp_notify_fifo_script`.
    pub vrrp_script: Option<Vec<String>>,
    /// `lvs_notify_fifo`.
    pub lvs: Option<Fifo>,
    /// `lvs_notify_fifo_script`.
    pub lvs_script: Option<Vec<String>>,
    /// `vrrp_notify_priority_changes`.
    pub priority_changes: bool,
    /// `fifo_write_vrrp_states_on_reload`.
    pub states_on_reload: bool,
}

/// One FIFO.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fifo {
    /// Its path.
    pub path: String,
    /// Its owner and perhaps its group.
    pub owner: Vec<String>,
}

impl Scalar for Fifo {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let (path, more) = found.arguments().split_first()?;
        surplus(more.get(2), sink);
        Some(Self {
            path: path.text.clone(),
            owner: texts(more.get(..2).unwrap_or(more)),
        })
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let mut words = vec![head.word, &self.path];
        words.extend(self.owner.iter().map(String::as_str));
        page.line(&words);
    }
}

/// `vrrp_garp_extra_if`.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct ExtraInterfaces {
    /// On all of them.
    pub all: bool,
    /// Every so many seconds, 1..=86400.
    pub every_s: u32,
}

impl Scalar for ExtraInterfaces {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let words = found.arguments();
        let all = words.first().is_some_and(|word| word.text == "all");
        let Some(word) = words.get(usize::from(all)) else {
            let message = format!("{} names no time; {IGNORED}", quoted(found.keyword()));
            sink.error(found.span(), message).code(Code::MissingValue);
            return None;
        };
        let seconds = units::number(word, 1..=86_400, Garbage::Refuse, IGNORED, sink)?;
        surplus(words.get(usize::from(all) + 1), sink);
        let every_s = u32::try_from(seconds).ok()?;
        Some(Self { all, every_s })
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let seconds = self.every_s.to_string();
        let mut words = vec![head.word];
        words.extend(self.all.then_some("all"));
        words.push(&seconds);
        page.line(&words);
    }
}

/// Where rules of the firewall stand.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Firewall {
    /// `vrrp_iptables`: names of the chains for input and output.
    pub iptables: Option<Chains>,
    /// `vrrp_ipsets`.
    pub ipsets: Option<NamedSets>,
    /// `nftables`.
    pub table: Option<Named>,
    /// `nftables_priority`.
    pub priority: Option<i32>,
    /// `nftables_ifindex`.
    pub by_index: bool,
    /// `nftables_counters`.
    pub counters: bool,
    /// `nftables_ipvs`.
    pub ipvs_table: Option<Named>,
    /// `nftables_ipvs_priority`.
    pub ipvs_priority: Option<i32>,
    /// `nftables_ipvs_start_fwmark`.
    pub ipvs_first_mark: Option<u32>,
}

/// `vrrp_iptables`: none, one or two names of chains.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chains(pub Vec<String>);

impl Scalar for Chains {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let words = found.arguments();
        surplus(words.get(2), sink);
        Some(Self(texts(words.get(..2).unwrap_or(words))))
    }

    fn show(&self, head: &Head, page: &mut Page) {
        show_words(head, &self.0, page);
    }
}

/// What the checker child does as a whole.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lvs {
    /// `checker_log_all_failures`.
    pub log_all_failures: bool,
    /// `lvs_timeouts`.
    pub timeouts: Option<Timeouts>,
    /// `lvs_flush`.
    pub flush: bool,
    /// `lvs_flush_on_stop`.
    pub flush_on_stop: Option<FlushOnStop>,
    /// `lvs_sync_daemon`.
    pub sync_daemon: Option<SyncDaemon>,
    /// `rs_init_notifies`.
    pub init_notifies: bool,
    /// `snmp_vs_stats_update_interval`.
    pub vs_stats_interval: Option<Duration>,
    /// `snmp_rs_stats_update_interval`.
    pub rs_stats_interval: Option<Duration>,
    /// `lvs_netlink_cmd_rcv_bufs`, in octets.
    pub netlink_cmd_rcv_bufs: Option<u32>,
    /// `lvs_netlink_cmd_rcv_bufs_force`.
    pub netlink_cmd_rcv_bufs_force: bool,
    /// `lvs_netlink_monitor_rcv_bufs`, in octets.
    pub netlink_monitor_rcv_bufs: Option<u32>,
    /// `lvs_netlink_monitor_rcv_bufs_force`.
    pub netlink_monitor_rcv_bufs_force: bool,
}

/// `lvs_timeouts`: seconds that the kernel keeps idle connections.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Timeouts {
    /// `tcp`.
    pub tcp_s: Option<u32>,
    /// `tcpfin`.
    pub tcp_fin_s: Option<u32>,
    /// `udp`.
    pub udp_s: Option<u32>,
}

impl Scalar for Timeouts {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        const LONGEST: u64 = 31 * 24 * 3_600;
        let mut all = Self::default();
        let mut words = found.arguments().iter();
        while let Some(name) = words.next() {
            let slot = match name.text.as_str() {
                "tcp" => &mut all.tcp_s,
                "tcpfin" => &mut all.tcp_fin_s,
                "udp" => &mut all.udp_s,
                other => {
                    unknown_option(other, name, "tcp, tcpfin and udp", sink);
                    continue;
                }
            };
            let word = option_value(words.next(), name, sink)?;
            let outcome = "this timeout is ignored";
            if let Some(value) = units::number(word, 0..=LONGEST, Garbage::Refuse, outcome, sink) {
                *slot = u32::try_from(value).ok();
            }
        }
        (all != Self::default()).then_some(all)
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let mut words = vec![head.word.to_owned()];
        for (name, value) in [
            ("tcp", self.tcp_s),
            ("tcpfin", self.tcp_fin_s),
            ("udp", self.udp_s),
        ] {
            words.extend(value.map(|value| format!("{name} {value}")));
        }
        page.raw(&words.join(" "));
    }
}

fn unknown_option(text: &str, word: &Word, known: &str, sink: &mut Sink) {
    let message = format!("{} is not an option of this word", quoted(text));
    sink.error(word.span, message)
        .code(Code::UnknownWord)
        .help(format!("the options are {known}"));
}

fn option_value<'w>(value: Option<&'w Word>, name: &Word, sink: &mut Sink) -> Option<&'w Word> {
    if value.is_none() {
        let message = format!("{} needs a value; {IGNORED}", quoted(&name.text));
        sink.error(name.span, message).code(Code::MissingValue);
    }
    value
}

/// `lvs_flush_on_stop`.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct FlushOnStop {
    /// `VS`: only the services are removed.
    pub services_only: bool,
}

impl Scalar for FlushOnStop {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        match found.arguments().first() {
            None => Some(Self {
                services_only: false,
            }),
            Some(word) if word.text == "VS" => Some(Self {
                services_only: true,
            }),
            Some(word) => {
                unknown_option(&word.text, word, "VS or nothing", sink);
                None
            }
        }
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let mut words = vec![head.word];
        words.extend(self.services_only.then_some("VS"));
        page.line(&words);
    }
}

/// `lvs_sync_daemon`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyncDaemon {
    /// Its interface.
    pub interface: String,
    /// The instance whose role it follows.
    pub instance: Option<String>,
    /// `id`; the VRID of the instance without it.
    pub id: Option<u8>,
    /// `maxlen`, in octets.
    pub max_len: Option<u16>,
    /// `port`.
    pub port: Option<u16>,
    /// `ttl`.
    pub ttl: Option<u8>,
    /// `group`.
    pub group: Option<IpAddr>,
}

impl Scalar for SyncDaemon {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let (interface, words) = found.arguments().split_first()?;
        let mut daemon = Self {
            interface: interface.text.clone(),
            instance: None,
            id: None,
            max_len: None,
            port: None,
            ttl: None,
            group: None,
        };
        let mut words = words.iter();
        while let Some(name) = words.next() {
            daemon.set(name, &mut words, sink)?;
        }
        Some(daemon)
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let mut words = vec![head.word.to_owned(), self.interface.clone()];
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                words.extend([name.to_owned(), value]);
            }
        };
        add("inst", self.instance.clone());
        add("id", self.id.map(|it| it.to_string()));
        add("maxlen", self.max_len.map(|it| it.to_string()));
        add("port", self.port.map(|it| it.to_string()));
        add("ttl", self.ttl.map(|it| it.to_string()));
        add("group", self.group.map(|it| it.to_string()));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        page.line(&words);
    }
}

impl SyncDaemon {
    fn set<'w>(
        &mut self,
        name: &'w Word,
        words: &mut impl Iterator<Item = &'w Word>,
        sink: &mut Sink,
    ) -> Option<()> {
        let range = match name.text.as_str() {
            "inst" => {
                self.instance = Some(option_value(words.next(), name, sink)?.text.clone());
                return Some(());
            }
            "group" => {
                self.group = units::address(option_value(words.next(), name, sink)?, sink);
                return Some(());
            }
            "id" => 0..=255,
            "maxlen" => 1..=65_507,
            "port" => 1..=65_535,
            "ttl" => 1..=255,
            // The original takes a word that is none of these for the instance.
            other if self.instance.is_none() => {
                self.instance = Some(other.to_owned());
                return Some(());
            }
            other => {
                unknown_option(other, name, "inst, id, maxlen, port, ttl and group", sink);
                return Some(());
            }
        };
        let word = option_value(words.next(), name, sink)?;
        let outcome = "this option is ignored";
        let value = units::number(word, range, Garbage::Refuse, outcome, sink);
        let value = value.and_then(|value| u16::try_from(value).ok());
        let small = value.and_then(|value| u8::try_from(value).ok());
        match name.text.as_str() {
            "id" => self.id = small.or(self.id),
            "ttl" => self.ttl = small.or(self.ttl),
            "maxlen" => self.max_len = value.or(self.max_len),
            _ => self.port = value.or(self.port),
        }
        Some(())
    }
}

/// SNMP.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Snmp {
    /// `snmp_socket`.
    pub socket: Option<String>,
    /// `enable_traps`.
    pub traps: bool,
    /// `enable_snmp_vrrp`.
    pub vrrp: bool,
    /// `enable_snmp_rfc`.
    pub rfc: bool,
    /// `enable_snmp_rfcv2`.
    pub rfc_v2: bool,
    /// `enable_snmp_rfcv3`.
    pub rfc_v3: bool,
    /// `enable_snmp_checker`.
    pub checkers: bool,
}

/// D-Bus.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Dbus {
    /// `enable_dbus`.
    pub enabled: bool,
    /// `dbus_service_name`.
    pub service_name: Option<String>,
    /// `dbus_no_interface_name`.
    pub no_interface_name: Option<String>,
}

/// `include_check`: which faults of include lines are errors.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IncludeCheck(pub Vec<String>);

impl Scalar for IncludeCheck {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let mut words = Vec::new();
        for word in found.arguments() {
            let name = word.text.trim_start_matches(['+', '-']);
            if matches!(name, "read" | "match" | "wildcard_match" | "brace_match") {
                words.push(word.text.clone());
            } else {
                let known = "read, match, wildcard_match and brace_match";
                unknown_option(name, word, known, sink);
            }
        }
        Some(Self(words))
    }

    fn show(&self, head: &Head, page: &mut Page) {
        show_words(head, &self.0, page);
    }
}

plain_fields!(
    Chains,
    ExtraInterfaces,
    Fifo,
    FlushOnStop,
    IncludeCheck,
    Named,
    NamedSets,
    ScriptUser,
    SmtpServer,
    SyncDaemon,
    Timeouts
);
