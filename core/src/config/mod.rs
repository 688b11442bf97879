//! Text to [`bound::Bound`], with diagnostics, without I/O.
//!
//! Two steps. [`parse`] reads the text into a [`Config`]: typed values, names still names, every
//! place kept. [`bind`] looks the names up in the [`HostFacts`], fills in defaults and checks what
//! belongs together. Both say what they find as [`Diagnostic`]s and always return something, so that
//! one run shows everything that is wrong; whether it may be used is the question that
//! [`start_exit_code`] and [`check_exit_code`] answer for the findings of both steps together.
//! [`load`] takes both steps.
//!
//! The language is keepalived's. Where this differs, it is to be safer: the block of an unknown word
//! is skipped whole, and a word that is not built yet stops the start instead of being left out.

mod address_line;
mod announcement;
mod authentication;
mod bfd;
mod bind;
mod block;
pub mod bound;
mod bundle;
pub mod catalogue;
mod checks;
pub mod cluster;
mod code;
pub mod command;
mod definition;
mod diag;
pub mod dumps;
mod elsewhere;
mod foreign;
#[doc(hidden)]
pub mod fuzzing;
mod global;
mod hints;
mod improve;
mod include;
mod instance_words;
mod keywords;
mod language;
mod lexer;
mod lines;
mod link_watch;
pub mod lvs;
mod made;
mod options;
mod page;
mod place;
mod processes;
pub mod receiving;
mod references;
pub mod reloading;
mod repeat;
mod route_encap;
mod route_line;
mod row;
mod rule_line;
mod scalar;
mod script;
pub mod source;
mod statement;
mod static_lines;
mod strict;
mod sync_group;
#[cfg(test)]
mod tests;
mod track;
mod tracker;
mod tracking;
mod units;
mod vmac;
mod vrrp_instance;

pub use address_line::{AddressEntry, Lifetime};
pub use announcement::{AnnouncementGroup, AnnouncementWords, GroupInterfaces, Refresh, Repeat};
pub use authentication::{
    AntiReplay, AuthHmac, AuthKind, Authentication, HmacKey, HmacMode, Password,
};
pub use bfd::BfdInstance;
pub use bind::{HostFacts, InterfaceFact, bind};
pub use bundle::BadBundle;
pub use code::Code;
pub use command::Command;
pub use diag::{
    Class, Diagnostic, EXIT_CONFIG, EXIT_NO_CONFIG, EXIT_TEST_ERROR, EXIT_TEST_FATAL,
    EXIT_TEST_SECURITY, Related, Severity, Span, Spanned, check_exit_code, start_exit_code,
};
pub use elsewhere::{Checked, check, check_parsed, check_sources};
pub use global::{
    Chains, Dbus, ExtraInterfaces, Fifo, Fifos, Firewall, FlushOnStop, GlobalDefs, IncludeCheck,
    Lvs, Mail, Named, NamedSets, Recipients, ScriptUser, Scripts, SmtpServer, Snmp, SyncDaemon,
    Timeouts,
};
pub use instance_words::{InitialState, Peer, PreemptDelay, Priority, RivalPriority, Wish};
pub use link_watch::{LinkDelays, Linkbeat, LinkbeatMethod};
pub use options::{Prefix, Realms, Symbol};
pub use place::Places;
pub use processes::{ChildProcess, Processes, is_file_name, mask};
pub use route_encap::{Encap, Tunnel4, Tunnel6};
pub use route_line::{
    Lockable, NextHop, Placing, Preference, Propagation, RouteLine, RouteType, TcpTime,
};
pub use row::{Head, Kind, Lines, Names, Standing};
pub use rule_line::{Action, Between, Ending, Mark, RuleLine, RulePreference, Selector};
pub use script::{First, OptionalScript, Script, User};
pub use static_lines::Static;
pub use sync_group::{Members, SyncGroup, TrackGroup};
pub use track::{InitFile, TrackFile, TrackWords, Tracked, Tracks, Weight};
pub use tracker::{ParamMatch, RunTime, Runs, TrackProcess, VrrpScript};
pub use units::Garbage;
pub use vmac::{ExtraGarp, IpvlanMode, MacAddress, UseIpvlan, UseVmac};
pub use vrrp_instance::{Instance, NotifyWords, Transport, VmacWords};

use std::sync::Arc;

use block::{Reader, Statement};
use diag::Sink;
use lexer::Lexer;
use page::Page;
use row::{Field, Row, Rows, rows};
use source::{FileText, Nothing, Sources, Unreadable};

/// One configuration as written: values typed, names not yet looked up.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Config {
    /// Name of the file, for display.
    pub file: String,
    /// The names of all files, and the places in definitions.
    pub places: Arc<Places>,
    /// `global_defs`; several blocks add up.
    pub global: GlobalDefs,
    /// `garp_group` blocks in the order of the file.
    pub garp_groups: Vec<AnnouncementGroup>,
    /// `vrrp_instance` blocks in the order of the file.
    pub instances: Vec<Instance>,
    /// `track_file` blocks in the order of the file.
    pub track_files: Vec<TrackFile>,
    /// `static_ipaddress`.
    pub static_addresses: Lines<Static<AddressEntry>>,
    /// `static_routes`.
    pub static_routes: Lines<Static<RouteLine>>,
    /// `static_rules`.
    pub static_rules: Lines<Static<RuleLine>>,
    /// The load balancer.
    pub lvs: lvs::Lvs,
    /// `vrrp_sync_group` blocks in the order of the file.
    pub sync_groups: Vec<SyncGroup>,
    /// `track_group` blocks in the order of the file.
    pub track_groups: Vec<TrackGroup>,
    /// `vrrp_script` blocks in the order of the file.
    pub scripts: Vec<VrrpScript>,
    /// `vrrp_track_process` blocks in the order of the file.
    pub track_processes: Vec<TrackProcess>,
    /// `bfd_instance` blocks in the order of the file.
    pub bfds: Vec<BfdInstance>,
    /// `interface_up_down_delays`.
    pub link_delays: Lines<LinkDelays>,
    /// `linkbeat_interfaces`.
    pub linkbeats: Lines<Linkbeat>,
    /// `linkbeat_use_polling`.
    pub linkbeat_use_polling: Option<Span>,
}

/// Its words.
const ROWS: &[Row<Config>] = rows! { Config:
    "SSL" => (lvs::read_ssl, lvs::show_ssl): Kind::Block(""), Refused, "",
        "The certificates of SSL_GET.";
    "bfd_instance" => bfds: Kind::Block("NAME"), Refused, "",
        "A session of bidirectional forwarding detection with one neighbour.";
    "child_wait_time" => global.child_wait_time:
        Kind::WholeSeconds { min: 0, max: u32::MAX }, Built, "5",
        "How long the parent waits for its children to end before it kills them.";
    "garp_group" => garp_groups: Kind::Block(""), Built, "",
        "Interfaces whose announcements wait for each other.";
    "global_defs" => (
        |config, head, found, sink| {
            row::read_lines(&mut config.global, head.word, found, sink);
        },
        |config, head, page| global::show(&config.global, head, page)
    ): Kind::Block(""), Built, "",
        "What concerns the daemon as a whole, and defaults of the blocks.";
    "instance" => (
        |config, _, found, sink| config.global.processes.read_instance(found, sink),
        |config, head, page| Field::show(&config.global.processes.instance, head, page)
    ): Kind::Soft(&Kind::Text), Built, "",
        "Name of this daemon among several of the host; a part of the names of its files.";
    "interface_up_down_delays" => link_delays:
        Kind::Lines("INTERFACE DOWN_DELAY [UP_DELAY]"), Refused, "",
        "How many seconds, up to 255, a link must be down or up to count as such.";
    "linkbeat_interfaces" => linkbeats:
        Kind::Lines("INTERFACE [MII|ETHTOOL|IOCTL]"), Refused, "",
        "Interfaces that are asked for the state of their links.";
    "linkbeat_use_polling" => linkbeat_use_polling: Kind::Flag, Refused, "",
        "All interfaces are asked for the state of their links.";
    "namespace_with_ipsets" => global.processes.namespace_with_ipsets:
        Kind::Flag, Built, "",
        "Of no effect: sets of addresses know network namespaces.";
    "net_namespace" => (
        |config, _, found, sink| config.global.processes.read_net_namespace(found, sink),
        |config, head, page| {
            Field::show(&config.global.processes.net_namespace, head, page);
        }
    ): Kind::Soft(&Kind::Text), Built, "",
        "Network namespace that the daemon runs in.";
    "net_namespace_ipvs" => (
        |config, _, found, sink| config.global.processes.read_ipvs_namespace(found, sink),
        |config, head, page| config.global.processes.show_ipvs_namespace(head, page)
    ): Kind::Other("[NAME]"), Built, "",
        "Network namespace of the IPVS table; alone that of the host.";
    "static_ipaddress" => static_addresses: Kind::Lines("ADDRESS"), Refused, "",
        "Addresses that stay on the host whoever is master.";
    "static_routes" => static_routes: Kind::Lines("ROUTE"), Refused, "",
        "Routes that stay on the host whoever is master.";
    "static_rules" => static_rules: Kind::Lines("RULE"), Refused, "",
        "Rules of routing that stay on the host whoever is master.";
    "track_file" => track_files: Kind::Block("NAME"), Refused, "",
        "A file whose number changes priorities and weights.";
    "track_group" => track_groups: Kind::Block("NAME"), Refused, "",
        "Instances without which addresses, routes and rules of static blocks go.";
    "use_pid_dir" => global.processes.use_pid_dir: Kind::Flag, Built, "",
        "Pid files stand in a directory of their own.";
    "virtual_server" => (lvs::read_server, lvs::show_servers):
        Kind::Block("ADDRESS [PORT]|fwmark N|group NAME"), Refused, "",
        "A service that is spread over real servers.";
    "virtual_server_group" => (lvs::read_group, lvs::show_groups):
        Kind::Block("NAME"), Refused, "",
        "Addresses and marks that are one service.";
    "vrrp_instance" => instances: Kind::Block("NAME"), Built, "",
        "A virtual router.";
    "vrrp_script" => scripts: Kind::Block("NAME"), Refused, "",
        "A command whose exit status is tracked.";
    "vrrp_sync_group" => sync_groups: Kind::Block("NAME"), Refused, "",
        "Instances that are masters together or not at all.";
    "vrrp_track_file" = "track_file" => track_files: Kind::Block("NAME"), Refused, "",
        "The old name of track_file.";
    "vrrp_track_process" => track_processes: Kind::Block("NAME"), Refused, "",
        "Processes whose number is tracked.";
};

impl Rows for Config {
    fn rows() -> &'static [Row<Self>] {
        ROWS
    }
}

/// The effective configuration as text that reads back to the same values: includes, definitions and
/// repeated lines put in. With `defaults` it also shows, as comments, what counts where nothing is
/// written.
pub fn dump(config: &Config, defaults: bool) -> String {
    let mut page = Page::new(defaults);
    row::show_lines(config, &mut page);
    page.finish()
}

/// Reads `text`, which messages call `file`.
///
/// Never fails and never panics: what is not understood is reported, and the rest is read. The one
/// exception is a word without its required value: as in the original nothing behind it is read.
///
/// What the text includes is not there; [`parse_sources`] reads it.
pub fn parse(file: &str, text: &str) -> (Config, Vec<Diagnostic>) {
    let text = FileText {
        text: text.into(),
        replaced: None,
    };
    parse_text(file, text, &mut Nothing)
}

/// Reads the file of this name, and what it includes, from `sources`; otherwise as [`parse`]. If
/// there is no such file, that is the finding, and nothing was read.
pub fn parse_sources(file: &str, sources: &mut dyn Sources) -> (Config, Vec<Diagnostic>) {
    match sources.read(file) {
        Ok(text) => parse_text(file, text, sources),
        Err(why) => {
            let why = match why {
                Unreadable::Directory => "it is a directory".to_owned(),
                Unreadable::NotText => "it is no plain file".to_owned(),
                Unreadable::Error(error) => error,
            };
            let mut sink = Sink::new(file);
            let message = format!("the configuration cannot be read: {why}");
            sink.report(
                Severity::Fatal,
                Class::FileNotFound,
                Span::default(),
                message,
            );
            (Config::default(), sink.finish())
        }
    }
}

fn parse_text(file: &str, text: FileText, sources: &mut dyn Sources) -> (Config, Vec<Diagnostic>) {
    let mut sink = Sink::new(file);
    let mut config = Config {
        file: file.to_owned(),
        ..Config::default()
    };
    if let Some(what) = foreign::recognise(&text.text) {
        foreign::report(&what, &text.text, &mut sink);
        return (config, sink.finish());
    }
    let lexer = Lexer::new(file, text, sources, &mut sink);
    let mut reader = Reader::new(lexer);
    while let Some(found) = reader.next_statement(&mut sink) {
        read_top(&mut config, &found, &mut sink);
        if sink.stopped() {
            break;
        }
    }
    drop(reader);
    config.places = Arc::clone(sink.places());
    let found = config.places.improved(sink.finish());
    (config, found)
}

/// Both steps: [`parse`], and [`bind`] unless a missing value has ended the reading.
///
/// The findings of both come in the order of the text; the two exit codes may be asked of them.
pub fn load(file: &str, text: &str, facts: &HostFacts) -> (bound::Bound, Vec<Diagnostic>) {
    bind_parsed(parse(file, text), facts, false)
}

/// The same for a text that was good when the daemon took it in: an interface that is missing by now
/// is one that may come back, whatever `dynamic_interfaces` says.
pub fn load_again(file: &str, text: &str, facts: &HostFacts) -> (bound::Bound, Vec<Diagnostic>) {
    bind_parsed(parse(file, text), facts, true)
}

/// As [`load`], from [`parse_sources`].
pub fn load_sources(
    file: &str,
    sources: &mut dyn Sources,
    facts: &HostFacts,
) -> (bound::Bound, Vec<Diagnostic>) {
    bind_parsed(parse_sources(file, sources), facts, false)
}

/// The second step, for what the first one has returned; `again` as in [`load_again`].
pub fn bind_parsed(
    (mut config, mut found): (Config, Vec<Diagnostic>),
    facts: &HostFacts,
    again: bool,
) -> (bound::Bound, Vec<Diagnostic>) {
    if check_exit_code(&found) == EXIT_CONFIG {
        return (bound::Bound::default(), found);
    }
    let written = config.global.dynamic_interfaces;
    config.global.dynamic_interfaces = written || again;
    let (mut bound, more) = bind(&config, facts);
    bound.global.dynamic_interfaces = written;
    found.extend(more);
    config.places.sort(&mut found);
    let found = config.places.improved(found);
    (bound, found)
}

/// One statement of the top level.
fn read_top(config: &mut Config, found: &Statement, sink: &mut Sink) {
    if row::find::<Config>(found.keyword()).is_some() {
        row::read_line(config, "", found, sink);
    } else {
        statement::unknown_in("outside all blocks", catalogue::words(""), found, sink);
    }
}
