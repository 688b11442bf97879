//! A finding as one JSON object on a line.
//!
//! The keys are stable and always there: `file`, `line`, `column` (characters, from 1), `start` and
//! `end` (octets of the file, from 0), `severity` (deprecated, warning, error, refused, fatal),
//! `code`, `message`, `help` (or null), `correction` (null, or what may replace start..end), `related`
//! (an array of objects with `file`, `line`, `column`, `start`, `end`, `message`).

use std::fmt::Write;

use relevo_core::config::{Diagnostic, Related};

pub(crate) fn object(finding: &Diagnostic) -> String {
    let mut out = String::from("{");
    place(
        &mut out,
        &finding.file,
        (finding.line, finding.column),
        &finding.span,
    );
    _ = write!(out, ",\"severity\":\"{}\"", finding.severity);
    _ = write!(out, ",\"code\":\"{}\"", finding.code);
    key(&mut out, "message", Some(&finding.message));
    key(&mut out, "help", finding.help.as_deref());
    key(&mut out, "correction", finding.suggestion.as_deref());
    out.push_str(",\"related\":[");
    for (at, related) in finding.related.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        second(&mut out, related);
    }
    out.push_str("]}\n");
    out
}

fn second(out: &mut String, related: &Related) {
    out.push('{');
    place(
        out,
        &related.file,
        (related.line, related.column),
        &related.span,
    );
    key(out, "message", Some(&related.text));
    out.push('}');
}

fn place(out: &mut String, file: &str, (line, column): (u32, u32), span: &std::ops::Range<usize>) {
    out.push_str("\"file\":");
    string(out, file);
    _ = write!(out, ",\"line\":{line},\"column\":{column}");
    _ = write!(out, ",\"start\":{},\"end\":{}", span.start, span.end);
}

fn key(out: &mut String, name: &str, value: Option<&str>) {
    _ = write!(out, ",\"{name}\":");
    match value {
        Some(value) => string(out, value),
        None => out.push_str("null"),
    }
}

/// RFC 8259 section 7.
fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => _ = write!(out, "\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
}
