//! The parent that watches over the children.
//!
//! It starts the children it is told to, starts them again when they die, replaces them when the
//! configuration changes, and leaves when they have left. It never starts a child before the one
//! it replaces has been reaped: two of a kind would fight over the same addresses.
//!
//! A child's exit code 1, 2 or 4 is permanent: starting it again would fail again, so the daemon
//! ends with that code (keepalived's behaviour). Any other death is answered with a new child: at
//! once if the dead one had worked for a while, after a growing pause otherwise.
//!
//! A dead VRRP child leaves its addresses behind. A successor that is there in time goes on with
//! them; where the pause may outlast a peer's patience, a successor is started at once all the same,
//! but only to say farewell and to tidy up, and the pause is waited out with nothing in hand. If that
//! one fails too, the parent itself lets go of the addresses ([`SupervisorAction::LetGo`]).
//!
//! A child that hangs is found by its silence: hellos go to its own event loop, see [`pulse`]. It
//! is killed, and then it is one that died.

mod child;
mod event;
mod note;
mod pulse;
mod reload;
mod terms;
#[cfg(test)]
mod tests;
mod watch;

use child::{Child, State, Then, Work};
pub use event::{
    ChildSignal, Exit, Kind, Kinds, ReloadOutcome, SupervisorAction, SupervisorCommand,
    SupervisorEvent, SupervisorTimer,
};
pub use note::SupervisorNote;
use pulse::Pulse;
use reload::Announce;
pub use terms::{CHILD_WAIT_TIME, HELLO_INTERVAL, Terms};
use watch::Watchdog;

use crate::ids::ChildId;
use crate::machine::{Machine, Out};
use crate::time::{Duration, Instant};

/// A child that dies sooner than this after it was ready may have died of its predecessor's record:
/// the next one starts without it.
pub const RESUME_PROOF: Duration = Duration::from_secs(1);

/// The longest pause before a child that keeps dying is started again.
pub const RESTART_PAUSE_MAX: Duration = Duration::from_secs(60);

/// How long a child may take to be ready: far more than the largest configuration needs.
pub const START_LIMIT: Duration = Duration::from_secs(30);

/// How long a child may take to answer a reload before it is replaced.
pub const RELOAD_LIMIT: Duration = Duration::from_secs(60);

/// What the supervisor is told at its birth.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// What the configuration says.
    pub terms: Terms,
    /// False with `--dont-respawn`: a dying child ends the daemon.
    pub respawn: bool,
    /// How often the service manager's watchdog wants to hear that all is well, if it does.
    pub watchdog: Option<Duration>,
}

/// The machine of the parent process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Supervisor {
    terms: Terms,
    respawn: bool,
    watchdog: Option<Watchdog>,
    phase: Phase,
    children: [Child; Kind::ALL.len()],
    next_child: u64,
    next_reload: u64,
    /// What is announced once every wanted child is ready.
    announce: Option<Announce>,
    reading: bool,
    reload_queued: bool,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Phase {
    /// Before [`SupervisorEvent::Begin`].
    Idle,
    Running,
    /// Waits for the children to leave, then exits with this code.
    Stopping(u8),
    Done,
}

type Actions = Out<SupervisorAction>;

impl Supervisor {
    /// A supervisor that has started nothing yet; [`SupervisorEvent::Begin`] sets it going.
    pub fn new(settings: Settings) -> Self {
        Self {
            terms: settings.terms,
            respawn: settings.respawn,
            watchdog: settings.watchdog.map(Watchdog::new),
            phase: Phase::Idle,
            children: Kind::ALL.map(Child::new),
            next_child: 1,
            next_reload: 1,
            announce: None,
            reading: false,
            reload_queued: false,
        }
    }

    /// The number of the child of `kind`, from its start until it is reaped.
    pub fn child(&self, kind: Kind) -> Option<ChildId> {
        self.children[kind.index()].id()
    }

    fn on_begin(&mut self, now: Instant, out: &mut Actions) {
        if self.phase != Phase::Idle {
            return;
        }
        self.phase = Phase::Running;
        self.announce = Some(Announce::Startup);
        self.feed_watchdog(now, out);
        if self.terms.wanted.is_empty() {
            out.push(SupervisorAction::Note(SupervisorNote::NothingToDo));
        }
        for kind in Kind::ALL {
            if self.terms.wanted.contains(kind) {
                self.start(kind, true, out);
            }
        }
        self.announce_when_ready(out);
    }

    fn on_started(&mut self, id: ChildId, pid: u32, now: Instant, out: &mut Actions) {
        let Some(index) = self.index_of(id) else {
            return;
        };
        let kind = self.children[index].kind;
        out.push(SupervisorAction::Note(SupervisorNote::Started {
            kind,
            pid,
        }));
        let child = &mut self.children[index];
        match child.state {
            State::Starting { .. } => {
                let work = Work {
                    pid,
                    ready: None,
                    pulse: Pulse::new(now + START_LIMIT),
                    hung: None,
                    reload: None,
                };
                child.state = State::Running { id, work };
            }
            State::Leaving { then, .. } => {
                // The order to leave came while it was being started.
                let kill_at = Some(now + self.terms.child_wait_time);
                child.state = State::Leaving {
                    id,
                    pid: Some(pid),
                    kill_at,
                    then,
                };
                out.push(SupervisorAction::Signal {
                    child: id,
                    signal: ChildSignal::Terminate,
                });
            }
            State::Absent | State::Running { .. } | State::Waiting { .. } => {}
        }
    }

    fn on_start_failed(
        &mut self,
        id: ChildId,
        errno: crate::ids::Errno,
        now: Instant,
        out: &mut Actions,
    ) {
        let Some(index) = self.index_of(id) else {
            return;
        };
        let child = &mut self.children[index];
        let kind = child.kind;
        out.push(SupervisorAction::Note(SupervisorNote::StartFailed {
            kind,
            errno,
        }));
        if let State::Leaving { .. } = child.state {
            self.on_left(index, false, out);
            return;
        }
        child.state = State::Absent;
        if !self.respawn {
            let_go(kind, out);
            self.stop(1, now, out);
            return;
        }
        // Trying again in a tight loop would only make a shortage worse.
        let pause = child.pause_after_failed_start();
        let until = now + pause;
        let holds = child.may_hold(pause, self.terms.patience);
        child.state = State::Waiting { until, holds };
        if !holds {
            let_go(kind, out);
        }
        out.push(SupervisorAction::Note(SupervisorNote::RestartIn {
            kind,
            pause,
        }));
    }

    fn on_exited(&mut self, id: ChildId, exit: Exit, now: Instant, out: &mut Actions) {
        let Some(index) = self.index_of(id) else {
            return;
        };
        let child = &mut self.children[index];
        let kind = child.kind;
        let State::Running { work, .. } = child.state else {
            self.on_leaver_exited(index, exit, now, out);
            return;
        };
        let pid = work.pid;
        child.state = State::Absent;
        if let Exit::Code(code @ (1 | 2 | 4)) = exit {
            out.push(SupervisorAction::Note(SupervisorNote::Permanent {
                kind,
                pid,
                code,
            }));
            let_go(kind, out);
            self.stop(code, now, out);
            return;
        }
        let respawn = self.respawn;
        out.push(SupervisorAction::Note(SupervisorNote::Died {
            kind,
            pid,
            exit,
            respawn,
        }));
        if !respawn {
            let_go(kind, out);
            self.stop(0, now, out);
            return;
        }
        let pause = child.pause_after(work, self.terms.settled_after, now);
        if pause.is_zero() {
            self.start(kind, true, out);
            return;
        }
        out.push(SupervisorAction::Note(SupervisorNote::RestartIn {
            kind,
            pause,
        }));
        let until = now + pause;
        // One that hung had been silent before it died.
        let holds = work.hung.is_none() && child.may_hold(pause, self.terms.patience);
        if holds || kind != Kind::Vrrp {
            child.state = State::Waiting { until, holds };
        } else {
            self.start(kind, true, out);
            self.ask_to_leave(index, Then::Pause(until), now, out);
        }
    }

    /// A child that was asked to leave has ended, in order or not.
    fn on_leaver_exited(&mut self, index: usize, exit: Exit, now: Instant, out: &mut Actions) {
        let child = &self.children[index];
        if exit != Exit::Code(0) {
            out.push(SupervisorAction::Note(SupervisorNote::LeftBadly {
                kind: child.kind,
                exit,
            }));
        }
        let stopping = matches!(self.phase, Phase::Stopping(_));
        if stopping && !matches!(exit, Exit::Code(0 | 1 | 2 | 4)) && !child.tidied {
            self.tidy_up(index, now, out);
        } else {
            self.on_left(index, exit == Exit::Code(0), out);
        }
    }

    /// A child that was asked to leave is gone. If it did not leave in order, a successor may
    /// resume what it left behind; without one it is let go of.
    fn on_left(&mut self, index: usize, in_order: bool, out: &mut Actions) {
        let child = &mut self.children[index];
        let then = match child.state {
            State::Leaving { then, .. } => then,
            State::Absent
            | State::Starting { .. }
            | State::Running { .. }
            | State::Waiting { .. } => Then::Nothing,
        };
        let kind = child.kind;
        child.state = State::Absent;
        if !in_order && then != Then::Again {
            let_go(kind, out);
        }
        match self.phase {
            Phase::Stopping(_) => self.exit_when_alone(out),
            Phase::Running => {
                match then {
                    Then::Nothing => {}
                    Then::Again => self.start(kind, !in_order, out),
                    Then::Pause(until) => {
                        self.children[index].state = State::Waiting {
                            until,
                            holds: false,
                        };
                    }
                }
                self.announce_when_ready(out);
            }
            Phase::Idle | Phase::Done => {}
        }
    }

    fn on_command(&mut self, command: SupervisorCommand, now: Instant, out: &mut Actions) {
        match (command, self.phase) {
            (_, Phase::Stopping(_) | Phase::Done) => {}
            (SupervisorCommand::Stop, Phase::Idle | Phase::Running) => self.stop(0, now, out),
            (SupervisorCommand::Reload, Phase::Running) => self.reload_queued = true,
            (SupervisorCommand::Forward(signal), Phase::Running) => self.forward(signal, out),
            (SupervisorCommand::Reload | SupervisorCommand::Forward(_), Phase::Idle) => {}
        }
    }

    /// Starts a child, which may go on where its predecessor's record ends if `resume`, unless that
    /// record has killed one already.
    fn start(&mut self, kind: Kind, resume: bool, out: &mut Actions) {
        let id = ChildId(self.next_child);
        self.next_child += 1;
        let child = &mut self.children[kind.index()];
        child.state = State::Starting { id };
        out.push(SupervisorAction::Start {
            child: id,
            kind,
            resume: resume && !child.distrusts_record,
        });
    }

    fn stop(&mut self, code: u8, now: Instant, out: &mut Actions) {
        self.phase = Phase::Stopping(code);
        self.announce = None;
        out.push(SupervisorAction::Note(SupervisorNote::Stopping));
        for index in 0..self.children.len() {
            if let State::Waiting { holds: true, .. } = self.children[index].state {
                self.tidy_up(index, now, out);
            } else {
                self.ask_to_leave(index, Then::Nothing, now, out);
            }
        }
        self.exit_when_alone(out);
    }

    /// A child that died has left its addresses behind: a successor is started, which takes them
    /// over or removes them before anything else, and asked to leave at once.
    fn tidy_up(&mut self, index: usize, now: Instant, out: &mut Actions) {
        self.children[index].tidied = true;
        self.start(self.children[index].kind, true, out);
        self.ask_to_leave(index, Then::Nothing, now, out);
    }

    /// Sends the child the order to leave, if there is one and it has not been sent already.
    fn ask_to_leave(&mut self, index: usize, then: Then, now: Instant, out: &mut Actions) {
        let kill_at = Some(now + self.terms.child_wait_time);
        let child = &mut self.children[index];
        child.state = match child.state {
            State::Absent | State::Waiting { .. } => State::Absent,
            State::Starting { id } => State::Leaving {
                id,
                pid: None,
                kill_at: None,
                then,
            },
            State::Running { id, work } => {
                out.push(SupervisorAction::Signal {
                    child: id,
                    signal: ChildSignal::Terminate,
                });
                State::Leaving {
                    id,
                    pid: Some(work.pid),
                    kill_at,
                    then,
                }
            }
            State::Leaving {
                id, pid, kill_at, ..
            } => State::Leaving {
                id,
                pid,
                kill_at,
                then,
            },
        };
    }

    fn exit_when_alone(&mut self, out: &mut Actions) {
        if let Phase::Stopping(code) = self.phase
            && self
                .children
                .iter()
                .all(|child| child.state == State::Absent)
        {
            self.phase = Phase::Done;
            out.push(SupervisorAction::Note(SupervisorNote::Stopped));
            out.push(SupervisorAction::Exit(code));
        }
    }

    /// Only to children that are ready: before that they may not know the signal yet.
    fn forward(&self, signal: ChildSignal, out: &mut Actions) {
        for child in &self.children {
            if child.is_ready()
                && (signal.is_for_all() || child.kind == Kind::Vrrp)
                && let Some(id) = child.id()
            {
                out.push(SupervisorAction::Signal { child: id, signal });
            }
        }
    }

    fn index_of(&self, id: ChildId) -> Option<usize> {
        self.children
            .iter()
            .position(|child| child.id() == Some(id))
    }
}

/// What a child of this kind may have left behind is removed by the parent itself: no other child is
/// there to do it, or will be in time.
fn let_go(kind: Kind, out: &mut Actions) {
    if kind == Kind::Vrrp {
        out.push(SupervisorAction::LetGo);
    }
}

impl Machine for Supervisor {
    type Event<'a> = SupervisorEvent;
    type Action = SupervisorAction;
    type Timer = SupervisorTimer;

    fn handle(&mut self, event: SupervisorEvent, now: Instant, out: &mut Actions) {
        match event {
            SupervisorEvent::Begin => self.on_begin(now, out),
            SupervisorEvent::Started { child, pid } => self.on_started(child, pid, now, out),
            SupervisorEvent::StartFailed { child, errno } => {
                self.on_start_failed(child, errno, now, out);
            }
            SupervisorEvent::Ready { child } => self.on_ready(child, now, out),
            SupervisorEvent::Listened { child, here } => self.on_listened(child, here, now, out),
            SupervisorEvent::Reloaded { child, n, outcome } => {
                self.on_reloaded(child, n, outcome, now, out);
            }
            SupervisorEvent::Exited { child, exit } => self.on_exited(child, exit, now, out),
            SupervisorEvent::Command(command) => self.on_command(command, now, out),
            SupervisorEvent::ConfigRead { terms } => self.on_config_read(terms, now, out),
        }
        self.reload_when_idle(out);
        self.feed_watchdog_at_last(out);
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Actions) {
        for index in 0..self.children.len() {
            // A child has at most a look and a reload that can be due together.
            for _ in 0..2 {
                let due = self.children[index].deadline();
                let Some((_, timer)) = due.filter(|(at, _)| *at <= now) else {
                    break;
                };
                self.on_child_due(index, timer, now, out);
            }
        }
        self.on_watchdog_due(now, out);
        self.reload_when_idle(out);
    }

    /// A child that has just left must not be killed, one that has just answered not be replaced.
    fn packets_first(&self, now: Instant) -> bool {
        self.next_timeout().is_some_and(|(at, timer)| {
            let grave = match timer {
                SupervisorTimer::Kill(_)
                | SupervisorTimer::Ready(_)
                | SupervisorTimer::Reload(_) => true,
                // Answers to hellos are asked for when they are due.
                SupervisorTimer::Restart(_)
                | SupervisorTimer::Hello(_)
                | SupervisorTimer::Watchdog => false,
            };
            grave && at <= now
        })
    }

    fn next_timeout(&self) -> Option<(Instant, SupervisorTimer)> {
        let children = self.children.iter().filter_map(Child::deadline);
        children.chain(self.watchdog_deadline()).min()
    }

    /// Version 0: nothing is carried over, a new parent starts cold.
    fn snapshot(&self, into: &mut Vec<u8>) {
        into.push(0);
    }
}
