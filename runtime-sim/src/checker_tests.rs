//! Each promise is fed a history that breaks it, and one beside it that does not.

use super::*;
use crate::cluster::tests::{one_router, plain_member};

const SLACK: Duration = Duration::from_millis(5);
const BACKUP: StateName = StateName::Backup;
const MASTER: StateName = StateName::Master;
const FAULT: StateName = StateName::Fault;

/// Host 0 with priority 150, host 1 with 100, host 2 with 100 and a higher address; adverts every
/// second.
struct History {
    checker: Checker,
    states: [StateName; 3],
}

fn at(millis: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

fn history() -> History {
    let priorities = [150, 100, 100].into_iter().enumerate();
    let members = priorities.map(|(host, priority)| plain_member(host, priority));
    let cluster = Rc::new(one_router(members.collect()));
    let mut history = History {
        checker: Checker::new(cluster, Duration::from_millis(1), SLACK),
        states: [StateName::Init; 3],
    };
    for host in 0..3 {
        history.note(0, Fact::Started(host));
        history.state(0, host, BACKUP);
    }
    history
}

impl History {
    fn note(&mut self, millis: u64, fact: Fact) -> &mut Self {
        self.checker.note(at(millis), fact);
        self
    }

    fn state(&mut self, millis: u64, member: usize, to: StateName) -> &mut Self {
        let from = std::mem::replace(&mut self.states[member], to);
        let can_send = true;
        self.note(
            millis,
            Fact::State {
                member,
                from,
                to,
                can_send,
                resumed: false,
            },
        )
    }

    fn sent(&mut self, millis: u64, member: usize, priority: u8, was: StateName) -> &mut Self {
        let fact = Fact::Sent {
            member,
            dst: [224, 0, 0, 18].into(),
            priority,
            was,
            is: self.states[member],
        };
        self.note(millis, fact)
    }

    fn heard(&mut self, millis: u64, to: usize, from: usize, priority: u8) -> &mut Self {
        let is = self.states[to];
        self.heard_and(millis, (to, from), priority, (is, is))
    }

    /// A packet that changes the receiver's state.
    fn heard_and(
        &mut self,
        millis: u64,
        (to, from): (usize, usize),
        priority: u8,
        (was, is): (StateName, StateName),
    ) -> &mut Self {
        if was != is {
            self.state(millis, to, is);
        }
        let heard = Heard {
            to,
            from,
            priority,
            intact: true,
            was,
            is,
            timer_moved: false,
        };
        self.note(millis, Fact::Heard(heard))
    }

    fn pass(&mut self, millis: u64) -> &mut Self {
        self.checker.pass(at(millis));
        self
    }

    fn broken(&self) -> Option<Promise> {
        self.checker.violation().map(|violation| violation.promise)
    }
}

#[test]
fn an_address_without_mastership_and_mastership_without_an_address() {
    let key = plain_member(0, 150).vips[0];
    let settled = |held| Fact::Settled {
        member: 0,
        key,
        held,
    };
    for (state, held, right) in [
        (BACKUP, false, true),
        (BACKUP, true, false),
        (MASTER, true, true),
        (MASTER, false, false),
        (FAULT, true, false),
    ] {
        let mut history = history();
        history.state(1, 0, state).note(2, settled(held));
        let wanted = (!right).then_some(Promise::AddressIffMaster);
        assert_eq!(history.broken(), wanted, "{state:?} {held}");
    }
}

#[test]
fn adverts_of_others_than_masters() {
    assert_eq!(
        history().sent(1, 0, 150, BACKUP).broken(),
        Some(Promise::OnlyMastersAdvertise)
    );
    assert_eq!(
        history()
            .state(1, 0, MASTER)
            .sent(1, 0, 150, BACKUP)
            .broken(),
        None
    );
}

#[test]
fn priority_zero_of_a_backup_of_a_remaining_master_and_twice() {
    let broken = Some(Promise::OnlyMastersAdvertise);
    assert_eq!(history().sent(1, 0, 0, BACKUP).broken(), broken);
    let mut stays = history();
    stays.state(1, 0, MASTER).sent(2, 0, 0, MASTER);
    assert_eq!(stays.broken(), broken);
    let mut leaves = history();
    leaves.state(1, 0, MASTER).state(2, 0, FAULT);
    assert_eq!(leaves.sent(2, 0, 0, MASTER).broken(), None);
    assert_eq!(leaves.sent(2, 0, 0, MASTER).broken(), broken);
}

#[test]
fn two_masters_that_hear_each_other() {
    let mut two = history();
    two.state(0, 0, MASTER).state(0, 1, MASTER);
    two.sent(990, 0, 150, MASTER).sent(990, 1, 100, MASTER);
    assert_eq!(two.pass(1_000).broken(), None);
    assert_eq!(two.pass(1_020).broken(), Some(Promise::OneMaster));
}

#[test]
fn two_masters_that_do_not_hear_each_other_are_forgiven() {
    let reach = |open| Fact::Reach {
        from: 0,
        to: 1,
        open,
    };
    let mut cut = history();
    cut.note(0, reach(false));
    cut.state(0, 0, MASTER).state(0, 1, MASTER);
    cut.sent(990, 0, 150, MASTER).sent(990, 1, 100, MASTER);
    assert_eq!(cut.pass(1_500).broken(), None);
    // Only the better one must be heard: the other direction does not matter.
    cut.note(1_600, reach(true));
    cut.sent(1_980, 0, 150, MASTER).sent(1_980, 1, 100, MASTER);
    assert_eq!(cut.pass(2_600).broken(), None);
    cut.sent(2_620, 0, 150, MASTER).sent(2_620, 1, 100, MASTER);
    assert_eq!(cut.pass(2_620).broken(), Some(Promise::OneMaster));
}

#[test]
fn a_lost_advert_and_a_frozen_host_give_the_pair_more_time() {
    for fact in [Fact::Lost { from: 0, to: 1 }, Fact::Frozen(1)] {
        let mut two = history();
        two.state(0, 0, MASTER).state(0, 1, MASTER);
        two.sent(990, 0, 150, MASTER).sent(990, 1, 100, MASTER);
        two.note(995, fact.clone());
        assert_eq!(two.pass(1_100).broken(), None, "{fact:?}");
    }
}

#[test]
fn a_takeover_although_a_master_was_heard() {
    let mut early = history();
    early.heard(1_000, 1, 0, 150);
    assert_eq!(
        early.state(4_500, 1, MASTER).broken(),
        Some(Promise::NoMistake)
    );
    let mut in_time = history();
    in_time.heard(1_000, 1, 0, 150);
    assert_eq!(in_time.state(4_610, 1, MASTER).broken(), None);
}

#[test]
fn a_takeover_after_priority_zero_or_from_a_lower_master_is_no_mistake() {
    let mut released = history();
    released.heard(1_000, 1, 0, 150).heard(2_000, 1, 0, 0);
    released.state(2_609, 1, MASTER);
    assert_eq!(released.broken(), None);
    assert_eq!(released.checker.marks.priority_zero, 1);
    let mut preempting = history();
    preempting.state(0, 1, MASTER).sent(0, 1, 100, BACKUP);
    preempting.heard(100, 0, 1, 100);
    preempting.state(500, 0, MASTER);
    assert_eq!(preempting.broken(), None);
    assert_eq!(preempting.checker.marks.preemption, 1);
}

#[test]
fn a_master_that_stays_against_a_better_one() {
    for (to, from, priority, breaks) in [(1, 0, 150, true), (1, 2, 100, true), (2, 1, 100, false)] {
        let mut history = history();
        history.state(0, to, MASTER);
        history.heard(500, to, from, priority);
        let wanted = breaks.then_some(Promise::YieldsToBetter);
        assert_eq!(history.broken(), wanted, "{from} to {to}");
    }
}

#[test]
fn a_master_that_yields_to_a_worse_one_or_to_priority_zero() {
    for (to, from, priority) in [(0, 1, 100), (2, 1, 100), (0, 1, 0)] {
        let mut history = history();
        history.state(0, to, MASTER);
        history.heard_and(500, (to, from), priority, (MASTER, BACKUP));
        assert_eq!(history.broken(), Some(Promise::KeepsAgainstWorse));
    }
    let mut yields = history();
    yields.state(0, 1, MASTER);
    yields.heard_and(500, (1, 2), 100, (MASTER, BACKUP));
    assert_eq!(yields.broken(), None);
    assert_eq!(yields.checker.marks.tie, 1);
}

#[test]
fn a_packet_that_makes_a_master() {
    let mut history = history();
    history.heard_and(500, (1, 0), 0, (BACKUP, MASTER));
    assert_eq!(history.broken(), Some(Promise::KeepsAgainstWorse));
}

#[test]
fn a_bad_packet_that_moves_something() {
    let heard = |is, timer_moved| Heard {
        to: 1,
        from: 0,
        priority: 150,
        intact: false,
        was: MASTER,
        is,
        timer_moved,
    };
    let broken = Some(Promise::BadPacketTouchesNothing);
    for (is, timer_moved, wanted) in [
        (MASTER, false, None),
        (BACKUP, false, broken),
        (MASTER, true, broken),
    ] {
        let mut history = history();
        history.state(0, 1, MASTER);
        history.note(1, Fact::Heard(heard(is, timer_moved)));
        assert_eq!(history.broken(), wanted);
    }
}

#[test]
fn a_silent_master() {
    let mut silent = history();
    silent.state(0, 0, MASTER).sent(0, 0, 150, BACKUP);
    assert_eq!(silent.pass(1_004).broken(), None);
    assert_eq!(silent.pass(1_020).broken(), Some(Promise::MasterSpeaks));
    let mut late = history();
    late.state(0, 0, MASTER).sent(0, 0, 150, BACKUP);
    late.sent(1_020, 0, 150, MASTER);
    assert_eq!(late.broken(), Some(Promise::MasterSpeaks));
    let mut frozen = history();
    frozen.state(0, 0, MASTER).sent(0, 0, 150, BACKUP);
    frozen.note(500, Fact::Frozen(0)).pass(3_000);
    frozen
        .note(5_000, Fact::Thawed(0))
        .sent(5_001, 0, 150, MASTER);
    assert_eq!(frozen.broken(), None);
}

/// Only the host that is looked at runs.
fn alone(host: usize) -> History {
    let mut history = history();
    for other in (0..3).filter(|other| *other != host) {
        history.note(0, Fact::Ended(other));
    }
    history
}

#[test]
fn a_master_that_begins_or_is_contradicted_and_says_nothing() {
    let called = Fact::Called {
        host: 0,
        actions: 0,
        stuck: false,
        in_a_row: 0,
    };
    let broken = Some(Promise::MasterSpeaks);
    let mut begins = history();
    begins.state(1, 0, MASTER);
    assert_eq!(begins.note(2, called.clone()).broken(), broken);
    for priority in [0, 100] {
        for (answer, wanted) in [(true, None), (false, broken)] {
            let mut history = history();
            history.state(1, 0, MASTER).sent(1, 0, 150, BACKUP);
            history.heard(2, 0, 1, priority);
            if answer {
                history.sent(2, 0, 150, MASTER);
            }
            assert_eq!(history.note(3, called.clone()).broken(), wanted);
        }
    }
}

#[test]
fn a_backup_that_sleeps() {
    let broken = Some(Promise::BackupWakes);
    assert_eq!(alone(1).pass(3_610).broken(), None);
    assert_eq!(alone(1).pass(3_620).broken(), broken);
    let mut hears = alone(1);
    hears.heard(3_000, 1, 0, 150);
    assert_eq!(hears.pass(6_610).broken(), None);
    assert_eq!(hears.pass(6_620).broken(), broken);
    let mut released = alone(1);
    released.heard(1_000, 1, 0, 0);
    assert_eq!(released.pass(1_610).broken(), None);
    assert_eq!(released.pass(1_620).broken(), broken);
}

#[test]
fn a_preempting_backup_that_hears_only_a_lower_master_must_not_sleep() {
    let mut history = alone(0);
    for second in 1..4 {
        history.heard(second * 1_000, 0, 1, 100);
    }
    assert_eq!(history.pass(3_500).broken(), Some(Promise::BackupWakes));
}

#[test]
fn a_backup_that_overslept_listens_for_another_interval() {
    let frozen = |thaw: u64, takeover: u64| {
        let mut history = alone(1);
        history.note(1_000, Fact::Frozen(1));
        history.note(thaw, Fact::Thawed(1));
        history.state(takeover, 1, MASTER);
        history.broken()
    };
    // Its timer was due at 3,609.
    assert_eq!(frozen(4_000, 4_001), None, "not so late");
    assert_eq!(frozen(6_000, 6_001), Some(Promise::NoMistake));
    assert_eq!(frozen(6_000, 7_610), None);
    let mut sleeps = alone(1);
    sleeps
        .note(1_000, Fact::Frozen(1))
        .note(6_000, Fact::Thawed(1));
    assert_eq!(sleeps.pass(7_600).broken(), None);
    assert_eq!(sleeps.pass(7_700).broken(), Some(Promise::BackupWakes));
}

#[test]
fn a_master_that_leaves_without_a_word() {
    let called = Fact::Called {
        host: 0,
        actions: 0,
        stuck: false,
        in_a_row: 0,
    };
    let mut silent = history();
    silent.state(1, 0, MASTER).state(2, 0, FAULT);
    assert_eq!(
        silent.note(3, called.clone()).broken(),
        Some(Promise::LetsGo)
    );
    let mut polite = history();
    polite.state(1, 0, MASTER).sent(1, 0, 150, BACKUP);
    polite.state(2, 0, FAULT);
    polite.sent(2, 0, 0, MASTER).note(3, called.clone());
    assert_eq!(polite.broken(), None);
    let mut crashed = history();
    crashed.state(1, 0, MASTER).state(2, 0, FAULT);
    crashed.note(2, Fact::Ended(0)).note(3, called);
    assert_eq!(crashed.broken(), None);
    let mut yields = history();
    yields.state(0, 1, MASTER);
    yields.heard_and(500, (1, 0), 150, (MASTER, BACKUP));
    let called = Fact::Called {
        host: 1,
        actions: 0,
        stuck: false,
        in_a_row: 0,
    };
    assert_eq!(yields.note(501, called).broken(), None);
}

#[test]
fn taking_part_without_an_interface_and_standing_aside_with_one() {
    let broken = Some(Promise::WorksWithItsInterface);
    for (state, works, complete, wanted) in [
        (BACKUP, true, true, None),
        (MASTER, false, true, broken),
        (BACKUP, false, false, broken),
        (FAULT, false, true, None),
        (FAULT, true, false, None),
        (FAULT, true, true, broken),
    ] {
        let mut history = history();
        history.state(1, 0, state);
        let interface = Fact::Interface {
            member: 0,
            works,
            complete,
        };
        assert_eq!(history.note(2, interface).broken(), wanted, "{state:?}");
    }
}

#[test]
fn an_announcement_of_what_is_not_held() {
    let addr = plain_member(0, 150).vips[0].addr;
    let announced = |held| Fact::Announced {
        member: 0,
        addr,
        held,
    };
    let broken = Some(Promise::AnnouncesWhatItHolds);
    assert_eq!(history().note(1, announced(true)).broken(), broken);
    let mut absent = history();
    absent.state(1, 0, MASTER).note(1, announced(false));
    assert_eq!(absent.broken(), broken);
    let mut right = history();
    right.state(1, 0, MASTER).note(1, announced(true));
    right
        .checker
        .check_announced(at(500), 0, Duration::from_millis(100));
    assert_eq!(right.broken(), None);
}

#[test]
fn an_address_that_is_never_announced() {
    let mut history = history();
    history.state(1, 0, MASTER);
    let age = Duration::from_millis(100);
    history.checker.check_announced(at(50), 0, age);
    assert_eq!(history.broken(), None);
    history.checker.check_announced(at(200), 0, age);
    assert_eq!(history.broken(), Some(Promise::AnnouncesWhatItHolds));
}

#[test]
fn a_stuck_timer_and_unbounded_work() {
    let called = |actions, stuck, in_a_row| Fact::Called {
        host: 0,
        actions,
        stuck,
        in_a_row,
    };
    assert_eq!(history().note(1, called(200, false, 10)).broken(), None);
    assert_eq!(
        history().note(1, called(0, true, 0)).broken(),
        Some(Promise::TimerMovesOn)
    );
    let broken = Some(Promise::BoundedWork);
    assert_eq!(history().note(1, called(1_000, false, 0)).broken(), broken);
    assert_eq!(history().note(1, called(0, false, 65)).broken(), broken);
}

#[test]
fn an_error_without_a_cause() {
    let error = Fact::Error {
        host: 0,
        text: "address failed".into(),
    };
    let mut history = history();
    history.note(1, error);
    assert_eq!(history.broken(), Some(Promise::NoUnexpectedError));
}

#[test]
fn only_the_first_broken_promise_counts() {
    let mut history = history();
    history.sent(1, 0, 150, BACKUP);
    history.state(2, 1, MASTER);
    history.heard(3, 1, 0, 150);
    assert_eq!(history.broken(), Some(Promise::OnlyMastersAdvertise));
}

#[test]
fn three_adverts_lost_in_a_row_are_marked_once() {
    let mut history = history();
    for millis in 0..5 {
        history.note(millis, Fact::Lost { from: 0, to: 1 });
    }
    assert_eq!(history.checker.marks.three_lost, 1);
    history.heard(10, 1, 0, 150);
    history.note(11, Fact::Lost { from: 0, to: 1 });
    history.note(12, Fact::Lost { from: 0, to: 1 });
    assert_eq!(history.checker.marks.three_lost, 1);
}

#[test]
fn a_split_brain_is_marked_when_it_ends() {
    let mut history = history();
    history.state(0, 0, MASTER).state(100, 1, MASTER);
    history.heard_and(3_000, (1, 0), 150, (MASTER, BACKUP));
    assert_eq!(history.checker.marks.split_heal, 1);
    let mut short = self::history();
    short.state(0, 0, MASTER).state(100, 1, MASTER);
    short.heard_and(600, (1, 0), 150, (MASTER, BACKUP));
    assert_eq!(short.checker.marks.split_heal, 0, "a mere preemption");
}
