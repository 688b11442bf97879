use relevo_core::config::{Class, Code, Related};

use super::*;

const TEXT: &str = "global_defs {\n}\nvrrp_instance VI_1 {\n\tprioritee 100\n}";

/// A finding about the first occurrence of `word`.
fn about(word: &str, line: u32, column: u32) -> Diagnostic {
    let start = TEXT.find(word).expect("in the text");
    Diagnostic {
        severity: Severity::Error,
        class: Class::UnknownKeyword,
        code: Code::UnknownWord,
        file: "a.conf".to_owned(),
        span: start..start + word.len(),
        line,
        column,
        message: "unknown word `prioritee`".to_owned(),
        help: None,
        suggestion: None,
        related: Vec::new(),
    }
}

#[test]
fn the_first_line_says_everything_and_the_place_follows() {
    let report = render(TEXT, &[about("prioritee", 4, 2)], Style::Plain);
    let expected = "\
a.conf:4:2: error: unknown word `prioritee` [unknown-word]
  |
4 |     prioritee 100
  |     ^^^^^^^^^
";
    assert_eq!(report, expected);
}

#[test]
fn help_and_suggestion_are_shown() {
    let mut diagnostic = about("prioritee", 4, 2);
    diagnostic.help = Some("words of an instance are listed in the manual".to_owned());
    diagnostic.suggestion = Some("priority".to_owned());
    let report = render(TEXT, &[diagnostic], Style::Plain);
    assert!(
        report.contains("help: words of an instance are listed"),
        "{report}"
    );
    assert!(report.contains("perhaps this was meant"), "{report}");
    assert!(report.contains("priority 100"), "{report}");
}

#[test]
fn colours_only_where_they_are_wanted() {
    let diagnostics = [about("prioritee", 4, 2)];
    assert!(render(TEXT, &diagnostics, Style::Terminal).contains('\u{1b}'));
    assert!(!render(TEXT, &diagnostics, Style::Plain).contains('\u{1b}'));
}

#[test]
fn places_at_the_edges_do_not_break_it() {
    let mut diagnostic = about("}", 2, 1);
    let end = TEXT.len();
    for span in [
        0..1,
        end - 1..end,
        end..end,
        end..end + 5,
        0..end,
        3..3,
        13..16,
    ] {
        diagnostic.span = span;
        let report = render(TEXT, &[diagnostic.clone()], Style::Plain);
        assert_eq!(
            report.lines().next(),
            Some("a.conf:2:1: error: unknown word `prioritee` [unknown-word]")
        );
    }
    // Not on a character's edge.
    diagnostic.span = 1..2;
    assert!(
        render("\u{20ac}\u{20ac}", &[diagnostic.clone()], Style::Plain)
            .lines()
            .count()
            == 1
    );
    assert!(render("", &[diagnostic], Style::Plain).lines().count() == 1);
}

#[test]
fn second_places_are_shown_with_their_file() {
    let mut diagnostic = about("prioritee", 4, 2);
    let other = "one\ntwo three\n";
    let related = |span: Range<usize>| Related {
        file: "b.conf".to_owned(),
        span,
        line: 2,
        column: 5,
        text: "stands here".to_owned(),
    };
    diagnostic.related = vec![related(8..13); 5];
    let text_of = |name: &str| match name {
        "a.conf" => Some(TEXT),
        "b.conf" => Some(other),
        _ => None,
    };
    let report = render_all(&text_of, &[diagnostic], Style::Plain);
    assert!(report.contains("b.conf:2"), "{report}");
    assert_eq!(report.matches("stands here").count(), 3, "{report}");
    assert!(report.contains("and 2 more places"), "{report}");
}

#[test]
fn secrets_are_not_shown() {
    let text = "authentication {\n\tauth_pass s\u{e9}cret1234 # old\n\tkey 1 hex:00ff\n}";
    for (word, line) in [("s\u{e9}cret1234", 2), ("hex:00ff", 3)] {
        let start = text.find(word).expect("in the text");
        let finding = Diagnostic {
            span: start..start + word.len(),
            line,
            related: vec![Related {
                file: "a.conf".to_owned(),
                span: start..start + word.len(),
                line,
                column: 1,
                text: "defined here".to_owned(),
            }],
            ..about("prioritee", line, 12)
        };
        let report = render(text, &[finding], Style::Plain);
        assert!(
            report.contains("*******") && report.contains('^'),
            "{report}"
        );
        assert!(
            !report.contains(word) && !report.contains("defined here"),
            "{report}"
        );
    }
    let file = "SSL {\nkey /etc/ssl/a.key\n}";
    assert_eq!(masked(file), file);
}

#[test]
fn nothing_is_printed_for_nothing() {
    assert_eq!(render(TEXT, &[], Style::Terminal), "");
}
