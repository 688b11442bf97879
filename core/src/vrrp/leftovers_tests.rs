use std::net::IpAddr;

use super::*;
use crate::config::{HostFacts, load};
use crate::ids::IfIndex;
use crate::kernel::Link;
use crate::time::Instant;
use crate::vrrp::snapshot::Record;

const TEXT: &str = "global_defs {\ndynamic_interfaces\n}\n\
    vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n192.0.2.1\n}\n}\n\
    vrrp_instance B {\ninterface eth0\nvirtual_router_id 2\nvirtual_ipaddress {\n192.0.2.2 dev eth1\n}\n}\n\
    vrrp_instance O {\ninterface eth0\nvirtual_router_id 3\npriority 255\n\
    virtual_ipaddress {\n192.0.2.3\n}\n}\n";

fn bound(text: &str) -> Bound {
    let (bound, found) = load("f", text, &HostFacts::default());
    assert!(!bound.instances.is_empty(), "{found:?}");
    bound
}

/// A picture with two interfaces and these addresses: the last octet, the interface, the mark.
fn kernel(rows: &[(u8, u32, u8)]) -> Leftovers {
    let mut left = Leftovers::default();
    left.observe(&KernelEvent::DumpStart);
    for (number, name) in [(2, "eth0"), (3, "eth1"), (4, "other")] {
        left.observe(&KernelEvent::Link(Link {
            ifindex: IfIndex(number),
            name,
            mac: &[2, 0, 0, 0, 0, 1],
            admin_up: true,
            running: true,
            loopback: false,
            no_arp: false,
            multicast: true,
            forwarding: false,
            mtu: 1_500,
        }));
    }
    for (octet, ifindex, protocol) in rows {
        left.observe(&KernelEvent::Address {
            key: key(*octet, *ifindex),
            tentative: false,
            dad_failed: false,
            secondary: false,
            protocol: *protocol,
        });
    }
    left.observe(&KernelEvent::DumpEnd);
    left
}

fn key(octet: u8, ifindex: u32) -> AddressKey {
    AddressKey {
        ifindex: IfIndex(ifindex),
        addr: IpAddr::from([192, 0, 2, octet]),
        prefix: 32,
    }
}

/// What a daemon with this text remembers while each of its routers is in the state `state`.
fn records(text: &str, state: StateName) -> Records {
    let mut records = Records::new(Instant::ZERO);
    for (slot, (_, config)) in (0..).zip(bound(text).iter()) {
        let record = Record::example(config, state);
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        records.add(slot, &bytes, None, 0);
    }
    records
}

fn found(rows: &[(u8, u32, u8)], records: &Records) -> Vec<AddressKey> {
    kernel(rows).of(&bound(TEXT), records).into_iter().collect()
}

#[test]
fn what_is_marked_and_configured_is_left_whatever_is_remembered() {
    let rows = [(1, 2, 18), (2, 3, 18), (3, 2, 18), (9, 2, 18), (4, 2, 0)];
    let expected = [key(1, 2), key(2, 3), key(3, 2)];
    let mut got = found(&rows, &Records::default());
    got.sort_by_key(|key| key.addr);
    assert_eq!(got, expected);
    // On an interface with another name by now.
    assert_eq!(found(&[(1, 4, 18)], &Records::default()), [key(1, 4)]);
}

#[test]
fn what_is_marked_and_remembered_is_left_though_it_is_not_configured() {
    let former = TEXT.replace("192.0.2.1\n", "192.0.2.1\n192.0.2.8\n");
    let rows = [(8, 2, 18), (9, 2, 18), (8, 4, 0)];
    let records = records(&former, StateName::Backup);
    assert_eq!(found(&rows, &records), [key(8, 2)]);
}

#[test]
fn without_marks_it_is_what_a_master_held_and_no_owners() {
    let rows = [(1, 2, 0), (2, 3, 0), (3, 2, 0), (1, 3, 0)];
    let none = Vec::<AddressKey>::new();
    assert_eq!(found(&rows, &records(TEXT, StateName::Backup)), none);
    let got = found(&rows, &records(TEXT, StateName::Master));
    assert_eq!(got, [key(1, 2), key(2, 3)]);
    assert_eq!(found(&[], &records(TEXT, StateName::Master)), none);
}
