//! The service manager's watchdog over the parent.

use super::*;

const PERIOD: Duration = Duration::from_secs(15);

fn parent() -> Parent {
    let mut parent = Parent::new(VRRP_ONLY, true);
    parent.machine = Supervisor::new(Settings {
        terms: terms(VRRP_ONLY),
        respawn: true,
        watchdog: Some(PERIOD),
    });
    let done = parent.handle(SupervisorEvent::Begin);
    assert_eq!(done, [SupervisorAction::Alive, start(1)]);
    parent.started(1, 101);
    parent.ready(1);
    parent
}

/// Plays for `span`; says when the watchdog heard of us. The child answers unless it is stopped.
fn play(parent: &mut Parent, span: Duration, answers: bool) -> Vec<u64> {
    let (begin, end) = (parent.now, parent.now + span);
    let mut heard = Vec::new();
    let mut sent = None;
    while let Some((at, _)) = parent.machine.next_timeout()
        && at <= end
    {
        let (_, _, mut actions) = parent.timeout();
        if actions.contains(&SupervisorAction::Listen { child: ChildId(1) }) {
            // The first look cannot know the number of the hello before it.
            let here = sent.unwrap_or(1);
            actions.extend(parent.listened(1, answers.then_some(here)));
        }
        for action in actions {
            match action {
                SupervisorAction::Hello { n, .. } => sent = Some(n),
                SupervisorAction::Alive => heard.push((parent.now - begin).as_secs()),
                _ => {}
            }
        }
    }
    parent.now = end;
    heard
}

#[test]
fn it_hears_of_us_once_in_a_period() {
    let mut parent = parent();
    let heard = play(&mut parent, Duration::from_secs(61), true);
    assert_eq!(heard, [15, 30, 45, 60]);
}

#[test]
fn a_silent_child_silences_the_parent_until_it_is_reaped() {
    let mut parent = parent();
    let heard = play(&mut parent, Duration::from_secs(100), false);
    assert_eq!(heard, [0; 0]);
    let done = deeds(parent.exited(1, Exit::Signal(9)));
    assert_eq!(done, [start(2), SupervisorAction::Alive]);
}

#[test]
fn it_hears_of_us_at_once_when_the_child_is_back() {
    let mut parent = parent();
    parent.now += Duration::from_secs(5);
    parent.machine.handle_timeout(parent.now, &mut parent.out);
    parent.actions();
    parent.listened(1, None);
    // The watchdog is due while the answer is missing.
    parent.now += Duration::from_secs(4);
    let (machine, out) = (&mut parent.machine, &mut parent.out);
    machine.feed_watchdog(parent.now, out);
    assert_eq!(parent.actions(), []);
    parent.now += Duration::from_secs(1);
    parent.machine.handle_timeout(parent.now, &mut parent.out);
    parent.actions();
    let done = parent.listened(1, Some(2));
    assert_eq!(done, [hello(1, 3), SupervisorAction::Alive]);
}

#[test]
fn a_period_of_nothing_keeps_nobody_busy() {
    let mut parent = Parent::new(Kinds::NONE, true);
    parent.machine = Supervisor::new(Settings {
        terms: terms(Kinds::NONE),
        respawn: true,
        watchdog: Some(Duration::ZERO),
    });
    parent.handle(SupervisorEvent::Begin);
    let (waited, timer, _) = parent.timeout();
    assert_eq!(timer, SupervisorTimer::Watchdog);
    assert!(waited >= Duration::from_millis(10));
}
