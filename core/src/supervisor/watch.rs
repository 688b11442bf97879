//! The watch over the children, and the service manager's watch over the parent.

use crate::ids::ChildId;
use crate::time::{Duration, Instant};

use super::child::State;
use super::pulse::Verdict;
use super::{
    Actions, Child, ChildSignal, Phase, START_LIMIT, Supervisor, SupervisorAction, SupervisorNote,
    SupervisorTimer,
};

/// The least period of the service manager's watchdog: a wrong figure must not keep the parent busy.
const WATCHDOG_MIN: Duration = Duration::from_millis(10);

/// The service manager's watchdog.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Watchdog {
    period: Duration,
    /// When it shall hear from us next; `None` before [`Begin`](super::SupervisorEvent::Begin).
    due: Option<Instant>,
    /// A child was silent when it was due: it is told as soon as none is.
    owed: bool,
}

impl Watchdog {
    pub(super) fn new(period: Duration) -> Self {
        Self {
            period: period.max(WATCHDOG_MIN),
            due: None,
            owed: false,
        }
    }
}

impl Supervisor {
    /// A child has its configuration in: it is said hello to from now on.
    pub(super) fn on_ready(&mut self, id: ChildId, now: Instant, out: &mut Actions) {
        let Some(index) = self.index_of(id) else {
            return;
        };
        let interval = self.terms.hello_interval;
        if let Some(work) = self.children[index].work()
            && work.ready.is_none()
            && work.hung.is_none()
        {
            work.ready = Some(now);
            work.pulse.restart(now, interval);
            let n = work.pulse.next_hello();
            out.push(SupervisorAction::Hello { child: id, n });
        }
        self.announce_when_ready(out);
    }

    /// Everything that the child has said is known now.
    pub(super) fn on_listened(
        &mut self,
        id: ChildId,
        here: Option<u64>,
        now: Instant,
        out: &mut Actions,
    ) {
        let Some(index) = self.index_of(id) else {
            return;
        };
        let hello_interval = self.terms.hello_interval;
        let kind = self.children[index].kind;
        let Some(work) = self.children[index].work() else {
            return;
        };
        // Nobody has asked, or it has said in between that it is ready.
        if work.hung.is_some() || work.pulse.due().is_some() {
            return;
        }
        let pid = work.pid;
        let interval = match work.ready {
            Some(_) => hello_interval,
            None => START_LIMIT,
        };
        let verdict = work.pulse.on_listened(here, now, interval);
        match verdict {
            Verdict::Well | Verdict::Silent if work.ready.is_none() => {}
            Verdict::Well | Verdict::Silent => {
                let n = work.pulse.next_hello();
                out.push(SupervisorAction::Hello { child: id, n });
            }
            Verdict::Hung => {
                work.hung = Some(now);
                let note = if work.ready.is_some() {
                    let after = interval * u64::from(super::pulse::MISSED_MAX);
                    SupervisorNote::Hung { kind, pid, after }
                } else {
                    let after = START_LIMIT;
                    SupervisorNote::NeverReady { kind, pid, after }
                };
                out.push(SupervisorAction::Note(note));
                out.push(SupervisorAction::Signal {
                    child: id,
                    signal: ChildSignal::Kill,
                });
            }
        }
    }

    /// A deadline of a child has come.
    pub(super) fn on_child_due(
        &mut self,
        index: usize,
        timer: SupervisorTimer,
        now: Instant,
        out: &mut Actions,
    ) {
        let child = &mut self.children[index];
        match timer {
            SupervisorTimer::Restart(kind) => self.start(kind, true, out),
            SupervisorTimer::Kill(kind) => {
                let State::Leaving { id, kill_at, .. } = &mut child.state else {
                    return;
                };
                *kill_at = None;
                let child = *id;
                let after = self.terms.child_wait_time;
                out.push(SupervisorAction::Note(SupervisorNote::Killed {
                    kind,
                    after,
                }));
                out.push(SupervisorAction::Signal {
                    child,
                    signal: ChildSignal::Kill,
                });
            }
            SupervisorTimer::Ready(_) | SupervisorTimer::Hello(_) => {
                if let (Some(id), Some(work)) = (child.id(), child.work()) {
                    work.pulse.look();
                    out.push(SupervisorAction::Listen { child: id });
                }
            }
            SupervisorTimer::Reload(_) => self.on_reload_due(index, now, out),
            SupervisorTimer::Watchdog => {}
        }
    }

    pub(super) fn watchdog_deadline(&self) -> Option<(Instant, SupervisorTimer)> {
        let due = self.watchdog.and_then(|watchdog| watchdog.due)?;
        (self.phase != Phase::Done).then_some((due, SupervisorTimer::Watchdog))
    }

    pub(super) fn on_watchdog_due(&mut self, now: Instant, out: &mut Actions) {
        if self.watchdog_deadline().is_some_and(|(due, _)| due <= now) {
            self.feed_watchdog(now, out);
        }
    }

    /// Tells the service manager that all is well, unless a child is silent.
    pub(super) fn feed_watchdog(&mut self, now: Instant, out: &mut Actions) {
        if let Some(watchdog) = &mut self.watchdog {
            watchdog.due = Some(now + watchdog.period);
            watchdog.owed = true;
        }
        self.feed_watchdog_at_last(out);
    }

    /// Tells it what it should have heard before, if no child is silent any more.
    pub(super) fn feed_watchdog_at_last(&mut self, out: &mut Actions) {
        let silent = self.children.iter().any(Child::is_silent);
        if let Some(watchdog) = &mut self.watchdog
            && !silent
            && self.phase != Phase::Done
            && std::mem::take(&mut watchdog.owed)
        {
            out.push(SupervisorAction::Alive);
        }
    }
}
