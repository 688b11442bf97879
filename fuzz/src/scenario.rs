//! What the simulator reads: scenario files, faults, qualities and times.

use relevo_sim::expect::Expectation;
use relevo_sim::faults::{Fault, Names, parse_span};
use relevo_sim::scenario::Scenario;

use crate::trail::Trail;

/// Words of scenario files.
pub const WORDS: &[&str] = &[
    "[cluster]",
    "[host",
    "a]",
    "b]",
    "[client",
    "laptop]",
    "[link",
    "[event",
    "[expect]",
    "version",
    "=",
    "2",
    "3",
    "vrid",
    "interval",
    "vips",
    "preempt",
    "unicast",
    "quality",
    "wake",
    "order",
    "duplicate-detection",
    "extra",
    "seed",
    "until",
    "priority",
    "number",
    "start",
    "never",
    "config",
    "clock",
    "drift",
    "ping",
    "at",
    "do",
    "crash",
    "after",
    "freeze",
    "thaw",
    "cut",
    "join",
    "->",
    "unplug",
    "plug",
    "down",
    "up",
    "loss",
    "300",
    "delay",
    "5ms",
    "spread",
    "300us",
    "by",
    "1.5s",
    "refuse",
    "refuse-send",
    "refuse-socket",
    "take",
    "give",
    "remove",
    "restore",
    "noise",
    "20",
    "overrun",
    "heal",
    "on",
    "eth1",
    "a",
    "b",
    "laptop",
    "none",
    "master",
    "masters",
    "from",
    "to",
    "state",
    "backup",
    "address",
    "client",
    "outage",
    "most",
    "least",
    "takeovers",
    "two-masters",
    "no-master",
    "seen",
    "of",
    "51",
    "yes",
    "no",
    "|",
    "10.0.0.100/24",
    "fe80::64/64",
];

/// Words of the reasons why not.
const REASONS: &[&str] = &[
    "is",
    "no",
    "there",
    "are",
    "a",
    "that",
    "fits",
    "here",
    "number",
    "known",
    "not",
    "neither",
    "yes",
    "nor",
    "twice",
    "keys",
    "before",
    "the",
    "first",
    "and",
    "have",
    "same",
    "wants",
    "fault",
    "time",
    "quality",
    "host",
    "client",
    "or",
    "section",
    "value",
    "interface",
    "state",
    "be",
    "of",
    "to",
    "who",
    "event",
    "at",
    "do",
    "expectation",
    "other",
    "files",
    "address",
    "share",
    "in",
];

fn names() -> Names {
    Names {
        hosts: vec!["a".into(), "b".into()],
        clients: vec!["laptop".into()],
    }
}

/// Reads a scenario: the same twice, or a reason why not.
pub fn scenario(data: &[u8], trail: &mut Trail) {
    let text = String::from_utf8_lossy(data);
    let config = |_: &str| Err("there are no other files".to_owned());
    let scenario = match Scenario::read(&text, &config) {
        Ok(scenario) => scenario,
        Err(error) => {
            assert!(!error.is_empty());
            // Without the names and numbers in it.
            let plain = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            let before = error.split(['\'', '[', '=']).next().unwrap_or("");
            let words: Vec<_> = before.split(' ').filter(plain).collect();
            let words = &words[..words.len().min(3)];
            let known = words.iter().all(|word| REASONS.contains(word));
            let words = if known {
                words.join(" ")
            } else {
                "otherwise".to_owned()
            };
            return trail.mark(format_args!("refused: {words}"));
        }
    };
    let again = Scenario::read(&text, &config).expect("it was read before");
    assert_eq!(
        (&again.schedule, again.until, &again.expectations),
        (&scenario.schedule, scenario.until, &scenario.expectations)
    );
    trail.mark(format_args!(
        "read: {} hosts, {} clients, {} events, {} expectations",
        scenario.spec.hosts.len().min(4),
        scenario.spec.clients.len().min(4),
        scenario.schedule.len().min(4),
        scenario.expectations.len().min(4)
    ));
    for planned in &scenario.schedule {
        let word = format!("{:?}", planned.fault);
        trail.mark(format_args!(
            "fault {}",
            word.split(' ').next().unwrap_or("")
        ));
    }
}

/// One line: a fault that reads back from its own text, an expectation, or a time.
pub fn faults(data: &[u8], trail: &mut Trail) {
    let text = String::from_utf8_lossy(data);
    let names = names();
    for line in text.lines() {
        if let Ok(fault) = Fault::parse(line, &names) {
            let again = fault.text(&names);
            trail.mark(format_args!(
                "fault {}",
                again.split_whitespace().next().unwrap_or("")
            ));
            assert_eq!(Fault::parse(&again, &names), Ok(fault), "{again:?}");
        }
        if let Ok(span) = parse_span(line) {
            trail.mark(format_args!("time"));
            assert_eq!(parse_span(&format!("{}us", span.as_micros())), Ok(span));
            assert_eq!(parse_span(&span.to_string()), Ok(span));
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let (key, value) = (key.trim(), value.trim());
        if let Ok(expectation) = Expectation::parse(key, value, &names) {
            trail.mark(format_args!(
                "expect {}",
                key.split_whitespace().next().unwrap_or("")
            ));
            assert_eq!(Expectation::parse(key, value, &names), Ok(expectation));
        }
    }
}
