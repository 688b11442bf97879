use std::net::Ipv4Addr;

use relevo_core::config::{HostFacts, load};
use relevo_core::ids::IfIndex;
use relevo_core::kernel::{AddressAttrs, AddressKey};

use super::*;
use crate::testnet::{cable, in_namespace, index_of, ip};

const TEXT: &str = "global_defs {\ndynamic_interfaces\n}\nvrrp_instance V {\ninterface va\n\
    virtual_router_id 1\nvirtual_ipaddress {\n10.9.0.1/32\n10.9.0.2/32 dev vb\n}\n}\n";

/// Adds addresses with our mark.
fn add(interface: &str, addresses: impl Iterator<Item = (Ipv4Addr, u8)>) {
    let ifindex = IfIndex(index_of(interface));
    let mut commands = Commands::new(ReceiveBuffer::default()).expect("a socket");
    let mut done = |done: Done| assert_eq!(done.result, Ok(()));
    for (op, (addr, prefix)) in (0..).zip(addresses) {
        let key = AddressKey {
            ifindex,
            addr: addr.into(),
            prefix,
        };
        let attrs = AddressAttrs::default();
        commands.push(OpId(op), &KernelOp::AddAddress { key, attrs }, &mut done);
        if commands.is_full() {
            finish(&mut commands, &mut done).expect("it works");
        }
    }
    finish(&mut commands, &mut done).expect("it works");
}

fn addresses() -> String {
    let output = std::process::Command::new("ip")
        .args(["-o", "-4", "address"])
        .output();
    String::from_utf8_lossy(&output.expect("ip runs").stdout).into_owned()
}

#[test]
fn what_is_marked_and_configured_is_gone_and_nothing_else() {
    in_namespace(|| {
        cable();
        let ours = [1, 3].map(|last| (Ipv4Addr::new(10, 9, 0, last), 32));
        add("va", ours.into_iter());
        add("vb", [(Ipv4Addr::new(10, 9, 0, 2), 32)].into_iter());
        ip("address add 10.9.0.4/32 dev va");
        let (bound, _) = load("f", TEXT, &HostFacts::default());
        let done = let_go(&bound, &Records::default()).expect("it works");
        assert_eq!((done.found, done.removed), (2, 2));
        let left = addresses();
        assert!(
            !left.contains("10.9.0.1/") && !left.contains("10.9.0.2/"),
            "{left}"
        );
        assert!(
            left.contains("10.9.0.3/") && left.contains("10.9.0.4/"),
            "{left}"
        );
        let again = let_go(&bound, &Records::default()).expect("it works");
        assert_eq!(again.found, 0);
    });
}

#[test]
fn thousands_go_in_one_call() {
    in_namespace(|| {
        cable();
        let (head, _) = TEXT.split_once("10.9.0.1").expect("an address");
        let mut text = head.to_owned();
        let nth = |n: u32| Ipv4Addr::from(0x0a0a_0000 + n);
        for n in 1..=3_000 {
            text.push_str(&format!("{}/32\n", nth(n)));
        }
        text.push_str("}\n}\n");
        add("va", (1..=3_000).map(|n| (nth(n), 32)));
        assert!(addresses().contains("10.10.11."));
        let (bound, _) = load("f", &text, &HostFacts::default());
        let done = let_go(&bound, &Records::default()).expect("it works");
        assert_eq!((done.found, done.removed), (3_000, 3_000));
        assert!(!addresses().contains("10.10."));
    });
}
