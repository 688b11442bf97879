//! The virtual routers under test: one of each kind that behaves differently.

use std::net::IpAddr;
use std::sync::Arc;

use relevo_core::config::bound::{
    Auth, Bound, Destination, GarpConfig, Global, InstanceConfig, VirtualAddress,
};
use relevo_core::ids::Version;
use relevo_core::time::Duration;

/// The names of the host's interfaces.
pub(super) const INTERFACES: [&str; 2] = ["eth0", "eth1"];

/// The addresses of the host itself, on its first and its second interface.
pub(super) const OWN: [[&str; 2]; 2] = [["10.0.0.7", "fe80::7"], ["10.0.1.7", "fe80::17"]];

/// How many there are.
pub(super) const KINDS: usize = 8;

/// The configuration with the virtual routers whose bits are set, at least one.
pub(super) fn bound(which: u8) -> Arc<Bound> {
    // The one with many addresses makes everything slow: it takes part in one case of four.
    let which = if which >= 0xc0 { which } else { which & 0x7f };
    let which = if which == 0 { 1 } else { which };
    let chosen = (0..KINDS).filter(|kind| which & 1 << kind != 0);
    Arc::new(Bound {
        global: Global {
            router_id: "fuzz".to_owned(),
            dynamic_interfaces: true,
            ..Global::default()
        },
        instances: chosen.map(instance).collect(),
    })
}

/// `first` with what the bits say changed, two of each virtual router.
pub(super) fn other(first: &Bound, which: u16) -> Bound {
    let mut bound = first.clone();
    for (number, config) in bound.instances.iter_mut().enumerate() {
        let bits = which >> (2 * number);
        if bits & 1 != 0 {
            config.priority = config.priority.saturating_add(1);
            config.garp.master_repeat += 1;
        }
        if bits & 2 == 0 {
            continue;
        }
        config.name.push('2');
        match config.addresses.len() {
            1 if config.is_owner() => {}
            1 => config.addresses.push(address("10.0.0.199/24")),
            _ => drop(config.addresses.pop()),
        }
    }
    bound
}

fn instance(kind: usize) -> InstanceConfig {
    match kind {
        0 => InstanceConfig {
            auth: Auth::Pass(*b"secret\0\0"),
            higher_prio_send_advert: true,
            ..new("PASS", Version::V2, 51, &["10.0.0.100/24"])
        },
        1 => InstanceConfig {
            preempt: false,
            advert_interval: Duration::from_centis(20),
            ..new(
                "NOPREEMPT",
                Version::V3,
                52,
                &["10.0.0.101/24", "10.0.0.100/24"],
            )
        },
        2 => InstanceConfig {
            preempt_delay: Duration::from_secs(2),
            ..new("SIX", Version::V3, 53, &["fe80::64/64", "2001:db8::64/128"])
        },
        3 => InstanceConfig {
            priority: 255,
            state_master: true,
            ..new("OWNER", Version::V3, 54, &["10.0.0.7/24"])
        },
        4 => InstanceConfig {
            source: Some(addr("10.0.0.7")),
            destination: Destination::Unicast(vec![addr("10.0.0.3"), addr("10.0.0.9")]),
            check_unicast_source: true,
            ..new("UNICAST", Version::V3, 55, &["10.0.0.104/32"])
        },
        5 => refreshing(),
        6 => InstanceConfig {
            down_timer_adverts: 1,
            advert_interval: Duration::from_centis(1),
            priority: 1,
            ..new("FAST", Version::V3, 57, &["10.0.0.106/24"])
        },
        _ => many(),
    }
}

/// Everything that a master does besides its adverts, on two interfaces.
fn refreshing() -> InstanceConfig {
    let other = VirtualAddress {
        dev: Some("eth1".to_owned()),
        ..address("10.0.1.105/24")
    };
    InstanceConfig {
        interface: "eth1".to_owned(),
        excluded: vec![address("2001:db8::105/128"), other],
        skip_check_adv_addr: true,
        lower_prio_no_advert: true,
        garp: GarpConfig {
            master_delay: Duration::from_secs(1),
            master_repeat: 2,
            refresh: Duration::from_secs(3),
            refresh_repeat: 2,
            lower_prio_delay: Duration::from_secs(1),
            lower_prio_repeat: 3,
        },
        ..new("REFRESH", Version::V2, 56, &["10.0.1.104/24"])
    }
}

/// More addresses than one slice of work holds.
fn many() -> InstanceConfig {
    let address = |last: u8| VirtualAddress::new([10, 0, 2, last].into(), 24);
    InstanceConfig {
        excluded: (1..=230).map(address).collect(),
        ..new("MANY", Version::V3, 58, &["10.0.0.108/24"])
    }
}

fn new(name: &str, version: Version, vrid: u8, addresses: &[&str]) -> InstanceConfig {
    let addresses = addresses.iter().map(|text| address(text)).collect();
    InstanceConfig::new(name, "eth0", version, vrid, addresses)
}

/// A virtual address from `ADDRESS/PREFIX`.
fn address(text: &str) -> VirtualAddress {
    let (address, prefix) = text.split_once('/').expect("a prefix");
    VirtualAddress::new(addr(address), prefix.parse().expect("a number"))
}

/// An address from text of our own.
pub(super) fn addr(text: &str) -> IpAddr {
    text.parse().expect("an address")
}
