//! `include` and its kin: which files are read in the place of the line, and what may be missing.

use super::code::Code;
use super::definition::directory;
use super::diag::{Class, Severity, Sink, Span, quoted};
use super::lines::Reading;
use super::source::{Sources, Unreadable};
use crate::limits;

/// What must not be missing.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Checks {
    /// Every file that is found must be readable text.
    read: bool,
    /// A name without wildcards must exist.
    plain: bool,
    /// A pattern with wildcards must match something.
    wildcard: bool,
    /// Every alternative of a brace list must match something.
    brace: bool,
}

impl Checks {
    pub(super) const ALL: Self = Self {
        read: true,
        plain: true,
        wildcard: true,
        brace: true,
    };

    const READ: Self = Self {
        read: true,
        plain: false,
        wildcard: false,
        brace: false,
    };

    /// The checks of a word that includes; `None` if `word` is none, the checks in force for `None`
    /// within.
    fn of(word: &str) -> Option<Option<Self>> {
        let read = Self::READ;
        Some(Some(match word {
            "include" => return Some(None),
            "includer" => read,
            "includem" => Self {
                plain: true,
                ..read
            },
            "includew" => Self {
                plain: true,
                wildcard: true,
                ..read
            },
            "includeb" => Self {
                brace: true,
                ..read
            },
            "includea" => Self::ALL,
            _ => return None,
        }))
    }

    /// The set after an `include_check` with these words: the first one without a sign begins a new
    /// set, `+` adds, `-` takes away, no word is all.
    pub(super) fn set<'w>(self, words: impl Iterator<Item = &'w str>) -> Self {
        let mut checks = self;
        let mut any = false;
        for word in words {
            let (on, name) = match (word.strip_prefix('+'), word.strip_prefix('-')) {
                (Some(name), _) => (true, name),
                (_, Some(name)) => (false, name),
                _ => (true, word),
            };
            let mut next = if name == word && !any {
                Self::READ
            } else {
                checks
            };
            match name {
                // The manual of the original says the second.
                "read" | "readable" => next.read = on,
                "match" => next.plain = on,
                "wildcard_match" => next.wildcard = on,
                "brace_match" => next.brace = on,
                _ => continue,
            }
            any = true;
            checks = next;
        }
        if any { checks } else { self }
    }
}

/// True if `word` reads other files.
pub(super) fn is_word(word: &str) -> bool {
    word.starts_with("include") && Checks::of(word).is_some()
}

/// One pattern behind an include, and where it stands.
#[derive(Copy, Clone, Debug)]
pub(super) struct Pattern<'w> {
    pub(super) text: &'w str,
    pub(super) span: Span,
}

/// Reads what `pattern` matches next, by the rules of the include `word`.
pub(super) fn read(reading: &mut Reading<'_>, word: &str, pattern: Pattern<'_>, sink: &mut Sink) {
    let Some(checks) = Checks::of(word) else {
        return;
    };
    let checks = checks.unwrap_or(reading.checks);
    let base = directory(sink.places().name(pattern.span.file), reading.sources);
    let Some(patterns) = alternatives(pattern.text) else {
        let message = format!(
            "the braces of this pattern stand for more than {} names; nothing is included",
            limits::INCLUDE_PATTERNS
        );
        sink.error(pattern.span, message).code(Code::IncludeLoop);
        return;
    };
    let single = patterns.len() == 1;
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for one in patterns {
        let path = if one.starts_with('/') {
            one.clone()
        } else {
            format!("{}/{one}", base.trim_end_matches('/'))
        };
        let names = reading.sources.glob(&path);
        if names.is_empty() {
            missing.push(one);
        }
        found.extend(names);
    }
    tell_missing(&missing, (single, found.is_empty()), checks, pattern, sink);
    // The first one shall be read first, and lies on top then.
    let mut files = Vec::new();
    for path in found {
        files.extend(get(reading, path, checks, pattern, sink));
    }
    for (identity, file, number) in files.into_iter().rev() {
        reading.open(identity, file, number, sink);
    }
}

fn tell_missing(
    missing: &[String],
    (single, nothing): (bool, bool),
    checks: Checks,
    pattern: Pattern<'_>,
    sink: &mut Sink,
) {
    let Some(first) = missing.first() else {
        return;
    };
    let wild = first.contains(['*', '?', '[']);
    let (message, wrong) = match (single, wild) {
        (true, true) => (
            format!("no file matches {}", quoted(pattern.text)),
            checks.wildcard,
        ),
        (true, false) => (
            format!("there is no file {}", quoted(pattern.text)),
            checks.plain,
        ),
        (false, _) => (
            format!(
                "of the names that {} stands for, {} is missing",
                quoted(pattern.text),
                quoted(first)
            ),
            checks.brace,
        ),
    };
    if wrong {
        fatal(pattern.span, &message, sink);
    } else if !(single && wild) {
        // The original says so too, and goes on; of a pattern that matches nothing it is silent.
        let what = if nothing {
            "nothing is included"
        } else {
            "the others are included"
        };
        sink.note(pattern.span, format!("{message}; {what}"))
            .code(Code::MissingFile)
            .help("correct the name, or remove the line");
    }
}

fn fatal(span: Span, message: &str, sink: &mut Sink) {
    sink.report(Severity::Fatal, Class::FileNotFound, span, message)
        .help("the checks of this include ask for it");
}

/// The text of a file that shall be included; `None`, and reported, if it cannot be.
fn get(
    reading: &mut Reading<'_>,
    path: String,
    checks: Checks,
    pattern: Pattern<'_>,
    sink: &mut Sink,
) -> Option<(String, super::source::FileText, u16)> {
    let shown = quoted(&path);
    let identity = identity(&path, reading.sources);
    if reading.files().any(|open| open.identity == identity) {
        let message = format!("{shown} includes itself here; it is not read again");
        sink.error(pattern.span, message).code(Code::MissingFile);
        return None;
    }
    reading.opened += 1;
    if reading.opened > limits::CONFIG_FILES {
        let message = format!(
            "more than {} times files are included; {shown} is not read",
            limits::CONFIG_FILES
        );
        sink.error(pattern.span, message);
        return None;
    }
    if reading.files().count() >= limits::INCLUDE_DEPTH {
        let message = format!(
            "files include each other more than {} deep; {shown} is not read",
            limits::INCLUDE_DEPTH
        );
        sink.error(pattern.span, message).code(Code::IncludeLoop);
        return None;
    }
    match reading.sources.read(&path) {
        Ok(file) => {
            let Some(number) = sink.file(&path) else {
                let message = format!(
                    "more than {} files are included; {shown} is not read",
                    limits::CONFIG_FILES
                );
                sink.error(pattern.span, message).code(Code::IncludeLoop);
                return None;
            };
            Some((identity, file, number))
        }
        Err(why) => {
            let why = match why {
                Unreadable::Directory => "is a directory".to_owned(),
                Unreadable::NotText => "may be executed, or is no plain file".to_owned(),
                Unreadable::Error(error) => format!("cannot be read: {error}"),
            };
            let message = format!("{shown} {why}; it is not included");
            if checks.read {
                fatal(pattern.span, &message, sink);
            } else {
                sink.note(pattern.span, message).code(Code::MissingFile);
            }
            None
        }
    }
}

/// One name for a file, however it is written; links are not looked through.
pub(super) fn identity(path: &str, sources: &mut dyn Sources) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let directory = directory(path, sources);
    let name = path.rsplit('/').next();
    for part in directory.split('/').chain(name) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// What the braces of a pattern stand for, as in a shell; `None` if that is too much.
fn alternatives(pattern: &str) -> Option<Vec<String>> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(one) = open.pop() {
        let Some((start, parts, end)) = braces(&one) else {
            done.push(one);
            continue;
        };
        let (before, behind) = (&one[..start], &one[end..]);
        let more = parts.iter().rev();
        open.extend(more.map(|part| format!("{before}{part}{behind}")));
        if done.len() + open.len() > limits::INCLUDE_PATTERNS {
            return None;
        }
    }
    Some(done)
}

/// The first brace list of a pattern: where it begins, its parts, and where it ends.
fn braces(pattern: &str) -> Option<(usize, Vec<&str>, usize)> {
    let start = pattern.find('{')?;
    let mut depth = 0_usize;
    let mut parts = Vec::new();
    let mut from = start + 1;
    for (at, c) in pattern.bytes().enumerate().skip(start) {
        match c {
            b'{' => depth += 1,
            b'}' if depth == 1 => {
                parts.push(&pattern[from..at]);
                return Some((start, parts, at + 1));
            }
            b'}' => depth -= 1,
            b',' if depth == 1 => {
                parts.push(&pattern[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_stand_for_alternatives() {
        let of = |pattern| alternatives(pattern).map(|all| all.join(" "));
        let table = [
            ("a", "a"),
            ("a{b,c}d", "abd acd"),
            ("{a,b}{c,d}", "ac ad bc bd"),
            ("a{b{c,d},e}", "abc abd ae"),
            ("a{b", "a{b"),
            ("a{}b", "ab"),
        ];
        for (pattern, expected) in table {
            assert_eq!(of(pattern).as_deref(), Some(expected), "{pattern}");
        }
        assert_eq!(of(&"{a,b}".repeat(20)), None);
    }

    #[test]
    fn a_file_is_the_same_however_it_is_written() {
        let mut sources = crate::config::source::Bundle {
            directory: "/d".to_owned(),
            ..Default::default()
        };
        for path in [
            "main",
            "./main",
            "/d/main",
            "/d/./main",
            "/d//main",
            "/d/x/../main",
        ] {
            assert_eq!(identity(path, &mut sources), "d/main", "{path}");
        }
        assert_eq!(identity("x/main", &mut sources), "d/x/main");
    }

    #[test]
    fn include_check_sets_adds_and_takes_away() {
        let set = |from: Checks, words: &str| {
            let Checks {
                read,
                plain,
                wildcard,
                brace,
            } = from.set(words.split_whitespace());
            [read, plain, wildcard, brace].map(u8::from)
        };
        let none = Checks::default();
        assert_eq!(set(none, "match"), [1, 1, 0, 0]);
        assert_eq!(set(none, "+match"), [0, 1, 0, 0]);
        assert_eq!(set(Checks::ALL, "read"), [1, 0, 0, 0]);
        assert_eq!(set(Checks::ALL, "-match -brace_match"), [1, 0, 1, 0]);
        assert_eq!(set(none, "wildcard_match -read"), [0, 0, 1, 0]);
        assert_eq!(set(none, "foo"), [0, 0, 0, 0]);
        assert_eq!(set(none, "readable brace_match"), [1, 0, 0, 1]);
    }
}
