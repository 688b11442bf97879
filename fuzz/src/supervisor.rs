//! Bytes become a stream of events into the machine of the parent process, with its promises:
//!
//! - at most one child of a kind is asked for and not reaped; numbers are never used twice;
//! - signals go to children that run, a kill only after the time that a child may take to leave;
//! - a child that keeps dying is started again after a pause within its bounds, never in a loop;
//! - one `ReadConfig` at a time, each answered text comes into force;
//! - after an order to stop nothing new is started but what tidies up, once for each kind, and when
//!   every child has been reaped there is one `Exit`, and nothing behind it;
//! - deadlines lie in the future after `handle_timeout`, and the same stream at another time of the
//!   clock does the same.

use std::collections::{BTreeMap, BTreeSet};

use relevo_core::ids::{ChildId, Errno};
use relevo_core::machine::{Machine, Out};
use relevo_core::supervisor::{
    CHILD_WAIT_TIME, ChildSignal, Exit, Kind, Kinds, RESTART_PAUSE_MAX, Settings, Supervisor,
    SupervisorAction, SupervisorCommand, SupervisorEvent, SupervisorTimer,
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
    },
}

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
    stopping: bool,
    tidied: BTreeSet<Kind>,
    exit: Option<u8>,
    records: Vec<Record>,
}

impl<'a> Player<'a> {
    fn new(data: &'a [u8], begin: Duration) -> Self {
        let mut bytes = Bytes::new(data);
        let how = bytes.u8();
        let settings = Settings {
            wanted: kinds(how & 7),
            respawn: how & 8 == 0,
            child_wait_time: CHILD_WAIT_TIME,
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
                Life::Running { told } => {
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
                    wanted: (wanted < 200).then(|| kinds(wanted & 7)),
                }
            }
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
                    *life = Life::Running { told: None };
                }
            }
            SupervisorEvent::StartFailed { child, .. } | SupervisorEvent::Exited { child, .. } => {
                self.alive.remove(&child);
            }
            SupervisorEvent::ConfigRead { .. } => self.reading = false,
            SupervisorEvent::Command(SupervisorCommand::Stop) => self.stopping = true,
            _ => {}
        }
        self.machine.handle(event, self.now, &mut self.out);
        self.after(line.split(['(', ' ']).next().unwrap_or(""), trail);
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
        self.check_deadlines();
        self.records.push((self.now - self.begin, actions));
    }

    fn check(&mut self, action: &SupervisorAction) {
        match action {
            SupervisorAction::Start { child, kind } => self.check_start(*child, *kind),
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

    fn check_signal(&mut self, child: ChildId, signal: ChildSignal) {
        let Some((kind, Life::Running { told })) = self.alive.get_mut(&child) else {
            panic!("{signal:?} to {child:?}, which does not run");
        };
        match signal {
            ChildSignal::Terminate => {
                assert!(told.is_none(), "{child:?} is told to leave twice");
                *told = Some(self.now);
            }
            ChildSignal::Kill => {
                let told = told.expect("killed without a word");
                assert!(
                    self.now - told >= CHILD_WAIT_TIME,
                    "killed after {:?}",
                    self.now - told
                );
            }
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
                SupervisorTimer::Kill(_) => CHILD_WAIT_TIME,
            };
            assert!(at <= self.now + longest, "{timer:?} at {at:?}");
        }
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
