//! Commands that the daemon runs: `notify_master` and its kin, and the `script` of `vrrp_script`.

use super::block::Statement;
use super::code::Code;
use super::command::Command;
use super::diag::{Sink, Spanned, quoted};
use super::global::IGNORED;
use super::page::Page;
use super::row::{Field, Head, Kind};
use super::scalar::Scalar;
use super::statement;

/// A command, and as whom it runs: `COMMAND [USER [GROUP]]`.
///
/// The arguments of the command stand with it in one pair of quotes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Script {
    /// The program and its arguments.
    pub command: Command,
    /// The user.
    pub user: Option<String>,
    /// The group.
    pub group: Option<String>,
}

/// What stands behind `notify_..` words.
pub(super) const SCRIPT: Kind = Kind::Other("COMMAND [USER [GROUP]]");

impl Scalar for Script {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let (command, rest) = Command::with_rest(found, sink)?;
        let mut rest = rest.into_iter();
        let (user, group) = (rest.next(), rest.next());
        if let Some(surplus) = rest.next() {
            let shown = quoted(&surplus.value);
            let message = format!("{shown} and what follows it on this line is ignored");
            sink.note(surplus.span, message)
                .code(Code::SurplusValue)
                .help("put the program and its arguments into one pair of double quotes");
        }
        Some(Self {
            command: command.value,
            user: user.map(|user| user.value),
            group: group.map(|group| group.value),
        })
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let mut line = format!("{} {}", head.word, self.command.written());
        for word in [&self.user, &self.group].into_iter().flatten() {
            let word = Command {
                argv: vec![word.clone()],
            };
            line.push(' ');
            line.push_str(&word.written());
        }
        page.raw(&line);
    }
}

/// A command that may be left out, which says that none is run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OptionalScript(pub Option<Script>);

impl Scalar for OptionalScript {
    fn read(head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        if found.arguments().is_empty() {
            return Some(Self(None));
        }
        Script::read(head, found, sink).map(|script| Self(Some(script)))
    }

    fn show(&self, head: &Head, page: &mut Page) {
        match &self.0 {
            Some(script) => script.show(head, page),
            None => page.line(&[head.word]),
        }
    }
}

/// As whom scripts run: `USER [GROUP]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// The user, by name or number.
    pub user: String,
    /// The group, where it is not the user's own.
    pub group: Option<String>,
}

impl Scalar for User {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let Some(user) = found.arguments().first() else {
            sink.missing_parameter(found.span(), found.keyword());
            return None;
        };
        statement::surplus(found, 2, sink);
        Some(Self {
            user: user.text.clone(),
            group: found.arguments().get(1).map(|word| word.text.clone()),
        })
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let mut words = vec![head.word, &self.user];
        words.extend(self.group.as_deref());
        page.line(&words);
    }
}

/// A value of which the first one written counts, as in keepalived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct First<T>(pub Option<Spanned<T>>);

impl<T> Default for First<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Scalar> Field for First<T> {
    fn read(&mut self, head: &Head, found: &Statement, sink: &mut Sink) {
        let Some(first) = &self.0 else {
            return self.0.read(head, found, sink);
        };
        let line = first.span.line;
        let keyword = quoted(found.keyword());
        let message = format!("{keyword} stands already on line {line}; {IGNORED}");
        sink.error(found.span(), message)
            .code(Code::NameTaken)
            .help("remove one of the two");
    }

    fn show(&self, head: &Head, page: &mut Page) {
        self.0.show(head, page);
    }
}
