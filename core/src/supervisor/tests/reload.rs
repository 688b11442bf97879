//! Reload: the children that stay are told, the others come and go.

use super::*;

fn reload(child: u64, n: u64) -> SupervisorAction {
    let child = ChildId(child);
    SupervisorAction::Reload { child, n }
}

/// A parent that has read a new text under which `wanted` have something to do.
fn read(parent: &mut Parent, wanted: Kinds) -> Vec<SupervisorAction> {
    assert_eq!(
        deeds(parent.command(SupervisorCommand::Reload)),
        [SupervisorAction::ReadConfig]
    );
    let terms = Some(terms(wanted));
    parent.handle(SupervisorEvent::ConfigRead { terms })
}

#[test]
fn a_child_that_stays_takes_the_new_text_in_while_it_runs() {
    let mut parent = Parent::running(true);
    assert_eq!(read(&mut parent, VRRP_ONLY), [reload(1, 1)]);
    let done = parent.reloaded(1, 1, ReloadOutcome::Applied);
    assert_eq!(notes(done.clone()), ["Reload complete"]);
    assert_eq!(deeds(done), []);
    assert_eq!(read(&mut parent, VRRP_ONLY), [reload(1, 2)]);
    assert_eq!(
        parent.reloaded(1, 1, ReloadOutcome::Applied),
        [],
        "that was the last one"
    );
    let done = parent.reloaded(1, 2, ReloadOutcome::Applied);
    assert_eq!(notes(done), ["Reload complete"]);
}

#[test]
fn a_child_that_cannot_is_replaced_only_once_it_has_left() {
    let mut parent = Parent::running(true);
    read(&mut parent, VRRP_ONLY);
    let done = parent.reloaded(1, 1, ReloadOutcome::Restart);
    assert_eq!(deeds(done.clone()), [signal(1, ChildSignal::Terminate)]);
    assert_eq!(
        notes(done),
        ["VRRP child process is replaced to take in the new configuration"]
    );
    // It leaves nothing behind.
    let left = parent.exited(1, Exit::Code(0));
    assert_eq!(deeds(left), [start_with(2, false)]);
    parent.started(2, 102);
    assert_eq!(notes(parent.ready(2)), ["Reload complete"]);
}

#[test]
fn a_child_that_fails_keeps_its_text_and_that_is_told() {
    let mut parent = Parent::running(true);
    read(&mut parent, VRRP_ONLY);
    let done = parent.reloaded(1, 1, ReloadOutcome::Failed);
    assert_eq!(deeds(done.clone()), []);
    assert_eq!(
        notes(done),
        [
            "VRRP child process could not take in the new configuration and goes on with the old one",
            "Reload over, but not every child process works by the new configuration"
        ]
    );
}

#[test]
fn a_refused_reload_changes_nothing() {
    let mut parent = Parent::running(true);
    let before = parent.machine.clone();
    parent.command(SupervisorCommand::Reload);
    let done = parent.handle(SupervisorEvent::ConfigRead { terms: None });
    assert_eq!(
        done,
        [SupervisorAction::Note(SupervisorNote::ReloadRefused)]
    );
    assert_eq!(parent.machine, before);
}

#[test]
fn children_come_and_go_with_the_configuration() {
    let mut parent = Parent::running(true);
    let both = VRRP_ONLY.with(Kind::Checkers);
    let done = read(&mut parent, both);
    let checkers = SupervisorAction::Start {
        child: ChildId(2),
        kind: Kind::Checkers,
        resume: true,
    };
    assert_eq!(done, [checkers, reload(1, 1)]);
    parent.started(2, 102);
    assert_eq!(notes(parent.ready(2)), [""; 0]);
    let done = parent.reloaded(1, 1, ReloadOutcome::Applied);
    assert_eq!(notes(done), ["Reload complete"]);
    let done = read(&mut parent, Kinds::NONE.with(Kind::Checkers));
    assert_eq!(
        deeds(done),
        [reload(2, 2), signal(1, ChildSignal::Terminate)]
    );
    let done = parent.reloaded(2, 2, ReloadOutcome::Applied);
    assert_eq!(notes(done), ["Reload complete"]);
    assert_eq!(deeds(parent.exited(1, Exit::Code(0))), []);
}

#[test]
fn reloads_during_a_reload_become_one() {
    let mut parent = Parent::running(true);
    read(&mut parent, VRRP_ONLY);
    assert_eq!(parent.command(SupervisorCommand::Reload), []);
    assert_eq!(parent.command(SupervisorCommand::Reload), []);
    let done = parent.reloaded(1, 1, ReloadOutcome::Applied);
    assert_eq!(deeds(done), [SupervisorAction::ReadConfig]);
    let terms = Some(terms(VRRP_ONLY));
    let done = parent.handle(SupervisorEvent::ConfigRead { terms });
    assert_eq!(done, [reload(1, 2)]);
    assert_eq!(deeds(parent.reloaded(1, 2, ReloadOutcome::Applied)), []);
}

#[test]
fn a_reload_while_a_child_leaves_waits_for_its_end() {
    let mut parent = Parent::running(true);
    read(&mut parent, VRRP_ONLY);
    parent.reloaded(1, 1, ReloadOutcome::Restart);
    assert_eq!(parent.command(SupervisorCommand::Reload), []);
    let done = deeds(parent.exited(1, Exit::Code(0)));
    assert_eq!(done, [start_with(2, false), SupervisorAction::ReadConfig]);
    parent.started(2, 102);
    let terms = Some(terms(VRRP_ONLY));
    let done = parent.handle(SupervisorEvent::ConfigRead { terms });
    assert_eq!(done, [reload(2, 2)], "it was started with the old text");
}

#[test]
fn a_child_that_dies_during_a_reload_starts_with_the_new_text() {
    let mut parent = Parent::running(true);
    parent.pass(SETTLED_AFTER);
    read(&mut parent, VRRP_ONLY);
    assert_eq!(deeds(parent.exited(1, Exit::Signal(11))), [start(2)]);
    parent.started(2, 102);
    assert_eq!(notes(parent.ready(2)), ["Reload complete"]);
}

#[test]
fn a_child_that_never_answers_a_reload_is_replaced() {
    let mut parent = Parent::running(true);
    read(&mut parent, VRRP_ONLY);
    let by = parent.now + RELOAD_LIMIT;
    let mut n = 1;
    let done = loop {
        let (_, _, done) = parent.timeout();
        if parent.now == by {
            break done;
        }
        // It does answer hellos.
        n += 1;
        assert_eq!(parent.listened(1, Some(n - 1)), [hello(1, n)]);
    };
    assert_eq!(parent.now, by);
    assert!(
        done.contains(&signal(1, ChildSignal::Terminate)),
        "{done:?}"
    );
    assert_eq!(
        deeds(parent.exited(1, Exit::Code(0))),
        [start_with(2, false)]
    );
}

#[test]
fn a_hung_child_does_not_hold_a_reload_up() {
    let mut parent = Parent::running(true);
    for _ in 0..2 {
        parent.timeout();
        parent.listened(1, None);
    }
    assert_eq!(read(&mut parent, VRRP_ONLY), []);
    assert_eq!(parent.dies_soon(1).2, [start(3)]);
    parent.started(3, 102);
    assert_eq!(notes(parent.ready(3)), ["Reload complete"]);
}

#[test]
fn a_reload_ends_the_pause_of_a_child_that_kept_dying() {
    let mut parent = Parent::running(true);
    parent.pass(RESUME_PROOF);
    parent.exited(1, Exit::Signal(11));
    assert!(parent.machine.next_timeout().is_some());
    assert_eq!(read(&mut parent, VRRP_ONLY), [start(2)]);
    assert_eq!(parent.machine.next_timeout(), None);
}

#[test]
fn a_reload_that_wants_no_child_has_the_last_one_tidied_up() {
    let mut parent = Parent::running(true);
    parent.pass(RESUME_PROOF);
    assert_eq!(deeds(parent.exited(1, Exit::Signal(11))), []);
    assert_eq!(deeds(read(&mut parent, Kinds::NONE)), [start(2)]);
    let told = deeds(parent.started(2, 102));
    assert_eq!(told, [signal(2, ChildSignal::Terminate)]);
    assert_eq!(deeds(parent.exited(2, Exit::Code(0))), []);
    assert_eq!(parent.machine.next_timeout(), None);
}

#[test]
fn stop_during_a_reload_starts_no_successor() {
    let mut parent = Parent::running(true);
    read(&mut parent, VRRP_ONLY);
    parent.reloaded(1, 1, ReloadOutcome::Restart);
    assert_eq!(deeds(parent.command(SupervisorCommand::Stop)), []);
    assert_eq!(
        deeds(parent.exited(1, Exit::Code(0))),
        [SupervisorAction::Exit(0)]
    );
}

#[test]
fn a_new_hello_interval_counts_from_the_reload_on() {
    let mut parent = Parent::running(true);
    parent.command(SupervisorCommand::Reload);
    let short = Terms {
        hello_interval: Duration::from_millis(100),
        ..terms(VRRP_ONLY)
    };
    let terms = Some(short);
    parent.handle(SupervisorEvent::ConfigRead { terms });
    let (waited, timer, _) = parent.timeout();
    assert_eq!(timer, SupervisorTimer::Hello(Kind::Vrrp));
    assert_eq!(waited, short.hello_interval);
    parent.listened(1, None);
    assert_eq!(parent.timeout().0, short.hello_interval);
    let done = deeds(parent.listened(1, None));
    assert_eq!(done, [signal(1, ChildSignal::Kill)]);
}
