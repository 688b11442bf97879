//! Diagnostics for people: one line that says everything, then the place in the text.

use std::borrow::Cow;
use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Patch, Renderer, Snippet};
use relevo_core::config::{Diagnostic, Severity};

/// How a report looks.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Style {
    /// Colours, for a terminal.
    Terminal,
    /// Nothing but text, for files and pipes.
    Plain,
}

impl Style {
    /// What suits stderr.
    pub(crate) fn of_stderr() -> Self {
        Self::of(&io::stderr())
    }

    /// What suits `stream`: colours on a terminal, unless NO_COLOR is set to something
    /// (no-color.org).
    pub(crate) fn of(stream: &impl IsTerminal) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if stream.is_terminal() && !refused {
            Self::Terminal
        } else {
            Self::Plain
        }
    }
}

/// The whole report: for each diagnostic the line `FILE:LINE:COLUMN: severity: message`, the place
/// in `text`, and what can be done.
pub(crate) fn render(text: &str, diagnostics: &[Diagnostic], style: Style) -> String {
    render_all(&|_| Some(text), diagnostics, style)
}

/// The same for findings in several files, whose texts `text_of` has by their names.
pub(crate) fn render_all<'t>(
    text_of: &dyn Fn(&str) -> Option<&'t str>,
    diagnostics: &[Diagnostic],
    style: Style,
) -> String {
    let mut report = String::new();
    for diagnostic in diagnostics {
        report.push_str(&headline(diagnostic));
        _ = writeln!(report, " [{}]", diagnostic.code);
        if let Some(snippet) = snippet(text_of, diagnostic, style) {
            report.push_str(&snippet);
            report.push('\n');
        }
    }
    report
}

/// The one line, also for the log. The help is left to the snippet.
pub(crate) fn headline(diagnostic: &Diagnostic) -> String {
    let Diagnostic {
        file,
        line,
        column,
        severity,
        message,
        ..
    } = diagnostic;
    format!("{file}:{line}:{column}: {severity}: {message}")
}

/// The lines of the text that it is about; `None` if it is about no place in this text.
fn snippet<'t>(
    text_of: &dyn Fn(&str) -> Option<&'t str>,
    diagnostic: &Diagnostic,
    style: Style,
) -> Option<String> {
    let lines = Lines::around(
        text_of(&diagnostic.file)?,
        diagnostic.span.clone(),
        diagnostic.line,
    )?;
    let level = match diagnostic.severity {
        Severity::Deprecated | Severity::Warning => Level::WARNING,
        Severity::Error | Severity::Refused | Severity::Fatal => Level::ERROR,
    };
    let mut place = Group::with_level(level).element(
        Snippet::source(&*lines.source)
            .line_start(lines.number)
            .annotation(AnnotationKind::Primary.span(lines.within.clone())),
    );
    // What a secret has to do with elsewhere may be a definition that holds it.
    let is_secret = matches!(lines.source, Cow::Owned(_));
    let shown = if is_secret { 0 } else { RELATED };
    for related in diagnostic.related.iter().take(shown) {
        let other = text_of(&related.file);
        if let Some(lines) =
            other.and_then(|text| Lines::around(text, related.span.clone(), related.line))
        {
            place = place.element(
                Snippet::source(lines.source)
                    .line_start(lines.number)
                    .path(related.file.as_str())
                    .annotation(
                        AnnotationKind::Context
                            .span(lines.within)
                            .label(related.text.as_str()),
                    ),
            );
        }
    }
    if let Some(more) = diagnostic.related.len().checked_sub(RELATED + 1) {
        let text = format!("and {} more places", more + 1);
        place = place.element(Level::NOTE.message(text));
    }
    if let Some(help) = &diagnostic.help {
        place = place.element(Level::HELP.message(help.as_str()));
    }
    let mut groups = vec![place];
    if let Some(suggestion) = &diagnostic.suggestion {
        groups.push(
            Level::HELP
                .secondary_title("perhaps this was meant")
                .element(
                    Snippet::source(&*lines.source)
                        .line_start(lines.number)
                        .patch(Patch::new(lines.within, suggestion.as_str())),
                ),
        );
    }
    let renderer = match style {
        Style::Terminal => Renderer::styled(),
        Style::Plain => Renderer::plain(),
    };
    Some(renderer.render(&groups))
}

/// Second places that are shown; the rest is counted.
const RELATED: usize = 3;

/// Whole lines around a place: the renderer looks at all of its source.
struct Lines<'t> {
    /// Secrets in it are stars.
    source: Cow<'t, str>,
    /// Of the first one, from 1.
    number: usize,
    /// The place in them.
    within: Range<usize>,
}

impl<'t> Lines<'t> {
    /// `line` is that of the beginning of the place. `None` if there is no such place in `text`, or
    /// nothing to be shown at it, as at its very end.
    fn around(text: &'t str, span: Range<usize>, line: u32) -> Option<Self> {
        text.get(span.clone()).filter(|_| span.start < text.len())?;
        let start = text[..span.start]
            .rfind('\n')
            .map_or(0, |newline| newline + 1);
        let end = text[span.end..]
            .find('\n')
            .map_or(text.len(), |newline| span.end + newline);
        Some(Self {
            source: masked(&text[start..end]),
            number: line as usize,
            within: span.start - start..span.end - start,
        })
    }
}

/// Lines whose value is nobody's business: what is printed of them is often passed on.
fn is_secret(line: &str) -> bool {
    let mut words = line.split_whitespace();
    match words.next() {
        Some("auth_pass" | "password") => true,
        // Of `auth_hmac`; the `key` of `SSL` is the name of a file.
        Some("key") => words
            .next()
            .is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_digit())),
        _ => false,
    }
}

/// `source` with stars for the octets behind the first word of a line that holds a secret.
fn masked(source: &str) -> Cow<'_, str> {
    if !source.lines().any(is_secret) {
        return Cow::Borrowed(source);
    }
    let mut shown = String::with_capacity(source.len());
    for line in source.split_inclusive('\n') {
        if !is_secret(line) {
            shown.push_str(line);
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let word = line.trim_start().find(char::is_whitespace).unwrap_or(0);
        let (before, value) = line.split_at(indent + word);
        shown.push_str(before);
        // As many octets as before: places are counted in them.
        let star = |byte: u8| {
            if byte.is_ascii_whitespace() {
                char::from(byte)
            } else {
                '*'
            }
        };
        shown.extend(value.bytes().map(star));
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests;
