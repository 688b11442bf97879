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
mod keywords;
mod lexer;
mod page;
mod processes;
pub mod receiving;
pub mod reloading;
mod row;
mod scalar;
mod statement;
mod strict;
#[cfg(test)]
mod tests;
mod track;
mod units;
mod vrrp_instance;

pub use addresses::AddressEntry;
pub use announcement::AnnouncementWords;
pub use bind::{HostFacts, InterfaceFact, bind};
pub use code::Code;
pub use command::Command;
pub use diag::{
    Class, Diagnostic, EXIT_CONFIG, EXIT_TEST_ERROR, EXIT_TEST_FATAL, EXIT_TEST_SECURITY, Related,
    Severity, Span, Spanned, check_exit_code, start_exit_code,
};
pub use global::{
    Chains, Dbus, ExtraInterfaces, Fifo, Fifos, Firewall, FlushOnStop, GlobalDefs, IncludeCheck,
    Lvs, Mail, Named, NamedSets, Recipients, ScriptUser, Scripts, SmtpServer, Snmp, SyncDaemon,
    Timeouts,
};
pub use processes::{ChildProcess, Processes, is_file_name, mask};
pub use row::{Head, Kind, Lines, Names, Standing};
pub use track::{InitFile, TrackFile, Weight};
pub use units::Garbage;
pub use vrrp_instance::{Authentication, InitialState, Instance};

use std::collections::BTreeMap;

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
    pub garp_groups: Vec<bound::GarpGroup>,
    /// `vrrp_instance` blocks in the order of the file.
    pub instances: Vec<Instance>,
    /// `track_file` blocks in the order of the file.
    pub track_files: Vec<TrackFile>,
}

impl Rows for Config {
    fn rows() -> &'static [Row<Self>] {
        rows! { Config:
            "child_wait_time" => global.child_wait_time:
                Kind::WholeSeconds { min: 0, max: u32::MAX }, Built, "5",
                "How long the parent waits for its children to end before it kills them.";
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
            "track_file" => track_files: Kind::Block("NAME"), Refused, "",
                "A file whose number changes priorities and weights.";
            "use_pid_dir" => global.processes.use_pid_dir: Kind::Flag, Built, "",
                "Pid files stand in a directory of their own.";
            "vrrp_track_file" = "track_file" => track_files: Kind::Block("NAME"), Refused, "",
                "The old name of track_file.";
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
    let mut names = BTreeMap::new();
    let mut reader = Reader::new(text);
    while let Some(found) = reader.next_statement(&mut sink) {
        read_top(&mut config, &mut names, &found, &mut sink);
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
    load_with(file, text, facts, false)
}

/// The same for a text that was good when the daemon took it in: an interface that is missing by now
/// is one that may come back, whatever `dynamic_interfaces` says.
pub fn load_again(file: &str, text: &str, facts: &HostFacts) -> (bound::Bound, Vec<Diagnostic>) {
    load_with(file, text, facts, true)
}

fn load_with(
    file: &str,
    text: &str,
    facts: &HostFacts,
    again: bool,
) -> (bound::Bound, Vec<Diagnostic>) {
    let (mut config, mut found) = parse(file, text);
    if check_exit_code(&found) == EXIT_CONFIG {
        return (bound::Bound::default(), found);
    }
    let written = config.global.dynamic_interfaces;
    config.global.dynamic_interfaces = written || again;
    let (mut bound, more) = bind(&config, facts);
    bound.global.dynamic_interfaces = written;
    found.extend(more);
    found.sort_by_key(|finding| (finding.span.start, finding.span.end));
    (bound, found)
}

/// One statement of the top level.
fn read_top(
    config: &mut Config,
    names: &mut BTreeMap<String, u32>,
    found: &Statement,
    sink: &mut Sink,
) {
    if row::find::<Config>(found.keyword()).is_some() {
        row::read_line(config, "", found, sink);
        return;
    }
    if !statement::is_built(Place::Top, found, sink) {
        return;
    }
    match found.keyword() {
        "garp_group" => {
            let group = announcement::group(found, &config.garp_groups, sink);
            config.garp_groups.extend(group);
        }
        "vrrp_instance" => {
            if let Some(instance) = vrrp_instance::read(found, names, sink) {
                config.instances.push(instance);
            }
        }
        _ => {}
    }
}
