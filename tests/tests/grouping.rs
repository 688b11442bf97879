#![forbid(unsafe_code)]
//! Adverts that are due at almost the same time leave together, never late, never early by more than a
//! hundredth of the interval, and without drift; and many timers that are due at once leave room for packets.

use std::collections::BTreeMap;

use relevo_core::ids::{Family, InstanceId, Version};
use relevo_core::limits::{SLICE_FIRST, TIMERS};
use relevo_core::machine::Machine;
use relevo_core::time::{Duration, Instant};
use relevo_core::vrrp::{StateName, VrrpTimer};
use relevo_tests::one_host::{
    Advert, ETH0, Effect, OneHost, added, adverts, config, link, priorities,
};

const SECOND: Duration = Duration::from_secs(1);

/// Backups with the identifiers from 1 on.
fn backups(count: u8, interval: Duration) -> OneHost {
    let instances = (1..=count).map(|vrid| {
        let mut config = config(Version::V3, Family::V4);
        config.vrid = vrid;
        config.advert_interval = interval;
        // Only adverts: another timer between two of them would end a group.
        config.garp.master_delay = Duration::ZERO;
        // Addresses of its own.
        config.addresses.truncate(1);
        config.addresses[0].addr = [10, 1, 0, vrid].into();
        config
    });
    let mut host = OneHost::with_instances(instances.collect());
    let dumped = host.dump(&[link("eth0", ETH0)]);
    host.open_sockets(&dumped, Ok(()));
    host
}

fn hear_release(host: &mut OneHost, vrid: u8) {
    let config = host.node.bound().instance(InstanceId(u32::from(vrid) - 1));
    let advert = Advert::from_neighbour(&config.clone(), 9, 0);
    host.hear(&advert);
}

/// Six masters that take over `apart` from each other; when each first spoke.
fn masters(apart: Duration, interval: Duration) -> (OneHost, BTreeMap<u8, Instant>) {
    let mut host = backups(6, interval);
    for vrid in 1..=6 {
        hear_release(&mut host, vrid);
        host.pass(apart);
    }
    let mut first = BTreeMap::new();
    while first.len() < 6 {
        for advert in adverts(&host.fire()) {
            first.entry(advert.vrid).or_insert(host.now);
        }
        host.settle();
    }
    (host, first)
}

/// Runs for `rounds` intervals: the number of wake-ups that sent something. Checks each advert's moment.
fn wake_ups(apart: Duration, interval: Duration, rounds: u64) -> usize {
    let (mut host, first) = masters(apart, interval);
    let early = Duration::from_micros((interval.as_micros() / 100).min(5_000));
    let mut sent: BTreeMap<u8, u64> = BTreeMap::new();
    let mut wake_ups = 0;
    while sent.values().sum::<u64>() < 6 * rounds {
        let adverts = adverts(&host.fire());
        wake_ups += usize::from(!adverts.is_empty());
        for advert in adverts {
            let count = sent.entry(advert.vrid).or_default();
            *count += 1;
            let due = first[&advert.vrid] + interval * *count;
            assert!(host.now <= due, "{} is late", advert.vrid);
            assert!(host.now + early >= due, "{} is early", advert.vrid);
        }
        host.settle();
    }
    assert_eq!(sent.into_values().collect::<Vec<_>>(), [rounds; 6]);
    wake_ups
}

#[test]
fn adverts_due_within_the_window_leave_together_and_none_drifts() {
    // 0, 2, 4 ms and 6, 8, 10 ms: at most 5 ms early.
    assert_eq!(wake_ups(Duration::from_millis(2), SECOND, 50), 100);
    // All at once.
    assert_eq!(wake_ups(Duration::ZERO, SECOND, 50), 50);
    // The window of 10 ms is 0.1 ms.
    let ten_ms = Duration::from_millis(10);
    assert_eq!(wake_ups(Duration::from_micros(60), ten_ms, 50), 150);
    assert_eq!(wake_ups(Duration::from_micros(150), ten_ms, 50), 300);
    // That of 10 s is still 5 ms.
    assert_eq!(wake_ups(Duration::from_millis(6), SECOND * 10, 5), 30);
}

#[test]
fn a_backup_is_never_early() {
    let mut host = backups(2, SECOND);
    hear_release(&mut host, 1);
    host.pass(Duration::from_micros(1));
    hear_release(&mut host, 2);
    assert_eq!(priorities(&host.fire()), [100]);
    let (next, left) = host.timer().expect("a deadline");
    assert_eq!(
        (next, left),
        (
            VrrpTimer::MasterDown(InstanceId(1)),
            Duration::from_micros(1)
        )
    );
}

#[test]
fn of_many_that_take_over_at_once_adverts_come_before_all_but_a_few_addresses() {
    let mut host = backups(255, SECOND);
    for vrid in 1..=255 {
        hear_release(&mut host, vrid);
    }
    let effects = host.fire();
    assert_eq!(
        priorities(&effects).len(),
        TIMERS,
        "then a look at the sockets"
    );
    let is_add = |effect: &Effect| added(std::slice::from_ref(effect)).len() == 1;
    let first_address = effects.iter().position(is_add).expect("the first gets its");
    assert_eq!(priorities(&effects[first_address..]), []);
    assert_eq!(added(&effects).len(), SLICE_FIRST);
    assert!(host.node.more(), "timers are still due");
    let effects = host.deliver(relevo_core::vrrp::VrrpEvent::Continue);
    assert_eq!(effects, [], "nothing comes before them");
    let effects = host.fire();
    assert_eq!(priorities(&effects).len(), 255 - TIMERS);
    let first_address = effects.iter().position(is_add).expect("addresses");
    assert_eq!(priorities(&effects[first_address..]), []);
    host.settle();
    for index in 0..255 {
        assert_eq!(host.node.state(InstanceId(index)), StateName::Master);
    }
}

#[test]
fn a_stop_or_news_while_timers_wait_leaves_no_loop_without_end() {
    for stop in [true, false] {
        let mut host = backups(255, SECOND);
        for vrid in 1..=255 {
            hear_release(&mut host, vrid);
        }
        host.fire();
        if stop {
            host.stop();
        } else {
            // Another master speaks for all whose timer is due.
            for vrid in 1..=255 {
                let config = host.node.bound().instance(InstanceId(vrid - 1)).clone();
                host.hear(&Advert::from_neighbour(&config, 9, 200));
            }
        }
        host.settle();
        assert!(!host.node.more());
        assert_eq!(host.held(), Vec::<std::net::IpAddr>::new());
    }
}

#[test]
fn a_host_that_cannot_keep_up_with_its_adverts_still_gets_its_addresses() {
    // 255 masters every centisecond, and a look at the timers only every 10 ms.
    let mut host = backups(255, Duration::from_centis(1));
    for vrid in 1..=255 {
        hear_release(&mut host, vrid);
    }
    host.fire();
    let mut looks = 0;
    while host.held().len() < 255 {
        host.pass(Duration::from_centis(1));
        host.look_at_timers();
        while !host.asked.is_empty() {
            host.answer_one();
        }
        looks += 1;
        assert!(looks < 1_000, "{} of 255", host.held().len());
    }
}
