//! What is wrong with a configuration, where, and what to do about it.
//!
//! A [`Diagnostic`] is data: the command line renders it with its source line, the daemon logs it
//! as one line. How bad it is has two faces, because the original has two: [`Severity`] decides
//! whether the daemon starts, [`Class`] decides the exit code of `-t`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::code::Code;
use super::place::Places;
use crate::limits;

/// Exit code of a configuration that cannot be used.
pub const EXIT_CONFIG: u8 = 2;
/// Exit code where the configuration, or a file that it must include, is missing.
pub const EXIT_NO_CONFIG: u8 = 6;
/// Exit code of `-t` for a fatal finding.
pub const EXIT_TEST_FATAL: u8 = 4;
/// Exit code of `-t` for an ordinary finding.
pub const EXIT_TEST_ERROR: u8 = 5;
/// Exit code of `-t` for a finding about the safety of scripts.
pub const EXIT_TEST_SECURITY: u8 = 6;

/// What a finding means for a daemon that is about to start, from mild to bad.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Works, but will stop working one day.
    Deprecated,
    /// Works, but probably not as meant.
    Warning,
    /// Not understood or out of range: the daemon runs with the rest.
    Error,
    /// A word of the original that this version does not build, and that could change who is
    /// master or which server gets traffic: the daemon does not start.
    Refused,
    /// The daemon cannot start.
    Fatal,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deprecated => "deprecated",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Refused => "refused",
            Self::Fatal => "fatal",
        })
    }
}

/// keepalived's error classes, in its order: `-t` exits by the highest one seen.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Class {
    /// Nothing that keepalived would complain about; does not change the exit code of `-t`.
    Ok,
    /// A file is missing.
    FileNotFound,
    /// An interface cannot be used.
    BadInterface,
    /// Fatal.
    Fatal,
    /// Several files where one is needed.
    MultipleFiles,
    /// An unknown word.
    UnknownKeyword,
    /// `{` where no block begins.
    UnexpectedBraceOpen,
    /// A block without its `{`.
    MissingBraceOpen,
    /// `}` where no block is open.
    UnexpectedBraceClose,
    /// A block without its `}`.
    MissingBraceClose,
    /// A double quote without its partner.
    UnmatchedQuote,
    /// A word without its value.
    MissingParameter,
    /// A number that is none, or out of range.
    InvalidNumber,
    /// Everything else.
    General,
    /// A warning, which `-t` counts as an error.
    Warning,
    /// Deprecated use, which `-t` counts as an error.
    Deprecated,
    /// A script that others could change.
    Security,
}

/// A place in the text: bytes, and where a person finds it.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Span {
    /// Which of the files that were read, from 0 in the order of their first line.
    pub file: u16,
    /// Character within the line, from 1; the largest number if there are more.
    pub column: u16,
    /// Line, from 1.
    pub line: u32,
    /// First byte within the file.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
    /// Number of the second place, in a definition, that the text came from; 0 for none. See
    /// [`Places`](super::Places).
    pub origin: u32,
}

impl Span {
    /// Its bytes within the file.
    pub const fn bytes(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A value and where it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// `value`, written at `span`.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// One finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// What it means for the start.
    pub severity: Severity,
    /// What it means for `-t`.
    pub class: Class,
    /// What it is about.
    pub code: Code,
    /// Name of the file, for display.
    pub file: String,
    /// Bytes of the text that it is about.
    pub span: Range<usize>,
    /// Line, from 1.
    pub line: u32,
    /// Character within the line, from 1.
    pub column: u32,
    /// What is wrong, and what is done instead.
    pub message: String,
    /// What the reader can do.
    pub help: Option<String>,
    /// Text that may replace the bytes of `span`.
    pub suggestion: Option<String>,
    /// Other places that have to do with it, such as the definition that a word came from.
    pub related: Vec<Related>,
}

/// Another place that a finding is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Related {
    /// Name of the file, for display.
    pub file: String,
    /// Bytes of that file's text.
    pub span: Range<usize>,
    /// Line, from 1.
    pub line: u32,
    /// Character within the line, from 1.
    pub column: u32,
    /// What is there.
    pub text: String,
}

impl Diagnostic {
    /// Says more closely what it is about than its class does.
    pub(super) const fn code(&mut self, code: Code) -> &mut Self {
        self.code = code;
        self
    }

    /// Adds what the reader can do.
    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a replacement for the text at the span.
    pub(super) fn suggest(&mut self, replacement: impl Into<String>) -> &mut Self {
        self.suggestion = Some(replacement.into());
        self
    }
}

/// One line: `FILE:LINE:COLUMN: severity: message (help)`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}: {}",
            self.file, self.line, self.column, self.severity, self.message
        )?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

/// The exit code of `-t` for what was found by parsing and binding together.
///
/// As in the original the numerically highest class decides, so a security finding hides a fatal
/// one; a word without its required value ends the test at once with [`EXIT_CONFIG`].
/// A missing file without which the daemon does not start is [`EXIT_NO_CONFIG`]. [`Class::Ok`]
/// findings leave the code at 0.
pub fn check_exit_code(diagnostics: &[Diagnostic]) -> u8 {
    if lacks_file(diagnostics) {
        return EXIT_NO_CONFIG;
    }
    let stops =
        |d: &Diagnostic| d.class == Class::MissingParameter && d.severity == Severity::Fatal;
    if diagnostics.iter().any(stops) {
        return EXIT_CONFIG;
    }
    match diagnostics.iter().map(|d| d.class).max() {
        None | Some(Class::Ok) => 0,
        Some(Class::FileNotFound | Class::BadInterface | Class::Fatal) => EXIT_TEST_FATAL,
        Some(Class::Security) => EXIT_TEST_SECURITY,
        Some(_) => EXIT_TEST_ERROR,
    }
}

fn lacks_file(diagnostics: &[Diagnostic]) -> bool {
    let lacks = |d: &Diagnostic| d.class == Class::FileNotFound && d.severity == Severity::Fatal;
    diagnostics.iter().any(lacks)
}

/// `Some(2)`, or 6 for a missing file, when a daemon must not start with what was found, by parsing
/// and binding together.
pub fn start_exit_code(diagnostics: &[Diagnostic]) -> Option<u8> {
    if lacks_file(diagnostics) {
        return Some(EXIT_NO_CONFIG);
    }
    diagnostics
        .iter()
        .any(|d| d.severity >= Severity::Refused)
        .then_some(EXIT_CONFIG)
}

/// Where findings go while a text is read.
///
/// Keeps [`limits::DIAGNOSTICS`] and counts the rest; the first of each severity and class is kept
/// whatever its number, so that the exit codes do not depend on the ceiling.
#[derive(Debug)]
pub(super) struct Sink {
    places: Arc<Places>,
    /// The numbers of the places in definitions.
    origins: BTreeMap<Span, u32>,
    kept: Vec<Diagnostic>,
    dropped: u64,
    /// Findings that are errors or worse.
    wrong: u64,
    last_dropped: Option<Diagnostic>,
    stopped: bool,
    /// Where names were given first, by the keyword of their block.
    names: BTreeMap<(String, String), Span>,
}

impl Sink {
    pub(super) fn new(file: &str) -> Self {
        Self::at(&Arc::new(Places::of(file)))
    }

    /// For what was read from `places`.
    pub(super) fn at(places: &Arc<Places>) -> Self {
        Self {
            places: Arc::clone(places),
            origins: BTreeMap::new(),
            kept: Vec::new(),
            dropped: 0,
            wrong: 0,
            last_dropped: None,
            stopped: false,
            names: BTreeMap::new(),
        }
    }

    /// The number of a file of this name, which is read now; `None` if there are too many.
    pub(super) fn file(&mut self, name: &str) -> Option<u16> {
        Arc::make_mut(&mut self.places).file(name)
    }

    /// The number of a place in the definition of `name`.
    pub(super) fn origin(&mut self, name: &Arc<str>, place: Span) -> u32 {
        if let Some(known) = self.origins.get(&place) {
            return *known;
        }
        let number = Arc::make_mut(&mut self.places).origin(name, place);
        self.origins.insert(place, number);
        number
    }

    /// The names of the files, and the places in definitions.
    pub(super) fn places(&self) -> &Arc<Places> {
        &self.places
    }

    /// Remembers the text of a file.
    pub(super) fn keep_text(&mut self, file: u16, text: &Arc<str>) {
        Arc::make_mut(&mut self.places).set_text(file, text);
    }

    /// True once reading must not go on.
    pub(super) const fn stopped(&self) -> bool {
        self.stopped
    }

    /// Remembers that a block of `keyword` has this name; where it was given before, if it was.
    pub(super) fn first_use(&mut self, keyword: &str, name: &str, span: Span) -> Option<Span> {
        let key = (keyword.to_owned(), name.to_owned());
        match self.names.entry(key) {
            Entry::Occupied(first) => Some(*first.get()),
            Entry::Vacant(place) => {
                place.insert(span);
                None
            }
        }
    }

    /// Grows with every finding that says that something is wrong.
    pub(super) const fn weight(&self) -> u64 {
        self.wrong
    }

    /// True once findings are counted only.
    pub(super) const fn is_full(&self) -> bool {
        self.kept.len() >= limits::DIAGNOSTICS
    }

    pub(super) fn report(
        &mut self,
        severity: Severity,
        class: Class,
        span: Span,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.wrong += u64::from(severity >= Severity::Error);
        let diagnostic = Diagnostic {
            severity,
            class,
            code: Code::of(class),
            file: self.places.name(span.file).to_owned(),
            span: span.bytes(),
            line: span.line,
            column: u32::from(span.column),
            message: message.into(),
            help: None,
            suggestion: None,
            related: self.places.related(span),
        };
        let seen = |d: &Diagnostic| d.severity == severity && d.class == class;
        if self.is_full() && self.kept.iter().any(seen) {
            self.dropped += 1;
            return self.last_dropped.insert(diagnostic);
        }
        self.kept.push(diagnostic);
        let last = self.kept.len() - 1;
        &mut self.kept[last]
    }

    /// A mistake that the daemon runs on with.
    pub(super) fn error(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.report(Severity::Error, Class::General, span, message)
    }

    /// A number that is none or out of range.
    pub(super) fn number(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.report(Severity::Error, Class::InvalidNumber, span, message)
    }

    /// Something that keepalived does not mention and that leaves its exit code alone.
    pub(super) fn note(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.report(Severity::Warning, Class::Ok, span, message)
    }

    /// The daemon cannot start.
    pub(super) fn fatal(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.report(Severity::Fatal, Class::General, span, message)
    }

    /// `what` is a part of the language that this version does not build.
    pub(super) fn refuse(&mut self, span: Span, what: &str) -> &mut Diagnostic {
        let message = format!(
            "{what} is not built yet in this version of relevo, and leaving it out could change \
             who is master or which server gets traffic"
        );
        self.report(Severity::Refused, Class::UnknownKeyword, span, message)
            .code(Code::NotBuilt)
            .help("remove it, or stay with keepalived on this host until relevo builds it")
    }

    /// A word without its required value: nothing after it is read.
    pub(super) fn missing_parameter(&mut self, span: Span, keyword: &str) {
        let message = format!("`{keyword}` needs a value, and none follows it on this line");
        self.report(Severity::Fatal, Class::MissingParameter, span, message)
            .help("write the value behind the word, or remove the line");
        self.stopped = true;
    }

    /// Everything that was found, in the order of the text.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.places.sort(&mut self.kept);
        if let Some(last) = self.last_dropped.take() {
            self.kept.push(Diagnostic {
                severity: Severity::Warning,
                class: Class::Ok,
                message: format!("{} more findings are not shown", self.dropped),
                help: Some("correct the first ones and check again".to_owned()),
                suggestion: None,
                related: Vec::new(),
                ..last
            });
        }
        self.kept
    }
}

/// A text that is [`quoted`] once a message shows it: most lines have none.
#[derive(Copy, Clone, Debug)]
pub(super) struct Shown<'t>(pub(super) &'t str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quoted(self.0))
    }
}

/// `text` in quotes for a message: control characters escaped, and cut if long.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 48;
    let mut shown = String::with_capacity(text.len().min(SHOWN) + 2);
    shown.push('`');
    for (count, c) in text.chars().enumerate() {
        if count == SHOWN {
            shown.push_str("...");
            break;
        }
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown.push('`');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(severity: Severity, class: Class) -> Vec<Diagnostic> {
        let mut sink = Sink::new("f");
        sink.report(severity, class, Span::default(), "m");
        sink.finish()
    }

    #[test]
    fn test_exit_codes_follow_the_classes() {
        let table = [
            (Class::Ok, 0),
            (Class::FileNotFound, 4),
            (Class::BadInterface, 4),
            (Class::Fatal, 4),
            (Class::MultipleFiles, 5),
            (Class::UnknownKeyword, 5),
            (Class::InvalidNumber, 5),
            (Class::General, 5),
            (Class::Warning, 5),
            (Class::Deprecated, 5),
            (Class::Security, 6),
        ];
        for (class, code) in table {
            assert_eq!(
                check_exit_code(&found(Severity::Error, class)),
                code,
                "{class:?}"
            );
        }
        assert_eq!(check_exit_code(&[]), 0);
    }

    #[test]
    fn the_highest_class_decides_and_a_missing_value_beats_all() {
        let mut all = found(Severity::Error, Class::Fatal);
        all.extend(found(Severity::Error, Class::General));
        assert_eq!(check_exit_code(&all), 5);
        all.extend(found(Severity::Error, Class::Security));
        assert_eq!(check_exit_code(&all), 6);
        all.extend(found(Severity::Fatal, Class::MissingParameter));
        assert_eq!(check_exit_code(&all), 2);
    }

    #[test]
    fn only_refused_and_fatal_keep_the_daemon_from_starting() {
        for severity in [Severity::Deprecated, Severity::Warning, Severity::Error] {
            assert_eq!(start_exit_code(&found(severity, Class::General)), None);
        }
        for severity in [Severity::Refused, Severity::Fatal] {
            assert_eq!(start_exit_code(&found(severity, Class::Ok)), Some(2));
        }
    }

    #[test]
    fn the_ceiling_counts_the_rest_but_never_hides_a_fatal_one() {
        let mut sink = Sink::new("f");
        for _ in 0..limits::DIAGNOSTICS + 7 {
            sink.error(Span::default(), "m");
        }
        sink.fatal(Span::default(), "last");
        let all = sink.finish();
        assert_eq!(all.len(), limits::DIAGNOSTICS + 2);
        assert_eq!(start_exit_code(&all), Some(2));
        assert!(all.iter().any(|d| d.message.starts_with("7 more")));
    }

    #[test]
    fn messages_show_no_control_characters_and_no_endless_words() {
        assert_eq!(quoted("a\nb"), "`a\\nb`");
        assert!(quoted(&"x".repeat(1_000)).len() < 60);
    }
}
