//! Commands that the load balancer runs, and as whom.

use super::super::block::Statement;
use super::super::diag::{Sink, quoted};
use super::super::lexer::Word;
use super::super::page::Page;
use super::super::row::{Field, Head};
use super::super::scalar::Scalar;

/// Who a program is run as.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// The name or the number of the user.
    pub user: Box<str>,
    /// The same of the group; else that of the user.
    pub group: Option<Box<str>>,
}

impl User {
    fn of(words: &[Word], sink: &mut Sink) -> Option<Self> {
        let user = words.first()?;
        if let Some(word) = words.get(2) {
            let message = format!("{} and what follows it is ignored", quoted(&word.text));
            sink.note(word.span, message)
                .help("a user and a group may stand here");
        }
        Some(Self {
            user: user.text.as_str().into(),
            group: words.get(1).map(|word| word.text.as_str().into()),
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
        Self::of(found.arguments(), sink)
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let words: Vec<&str> = [head.word].into_iter().chain(self.words()).collect();
        page.line(&words);
    }
}

/// A program with its arguments, and who runs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Script {
    /// The program and its arguments, as written between the quotes.
    pub command: Box<str>,
    /// Who runs it; else the `script_user`.
    pub user: Option<User>,
}

impl Scalar for Script {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let Some((command, user)) = found.arguments().split_first() else {
            sink.missing_parameter(found.span(), found.keyword());
            return None;
        };
        Some(Self {
            command: command.text.as_str().into(),
            user: User::of(user, sink),
        })
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let mut words = vec![head.word, &*self.command];
        words.extend(self.user.iter().flat_map(User::words));
        page.line(&words);
    }
}

/// The first counts.
impl Field for Option<Script> {
    fn read(&mut self, head: &Head, found: &Statement, sink: &mut Sink) {
        let script = Script::read(head, found, sink);
        if self.is_some() {
            let keyword = quoted(found.keyword());
            let message = format!("a second {keyword}; the line is ignored");
            sink.error(found.span(), message)
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
