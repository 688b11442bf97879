//! One child: what it is doing, and how long to wait before it is started again.

use crate::ids::ChildId;
use crate::time::{Duration, Instant};

use super::{Kind, RESTART_PAUSE_MAX, SETTLED_AFTER, SupervisorTimer};

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// No process.
    Absent,
    /// Asked for; the runtime has not answered yet.
    Starting { id: ChildId },
    /// At work. `ready` once it has said so.
    Running {
        id: ChildId,
        pid: u32,
        since: Instant,
        ready: bool,
    },
    /// Asked to leave, and killed at `kill_at`; then a successor is started if `again`.
    Leaving {
        id: ChildId,
        pid: Option<u32>,
        kill_at: Option<Instant>,
        again: bool,
    },
    /// Died too soon; a new one is started at `until`.
    Waiting { until: Instant },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Child {
    pub(super) kind: Kind,
    pub(super) state: State,
    /// The pause before the next start if it dies soon again.
    next_pause: Duration,
    /// A successor has been started only to tidy up before the daemon ends: one is enough.
    pub(super) tidied: bool,
}

impl Child {
    pub(super) const fn new(kind: Kind) -> Self {
        Self {
            kind,
            state: State::Absent,
            next_pause: Duration::ZERO,
            tidied: false,
        }
    }

    pub(super) const fn id(&self) -> Option<ChildId> {
        match self.state {
            State::Starting { id } | State::Running { id, .. } | State::Leaving { id, .. } => {
                Some(id)
            }
            State::Absent | State::Waiting { .. } => None,
        }
    }

    pub(super) fn deadline(&self) -> Option<(Instant, SupervisorTimer)> {
        match self.state {
            State::Waiting { until } => Some((until, SupervisorTimer::Restart(self.kind))),
            State::Leaving { kill_at, .. } => {
                kill_at.map(|at| (at, SupervisorTimer::Kill(self.kind)))
            }
            State::Absent | State::Starting { .. } | State::Running { .. } => None,
        }
    }

    /// The pause after a death: none for a child that had settled, else 0, 1, 2, 4 .. 60 seconds.
    pub(super) fn pause_after_life_of(&mut self, life: Duration) -> Duration {
        if life >= SETTLED_AFTER {
            self.next_pause = Duration::ZERO;
            return Duration::ZERO;
        }
        let pause = self.next_pause;
        self.next_pause = longer(pause);
        pause
    }

    /// As after a death, but never without a pause.
    pub(super) fn pause_after_failed_start(&mut self) -> Duration {
        let pause = self.next_pause.max(Duration::from_secs(1));
        self.next_pause = longer(pause);
        pause
    }

    pub(super) fn forget_deaths(&mut self) {
        self.next_pause = Duration::ZERO;
    }
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).clamp(Duration::from_secs(1), RESTART_PAUSE_MAX)
}
