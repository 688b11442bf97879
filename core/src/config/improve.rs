//! Findings as a reader wants them: one for each mistake.
//!
//! The readers say what they see, each for itself, and one mistake may be seen several times: a place
//! of a template that was never filled in is a stray brace, a word without value and a bad address at
//! once; a brace too many makes each of the lines behind it a stranger. This pass looks at the text
//! around the findings and joins those. The worst severity and class of what is joined remains, so
//! that no exit code changes.

use std::collections::BTreeSet;

use super::code::Code;
use super::diag::{Class, Diagnostic, Severity, quoted};

/// Joins what is about one mistake. `text_of` has the text of a file by its name; `found` is in the
/// order of the text.
pub(super) fn improve<'t>(
    found: Vec<Diagnostic>,
    text_of: impl Fn(&str) -> Option<&'t str>,
) -> Vec<Diagnostic> {
    if found.is_empty() {
        return found;
    }
    let mut kept: Vec<Diagnostic> = Vec::with_capacity(found.len());
    for finding in found {
        let Some(text) = text_of(&finding.file) else {
            kept.push(finding);
            continue;
        };
        let joined = kept
            .last_mut()
            .is_some_and(|last| last.file == finding.file && join(last, &finding, text));
        if !joined {
            kept.push(as_hole(finding, text));
        }
    }
    kept = without_consequences(kept, &text_of);
    without_repeats(kept)
}

/// Takes `next` into `last` if both are about one place of a template, or one run of lines that a
/// stray brace has put outside their block.
fn join(last: &mut Diagnostic, next: &Diagnostic, text: &str) -> bool {
    let same_hole = last.code == Code::TemplateHole
        && last.line == next.line
        && hole_in_line(line_around(text, next.span.start)).is_some();
    let outside = is_outside(last)
        && (is_outside(next) || next.code == Code::StrayBrace)
        && only_strangers_between(last, next, text);
    if !same_hole && !outside {
        return false;
    }
    if outside {
        add_stranger(last, next);
    }
    last.severity = last.severity.max(next.severity);
    last.class = last.class.max(next.class);
    true
}

/// A word of some block that stands in none.
fn is_outside(finding: &Diagnostic) -> bool {
    finding.code == Code::MisplacedWord && finding.message.contains("outside all blocks")
}

/// True if each line between the two is blank, a comment, or of a block of strangers.
fn only_strangers_between(last: &Diagnostic, next: &Diagnostic, text: &str) -> bool {
    let lines = next.line.saturating_sub(last_line(last));
    if lines <= 1 {
        return true;
    }
    let Some(between) = text.get(last.span.start..next.span.start) else {
        return false;
    };
    let begins = |line: &str| {
        let word = line.split([' ', '\t', '{']).next().unwrap_or_default();
        super::keywords::begins_top_block(word)
    };
    !between.lines().skip(1).any(|line| begins(line.trim()))
}

/// The last line that a joined finding speaks of.
fn last_line(finding: &Diagnostic) -> u32 {
    let of_related = finding.related.last().map(|it| it.line);
    of_related.unwrap_or(finding.line).max(finding.line)
}

fn add_stranger(last: &mut Diagnostic, next: &Diagnostic) {
    let text = match next.code {
        Code::StrayBrace => "this `}` closes nothing",
        _ => "outside all blocks too",
    };
    last.related.push(super::diag::Related {
        file: next.file.clone(),
        span: next.span.clone(),
        line: next.line,
        column: next.column,
        text: text.to_owned(),
    });
    last.help = Some(
        "a `}` before this line closes the block too early, or a `{` is missing: look there first"
            .to_owned(),
    );
}

/// The line that byte `at` stands in.
fn line_around(text: &str, at: usize) -> &str {
    let Some((before, behind)) = text.split_at_checked(at) else {
        return "";
    };
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let end = behind.find('\n').map_or(text.len(), |newline| at + newline);
    text.get(start..end).unwrap_or_default()
}

/// A finding that comes from a place of a template speaks of that.
fn as_hole(mut finding: Diagnostic, text: &str) -> Diagnostic {
    if finding.severity < Severity::Error || is_exempt(finding.code) {
        return finding;
    }
    let line = line_around(text, finding.span.start);
    let line_start = text
        .get(..finding.span.start)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |newline| newline + 1);
    if let Some(hole) = hole_in_line(line) {
        let column = line
            .get(..hole.start)
            .map_or(0, |before| before.chars().count());
        finding.column = u32::try_from(column + 1).unwrap_or(u32::MAX);
        finding.span = line_start + hole.start..line_start + hole.end;
        become_hole(&mut finding, text);
        return finding;
    }
    let word = text.get(finding.span.clone()).unwrap_or_default();
    if may_be_hole(finding.code) && is_hole(word.trim_matches('"')) {
        become_hole(&mut finding, text);
    }
    finding
}

/// What is not about the text of the span.
const fn is_exempt(code: Code) -> bool {
    matches!(
        code,
        Code::NotBuilt | Code::LongPassword | Code::TemplateHole | Code::SameVrid | Code::NameTaken
    )
}

/// What is said of a value, or a word, that is not understood.
const fn may_be_hole(code: Code) -> bool {
    matches!(
        code,
        Code::BadValue
            | Code::BadNumber
            | Code::BadAddress
            | Code::BadTime
            | Code::BadChoice
            | Code::BadBoolean
            | Code::BadMulticastGroup
            | Code::LongName
            | Code::NoSuchInterface
            | Code::UnknownOption
            | Code::UnknownWord
    )
}

fn become_hole(finding: &mut Diagnostic, text: &str) {
    let shown = quoted(text.get(finding.span.clone()).unwrap_or_default());
    finding.code = Code::TemplateHole;
    finding.message =
        format!("{shown} is a place of a template that was never filled in; nothing is guessed");
    finding.help = Some("write what belongs here, and check how the file was made".to_owned());
    finding.suggestion = None;
}

/// `{{ .. }}`, `{% .. %}` or `<% .. %>` outside comments and quotes, as bytes of the line.
fn hole_in_line(line: &str) -> Option<std::ops::Range<usize>> {
    for (open, close) in [("{{", "}}"), ("{%", "%}"), ("<%", "%>")] {
        let Some(start) = line.find(open) else {
            continue;
        };
        let before = &line[..start];
        let is_comment = before.contains(['#', '!']);
        let is_quoted = before.matches('"').count() % 2 == 1;
        if is_comment || is_quoted {
            continue;
        }
        let length = line[start..].find(close).map(|at| at + close.len());
        return length.map(|length| start..start + length);
    }
    None
}

/// True for `<interface>`, `X.X.X.X`, `%VIP%`, `__VIP__`, `@VIP@`, `CHANGE_ME`, `YOUR_IP`..
fn is_hole(word: &str) -> bool {
    let inside = |open: char, close: char| {
        let inner = word.strip_prefix(open)?.strip_suffix(close)?;
        (!inner.is_empty()).then_some(inner)
    };
    let is_name = |name: &str| {
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || "_- .".contains(c))
    };
    let bracketed = word.find('<').is_some_and(|at| word[at..].contains('>'));
    bracketed
        || (word.starts_with("${") && !word.starts_with("${_") && word.ends_with('}'))
        || inside('%', '%').is_some_and(is_name)
        || inside('@', '@').is_some_and(is_name)
        || (word.len() > 4 && word.starts_with("__") && word.ends_with("__"))
        || [
            "CHANGEME",
            "CHANGE_ME",
            "REPLACE_ME",
            "REPLACEME",
            "TODO",
            "FIXME_",
        ]
        .iter()
        .any(|hole| word.starts_with(hole))
        || word.starts_with("YOUR_")
        || is_drawn_address(word)
}

/// An address of which a part is drawn: `X.X.X.X`, `192.168.1.x/24`, `a.b.c.d`.
fn is_drawn_address(word: &str) -> bool {
    let address = word.split('/').next().unwrap_or_default();
    let parts: Vec<&str> = address.split('.').collect();
    let is_drawn = |part: &&str| {
        let mark = |c: char| "xX?*".contains(c);
        !part.is_empty()
            && (part.chars().all(mark)
                || matches!(*part, "a" | "b" | "c" | "d" | "y" | "z" | "YY" | "ZZ"))
    };
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let drawn = parts.iter().filter(|part| is_drawn(part)).count();
    let numbers = parts.iter().filter(|part| is_number(part)).count();
    parts.len() == 4 && drawn > 0 && drawn + numbers == 4
}

/// A required word whose value is wrong is not missing as well.
fn without_consequences<'t>(
    found: Vec<Diagnostic>,
    text_of: &impl Fn(&str) -> Option<&'t str>,
) -> Vec<Diagnostic> {
    let mut dropped: Vec<usize> = Vec::new();
    let mut raised: Vec<(usize, Severity, Class)> = Vec::new();
    for (place, finding) in found.iter().enumerate() {
        let Some(word) = needed(finding.code) else {
            continue;
        };
        let Some(text) = text_of(&finding.file) else {
            continue;
        };
        let end = block_end(text, finding.span.start);
        let cause = found.iter().position(|other| {
            other.file == finding.file
                && other.severity >= Severity::Error
                && (finding.span.start + 1..end).contains(&other.span.start)
                && is_about(word, text, other)
        });
        if let Some(cause) = cause {
            dropped.push(place);
            raised.push((cause, finding.severity, finding.class));
        }
    }
    let mut found = found;
    for (place, severity, class) in raised {
        if let Some(cause) = found.get_mut(place) {
            cause.severity = cause.severity.max(severity);
            cause.class = cause.class.max(class);
        }
    }
    let mut place = 0;
    found.retain(|_| {
        place += 1;
        !dropped.contains(&(place - 1))
    });
    found
}

/// The word that would have prevented a finding.
const fn needed(code: Code) -> Option<&'static str> {
    match code {
        Code::MissingVrid => Some("virtual_router_id"),
        Code::MissingInterface => Some("interface"),
        Code::NoAddress => Some("virtual_ipaddress"),
        Code::MissingPassword => Some("auth_pass"),
        _ => None,
    }
}

/// Where the block that `start` stands in ends at the latest: at the next one of its kind.
fn block_end(text: &str, start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let next = rest.find("\nvrrp_instance").map(|at| start + at);
    next.unwrap_or(text.len())
}

/// True if the line of `other`, or the block that it stands in, is that of `word` or of a misprint
/// of it.
fn is_about(word: &str, text: &str, other: &Diagnostic) -> bool {
    if other.suggestion.as_deref() == Some(word) {
        return true;
    }
    let line = line_around(text, other.span.start).trim_start();
    if line.split(char::is_whitespace).next() == Some(word) {
        return true;
    }
    // A line of a list: the last line before it that opens a block.
    let before = text.get(..other.span.start).unwrap_or_default();
    let lines = before.lines().rev();
    let opener = lines.into_iter().find(|line| line.contains('{'));
    word == "virtual_ipaddress"
        && opener.is_some_and(|line| line.trim_start().starts_with("virtual_ipaddress {"))
}

/// The same said twice of one place is said once.
fn without_repeats(found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut seen = BTreeSet::new();
    let mut kept = found;
    kept.retain(|it| {
        seen.insert((
            it.file.clone(),
            it.span.start,
            it.span.end,
            it.message.clone(),
        ))
    });
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_templates_are_seen() {
        for word in [
            "<interface>",
            "sorry_server<IPADDR>",
            "%VIP%",
            "@VIP@",
            "__VIP__",
            "X.X.X.X",
            "192.168.1.x/24",
            "x.x.x.x",
            "a.b.c.d",
            "CHANGE_ME",
            "YOUR_IP",
            "10.0.0.*",
            "${VIP}",
        ] {
            assert!(is_hole(word), "{word}");
        }
        for word in [
            "eth0",
            "10.0.0.1",
            "a.b",
            "100%",
            "<",
            "",
            "_",
            "a_b",
            "10.0.0.300",
            "e.x.a.m",
        ] {
            assert!(!is_hole(word), "{word}");
        }
        assert_eq!(hole_in_line("interface {{ a }} b"), Some(10..17));
        assert_eq!(hole_in_line("{% if a %}"), Some(0..10));
        for line in ["a # {{ b }}", "a \"{{ b }}\"", "a {{", "a { b {", ""] {
            assert_eq!(hole_in_line(line), None, "{line}");
        }
    }
}
