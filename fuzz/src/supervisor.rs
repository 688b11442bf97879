//! Bytes become a stream of events into the machine of the parent process, with its promises:
//!
//! - at most one child of a kind is asked for and not reaped; numbers are never used twice;
//! - signals go to children that run, a kill only after the time that a child may take to leave, or
//!   to one that did not answer: never to one that has answered its last hello;
//! - a child that keeps dying is started again after a pause within its bounds, never in a loop;
//! - hellos and reloads go to children that run and were not told to leave, numbered upwards;
//! - one `ReadConfig` at a time, each answered text comes into force;
//! - after an order to stop nothing new is started but what tidies up, once for each kind, and when
//!   every child has been reaped there is one `Exit`, and nothing behind it;
//! - addresses are let go of while no child runs that may hold them;
//! - deadlines lie in the future after `handle_timeout`, and the same stream at another time of the
//!   clock does the same.

use std::collections::{BTreeMap, BTreeSet};

use relevo_core::ids::{ChildId, Errno};
use relevo_core::machine::{Machine, Out};
use relevo_core::supervisor::{
    ChildSignal, Exit, Kind, Kinds, RELOAD_LIMIT, RESTART_PAUSE_MAX, ReloadOutcome, START_LIMIT,
    Settings, Supervisor, SupervisorAction, SupervisorCommand, SupervisorEvent, SupervisorTimer,
    Terms,
};
use relevo_core::time::{Duration, Instant};

use crate::bytes::Bytes;
use crate::trail::Trail;

/// Events taken from one input.
const EVENTS_MAX: usize = 300;

/// Milliseconds that pass before an event.
const PAUSES: [u64; 8] = [0, 0, 0, 1, 900, 5_000, 61_000, 3_600_000];

type Record = (Duration, Vec<SupervisorAction>);

/// Plays the stream, and plays it again at another time.
pub fn run(data: &[u8], trail: &mut Trail) {
    let begin = Duration::from_secs(3);
    let first = Player::new(data, begin).play(Some(trail));
    let second = Player::new(data, begin + Duration::from_micros(1 << 40 | 7)).play(None);
    assert_eq!(first, second, "at another time something else happens");
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Life {
    /// Asked for.
    Starting,
    Running {
        /// When it was first told to leave.
        told: Option<Instant>,
        /// The last hello.
        hello: u64,
        /// It was killed because it did not answer.
        hung: bool,
    },
}

impl Life {
    const RUNNING: Self = Self::Running {
        told: None,
        hello: 0,
        hung: false,
    };
}

/// The service manager's watchdog, where there is one.
const WATCHDOG: Duration = Duration::from_secs(15);

struct Player<'a> {
    bytes: Bytes<'a>,
    begin: Instant,
    now: Instant,
    machine: Supervisor,
    out: Out<SupervisorAction>,
    /// Children asked for and not reaped.
    alive: BTreeMap<ChildId, (Kind, Life)>,
    last: ChildId,
    reading: bool,
    /// The last reload.
    reload: u64,
    /// Children that the machine wants to hear.
    listening: Vec<ChildId>,
    /// A child that has answered its last hello, while its answer is being handled.
    answered: Option<ChildId>,
    /// The longest pauses of the terms so far.
    longest: (Duration, Duration),
    stopping: bool,
    tidied: BTreeSet<Kind>,
    exit: Option<u8>,
    records: Vec<Record>,
}

impl<'a> Player<'a> {
    fn new(data: &'a [u8], begin: Duration) -> Self {
        let mut bytes = Bytes::new(data);
        let how = bytes.u8();
        let terms = terms(kinds(how & 7), how >> 5);
        let settings = Settings {
            terms,
            respawn: how & 8 == 0,
            watchdog: (how & 16 == 0).then_some(WATCHDOG),
        };
        let now = Instant::ZERO + begin;
        Self {
            bytes,
            begin: now,
            now,
            machine: Supervisor::new(settings),
            out: Out::new(),
            alive: BTreeMap::new(),
            last: ChildId(0),
            reading: false,
            reload: 0,
            listening: Vec::new(),
            answered: None,
            longest: (terms.hello_interval, terms.child_wait_time),
            stopping: false,
            tidied: BTreeSet::new(),
            exit: None,
            records: Vec::new(),
        }
    }

    fn play(mut self, mut trail: Option<&mut Trail>) -> Vec<Record> {
        self.deliver(SupervisorEvent::Begin, &mut trail);
        for _ in 0..EVENTS_MAX {
            if self.bytes.is_empty() {
                break;
            }
            let op = self.bytes.u8();
            self.now += Duration::from_millis(PAUSES[usize::from(op >> 5)]);
            if op & 3 == 0 {
                self.timeout(&mut trail);
            } else if let Some(event) = self.event(op >> 2 & 7) {
                self.deliver(event, &mut trail);
            }
        }
        self.wind_up(&mut trail);
        self.records
    }

    /// An order to stop, and whoever is left leaves when told or killed.
    fn wind_up(&mut self, trail: &mut Option<&mut Trail>) {
        self.deliver(SupervisorEvent::Command(SupervisorCommand::Stop), trail);
        for _ in 0..100 {
            if self.exit.is_some() {
                return;
            }
            let Some((id, (_, life))) = self.alive.first_key_value().map(|(id, it)| (*id, *it))
            else {
                break;
            };
            match life {
                Life::Starting => {
                    let event = SupervisorEvent::Started { child: id, pid: 7 };
                    self.deliver(event, trail);
                }
                Life::Running { told, .. } => {
                    assert!(told.is_some(), "{id:?} was never told to leave");
                    if self.bytes.one_in(2) {
                        self.timeout(trail);
                    }
                    let exit = Exit::Signal(9);
                    self.deliver(SupervisorEvent::Exited { child: id, exit }, trail);
                }
            }
        }
        assert!(self.exit.is_some(), "every child is gone, and no exit");
    }

    /// Something that may happen now; ids that nobody has come too.
    fn event(&mut self, kind: u8) -> Option<SupervisorEvent> {
        let choice = usize::from(self.bytes.u8());
        let ids: Vec<ChildId> = self.alive.keys().copied().collect();
        let nobody = choice > 240 || ids.is_empty();
        let child = if nobody {
            ChildId(choice as u64 % 9 + self.last.0 + 1)
        } else {
            ids[choice % ids.len()]
        };
        let life = self.alive.get(&child).map(|(_, life)| *life);
        let starting = nobody || life == Some(Life::Starting);
        Some(match kind {
            0 | 1 if starting => SupervisorEvent::Started {
                child,
                pid: 100 + choice as u32,
            },
            2 if starting => SupervisorEvent::StartFailed {
                child,
                errno: Errno(self.bytes.pick(&[11, 12])),
            },
            3 if nobody || !starting => SupervisorEvent::Ready { child },
            4 if nobody || !starting => SupervisorEvent::Exited {
                child,
                exit: self.bytes.pick(&EXITS),
            },
            5 if self.reading => {
                let wanted = self.bytes.u8();
                SupervisorEvent::ConfigRead {
                    terms: (wanted < 200).then(|| terms(kinds(wanted & 7), wanted >> 3)),
                }
            }
            5 if nobody || !starting => SupervisorEvent::Reloaded {
                child,
                n: self.reload + (choice & 1) as u64,
                outcome: self.bytes.pick(&OUTCOMES),
            },
            6 => SupervisorEvent::Command(SupervisorCommand::Reload),
            7 if choice < 16 => SupervisorEvent::Command(SupervisorCommand::Stop),
            7 => {
                let signals = [
                    ChildSignal::Data,
                    ChildSignal::Stats,
                    ChildSignal::StatsClear,
                    ChildSignal::Json,
                ];
                SupervisorEvent::Command(SupervisorCommand::Forward(self.bytes.pick(&signals)))
            }
            _ => return None,
        })
    }

    fn timeout(&mut self, trail: &mut Option<&mut Trail>) {
        if let Some((at, _)) = self.machine.next_timeout()
            && self.bytes.one_in(2)
        {
            self.now = self.now.max(at);
        }
        self.machine.handle_timeout(self.now, &mut self.out);
        let next = self.machine.next_timeout();
        assert!(
            next.is_none_or(|(at, _)| at > self.now),
            "a timer is stuck: {next:?}"
        );
        self.after("timeout", trail);
    }

    fn deliver(&mut self, event: SupervisorEvent, trail: &mut Option<&mut Trail>) {
        let line = format!("{event:?}");
        if let Some(trail) = trail {
            trail.tell(|| format!("{} {line}", self.now.as_micros()));
        }
        match event {
            SupervisorEvent::Started { child, .. } => {
                if let Some((_, life)) = self.alive.get_mut(&child) {
                    *life = Life::RUNNING;
                }
            }
            SupervisorEvent::StartFailed { child, .. } | SupervisorEvent::Exited { child, .. } => {
                self.alive.remove(&child);
            }
            SupervisorEvent::ConfigRead { terms } => {
                self.reading = false;
                if let Some(terms) = terms {
                    let (hello, wait) = self.longest;
                    self.longest = (
                        hello.max(terms.hello_interval),
                        wait.max(terms.child_wait_time),
                    );
                }
            }
            SupervisorEvent::Command(SupervisorCommand::Stop) => self.stopping = true,
            _ => {}
        }
        self.machine.handle(event, self.now, &mut self.out);
        self.after(line.split(['(', ' ']).next().unwrap_or(""), trail);
        self.answered = None;
    }

    /// Answers at once, as the runtime does: with the last hello, an older one or none.
    fn listened(&mut self, trail: &mut Option<&mut Trail>) {
        while let Some(child) = self.listening.pop() {
            let Some((_, Life::Running { hello, .. })) = self.alive.get(&child) else {
                continue;
            };
            let hello = *hello;
            let here = self
                .bytes
                .pick(&[Some(hello), None, Some(hello.saturating_sub(1))]);
            self.answered = (here == Some(hello) && hello > 0).then_some(child);
            self.deliver(SupervisorEvent::Listened { child, here }, trail);
        }
    }

    fn after(&mut self, event: &str, trail: &mut Option<&mut Trail>) {
        let actions = self.out.actions().to_vec();
        self.out.clear();
        assert!(actions.len() <= 24, "{} actions in one call", actions.len());
        assert!(
            self.exit.is_none() || actions.is_empty(),
            "something after Exit: {actions:?}"
        );
        for action in &actions {
            if let Some(trail) = trail {
                trail.tell(|| format!("{} -> {action:?}", self.now.as_micros()));
                let text = format!("{action:?}");
                let mut words = text
                    .split(|c: char| !c.is_alphanumeric())
                    .filter(|word| !word.is_empty());
                let (one, two) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
                trail.mark(format_args!("{event}: {one} {two}"));
            }
            self.check(action);
        }
        self.records.push((self.now - self.begin, actions));
        self.listened(trail);
        self.check_deadlines();
    }

    fn check(&mut self, action: &SupervisorAction) {
        match action {
            SupervisorAction::Start { child, kind, .. } => self.check_start(*child, *kind),
            SupervisorAction::Listen { child } => {
                self.check_works(*child);
                self.listening.push(*child);
            }
            SupervisorAction::Hello { child, n } => {
                self.check_works(*child);
                if let Some((_, Life::Running { hello, .. })) = self.alive.get_mut(child) {
                    assert_eq!(*n, *hello + 1);
                    *hello = *n;
                }
            }
            SupervisorAction::Reload { child, n } => {
                self.check_works(*child);
                assert!(*n >= self.reload, "an old reload");
                self.reload = *n;
            }
            SupervisorAction::Alive => {
                let hung = |life: &Life| {
                    matches!(
                        life,
                        Life::Running {
                            hung: true,
                            told: None,
                            ..
                        }
                    )
                };
                assert!(
                    !self.alive.values().any(|(_, life)| hung(life)),
                    "all is not well"
                );
            }
            SupervisorAction::LetGo => {
                let holds = |life: &(Kind, Life)| life.0 == Kind::Vrrp;
                assert!(!self.alive.values().any(holds), "taken from a child");
            }
            SupervisorAction::Signal { child, signal } => self.check_signal(*child, *signal),
            SupervisorAction::ReadConfig => {
                assert!(
                    !self.reading && !self.stopping,
                    "reads twice, or to no purpose"
                );
                self.reading = true;
            }
            SupervisorAction::Note(note) => {
                let text = note.to_string();
                assert!(
                    !text.is_empty() && !text.contains(char::is_control),
                    "{text:?}"
                );
                // A death may be the reason to stop.
                self.stopping |= *note == relevo_core::supervisor::SupervisorNote::Stopping;
            }
            SupervisorAction::Exit(code) => {
                assert!(
                    self.stopping && self.alive.is_empty(),
                    "leaves {:?} behind",
                    self.alive
                );
                self.exit = Some(*code);
            }
        }
    }

    fn check_start(&mut self, child: ChildId, kind: Kind) {
        assert!(child > self.last, "a number was used before");
        self.last = child;
        let other = self.alive.values().find(|(known, _)| *known == kind);
        assert!(other.is_none(), "two of one kind: {other:?}");
        assert_eq!(self.machine.child(kind), Some(child));
        if self.stopping {
            assert!(self.tidied.insert(kind), "tidies up twice");
        }
        self.alive.insert(child, (kind, Life::Starting));
    }

    /// It runs, was not told to leave and not killed.
    fn check_works(&self, child: ChildId) {
        let life = self.alive.get(&child).map(|(_, life)| *life);
        let works = matches!(
            life,
            Some(Life::Running {
                told: None,
                hung: false,
                ..
            })
        );
        assert!(works, "{child:?} is spoken to: {life:?}");
    }

    fn check_signal(&mut self, child: ChildId, signal: ChildSignal) {
        let Some((kind, Life::Running { told, hung, .. })) = self.alive.get_mut(&child) else {
            panic!("{signal:?} to {child:?}, which does not run");
        };
        match signal {
            ChildSignal::Terminate => {
                assert!(told.is_none(), "{child:?} is told to leave twice");
                *told = Some(self.now);
            }
            ChildSignal::Kill => match told {
                Some(told) => assert!(
                    self.now - *told >= Duration::from_secs(1),
                    "killed after {:?}",
                    self.now - *told
                ),
                None => {
                    assert!(!*hung, "{child:?} is killed twice");
                    assert_ne!(self.answered, Some(child), "it has answered");
                    *hung = true;
                }
            },
            ChildSignal::Data => {}
            ChildSignal::Stats
            | ChildSignal::StatsClear
            | ChildSignal::Json
            | ChildSignal::Journal => {
                assert_eq!(*kind, Kind::Vrrp);
            }
        }
    }

    /// Pauses have a bound, and whoever was told to leave is killed in time.
    fn check_deadlines(&self) {
        if let Some((at, timer)) = self.machine.next_timeout() {
            let longest = match timer {
                SupervisorTimer::Restart(_) => RESTART_PAUSE_MAX,
                SupervisorTimer::Kill(_) => self.longest.1,
                SupervisorTimer::Ready(_) => START_LIMIT,
                SupervisorTimer::Hello(_) => self.longest.0,
                SupervisorTimer::Reload(_) => RELOAD_LIMIT,
                SupervisorTimer::Watchdog => WATCHDOG,
            };
            assert!(at <= self.now + longest, "{timer:?} at {at:?}");
        }
    }
}

const OUTCOMES: [ReloadOutcome; 3] = [
    ReloadOutcome::Applied,
    ReloadOutcome::Restart,
    ReloadOutcome::Failed,
];

/// Terms under which `wanted` kinds have something to do.
fn terms(wanted: Kinds, choice: u8) -> Terms {
    let (hello_interval, child_wait_time) = match choice & 3 {
        0 => (Duration::from_secs(5), Duration::from_secs(5)),
        1 => (Duration::from_millis(50), Duration::from_secs(1)),
        2 => (Duration::from_secs(600), Duration::from_secs(2)),
        _ => (Duration::from_secs(1), Duration::from_secs(60)),
    };
    Terms {
        wanted,
        hello_interval,
        child_wait_time,
        settled_after: hello_interval * 10,
        patience: [Duration::ZERO, Duration::from_secs(1)][usize::from(choice & 1)],
    }
}

const EXITS: [Exit; 8] = [
    Exit::Code(0),
    Exit::Code(1),
    Exit::Code(2),
    Exit::Code(3),
    Exit::Code(4),
    Exit::Signal(9),
    Exit::Signal(11),
    Exit::Signal(15),
];

fn kinds(bits: u8) -> Kinds {
    let chosen = Kind::ALL
        .into_iter()
        .enumerate()
        .filter(|(index, _)| bits & 1 << index != 0);
    chosen.fold(Kinds::NONE, |kinds, (_, kind)| kinds.with(kind))
}
