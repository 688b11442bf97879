//! What is known of the interfaces and the addresses on them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::ids::{Family, IfIndex};
use crate::kernel::{AddressKey, Link};

/// An interface as last described by the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkState {
    /// Its name.
    pub name: String,
    /// Its hardware address, if it has one of six octets.
    pub mac: Option<[u8; 6]>,
    /// Up and with carrier.
    pub working: bool,
    /// IFF_UP alone: sockets can be opened.
    pub admin_up: bool,
    /// No gratuitous ARP makes sense here (IFF_NOARP or loopback).
    pub no_arp: bool,
    /// IPv6 forwarding is on.
    pub forwarding: bool,
    generation: u32,
}

/// An address as last described by the kernel.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct AddressState {
    usable: bool,
    secondary: bool,
    protocol: u8,
    /// Order of arrival: the kernel lists the primary address first.
    sequence: u64,
    generation: u32,
}

/// Interfaces by number and by name, with their addresses.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Links {
    by_index: BTreeMap<IfIndex, LinkState>,
    by_name: BTreeMap<String, IfIndex>,
    addresses: BTreeMap<AddressKey, AddressState>,
    sequence: u64,
    generation: u32,
}

/// What a dump showed to be gone.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Vanished {
    /// Interfaces, with the names they had.
    pub links: Vec<(IfIndex, String)>,
    /// Addresses, those of vanished interfaces included.
    pub addresses: Vec<AddressKey>,
}

impl Links {
    /// The interface called `name`.
    pub fn named(&self, name: &str) -> Option<(IfIndex, &LinkState)> {
        let index = *self.by_name.get(name)?;
        Some((index, self.by_index.get(&index)?))
    }

    /// The interface numbered `ifindex`.
    pub fn get(&self, ifindex: IfIndex) -> Option<&LinkState> {
        self.by_index.get(&ifindex)
    }

    /// Takes `name` away from another interface than `ifindex`, and returns which it was. The kernel
    /// has no name twice: that interface is gone or has another name, and we were not told yet.
    pub fn free_name(&mut self, name: &str, ifindex: IfIndex) -> Option<IfIndex> {
        let former = *self.by_name.get(name)?;
        (former != ifindex).then(|| {
            self.by_name.remove(name);
            former
        })
    }

    /// Takes in a description; returns the name that `link.ifindex` had before, if another.
    pub fn on_link(&mut self, link: &Link<'_>) -> Option<String> {
        let state = LinkState {
            name: link.name.to_owned(),
            mac: link.mac.try_into().ok(),
            working: link.admin_up && link.running,
            admin_up: link.admin_up,
            no_arp: link.no_arp || link.loopback,
            forwarding: link.forwarding,
            generation: self.generation,
        };
        let before = self
            .by_index
            .insert(link.ifindex, state)
            .map(|old| old.name);
        let renamed = before.filter(|name| name != link.name);
        if let Some(old) = &renamed
            && self.by_name.get(old) == Some(&link.ifindex)
        {
            self.by_name.remove(old);
        }
        self.by_name.insert(link.name.to_owned(), link.ifindex);
        renamed
    }

    /// Forgets an interface and its addresses; returns its name.
    pub fn on_link_gone(&mut self, ifindex: IfIndex) -> Option<String> {
        let state = self.by_index.remove(&ifindex)?;
        if self.by_name.get(&state.name) == Some(&ifindex) {
            self.by_name.remove(&state.name);
        }
        self.addresses.retain(|key, _| key.ifindex != ifindex);
        Some(state.name)
    }

    /// Takes in an address.
    pub fn on_address(&mut self, key: AddressKey, usable: bool, secondary: bool, protocol: u8) {
        self.sequence += 1;
        let fresh = AddressState {
            usable,
            secondary,
            protocol,
            sequence: self.sequence,
            generation: self.generation,
        };
        self.addresses
            .entry(key)
            .and_modify(|old| {
                *old = AddressState {
                    sequence: old.sequence,
                    ..fresh
                }
            })
            .or_insert(fresh);
    }

    /// Forgets an address.
    pub fn on_address_gone(&mut self, key: AddressKey) {
        self.addresses.remove(&key);
    }

    /// The protocol mark (IFA_PROTO) of an address that is present.
    pub fn address_protocol(&self, key: AddressKey) -> Option<u8> {
        self.addresses.get(&key).map(|state| state.protocol)
    }

    /// The address that adverts are sent from: the interface's primary IPv4 address, or its IPv6
    /// link-local address, leaving out those for which `is_virtual` holds (RFC 9568 sections
    /// 5.1.1.1 and 5.1.2.1).
    pub fn source(
        &self,
        ifindex: IfIndex,
        family: Family,
        is_virtual: impl Fn(AddressKey) -> bool,
    ) -> Option<IpAddr> {
        self.on_interface(ifindex)
            .filter(|(key, state)| state.usable && may_be_source(key.addr, family))
            .filter(|(key, _)| !is_virtual(**key))
            .min_by_key(|(_, state)| (state.secondary, state.sequence))
            .map(|(key, _)| key.addr)
    }

    /// Begins a whole picture.
    pub fn on_dump_start(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// Ends a whole picture: forgets and returns what it did not name.
    pub fn on_dump_end(&mut self) -> Vanished {
        let now = self.generation;
        let mut gone = Vanished::default();
        gone.addresses.extend(
            self.addresses
                .iter()
                .filter(|(_, s)| s.generation != now)
                .map(|(key, _)| *key),
        );
        for key in &gone.addresses {
            self.addresses.remove(key);
        }
        let links: Vec<_> = self
            .by_index
            .iter()
            .filter(|(_, s)| s.generation != now)
            .map(|(i, _)| *i)
            .collect();
        for ifindex in links {
            if let Some(name) = self.on_link_gone(ifindex) {
                gone.links.push((ifindex, name));
            }
        }
        gone
    }

    fn on_interface(&self, ifindex: IfIndex) -> impl Iterator<Item = (&AddressKey, &AddressState)> {
        let lowest = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
        let first = AddressKey {
            ifindex,
            addr: lowest,
            prefix: 0,
        };
        self.addresses
            .range(first..)
            .take_while(move |(key, _)| key.ifindex == ifindex)
    }
}

fn may_be_source(addr: IpAddr, family: Family) -> bool {
    match (addr, family) {
        (IpAddr::V4(_), Family::V4) => true,
        (IpAddr::V6(addr), Family::V6) => addr.is_unicast_link_local(),
        (IpAddr::V4(_), Family::V6) | (IpAddr::V6(_), Family::V4) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str) -> Link<'_> {
        Link {
            ifindex: IfIndex(index),
            name,
            mac: &[2, 0, 0, 0, 0, 1],
            admin_up: true,
            running: true,
            loopback: false,
            no_arp: false,
            multicast: true,
            forwarding: false,
            mtu: 1500,
        }
    }

    fn key(index: u32, addr: &str, prefix: u8) -> AddressKey {
        AddressKey {
            ifindex: IfIndex(index),
            addr: addr.parse().unwrap(),
            prefix,
        }
    }

    #[test]
    fn the_source_is_the_first_primary_address_that_is_not_virtual() {
        let mut links = Links::default();
        links.on_link(&link(3, "eth0"));
        let borrowed = key(3, "10.0.0.100", 32);
        links.on_address(borrowed, true, false, 0);
        links.on_address(key(3, "10.0.0.9", 24), true, false, 0);
        links.on_address(key(3, "10.0.0.1", 24), true, true, 0);
        links.on_address(key(4, "10.0.0.2", 24), true, false, 0);
        let source = links.source(IfIndex(3), Family::V4, |key| key == borrowed);
        assert_eq!(source, Some("10.0.0.9".parse().unwrap()));
    }

    #[test]
    fn ipv6_wants_a_usable_link_local_address() {
        let mut links = Links::default();
        links.on_link(&link(3, "eth0"));
        links.on_address(key(3, "2001:db8::1", 64), true, false, 0);
        links.on_address(key(3, "fe80::1", 64), false, false, 0);
        assert_eq!(links.source(IfIndex(3), Family::V6, |_| false), None);
        links.on_address(key(3, "fe80::1", 64), true, false, 0);
        assert_eq!(
            links.source(IfIndex(3), Family::V6, |_| false),
            Some("fe80::1".parse().unwrap())
        );
    }

    #[test]
    fn a_rename_moves_the_name_and_a_dump_forgets_the_unnamed() {
        let mut links = Links::default();
        links.on_link(&link(3, "eth0"));
        links.on_link(&link(4, "eth1"));
        links.on_address(key(4, "10.0.0.1", 24), true, false, 0);
        assert_eq!(links.on_link(&link(3, "lan0")), Some("eth0".to_owned()));
        assert!(links.named("eth0").is_none());
        links.on_dump_start();
        links.on_link(&link(3, "lan0"));
        let gone = links.on_dump_end();
        assert_eq!(gone.links, [(IfIndex(4), "eth1".to_owned())]);
        assert_eq!(gone.addresses, [key(4, "10.0.0.1", 24)]);
        assert!(links.named("lan0").is_some());
    }
}
