//! Diagnostics for people: one line that says everything, then the place in the text.

use std::io::{self, IsTerminal};

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
        if io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
            Self::Terminal
        } else {
            Self::Plain
        }
    }
}

/// The whole report: for each diagnostic the line `FILE:LINE:COLUMN: severity: message`, the place
/// in `text`, and what can be done.
pub(crate) fn render(text: &str, diagnostics: &[Diagnostic], style: Style) -> String {
    let mut report = String::new();
    for diagnostic in diagnostics {
        report.push_str(&headline(diagnostic));
        report.push('\n');
        if let Some(snippet) = snippet(text, diagnostic, style) {
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
fn snippet(text: &str, diagnostic: &Diagnostic, style: Style) -> Option<String> {
    let span = diagnostic.span.clone();
    // A place at the very end of the text has nothing to be shown.
    text.get(span.clone()).filter(|_| span.start < text.len())?;
    // Only the lines around it: the renderer looks at all of its source.
    let start = text[..span.start]
        .rfind('\n')
        .map_or(0, |newline| newline + 1);
    let end = text[span.end..]
        .find('\n')
        .map_or(text.len(), |newline| span.end + newline);
    let source = &text[start..end];
    let within = span.start - start..span.end - start;
    let line = text[..start].matches('\n').count() + 1;
    let level = match diagnostic.severity {
        Severity::Deprecated | Severity::Warning => Level::WARNING,
        Severity::Error | Severity::Refused | Severity::Fatal => Level::ERROR,
    };
    let mut place = Group::with_level(level).element(
        Snippet::source(source)
            .line_start(line)
            .annotation(AnnotationKind::Primary.span(within.clone())),
    );
    if let Some(help) = &diagnostic.help {
        place = place.element(Level::HELP.message(help.as_str()));
    }
    let mut groups = vec![place];
    if let Some(suggestion) = &diagnostic.suggestion {
        groups.push(
            Level::HELP
                .secondary_title("perhaps this was meant")
                .element(
                    Snippet::source(source)
                        .line_start(line)
                        .patch(Patch::new(within, suggestion.as_str())),
                ),
        );
    }
    let renderer = match style {
        Style::Terminal => Renderer::styled(),
        Style::Plain => Renderer::plain(),
    };
    Some(renderer.render(&groups))
}

#[cfg(test)]
mod tests;
