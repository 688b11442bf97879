//! Lines into words, with the position of every word.
//!
//! As in the original a line is one entry; `#` and `!` begin a comment outside double quotes unless
//! a backslash stands before them; a double quote begins a word of its own; `{` and `}` outside
//! quotes stand for themselves, and what follows one is treated as a line of its own.

use std::collections::{BTreeSet, VecDeque};

use super::diag::{Class, Severity, Sink, Span, quoted};
use crate::limits;

/// One word, without its quotes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Word {
    pub(super) text: String,
    /// Includes the quotes.
    pub(super) span: Span,
    /// Asks for text from elsewhere, which is not put in: already refused.
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

/// Words that read another file: what follows them is a pattern, braces and all.
const INCLUDES: [&str; 6] = [
    "include", "includea", "includeb", "includem", "includer", "includew",
];

/// Names that are defined before the file is read.
const BUILT_IN: [&str; 6] = ["_BANG", "_ENV", "_HASH", "_INSTANCE", "_PWD", "_RANDOM"];

#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    /// First byte of the next line.
    next: usize,
    line: u32,
    ready: VecDeque<Token>,
    /// Names that a `$NAME=` line has defined so far.
    defined: BTreeSet<&'a str>,
    /// The last line was a definition that goes on behind a backslash.
    in_definition: bool,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self {
            text,
            next: 0,
            line: 0,
            ready: VecDeque::new(),
            defined: BTreeSet::new(),
            in_definition: false,
        }
    }

    pub(super) fn next_token(&mut self, sink: &mut Sink) -> Option<Token> {
        loop {
            if let Some(token) = self.ready.pop_front() {
                return Some(token);
            }
            let rest = self.text.get(self.next..)?;
            if rest.is_empty() {
                return None;
            }
            let start = self.next;
            let length = rest.find('\n').unwrap_or(rest.len());
            self.next = (start + length + 1).min(self.text.len());
            self.line += 1;
            self.read_line(Cursor::new(&rest[..length], start, self.line), sink);
        }
    }

    fn read_line(&mut self, mut cursor: Cursor<'a>, sink: &mut Sink) {
        if cursor.line.len() > limits::CONFIG_LINE {
            let message = format!(
                "this line has {} bytes; lines of more than {} are ignored",
                cursor.line.len(),
                limits::CONFIG_LINE
            );
            sink.error(cursor.whole(), message)
                .help("break it into several lines");
            self.in_definition = false;
            return;
        }
        if self.in_definition {
            self.in_definition = goes_on(cursor.line);
            return;
        }
        cursor.skip_blanks();
        match cursor.peek() {
            Some('@') => self.condition(&mut cursor, sink),
            Some('~') if cursor.rest().starts_with("~SEQ") || cursor.rest().starts_with("~LST") => {
                let keyword = Span {
                    end: cursor.offset() + 4,
                    ..cursor.here()
                };
                sink.refuse(keyword, "repeating a line with `~SEQ` or `~LST`");
                return;
            }
            Some('$') if self.definition(&mut cursor, sink) => return,
            _ => {}
        }
        self.split(&mut cursor, sink);
    }

    /// `@ID rest` keeps a line on some hosts only.
    fn condition(&mut self, cursor: &mut Cursor<'a>, sink: &mut Sink) {
        let start = cursor.here();
        cursor.skip_while(|c| !is_blank(c));
        let span = cursor.since(start);
        sink.refuse(span, "a line for some hosts only (`@ID`)");
    }

    /// `$NAME=VALUE`; false if this is an ordinary line after all.
    fn definition(&mut self, cursor: &mut Cursor<'a>, sink: &mut Sink) -> bool {
        let rest = cursor.rest();
        let Some((name, _)) = rest[1..].split_once('=') else {
            return false;
        };
        if name.is_empty() || !name.chars().all(is_name) {
            return false;
        }
        self.defined.insert(name);
        self.in_definition = goes_on(rest);
        let start = cursor.here();
        cursor.skip_while(|c| c != '=');
        let what = format!("defining {}", quoted(&format!("${name}")));
        sink.refuse(cursor.since(start), &what);
        true
    }

    fn split(&mut self, cursor: &mut Cursor<'a>, sink: &mut Sink) {
        let mut words = Vec::new();
        loop {
            cursor.skip_blanks();
            let start = cursor.here();
            match cursor.peek() {
                None | Some('#' | '!') => break,
                Some('"') => match cursor.quoted_word() {
                    Some(word) => words.push(word),
                    None => {
                        let message = "a double quote begins here and does not end on this line; \
                                       the rest of the line is ignored";
                        sink.report(
                            Severity::Error,
                            Class::UnmatchedQuote,
                            cursor.to_end(),
                            message,
                        )
                        .help("add the second quote");
                        break;
                    }
                },
                Some('{' | '}') if !is_include(&words) => {
                    self.flush(&mut words, cursor, sink);
                    let open = cursor.peek() == Some('{');
                    cursor.bump();
                    let span = cursor.since(start);
                    self.ready.push_back(if open {
                        Token::Open(span)
                    } else {
                        Token::Close(span)
                    });
                }
                Some(_) => words.push(cursor.plain_word(is_include(&words))),
            }
        }
        self.flush(&mut words, cursor, sink);
    }

    fn flush(&mut self, words: &mut Vec<Word>, cursor: &Cursor<'a>, sink: &mut Sink) {
        let (Some(first), Some(last)) = (words.first(), words.last()) else {
            return;
        };
        let raw = cursor.raw(first.span, last.span);
        if let Some(first) = words
            .first_mut()
            .filter(|first| is_include_word(&first.text))
        {
            sink.refuse(first.span, &quoted(&first.text));
            first.unexpanded = true;
        } else {
            self.mark_references(words, sink);
        }
        let words = std::mem::take(words);
        self.ready.push_back(Token::Line(Line { words, raw }));
    }

    fn mark_references(&self, words: &mut [Word], sink: &mut Sink) {
        for word in words {
            if let Some(name) = self.reference(&word.text) {
                let what = format!("replacing {}", quoted(&format!("${{{name}}}")));
                sink.refuse(word.span, &what);
                word.unexpanded = true;
            }
        }
    }

    /// The first defined or built-in name that `word` asks to be replaced.
    fn reference<'w>(&self, word: &'w str) -> Option<&'w str> {
        let mut rest = word;
        while let Some((_, after)) = rest.split_once('$') {
            let braced = after.strip_prefix('{');
            let body = braced.unwrap_or(after);
            let end = body.find(|c| !is_name(c)).unwrap_or(body.len());
            let (name, tail) = body.split_at(end);
            // A bare name counts only where the original sees its end.
            let ended = tail.is_empty() || tail.starts_with([',', ')']);
            let known = self.defined.contains(name) || BUILT_IN.contains(&name);
            if known && (braced.is_some() || ended) {
                return Some(name);
            }
            rest = after;
        }
        None
    }
}

fn is_include(words: &[Word]) -> bool {
    words
        .first()
        .is_some_and(|word| is_include_word(&word.text))
}

fn is_include_word(word: &str) -> bool {
    INCLUDES.contains(&word)
}

fn goes_on(line: &str) -> bool {
    line.trim_end().ends_with('\\')
}

const fn is_blank(c: char) -> bool {
    // The last is the mark that some editors put at the beginning of a file.
    matches!(c, ' ' | '\t' | '\r' | '\x0b' | '\x0c' | '\u{feff}')
}

const fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The place of a byte in a span; texts are never so long that it does not fit.
const fn byte(at: usize) -> u32 {
    if at > u32::MAX as usize {
        u32::MAX
    } else {
        at as u32
    }
}

/// A place within one line.
#[derive(Debug)]
struct Cursor<'a> {
    line: &'a str,
    /// Byte of the text at which the line begins.
    base: usize,
    number: u32,
    at: usize,
    column: u16,
}

impl<'a> Cursor<'a> {
    const fn new(line: &'a str, base: usize, number: u32) -> Self {
        Self {
            line,
            base,
            number,
            at: 0,
            column: 1,
        }
    }

    fn rest(&self) -> &'a str {
        &self.line[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        self.column = self.column.saturating_add(1);
        Some(c)
    }

    fn skip_while(&mut self, mut wanted: impl FnMut(char) -> bool) {
        while self.peek().is_some_and(&mut wanted) {
            self.bump();
        }
    }

    fn skip_blanks(&mut self) {
        self.skip_while(is_blank);
    }

    const fn offset(&self) -> u32 {
        byte(self.base + self.at)
    }

    /// The empty span at the cursor.
    const fn here(&self) -> Span {
        Span {
            file: 0,
            start: self.offset(),
            end: self.offset(),
            line: self.number,
            column: self.column,
        }
    }

    /// From `start` to the cursor.
    const fn since(&self, start: Span) -> Span {
        Span {
            end: self.offset(),
            ..start
        }
    }

    /// From the cursor to the end of the line.
    const fn to_end(&self) -> Span {
        Span {
            end: byte(self.base + self.line.len()),
            ..self.here()
        }
    }

    /// The text from `first` to `last` if the richer rules may split it otherwise.
    fn raw(&self, first: Span, last: Span) -> Option<Box<str>> {
        let range = first.start as usize - self.base..last.end as usize - self.base;
        let text = self.line.get(range)?;
        text.contains(['\'', '"', '\\']).then(|| text.into())
    }

    const fn whole(&self) -> Span {
        Span {
            file: 0,
            start: byte(self.base),
            end: byte(self.base + self.line.len()),
            line: self.number,
            column: 1,
        }
    }

    /// The word that begins with the quote at the cursor; `None` and unmoved if it does not end.
    fn quoted_word(&mut self) -> Option<Word> {
        let start = self.here();
        let inside = self.rest().strip_prefix('"')?;
        let (text, _) = inside.split_once('"')?;
        self.bump();
        self.skip_while(|c| c != '"');
        self.bump();
        Some(Word {
            text: text.to_owned(),
            span: self.since(start),
            unexpanded: false,
        })
    }

    /// The word at the cursor, which is none of blank, quote, comment or (unless `braces` are part
    /// of words) brace.
    fn plain_word(&mut self, braces: bool) -> Word {
        let start = self.here();
        let mut text = String::new();
        while let Some(c) = self.peek() {
            match c {
                '"' | '#' | '!' => break,
                '{' | '}' if !braces => break,
                '\\' if self.rest()[1..].starts_with(['#', '!']) => {
                    self.bump();
                    text.extend(self.bump());
                }
                '$' if self.rest().starts_with("${") => self.take_reference(&mut text),
                c if is_blank(c) => break,
                c => {
                    text.push(c);
                    self.bump();
                }
            }
        }
        Word {
            text,
            span: self.since(start),
            unexpanded: false,
        }
    }

    /// `${...}`, up to its brace or the end of the line.
    fn take_reference(&mut self, text: &mut String) {
        let rest = self.rest();
        let length = rest.find('}').map_or(2, |at| at + 1);
        text.push_str(&rest[..length]);
        let end = self.at + length;
        while self.at < end {
            self.bump();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each token as its bytes in the text; words of a line joined by `|`.
    fn tokens(text: &str) -> Vec<String> {
        let mut sink = Sink::new("f");
        let mut lexer = Lexer::new(text);
        let mut all = Vec::new();
        while let Some(token) = lexer.next_token(&mut sink) {
            all.push(match token {
                Token::Line(line) => {
                    let words = line.words.iter().map(|word| word.text.as_str());
                    words.collect::<Vec<_>>().join("|")
                }
                Token::Open(span) | Token::Close(span) => text[span.bytes()].to_owned(),
            });
        }
        all
    }

    #[test]
    fn words_end_at_blanks_quotes_braces_and_comments() {
        assert_eq!(tokens("a b\tc"), ["a|b|c"]);
        assert_eq!(tokens("a\"b c\"d"), ["a|b c|d"]);
        assert_eq!(tokens("a{b}c"), ["a", "{", "b", "}", "c"]);
        assert_eq!(tokens("a#b\n!c\nd"), ["a", "d"]);
        assert_eq!(tokens("a\\#b \\!c"), ["a#b|!c"]);
        assert_eq!(tokens("\"a#b{\" \"\""), ["a#b{|"]);
        assert_eq!(tokens("include a{b,c}"), ["include|a{b,c}"]);
        assert_eq!(tokens("a ${b} c"), ["a|${b}|c"]);
        assert_eq!(tokens("a ${b"), ["a|${b"]);
        assert_eq!(tokens("  \n\r\n#\n"), [""; 0]);
    }

    #[test]
    fn every_word_knows_its_place() {
        let text = "x\n \u{e9}\u{e9} \"b c\"\n";
        let mut sink = Sink::new("f");
        let mut lexer = Lexer::new(text);
        lexer.next_token(&mut sink);
        let Some(Token::Line(line)) = lexer.next_token(&mut sink) else {
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
    fn a_name_is_a_reference_only_where_its_end_is_seen() {
        let count = |line: &str| {
            let mut sink = Sink::new("f");
            let text = format!("$AB=1\n{line}\n");
            let mut lexer = Lexer::new(&text);
            while lexer.next_token(&mut sink).is_some() {}
            sink.finish().len() - 1
        };
        for line in [
            "a $AB", "a x$AB", "a ${AB}x", "a $AB,b", "a $AB)", "a $x$AB", "${_PWD}",
        ] {
            assert_eq!(count(line), 1, "{line}");
        }
        for line in ["a $A", "a $ABC", "a $AB.", "a ${A}", "a $", "a # $AB"] {
            assert_eq!(count(line), 0, "{line}");
        }
    }
}
