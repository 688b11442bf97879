//! Hung children.

use super::*;

fn listen(child: u64) -> SupervisorAction {
    let child = ChildId(child);
    SupervisorAction::Listen { child }
}

/// Lets time pass until the next hello is due, and a bit.
fn until_hello(parent: &mut Parent, late: Duration) {
    let (at, timer) = parent.machine.next_timeout().expect("a deadline");
    assert_eq!(timer, SupervisorTimer::Hello(Kind::Vrrp));
    parent.now = at + late;
    parent.machine.handle_timeout(parent.now, &mut parent.out);
    assert_eq!(parent.actions(), [listen(1)]);
    assert_eq!(
        parent.machine.next_timeout(),
        None,
        "it waits for what was said"
    );
}

#[test]
fn a_hello_each_interval_and_nothing_else() {
    let mut parent = Parent::running(true);
    let begin = parent.now;
    for n in 1..=1_000 {
        until_hello(&mut parent, Duration::ZERO);
        assert_eq!(parent.now - begin, HELLO_INTERVAL * n);
        assert_eq!(parent.listened(1, Some(n)), [hello(1, n + 1)]);
    }
}

#[test]
fn a_child_that_leaves_two_hellos_unanswered_is_killed_and_replaced_when_reaped() {
    let mut parent = Parent::running(true);
    for n in 1..10 {
        until_hello(&mut parent, Duration::ZERO);
        assert_eq!(parent.listened(1, Some(n)), [hello(1, n + 1)]);
    }
    let stopped = parent.now;
    until_hello(&mut parent, Duration::ZERO);
    assert_eq!(parent.listened(1, Some(9)), [hello(1, 11)]);
    until_hello(&mut parent, Duration::ZERO);
    let done = parent.listened(1, Some(9));
    assert_eq!(parent.now - stopped, HELLO_INTERVAL * 2);
    assert_eq!(deeds(done.clone()), [signal(1, ChildSignal::Kill)]);
    assert_eq!(
        notes(done),
        ["VRRP child process(101) has not answered for 10 s: killed"]
    );
    assert_eq!(
        parent.machine.next_timeout(),
        None,
        "never before it is reaped"
    );
    assert_eq!(parent.listened(1, Some(3)), [], "too late");
    let died = parent.exited(1, Exit::Signal(9));
    assert_eq!(deeds(died), [start(2)]);
}

#[test]
fn a_parent_that_was_stopped_kills_nobody_that_answers_afterwards() {
    let mut parent = Parent::running(true);
    // The child's answer was waiting all the time.
    until_hello(&mut parent, HELLO_INTERVAL * 3);
    assert_eq!(parent.listened(1, Some(1)), [hello(1, 2)]);
    // Both were stopped, three times in a row.
    for n in 3..6 {
        until_hello(&mut parent, HELLO_INTERVAL * 3);
        assert_eq!(parent.listened(1, Some(1)), [hello(1, n)]);
    }
    let (at, _) = parent.machine.next_timeout().expect("the next hello");
    assert_eq!(at, parent.now + HELLO_INTERVAL, "one more whole interval");
    until_hello(&mut parent, Duration::ZERO);
    assert_eq!(parent.listened(1, Some(5)), [hello(1, 6)]);
}

#[test]
fn a_child_that_is_never_ready_is_killed() {
    let mut parent = Parent::new(VRRP_ONLY, true);
    parent.handle(SupervisorEvent::Begin);
    parent.started(1, 101);
    let (waited, timer, done) = parent.timeout();
    assert_eq!(
        (waited, timer),
        (START_LIMIT, SupervisorTimer::Ready(Kind::Vrrp))
    );
    assert_eq!(done, [listen(1)]);
    let done = parent.listened(1, None);
    assert_eq!(deeds(done.clone()), [signal(1, ChildSignal::Kill)]);
    assert_eq!(
        notes(done),
        ["VRRP child process(101) was not ready within 30 s: killed"]
    );
    let (at_once, waited, _) = parent.dies_soon(1);
    assert_eq!(at_once, [start_with(2, false)]);
    assert_eq!(waited.as_secs(), 1);
}

#[test]
fn a_child_that_is_ready_at_the_last_moment_may_live() {
    let mut parent = Parent::new(VRRP_ONLY, true);
    parent.handle(SupervisorEvent::Begin);
    parent.started(1, 101);
    assert_eq!(parent.timeout().2, [listen(1)]);
    // What it said is handed over before the answer.
    assert_eq!(deeds(parent.ready(1)), [hello(1, 1)]);
    assert_eq!(parent.listened(1, None), []);
    let (at, timer) = parent.machine.next_timeout().expect("a hello");
    assert_eq!(
        (at - parent.now, timer),
        (HELLO_INTERVAL, SupervisorTimer::Hello(Kind::Vrrp))
    );
}

#[test]
fn a_stop_while_a_child_hangs_ends_within_child_wait_time() {
    let mut parent = Parent::running(true);
    until_hello(&mut parent, Duration::ZERO);
    parent.listened(1, None);
    let asked = parent.command(SupervisorCommand::Stop);
    assert_eq!(deeds(asked), [signal(1, ChildSignal::Terminate)]);
    let (waited, timer, done) = parent.timeout();
    assert_eq!(
        (waited, timer),
        (CHILD_WAIT_TIME, SupervisorTimer::Kill(Kind::Vrrp))
    );
    assert_eq!(deeds(done), [signal(1, ChildSignal::Kill)]);
}

#[test]
fn a_stop_after_a_hung_child_was_killed_waits_for_its_end() {
    let mut parent = Parent::running(true);
    for _ in 0..2 {
        until_hello(&mut parent, Duration::ZERO);
        parent.listened(1, None);
    }
    parent.command(SupervisorCommand::Stop);
    // What it held, a successor gives back.
    assert_eq!(deeds(parent.exited(1, Exit::Signal(9))), [start(2)]);
    assert_eq!(
        deeds(parent.started(2, 102)),
        [signal(2, ChildSignal::Terminate)]
    );
    assert_eq!(
        deeds(parent.exited(2, Exit::Code(0))),
        [SupervisorAction::Exit(0)]
    );
}

#[test]
fn hung_counts_as_died_for_dont_respawn() {
    let mut parent = Parent::running(false);
    for _ in 0..2 {
        until_hello(&mut parent, Duration::ZERO);
        parent.listened(1, None);
    }
    let done = deeds(parent.exited(1, Exit::Signal(9)));
    assert_eq!(done, [SupervisorAction::LetGo, SupervisorAction::Exit(0)]);
}

#[test]
fn a_child_has_settled_after_ten_of_the_shorter_intervals() {
    use crate::config::{HostFacts, load};

    let of = |hello: &str, adverts: &[&str]| {
        let mut text = format!("global_defs {{\n{hello}\nvrrp_version 3\n}}\n");
        for (n, advert) in adverts.iter().enumerate() {
            text += &format!(
                "vrrp_instance V{n} {{\ninterface lo\nvirtual_router_id {}\nadvert_int {advert}\n\
                 virtual_ipaddress {{\n192.0.2.{n}\n}}\n}}\n",
                n + 1
            );
        }
        let (bound, _) = load("f", &text, &HostFacts::default());
        let terms = Terms::new(VRRP_ONLY, &bound);
        (
            terms.hello_interval.as_millis(),
            terms.settled_after.as_millis(),
            bound.instances.len(),
        )
    };
    assert_eq!(of("", &[]), (5_000, 50_000, 0));
    assert_eq!(of("relevo_hello_interval 0.5", &[]), (500, 5_000, 0));
    assert_eq!(of("relevo_hello_interval 0.05", &[]), (50, 1_000, 0));
    assert_eq!(of("dynamic_interfaces", &["1", "2"]), (5_000, 10_000, 2));
    assert_eq!(of("dynamic_interfaces", &["1", "0.1"]), (5_000, 1_000, 2));
    assert_eq!(of("dynamic_interfaces", &["30"]), (5_000, 50_000, 1));
}
