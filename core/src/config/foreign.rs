//! Texts that are not of this language at all: one message instead of one for each line.

use super::code::Code;
use super::diag::{Class, Severity, Sink, Span};
use super::keywords;

/// Lines that are looked at.
const LINES: usize = 400;

/// What another program or format calls its own: how it is named in the message, and the first words
/// of its lines, of which a text has at least two.
const PROGRAMS: &[(&str, &[&str])] = &[
    (
        "of HAProxy",
        &[
            "backend", "bind", "defaults", "frontend", "global", "listen", "maxconn", "timeout",
        ],
    ),
    (
        "of nginx",
        &[
            "events",
            "http",
            "location",
            "proxy_pass",
            "server_name",
            "upstream",
            "worker_processes",
        ],
    ),
    (
        "of Pacemaker",
        &[
            "colocation",
            "location",
            "node",
            "order",
            "primitive",
            "property",
            "rsc_defaults",
        ],
    ),
    (
        "of a router such as FRR or Cisco's",
        &[
            "hostname", "ip", "ipv6", "line", "no", "router", "service", "vrrp",
        ],
    ),
];

/// What the text is, if it is none of keepalived: `the configuration of HAProxy`, `JSON`..
pub(super) fn recognise(text: &str) -> Option<String> {
    let text = text.trim_start_matches('\u{feff}');
    if is_ours(text) {
        return None;
    }
    let document = of_document(text).map(str::to_owned);
    document.or_else(|| of_program(text).map(|name| format!("the configuration {name}")))
}

/// The one message; nothing of the text is read.
pub(super) fn report(what: &str, text: &str, sink: &mut Sink) {
    let comment = |line: &&str| line.trim().is_empty() || line.trim_start().starts_with('#');
    let skipped = text.split_inclusive('\n').take_while(comment);
    let (mut start, mut line) = (0_usize, 1_u32);
    for comment in skipped {
        start += comment.len();
        line += 1;
    }
    let rest = text.get(start..).unwrap_or_default();
    let length = rest.find('\n').unwrap_or(rest.len());
    if length == 0 {
        (start, line) = (0, 1);
    }
    let byte = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let span = Span {
        file: 0,
        origin: 0,
        column: 1,
        line,
        start: byte(start),
        end: byte(start + length),
    };
    let message = format!("this is {what}, not of keepalived or relevo; nothing of it is used");
    sink.report(Severity::Error, Class::UnknownKeyword, span, message)
        .code(Code::ForeignLanguage)
        .help("check the name of the file");
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    let all = text.lines().take(LINES).map(str::trim);
    all.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn first_word(line: &str) -> &str {
    let end = line.find(|c: char| c.is_whitespace() || "{;".contains(c));
    &line[..end.unwrap_or(line.len())]
}

/// A line begins a block of ours, or asks for text that may have one.
fn is_ours(text: &str) -> bool {
    let begins = |line: &str| {
        let word = first_word(line);
        keywords::begins_top_block(word)
            || word.starts_with("include")
            || line.starts_with(['@', '$', '~'])
    };
    text.lines().map(str::trim).any(begins)
}

fn of_document(text: &str) -> Option<&'static str> {
    let start = text.trim_start();
    if start.starts_with("#!") {
        return Some("a script");
    }
    if let Some(rest) = start.strip_prefix(['{', '[']) {
        let quoted = rest.trim_start().starts_with(['"', '{', '[']);
        if quoted && text.contains('"') && text.contains(['}', ']']) {
            return Some("JSON");
        }
    }
    let first = lines(text).next()?;
    if first.starts_with("<?xml") || (first.starts_with('<') && first.ends_with('>')) {
        return Some("XML");
    }
    let (mut all, mut yaml, mut ini, mut sections) = (0, 0, 0, 0);
    for line in lines(text) {
        all += 1;
        yaml += usize::from(is_yaml(line));
        ini += usize::from(line.contains('=') && !line.ends_with('{'));
        sections += usize::from(line.starts_with('[') && line.ends_with(']'));
    }
    if first == "---" || (all > 1 && yaml * 10 >= all * 7) {
        return Some("YAML");
    }
    if (sections > 0 || all > 1) && (ini + sections) * 10 >= all * 8 && ini > 0 {
        return Some("a file of settings (NAME=VALUE)");
    }
    None
}

/// `name: value`, `name:` or `- value`.
fn is_yaml(line: &str) -> bool {
    if line.ends_with(['{', '}', ';']) {
        return false;
    }
    if line.starts_with("- ") {
        return true;
    }
    let Some((name, rest)) = line.split_once(':') else {
        return false;
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    !name.is_empty() && name.chars().all(is_name) && (rest.is_empty() || rest.starts_with(' '))
}

fn of_program(text: &str) -> Option<&'static str> {
    let count = |words: &[&str]| {
        let own = |word: &&str| lines(text).any(|line| first_word(line) == *word);
        words.iter().filter(|word| own(word)).count()
    };
    let counted = PROGRAMS.iter().map(|(name, words)| (count(words), *name));
    let best = counted.max_by_key(|(count, _)| *count);
    best.filter(|(count, _)| *count > 1).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_programs_are_told_apart() {
        let is = |text: &str| recognise(text).unwrap_or_default();
        let haproxy = "global\n  maxconn 5\ndefaults\n  mode http\nfrontend a\n  bind *:80\n";
        assert_eq!(is(haproxy), "the configuration of HAProxy");
        let nginx = "events {\n}\nhttp {\n  server {\n    listen 80;\n  }\n}\n";
        assert_eq!(is(nginx), "the configuration of nginx");
        let crm = "node a\nprimitive vip IPaddr2 params ip=10.0.0.1\nproperty x=y\n";
        assert_eq!(is(crm), "the configuration of Pacemaker");
        let frr = "hostname r1\ninterface eth0\n vrrp 5\n ip address 10.0.0.1/24\n";
        assert!(is(frr).contains("FRR"));
        assert_eq!(is("{\n  \"vrrp_instance\": {}\n}\n"), "JSON");
        assert_eq!(is("---\nvrrp:\n  - name: a\n"), "YAML");
        assert_eq!(
            is("keepalived:\n  state: MASTER\n  priority: 100\n"),
            "YAML"
        );
        assert_eq!(is("<?xml version=\"1.0\"?>\n<cib>\n</cib>\n"), "XML");
        assert_eq!(is("#!/bin/sh\necho a\n"), "a script");
        assert!(is("[Unit]\nDescription=a\n[Service]\nType=b\n").contains("settings"));
        assert!(is("VIP_ADDRESS=10.0.0.1\nPASSWORD=x\n").contains("settings"));
    }

    #[test]
    fn what_may_be_ours_is_read() {
        for text in [
            "",
            "foo\n",
            "priority 100\n",
            "global\nbackend\nvrrp_instance A {\n}\n",
            "include a\nglobal\nlisten x\n",
            "$A=1\n$B=2\n",
            "{\npriority 1\n}\n",
            "globl_defs {\n}\n",
            "use_pid_dir\nchild_wait_time 3\n",
        ] {
            assert_eq!(recognise(text), None, "{text}");
        }
    }
}
