//! How long a test runs. `make test` has shortened versions; `make soak` runs the same tests with
//! `RELEVO_SOAK=1` at full length, and collects the rows that they tell in a table.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;

/// Whether this is the long run.
pub fn on() -> bool {
    std::env::var_os("RELEVO_SOAK").is_some_and(|value| value == "1")
}

fn knob(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// How long a flood lasts: `short`, or `RELEVO_SOAK_SECONDS` (a minute) in the long run.
pub fn time(short: Duration) -> Duration {
    if on() {
        Duration::from_secs(knob("RELEVO_SOAK_SECONDS", 60))
    } else {
        short
    }
}

/// How often something is tried: `short`, or `long` in the long run unless `RELEVO_SOAK_ROUNDS` says
/// otherwise.
pub fn rounds(short: u64, long: u64) -> u64 {
    if on() {
        knob("RELEVO_SOAK_ROUNDS", long)
    } else {
        short
    }
}

/// Tells a figure: on the terminal, and in the file named by `RELEVO_SOAK_TABLE`, which the long run
/// prints at its end.
pub fn row(test: &str, who: &str, what: &str, value: &str) {
    let line = format!("{test}|{who}|{what}|{value}\n");
    eprint!("{line}");
    if let Some(path) = std::env::var_os("RELEVO_SOAK_TABLE") {
        let file = OpenOptions::new().create(true).append(true).open(path);
        // One write of one line: rows of several tests do not mix.
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        assert!(written.is_ok(), "the table cannot be written: {written:?}");
    }
}
