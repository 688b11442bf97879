//! The ledger against kernels that answer, forget, and are meddled with.

use super::*;

fn plan(ledger: &mut Ledger<u8, ()>) -> Vec<(OpId, u8, Change)> {
    let mut asked = Vec::new();
    ledger.plan(usize::MAX, |step| match step {
        Step::Add { op, key, .. } => asked.push((op, key, Change::Add)),
        Step::Delete { op, key } => asked.push((op, key, Change::Delete)),
        Step::There(_) => {}
    });
    asked
}

#[test]
fn only_the_difference_is_asked_for() {
    let mut ledger = Ledger::default();
    ledger.want(1, ());
    assert_eq!(plan(&mut ledger), [(OpId(1), 1, Change::Add)]);
    assert_eq!(
        ledger.done(OpId(1), Ok(())),
        Outcome::Present {
            key: 1,
            found: false
        }
    );
    ledger.want(1, ());
    assert_eq!(plan(&mut ledger), []);
    ledger.unwant(1);
    assert_eq!(plan(&mut ledger), [(OpId(2), 1, Change::Delete)]);
    assert_eq!(
        ledger.done(OpId(2), Err(Errno::EADDRNOTAVAIL)),
        Outcome::Absent(1)
    );
    assert!(ledger.is_settled());
}

#[test]
fn a_wish_that_changes_in_flight_is_carried_out_after_the_answer() {
    let mut ledger = Ledger::default();
    ledger.want(1, ());
    assert_eq!(plan(&mut ledger).len(), 1);
    ledger.unwant(1);
    assert_eq!(plan(&mut ledger), []);
    ledger.done(OpId(1), Ok(()));
    assert_eq!(plan(&mut ledger), [(OpId(2), 1, Change::Delete)]);
}

#[test]
fn what_somebody_else_removed_is_gone_even_if_our_removal_is_refused() {
    for by_table in [false, true] {
        let mut ledger = Ledger::default();
        ledger.want(1, ());
        plan(&mut ledger);
        ledger.done(OpId(1), Ok(()));
        ledger.on_present(1, false);
        ledger.unwant(1);
        plan(&mut ledger);
        if by_table {
            ledger.on_dump_start();
            ledger.on_dump_end();
        } else {
            ledger.on_absent(1);
        }
        ledger.want(1, ());
        ledger.done(OpId(2), Err(Errno::EPERM));
        assert_eq!(plan(&mut ledger), [(OpId(3), 1, Change::Add)]);
    }
}

#[test]
fn an_echo_is_not_drift_whenever_it_comes() {
    for echo_first in [false, true] {
        let mut ledger = Ledger::default();
        ledger.want(1, ());
        plan(&mut ledger);
        if echo_first {
            ledger.on_present(1, false);
        }
        ledger.done(OpId(1), Ok(()));
        ledger.unwant(1);
        plan(&mut ledger);
        ledger.done(OpId(2), Ok(()));
        ledger.want(1, ());
        plan(&mut ledger);
        ledger.done(OpId(3), Ok(()));
        if !echo_first {
            ledger.on_present(1, false);
        }
        // The late echo of the deletion arrives when the address is back.
        assert!(!ledger.on_absent(1));
        ledger.on_present(1, false);
        assert!(ledger.has(1));
        // And now somebody else deletes it.
        assert!(ledger.on_absent(1));
        assert!(!ledger.has(1));
    }
}

#[test]
fn what_was_found_is_not_removed_at_leaving() {
    let mut ledger = Ledger::default();
    ledger.on_present(1, false);
    ledger.want(1, ());
    assert_eq!(plan(&mut ledger), [(OpId(1), 1, Change::Add)]);
    assert_eq!(
        ledger.done(OpId(1), Err(Errno::EEXIST)),
        Outcome::Present {
            key: 1,
            found: true
        }
    );
    ledger.unwant(1);
    assert_eq!(plan(&mut ledger), []);
}

#[test]
fn a_leftover_is_removed_and_a_refusal_is_told_once() {
    let mut ledger: Ledger<u8, ()> = Ledger::default();
    ledger.on_present(1, false);
    ledger.remove_leftover(1);
    assert_eq!(plan(&mut ledger), [(OpId(1), 1, Change::Delete)]);
    ledger.done(OpId(1), Ok(()));
    ledger.want(2, ());
    plan(&mut ledger);
    let refused = Outcome::Failed {
        key: 2,
        change: Change::Add,
        errno: Errno::EPERM,
    };
    assert_eq!(ledger.done(OpId(2), Err(Errno::EPERM)), refused);
    assert_eq!(plan(&mut ledger), []);
    assert_eq!(ledger.done(OpId(2), Ok(())), Outcome::Unknown);
}

#[test]
fn a_dump_shows_what_went_missing_but_not_what_came_meanwhile() {
    let mut ledger = Ledger::default();
    ledger.want(1, ());
    ledger.want(2, ());
    plan(&mut ledger);
    ledger.done(OpId(1), Ok(()));
    ledger.on_dump_start();
    ledger.done(OpId(2), Ok(()));
    assert_eq!(ledger.on_dump_end(), [1]);
    assert!(ledger.has(2));
}

#[test]
fn no_more_is_in_flight_than_has_room() {
    let mut ledger: Ledger<u32, ()> = Ledger::default();
    (0..1_000).for_each(|key| ledger.want(key, ()));
    assert_eq!(ledger.plan(usize::MAX, |_| {}), IN_FLIGHT_MAX);
    assert!(!ledger.may_go_on());
    ledger.done(OpId(1), Ok(()));
    assert!(ledger.may_go_on());
    assert_eq!(ledger.plan(usize::MAX, |_| {}), 1);
}

fn wanting_one() -> Ledger<u8, ()> {
    let mut ledger = Ledger::default();
    ledger.want(1, ());
    plan(&mut ledger);
    ledger
}

fn deleting_one() -> Ledger<u8, ()> {
    let mut ledger = wanting_one();
    ledger.on_present(1, false);
    ledger.done(OpId(1), Ok(()));
    ledger.unwant(1);
    assert_eq!(plan(&mut ledger), [(OpId(2), 1, Change::Delete)]);
    ledger
}

#[test]
fn an_echo_tells_what_a_lost_answer_does_not() {
    let mut ledger = wanting_one();
    ledger.on_present(1, false);
    let present = Outcome::Present {
        key: 1,
        found: false,
    };
    assert_eq!(ledger.done(OpId(1), Err(Errno::ENOBUFS)), present);
    ledger.unwant(1);
    assert_eq!(plan(&mut ledger), [(OpId(2), 1, Change::Delete)]);
    ledger.on_absent(1);
    assert_eq!(
        ledger.done(OpId(2), Err(Errno::ENOBUFS)),
        Outcome::Absent(1)
    );
    ledger.want(1, ());
    assert_eq!(plan(&mut ledger), [(OpId(3), 1, Change::Add)]);
}

#[test]
fn what_was_found_stays_unless_it_is_adopted() {
    for adopted in [false, true] {
        let mut ledger = wanting_one();
        let found = Outcome::Present {
            key: 1,
            found: true,
        };
        assert_eq!(ledger.done(OpId(1), Err(Errno::EEXIST)), found);
        if adopted {
            ledger.adopt(1);
        }
        ledger.unwant(1);
        let gone = [(OpId(2), 1, Change::Delete)];
        let expected = if adopted { &gone[..] } else { &[] };
        assert_eq!(plan(&mut ledger), expected);
    }
}

#[test]
fn an_old_echo_is_not_that_of_the_change_under_way() {
    let mut ledger = wanting_one();
    ledger.done(OpId(1), Ok(()));
    ledger.unwant(1);
    plan(&mut ledger);
    ledger.done(OpId(2), Ok(()));
    ledger.want(1, ());
    plan(&mut ledger);
    ledger.done(OpId(3), Ok(()));
    ledger.unwant(1);
    assert_eq!(plan(&mut ledger), [(OpId(4), 1, Change::Delete)]);
    // Only now the first three are heard of.
    ledger.on_present(1, false);
    assert!(!ledger.on_absent(1));
    ledger.on_present(1, false);
    let lost = Outcome::Lost(1);
    assert_eq!(ledger.done(OpId(4), Err(Errno::ENOBUFS)), lost);
    assert_eq!(plan(&mut ledger), [(OpId(5), 1, Change::Delete)]);
}

#[test]
fn an_object_with_our_mark_is_ours_if_we_ever_wanted_it() {
    let mut ledger = Ledger::default();
    // Somebody adds and deletes it before we do, and all echoes are late.
    ledger.want(1, ());
    plan(&mut ledger);
    ledger.done(OpId(1), Ok(()));
    ledger.on_present(1, false);
    assert!(ledger.on_absent(1));
    ledger.unwant(1);
    assert_eq!(plan(&mut ledger), []);
    ledger.on_present(1, true);
    assert_eq!(plan(&mut ledger), [(OpId(2), 1, Change::Delete)]);
    // Another daemon of our kind may have what we never wanted.
    ledger.on_present(2, true);
    ledger.on_dump_start();
    ledger.on_present(2, true);
    ledger.on_dump_end();
    assert_eq!(plan(&mut ledger), []);
}

#[test]
fn a_deletion_by_others_before_our_addition_is_no_drift() {
    let mut ledger = wanting_one();
    ledger.done(OpId(1), Ok(()));
    ledger.on_present(1, false);
    // Somebody deletes it before we do; then it is wanted again.
    ledger.unwant(1);
    plan(&mut ledger);
    ledger.done(OpId(2), Err(Errno::EADDRNOTAVAIL));
    ledger.want(1, ());
    plan(&mut ledger);
    ledger.done(OpId(3), Ok(()));
    assert!(!ledger.on_absent(1));
    ledger.on_present(1, false);
    assert!(ledger.has(1));
    assert!(ledger.on_absent(1));
}

#[test]
fn a_lost_answer_is_asked_for_again_and_what_is_there_is_ours() {
    let mut ledger = wanting_one();
    let lost = Outcome::Lost(1);
    assert_eq!(ledger.done(OpId(1), Err(Errno::ENOBUFS)), lost);
    assert!(!ledger.is_settled());
    assert_eq!(plan(&mut ledger), [(OpId(2), 1, Change::Add)]);
    let present = Outcome::Present {
        key: 1,
        found: false,
    };
    assert_eq!(ledger.done(OpId(2), Err(Errno::EEXIST)), present);
    ledger.unwant(1);
    assert_eq!(plan(&mut ledger), [(OpId(3), 1, Change::Delete)]);
    assert_eq!(ledger.done(OpId(3), Err(Errno::ENOBUFS)), lost);
    // Wanted again, and nobody knows whether it is still there.
    ledger.want(1, ());
    assert_eq!(plan(&mut ledger), [(OpId(4), 1, Change::Add)]);
    assert_eq!(ledger.done(OpId(4), Err(Errno::EEXIST)), present);
}

#[test]
fn a_lost_answer_is_not_asked_for_without_end() {
    let mut ledger = wanting_one();
    for op in 1..=3 {
        assert_eq!(ledger.done(OpId(op), Err(Errno::ENOBUFS)), Outcome::Lost(1));
        assert_eq!(plan(&mut ledger).len(), 1);
    }
    let failed = Outcome::Failed {
        key: 1,
        change: Change::Add,
        errno: Errno::ENOBUFS,
    };
    assert_eq!(ledger.done(OpId(4), Err(Errno::ENOBUFS)), failed);
    assert!(ledger.is_settled());
    // It shows up after all.
    ledger.unwant(1);
    ledger.on_present(1, false);
    assert_eq!(plan(&mut ledger), [(OpId(5), 1, Change::Delete)]);
}

#[test]
fn a_lost_addition_that_is_wanted_no_longer_is_undone() {
    let mut ledger = wanting_one();
    ledger.unwant(1);
    assert_eq!(plan(&mut ledger), []);
    ledger.done(OpId(1), Err(Errno::ENOBUFS));
    assert_eq!(plan(&mut ledger), [(OpId(2), 1, Change::Delete)]);
    let gone = Err(Errno::EADDRNOTAVAIL);
    assert_eq!(ledger.done(OpId(2), gone), Outcome::Absent(1));
    assert!(ledger.is_settled());
}

#[test]
fn what_appears_after_a_refusal_is_somebody_else_s() {
    let mut ledger = wanting_one();
    ledger.done(OpId(1), Err(Errno::EPERM));
    ledger.on_present(1, false);
    ledger.unwant(1);
    assert_eq!(plan(&mut ledger), []);
}

#[test]
fn a_whole_picture_brings_failed_changes_up_again() {
    let mut ledger = wanting_one();
    ledger.done(OpId(1), Err(Errno::EPERM));
    ledger.on_dump_start();
    assert_eq!(ledger.on_dump_end(), []);
    assert_eq!(plan(&mut ledger), [(OpId(2), 1, Change::Add)]);
    let mut ledger = deleting_one();
    ledger.done(OpId(2), Err(Errno::EPERM));
    ledger.on_dump_start();
    ledger.on_present(1, false);
    assert_eq!(ledger.on_dump_end(), []);
    assert_eq!(plan(&mut ledger), [(OpId(3), 1, Change::Delete)]);
}

#[test]
fn a_deletion_that_overtakes_the_answer_is_drift() {
    for answer in [Ok(()), Err(Errno::EEXIST)] {
        let mut ledger = wanting_one();
        ledger.on_present(1, false);
        assert!(!ledger.on_absent(1));
        assert_eq!(ledger.done(OpId(1), answer), Outcome::Taken(1));
        assert!(!ledger.has(1));
    }
    // But not when the kernel added it afterwards.
    let mut ledger = Ledger::default();
    ledger.on_present(1, false);
    ledger.want(1, ());
    plan(&mut ledger);
    assert!(!ledger.on_absent(1));
    let present = Outcome::Present {
        key: 1,
        found: false,
    };
    assert_eq!(ledger.done(OpId(1), Ok(())), present);
    ledger.on_present(1, false);
    assert!(ledger.on_absent(1));
}

#[test]
fn a_refused_deletion_of_what_is_wanted_again_leaves_it_there() {
    let mut ledger = deleting_one();
    ledger.want(1, ());
    assert_eq!(plan(&mut ledger), []);
    ledger.done(OpId(2), Err(Errno::EPERM));
    let mut there = Vec::new();
    ledger.plan(usize::MAX, |step| match step {
        Step::There(key) => there.push(key),
        Step::Add { .. } | Step::Delete { .. } => panic!("{step:?}"),
    });
    assert_eq!(there, [1]);
}

#[test]
fn another_form_goes_and_comes_back_once() {
    for (answer, after) in [
        (Ok(()), vec![(OpId(3), 1, Change::Add)]),
        (Err(Errno::EPERM), Vec::new()),
    ] {
        let mut ledger = wanting_one();
        ledger.on_present(1, false);
        ledger.done(OpId(1), Ok(()));
        ledger.renew(1, ());
        assert_eq!(plan(&mut ledger), [(OpId(2), 1, Change::Delete)]);
        assert!(!ledger.on_absent(1), "our own removal is no drift");
        if answer.is_err() {
            ledger.on_present(1, false);
        }
        ledger.done(OpId(2), answer);
        assert_eq!(plan(&mut ledger), after);
    }
    // While it is still being added in the old one.
    let mut ledger = wanting_one();
    ledger.renew(1, ());
    assert_eq!(plan(&mut ledger), []);
    ledger.done(OpId(1), Ok(()));
    assert_eq!(plan(&mut ledger), [(OpId(2), 1, Change::Delete)]);
    ledger.done(OpId(2), Ok(()));
    assert_eq!(plan(&mut ledger), [(OpId(3), 1, Change::Add)]);
    ledger.done(OpId(3), Ok(()));
    assert!(ledger.is_settled());
}

#[test]
fn what_is_being_deleted_is_not_kept() {
    let mut ledger = deleting_one();
    assert!(ledger.has(1) && ledger.is_ours(1) && !ledger.keeps(1));
    ledger.want(1, ());
    assert!(!ledger.keeps(1), "until the deletion is answered");
    ledger.done(OpId(2), Ok(()));
    plan(&mut ledger);
    ledger.done(OpId(3), Ok(()));
    assert!(ledger.keeps(1));
}
