//! Bad configurations and what is said about them: `tests/bad/NAME.conf` and
//! `NAME.expected` beside it.
//!
//! `NAME.expected` has the exit code of `-t`, that of keepalived 2.2.7 for the same file and, where
//! they differ, why; then for each finding its line, column, severity and code, how many second
//! places it has, and the correction that it proposes. `RELEVO_ACCEPT=1` writes the findings and our
//! exit code anew and leaves what is said about keepalived. Several files `NAME@NODE.conf` are the
//! nodes of a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use relevo_core::config::cluster::{self, Node};
use relevo_core::config::source::{Bundle, FileText};
use relevo_core::config::{self, Checked, Code, Diagnostic, HostFacts, InterfaceFact};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/bad")
}

/// The host that keepalived was asked on.
fn facts() -> HostFacts {
    let interface = |name: &str, loopback, multicast| InterfaceFact {
        name: name.to_owned(),
        loopback,
        multicast,
        mtu: 1_500,
    };
    HostFacts {
        hostname: "host".to_owned(),
        interfaces: vec![
            interface("lo", true, false),
            interface("eth0", false, true),
            interface("eth1", false, true),
            interface("tun0", false, false),
        ],
        ..HostFacts::default()
    }
}

/// The cases: each name with its nodes and their texts; one without a name for a single file.
fn cases() -> BTreeMap<String, Vec<(String, String)>> {
    let mut cases: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let entries = fs::read_dir(folder()).expect("the folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .filter_map(|name| Some(name.to_str()?.strip_suffix(".conf")?.to_owned()))
        .collect();
    names.sort();
    for name in names {
        let bytes = fs::read(folder().join(format!("{name}.conf"))).expect("readable");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (case, node) = name.split_once('@').unwrap_or((&name, ""));
        let nodes = cases.entry(case.to_owned()).or_default();
        nodes.push((node.to_owned(), text));
    }
    cases
}

fn show(found: &[Diagnostic]) -> String {
    let mut text = String::new();
    for it in found {
        if it.file != "-" {
            _ = write!(text, "{} ", it.file);
        }
        _ = write!(
            text,
            "{}:{} {} {}",
            it.line, it.column, it.severity, it.code
        );
        if !it.related.is_empty() {
            _ = write!(text, " +{}", it.related.len());
        }
        if let Some(correction) = &it.suggestion {
            _ = write!(text, " -> {correction}");
        }
        text.push('\n');
    }
    text
}

/// What is found in a case, and the exit code of `-t` if it is a single file.
fn look(name: &str, nodes: &[(String, String)]) -> (Vec<Diagnostic>, Option<u8>) {
    if let [(node, text)] = nodes
        && node.is_empty()
    {
        // A file may include itself.
        let mut sources = Bundle::single("-", text);
        let bytes = fs::read(folder().join(format!("{name}.conf"))).expect("readable");
        let own = FileText::of(bytes);
        for path in [
            "-".to_owned(),
            format!("{name}.conf"),
            format!("/{name}.conf"),
        ] {
            sources.files.insert(path, Ok(own.clone()));
        }
        let (_, found) = config::load_sources("-", &mut sources, &facts());
        let code = config::check_exit_code(&found);
        return (found, Some(code));
    }
    let checked: Vec<(&str, Checked)> = nodes
        .iter()
        .map(|(node, text)| (node.as_str(), config::check(node, text, &facts())))
        .collect();
    let mut found: Vec<Diagnostic> = checked.iter().flat_map(|it| it.1.found.clone()).collect();
    let nodes: Vec<Node<'_>> = checked
        .iter()
        .map(|(name, checked)| Node {
            name,
            config: &checked.config,
            bound: &checked.bound,
        })
        .collect();
    found.extend(cluster::compare(&nodes));
    (found, None)
}

/// Lines about keepalived in an expected file.
fn theirs(expected: &str) -> String {
    let lines = expected.lines();
    let about = lines.filter(|line| line.starts_with("keepalived ") || line.starts_with("why "));
    about.map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_bad_file_gets_its_findings() {
    let accept = std::env::var_os("RELEVO_ACCEPT").is_some();
    let cases = cases();
    assert!(cases.len() >= 200, "{}", cases.len());
    let mut wrong = String::new();
    for (name, nodes) in &cases {
        let path = folder().join(format!("{name}.expected"));
        let expected = fs::read_to_string(&path).unwrap_or_default();
        let (found, code) = look(name, nodes);
        let theirs = theirs(&expected);
        let ours = code.map_or_else(String::new, |code| format!("exit {code}\n"));
        let actual = format!("{ours}{theirs}{}", show(&found));
        if accept {
            fs::write(&path, &actual).expect("writable");
        } else if actual != expected {
            _ = writeln!(wrong, "{name}: expected\n{expected}but found\n{actual}");
        }
        if let Some(code) = code {
            let same = theirs.contains(&format!("keepalived {code}\n"));
            let told = theirs.lines().any(|line| line.starts_with("why "));
            if same == told {
                _ = writeln!(wrong, "{name}: `why` is missing, or too much:\n{actual}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_finding_stands_in_its_text_and_says_something() {
    for (name, nodes) in cases() {
        let text_of = |file: &str| {
            let own = nodes.iter().find(|(node, _)| node == file);
            own.or(nodes.first()).map(|(_, text)| text.as_str())
        };
        let (found, _) = look(&name, &nodes);
        assert!(!found.is_empty(), "{name} is not bad");
        for it in found {
            let text = text_of(&it.file).expect("its text");
            let place = text.get(it.span.clone());
            assert!(
                place.is_some() || it.span.start >= text.len(),
                "{name}: {it:?}"
            );
            assert!(
                !it.message.is_empty() && !it.message.ends_with('.'),
                "{name}: {it}"
            );
            assert!(!it.message.contains(char::is_control), "{name}: {it}");
            let line = text[..it.span.start].matches('\n').count() + 1;
            assert_eq!(it.line as usize, line, "{name}: {it}");
        }
    }
}

/// Codes of what only a host can tell, or files beside the one that is read, or very long texts.
const ELSEWHERE: &[Code] = &[
    Code::NotCheckedHere,
    Code::BadInterface,
    Code::UnsafeScript,
    Code::IncludeLoop,
    Code::LongText,
];

#[test]
fn every_code_occurs() {
    let mut seen: BTreeSet<Code> = ELSEWHERE.iter().copied().collect();
    for (name, nodes) in &cases() {
        seen.extend(look(name, nodes).0.iter().map(|it| it.code));
    }
    let missing: Vec<&str> = Code::ALL
        .iter()
        .filter(|code| !seen.contains(code))
        .map(|code| code.name())
        .collect();
    assert_eq!(missing, [""; 0]);
}
