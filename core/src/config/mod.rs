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

mod addresses;
mod announcement;
mod authentication;
mod bfd;
mod bind;
mod block;
pub mod bound;
pub mod catalogue;
mod checks;
mod code;
pub mod command;
mod diag;
pub mod dumps;
#[doc(hidden)]
pub mod fuzzing;
mod global;
mod instance_words;
mod keywords;
mod lexer;
mod link_watch;
mod page;
mod processes;
pub mod reloading;
mod row;
mod scalar;
mod script;
mod statement;
mod strict;
mod sync_group;
#[cfg(test)]
mod tests;
mod track;
mod tracker;
mod units;
mod vmac;
mod vrrp_instance;

pub use addresses::AddressEntry;
pub use announcement::{AnnouncementGroup, AnnouncementWords, GroupInterfaces, Refresh, Repeat};
pub use authentication::{
    AntiReplay, AuthHmac, AuthKind, Authentication, HmacKey, HmacMode, Password,
};
pub use bfd::BfdInstance;
pub use bind::{HostFacts, InterfaceFact, bind};
pub use code::Code;
pub use command::Command;
pub use diag::{
    Class, Diagnostic, EXIT_CONFIG, EXIT_TEST_ERROR, EXIT_TEST_FATAL, EXIT_TEST_SECURITY, Related,
    Severity, Span, Spanned, check_exit_code, start_exit_code,
};
pub use global::{
    BufferPolicy, Chains, Dbus, ExtraInterfaces, Fifo, Fifos, Firewall, FlushOnStop, GlobalDefs,
    IncludeCheck, Lvs, Mail, Named, NamedSets, ReceiveBuffers, Recipients, ScriptUser, Scripts,
    SmtpServer, Snmp, SyncDaemon, Timeouts,
};
pub use instance_words::{InitialState, Peer, PreemptDelay, Priority, RivalPriority, Wish};
pub use link_watch::{LinkDelays, Linkbeat, LinkbeatMethod};
pub use processes::{ChildProcess, Processes, is_file_name, mask};
pub use row::{Head, Kind, Lines, Names, Standing};
pub use script::{First, OptionalScript, Script, User};
pub use sync_group::{Members, SyncGroup, TrackGroup};
pub use track::{InitFile, TrackFile, TrackWords, Tracked, Tracks, Weight};
pub use tracker::{ParamMatch, RunTime, Runs, TrackProcess, VrrpScript};
pub use units::Garbage;
pub use vmac::{ExtraGarp, IpvlanMode, MacAddress, UseIpvlan, UseVmac};
pub use vrrp_instance::{Instance, NotifyWords, RawLine, Transport, VmacWords};

use block::{Reader, Statement};
use diag::Sink;
use keywords::Place;
use page::Page;
use row::{Field, Row, Rows, rows};

/// One configuration as written: values typed, names not yet looked up.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Config {
    /// Name of the file, for display.
    pub file: String,
    /// `global_defs`; several blocks add up.
    pub global: GlobalDefs,
    /// `garp_group` blocks in the order of the file.
    pub garp_groups: Vec<AnnouncementGroup>,
    /// `vrrp_instance` blocks in the order of the file.
    pub instances: Vec<Instance>,
    /// `track_file` blocks in the order of the file.
    pub track_files: Vec<TrackFile>,
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

impl Rows for Config {
    fn rows() -> &'static [Row<Self>] {
        rows! { Config:
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
            "net_namespace_ipvs" => global.net_namespace_ipvs: Kind::Other("[NAME]"), Refused, "",
                "Network namespace of the IPVS table; alone that of the host.";
            "track_file" => track_files: Kind::Block("NAME"), Refused, "",
                "A file whose number changes priorities and weights.";
            "track_group" => track_groups: Kind::Block("NAME"), Refused, "",
                "Instances without which addresses, routes and rules of static blocks go.";
            "use_pid_dir" => global.processes.use_pid_dir: Kind::Flag, Built, "",
                "Pid files stand in a directory of their own.";
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
        }
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
pub fn parse(file: &str, text: &str) -> (Config, Vec<Diagnostic>) {
    let mut sink = Sink::new(file);
    let mut config = Config {
        file: file.to_owned(),
        ..Config::default()
    };
    let mut reader = Reader::new(text);
    while let Some(found) = reader.next_statement(&mut sink) {
        read_top(&mut config, &found, &mut sink);
        if sink.stopped() {
            break;
        }
    }
    (config, sink.finish())
}

/// Both steps: [`parse`], and [`bind`] unless a missing value has ended the reading.
///
/// The findings of both come in the order of the text; the two exit codes may be asked of them.
pub fn load(file: &str, text: &str, facts: &HostFacts) -> (bound::Bound, Vec<Diagnostic>) {
    let (config, mut found) = parse(file, text);
    if check_exit_code(&found) == EXIT_CONFIG {
        return (bound::Bound::default(), found);
    }
    let (bound, more) = bind(&config, facts);
    found.extend(more);
    found.sort_by_key(|finding| (finding.span.start, finding.span.end));
    (bound, found)
}

/// One statement of the top level.
fn read_top(config: &mut Config, found: &Statement, sink: &mut Sink) {
    if row::find::<Config>(found.keyword()).is_some() {
        row::read_line(config, "", found, sink);
        return;
    }
    if !statement::is_built(Place::Top, found, sink) {
        return;
    }
    match found.keyword() {
        _ => {}
    }
}
