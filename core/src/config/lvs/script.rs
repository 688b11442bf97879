//! Commands that the load balancer runs, and as whom.

use super::super::block::Statement;
use super::super::code::Code;
use super::super::command::{Command, words};
use super::super::diag::{Sink, Spanned, quoted};
use super::super::page::Page;
use super::super::row::{Field, Head, plain_fields};
use super::super::scalar::Scalar;
use super::quietly_missing;

/// Who a program is run as.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// The name or the number of the user.
    pub user: Box<str>,
    /// The same of the group; else that of the user.
    pub group: Option<Box<str>>,
}

impl User {
    fn of(words: Vec<Spanned<String>>, sink: &mut Sink) -> Option<Self> {
        let mut words = words.into_iter();
        let user = words.next()?;
        let group = words.next();
        if let Some(word) = words.next() {
            let message = format!("{} and what follows it is ignored", quoted(&word.value));
            sink.note(word.span, message)
                .code(Code::SurplusValue)
                .help("a user and a group may stand here");
        }
        Some(Self {
            user: user.value.into(),
            group: group.map(|group| group.value.into()),
        })
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        [Some(&*self.user), self.group.as_deref()]
            .into_iter()
            .flatten()
    }
}

impl Scalar for User {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        Self::of(words(found, sink)?, sink)
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let words: Vec<&str> = [head.word].into_iter().chain(self.words()).collect();
        page.line(&words);
    }
}

/// A program with its arguments, and who runs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Script {
    /// The program and its arguments.
    pub command: Command,
    /// Who runs it; else the `script_user`.
    pub user: Option<User>,
}

impl Scalar for Script {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let (command, user) = Command::with_rest(found, sink)?;
        Some(Self {
            command: command.value,
            user: User::of(user, sink),
        })
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let mut line = format!("{} {}", head.word, self.command.written());
        for word in self.user.iter().flat_map(User::words) {
            let word = Command {
                argv: vec![word.to_owned()],
            };
            line.push(' ');
            line.push_str(&word.written());
        }
        page.raw(&line);
    }
}

/// One text by the richer rules, as a regular expression.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern(pub Box<str>);

impl Scalar for Pattern {
    fn read(head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        if quietly_missing(head, found, sink) {
            return None;
        }
        let mut words = words(found, sink)?.into_iter();
        let text = words.next()?;
        if let Some(word) = words.next() {
            let message = format!("{} and what follows it is ignored", quoted(&word.value));
            sink.note(word.span, message)
                .code(Code::SurplusValue)
                .help("put a text with blanks into quotes");
        }
        Some(Self(text.value.into()))
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let mut text = format!("{} \"", head.word);
        for c in self.0.chars() {
            if c.is_control() || matches!(c, '\'' | '"' | '\\' | '$' | '\u{feff}') {
                for octet in c.encode_utf8(&mut [0; 4]).bytes() {
                    text.push_str(&format!("\\{octet:03o}"));
                }
            } else {
                text.push(c);
            }
        }
        text.push('"');
        page.raw(&text);
    }
}

plain_fields!(Pattern);

/// The first counts.
impl Field for Option<Script> {
    fn read(&mut self, head: &Head, found: &Statement, sink: &mut Sink) {
        let script = Script::read(head, found, sink);
        if self.is_some() {
            let keyword = quoted(found.keyword());
            let message = format!("a second {keyword}; the line is ignored");
            sink.error(found.span(), message)
                .code(Code::NameTaken)
                .help("let one script call the other");
        } else {
            *self = script;
        }
    }

    fn show(&self, head: &Head, page: &mut Page) {
        if let Some(script) = self {
            script.show(head, page);
        }
    }
}
