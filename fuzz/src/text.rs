//! Trace lines.

use relevo_core::trace::{self, Input, Line};

use crate::trail::Trail;

/// Words of trace lines.
pub const TRACE_WORDS: &[&str] = &[
    "link",
    "link-gone",
    "address",
    "address-gone",
    "dump-start",
    "dump-end",
    "packet4",
    "packet6",
    "done",
    "socket",
    "send-failed",
    "stop",
    "continue",
    "timeout",
    "ok",
    "errno=17",
    "errno=-1",
    "mac=020000000001",
    "mac=",
    "up",
    "running",
    "loopback",
    "noarp",
    "multicast",
    "forwarding",
    "mtu=1500",
    "mtu=0",
    "tentative",
    "dad-failed",
    "secondary",
    "proto=18",
    "eth0",
    "10.0.0.1/24",
    "fe80::1/64",
    "::/129",
    "fe80::1",
    "45",
    "4500",
];

/// An event that is read from a line is written as a line that gives the same event.
pub fn trace(data: &[u8], trail: &mut Trail) {
    let text = String::from_utf8_lossy(data);
    for text in text.lines() {
        let line = match Line::parse(text) {
            Ok(line) => line,
            Err(error) => {
                trail.mark(format_args!("line: {}", error.problem));
                assert_eq!(error.line, text);
                continue;
            }
        };
        match line.input() {
            Err(error) => trail.mark(format_args!("{}: {}", word(text), error.problem)),
            Ok(Input::Timeout) => trail.mark(format_args!("timeout")),
            Ok(Input::Event(event)) => {
                trail.mark(format_args!("{}", word(text)));
                let again = trace::event_line(line.at, &event);
                assert!(!again.contains('\n'), "{again:?}");
                let second = Line::parse(&again).expect("what was written can be read");
                assert_eq!(second.at, line.at);
                assert_eq!(second.input(), Ok(Input::Event(event)), "{again}");
            }
        }
    }
}

/// The word that says what happened, if it is one of ours.
fn word(line: &str) -> &str {
    let word = line.split_ascii_whitespace().nth(1).unwrap_or("");
    TRACE_WORDS
        .iter()
        .find(|known| **known == word)
        .copied()
        .unwrap_or("other")
}
