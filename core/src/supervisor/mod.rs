//! The parent that watches over the children.
//!
//! It starts the children it is told to, starts them again when they die, replaces them when the
//! configuration changes, and leaves when they have left. It never starts a child before the one
//! it replaces has been reaped: two of a kind would fight over the same addresses.
//!
//! A child's exit code 1, 2 or 4 is permanent: starting it again would fail again, so the daemon
//! ends with that code (keepalived's behaviour). Any other death is answered with a new child.

mod child;
mod event;
mod note;
#[cfg(test)]
mod tests;

use child::{Child, State};
pub use event::{
    ChildSignal, Exit, Kind, Kinds, SupervisorAction, SupervisorCommand, SupervisorEvent,
    SupervisorTimer,
};
pub use note::SupervisorNote;

use crate::ids::ChildId;
use crate::machine::{Machine, Out};
use crate::time::{Duration, Instant};

/// How long a child may take to leave before it is killed: keepalived's `child_wait_time`.
pub const CHILD_WAIT_TIME: Duration = Duration::from_secs(5);

/// A child that has lived this long is started again at once.
pub const SETTLED_AFTER: Duration = Duration::from_secs(60);

/// The longest pause before a child that keeps dying is started again.
pub const RESTART_PAUSE_MAX: Duration = Duration::from_secs(60);

/// What the supervisor is told at its birth.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The kinds of children that have something to do.
    pub wanted: Kinds,
    /// False with `--dont-respawn`: a dying child ends the daemon.
    pub respawn: bool,
    /// How long a child may take to leave: [`CHILD_WAIT_TIME`] unless configured.
    pub child_wait_time: Duration,
}

/// The machine of the parent process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Supervisor {
    settings: Settings,
    phase: Phase,
    children: [Child; Kind::ALL.len()],
    next_child: u64,
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

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Announce {
    Startup,
    Reload,
}

type Actions = Out<SupervisorAction>;

impl Supervisor {
    /// A supervisor that has started nothing yet; [`SupervisorEvent::Begin`] sets it going.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            phase: Phase::Idle,
            children: Kind::ALL.map(Child::new),
            next_child: 1,
            announce: None,
            reading: false,
            reload_queued: false,
        }
    }

    /// The number of the child of `kind`, from its start until it is reaped.
    pub fn child(&self, kind: Kind) -> Option<ChildId> {
        self.children[kind.index()].id()
    }

    fn on_begin(&mut self, out: &mut Actions) {
        if self.phase != Phase::Idle {
            return;
        }
        self.phase = Phase::Running;
        self.announce = Some(Announce::Startup);
        if self.settings.wanted.is_empty() {
            out.push(SupervisorAction::Note(SupervisorNote::NothingToDo));
        }
        for kind in Kind::ALL {
            if self.settings.wanted.contains(kind) {
                self.start(kind, out);
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
                child.state = State::Running {
                    id,
                    pid,
                    since: now,
                    ready: false,
                }
            }
            State::Leaving { again, .. } => {
                // The order to leave came while it was being started.
                let kill_at = Some(now + self.settings.child_wait_time);
                child.state = State::Leaving {
                    id,
                    pid: Some(pid),
                    kill_at,
                    again,
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
            self.on_left(index, out);
            return;
        }
        child.state = State::Absent;
        if !self.settings.respawn {
            self.stop(1, now, out);
            return;
        }
        // Trying again in a tight loop would only make a shortage worse.
        let pause = child.pause_after_failed_start();
        child.state = State::Waiting { until: now + pause };
        out.push(SupervisorAction::Note(SupervisorNote::RestartIn {
            kind,
            pause,
        }));
    }

    fn on_ready(&mut self, id: ChildId, out: &mut Actions) {
        let Some(index) = self.index_of(id) else {
            return;
        };
        if let State::Running { ready, .. } = &mut self.children[index].state {
            *ready = true;
        }
        self.announce_when_ready(out);
    }

    fn on_exited(&mut self, id: ChildId, exit: Exit, now: Instant, out: &mut Actions) {
        let Some(index) = self.index_of(id) else {
            return;
        };
        let child = &mut self.children[index];
        let kind = child.kind;
        let State::Running { pid, since, .. } = child.state else {
            if exit != Exit::Code(0) {
                out.push(SupervisorAction::Note(SupervisorNote::LeftBadly {
                    kind,
                    exit,
                }));
            }
            let stopping = matches!(self.phase, Phase::Stopping(_));
            if stopping && !matches!(exit, Exit::Code(0 | 1 | 2 | 4)) && !child.tidied {
                self.tidy_up(index, now, out);
            } else {
                self.on_left(index, out);
            }
            return;
        };
        child.state = State::Absent;
        if let Exit::Code(code @ (1 | 2 | 4)) = exit {
            out.push(SupervisorAction::Note(SupervisorNote::Permanent {
                kind,
                pid,
                code,
            }));
            self.stop(code, now, out);
            return;
        }
        let respawn = self.settings.respawn;
        out.push(SupervisorAction::Note(SupervisorNote::Died {
            kind,
            pid,
            exit,
            respawn,
        }));
        if !respawn {
            self.stop(0, now, out);
            return;
        }
        let pause = child.pause_after_life_of(now - since);
        if pause.is_zero() {
            self.start(kind, out);
        } else {
            child.state = State::Waiting { until: now + pause };
            out.push(SupervisorAction::Note(SupervisorNote::RestartIn {
                kind,
                pause,
            }));
        }
    }

    /// A child that was asked to leave is gone.
    fn on_left(&mut self, index: usize, out: &mut Actions) {
        let child = &mut self.children[index];
        let again = matches!(child.state, State::Leaving { again: true, .. });
        let kind = child.kind;
        child.state = State::Absent;
        match self.phase {
            Phase::Stopping(_) => self.exit_when_alone(out),
            Phase::Running => {
                if again {
                    self.start(kind, out);
                }
                if self.reload_queued && !self.busy() {
                    self.reload_queued = false;
                    self.read_config(out);
                }
            }
            Phase::Idle | Phase::Done => {}
        }
    }

    fn on_command(&mut self, command: SupervisorCommand, now: Instant, out: &mut Actions) {
        match (command, self.phase) {
            (_, Phase::Stopping(_) | Phase::Done) => {}
            (SupervisorCommand::Stop, Phase::Idle | Phase::Running) => self.stop(0, now, out),
            (SupervisorCommand::Reload, Phase::Running) => {
                if self.busy() {
                    self.reload_queued = true;
                } else {
                    self.read_config(out);
                }
            }
            (SupervisorCommand::Forward(signal), Phase::Running) => self.forward(signal, out),
            (SupervisorCommand::Reload | SupervisorCommand::Forward(_), Phase::Idle) => {}
        }
    }

    /// The new text is in force: every child that needs it is replaced.
    fn on_config_read(&mut self, wanted: Option<Kinds>, now: Instant, out: &mut Actions) {
        if !std::mem::take(&mut self.reading) || self.phase != Phase::Running {
            return;
        }
        match wanted {
            None => out.push(SupervisorAction::Note(SupervisorNote::ReloadRefused)),
            Some(wanted) => {
                self.settings.wanted = wanted;
                self.announce = Some(Announce::Reload);
                for kind in Kind::ALL {
                    self.replace(kind, now, out);
                }
                self.announce_when_ready(out);
            }
        }
        if self.reload_queued && !self.busy() {
            self.reload_queued = false;
            self.read_config(out);
        }
    }

    fn replace(&mut self, kind: Kind, now: Instant, out: &mut Actions) {
        let wanted = self.settings.wanted.contains(kind);
        let child = &mut self.children[kind.index()];
        match child.state {
            State::Absent | State::Waiting { .. } => {
                // What made it die may have been in the old text.
                child.forget_deaths();
                child.state = State::Absent;
                if wanted {
                    self.start(kind, out);
                }
            }
            State::Starting { .. } | State::Running { .. } | State::Leaving { .. } => {
                self.ask_to_leave(kind.index(), wanted, now, out);
            }
        }
    }

    fn read_config(&mut self, out: &mut Actions) {
        self.reading = true;
        out.push(SupervisorAction::Note(SupervisorNote::Reloading));
        out.push(SupervisorAction::ReadConfig);
    }

    /// True while a reload is under way: a further one has to wait.
    fn busy(&self) -> bool {
        self.reading
            || self
                .children
                .iter()
                .any(|child| matches!(child.state, State::Leaving { .. }))
    }

    fn start(&mut self, kind: Kind, out: &mut Actions) {
        let id = ChildId(self.next_child);
        self.next_child += 1;
        self.children[kind.index()].state = State::Starting { id };
        out.push(SupervisorAction::Start { child: id, kind });
    }

    fn stop(&mut self, code: u8, now: Instant, out: &mut Actions) {
        self.phase = Phase::Stopping(code);
        self.announce = None;
        out.push(SupervisorAction::Note(SupervisorNote::Stopping));
        for index in 0..self.children.len() {
            if let State::Waiting { .. } = self.children[index].state {
                self.tidy_up(index, now, out);
            } else {
                self.ask_to_leave(index, false, now, out);
            }
        }
        self.exit_when_alone(out);
    }

    /// A child that died has left its addresses behind: a successor is started, which removes them
    /// before anything else, and asked to leave at once.
    fn tidy_up(&mut self, index: usize, now: Instant, out: &mut Actions) {
        self.children[index].tidied = true;
        self.start(self.children[index].kind, out);
        self.ask_to_leave(index, false, now, out);
    }

    /// Sends the child the order to leave, if there is one and it has not been sent already.
    fn ask_to_leave(&mut self, index: usize, again: bool, now: Instant, out: &mut Actions) {
        let kill_at = Some(now + self.settings.child_wait_time);
        let child = &mut self.children[index];
        child.state = match child.state {
            State::Absent | State::Waiting { .. } => State::Absent,
            State::Starting { id } => State::Leaving {
                id,
                pid: None,
                kill_at: None,
                again,
            },
            State::Running { id, pid, .. } => {
                out.push(SupervisorAction::Signal {
                    child: id,
                    signal: ChildSignal::Terminate,
                });
                State::Leaving {
                    id,
                    pid: Some(pid),
                    kill_at,
                    again,
                }
            }
            State::Leaving {
                id, pid, kill_at, ..
            } => State::Leaving {
                id,
                pid,
                kill_at,
                again,
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
    fn forward(&mut self, signal: ChildSignal, out: &mut Actions) {
        for child in &self.children {
            if let State::Running {
                id, ready: true, ..
            } = child.state
                && (signal.is_for_all() || child.kind == Kind::Vrrp)
            {
                out.push(SupervisorAction::Signal { child: id, signal });
            }
        }
    }

    fn announce_when_ready(&mut self, out: &mut Actions) {
        let ready = |child: &Child| {
            !self.settings.wanted.contains(child.kind)
                || matches!(child.state, State::Running { ready: true, .. })
        };
        if self.children.iter().all(ready)
            && let Some(announce) = self.announce.take()
        {
            out.push(SupervisorAction::Note(match announce {
                Announce::Startup => SupervisorNote::StartupComplete,
                Announce::Reload => SupervisorNote::ReloadComplete,
            }));
        }
    }

    fn index_of(&self, id: ChildId) -> Option<usize> {
        self.children
            .iter()
            .position(|child| child.id() == Some(id))
    }
}

impl Machine for Supervisor {
    type Event<'a> = SupervisorEvent;
    type Action = SupervisorAction;
    type Timer = SupervisorTimer;

    fn handle(&mut self, event: SupervisorEvent, now: Instant, out: &mut Actions) {
        match event {
            SupervisorEvent::Begin => self.on_begin(out),
            SupervisorEvent::Started { child, pid } => self.on_started(child, pid, now, out),
            SupervisorEvent::StartFailed { child, errno } => {
                self.on_start_failed(child, errno, now, out);
            }
            SupervisorEvent::Ready { child } => self.on_ready(child, out),
            SupervisorEvent::Exited { child, exit } => self.on_exited(child, exit, now, out),
            SupervisorEvent::Command(command) => self.on_command(command, now, out),
            SupervisorEvent::ConfigRead { wanted } => self.on_config_read(wanted, now, out),
        }
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Actions) {
        for index in 0..self.children.len() {
            let child = &mut self.children[index];
            let kind = child.kind;
            match &mut child.state {
                State::Waiting { until } if *until <= now => self.start(kind, out),
                State::Leaving { id, kill_at, .. } if kill_at.is_some_and(|at| at <= now) => {
                    *kill_at = None;
                    let child = *id;
                    let after = self.settings.child_wait_time;
                    out.push(SupervisorAction::Note(SupervisorNote::Killed {
                        kind,
                        after,
                    }));
                    out.push(SupervisorAction::Signal {
                        child,
                        signal: ChildSignal::Kill,
                    });
                }
                State::Absent
                | State::Starting { .. }
                | State::Running { .. }
                | State::Leaving { .. }
                | State::Waiting { .. } => {}
            }
        }
    }

    /// A child that has just left must not be killed.
    fn packets_first(&self, now: Instant) -> bool {
        let next = self.next_timeout();
        next.is_some_and(|(at, timer)| at <= now && matches!(timer, SupervisorTimer::Kill(_)))
    }

    fn next_timeout(&self) -> Option<(Instant, SupervisorTimer)> {
        self.children.iter().filter_map(Child::deadline).min()
    }

    /// Version 0: nothing is carried over, a new parent starts cold.
    fn snapshot(&self, into: &mut Vec<u8>) {
        into.push(0);
    }
}
