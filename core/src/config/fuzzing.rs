//! What the fuzz targets look at and nobody else: words and their places, and which words there are.

use super::diag::{Diagnostic, Sink, Span};
use super::keywords;
use super::lexer::{Lexer, Token};
use super::source::{Bundle, Sources as _};

/// A piece of the text as the lexer gives it out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Piece {
    /// A word, without its quotes.
    Word {
        /// Its text.
        text: String,
        /// Where it stands, quotes included.
        span: Span,
    },
    /// The end of the words of one statement.
    End,
    /// `{` or `}`.
    Brace {
        /// Where it stands.
        span: Span,
    },
}

/// Every piece of `text`, and what the lexer finds wrong with it.
pub fn pieces(text: &str) -> (Vec<Piece>, Vec<Diagnostic>) {
    let mut sink = Sink::new("f");
    let mut sources = Bundle::single("f", text);
    let file = sources.read("f");
    let Ok(file) = file else {
        return (Vec::new(), sink.finish());
    };
    let mut lexer = Lexer::new("f", file, &mut sources, &mut sink);
    let mut pieces = Vec::new();
    while let Some(token) = lexer.next_token(&mut sink) {
        match token {
            Token::Line(line) => {
                let words = line.words.into_iter().map(|word| Piece::Word {
                    text: word.text,
                    span: word.span,
                });
                pieces.extend(words);
                pieces.push(Piece::End);
            }
            Token::Open(span) | Token::Close(span) => pieces.push(Piece::Brace { span }),
        }
    }
    (pieces, sink.finish())
}

/// What the lexer gives out for the file `path` of `sources`, one line for each statement or brace,
/// and its findings.
pub fn statements(path: &str, sources: &mut Bundle) -> (Vec<String>, Vec<Diagnostic>) {
    let mut sink = Sink::new(path);
    let Ok(text) = sources.read(path) else {
        return (Vec::new(), Vec::new());
    };
    let mut lexer = Lexer::new(path, text, sources, &mut sink);
    let mut all = Vec::new();
    while let Some(token) = lexer.next_token(&mut sink) {
        all.push(match token {
            Token::Line(line) => {
                let words = line.words.iter().map(|word| word.text.as_str());
                words.collect::<Vec<_>>().join("|")
            }
            Token::Open(_) => "{".to_owned(),
            Token::Close(_) => "}".to_owned(),
        });
        if sink.stopped() {
            break;
        }
    }
    drop(lexer);
    (all, sink.finish())
}

/// Every word that the tables know.
pub fn keywords() -> Vec<&'static str> {
    keywords::all()
}
