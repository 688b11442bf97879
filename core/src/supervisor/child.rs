//! One child: what it is doing, and how long to wait before it is started again.

use crate::ids::ChildId;
use crate::time::{Duration, Instant};

use super::pulse::Pulse;
use super::{Kind, RESTART_PAUSE_MAX, RESUME_PROOF, SupervisorTimer};

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// No process.
    Absent,
    /// Asked for; the runtime has not answered yet.
    Starting { id: ChildId },
    /// At work.
    Running { id: ChildId, work: Work },
    /// Asked to leave, and killed at `kill_at`.
    Leaving {
        id: ChildId,
        pid: Option<u32>,
        kill_at: Option<Instant>,
        then: Then,
    },
    /// Died too soon; a new one is started at `until`. What it held may still be there if `holds`.
    Waiting { until: Instant, holds: bool },
}

/// What follows when a child that was asked to leave is gone.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Then {
    Nothing,
    /// A successor is started.
    Again,
    /// It was there only to tidy up; a successor is started at this moment.
    Pause(Instant),
}

/// A child at work.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Work {
    pub(super) pid: u32,
    /// When it said that it is ready.
    pub(super) ready: Option<Instant>,
    pub(super) pulse: Pulse,
    /// When it was killed because it did not answer; its end will be told.
    pub(super) hung: Option<Instant>,
    /// The reload that it has not answered, and when that has taken too long.
    pub(super) reload: Option<(u64, Instant)>,
}

impl Work {
    /// For how long it has worked; `None` if it was never ready.
    fn life(&self, now: Instant) -> Option<Duration> {
        self.ready.map(|at| self.hung.unwrap_or(now) - at)
    }

    fn deadline(&self, kind: Kind) -> Option<(Instant, SupervisorTimer)> {
        if self.hung.is_some() {
            return None;
        }
        let look = match self.ready {
            Some(_) => SupervisorTimer::Hello(kind),
            None => SupervisorTimer::Ready(kind),
        };
        let look = self.pulse.due().map(|at| (at, look));
        let reload = self
            .reload
            .map(|(_, at)| (at, SupervisorTimer::Reload(kind)));
        look.into_iter().chain(reload).min()
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Child {
    pub(super) kind: Kind,
    pub(super) state: State,
    /// The pause before the next start if it dies soon again; zero before the first death.
    next_pause: Duration,
    /// Its predecessor's record may be what kills it: it is not resumed from.
    pub(super) distrusts_record: bool,
    /// A successor has been started only to tidy up before the daemon ends: one is enough.
    pub(super) tidied: bool,
}

impl Child {
    pub(super) const fn new(kind: Kind) -> Self {
        Self {
            kind,
            state: State::Absent,
            next_pause: Duration::ZERO,
            distrusts_record: false,
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
            State::Waiting { until, .. } => Some((until, SupervisorTimer::Restart(self.kind))),
            State::Leaving { kill_at, .. } => {
                kill_at.map(|at| (at, SupervisorTimer::Kill(self.kind)))
            }
            State::Running { work, .. } => work.deadline(self.kind),
            State::Absent | State::Starting { .. } => None,
        }
    }

    /// The child at work, if there is one.
    pub(super) const fn work(&mut self) -> Option<&mut Work> {
        match &mut self.state {
            State::Running { work, .. } => Some(work),
            State::Absent
            | State::Starting { .. }
            | State::Leaving { .. }
            | State::Waiting { .. } => None,
        }
    }

    /// True for a child that heeds signals.
    pub(super) const fn is_ready(&self) -> bool {
        matches!(self.state, State::Running { work, .. } if work.ready.is_some() && work.hung.is_none())
    }

    /// True while a reload of this child is under way.
    pub(super) const fn is_reloading(&self) -> bool {
        matches!(self.state, State::Running { work, .. } if work.reload.is_some() && work.hung.is_none())
    }

    /// True while it is not known to be alive.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self.state, State::Running { work, .. } if work.hung.is_some() || !work.pulse.is_well())
    }

    /// The pause after a death: none for a child that had worked for `settled_after`, else 1, 2, 4
    /// .. 60 seconds.
    pub(super) fn pause_after(
        &mut self,
        work: Work,
        settled_after: Duration,
        now: Instant,
    ) -> Duration {
        let life = work.life(now);
        self.distrusts_record = life.is_none_or(|life| life < RESUME_PROOF);
        if life.is_some_and(|life| life >= settled_after) {
            self.next_pause = Duration::ZERO;
            return Duration::ZERO;
        }
        self.pause_after_failed_start()
    }

    /// As after a death, and never without a pause.
    pub(super) fn pause_after_failed_start(&mut self) -> Duration {
        let pause = self.next_pause.max(Duration::from_secs(1));
        self.next_pause = (pause * 2).min(RESTART_PAUSE_MAX);
        pause
    }

    /// True if what it held may stay for this pause, because its successor will go on with it in time.
    pub(super) fn may_hold(&self, pause: Duration, patience: Duration) -> bool {
        self.kind == Kind::Vrrp && !self.distrusts_record && pause <= patience
    }

    pub(super) fn forget_deaths(&mut self) {
        self.next_pause = Duration::ZERO;
    }
}
