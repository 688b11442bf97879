//! Conditions of operation and the kernel's whims: interfaces, source addresses, sockets and
//! virtual addresses that come late, change, go away or are refused.

use relevo_core::config::bound::{Bound, InstanceConfig};
use relevo_core::ids::{Errno, Family, IfIndex, InstanceId, Version};
use relevo_core::kernel::{AddressKey, KernelEvent};
use relevo_core::machine::Machine;
use relevo_core::time::Duration;
use relevo_core::vrrp::{Discard, Note, StateName};
use relevo_tests::one_host::{
    Advert, ETH0, Effect, OWN_V4, OneHost, added, adverts, config, deleted, key_on_eth0, link,
    notes, own, priorities, virtual_address, virtual_addresses,
};

fn owner_of_its_address() -> InstanceConfig {
    let mut owner = config(Version::V3, Family::V4);
    owner.priority = 255;
    owner.state_master = true;
    owner.addresses = vec![virtual_address(OWN_V4.into())];
    owner.addresses[0].prefix = 24;
    owner
}

/// RFC 9568 section 4.2: each of two routers owns one address and backs up the other's.
#[test]
fn a_backup_sends_from_an_address_that_another_virtual_router_owns() {
    let mut backup = config(Version::V3, Family::V4);
    backup.vrid = 52;
    let mut host = OneHost::with_instances(vec![owner_of_its_address(), backup]);
    let effects = host.dump(&[link("eth0", ETH0)]);
    host.open_sockets(&effects, Ok(()));
    assert_eq!(host.node.state(InstanceId(0)), StateName::Master);
    assert_eq!(host.node.state(InstanceId(1)), StateName::Backup);
    let sent = adverts(&host.run_for(Duration::from_secs(4)));
    assert!(sent.iter().all(|advert| advert.src == OWN_V4));
    assert!(sent.iter().any(|advert| advert.vrid == 52));
}

#[test]
fn an_owner_starts_when_its_address_comes_late() {
    let mut host = OneHost::new(owner_of_its_address());
    let own = key_on_eth0(OWN_V4.into(), 24);
    host.present.remove(&own);
    let effects = host.dump(&[link("eth0", ETH0)]);
    host.open_sockets(&effects, Ok(()));
    assert_eq!(host.state(), StateName::Fault);
    host.present.insert(own);
    let effects = host.kernel(relevo_tests::one_host::address(own));
    assert_eq!(host.state(), StateName::Master);
    assert_eq!(adverts(&effects)[0].src, OWN_V4);
    // And stops when it goes: there is nothing left to speak from.
    host.settle();
    host.take_address(OWN_V4.into());
    assert_eq!(host.state(), StateName::Fault);
}

const SECOND_ETH0: IfIndex = IfIndex(7);

fn with_fixed_source() -> InstanceConfig {
    let mut config = config(Version::V3, Family::V4);
    config.source = Some(OWN_V4.into());
    config
}

/// The interface of another number is `eth0` now: the virtual router starts again there.
fn assert_moves_to_second_eth0(host: &mut OneHost) {
    host.settle();
    assert_eq!(host.state(), StateName::Backup);
    host.run_for(Duration::from_secs(4));
    assert_eq!(host.state(), StateName::Master);
    let keys: Vec<_> = host
        .present
        .iter()
        .filter(|key| virtual_addresses(Family::V4).contains(&key.addr))
        .collect();
    assert_eq!(keys.len(), 2);
    assert!(
        keys.iter().all(|key| key.ifindex == SECOND_ETH0),
        "{keys:?}"
    );
}

#[test]
fn an_interface_that_was_replaced_unseen_gets_the_addresses_again() {
    let mut host = OneHost::master(with_fixed_source());
    // While events were lost, eth0 was deleted and made again under another number.
    host.eth0 = SECOND_ETH0;
    host.present = [AddressKey {
        ifindex: SECOND_ETH0,
        addr: OWN_V4.into(),
        prefix: 24,
    }]
    .into();
    let effects = host.dump(&[link("eth0", SECOND_ETH0)]);
    host.open_sockets(&effects, Ok(()));
    assert_moves_to_second_eth0(&mut host);
}

#[test]
fn two_interfaces_that_swap_their_names_move_the_addresses() {
    let mut host = OneHost::master(with_fixed_source());
    host.eth0 = SECOND_ETH0;
    // The new name arrives before the old one is taken away.
    let effects = host.kernel(KernelEvent::Link(link("eth0", SECOND_ETH0)));
    assert_eq!(priorities(&effects), [0]);
    assert_eq!(deleted(&effects).len(), 2);
    host.kernel(KernelEvent::Link(link("eth1", ETH0)));
    host.open_sockets(&effects, Ok(()));
    assert_moves_to_second_eth0(&mut host);
}

/// behaviour of the original: to FAULT with a farewell. In IPv6 there is nothing to send it from.
#[test]
fn a_master_that_loses_its_source_address_lets_go_with_priority_zero() {
    let mut host = OneHost::master(config(Version::V3, Family::V4));
    let effects = host.take_address(OWN_V4.into());
    assert_eq!(host.state(), StateName::Fault);
    assert_eq!(priorities(&effects), [0]);
    assert_eq!(adverts(&effects)[0].src, OWN_V4);
    let mut host = OneHost::master(config(Version::V3, Family::V6));
    let effects = host.take_address(relevo_tests::one_host::OWN_V6.into());
    assert_eq!(host.state(), StateName::Fault);
    assert_eq!(priorities(&effects), []);
}

#[test]
fn a_socket_that_could_not_be_opened_is_tried_again_and_told_once() {
    let mut host = OneHost::new(config(Version::V3, Family::V4));
    let mut effects = host.dump(&[link("eth0", ETH0)]);
    let mut told = Vec::new();
    for _ in 0..20 {
        let caused = host.open_sockets(&effects, Err(Errno::ENOBUFS));
        assert_eq!(host.state(), StateName::Fault);
        told.extend(notes(&caused));
        let before = host.now;
        effects = host.fire();
        assert!(host.now.since(before) >= Duration::from_secs(1));
    }
    let failed = told
        .iter()
        .filter(|note| matches!(note, Note::SocketFailed { .. }));
    assert_eq!(failed.count(), 1);
    assert!(host.now.as_micros() < 300_000_000, "{:?}", host.now);
    host.open_sockets(&effects, Ok(()));
    assert_eq!(host.state(), StateName::Backup);
}

#[test]
fn packets_of_nobody_stay_counted_when_their_socket_is_closed() {
    let mut host = OneHost::backup(config(Version::V3, Family::V4));
    let mut advert = Advert::from_neighbour(&host.config(), 9, 100);
    advert.vrid = 7;
    host.hear(&advert);
    host.kernel(KernelEvent::LinkGone { ifindex: ETH0 });
    assert_eq!(host.node.discarded_unattributed(Discard::Vrid), 1);
}

#[test]
fn an_address_deleted_before_its_addition_is_answered_is_put_back() {
    let mut host = OneHost::backup(config(Version::V3, Family::V4));
    host.fire();
    let first = key_on_eth0(virtual_addresses(Family::V4)[0], 32);
    host.kernel(relevo_tests::one_host::address(first));
    host.kernel(KernelEvent::AddressGone { key: first });
    let (op, _) = host.asked.remove(0);
    let effects = host.deliver(relevo_core::vrrp::VrrpEvent::Done { op, result: Ok(()) });
    assert_eq!(priorities(&effects), [0]);
    assert_eq!(host.state(), StateName::Backup);
    host.settle();
    let mut effects = host.fire();
    effects.extend(host.settle());
    assert_eq!(host.state(), StateName::Master);
    assert_eq!(added(&effects), virtual_addresses(Family::V4));
    assert_eq!(host.held(), virtual_addresses(Family::V4));
}

/// keepalived: `state BACKUP` makes even an owner listen first.
#[test]
fn an_owner_that_is_told_to_begin_as_backup_listens_first() {
    let mut owner = owner_of_its_address();
    owner.state_master = false;
    let mut host = OneHost::new(owner);
    let effects = host.dump(&[link("eth0", ETH0)]);
    host.open_sockets(&effects, Ok(()));
    assert_eq!(host.state(), StateName::Backup);
    host.run_for(Duration::from_secs(4));
    assert_eq!(host.state(), StateName::Master);
}

/// What an owner has added itself is no address of the host to speak from: found by the simulator,
/// where a tie was decided by it.
#[test]
fn an_owner_does_not_speak_from_an_address_that_it_added() {
    for family in [Family::V4, Family::V6] {
        let mut owner = config(Version::V3, family);
        owner.priority = 255;
        owner.state_master = true;
        let mut host = OneHost::master(owner);
        host.settle();
        let effects = host.take_address(own(family));
        let sent = adverts(&effects);
        assert!(sent.iter().all(|advert| advert.src == own(family)));
        assert_eq!(host.state(), StateName::Fault, "{family}");
    }
}

/// The order to stop may come before the kernel's first picture: what a predecessor left behind
/// goes all the same.
#[test]
fn a_stop_before_the_first_picture_removes_leftovers_first() {
    let mut host = OneHost::new(config(Version::V3, Family::V4));
    let left = host.config().addresses[0].clone();
    host.present.insert(key_on_eth0(left.addr, left.prefix));
    assert!(host.stop().is_empty(), "nothing is known yet");
    let effects = host.dump(&[link("eth0", ETH0)]);
    assert_eq!(deleted(&effects), [left.addr]);
    assert!(adverts(&effects).is_empty());
    let effects = host.settle();
    assert!(host.held().is_empty());
    assert!(effects.contains(&Effect::Exit(0)));
}

/// `-V`: nothing is said, nothing removed, and a successor may go on.
#[test]
fn one_that_is_told_to_leave_everything_does_so() {
    let mut bound = Bound::default();
    bound.global.keep_vips = true;
    bound.instances.push(config(Version::V3, Family::V4));
    let mut host = OneHost::with_bound(bound);
    let effects = host.dump(&[link("eth0", ETH0)]);
    host.open_sockets(&effects, Ok(()));
    host.run_for(Duration::from_secs(5));
    host.settle();
    assert_eq!(host.state(), StateName::Master);
    let effects = host.stop();
    assert_eq!(effects, [Effect::Note(Note::Stopped), Effect::Exit(0)]);
    assert!(!host.node.more());
}
