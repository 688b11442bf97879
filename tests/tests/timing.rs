#![forbid(unsafe_code)]
//! What a master counts from: its last deadline, not its last wake-up, and its own interval, not the one
//! it followed as a backup. And what is no silence of the master: packets that the own socket lost.

use relevo_core::config::bound::Destination;
use relevo_core::ids::{Family, SocketId, Version};
use relevo_core::time::Duration;
use relevo_core::vrrp::{Note, StateName, VrrpEvent, VrrpTimer};
use relevo_tests::one_host::{
    Advert, ID, OneHost, config, group, neighbour, notes, priorities, virtual_addresses,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_late_wake_up_does_not_move_the_adverts_after_it() {
    for version in [Version::V2, Version::V3] {
        let mut host = OneHost::master(config(version, Family::V4));
        let (timer, due) = host.timer().unwrap();
        assert_eq!(timer, VrrpTimer::Advert(ID));
        let late = Duration::from_millis(7);
        host.pass(due + late);
        assert_eq!(priorities(&host.look_at_timers()), [100]);
        assert_eq!(host.timer(), Some((timer, SECOND - late)));
    }
}

#[test]
fn after_a_stall_of_more_than_an_interval_the_count_starts_afresh() {
    let mut host = OneHost::master(config(Version::V3, Family::V4));
    let (timer, due) = host.timer().unwrap();
    host.pass(due + SECOND + Duration::from_millis(1));
    // One advert, not one for each that was missed.
    assert_eq!(priorities(&host.look_at_timers()), [100]);
    assert_eq!(host.timer(), Some((timer, SECOND)));
}

#[test]
fn a_new_master_forgets_the_interval_that_it_followed() {
    let config = config(Version::V3, Family::V4);
    let mut host = OneHost::backup(config.clone());
    let mut slow = Advert::from_neighbour(&config, 9, 150);
    slow.interval = SECOND * 3;
    host.hear(&slow);
    assert_eq!(
        host.timer(),
        Some((VrrpTimer::MasterDown(ID), Duration::from_micros(10_828_125)))
    );
    host.fire();
    host.settle();
    assert_eq!(host.state(), StateName::Master);
    // It steps down for its own skew time, not for that of the slow master.
    host.take_address(virtual_addresses(Family::V4)[0]);
    assert_eq!(
        host.timer(),
        Some((VrrpTimer::MasterDown(ID), Duration::from_micros(609_375)))
    );
}

/// What a full socket did not keep may have been the master's adverts: a backup grants it one more
/// interval for each loss, a few times in a row, and no longer once it has heard it.
#[test]
fn lost_packets_are_no_silence() {
    let config = config(Version::V3, Family::V4);
    let (down, grace) = (
        Duration::from_micros(3_609_375),
        Duration::from_micros(1_609_375),
    );
    let lose = |host: &mut OneHost| {
        let socket = host.socket;
        assert_eq!(host.deliver(VrrpEvent::PacketsLost { socket }), []);
    };
    // An interval and the skew in which nothing was lost are silence enough, whatever came before.
    let mut host = OneHost::backup(config.clone());
    host.hear_neighbour(9, 200);
    host.pass(down - grace);
    lose(&mut host);
    host.fire();
    assert_eq!(host.state(), StateName::Master, "heard nothing since");

    let mut host = OneHost::backup(config.clone());
    host.hear_neighbour(9, 200);
    let before = Duration::from_millis(3);
    host.pass(down - before);
    lose(&mut host);
    for _ in 0..3 {
        let effects = host.fire();
        assert_eq!(notes(&effects), [Note::PacketsLost { instance: ID }]);
        let (timer, left) = host.timer().expect("the timer again");
        assert_eq!((timer, left), (VrrpTimer::MasterDown(ID), grace - before));
        host.pass(left - before);
        lose(&mut host);
    }
    host.fire();
    assert_eq!(
        host.state(),
        StateName::Master,
        "some day it must take over"
    );

    let mut host = OneHost::backup(config.clone());
    lose(&mut host);
    host.hear_neighbour(9, 200);
    assert_eq!(host.timer(), Some((VrrpTimer::MasterDown(ID), down)));
    host.fire();
    assert_eq!(host.state(), StateName::Master, "heard after the loss");

    let mut host = OneHost::backup(config.clone());
    host.hear_neighbour(9, 200);
    lose(&mut host);
    host.hear_neighbour(9, 0);
    host.fire();
    assert_eq!(
        host.state(),
        StateName::Backup,
        "its successor may have spoken"
    );
    host.fire();
    assert_eq!(host.state(), StateName::Master, "nothing was lost since");

    // A master goes on, and so does one that does not work.
    let mut host = OneHost::master(config);
    lose(&mut host);
    assert_eq!(priorities(&host.fire()), [100]);
    host.set_link(false);
    lose(&mut host);
    host.deliver(VrrpEvent::PacketsLost {
        socket: SocketId(99),
    });
}

/// A unicast advert whose checksum is right in the old way is believed when it comes again; until then it is
/// no silence either: two routers that start together do not become two masters by it.
#[test]
fn an_advert_that_is_not_trusted_yet_is_no_silence() {
    let mut config = config(Version::V3, Family::V4);
    config.destination = Destination::Unicast(vec![neighbour(Family::V4, 9)]);
    let old = |host: &mut OneHost| {
        let config = host.config();
        let advert = Advert::from_neighbour(&config, 9, 200);
        // The checksum counts the multicast group in place of our address.
        let mut to_group = advert.clone();
        to_group.dst = group(Family::V4);
        let mut octets = advert.octets();
        octets.truncate(20);
        octets.extend_from_slice(&to_group.octets()[20..]);
        host.hear_octets(&advert, &octets)
    };
    let mut host = OneHost::backup(config);
    let (_, down) = host.timer().expect("the master-down timer");
    host.pass(down - Duration::from_millis(5));
    old(&mut host);
    host.fire();
    assert_eq!(host.state(), StateName::Backup, "no silence");
    old(&mut host);
    let (timer, left) = host.timer().expect("the master-down timer");
    assert_eq!((timer, left), (VrrpTimer::MasterDown(ID), down), "followed");
}
