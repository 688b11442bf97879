//! What happens to the addresses of a child that died too soon while its pause is waited out.

use super::*;

/// A parent whose child has died soon once: the first pause is over.
fn after_the_first_pause() -> Parent {
    let mut parent = Parent::running(true);
    parent.pass(RESUME_PROOF);
    let (at_once, waited, then) = parent.dies_soon(1);
    assert_eq!(at_once, [], "a peer waits longer than this pause");
    assert_eq!((waited, then), (PATIENCE, vec![start(2)]));
    parent.started(2, 102);
    parent.ready(2);
    parent.pass(RESUME_PROOF);
    parent
}

#[test]
fn a_pause_that_outlasts_a_peer_is_waited_out_with_nothing_in_hand() {
    let mut parent = after_the_first_pause();
    let done = parent.exited(2, Exit::Signal(11));
    assert_eq!(deeds(done.clone()), [start(3)]);
    let told = notes(done);
    assert_eq!(
        told.last().map(String::as_str),
        Some("VRRP child process starts again in 2 s")
    );
    let told = deeds(parent.started(3, 103));
    assert_eq!(told, [signal(3, ChildSignal::Terminate)]);
    parent.ready(3);
    parent.pass(Duration::from_millis(300));
    assert_eq!(deeds(parent.exited(3, Exit::Code(0))), [], "once a pause");
    let (waited, _, then) = parent.timeout();
    assert_eq!(waited, Duration::from_millis(1_700), "since the death");
    assert_eq!(then, [start(4)]);
}

#[test]
fn what_nobody_tidies_up_the_parent_lets_go() {
    let ends = [Exit::Signal(9), Exit::Code(3), Exit::Code(2)];
    for exit in ends {
        let mut parent = after_the_first_pause();
        parent.exited(2, Exit::Signal(11));
        parent.started(3, 103);
        let done = deeds(parent.exited(3, exit));
        assert_eq!(done, [SupervisorAction::LetGo], "{exit}");
        let (waited, _, then) = parent.timeout();
        assert_eq!((waited.as_secs(), then), (2, vec![start(4)]));
    }
    let mut parent = after_the_first_pause();
    parent.exited(2, Exit::Signal(11));
    let (child, errno) = (ChildId(3), Errno(11));
    let done = parent.handle(SupervisorEvent::StartFailed { child, errno });
    assert_eq!(deeds(done), [SupervisorAction::LetGo]);
    assert_eq!(parent.timeout().0.as_secs(), 2);
}

#[test]
fn one_that_tidies_up_and_does_not_leave_is_killed() {
    let mut parent = after_the_first_pause();
    parent.exited(2, Exit::Signal(11));
    parent.started(3, 103);
    let (_, timer, done) = parent.timeout();
    assert_eq!(timer, SupervisorTimer::Kill(Kind::Vrrp));
    assert_eq!(deeds(done), [signal(3, ChildSignal::Kill)]);
    let done = deeds(parent.exited(3, Exit::Signal(9)));
    assert_eq!(done, [SupervisorAction::LetGo]);
    // The pause has passed meanwhile.
    parent.machine.handle_timeout(parent.now, &mut parent.out);
    assert_eq!(parent.actions(), [start(4)]);
}

#[test]
fn one_that_hung_or_that_may_have_died_of_its_record_holds_nothing() {
    let mut parent = Parent::running(true);
    parent.timeout();
    parent.listened(1, None);
    parent.timeout();
    let done = deeds(parent.listened(1, None));
    assert_eq!(done, [signal(1, ChildSignal::Kill)]);
    assert_eq!(deeds(parent.exited(1, Exit::Signal(9))), [start(2)]);
    let mut parent = Parent::running(true);
    let done = deeds(parent.exited(1, Exit::Signal(9)));
    assert_eq!(done, [start_with(2, false)]);
}

#[test]
fn a_stop_in_the_pause_tidies_up_what_is_held_and_nothing_else() {
    let mut parent = after_the_first_pause();
    parent.exited(2, Exit::Signal(11));
    parent.started(3, 103);
    parent.exited(3, Exit::Code(0));
    let done = deeds(parent.command(SupervisorCommand::Stop));
    assert_eq!(done, [SupervisorAction::Exit(0)]);
    // While it is being tidied up.
    let mut parent = after_the_first_pause();
    parent.exited(2, Exit::Signal(11));
    parent.started(3, 103);
    assert_eq!(deeds(parent.command(SupervisorCommand::Stop)), []);
    let done = deeds(parent.exited(3, Exit::Code(0)));
    assert_eq!(done, [SupervisorAction::Exit(0)]);
}

#[test]
fn a_failed_start_lets_go_of_what_would_be_held_too_long() {
    let mut parent = Parent::running(true);
    parent.pass(SETTLED_AFTER);
    assert_eq!(deeds(parent.exited(1, Exit::Signal(11))), [start(2)]);
    let errno = Errno(11);
    let failed = |child| SupervisorEvent::StartFailed {
        child: ChildId(child),
        errno,
    };
    assert_eq!(deeds(parent.handle(failed(2))), [], "a second is no time");
    assert_eq!(parent.timeout().2, [start(3)]);
    let done = deeds(parent.handle(failed(3)));
    assert_eq!(done, [SupervisorAction::LetGo]);
}

#[test]
fn the_pause_that_a_peer_outlasts_follows_from_the_configuration() {
    let patience = |words: &str| {
        let text = format!(
            "global_defs {{\ndynamic_interfaces\n}}\nvrrp_instance V {{\ninterface eth0\n\
             virtual_router_id 1\n{words}\nvirtual_ipaddress {{\n192.0.2.1\n}}\n}}\n"
        );
        let (bound, _) = crate::config::load("f", &text, &crate::config::HostFacts::default());
        assert_eq!(bound.instances.len(), 1);
        Terms::new(VRRP_ONLY, &bound).patience
    };
    assert_eq!(patience("advert_int 1"), Duration::from_secs(1));
    let fast = "version 3\nadvert_int 0.1";
    assert_eq!(patience(fast), Duration::from_millis(100));
    assert_eq!(patience("down_timer_adverts 2"), Duration::from_millis(500));
    assert_eq!(patience("down_timer_adverts 1"), Duration::ZERO);
    assert_eq!(patience("down_timer_adverts 9"), Duration::from_secs(1));
}
