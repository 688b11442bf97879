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
mod bind;
mod block;
pub mod bound;
pub mod catalogue;
mod checks;
mod code;
mod diag;
pub mod dumps;
#[doc(hidden)]
pub mod fuzzing;
mod global;
mod keywords;
mod lexer;
mod line;
mod page;
mod processes;
pub mod reloading;
mod route_encap;
mod route_line;
mod row;
mod rule_line;
mod scalar;
mod statement;
mod static_lines;
mod strict;
#[cfg(test)]
mod tests;
mod track;
mod units;
mod vrrp_instance;

pub use address_line::{AddressEntry, Lifetime};
pub use announcement::AnnouncementWords;
pub use bind::{HostFacts, InterfaceFact, bind};
pub use code::Code;
pub use diag::{
    Class, Diagnostic, EXIT_CONFIG, EXIT_TEST_ERROR, EXIT_TEST_FATAL, EXIT_TEST_SECURITY, Severity,
    Span, Spanned, check_exit_code, start_exit_code,
};
pub use global::GlobalDefs;
pub use line::{Named, Prefix, Realms};
pub use processes::{ChildProcess, Processes, is_file_name, mask};
pub use route_encap::{Encap, Tunnel4, Tunnel6};
pub use route_line::{
    Lockable, NextHop, Placing, Preference, Propagation, RouteLine, RouteType, TcpTime,
};
pub use row::{Head, Kind, Lines, Names, Standing};
pub use rule_line::{Action, Between, Ending, Mark, RuleLine, RulePreference, Selector};
pub use static_lines::Static;
pub use track::{InitFile, TrackFile, Weight};
pub use units::Garbage;
pub use vrrp_instance::{Authentication, InitialState, Instance};

use std::collections::BTreeMap;

use block::{Reader, Statement};
use diag::Sink;
use keywords::Place;
use page::Page;
use row::{Row, Rows, rows};

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
    /// `static_ipaddress`.
    pub static_addresses: Lines<Static<AddressEntry>>,
    /// `static_routes`.
    pub static_routes: Lines<Static<RouteLine>>,
    /// `static_rules`.
    pub static_rules: Lines<Static<RuleLine>>,
}

impl Rows for Config {
    fn rows() -> &'static [Row<Self>] {
        rows! { Config:
            "static_ipaddress" => static_addresses: Kind::Lines("ADDRESS"), Refused, "",
                "Addresses that stay on the host whoever is master.";
            "static_routes" => static_routes: Kind::Lines("ROUTE"), Refused, "",
                "Routes that stay on the host whoever is master.";
            "static_rules" => static_rules: Kind::Lines("RULE"), Refused, "",
                "Rules of routing that stay on the host whoever is master.";
            "track_file" => track_files: Kind::Block("NAME"), Refused, "",
                "A file whose number changes priorities and weights.";
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
        "global_defs" => global::read(&mut config.global, found, sink),
        "child_wait_time" => {
            let wait = global::child_wait_time(found, sink);
            global::set(&mut config.global.child_wait_time, wait);
        }
        "garp_group" => {
            let group = announcement::group(found, &config.garp_groups, sink);
            config.garp_groups.extend(group);
        }
        "vrrp_instance" => {
            if let Some(instance) = vrrp_instance::read(found, names, sink) {
                config.instances.push(instance);
            }
        }
        _ => drop(config.global.processes.set_top(found, sink)),
    }
}
