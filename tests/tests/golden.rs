//! Golden traces: `tests/golden/AREA/CASE/{config.conf, NN-in.trace, NN-out.trace}`, and
//! `config-N.conf` for each line `reload N`.
//!
//! The events of each `NN-in.trace`, in order, go into one machine; the actions must be those of
//! `NN-out.trace`, to the letter. `#` begins a comment line. A trace whose first line is `# MICROS
//! successor` goes into a new machine, which is given what the former one left. Run with `RELEVO_ACCEPT=1` to write
//! the expected files anew, and say in the commit why they changed.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use relevo_core::config::bound::Bound;
use relevo_core::config::{HostFacts, InterfaceFact, bind, parse};
use relevo_core::machine::{Machine, Out};
use relevo_core::time::{Duration, Instant};
use relevo_core::trace::{Input, Line, action_line};
use relevo_core::vrrp::{VrrpAction, VrrpEvent, VrrpNode};
use relevo_sim::memory::Memory;

#[test]
fn every_case_gives_its_expected_actions() {
    let accept = std::env::var_os("RELEVO_ACCEPT").is_some();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let cases: Vec<PathBuf> = folders(&root)
        .iter()
        .flat_map(|area| folders(area))
        .collect();
    assert!(cases.len() >= 8, "only {} cases", cases.len());
    let mut wrong = String::new();
    for case in &cases {
        for (expected_path, actual) in play(case) {
            let expected = fs::read_to_string(&expected_path).unwrap_or_default();
            if accept {
                fs::write(&expected_path, &actual).expect("the expected file can be written");
            } else if expected != actual {
                let _ = writeln!(wrong, "{}:", expected_path.display());
                let _ = writeln!(wrong, "{}", first_difference(&expected, &actual));
            }
        }
    }
    assert!(wrong.is_empty(), "other actions than expected:\n{wrong}");
}

/// Plays a case; returns each expected file with the actions that there were.
fn play(case: &Path) -> Vec<(PathBuf, String)> {
    let mut bound = configuration(case, "config.conf");
    let mut node = VrrpNode::new(Arc::clone(&bound), 0, Instant::ZERO);
    let mut out = Out::new();
    let mut memory = Memory::default();
    let mut results = Vec::new();
    for input in inputs(case) {
        let mut actual = String::new();
        let text = fs::read_to_string(&input).expect("a readable trace");
        if let Some(at) = successor_at(&text) {
            node = VrrpNode::resume(Arc::clone(&bound), &memory.records(), 0, at);
        }
        for line in text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
        {
            let line = Line::parse(line).unwrap_or_else(|error| panic!("{error}"));
            match line.input().unwrap_or_else(|error| panic!("{error}")) {
                Input::Timeout => node.handle_timeout(line.at, &mut out),
                Input::Reload(number) => {
                    let bound = configuration(case, &format!("config-{number}.conf"));
                    node.handle(VrrpEvent::Reload { number, bound }, line.at, &mut out);
                }
                Input::Event(event) => node.handle(event, line.at, &mut out),
            }
            for action in out.actions() {
                match action {
                    VrrpAction::Remember {
                        instance,
                        slot,
                        record,
                    } => memory.remember(*instance, *slot, out.bytes(*record)),
                    VrrpAction::SendAdvert { instance, .. } => memory.stamp(*instance, line.at),
                    _ => {}
                }
                let _ = writeln!(actual, "{}", action_line(line.at, action, &out, &bound));
                if let VrrpAction::InForce(new) = action {
                    bound = Arc::clone(new);
                }
            }
            out.clear();
        }
        if let Some((at, timer)) = node.next_timeout() {
            let _ = writeln!(actual, "# next: {} {timer:?}", at.as_micros());
        }
        let name = input.to_string_lossy().replace("-in.trace", "-out.trace");
        results.push((PathBuf::from(name), actual));
    }
    results
}

/// When a new process begins, if the trace says so.
fn successor_at(text: &str) -> Option<Instant> {
    let first = text.lines().next()?.strip_prefix("# ")?;
    let micros = first.strip_suffix(" successor")?.parse().ok()?;
    Some(Instant::from_micros(micros))
}

/// `config.conf`, and `config-N.conf` for the reload of number N.
fn configuration(case: &Path, name: &str) -> Arc<Bound> {
    let path = case.join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let (config, parse_findings) = parse(name, &text);
    let (bound, bind_findings) = bind(&config, &facts());
    assert!(
        parse_findings.is_empty() && bind_findings.is_empty(),
        "{}",
        path.display()
    );
    Arc::new(bound)
}

fn facts() -> HostFacts {
    let interface = |name: &str| InterfaceFact {
        name: name.to_owned(),
        loopback: false,
        multicast: true,
        mtu: 1500,
    };
    HostFacts {
        hostname: "node".to_owned(),
        uptime: Duration::from_secs(3_600),
        interfaces: vec![interface("eth0"), interface("eth1")],
    }
}

fn inputs(case: &Path) -> Vec<PathBuf> {
    let mut inputs: Vec<PathBuf> = fs::read_dir(case)
        .expect("a readable folder")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.to_string_lossy().ends_with("-in.trace"))
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{} has no trace", case.display());
    inputs
}

fn folders(root: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir(root)
        .unwrap_or_else(|error| panic!("{}: {error}", root.display()))
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

fn first_difference(expected: &str, actual: &str) -> String {
    let mut expected_lines = expected.lines();
    let mut actual_lines = actual.lines();
    for number in 1.. {
        let (want, got) = (expected_lines.next(), actual_lines.next());
        if want != got {
            let none = "(nothing)";
            let (want, got) = (want.unwrap_or(none), got.unwrap_or(none));
            return format!("  line {number}\n  expected {want}\n  actual   {got}");
        }
    }
    String::new()
}
