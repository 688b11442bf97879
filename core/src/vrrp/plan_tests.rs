use super::*;
use std::net::Ipv4Addr;

fn address(last: u8) -> VirtualAddress {
    VirtualAddress::new(Ipv4Addr::new(10, 0, 0, last).into(), 24)
}

fn router(name: &str, vrid: u8, addresses: &[u8]) -> InstanceConfig {
    let addresses = addresses.iter().map(|last| address(*last)).collect();
    InstanceConfig::new(name, "eth0", Version::V3, vrid, addresses)
}

fn bound(instances: &[InstanceConfig]) -> Bound {
    Bound {
        instances: instances.to_vec(),
        ..Bound::default()
    }
}

fn lines(old: &[InstanceConfig], new: &[InstanceConfig]) -> Vec<String> {
    plan(&bound(old), &bound(new)).lines().collect()
}

#[test]
fn the_same_is_no_change() {
    let all = [router("A", 1, &[1]), router("B", 2, &[2])];
    let plan = plan(&bound(&all), &bound(&all));
    assert!(plan.is_empty());
    assert_eq!(plan.unchanged, 2);
    assert_eq!(plan.to_string(), "nothing changes (2 virtual routers)\n");
}

#[test]
fn neither_name_nor_place_makes_another_router() {
    let (a, b) = (router("A", 1, &[1]), router("B", 2, &[2]));
    let matching = Matching::of(
        &bound(&[a.clone(), b.clone()]),
        &bound(&[b.clone(), a.clone()]),
    );
    assert_eq!(matching.successor(InstanceId(0)), Some(InstanceId(1)));
    assert_eq!(matching.predecessor(InstanceId(0)), Some(InstanceId(1)));
    assert!(!matching.keeps_numbers());
    let swapped = [router("B", 1, &[1]), router("A", 2, &[2])];
    let told = lines(&[a, b], &swapped);
    assert_eq!(told, ["~ B: was called A", "~ A: was called B"]);
}

#[test]
fn what_comes_goes_and_starts_again_is_told() {
    let old = [router("A", 1, &[1]), router("B", 2, &[2, 3])];
    let mut again = router("A", 7, &[1]);
    again.priority = 120;
    let told = lines(&old, &[again, router("C", 3, &[])]);
    assert_eq!(
        told,
        [
            "- B: leaves (eth0, virtual router 2, IPv4, priority 100, 2 addresses)",
            "! A: leaves and starts again: virtual_router_id 1 -> 7, priority 100 -> 120",
            "+ C: starts (eth0, virtual router 3, IPv4, priority 100, 0 addresses)",
        ]
    );
    let plan = plan(&bound(&old), &bound(&[router("C", 3, &[])]));
    assert_eq!(
        plan.summary(),
        "virtual routers: 1 added, 2 removed, 0 restarted, 0 changed, 0 unchanged"
    );
}

#[test]
fn addresses_move_come_go_and_change_their_form() {
    let old = [router("A", 1, &[1, 2, 3, 4]), router("B", 2, &[5])];
    let mut a = router("A", 1, &[1, 2, 9]);
    a.addresses[0].label = Some("eth0:1".to_owned());
    // Another way of writing the same.
    a.addresses[1].dev = Some("eth0".to_owned());
    let told = lines(&old, &[a, router("B", 2, &[5, 3])]);
    assert_eq!(
        told,
        [
            "~ A: address 10.0.0.3/24 goes to B",
            "~ A: address 10.0.0.4/24 is removed",
            "~ A: address 10.0.0.1/24 is removed and added again in its new form",
            "~ A: address 10.0.0.9/24 is added",
            "~ B: address 10.0.0.3/24 comes from A",
        ]
    );
}

#[test]
fn no_change_goes_untold_and_no_password_is_told() {
    let old = router("A", 1, &[1]);
    let changes: [fn(&mut InstanceConfig); 12] = [
        |it| it.priority = 7,
        |it| it.state_master = true,
        |it| it.advert_interval = Duration::from_secs(9),
        |it| it.preempt = false,
        |it| it.preempt_delay = Duration::from_secs(9),
        |it| it.down_timer_adverts = 9,
        |it| it.auth = Auth::Pass(*b"secret12"),
        |it| it.source = Some(Ipv4Addr::LOCALHOST.into()),
        |it| it.dont_track_primary = true,
        |it| it.garp.master_repeat = 9,
        |it| it.timer_expired_backup = Some(9),
        |it| it.checksum.group = Ipv4Addr::LOCALHOST,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut new = old.clone();
        change(&mut new);
        let told = lines(std::slice::from_ref(&old), std::slice::from_ref(&new));
        assert_eq!(told.len(), 1, "{number}: {told:?}");
        assert!(!told[0].contains("secret"), "{told:?}");
    }
    let (mut one, other) = (bound(&[]), bound(&[]));
    one.global.garp_interval = Duration::from_secs(1);
    assert_eq!(plan(&one, &other).globals.len(), 1);
    one.global = other.global.clone();
    one.global.startup_delay = Duration::from_secs(1);
    assert!(plan(&one, &other).is_empty(), "a start is over");
}

#[test]
fn two_thousand_routers_with_twenty_thousand_addresses_are_compared_at_once() {
    let many = |shift: u32| -> Bound {
        let all = (0..2_000u32).map(|number| {
            let addresses = (0..10).map(|n| {
                let addr = Ipv4Addr::from(0x0a00_0000 + number * 10 + n + shift);
                VirtualAddress::new(addr.into(), 32)
            });
            let interface = format!("eth{}", number / 250);
            let vrid = (number % 250 + 1) as u8;
            let name = format!("VI_{number}");
            InstanceConfig::new(&name, &interface, Version::V3, vrid, addresses.collect())
        });
        bound(&all.collect::<Vec<_>>())
    };
    let plan = plan(&many(0), &many(1));
    // A pairwise comparison would take minutes.
    assert_eq!(plan.instances.len(), 2_000);
    assert_eq!(plan.lines().count(), 2_000 * 2);
}
