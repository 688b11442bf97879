//! Conditions of operation and the kernel's whims: interfaces, source addresses, sockets and
//! virtual addresses that come late, change, go away or are refused.

use relevo_core::config::bound::InstanceConfig;
use relevo_core::ids::{Family, InstanceId, Version};
use relevo_core::time::Duration;
use relevo_core::vrrp::StateName;
use relevo_tests::one_host::{
    ETH0, OWN_V4, OneHost, adverts, config, key_on_eth0, link, virtual_address,
};

fn owner_of_its_address() -> InstanceConfig {
    let mut owner = config(Version::V3, Family::V4);
    owner.priority = 255;
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
