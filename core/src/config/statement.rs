//! What all blocks do with a statement before they look at its meaning.

use super::block::Statement;
use super::code::Code;
use super::diag::{Class, Severity, Sink, quoted};
use super::hints;
use super::keywords;
use super::lexer::Word;
use super::row::{Head, Standing};

/// Reports a word that is not one of `words`, which are those of `place`.
pub(super) fn unknown_in(
    place: &str,
    words: impl Iterator<Item = &'static str>,
    found: &Statement,
    sink: &mut Sink,
) {
    // A line that stands for text from elsewhere has been refused already.
    if found.is_unexpanded() {
        return;
    }
    let keyword = found.keyword();
    let what = if found.block.is_some() {
        "it and its block are skipped"
    } else {
        "the line is skipped"
    };
    let message = format!("{} is not known {place}; {what}", quoted(keyword));
    let is_full = sink.is_full();
    let unknown = sink.report(
        Severity::Error,
        Class::UnknownKeyword,
        found.span(),
        message,
    );
    if is_full {
        // Nobody will read the hint, and looking for it takes time.
        return;
    }
    let known: Vec<&'static str> = words.collect();
    let all = || known.iter().copied();
    if let Some(hint) = hints::history(keyword, |word| known.contains(&word)) {
        unknown.code(hint.code).help(hint.help);
        if !hint.instead.is_empty() {
            unknown.suggest(hint.instead);
        }
    } else if let Some(other) = hints::of_all_or_one(keyword, all()) {
        unknown
            .code(Code::MisplacedWord)
            .help(format!("here it is called `{other}`"))
            .suggest(other);
    } else if let Some(near) = keywords::nearest_of(all(), keyword) {
        unknown
            .code(Code::MisspeltWord)
            .help(format!("did you mean `{near}`?"))
            .suggest(near);
    } else if let Some(block) = keywords::elsewhere(keyword) {
        unknown.code(Code::MisplacedWord).help(format!(
            "it is known {block}; look for a brace that is missing or too many before this line"
        ));
    }
}

/// Says what becomes of a word that was understood.
pub(super) fn say_standing(standing: Standing, found: &Statement, sink: &mut Sink) {
    if standing == Standing::Built {
        // Nearly every line: nothing is put together for it.
        return;
    }
    let keyword = quoted(found.keyword());
    match standing {
        Standing::Built => {}
        Standing::Harmless => {
            let message = format!(
                "{keyword} is not built yet in this version of relevo; the daemon runs without it"
            );
            sink.note(found.span(), message).code(Code::NotBuilt);
        }
        Standing::Refused => drop(sink.refuse(found.span(), &keyword)),
    }
}

/// Reports a block where none belongs, which is skipped, and a missing one; true if the statement
/// can be read.
pub(super) fn has_its_block(wants: bool, found: &Statement, sink: &mut Sink) -> bool {
    match &found.block {
        Some(block) if !wants => {
            let keyword = quoted(found.keyword());
            let message = format!("{keyword} takes no block; what is in it is skipped");
            sink.report(
                Severity::Error,
                Class::UnexpectedBraceOpen,
                block.open,
                message,
            )
            .code(Code::UnexpectedBlock)
            .help("remove the braces; a value that holds one needs double quotes");
        }
        None if wants => {
            let keyword = quoted(found.keyword());
            let message = format!("{keyword} is not followed by a block");
            sink.report(
                Severity::Error,
                Class::MissingBraceOpen,
                found.span(),
                message,
            )
            .code(Code::MissingOpenBrace)
            .help("write `{`, its lines and `}`");
        }
        _ => {}
    }
    wants || !found.is_unexpanded()
}

/// Reports a word without the value that the original asks for and does without.
pub(super) fn missing(head: &Head, found: &Statement, sink: &mut Sink) {
    let keyword = quoted(found.keyword());
    let message = format!("{keyword} needs a value, and none follows it; the line is ignored");
    sink.error(found.span(), message)
        .code(Code::MissingValue)
        .help(format!("write {} {}", head.word, head.kind.synopsis()));
}

/// The value behind a word that needs one; reading stops if there is none.
pub(super) fn value<'s>(found: &'s Statement, sink: &mut Sink) -> Option<&'s Word> {
    let Some(value) = found.arguments().first() else {
        sink.missing_parameter(found.span(), found.keyword());
        return None;
    };
    surplus(found, 1, sink);
    Some(value)
}

/// The value behind a word that may stand alone.
pub(super) fn optional<'s>(found: &'s Statement, sink: &mut Sink) -> Option<&'s Word> {
    surplus(found, 1, sink);
    found.arguments().first()
}

/// A word that takes no value.
pub(super) fn flag(found: &Statement, sink: &mut Sink) {
    if let Some(word) = found.arguments().first() {
        let message = format!(
            "{} takes no value; {} is ignored and the setting is on",
            quoted(found.keyword()),
            quoted(&word.text)
        );
        sink.note(word.span, message)
            .code(Code::SurplusValue)
            .help("remove the value, or the whole line to switch the setting off");
    }
}

/// Notes what stands behind the values that a line may have.
pub(super) fn surplus(found: &Statement, expected: usize, sink: &mut Sink) {
    if let Some(word) = found.arguments().get(expected) {
        // A part of a password must not get into a log.
        let what = if found.keyword() == "auth_pass" {
            "what stands behind the password".to_owned()
        } else {
            format!("{} and what follows it", quoted(&word.text))
        };
        let message = format!("{what} on this line is ignored");
        sink.note(word.span, message)
            .code(Code::SurplusValue)
            .help("write one setting on each line");
    }
}
