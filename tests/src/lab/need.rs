//! What the lab needs of the machine, and what of it is missing.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use super::command::run;
use super::net::Lab;

/// Programs that every lab uses, with the Debian package of each.
const ALWAYS: [(&str, &str); 5] = [
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
    ("setpriv", "util-linux"),
    ("ping", "iputils-ping"),
];

/// Programs that captures and their judge use.
const CAPTURE: [(&str, &str); 3] = [
    ("tcpdump", "tcpdump"),
    ("tshark", "tshark"),
    ("python3", "python3"),
];

/// The Python that sends frames: Debian's own where it is, else whatever is found.
pub fn python() -> &'static str {
    if Path::new("/usr/bin/python3").exists() {
        "/usr/bin/python3"
    } else {
        "python3"
    }
}

/// Whether a program is on the search path.
fn found(program: &str) -> bool {
    run(&["sh", "-c", "command -v \"$0\"", program]).is_ok()
}

fn missing(programs: &[(&str, &str)]) -> Vec<String> {
    let gone = programs.iter().filter(|(program, _)| !found(program));
    gone.map(|(program, package)| format!("{program} (package {package})"))
        .collect()
}

/// Whether this process is root, of the machine or of a user namespace.
pub fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("Uid:"))
        .unwrap_or_default();
    line.split_whitespace().nth(2) == Some("0")
}

/// What keeps a lab from being built here, in words.
pub fn lab() -> Option<String> {
    static ANSWER: OnceLock<Option<String>> = OnceLock::new();
    let answer = ANSWER.get_or_init(|| {
        if !is_root() {
            return Some("needs root, to make network namespaces".to_owned());
        }
        let gone = missing(&ALWAYS);
        if !gone.is_empty() {
            return Some(format!("not installed: {}", gone.join(", ")));
        }
        let trial = Lab::new(&["a"]);
        trial
            .err()
            .map(|error| format!("no network can be built here: {error}"))
    });
    answer.clone()
}

/// What keeps an end-to-end test from running here: [`lab`], and the programs that capture and judge.
pub fn end_to_end() -> Option<String> {
    lab().or_else(|| {
        let gone = missing(&CAPTURE);
        (!gone.is_empty()).then(|| format!("not installed: {}", gone.join(", ")))
    })
}

/// What keeps a test with a real keepalived from running here.
pub fn keepalived() -> Option<String> {
    end_to_end().or_else(|| {
        (!found("keepalived")).then(|| "not installed: keepalived (package keepalived)".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_its_package() {
        let programs = [("sh", "dash"), ("no-such-program", "no-such-package")];
        assert_eq!(
            missing(&programs),
            ["no-such-program (package no-such-package)"]
        );
    }
}
