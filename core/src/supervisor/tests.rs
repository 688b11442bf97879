use super::*;
use crate::ids::Errno;

mod hello;
mod model;
mod pause;
mod reload;
mod watchdog;

/// The machine with its clock, its output kept.
struct Parent {
    machine: Supervisor,
    now: Instant,
    out: Actions,
}

const VRRP_ONLY: Kinds = Kinds::NONE.with(Kind::Vrrp);

impl Parent {
    fn new(wanted: Kinds, respawn: bool) -> Self {
        let machine = Supervisor::new(Settings {
            terms: terms(wanted),
            respawn,
            watchdog: None,
        });
        Self {
            machine,
            now: Instant::from_micros(1_000_000),
            out: Out::new(),
        }
    }

    /// A parent whose VRRP child is ready; its number is 1.
    fn running(respawn: bool) -> Self {
        let mut parent = Self::new(VRRP_ONLY, respawn);
        parent.handle(SupervisorEvent::Begin);
        parent.started(1, 101);
        parent.ready(1);
        parent
    }

    fn actions(&mut self) -> Vec<SupervisorAction> {
        let actions = self.out.actions().to_vec();
        self.out.clear();
        actions
    }

    fn handle(&mut self, event: SupervisorEvent) -> Vec<SupervisorAction> {
        self.machine.handle(event, self.now, &mut self.out);
        self.actions()
    }

    fn started(&mut self, child: u64, pid: u32) -> Vec<SupervisorAction> {
        let child = ChildId(child);
        self.handle(SupervisorEvent::Started { child, pid })
    }

    fn ready(&mut self, child: u64) -> Vec<SupervisorAction> {
        let child = ChildId(child);
        self.handle(SupervisorEvent::Ready { child })
    }

    fn exited(&mut self, child: u64, exit: Exit) -> Vec<SupervisorAction> {
        let child = ChildId(child);
        self.handle(SupervisorEvent::Exited { child, exit })
    }

    fn listened(&mut self, child: u64, here: Option<u64>) -> Vec<SupervisorAction> {
        let child = ChildId(child);
        self.handle(SupervisorEvent::Listened { child, here })
    }

    fn reloaded(&mut self, child: u64, n: u64, outcome: ReloadOutcome) -> Vec<SupervisorAction> {
        let child = ChildId(child);
        self.handle(SupervisorEvent::Reloaded { child, n, outcome })
    }

    fn command(&mut self, command: SupervisorCommand) -> Vec<SupervisorAction> {
        self.handle(SupervisorEvent::Command(command))
    }

    /// The child dies, and what is started only to tidy up leaves in order; then the pause is over.
    /// Returns what was done at once, how long it took, and what was done then.
    fn dies_soon(
        &mut self,
        child: u64,
    ) -> (Vec<SupervisorAction>, Duration, Vec<SupervisorAction>) {
        let at_once = deeds(self.exited(child, Exit::Signal(11)));
        if let [SupervisorAction::Start { child, .. }] = at_once[..] {
            let told = deeds(self.started(child.0, 200));
            assert_eq!(told, [signal(child.0, ChildSignal::Terminate)]);
            assert_eq!(deeds(self.exited(child.0, Exit::Code(0))), []);
        }
        let (waited, timer, then) = self.timeout();
        assert_eq!(timer, SupervisorTimer::Restart(Kind::Vrrp));
        (at_once, waited, then)
    }

    fn pass(&mut self, span: Duration) {
        self.now += span;
    }

    /// Lets time pass until the earliest deadline and acts on it.
    fn timeout(&mut self) -> (Duration, SupervisorTimer, Vec<SupervisorAction>) {
        let (at, timer) = self.machine.next_timeout().expect("a deadline");
        let waited = at - self.now;
        self.now = at;
        self.machine.handle_timeout(at, &mut self.out);
        let next = self.machine.next_timeout();
        assert!(next.is_none_or(|(next, _)| next > at), "{next:?}");
        (waited, timer, self.actions())
    }
}

fn terms(wanted: Kinds) -> Terms {
    Terms {
        wanted,
        hello_interval: HELLO_INTERVAL,
        child_wait_time: CHILD_WAIT_TIME,
        settled_after: SETTLED_AFTER,
        patience: PATIENCE,
    }
}

/// The first pause, and no other.
const PATIENCE: Duration = Duration::from_secs(1);

/// Ten intervals.
const SETTLED_AFTER: Duration = Duration::from_secs(50);

fn start(child: u64) -> SupervisorAction {
    start_with(child, true)
}

fn start_with(child: u64, resume: bool) -> SupervisorAction {
    let child = ChildId(child);
    SupervisorAction::Start {
        child,
        kind: Kind::Vrrp,
        resume,
    }
}

fn hello(child: u64, n: u64) -> SupervisorAction {
    let child = ChildId(child);
    SupervisorAction::Hello { child, n }
}

fn signal(child: u64, signal: ChildSignal) -> SupervisorAction {
    let child = ChildId(child);
    SupervisorAction::Signal { child, signal }
}

/// Without what is only told.
fn deeds(actions: Vec<SupervisorAction>) -> Vec<SupervisorAction> {
    let is_deed = |action: &SupervisorAction| !matches!(action, SupervisorAction::Note(_));
    actions.into_iter().filter(is_deed).collect()
}

fn notes(actions: Vec<SupervisorAction>) -> Vec<String> {
    let note = |action| match action {
        SupervisorAction::Note(note) => Some(note.to_string()),
        SupervisorAction::Start { .. }
        | SupervisorAction::Signal { .. }
        | SupervisorAction::Listen { .. }
        | SupervisorAction::Hello { .. }
        | SupervisorAction::Reload { .. }
        | SupervisorAction::Alive
        | SupervisorAction::LetGo
        | SupervisorAction::ReadConfig
        | SupervisorAction::Exit(_) => None,
    };
    actions.into_iter().filter_map(note).collect()
}

#[test]
fn startup_is_complete_when_every_child_is_ready() {
    let mut parent = Parent::new(VRRP_ONLY, true);
    assert_eq!(parent.handle(SupervisorEvent::Begin), [start(1)]);
    assert_eq!(
        notes(parent.started(1, 101)),
        ["Starting VRRP child process, pid=101"]
    );
    let done = parent.ready(1);
    assert_eq!(deeds(done.clone()), [hello(1, 1)]);
    assert_eq!(notes(done), ["Startup complete"]);
    assert_eq!(parent.ready(1), [], "told once");
}

#[test]
fn children_are_started_in_the_originals_order() {
    let wanted = Kinds::NONE
        .with(Kind::Bfd)
        .with(Kind::Vrrp)
        .with(Kind::Checkers);
    let mut parent = Parent::new(wanted, true);
    let kinds: Vec<_> = parent
        .handle(SupervisorEvent::Begin)
        .into_iter()
        .filter_map(|action| match action {
            SupervisorAction::Start { kind, .. } => Some(kind),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, [Kind::Checkers, Kind::Vrrp, Kind::Bfd]);
    for child in 1..=3 {
        parent.started(child, 100 + child as u32);
    }
    assert_eq!(parent.ready(3), [hello(3, 1)]);
    assert_eq!(parent.ready(1), [hello(1, 1)]);
    assert_eq!(notes(parent.ready(2)), ["Startup complete"]);
}

#[test]
fn with_nothing_to_do_the_parent_waits_for_a_reload() {
    let mut parent = Parent::new(Kinds::NONE, true);
    let told = notes(parent.handle(SupervisorEvent::Begin));
    assert_eq!(told.last().map(String::as_str), Some("Startup complete"));
    assert_eq!(told.len(), 2);
    parent.command(SupervisorCommand::Reload);
    let terms = Some(terms(VRRP_ONLY));
    assert_eq!(
        parent.handle(SupervisorEvent::ConfigRead { terms }),
        [start(1)]
    );
    assert_eq!(deeds(parent.command(SupervisorCommand::Stop)), []);
    parent.started(1, 101);
    assert_eq!(
        deeds(parent.exited(1, Exit::Code(0))),
        [SupervisorAction::Exit(0)]
    );
}

#[test]
fn stop_asks_the_child_and_exits_the_moment_it_has_left() {
    let mut parent = Parent::running(true);
    let asked = parent.command(SupervisorCommand::Stop);
    assert_eq!(deeds(asked), [signal(1, ChildSignal::Terminate)]);
    assert_eq!(
        parent.command(SupervisorCommand::Stop),
        [],
        "once is enough"
    );
    assert_eq!(
        deeds(parent.exited(1, Exit::Code(0))),
        [SupervisorAction::Exit(0)]
    );
    assert_eq!(parent.machine.next_timeout(), None, "no constant wait");
}

#[test]
fn a_child_that_does_not_leave_is_killed_after_child_wait_time() {
    let mut parent = Parent::running(true);
    parent.command(SupervisorCommand::Stop);
    let (waited, timer, actions) = parent.timeout();
    assert_eq!(
        (waited, timer),
        (CHILD_WAIT_TIME, SupervisorTimer::Kill(Kind::Vrrp))
    );
    assert_eq!(deeds(actions), [signal(1, ChildSignal::Kill)]);
    assert_eq!(parent.machine.next_timeout(), None);
    // What it held, a successor gives back; if that one fails too, so be it.
    let exit = Exit::Signal(9);
    assert_eq!(deeds(parent.exited(1, exit)), [start(2)]);
    assert_eq!(
        deeds(parent.started(2, 102)),
        [signal(2, ChildSignal::Terminate)]
    );
    let done = deeds(parent.exited(2, exit));
    assert_eq!(done, [SupervisorAction::LetGo, SupervisorAction::Exit(0)]);
}

#[test]
fn a_stop_that_overtakes_a_start_still_reaches_the_child() {
    let mut parent = Parent::new(VRRP_ONLY, true);
    parent.handle(SupervisorEvent::Begin);
    assert_eq!(deeds(parent.command(SupervisorCommand::Stop)), []);
    assert_eq!(
        deeds(parent.started(1, 101)),
        [signal(1, ChildSignal::Terminate)]
    );
    assert!(
        parent.machine.next_timeout().is_some(),
        "it may have to be killed"
    );
    assert_eq!(
        deeds(parent.exited(1, Exit::Code(0))),
        [SupervisorAction::Exit(0)]
    );
}

#[test]
fn pauses_grow_to_a_minute_for_a_child_that_dies_soon() {
    let mut parent = Parent::running(true);
    let mut pauses = Vec::new();
    let mut child = 1;
    for _ in 1..=9 {
        // Almost settled; that it hears nothing meanwhile is no part of this test.
        parent.pass(SETTLED_AFTER - Duration::from_micros(1));
        let (at_once, waited, then) = parent.dies_soon(child);
        child += 1 + at_once.len() as u64;
        assert_eq!(then, [start(child)]);
        pauses.push(waited.as_secs());
        parent.started(child, 200);
        parent.ready(child);
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
}

#[test]
fn a_child_that_had_settled_is_started_again_at_once() {
    let mut parent = Parent::running(true);
    // Each of these four is followed by one that tidies up.
    for child in [1, 3, 5, 7] {
        parent.dies_soon(child);
        parent.started(child + 2, 200);
        parent.ready(child + 2);
    }
    parent.pass(SETTLED_AFTER);
    assert_eq!(deeds(parent.exited(9, Exit::Code(3))), [start(10)]);
    parent.started(10, 201);
    parent.ready(10);
    let (_, waited, _) = parent.dies_soon(10);
    assert_eq!(waited.as_secs(), 1, "the count begins anew");
}

#[test]
fn time_before_a_child_is_ready_is_no_work() {
    let mut parent = Parent::new(VRRP_ONLY, true);
    parent.handle(SupervisorEvent::Begin);
    parent.started(1, 101);
    parent.pass(SETTLED_AFTER);
    let (at_once, waited, _) = parent.dies_soon(1);
    assert_eq!(at_once, [start_with(2, false)]);
    assert_eq!(waited.as_secs(), 1);
}

#[test]
fn a_child_that_dies_within_a_second_of_resuming_starts_without_the_record() {
    let proof = RESUME_PROOF;
    let almost = proof - Duration::from_micros(1);
    // How long each child works, and whether the next one resumes.
    let lives = [
        (proof, true),
        (almost, false),
        (almost, false),
        (proof, true),
        (SETTLED_AFTER, true),
    ];
    let mut parent = Parent::running(true);
    let mut child = 1;
    for (life, resume) in lives {
        parent.pass(life);
        if life < SETTLED_AFTER {
            let (at_once, _, then) = parent.dies_soon(child);
            // As little does one that only tidies up.
            assert!(at_once.is_empty() || at_once == [start_with(child + 1, resume)]);
            child += 1 + at_once.len() as u64;
            assert_eq!(then, [start_with(child, resume)], "child {child}");
        } else {
            let done = deeds(parent.exited(child, Exit::Signal(11)));
            child += 1;
            assert_eq!(done, [start_with(child, resume)], "child {child}");
        }
        parent.started(child, 200);
        parent.ready(child);
    }
    // One that dies before it is ready may have died of it too.
    let mut parent = Parent::new(VRRP_ONLY, true);
    parent.handle(SupervisorEvent::Begin);
    parent.started(1, 101);
    parent.pass(Duration::from_secs(9));
    assert_eq!(parent.dies_soon(1).2, [start_with(3, false)]);
}

#[test]
fn a_failed_start_is_tried_again_but_never_at_once() {
    let mut parent = Parent::new(VRRP_ONLY, true);
    parent.handle(SupervisorEvent::Begin);
    let mut pauses = Vec::new();
    for child in 1..=3 {
        let (child, errno) = (ChildId(child), Errno(11));
        parent.handle(SupervisorEvent::StartFailed { child, errno });
        pauses.push(parent.timeout().0.as_secs());
    }
    assert_eq!(pauses, [1, 2, 4]);
}

#[test]
fn permanent_exit_codes_end_the_daemon_with_them() {
    for code in 0..=255 {
        let mut parent = Parent::running(true);
        parent.pass(SETTLED_AFTER);
        let done = deeds(parent.exited(1, Exit::Code(code)));
        let expected = if matches!(code, 1 | 2 | 4) {
            vec![SupervisorAction::LetGo, SupervisorAction::Exit(code)]
        } else {
            vec![start(2)]
        };
        assert_eq!(done, expected, "exit code {code}");
    }
}

#[test]
fn a_permanent_failure_waits_for_the_other_children() {
    let wanted = VRRP_ONLY.with(Kind::Bfd);
    let mut parent = Parent::new(wanted, true);
    parent.handle(SupervisorEvent::Begin);
    parent.started(1, 101);
    parent.started(2, 102);
    let done = deeds(parent.exited(1, Exit::Code(2)));
    let told = signal(2, ChildSignal::Terminate);
    assert_eq!(done, [SupervisorAction::LetGo, told]);
    assert_eq!(
        deeds(parent.exited(2, Exit::Code(0))),
        [SupervisorAction::Exit(2)]
    );
}

#[test]
fn without_respawn_a_death_ends_the_daemon() {
    let mut parent = Parent::running(false);
    let ends_with = |code| [SupervisorAction::LetGo, SupervisorAction::Exit(code)];
    let done = deeds(parent.exited(1, Exit::Signal(9)));
    assert_eq!(done, ends_with(0));
    let mut parent = Parent::running(false);
    assert_eq!(deeds(parent.exited(1, Exit::Code(4))), ends_with(4));
    let mut parent = Parent::new(VRRP_ONLY, false);
    parent.handle(SupervisorEvent::Begin);
    let (child, errno) = (ChildId(1), Errno(11));
    let done = deeds(parent.handle(SupervisorEvent::StartFailed { child, errno }));
    assert_eq!(done, ends_with(1));
}

#[test]
fn stop_while_a_dead_child_is_waited_for_lets_a_successor_tidy_up() {
    let mut parent = Parent::running(true);
    parent.pass(RESUME_PROOF);
    parent.exited(1, Exit::Signal(11));
    assert!(parent.machine.next_timeout().is_some());
    assert_eq!(deeds(parent.command(SupervisorCommand::Stop)), [start(2)]);
    assert_eq!(
        deeds(parent.started(2, 103)),
        [signal(2, ChildSignal::Terminate)]
    );
    assert_eq!(
        deeds(parent.exited(2, Exit::Code(0))),
        [SupervisorAction::Exit(0)]
    );
}

#[test]
fn signals_reach_ready_children_whom_they_concern() {
    let wanted = VRRP_ONLY.with(Kind::Bfd);
    let mut parent = Parent::new(wanted, true);
    parent.handle(SupervisorEvent::Begin);
    parent.started(1, 101);
    parent.started(2, 102);
    let data = SupervisorCommand::Forward(ChildSignal::Data);
    assert_eq!(parent.command(data), [], "nobody listens yet");
    parent.ready(1);
    parent.ready(2);
    let to_both = [signal(1, ChildSignal::Data), signal(2, ChildSignal::Data)];
    assert_eq!(parent.command(data), to_both);
    for only_vrrp in [
        ChildSignal::Stats,
        ChildSignal::StatsClear,
        ChildSignal::Json,
        ChildSignal::Journal,
    ] {
        let done = parent.command(SupervisorCommand::Forward(only_vrrp));
        assert_eq!(done, [signal(1, only_vrrp)]);
    }
}

#[test]
fn news_of_children_that_are_gone_is_ignored() {
    let mut parent = Parent::running(true);
    parent.pass(SETTLED_AFTER);
    parent.exited(1, Exit::Signal(11));
    let before = parent.machine.clone();
    assert_eq!(parent.exited(1, Exit::Code(2)), []);
    assert_eq!(parent.ready(1), []);
    assert_eq!(parent.started(1, 101), []);
    assert_eq!(parent.listened(1, Some(1)), []);
    assert_eq!(parent.reloaded(1, 1, ReloadOutcome::Restart), []);
    assert_eq!(parent.exited(77, Exit::Code(2)), []);
    assert_eq!(parent.machine, before);
}
