//! Tokens into statements: a line of words and, if it has one, its block.
//!
//! One statement of the top level is read at a time, so a file of thousands of instances is never
//! held twice. Nesting is kept on a stack of our own and ends at [`limits::CONFIG_DEPTH`].
//!
//! Where braces do not match: a block without its `{` is read as if it had it, as the original
//! does. A `{` that belongs to nothing, and a block of an unknown word, are skipped whole: the
//! original reads on inside them as if the brace were not there and then closes the outer block too
//! early, which gives words a meaning that nobody wrote. A word that begins a block of the top level
//! ends whatever is still open before it.

use super::code::Code;
use super::diag::{Class, Severity, Sink, Span, quoted};
use super::keywords;
use super::lexer::{Lexer, Line, Token, Word};
use crate::limits;

/// A line, and the block that it opens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Statement {
    /// At least one.
    pub(super) words: Vec<Word>,
    /// See [`Line::raw`].
    pub(super) raw: Option<Box<str>>,
    pub(super) block: Option<Block>,
}

impl Statement {
    /// The first word.
    pub(super) fn keyword(&self) -> &str {
        self.words.first().map_or("", |word| word.text.as_str())
    }

    /// Where the first word stands.
    pub(super) fn span(&self) -> Span {
        self.words.first().map(|word| word.span).unwrap_or_default()
    }

    /// The words behind the first.
    pub(super) fn arguments(&self) -> &[Word] {
        self.words.get(1..).unwrap_or_default()
    }

    /// The text of the words where the richer rules of [`super::command`] may split it otherwise.
    pub(super) fn raw(&self) -> Option<&str> {
        self.raw.as_deref()
    }

    /// Something in it stands for text that is not put in.
    pub(super) fn is_unexpanded(&self) -> bool {
        self.words.iter().any(|word| word.unexpanded)
    }
}

/// What stands between two braces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Block {
    /// The opening brace, or the keyword where the brace is missing.
    pub(super) open: Span,
    pub(super) statements: Vec<Statement>,
}

/// A block that is still open.
#[derive(Debug)]
struct Frame {
    /// The statement that opened it; `None` for a brace that belongs to nothing.
    line: Option<Line>,
    open: Span,
    statements: Vec<Statement>,
}

#[derive(Debug)]
pub(super) struct Reader<'s> {
    lexer: Lexer<'s>,
    peeked: Option<Token>,
    stack: Vec<Frame>,
    /// Words of the statement of the top level that is being read.
    words: usize,
}

impl<'s> Reader<'s> {
    pub(super) const fn new(lexer: Lexer<'s>) -> Self {
        Self {
            lexer,
            peeked: None,
            stack: Vec::new(),
            words: 0,
        }
    }

    /// The next statement of the top level, with everything inside it.
    pub(super) fn next_statement(&mut self, sink: &mut Sink) -> Option<Statement> {
        loop {
            let Some(token) = self.take(sink) else {
                self.report_unclosed(sink, "before the end of the file");
                return self.unwind();
            };
            match token {
                Token::Line(line) => {
                    if let Some(done) = self.on_line(line, sink) {
                        return Some(done);
                    }
                }
                Token::Open(span) => self.on_stray_open(span, sink),
                Token::Close(span) => {
                    if let Some(done) = self.on_close(span, sink) {
                        return Some(done);
                    }
                }
            }
        }
    }

    fn take(&mut self, sink: &mut Sink) -> Option<Token> {
        match self.peeked.take() {
            Some(token) => Some(token),
            None => self.lexer.next_token(sink),
        }
    }

    fn peek(&mut self, sink: &mut Sink) -> Option<&Token> {
        if self.peeked.is_none() {
            self.peeked = self.lexer.next_token(sink);
        }
        self.peeked.as_ref()
    }

    /// A line; returns a finished statement of the top level.
    fn on_line(&mut self, line: Line, sink: &mut Sink) -> Option<Statement> {
        self.words = if self.stack.is_empty() {
            0
        } else {
            self.words + line.words.len()
        };
        if self.words > limits::BLOCK_WORDS {
            self.tell_endless(&line, sink);
            return None;
        }
        let first = line.words.first();
        let keyword = first.map_or("", |word| word.text.as_str());
        let span = first.map(|word| word.span).unwrap_or_default();
        let opens = matches!(self.peek(sink), Some(Token::Open(_)));
        if opens && !self.stack.is_empty() && keywords::begins_top_block(keyword) {
            let place = format!("before {} on line {}", quoted(keyword), span.line);
            self.report_unclosed(sink, &place);
            let done = self.unwind();
            let Some(Token::Open(open)) = self.take(sink) else {
                return done;
            };
            self.open(Some(line), open, sink);
            return done;
        }
        if opens {
            if let Some(Token::Open(open)) = self.take(sink) {
                self.open(Some(line), open, sink);
            }
            return None;
        }
        if keywords::takes_block(self.place(), keyword) && self.block_follows(sink) {
            let message = format!(
                "{} is not followed by `{{`; read as if it were",
                quoted(keyword)
            );
            sink.report(Severity::Error, Class::MissingBraceOpen, span, message)
                .code(Code::MissingOpenBrace)
                .help("write `{` at the end of this line");
            self.open(Some(line), span, sink);
            return None;
        }
        let Line { words, raw } = line;
        let block = None;
        self.push(Statement { words, raw, block })
    }

    /// The block has too many words; what is still to come of it is dropped.
    fn tell_endless(&mut self, line: &Line, sink: &mut Sink) {
        if self.words - line.words.len() > limits::BLOCK_WORDS {
            return;
        }
        let place = line.words.first().map(|word| word.span);
        let message = format!(
            "this block has more than {} words; from here on they are ignored",
            limits::BLOCK_WORDS
        );
        sink.fatal(place.unwrap_or_default(), message)
            .help("look for a `}` that is missing before it");
    }

    /// After a block's keyword without `{`: true if the next line looks like the inside of it.
    fn block_follows(&mut self, sink: &mut Sink) -> bool {
        match self.peek(sink) {
            Some(Token::Line(line)) => {
                let next = line.words.first().map_or("", |word| word.text.as_str());
                !keywords::begins_top_block(next)
            }
            Some(Token::Open(_) | Token::Close(_)) | None => false,
        }
    }

    /// The word that opened the innermost block, empty at the top.
    fn place(&self) -> &str {
        self.stack
            .last()
            .and_then(|frame| frame.line.as_ref()?.words.first())
            .map_or("", |word| word.text.as_str())
    }

    fn open(&mut self, line: Option<Line>, open: Span, sink: &mut Sink) {
        if self.stack.len() >= limits::CONFIG_DEPTH {
            let message = format!(
                "blocks are nested more than {} deep; this one is skipped",
                limits::CONFIG_DEPTH
            );
            sink.error(open, message)
                .code(Code::DeepNesting)
                .help("check the braces before this line");
            self.skip_block(sink);
            return;
        }
        self.stack.push(Frame {
            line,
            open,
            statements: Vec::new(),
        });
    }

    /// Behind a `{`: everything up to its `}`.
    fn skip_block(&mut self, sink: &mut Sink) {
        let mut depth = 1_usize;
        while depth > 0 {
            match self.take(sink) {
                Some(Token::Open(_)) => depth += 1,
                Some(Token::Close(_)) => depth -= 1,
                Some(Token::Line(_)) => {}
                None => return,
            }
        }
    }

    fn on_stray_open(&mut self, span: Span, sink: &mut Sink) {
        sink.report(
            Severity::Error,
            Class::UnexpectedBraceOpen,
            span,
            "this `{` follows no word that it could belong to; its block is skipped",
        )
        .help("remove it and its `}`, or write the block's keyword before it");
        self.open(None, span, sink);
    }

    fn on_close(&mut self, span: Span, sink: &mut Sink) -> Option<Statement> {
        let Some(frame) = self.stack.pop() else {
            sink.report(
                Severity::Error,
                Class::UnexpectedBraceClose,
                span,
                "this `}` closes nothing: no block is open here",
            )
            .help("remove it, or look for a `{` that is missing before it");
            return None;
        };
        self.finish(frame)
    }

    fn finish(&mut self, frame: Frame) -> Option<Statement> {
        let Frame {
            line,
            open,
            statements,
        } = frame;
        let Line { words, raw } = line?;
        self.push(Statement {
            words,
            raw,
            block: Some(Block { open, statements }),
        })
    }

    /// Into the innermost block, or out if none is open.
    fn push(&mut self, statement: Statement) -> Option<Statement> {
        match self.stack.last_mut() {
            Some(frame) => {
                frame.statements.push(statement);
                None
            }
            None => Some(statement),
        }
    }

    fn report_unclosed(&self, sink: &mut Sink, place: &str) {
        for frame in &self.stack {
            let name = frame.line.as_ref().and_then(|line| line.words.first());
            let what = name.map_or_else(
                || "the block".to_owned(),
                |word| format!("the block of {}", quoted(&word.text)),
            );
            let message = format!("{what} that begins here has no `}}` {place}");
            sink.report(
                Severity::Error,
                Class::MissingBraceClose,
                name.map_or(frame.open, |word| word.span),
                message,
            )
            .code(Code::MissingCloseBrace)
            .help("write the missing `}`");
        }
    }

    /// Closes everything that is open.
    fn unwind(&mut self) -> Option<Statement> {
        let mut done = None;
        while let Some(frame) = self.stack.pop() {
            done = self.finish(frame);
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::{Bundle, Sources as _};

    fn shown(statement: &Statement) -> String {
        let words: Vec<&str> = statement
            .words
            .iter()
            .map(|word| word.text.as_str())
            .collect();
        let mut text = words.join(" ");
        if let Some(block) = &statement.block {
            let inner: Vec<String> = block.statements.iter().map(shown).collect();
            text = format!("{text}({})", inner.join(","));
        }
        text
    }

    fn statements(text: &str) -> (Vec<String>, usize) {
        let mut sink = Sink::new("f");
        let mut sources = Bundle::single("f", text);
        let text = sources.read("f").expect("a text");
        let mut reader = Reader::new(Lexer::new("f", text, &mut sources, &mut sink));
        let mut all = Vec::new();
        while let Some(statement) = reader.next_statement(&mut sink) {
            all.push(shown(&statement));
        }
        drop(reader);
        (all, sink.finish().len())
    }

    #[test]
    fn a_block_belongs_to_the_line_before_it() {
        let (all, found) = statements("a b {\nc\nd { e } f\n}\ng\nh\n{\n}\n");
        assert_eq!(
            (all, found),
            (vec!["a b(c,d(e),f)".into(), "g".into(), "h()".into()], 0)
        );
    }

    #[test]
    fn what_is_open_at_the_end_is_kept_and_reported() {
        let (all, found) = statements("a {\nb {\nc\n");
        assert_eq!((all, found), (vec!["a(b(c))".into()], 2));
    }

    #[test]
    fn a_block_of_the_top_level_ends_what_is_open() {
        let (all, found) = statements("a {\nb {\nvrrp_instance c {\nd\n}\ne\n");
        assert_eq!(
            (all, found),
            (
                vec!["a(b())".into(), "vrrp_instance c(d)".into(), "e".into()],
                2
            )
        );
    }

    #[test]
    fn a_stray_block_is_skipped() {
        let (all, found) = statements("a {\n{\nb\n}\nc\n}\n{ d }\ne\n");
        assert_eq!((all, found), (vec!["a(c)".into(), "e".into()], 2));
    }

    #[test]
    fn nesting_ends_at_the_limit_and_reading_goes_on_behind_it() {
        let deep = limits::CONFIG_DEPTH + 5;
        let text = format!("{}x\n{}\ny\n", "a {\n".repeat(deep), "}\n".repeat(deep));
        let (all, found) = statements(&text);
        assert_eq!((all.len(), found), (2, 1));
        assert_eq!(all[0].matches("a(").count(), limits::CONFIG_DEPTH);
        assert_eq!(all[1], "y");
    }
}
