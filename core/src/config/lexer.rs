//! Lines into words, with the position of every word.
//!
//! As in the original a line is one entry; `#` and `!` begin a comment outside double quotes unless
//! a backslash stands before them; a double quote begins a word of its own; `{` and `}` outside
//! quotes stand for themselves, and what follows one is treated as a line of its own.

use std::collections::VecDeque;

use super::code::Code;
use super::diag::{Class, Severity, Sink, Span, quoted};
use super::include::{self, Pattern};
use super::lines::{Reading, Whole, is_blank, octet};
use super::made::Made;
use super::source::{FileText, Sources};

/// One word, without its quotes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Word {
    pub(super) text: String,
    /// Includes the quotes.
    pub(super) span: Span,
    /// Stands for text that is not there, as a place of a template that was never filled in: already
    /// told.
    pub(super) unexpanded: bool,
}

/// The words of one line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Line {
    /// At least one.
    pub(super) words: Vec<Word>,
    /// The text from the first word to the last; `None` where splitting it by the richer rules of
    /// [`super::command`] gives the same words.
    pub(super) raw: Option<Box<str>>,
}

/// What a block is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Token {
    /// The words of one line.
    Line(Line),
    Open(Span),
    Close(Span),
}

#[derive(Debug)]
pub(super) struct Lexer<'s> {
    reading: Reading<'s>,
    ready: VecDeque<Token>,
}

impl<'s> Lexer<'s> {
    /// Begins with the text of the file `path`, and asks `sources` for what it includes.
    pub(super) fn new(
        path: &str,
        text: FileText,
        sources: &'s mut dyn Sources,
        sink: &mut Sink,
    ) -> Self {
        let mut reading = Reading::new(sources);
        let number = sink.file(path).unwrap_or_default();
        let identity = include::identity(path, reading.sources);
        reading.open(identity, text, number, sink);
        Self {
            reading,
            ready: VecDeque::new(),
        }
    }

    pub(super) fn next_token(&mut self, sink: &mut Sink) -> Option<Token> {
        loop {
            if let Some(token) = self.ready.pop_front() {
                return Some(token);
            }
            match self.reading.next(sink)? {
                Whole::Plain {
                    text,
                    from,
                    to,
                    file,
                    number,
                } => {
                    let line = text.get(from..to).unwrap_or_default();
                    let place = Place::Plain {
                        file,
                        number,
                        base: from,
                        ascii: line.is_ascii(),
                    };
                    self.split(&mut Cursor::new(line, place), sink);
                }
                Whole::Made(made) => {
                    self.split(&mut Cursor::new(&made.text, Place::Made(&made)), sink);
                }
            }
        }
    }

    fn split(&mut self, cursor: &mut Cursor<'_>, sink: &mut Sink) {
        cursor.skip_blanks();
        if cursor.begins_include() {
            self.include(cursor, sink);
            return;
        }
        let mut words = Vec::new();
        // Octets of the first word's begin and the last word's end.
        let mut range = (0, 0);
        loop {
            cursor.skip_blanks();
            let start = cursor.at;
            match cursor.peek() {
                None | Some(b'#' | b'!') => break,
                Some(b'{') if cursor.hole().is_some() => {
                    if words.is_empty() {
                        range.0 = start;
                    }
                    words.push(cursor.hole_word(sink));
                    range.1 = cursor.at;
                }
                Some(c @ (b'{' | b'}')) => {
                    self.flush(&mut words, range, cursor);
                    cursor.at += 1;
                    let span = cursor.span(start, cursor.at, sink);
                    self.ready.push_back(if c == b'{' {
                        Token::Open(span)
                    } else {
                        Token::Close(span)
                    });
                }
                Some(c) => {
                    let word = if c == b'"' {
                        cursor.quoted_word(sink)
                    } else {
                        Some(cursor.plain_word(sink))
                    };
                    let Some(word) = word else {
                        unmatched(cursor, sink);
                        break;
                    };
                    if words.is_empty() {
                        range.0 = start;
                        words.reserve(3);
                    }
                    range.1 = cursor.at;
                    words.push(word);
                }
            }
        }
        self.flush(&mut words, range, cursor);
    }

    fn flush(&mut self, words: &mut Vec<Word>, (from, to): (usize, usize), cursor: &Cursor<'_>) {
        let Some(first) = words.first() else {
            return;
        };
        match first.text.as_str() {
            "include_check" => {
                let words = words.iter().skip(1).map(|word| word.text.as_str());
                self.reading.checks = if words.len() == 0 {
                    include::Checks::ALL
                } else {
                    self.reading.checks.set(words)
                };
            }
            "random_seed" => {
                let seed = words.get(1).and_then(|word| word.text.parse().ok());
                if let Some(seed) = seed {
                    self.reading.seed(seed);
                }
            }
            _ => {}
        }
        let text = cursor.line.get(from..to).unwrap_or_default();
        let raw = has_quotes(text).then(|| text.into());
        let words = std::mem::take(words);
        self.ready.push_back(Token::Line(Line { words, raw }));
    }

    /// A line that reads other files.
    fn include(&mut self, cursor: &mut Cursor<'_>, sink: &mut Sink) {
        let start = cursor.at;
        let end = cursor.word_end();
        let word = &cursor.line[start..end];
        cursor.at = end;
        let mut patterns = Vec::new();
        loop {
            cursor.skip_blanks();
            let start = cursor.at;
            match cursor.peek() {
                None | Some(b'#' | b'!') => break,
                Some(b'"') => match cursor.quoted_word(sink) {
                    Some(word) => patterns.push((word.text, word.span)),
                    None => {
                        unmatched(cursor, sink);
                        break;
                    }
                },
                Some(_) => {
                    cursor.at = cursor.word_end().max(start + 1);
                    let text = cursor.line.get(start..cursor.at).unwrap_or_default();
                    patterns.push((text.to_owned(), cursor.span(start, cursor.at, sink)));
                }
            }
        }
        if patterns.is_empty() {
            let span = cursor.span(start, end, sink);
            sink.missing_parameter(span, word);
        }
        // The first one shall be read first: what is opened last is.
        for (text, span) in patterns.iter().rev() {
            let pattern = Pattern { text, span: *span };
            include::read(&mut self.reading, word, pattern, sink);
        }
    }
}

fn unmatched(cursor: &Cursor<'_>, sink: &mut Sink) {
    let message = "a double quote begins here and does not end on this line; \
                   the rest of the line is ignored";
    let span = cursor.span(cursor.at, cursor.line.len(), sink);
    sink.report(Severity::Error, Class::UnmatchedQuote, span, message)
        .help("add the second quote");
}

fn has_quotes(text: &str) -> bool {
    text.bytes().any(|c| matches!(c, b'\'' | b'"' | b'\\'))
}

/// Where a line stands.
#[derive(Debug)]
enum Place<'l> {
    Plain {
        file: u16,
        number: u32,
        base: usize,
        ascii: bool,
    },
    Made(&'l Made),
}

/// A place within one line.
#[derive(Debug)]
struct Cursor<'l> {
    line: &'l str,
    at: usize,
    place: Place<'l>,
}

/// The mark that some editors put at the beginning of a file.
const MARK: &[u8] = "\u{feff}".as_bytes();

impl<'l> Cursor<'l> {
    const fn new(line: &'l str, place: Place<'l>) -> Self {
        Self { line, at: 0, place }
    }

    fn rest(&self) -> &'l [u8] {
        self.line.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    /// Octets of the blank that `rest` begins with; 0 if it does not.
    fn blank(rest: &[u8]) -> usize {
        match rest.first() {
            Some(b' ' | b'\t' | b'\r' | 0x0b | 0x0c) => 1,
            Some(0xef) if rest.starts_with(MARK) => MARK.len(),
            _ => 0,
        }
    }

    fn skip_blanks(&mut self) {
        loop {
            let blank = Self::blank(self.rest());
            if blank == 0 {
                return;
            }
            self.at += blank;
        }
    }

    /// The next blank, quote or end of the line.
    fn word_end(&self) -> usize {
        let rest = self.line.get(self.at..).unwrap_or_default();
        let end = rest.find(|c| is_blank(c) || matches!(c, '"' | '#'));
        self.at + end.unwrap_or(rest.len())
    }

    /// True if the word at the cursor reads other files.
    fn begins_include(&self) -> bool {
        self.rest().starts_with(b"include")
            && include::is_word(&self.line[self.at..self.word_end()])
    }

    /// The place of the octets `from..to` of the line.
    fn span(&self, from: usize, to: usize, sink: &mut Sink) -> Span {
        match self.place {
            Place::Plain {
                file,
                number,
                base,
                ascii,
            } => {
                let before = if ascii {
                    from
                } else {
                    let before = self.line.get(..from).unwrap_or_default();
                    before.chars().count()
                };
                Span {
                    file,
                    line: number,
                    column: u16::try_from(before + 1).unwrap_or(u16::MAX),
                    start: octet(base + from),
                    end: octet(base + to),
                    origin: 0,
                }
            }
            Place::Made(made) => made.span(from, to, sink),
        }
    }

    fn word(&self, text: String, from: usize, sink: &mut Sink) -> Word {
        Word {
            text,
            span: self.span(from, self.at, sink),
            unexpanded: false,
        }
    }

    /// The word that begins with the quote at the cursor; `None` and unmoved if it does not end.
    fn quoted_word(&mut self, sink: &mut Sink) -> Option<Word> {
        let start = self.at;
        let inside = self.line.get(start + 1..)?;
        let length = inside.find('"')?;
        self.at = start + length + 2;
        Some(self.word(inside[..length].to_owned(), start, sink))
    }

    /// Octets of the place of a template at the cursor, `{{ .. }}` or `{% .. %}`, if one begins here.
    fn hole(&self) -> Option<usize> {
        let rest = self.line.get(self.at..)?;
        let close = match rest.as_bytes() {
            [b'{', b'{', ..] => "}}",
            [b'{', b'%', ..] => "%}",
            _ => return None,
        };
        rest.find(close).map(|at| at + close.len())
    }

    /// That place and what is written close behind it. Nobody knows what belongs here, so the
    /// daemon does not start; read as braces it would be half a dozen mistakes.
    fn hole_word(&mut self, sink: &mut Sink) -> Word {
        let start = self.at;
        self.at += self.hole().unwrap_or(1);
        let span = self.span(start, self.at, sink);
        let shown = quoted(self.line.get(start..self.at).unwrap_or_default());
        let message = format!(
            "{shown} is a place of a template that was never filled in; nothing is guessed"
        );
        sink.report(Severity::Fatal, Class::UnexpectedBraceOpen, span, message)
            .code(Code::TemplateHole)
            .help("write what belongs here, and check how the file was made");
        while self.rest().first().is_some_and(|c| !b"\"#!{}".contains(c))
            && Self::blank(self.rest()) == 0
        {
            self.at += 1;
        }
        let text = self.line.get(start..self.at).unwrap_or_default();
        let mut word = self.word(text.to_owned(), start, sink);
        word.unexpanded = true;
        word
    }

    /// The word at the cursor, which is none of blank, quote, comment or brace.
    fn plain_word(&mut self, sink: &mut Sink) -> Word {
        let start = self.at;
        // What was taken already, if some of it is not in the text as it stands there.
        let mut text = String::new();
        let mut taken = start;
        loop {
            let rest = self.rest();
            match rest.first() {
                None | Some(b'"' | b'#' | b'!' | b'{' | b'}') => break,
                Some(b'\\') if matches!(rest.get(1), Some(b'#' | b'!')) => {
                    text.push_str(&self.line[taken..self.at]);
                    taken = self.at + 1;
                    self.at += 2;
                }
                // Nothing is defined by this name.
                Some(b'$') if rest.get(1) == Some(&b'{') => {
                    let close = rest.iter().position(|c| *c == b'}');
                    self.at += close.map_or(2, |close| close + 1);
                }
                Some(_) if Self::blank(rest) > 0 => break,
                Some(_) => self.at += 1,
            }
        }
        text.push_str(&self.line[taken..self.at]);
        self.word(text, start, sink)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::Bundle;

    /// The lexer of one text.
    fn lex<T>(text: &str, look: impl FnOnce(&mut Lexer<'_>, &mut Sink) -> T) -> (T, usize) {
        let mut sink = Sink::new("f");
        let mut sources = Bundle::default();
        let text = FileText {
            text: text.into(),
            replaced: None,
        };
        let mut lexer = Lexer::new("f", text, &mut sources, &mut sink);
        let seen = look(&mut lexer, &mut sink);
        drop(lexer);
        (seen, sink.finish().len())
    }

    /// Each token as its bytes in the text; words of a line joined by `|`.
    fn tokens(text: &str) -> Vec<String> {
        let (tokens, _) = lex(text, |lexer, sink| {
            let mut all = Vec::new();
            while let Some(token) = lexer.next_token(sink) {
                all.push(match token {
                    Token::Line(line) => {
                        let words = line.words.iter().map(|word| word.text.as_str());
                        words.collect::<Vec<_>>().join("|")
                    }
                    Token::Open(_) => "{".to_owned(),
                    Token::Close(_) => "}".to_owned(),
                });
            }
            all
        });
        tokens
    }

    #[test]
    fn words_end_at_blanks_quotes_braces_and_comments() {
        assert_eq!(tokens("a b\tc"), ["a|b|c"]);
        assert_eq!(tokens("a\"b c\"d"), ["a|b c|d"]);
        assert_eq!(tokens("a{b}c"), ["a", "{", "b", "}", "c"]);
        assert_eq!(tokens("a#b\n!c\nd"), ["a", "d"]);
        assert_eq!(tokens("a\\#b \\!c"), ["a#b|!c"]);
        assert_eq!(tokens("\"a#b{\" \"\""), ["a#b{|"]);
        assert_eq!(tokens("a ${b} c"), ["a|${b}|c"]);
        assert_eq!(tokens("a ${b"), ["a|${b"]);
        assert_eq!(tokens("  \n\r\n#\n"), [""; 0]);
    }

    #[test]
    fn every_word_knows_its_place() {
        let text = "x\n \u{e9}\u{e9} \"b c\"\n";
        let (line, _) = lex(text, |lexer, sink| {
            lexer.next_token(sink);
            lexer.next_token(sink)
        });
        let Some(Token::Line(line)) = line else {
            panic!("a line");
        };
        let places = line.words.iter().map(|word| {
            let span = word.span;
            (&text[span.bytes()], span.line, span.column)
        });
        let places: Vec<_> = places.collect();
        assert_eq!(places, [("\u{e9}\u{e9}", 2, 2), ("\"b c\"", 2, 5)]);
    }

    #[test]
    fn the_text_of_a_line_is_kept_where_quotes_count() {
        let raw = |text| match lex(text, |lexer, sink| lexer.next_token(sink)).0 {
            Some(Token::Line(line)) => line.raw.map(String::from),
            _ => None,
        };
        assert_eq!(raw("a b"), None);
        assert_eq!(raw(" a  'b c' # d").as_deref(), Some("a  'b c'"));
        assert_eq!(raw("a \"b\" { 'c'").as_deref(), Some("a \"b\""));
    }
}
