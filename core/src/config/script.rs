//! Commands that the daemon runs: `notify_master` and its kin, and the `script` of `vrrp_script`.

use super::block::Statement;
use super::diag::Sink;
use super::page::Page;
use super::row::{Head, Kind};
use super::scalar::Scalar;
use super::statement;

/// A command, and as whom it runs: `COMMAND [USER [GROUP]]`.
///
/// The arguments of the command stand with it in one pair of quotes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Script {
    /// The program and its arguments, as one word.
    pub command: String,
    /// The user.
    pub user: Option<String>,
    /// The group.
    pub group: Option<String>,
}

/// What stands behind `notify_..` words.
pub(super) const SCRIPT: Kind = Kind::Other("COMMAND [USER [GROUP]]");

impl Scalar for Script {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let Some(command) = found.arguments().first() else {
            sink.missing_parameter(found.span(), found.keyword());
            return None;
        };
        statement::surplus(found, 3, sink);
        let text = |at: usize| found.arguments().get(at).map(|word| word.text.clone());
        Some(Self {
            command: command.text.clone(),
            user: text(1),
            group: text(2),
        })
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let mut words = vec![head.word, &self.command];
        words.extend(self.user.as_deref());
        words.extend(self.group.as_deref());
        page.line(&words);
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
