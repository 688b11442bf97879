use super::*;

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

#[test]
fn the_command_line_of_check() {
    let of = |line: &[&str]| read(&words(line));
    let one = of(&["a.conf"]).expect("a file");
    assert_eq!(one.files, [(None, "a.conf".into())]);
    assert_eq!(
        of(&["./a=b"]).expect("a file").files,
        [(None, "./a=b".into())]
    );
    let two = of(&["--format=json", "--strict", "a=/x/a.conf", "b=b.conf"]).expect("nodes");
    assert_eq!((two.format, two.strict), (Format::Json, true));
    let nodes = [
        (Some("a".to_owned()), "/x/a.conf".into()),
        (Some("b".to_owned()), "b.conf".into()),
    ];
    assert_eq!(two.files, nodes);
    assert!(of(&["--help"]).expect("help").help);
    for bad in [
        &[][..],
        &["--format"],
        &["--format", "xml", "a"],
        &["a=b"],
        &["a=b", "c"],
        &["--defaults", "a"],
        &["--frob", "a"],
        &["-x", "a"],
    ] {
        assert!(of(bad).is_err(), "{bad:?}");
    }
}

fn finding(severity: Severity) -> Diagnostic {
    let text = "vrrp_instance A {\nfoo \"x\n}\n";
    let mut found = config::parse("a\"b.conf", text).1;
    let mut first = found.remove(0);
    first.severity = severity;
    first
}

#[test]
fn the_worst_finding_decides_the_exit_code() {
    let of = |severities: &[Severity], strict| {
        let found: Vec<_> = severities.iter().map(|it| finding(*it)).collect();
        exit_code(&found, strict)
    };
    assert_eq!(of(&[], true), 0);
    assert_eq!(of(&[Severity::Warning], false), 0);
    assert_eq!(of(&[Severity::Deprecated], true), 4);
    assert_eq!(of(&[Severity::Error, Severity::Warning], true), 3);
    assert_eq!(of(&[Severity::Error, Severity::Refused], false), 2);
    assert_eq!(of(&[Severity::Fatal], false), 2);
}

#[test]
fn objects_have_all_keys_and_no_bare_control_characters() {
    let mut finding = finding(Severity::Error);
    finding.message = "a\"b\\c\nd\u{1}".to_owned();
    let text = json::object(&finding);
    assert!(
        text.ends_with("}\n") && text.matches('\n').count() == 1,
        "{text}"
    );
    for key in [
        "file",
        "line",
        "column",
        "start",
        "end",
        "severity",
        "code",
        "message",
        "help",
        "correction",
        "related",
    ] {
        assert!(text.contains(&format!("\"{key}\":")), "{key}: {text}");
    }
    assert!(text.contains(r#""file":"a\"b.conf""#), "{text}");
    assert!(text.contains(r#""message":"a\"b\\c\nd\u0001""#), "{text}");
}

#[test]
fn codes_are_explained_and_listed() {
    let (all, code) = explanation(&[]);
    assert_eq!((all.lines().count(), code), (Code::ALL.len(), 0));
    let (one, code) = explanation(&words(&["long-password", "stray-brace"]));
    assert_eq!(code, 0);
    assert!(one.starts_with("long-password: A password of more than eight octets.\n\n"));
    assert!(one.contains("\n\nstray-brace: "));
    let (none, code) = explanation(&words(&["long-pasword"]));
    assert_eq!(code, 1);
    assert!(none.contains("did you mean long-password?"), "{none}");
}
