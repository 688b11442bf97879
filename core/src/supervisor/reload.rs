//! Reload: one at a time, read and checked before anything changes; children that stay are handed
//! the text while they run.

use crate::ids::ChildId;
use crate::time::{Duration, Instant};

use super::child::{State, Then};
use super::{
    Actions, Child, Kind, Phase, RELOAD_LIMIT, ReloadOutcome, Supervisor, SupervisorAction,
    SupervisorNote, Terms,
};

/// What is announced once every wanted child works by the text in force.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Announce {
    Startup,
    /// `whole` until a child has said that it goes on with its old text.
    Reload {
        whole: bool,
    },
}

impl Supervisor {
    /// The new text is in force: children that stay are told, the others come or go.
    pub(super) fn on_config_read(&mut self, terms: Option<Terms>, now: Instant, out: &mut Actions) {
        if !std::mem::take(&mut self.reading) || self.phase != Phase::Running {
            return;
        }
        let Some(terms) = terms else {
            out.push(SupervisorAction::Note(SupervisorNote::ReloadRefused));
            return;
        };
        let interval_changed = terms.hello_interval != self.terms.hello_interval;
        self.terms = terms;
        self.announce = Some(Announce::Reload { whole: true });
        let n = self.next_reload;
        self.next_reload += 1;
        for kind in Kind::ALL {
            self.take_over(kind, n, now, out);
            if let Some(work) = self.children[kind.index()].work()
                && work.ready.is_some()
                && interval_changed
            {
                work.pulse.restart(now, terms.hello_interval);
            }
        }
        self.announce_when_ready(out);
    }

    /// Brings one kind of child to what is wanted now.
    fn take_over(&mut self, kind: Kind, n: u64, now: Instant, out: &mut Actions) {
        let wanted = self.terms.wanted.contains(kind);
        let child = &mut self.children[kind.index()];
        match &mut child.state {
            State::Absent | State::Waiting { .. } => {
                // What made it die may have been in the old text.
                child.forget_deaths();
                let holds = matches!(child.state, State::Waiting { holds: true, .. });
                child.state = State::Absent;
                if wanted || holds {
                    self.start(kind, true, out);
                }
                if !wanted {
                    self.ask_to_leave(kind.index(), Then::Nothing, now, out);
                }
            }
            // One that is being killed will be followed by one with the new text.
            State::Running { work, .. } if wanted && work.hung.is_some() => {}
            State::Running { id, work } if wanted => {
                work.reload = Some((n, now + RELOAD_LIMIT));
                out.push(SupervisorAction::Reload { child: *id, n });
            }
            // The runtime has not said yet whether it runs, so it has the old text.
            State::Starting { .. } | State::Running { .. } | State::Leaving { .. } => {
                let then = if wanted { Then::Again } else { Then::Nothing };
                self.ask_to_leave(kind.index(), then, now, out);
            }
        }
    }

    /// A child has answered a reload.
    pub(super) fn on_reloaded(
        &mut self,
        id: ChildId,
        n: u64,
        outcome: ReloadOutcome,
        now: Instant,
        out: &mut Actions,
    ) {
        let Some(index) = self.index_of(id) else {
            return;
        };
        let kind = self.children[index].kind;
        let Some(work) = self.children[index].work() else {
            return;
        };
        if work.hung.is_some() || work.reload.is_none_or(|(asked, _)| asked != n) {
            return;
        }
        work.reload = None;
        match outcome {
            ReloadOutcome::Applied => {}
            ReloadOutcome::Restart => {
                out.push(SupervisorAction::Note(SupervisorNote::Replaced { kind }));
                self.ask_to_leave(index, Then::Again, now, out);
            }
            ReloadOutcome::Failed => {
                out.push(SupervisorAction::Note(SupervisorNote::ReloadFailed {
                    kind,
                }));
                if let Some(Announce::Reload { whole }) = &mut self.announce {
                    *whole = false;
                }
            }
        }
        self.announce_when_ready(out);
    }

    /// A child has not answered a reload, though it answers hellos.
    pub(super) fn on_reload_due(&mut self, index: usize, now: Instant, out: &mut Actions) {
        let kind = self.children[index].kind;
        let Some(work) = self.children[index].work() else {
            return;
        };
        if let Some((_, by)) = &mut work.reload
            && now >= *by + Duration::from_micros(RELOAD_LIMIT.as_micros() / 2)
        {
            // The parent was stopped, and perhaps the child with it.
            *by = now + RELOAD_LIMIT;
            return;
        }
        work.reload = None;
        out.push(SupervisorAction::Note(SupervisorNote::Replaced { kind }));
        self.ask_to_leave(index, Then::Again, now, out);
    }

    /// Begins a reload that was asked for, once none is under way.
    pub(super) fn reload_when_idle(&mut self, out: &mut Actions) {
        if self.reload_queued && self.phase == Phase::Running && !self.is_reloading() {
            self.reload_queued = false;
            self.reading = true;
            out.push(SupervisorAction::Note(SupervisorNote::Reloading));
            out.push(SupervisorAction::ReadConfig);
        }
    }

    fn is_reloading(&self) -> bool {
        let busy =
            |child: &Child| child.is_reloading() || matches!(child.state, State::Leaving { .. });
        self.reading || self.children.iter().any(busy)
    }

    pub(super) fn announce_when_ready(&mut self, out: &mut Actions) {
        let ready = |child: &Child| {
            !self.terms.wanted.contains(child.kind) || child.is_ready() && !child.is_reloading()
        };
        if self.children.iter().all(ready)
            && let Some(announce) = self.announce.take()
        {
            out.push(SupervisorAction::Note(match announce {
                Announce::Startup => SupervisorNote::StartupComplete,
                Announce::Reload { whole: true } => SupervisorNote::ReloadComplete,
                Announce::Reload { whole: false } => SupervisorNote::ReloadIncomplete,
            }));
        }
    }
}
