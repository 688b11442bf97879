//! What a master tells its neighbours and its rivals, and when: keepalived's options.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use relevo_core::config::bound::{Bound, Destination, Global, InstanceConfig};
use relevo_core::ids::{Family, Version};
use relevo_core::machine::Machine;
use relevo_core::time::Duration;
use relevo_core::vrrp::{Cause, Note, StateName, VrrpEvent};
use relevo_tests::one_host::{
    Advert, ETH0, Effect, ID, OneHost, announced, config, link, neighbour, notes, own, priorities,
    virtual_addresses,
};

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

fn v3(family: Family) -> InstanceConfig {
    config(Version::V3, family)
}

fn unicast(mut config: InstanceConfig) -> InstanceConfig {
    config.destination = Destination::Unicast(vec![neighbour(config.family, 9)]);
    config
}

fn paced(config: InstanceConfig, global: Global) -> OneHost {
    let mut host = OneHost::with_bound(Bound {
        global,
        instances: vec![config],
    });
    let effects = host.dump(&[link("eth0", ETH0)]);
    host.open_sockets(&effects, Ok(()));
    host
}

/// What is announced until `span` from now has passed, each with the milliseconds since now.
fn announcements(host: &mut OneHost, span: Duration) -> Vec<(u64, String)> {
    let start = host.now;
    let mut all = Vec::new();
    while host
        .timer()
        .is_some_and(|(_, left)| host.now + left <= start + span)
    {
        let mut effects = host.fire();
        effects.extend(host.settle());
        let after = host.now.since(start).as_micros() / 1_000;
        all.extend(
            announced(&effects)
                .iter()
                .map(|addr| (after, addr.to_string())),
        );
    }
    host.pass((start + span).since(host.now));
    all
}

/// As keepalived 2.2.7 in number and distance: an address waits once, whatever is asked for
/// meanwhile. Its order is A A B; ours lets every address have its turn first.
#[test]
fn with_an_interval_every_address_has_its_turn_before_one_is_repeated() {
    for family in FAMILIES {
        let interval = Some(Duration::from_millis(300));
        let global = Global {
            garp_interval: interval
                .filter(|_| family == Family::V4)
                .unwrap_or_default(),
            gna_interval: interval
                .filter(|_| family == Family::V6)
                .unwrap_or_default(),
            ..Global::default()
        };
        let mut config = v3(family);
        config.garp.master_delay = Duration::from_secs(2);
        let mut host = paced(config, global);
        let (_, down) = host.timer().expect("a deadline");
        host.pass(down);
        let mut effects = host.look_at_timers();
        effects.extend(host.settle());
        let [first, second] = [0, 1].map(|at| virtual_addresses(family)[at].to_string());
        assert_eq!(announced(&effects), virtual_addresses(family)[..1]);
        let expected =
            |start: u64| vec![(start + 300, second.clone()), (start + 600, first.clone())];
        assert_eq!(
            announcements(&mut host, Duration::from_millis(1_999)),
            expected(0)
        );
        let mut block = vec![(1, first.clone())];
        block.extend(expected(1));
        assert_eq!(announcements(&mut host, Duration::from_secs(2)), block);
        // After the gap the next one goes out at once; a mastership that ends takes what waits along.
        let effects = host.hear_neighbour(9, 90);
        assert_eq!(announced(&effects), virtual_addresses(family)[..1]);
        host.hear_neighbour(9, 200);
        assert_eq!(host.state(), StateName::Backup);
        host.settle();
        assert_eq!(announcements(&mut host, Duration::from_secs(2)), []);
    }
}

/// The interval of one protocol is not that of the other.
#[test]
fn the_interval_of_arp_does_not_delay_neighbour_advertisements() {
    let global = Global {
        garp_interval: Duration::from_secs(1),
        ..Global::default()
    };
    let mut host = paced(v3(Family::V6), global);
    let mut effects = host.fire();
    effects.extend(host.settle());
    assert_eq!(announced(&effects).len(), 10);
}

/// A master that slept finds ten stale packets of its rival in one batch: one answer. Packets that
/// come later are answered later, so that nobody stays unanswered.
#[test]
fn rivals_that_come_together_are_answered_together() {
    for family in FAMILIES {
        let mut host = OneHost::master(v3(family));
        host.run_for(Duration::from_millis(10_500));
        let mut effects = Vec::new();
        for number in 6..16 {
            effects.extend(host.hear_neighbour(number, 90));
        }
        effects.extend(host.settle());
        assert_eq!(priorities(&effects), [100]);
        assert_eq!(announced(&effects).len(), 10);
        let effects = host.run_for(Duration::from_millis(60));
        assert_eq!(priorities(&effects), [100]);
        assert_eq!(announced(&effects).len(), 10);
        // One that is alone is answered at once again.
        host.run_for(Duration::from_millis(50));
        let effects = host.hear_neighbour(9, 90);
        assert_eq!(priorities(&effects), [100]);
        // A flood of a packet each millisecond for a second: twenty answers.
        let mut sent = 0;
        for _ in 0..1_000 {
            sent += priorities(&host.run_for(Duration::from_millis(1))).len();
            sent += priorities(&host.hear_neighbour(9, 90)).len();
            host.settle();
        }
        assert!((19..=22).contains(&sent), "{sent} adverts");
    }
}

/// However long the interval is: two masters at a time are no matter of seconds.
#[test]
fn a_rival_never_waits_long_for_its_answer() {
    for family in FAMILIES {
        let mut config = v3(family);
        config.advert_interval = Duration::from_secs(40);
        let mut host = OneHost::master(config);
        host.run_for(Duration::from_secs(10));
        assert_eq!(priorities(&host.hear_neighbour(6, 90)), [100]);
        host.settle();
        host.hear_neighbour(7, 90);
        let effects = host.run_for(Duration::from_millis(60));
        assert_eq!(priorities(&effects), [100]);
        assert_eq!(announced(&effects).len(), 10);
    }
}

/// After a cut has healed the rival may leave without having been contradicted: its neighbours
/// still believe it.
#[test]
fn a_rival_that_lets_go_makes_the_master_announce_once() {
    for family in FAMILIES {
        let mut host = OneHost::master(v3(family));
        host.run_for(Duration::from_secs(10));
        let mut effects = host.hear_neighbour(9, 0);
        effects.extend(host.settle());
        assert_eq!(priorities(&effects), [100]);
        assert_eq!(announced(&effects), virtual_addresses(family));
        let mut config = v3(family);
        config.garp.lower_prio_repeat = 0;
        let mut host = OneHost::master(config);
        host.run_for(Duration::from_secs(10));
        let effects = host.hear_neighbour(9, 0);
        assert_eq!(
            (priorities(&effects).len(), announced(&effects).len()),
            (1, 0)
        );
    }
}

#[test]
fn a_unicast_instance_that_works_again_announces_its_own_address() {
    for family in FAMILIES {
        for (config, expected) in [
            (v3(family), vec![]),
            (unicast(v3(family)), vec![own(family)]),
        ] {
            let (mut host, effects) = OneHost::started(config);
            assert!(announced(&effects).is_empty());
            host.set_link(false);
            let mut effects = host.set_link(true);
            effects.extend(host.open_sockets(&effects.clone(), Ok(())));
            assert_eq!(announced(&effects), expected);
        }
    }
}

fn owner(family: Family) -> OneHost {
    let mut config = v3(family);
    config.priority = 255;
    config.state_master = true;
    let mut host = OneHost::master(config);
    host.run_for(Duration::from_secs(10));
    host
}

fn tells_of_two_owners(effects: &[Effect]) -> bool {
    let is_it = |note: &Note| matches!(note, Note::TwoOwners { .. });
    notes(effects).iter().any(is_it)
}

#[test]
fn of_two_owners_the_lower_address_claims_less_until_it_is_master_again() {
    for family in FAMILIES {
        let mut host = owner(family);
        let effects = host.hear_neighbour(9, 255);
        assert!(tells_of_two_owners(&effects));
        assert_eq!(host.state(), StateName::Backup);
        assert_eq!(host.node.effective_priority(ID), 254);
        // Its timers stay those of an owner.
        let (_, down) = host.timer().expect("a deadline");
        assert_eq!(down, Duration::from_micros(3_003_906));
        let effects = host.fire();
        assert_eq!(priorities(&effects), [255]);
        assert_eq!(host.node.effective_priority(ID), 255);
    }
}

#[test]
fn of_two_owners_the_higher_address_yields_only_to_one_that_does_not() {
    for family in FAMILIES {
        let mut host = owner(family);
        assert!(tells_of_two_owners(&host.hear_neighbour(1, 255)));
        // Two intervals and 1.2 intervals of patience.
        for _ in 0..3 {
            host.run_for(Duration::from_secs(1));
            host.hear_neighbour(1, 255);
            assert_eq!(host.state(), StateName::Master);
        }
        host.run_for(Duration::from_secs(1));
        host.hear_neighbour(1, 255);
        assert_eq!(host.state(), StateName::Backup);
        // One that is heard now and then does not count.
        let mut host = owner(family);
        for _ in 0..10 {
            host.hear_neighbour(1, 255);
            host.run_for(Duration::from_millis(3_001));
            assert_eq!(host.state(), StateName::Master);
        }
    }
}

#[test]
fn a_start_that_is_delayed_hears_nothing_and_takes_nothing() {
    for family in FAMILIES {
        let global = Global {
            startup_delay: Duration::from_secs(4),
            ..Global::default()
        };
        let mut host = paced(v3(family), global.clone());
        assert_eq!(host.state(), StateName::Backup);
        let (_, left) = host.timer().expect("a deadline");
        assert_eq!(left, Duration::from_micros(4_000_000 + 3_609_375));
        host.run_for(Duration::from_millis(3_999));
        let before = host.node.clone();
        host.hear_neighbour(9, 200);
        assert!(host.node.without_counters() == before.without_counters());
        host.run_for(Duration::from_millis(1));
        host.hear_neighbour(9, 200);
        let (_, left) = host.timer().expect("a deadline");
        assert_eq!(left, Duration::from_micros(3_609_375));
        let mut config = v3(family);
        config.priority = 255;
        config.state_master = true;
        let mut host = paced(config, global);
        assert_eq!(host.state(), StateName::Backup);
        host.run_for(Duration::from_millis(3_999));
        assert_eq!(host.state(), StateName::Backup);
        let effects = host.run_for(Duration::from_millis(1));
        assert_eq!(priorities(&effects), [255]);
        assert!(notes(&effects).contains(&Note::Cause {
            instance: ID,
            cause: Cause::Owner
        }));
    }
}

#[test]
fn a_master_that_slept_too_long_listens_first_if_it_is_told_to() {
    for family in FAMILIES {
        let mut config = v3(family);
        config.preempt = false;
        config.garp.master_delay = Duration::ZERO;
        let slept = |priority: Option<u8>, span: Duration| {
            let mut config = config.clone();
            config.timer_expired_backup = priority;
            let mut host = OneHost::master(config);
            host.pass(span);
            let effects = host.look_at_timers();
            (host.state(), priorities(&effects).len())
        };
        // Three intervals and the skew time of priority 200.
        let limit = Duration::from_micros(3_218_750);
        let before = Duration::from_micros(3_218_749);
        assert_eq!(slept(None, Duration::from_secs(60)), (StateName::Master, 1));
        assert_eq!(slept(Some(200), before), (StateName::Master, 1));
        assert_eq!(slept(Some(200), limit), (StateName::Backup, 0));
        assert_eq!(slept(Some(254), before), (StateName::Backup, 0));
    }
}

/// What it finds in its socket when it wakes is the rival that the option is for.
#[test]
fn a_master_that_slept_too_long_does_not_answer_the_router_that_took_over() {
    for family in FAMILIES {
        let mut config = v3(family);
        config.preempt = false;
        config.timer_expired_backup = Some(200);
        for rival in [90, 200] {
            let mut host = OneHost::master(config.clone());
            host.pass(Duration::from_secs(60));
            let mut effects = host.hear_neighbour(9, rival);
            effects.extend(host.hear_neighbour(9, rival));
            effects.extend(host.look_at_timers());
            effects.extend(host.settle());
            assert_eq!(host.state(), StateName::Backup, "rival of {rival}");
            assert_eq!(priorities(&effects), []);
            assert_eq!(announced(&effects), Vec::<IpAddr>::new());
        }
        // One that was not away for so long answers.
        let mut host = OneHost::master(config);
        host.pass(Duration::from_secs(3));
        assert_eq!(priorities(&host.hear_neighbour(9, 90)), [100]);
    }
}

/// The options that change what a master says.
#[test]
fn a_master_may_be_configured_not_to_answer() {
    for family in FAMILIES {
        let mut config = v3(family);
        config.lower_prio_no_advert = true;
        let mut host = OneHost::master(config.clone());
        host.run_for(Duration::from_secs(10));
        let advert = Advert::from_neighbour(&config, 9, 90);
        let mut effects = host.hear(&advert);
        effects.extend(host.settle());
        assert_eq!(
            (priorities(&effects).len(), announced(&effects).len()),
            (0, 10)
        );
        config.garp.lower_prio_repeat = 0;
        let mut host = OneHost::master(config);
        host.run_for(Duration::from_secs(10));
        let effects = host.hear(&advert);
        assert_eq!(
            (priorities(&effects).len(), announced(&effects).len()),
            (0, 0)
        );
    }
}

/// Each address is announced after its own answer of the kernel, the excluded one too, and none is
/// repeated before all are there.
#[test]
fn an_address_is_announced_after_its_own_answer_and_repeated_after_the_last() {
    for family in FAMILIES {
        let mut config = v3(family);
        config.excluded = config.addresses.split_off(1);
        let mut host = OneHost::backup(config);
        assert!(announced(&host.fire()).is_empty());
        let all = virtual_addresses(family);
        let mut effects = host.answer_one();
        effects.extend(host.deliver(VrrpEvent::Continue));
        assert_eq!(announced(&effects), all[..1]);
        assert!(!host.node.more(), "repeats wait for the last answer");
        let mut effects = host.answer_one();
        effects.extend(host.settle());
        let rounds = [all[1]].into_iter().chain(all.repeat(4));
        assert_eq!(announced(&effects), rounds.collect::<Vec<_>>());
    }
}
