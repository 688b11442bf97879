//! Bursts are cut into slices: a virtual router of 5,000 addresses does not keep the loop from its
//! sockets, and no address waits for its first announcement until another has had its repeats.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use relevo_core::config::bound::{Bound, InstanceConfig};
use relevo_core::ids::{Family, Version};
use relevo_core::limits::{SLICE, SLICE_SHORT, TIMERS};
use relevo_core::machine::Machine;
use relevo_core::time::Duration;
use relevo_core::vrrp::{StateName, VrrpEvent, VrrpTimer};
use relevo_tests::one_host::{
    ETH0, Effect, ID, OneHost, added, announced, config, deleted, key_on_eth0, link, notes,
    priorities, virtual_address,
};

const COUNT: usize = 5_000;
/// Beyond a slice: a transition's own actions, and a second one for a step (an announcement, or
/// what is told of it).
const MOST: usize = 2 * SLICE + 16;

fn addr(index: usize) -> IpAddr {
    Ipv4Addr::new(10, 1, (index / 250) as u8, (index % 250) as u8).into()
}

fn big() -> InstanceConfig {
    let mut config = config(Version::V3, Family::V4);
    config.excluded = (0..COUNT - 2).map(|i| virtual_address(addr(i))).collect();
    config
}

#[test]
fn a_takeover_of_5000_addresses_is_sliced() {
    let mut host = OneHost::backup(big());
    let mut effects = host.fire();
    assert_eq!(priorities(&effects[..1]), [100]);
    assert!(added(&effects).len() <= SLICE);
    effects.extend(host.settle());
    assert!(host.most_actions <= MOST, "{} at once", host.most_actions);
    assert_eq!(added(&effects).len(), COUNT);
    assert_eq!(host.held().len(), COUNT);
    // Five announcements each; all of the first before any of the second.
    let mut times: BTreeMap<IpAddr, usize> = BTreeMap::new();
    for addr in announced(&effects) {
        if times.contains_key(&addr) {
            assert_eq!(times.len(), COUNT, "{addr} again before others at all");
        }
        *times.entry(addr).or_default() += 1;
    }
    assert!(times.values().all(|times| *times == 5));
}

#[test]
fn packets_and_timers_come_between_the_slices() {
    let mut host = OneHost::backup(big());
    host.fire();
    // The kernel answers slowly, and adverts go out all the same.
    let mut sent = 0;
    while host.held().len() < COUNT {
        for _ in 0..100 {
            if !host.asked.is_empty() {
                host.answer_one();
            }
        }
        host.pass(Duration::from_millis(100));
        sent += priorities(&host.look_at_timers()).len();
    }
    assert!(sent >= 5, "{sent} adverts in 5 s");
    // A better claim in the middle of the repeats ends them at once.
    assert!(host.node.more());
    let effects = host.hear_neighbour(9, 200);
    assert_eq!(host.state(), StateName::Backup);
    assert!(announced(&effects).is_empty());
    let effects = host.settle();
    assert!(announced(&effects).is_empty());
    assert!(host.held().is_empty());
    assert!(host.most_actions <= MOST, "{} at once", host.most_actions);
}

#[test]
fn leaving_with_5000_addresses_is_sliced() {
    let mut host = OneHost::master(big());
    host.most_actions = 0;
    let mut effects = host.stop();
    assert_eq!(priorities(&effects), [0]);
    effects.extend(host.settle());
    assert_eq!(deleted(&effects).len(), COUNT);
    assert_eq!(effects.last(), Some(&Effect::Exit(0)));
    assert!(host.most_actions <= MOST, "{} at once", host.most_actions);
}

fn routers(count: u8) -> Vec<InstanceConfig> {
    let routers = (1..=count).map(|vrid| {
        let mut one = config(Version::V3, Family::V4);
        (one.name, one.vrid) = (format!("VI_{vrid}"), vrid);
        one.addresses = vec![virtual_address(addr(usize::from(vrid)))];
        one
    });
    routers.collect()
}

/// A host that is master of so many virtual routers.
fn masters(count: u8) -> OneHost {
    let mut host = OneHost::with_instances(routers(count));
    let effects = host.dump(&[link("eth0", ETH0)]);
    host.open_sockets(&effects, Ok(()));
    host.run_for(Duration::from_secs(4));
    host.settle();
    assert_eq!(host.held().len(), usize::from(count));
    host
}

/// What others wait for does not wait for the making of everything else.
#[test]
fn farewells_come_first_and_in_slices() {
    let mut host = masters(200);
    let mut farewells = host.stop().len();
    assert_eq!(farewells, SLICE_SHORT, "the first of them are alone");
    // An own advert that falls due before the farewell is no harm; one after it would be.
    host.pass(Duration::from_secs(2));
    let (mut said, mut removed) = (farewells, 0);
    while host.node.more() {
        let effects = host.deliver(VrrpEvent::Continue);
        farewells = priorities(&effects).iter().filter(|it| **it == 0).count();
        assert!(farewells == 0 || removed == 0, "a removal before {said}");
        said += farewells;
        removed += deleted(&effects).len();
        while !host.asked.is_empty() {
            removed += deleted(&host.answer_one()).len();
        }
    }
    assert_eq!((said, removed), (200, 200));
    assert_eq!(priorities(&host.run_for(Duration::from_secs(5))), []);
}

/// Those that a new configuration removes: others must not wait until all have said farewell.
#[test]
fn farewells_of_a_reload_come_first_and_in_slices() {
    let reload = |host: &mut OneHost, routers: Vec<InstanceConfig>| {
        let instances = routers;
        let bound = Arc::new(Bound {
            instances,
            ..Bound::default()
        });
        host.deliver(VrrpEvent::Reload { number: 1, bound })
    };
    let zeros = |effects: &[Effect]| priorities(effects).iter().filter(|it| **it == 0).count();
    let mut host = masters(250);
    let mut effects = reload(&mut host, routers(10));
    assert_eq!(zeros(&effects), TIMERS);
    assert!(!effects.contains(&Effect::InForce) && host.node.is_reloading());
    // What happens to the interface does not bring those back that have gone.
    let mut later = host.set_link(false);
    later.extend(host.set_link(true));
    host.pass(Duration::from_secs(1));
    later.extend(host.settle());
    let in_force = later.iter().position(|it| *it == Effect::InForce);
    let (before, behind) = later.split_at(in_force.expect("in force"));
    assert!(deleted(before).is_empty());
    assert_eq!(zeros(behind), 0);
    let said = zeros(&effects) + zeros(before);
    // The ten that stay lose their interface.
    assert_eq!(said, 240 + 10);
    host.run_for(Duration::from_secs(5));
    host.settle();
    assert_eq!(host.held().len(), 10);
    assert!(!host.node.is_reloading());

    // Another configuration, or the end, comes while farewells are being said.
    let mut host = masters(250);
    reload(&mut host, routers(10));
    reload(&mut host, routers(20));
    host.settle();
    host.run_for(Duration::from_secs(5));
    assert_eq!((host.held().len(), host.node.is_reloading()), (20, false));
    let mut host = masters(250);
    effects = reload(&mut host, routers(10));
    effects.extend(host.stop());
    effects.extend(host.settle());
    assert_eq!((zeros(&effects), host.held().len()), (250, 0));
    assert_eq!(effects.last(), Some(&Effect::Exit(0)));
}

#[test]
fn removing_5000_leftovers_is_sliced() {
    let mut host = OneHost::new(big());
    for index in 0..COUNT - 2 {
        host.present.insert(key_on_eth0(addr(index), 32));
    }
    let mut effects = host.dump(&[link("eth0", ETH0)]);
    effects.extend(host.open_sockets(&effects.clone(), Ok(())));
    effects.extend(host.settle());
    assert!(host.held().is_empty());
    assert_eq!(deleted(&effects).len(), COUNT - 2);
    // Each is told of.
    assert!(notes(&effects).len() >= COUNT - 2);
    assert!(host.most_actions <= MOST, "{} at once", host.most_actions);
}

/// Deletions still on their way do not hold a new mastership up, nor does it lose an address.
#[test]
fn mastership_that_comes_back_in_the_middle_of_the_removal_gets_every_address() {
    let mut host = OneHost::master(big());
    host.hear_neighbour(9, 200);
    for _ in 0..700 {
        host.answer_one();
    }
    host.hear_neighbour(9, 0);
    let (_, skew) = host.timer().expect("the skew time");
    host.pass(skew);
    host.look_at_timers();
    assert_eq!(host.state(), StateName::Master);
    host.settle();
    assert_eq!(host.held().len(), COUNT);
    assert!(host.most_actions <= MOST, "{} at once", host.most_actions);
}

/// Answers and news come in hundreds before the loop looks at its sockets again: they do not each carry
/// queued work on.
#[test]
fn a_batch_of_answers_leads_to_one_slice_and_not_to_one_each() {
    let mut host = OneHost::backup(big());
    host.fire();
    let asked = host.asked.len();
    assert!(asked > 0);
    let (mut announcements, mut adds) = (0, 0);
    for _ in 0..asked {
        let effects = host.answer_one();
        announcements += announced(&effects).len();
        adds += added(&effects).len();
    }
    assert_eq!(announcements, asked, "the first of each and no repeat");
    assert!(adds <= SLICE, "{adds} more");
}

/// While a deadline is near, slices are short: what a long one takes would make the advert late.
#[test]
fn near_a_deadline_slices_are_short() {
    let mut host = OneHost::backup(big());
    host.fire();
    let (timer, left) = host.timer().expect("the next advert");
    assert_eq!(timer, VrrpTimer::Advert(ID));
    assert_eq!(left, Duration::from_secs(1));
    assert_eq!(added(&host.deliver(VrrpEvent::Continue)).len(), SLICE);
    for _ in 0..SLICE {
        host.answer_one();
    }
    host.pass(left - Duration::from_millis(9));
    assert_eq!(added(&host.deliver(VrrpEvent::Continue)).len(), SLICE_SHORT);
}

/// Whoever slept hears first what was said meanwhile, whichever timer is due.
#[test]
fn after_a_sleep_packets_come_before_a_master_s_advert_too() {
    let host = OneHost::master(config(Version::V3, Family::V4));
    let (timer, left) = host.timer().expect("the next advert");
    assert_eq!(timer, VrrpTimer::Advert(ID));
    assert!(!host.node.packets_first(host.now + left));
    assert!(
        !host
            .node
            .packets_first(host.now + left + Duration::from_millis(1))
    );
    assert!(
        host.node
            .packets_first(host.now + left + Duration::from_millis(6))
    );
}

/// The second block (`garp_master_delay`) is not lost when it comes while the first is still under way;
/// what is asked for beyond that says nothing new.
#[test]
fn a_burst_that_comes_during_another_follows_it() {
    let mut host = OneHost::backup(big());
    let mut effects = host.fire();
    while !host.asked.is_empty() {
        effects.extend(host.answer_one());
    }
    assert!(host.node.more(), "repeats are waiting");
    // Five seconds later nothing but timers has been looked at.
    for _ in 0..6 {
        host.pass(Duration::from_secs(1));
        effects.extend(host.look_at_timers());
    }
    effects.extend(host.settle());
    assert_eq!(announced(&effects).len(), 2 * 5 * COUNT);
}
