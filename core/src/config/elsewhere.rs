//! Checking a text on any machine: what only its own host can tell is named, not guessed.

use std::collections::BTreeSet;

use super::bound::Bound;
use super::code::Code;
use super::diag::{Diagnostic, EXIT_CONFIG, Sink, check_exit_code};
use super::source::Sources;
use super::{Config, HostFacts, bind, parse, parse_sources};

/// A text that was checked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Checked {
    /// As written.
    pub config: Config,
    /// As the daemon would use it.
    pub bound: Bound,
    /// What was found, in the order of the text.
    pub found: Vec<Diagnostic>,
}

/// Reads `text` as [`super::load`] does, but an interface that `facts` do not have may be on the host
/// that the text is for: one finding names those that were not looked at.
pub fn check(file: &str, text: &str, facts: &HostFacts) -> Checked {
    check_parsed(parse(file, text), facts)
}

/// The same for a file and what it includes.
pub fn check_sources(file: &str, sources: &mut dyn Sources, facts: &HostFacts) -> Checked {
    check_parsed(parse_sources(file, sources), facts)
}

/// The same for what [`parse_sources`] has returned.
pub fn check_parsed((config, mut found): (Config, Vec<Diagnostic>), facts: &HostFacts) -> Checked {
    if check_exit_code(&found) == EXIT_CONFIG {
        return Checked {
            config,
            bound: Bound::default(),
            found,
        };
    }
    let mut lenient = config.clone();
    lenient.global.dynamic_interfaces = true;
    let (mut bound, more) = bind(&lenient, facts);
    bound.global.dynamic_interfaces = config.global.dynamic_interfaces;
    found.extend(more);
    found.extend(unchecked(&config, &bound, facts));
    config.places.sort(&mut found);
    let found = config.places.improved(found);
    Checked {
        config,
        bound,
        found,
    }
}

/// Names the interfaces that could not be looked at.
fn unchecked(config: &Config, bound: &Bound, facts: &HostFacts) -> Vec<Diagnostic> {
    let known: BTreeSet<&str> = facts.interfaces.iter().map(|it| it.name.as_str()).collect();
    let mut unknown: BTreeSet<&str> = BTreeSet::new();
    for instance in &bound.instances {
        unknown.insert(&instance.interface);
        unknown.extend(instance.all_addresses().filter_map(|it| it.dev.as_deref()));
    }
    unknown.retain(|name| !known.contains(name));
    if unknown.is_empty() || config.global.dynamic_interfaces {
        return Vec::new();
    }
    let mut sink = Sink::at(&config.places);
    let first = config.instances.iter().find_map(|it| {
        let interface = it.interface.as_ref()?;
        unknown
            .contains(interface.value.as_str())
            .then_some(interface.span)
    });
    let names: Vec<String> = unknown.iter().map(|name| format!("`{name}`")).collect();
    let what = if names.len() == 1 {
        "the interface"
    } else {
        "the interfaces"
    };
    let message = format!(
        "this machine cannot tell whether {what} {} can carry the adverts and addresses",
        names.join(", ")
    );
    sink.note(first.unwrap_or_default(), message)
        .code(Code::NotCheckedHere)
        .help("run `relevo -t` on the host itself for that");
    sink.finish()
}
