//! The parent of a host's daemon: the production supervisor around the production machine.
//!
//! It notices the end of the daemon, starts the next one at once or after its pause, says hello, and
//! kills a daemon that gets no processor time. Now and then it comes late itself, as one that was
//! stopped, and must then kill nobody.

use relevo_core::config::bound::Bound;
use relevo_core::ids::ChildId;
use relevo_core::kernel::AddressKey;
use relevo_core::machine::{Machine, Out};
use relevo_core::rng::Rng;
use relevo_core::supervisor::{
    ChildSignal, Exit, Kind, Kinds, Settings, Supervisor, SupervisorAction, SupervisorCommand,
    SupervisorEvent, SupervisorTimer, Terms,
};
use relevo_core::time::{Duration, Instant};
use relevo_core::vrrp::event::VrrpEvent;
use relevo_core::vrrp::leftovers::Leftovers;

use crate::faults::{Fault, Planned};
use crate::invariant::{Fact, Promise};
use crate::swarm::Trial;
use crate::world::{Future, World};

/// A sequence of numbers of its own: the rest of a world is the same with parents and without.
const DRAW: u64 = 0x7a3e_a7e7_7a3e_a7e7;

/// Intervals after which a daemon without processor time must have been found, looks that come late
/// and intervals that are forgiven for it included.
const FOUND_WITHIN: u64 = (2 + 8) * (1 + LATE_INTERVALS) + 1;

/// One look in so many comes late, by at most so many intervals.
const LATE_LOOKS: u64 = 20;
const LATE_INTERVALS: u64 = 4;

/// How often a daemon dies in a row, and the longest times between.
const KILLS_MAX: u64 = 8;
const KILL_GAPS_MILLIS: [u64; 5] = [1, 5, 200, 2_000, 4_000];

/// How long ago a daemon that is killed may have got processor time again.
const JUST_THAWED: Duration = Duration::from_millis(20);

/// How long after it got processor time again a master may not have sent an advert yet.
const JUST_STOOD: Duration = Duration::from_secs(10);

/// The parent of one daemon.
#[derive(Debug)]
pub struct Parent {
    machine: Supervisor,
    out: Out<SupervisorAction>,
    child: Option<ChildId>,
    /// The hello that the daemon has not read, and the last one that it has answered.
    hello: Option<u64>,
    answered: Option<u64>,
    /// The daemon was told to leave.
    told: bool,
    /// How the daemon ends, if it is not killed.
    exit: Option<u8>,
    /// When it looks round next, and under which number.
    planned: Option<(Instant, u64)>,
    /// The daemon that died had got no processor time.
    stood_still: bool,
}

impl Parent {
    fn new(interval: Duration, bound: &Bound) -> Self {
        let wanted = Kinds::NONE.with(Kind::Vrrp);
        let terms = Terms::with_hello(wanted, bound, interval);
        Self {
            machine: Supervisor::new(Settings {
                terms,
                respawn: true,
                watchdog: None,
            }),
            out: Out::new(),
            child: None,
            hello: None,
            answered: None,
            told: false,
            exit: None,
            planned: None,
            stood_still: false,
        }
    }
}

/// Gives the daemons of every other world parents.
pub(crate) fn add_parents(trial: &mut Trial) {
    let mut rng = Rng::new(trial.seed ^ DRAW);
    if !rng.chance(1, 2) {
        return;
    }
    let next = trial.schedule.iter().map(|planned| planned.episode + 1);
    let first = next.max().unwrap_or(0);
    for (host, episode) in (0..trial.spec.hosts.len()).zip(first..) {
        let millis = rng.pick(&[50, 100, 250, 500, 1_000, 5_000]).copied();
        let interval = Duration::from_millis(millis.unwrap_or(5_000));
        let at = match rng.below(2) {
            0 => Instant::ZERO,
            _ => Instant::from_micros(rng.below(trial.heal_at.as_micros())),
        };
        let fault = Fault::Watch { host, interval };
        trial.schedule.push(Planned { at, fault, episode });
    }
    if rng.chance(1, 3) {
        kill_again_and_again(trial, &mut rng);
    }
    trial.schedule.sort_by_key(|planned| planned.at);
}

/// A daemon dies again and again: in quick succession, or with time between to come back.
fn kill_again_and_again(trial: &mut Trial, rng: &mut Rng) {
    let next = trial.schedule.iter().map(|planned| planned.episode + 1);
    let first = next.max().unwrap_or(0);
    let host = rng.below(trial.spec.hosts.len() as u64) as usize;
    let mut at = Instant::from_micros(rng.below(trial.heal_at.as_micros()));
    for episode in first..first + rng.within(2, KILLS_MAX) as u32 {
        let (power, after) = (false, None);
        let fault = Fault::Crash { host, power, after };
        trial.schedule.push(Planned { at, fault, episode });
        let longest = rng.pick(&KILL_GAPS_MILLIS).copied().unwrap_or(1);
        let least = longest / 2;
        at += Duration::from_micros(rng.within(least * 1_000 + 1, longest * 1_000));
        if at >= trial.heal_at {
            return;
        }
    }
}

impl World {
    /// From now on the daemon of `host` has a parent that says hello every `interval`.
    pub(crate) fn watch_over(&mut self, host: usize, interval: Duration) {
        let here = &mut self.hosts[host];
        here.froze = Some(self.now);
        if here.watched.is_none() && here.powered && here.process.is_some() {
            here.watched = Some(interval);
            self.begin_parent(host);
        } else {
            here.watched = Some(interval);
        }
    }

    /// A new parent, which adopts the daemon if it runs.
    pub(crate) fn begin_parent(&mut self, host: usize) {
        let Some(interval) = self.hosts[host].watched else {
            return;
        };
        self.hosts[host].parents += 1;
        let parent = Parent::new(interval, &self.hosts[host].bound);
        self.hosts[host].parent = Some(parent);
        self.tell_parent(host, SupervisorEvent::Begin);
    }

    /// The operator stops the parent; false if there is none.
    pub(crate) fn stop_parent(&mut self, host: usize) -> bool {
        let there = self.hosts[host].parent.is_some();
        self.tell_parent(host, SupervisorEvent::Command(SupervisorCommand::Stop));
        there
    }

    /// The daemon says how it ends.
    pub(crate) fn leaves_with(&mut self, host: usize, code: u8) {
        if let Some(parent) = &mut self.hosts[host].parent {
            parent.exit = Some(code);
        }
    }

    /// The daemon is gone: the parent reaps it in a moment.
    pub(crate) fn reap_later(&mut self, host: usize) {
        let number = self.hosts[host].parents;
        let here = &self.hosts[host];
        let thawed = here.thawed.is_some_and(|at| self.now - at < JUST_STOOD);
        let stood_still = here.frozen || thawed;
        let Some(parent) = &mut self.hosts[host].parent else {
            return;
        };
        parent.stood_still = stood_still;
        let Some(child) = parent.child.take() else {
            return;
        };
        let exit = parent.exit.take().map_or(Exit::Signal(9), Exit::Code);
        let at = self.now + self.lateness();
        self.at(
            at,
            Future::Reaped {
                host,
                number,
                child,
                exit,
            },
        );
    }

    pub(crate) fn reap(&mut self, host: usize, number: u64, child: ChildId, exit: Exit) {
        if self.hosts[host].parents == number {
            self.tell_parent(host, SupervisorEvent::Exited { child, exit });
            self.check_empty_handed(host);
        }
    }

    /// A pause begins in which nobody runs: what is left in the kernel must be what a successor may
    /// still go on with when it is over.
    fn check_empty_handed(&mut self, host: usize) {
        let here = &self.hosts[host];
        let parent = here.parent.as_ref();
        let due = parent.and_then(|parent| parent.machine.next_timeout());
        let Some((until, SupervisorTimer::Restart(_))) = due.filter(|_| here.process.is_none())
        else {
            return;
        };
        self.checker.marks.pause += 1;
        // Nobody knows that it had stood still before it died.
        if parent.is_some_and(|parent| parent.stood_still) {
            return;
        }
        let cluster = std::rc::Rc::clone(&self.cluster);
        for &member in cluster.on_host(host) {
            let here = &self.hosts[host];
            let member = &cluster.members[member];
            let held = |key: &&AddressKey| here.kernel.holds(**key) && !here.tainted.contains(key);
            let config = here.bound.instances.get(member.instance.0 as usize);
            let records = here.memory.clone().records();
            let in_time = config.is_some_and(|config| records.may_go_on(config, until));
            if let Some(key) = member.vips.iter().find(held)
                && !in_time
            {
                let text = format!("host {host} waits until {until:?} and holds {}", key.addr);
                self.checker.fail(self.now, Promise::WaitsEmptyHanded, text);
            }
        }
    }

    /// The parent itself removes what a daemon has left.
    fn let_go(&mut self, host: usize) {
        self.checker.marks.let_go += 1;
        self.fact(Fact::Forgotten(host));
        let here = &mut self.hosts[host];
        let mut left = Leftovers::default();
        for told in here.kernel.dump() {
            if let VrrpEvent::Kernel(event) = told.event() {
                left.observe(&event);
            }
        }
        let records = here.memory.clone().records();
        for key in left.of(&here.bound, &records) {
            let here = &mut self.hosts[host];
            here.kernel.take(key);
            here.tainted.remove(&key);
            self.timeline_held(host, key);
        }
    }

    /// A daemon gets processor time again that it must not have been without for so long.
    pub(crate) fn check_found(&mut self, host: usize) {
        let here = &self.hosts[host];
        let (Some(parent), Some(interval)) = (&here.parent, here.watched) else {
            return;
        };
        let span = here.froze.map_or(Duration::ZERO, |at| self.now - at);
        if !parent.told && span > interval * FOUND_WITHIN + JUST_THAWED {
            let text = format!("host {host}: a daemon hung for {span} s");
            self.checker.fail(self.now, Promise::KillsTheHung, text);
        }
    }

    /// A turn of the daemon is over: its loop is alive.
    pub(crate) fn answer_hello(&mut self, host: usize) {
        if let Some(parent) = &mut self.hosts[host].parent
            && let Some(n) = parent.hello.take()
        {
            parent.answered = Some(n);
        }
    }

    /// The parent looks round, if that is still what was planned.
    pub(crate) fn parent_turn(&mut self, host: usize, number: u64) {
        let now = self.hosts[host].clock.local(self.now);
        let Some(parent) = &mut self.hosts[host].parent else {
            return;
        };
        if parent.planned.is_none_or(|(_, planned)| planned != number) {
            return;
        }
        parent.planned = None;
        parent.machine.handle_timeout(now, &mut parent.out);
        self.obey_parent(host);
    }

    fn tell_parent(&mut self, host: usize, event: SupervisorEvent) {
        let now = self.hosts[host].clock.local(self.now);
        if let Some(parent) = &mut self.hosts[host].parent {
            parent.machine.handle(event, now, &mut parent.out);
            self.obey_parent(host);
        }
    }

    fn obey_parent(&mut self, host: usize) {
        let Some(parent) = &mut self.hosts[host].parent else {
            return;
        };
        let actions = parent.out.actions().to_vec();
        parent.out.clear();
        for action in actions {
            match action {
                SupervisorAction::Start { child, resume, .. } => {
                    self.start_child(host, child, resume);
                }
                SupervisorAction::Signal { signal, .. } => self.signal_child(host, signal),
                SupervisorAction::Listen { child } => {
                    let parent = self.hosts[host].parent.as_ref();
                    let here = parent.and_then(|parent| parent.answered);
                    self.tell_parent(host, SupervisorEvent::Listened { child, here });
                }
                SupervisorAction::Hello { n, .. } => {
                    if let Some(parent) = &mut self.hosts[host].parent {
                        parent.hello = Some(n);
                    }
                    let at = self.now + self.lateness();
                    self.wake_at(host, at);
                }
                SupervisorAction::Note(note) => self.line(host, || format!("-- parent: {note}")),
                SupervisorAction::Exit(_) => self.hosts[host].parent = None,
                SupervisorAction::LetGo => self.let_go(host),
                // Configurations are given to the machine itself, and no service manager watches.
                SupervisorAction::Reload { .. }
                | SupervisorAction::ReadConfig
                | SupervisorAction::Alive => {}
            }
        }
        self.plan_parent(host);
    }

    fn start_child(&mut self, host: usize, child: ChildId, resume: bool) {
        if !resume && self.hosts[host].process.is_none() {
            self.hosts[host].memory.give_up();
            self.fact(Fact::Forgotten(host));
        }
        if let Some(parent) = &mut self.hosts[host].parent {
            parent.child = Some(child);
            parent.hello = None;
            parent.answered = None;
            parent.told = false;
            parent.exit = None;
        }
        self.start_process(host);
        let pid = child.0 as u32;
        self.tell_parent(host, SupervisorEvent::Started { child, pid });
        self.tell_parent(host, SupervisorEvent::Ready { child });
    }

    fn signal_child(&mut self, host: usize, signal: ChildSignal) {
        let told = self.hosts[host].parent.as_ref().is_some_and(|it| it.told);
        match signal {
            ChildSignal::Terminate => {
                if let Some(parent) = &mut self.hosts[host].parent {
                    parent.told = true;
                }
                self.stop_process(host);
            }
            ChildSignal::Kill => {
                let here = &self.hosts[host];
                let thawed = here.thawed.is_some_and(|at| self.now - at < JUST_THAWED);
                if here.process.is_some() && !here.frozen && !thawed && !told {
                    let text = format!("host {host}: a daemon that works is killed");
                    self.checker.fail(self.now, Promise::KillsTheHung, text);
                }
                self.checker.marks.hung += 1;
                self.crash(host, false);
            }
            ChildSignal::Data
            | ChildSignal::Stats
            | ChildSignal::StatsClear
            | ChildSignal::Journal
            | ChildSignal::Json => {}
        }
    }

    fn plan_parent(&mut self, host: usize) {
        let Some(parent) = &self.hosts[host].parent else {
            return;
        };
        let Some((at, _)) = parent.machine.next_timeout() else {
            return;
        };
        if parent.planned.is_some_and(|(planned, _)| planned == at) {
            return;
        }
        let due = self.hosts[host].clock.world(at).max(self.now);
        let mut late = self.lateness();
        if let Some(interval) = self.hosts[host].watched
            && self.rng.chance(1, LATE_LOOKS)
        {
            late = Duration::from_micros(self.rng.below(interval.as_micros() * LATE_INTERVALS));
        }
        self.hosts[host].looks += 1;
        let number = self.hosts[host].looks;
        if let Some(parent) = &mut self.hosts[host].parent {
            parent.planned = Some((at, number));
        }
        self.at(due + late, Future::Parent { host, number });
    }
}
