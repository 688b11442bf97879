//! What is known of the interfaces and the addresses on them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Bound;

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
    /// IFF_RUNNING alone: there is a carrier, as far as the driver can tell.
    pub running: bool,
    /// No gratuitous ARP makes sense here (IFF_NOARP or loopback).
    pub no_arp: bool,
    /// IPv6 forwarding is on.
    pub forwarding: bool,
    /// IFF_LOOPBACK.
    pub loopback: bool,
    /// IFF_NOARP alone.
    pub arp_off: bool,
    /// IFF_MULTICAST.
    pub multicast: bool,
    /// Octets of its largest packet.
    pub mtu: u32,
    /// It worked at some time since it is known.
    pub seen_up: bool,
    generation: u32,
}

/// How far an address is from being usable; the nearest first.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Readiness {
    /// Packets can be sent from it.
    Usable,
    /// Duplicate address detection is not over (IPv6).
    Tentative,
    /// Another host has it: duplicate address detection failed (IPv6).
    Duplicate,
}

/// Why there is no address to send adverts from.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Unsourced {
    /// The interface has none that would do.
    None,
    /// It has one, which duplicate address detection has not released yet.
    Tentative,
    /// It has one, which another host has too.
    Duplicate,
}

/// An address as last described by the kernel.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct AddressState {
    readiness: Readiness,
    secondary: bool,
    /// It comes and goes with a mastership: never an address to send adverts from.
    borrowed: bool,
    protocol: u8,
    /// Order of arrival: the kernel lists the primary address first.
    sequence: u64,
    generation: u32,
}

/// The place of an address among those that adverts could be sent from; the first is the one.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Candidate {
    readiness: Readiness,
    secondary: bool,
    sequence: u64,
    addr: IpAddr,
}

/// Interfaces by number and by name, with their addresses.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Links {
    by_index: BTreeMap<IfIndex, LinkState>,
    by_name: BTreeMap<String, IfIndex>,
    addresses: BTreeMap<AddressKey, AddressState>,
    /// Kept in order with each change of an address, so that the choice never walks over the
    /// thousands of virtual addresses that an interface may hold.
    candidates: BTreeMap<(IfIndex, Family), BTreeSet<Candidate>>,
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
        let seen_up = self
            .by_index
            .get(&link.ifindex)
            .is_some_and(|old| old.seen_up);
        let state = LinkState {
            name: link.name.to_owned(),
            mac: link.mac.try_into().ok(),
            working: link.admin_up && link.running,
            admin_up: link.admin_up,
            running: link.running,
            no_arp: link.no_arp || link.loopback,
            forwarding: link.forwarding,
            loopback: link.loopback,
            arp_off: link.no_arp,
            multicast: link.multicast,
            mtu: link.mtu,
            seen_up: seen_up || link.admin_up && link.running,
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
        let here: Vec<_> = self.on_interface(ifindex).map(|(key, _)| *key).collect();
        for key in here {
            self.addresses.remove(&key);
        }
        self.candidates.remove(&(ifindex, Family::V4));
        self.candidates.remove(&(ifindex, Family::V6));
        let state = self.by_index.remove(&ifindex)?;
        if self.by_name.get(&state.name) == Some(&ifindex) {
            self.by_name.remove(&state.name);
        }
        Some(state.name)
    }

    /// Takes in an address. A new one is taken for the interface's own until
    /// [`set_borrowed`](Self::set_borrowed) says otherwise.
    pub fn on_address(
        &mut self,
        key: AddressKey,
        readiness: Readiness,
        secondary: bool,
        protocol: u8,
    ) {
        self.sequence += 1;
        let old = self.take(key);
        let state = AddressState {
            readiness,
            secondary,
            borrowed: old.is_some_and(|old| old.borrowed),
            protocol,
            sequence: old.map_or(self.sequence, |old| old.sequence),
            generation: self.generation,
        };
        self.insert(key, state);
    }

    /// Forgets an address.
    pub fn on_address_gone(&mut self, key: AddressKey) {
        self.take(key);
    }

    /// Says whether an address that is present comes and goes with a mastership.
    pub fn set_borrowed(&mut self, key: AddressKey, borrowed: bool) {
        let known = self.addresses.get(&key);
        if known.is_some_and(|state| state.borrowed != borrowed)
            && let Some(state) = self.take(key)
        {
            self.insert(key, AddressState { borrowed, ..state });
        }
    }

    fn insert(&mut self, key: AddressKey, state: AddressState) {
        self.addresses.insert(key, state);
        if let Some((family, candidate)) = candidate(key, &state) {
            let here = self.candidates.entry((key.ifindex, family)).or_default();
            here.insert(candidate);
        }
    }

    fn take(&mut self, key: AddressKey) -> Option<AddressState> {
        let state = self.addresses.remove(&key)?;
        if let Some((family, candidate)) = candidate(key, &state)
            && let Some(here) = self.candidates.get_mut(&(key.ifindex, family))
        {
            here.remove(&candidate);
            if here.is_empty() {
                self.candidates.remove(&(key.ifindex, family));
            }
        }
        Some(state)
    }

    /// The protocol mark (IFA_PROTO) of an address that is present.
    pub fn address_protocol(&self, key: AddressKey) -> Option<u8> {
        self.addresses.get(&key).map(|state| state.protocol)
    }

    /// The addresses that carry this protocol mark (IFA_PROTO).
    pub fn marked(&self, protocol: u8) -> Vec<AddressKey> {
        let all = self.addresses.iter();
        let marked = all.filter(|(_, state)| state.protocol == protocol);
        marked.map(|(key, _)| *key).collect()
    }

    /// The address that adverts are sent from: the interface's primary IPv4 address, or its IPv6
    /// link-local address, leaving out the borrowed ones (RFC 9568 sections 5.1.1.1 and 5.1.2.1).
    /// Of several it is the one that came first, as in the original, and it stays until it goes.
    pub fn source(&self, ifindex: IfIndex, family: Family) -> Result<IpAddr, Unsourced> {
        let here = self.candidates.get(&(ifindex, family));
        let best = here.and_then(BTreeSet::first).ok_or(Unsourced::None)?;
        match best.readiness {
            Readiness::Usable => Ok(best.addr),
            Readiness::Tentative => Err(Unsourced::Tentative),
            Readiness::Duplicate => Err(Unsourced::Duplicate),
        }
    }

    /// Whether `addr`, which the configuration names, can be sent from: it may be on any interface
    /// of the host, as a socket that is bound to it needs no more.
    pub fn configured_source(&self, addr: IpAddr) -> Result<IpAddr, Unsourced> {
        let on = |ifindex| {
            let key = |prefix| AddressKey {
                ifindex,
                addr,
                prefix,
            };
            self.addresses.range(key(0)..=key(u8::MAX))
        };
        let all = self.by_index.keys().flat_map(|ifindex| on(*ifindex));
        let best = all.map(|(_, state)| state.readiness).min();
        match best.ok_or(Unsourced::None)? {
            Readiness::Usable => Ok(addr),
            Readiness::Tentative => Err(Unsourced::Tentative),
            Readiness::Duplicate => Err(Unsourced::Duplicate),
        }
    }

    /// What [`source`](Self::source) must return, found by looking at every address with
    /// `is_virtual` asked anew. For tests.
    #[doc(hidden)]
    pub fn source_by_scan(
        &self,
        ifindex: IfIndex,
        family: Family,
        is_virtual: impl Fn(AddressKey) -> bool,
    ) -> Option<IpAddr> {
        self.on_interface(ifindex)
            .filter(|(key, state)| {
                state.readiness == Readiness::Usable && may_be_source(key.addr, family)
            })
            .filter(|(key, _)| !is_virtual(**key))
            .min_by_key(|(_, state)| (state.secondary, state.sequence))
            .map(|(key, _)| key.addr)
    }

    /// The numbers of all interfaces.
    pub fn indexes(&self) -> impl Iterator<Item = IfIndex> {
        self.by_index.keys().copied()
    }

    /// Every address that is known.
    pub fn keys(&self) -> impl Iterator<Item = AddressKey> {
        self.addresses.keys().copied()
    }

    /// The first interface whose number is above `ifindex`.
    pub fn after(&self, ifindex: IfIndex) -> Option<(IfIndex, &LinkState)> {
        let above = (Bound::Excluded(ifindex), Bound::Unbounded);
        let (index, state) = self.by_index.range(above).next()?;
        Some((*index, state))
    }

    /// The first own address of an interface in IPv4, and the first of the link in IPv6, whether
    /// they can be used already or not.
    pub fn own_addresses(&self, ifindex: IfIndex) -> (Option<IpAddr>, Option<IpAddr>) {
        let first = |family| {
            let here = self.candidates.get(&(ifindex, family));
            here.and_then(BTreeSet::first).map(|first| first.addr)
        };
        (first(Family::V4), first(Family::V6))
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
            self.take(*key);
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

fn candidate(key: AddressKey, state: &AddressState) -> Option<(Family, Candidate)> {
    let family = Family::of(key.addr);
    let fits = !state.borrowed && may_be_source(key.addr, family);
    fits.then_some((
        family,
        Candidate {
            readiness: state.readiness,
            secondary: state.secondary,
            sequence: state.sequence,
            addr: key.addr,
        },
    ))
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

    const USABLE: Readiness = Readiness::Usable;

    #[test]
    fn the_source_is_the_first_primary_address_that_is_not_borrowed() {
        let mut links = Links::default();
        links.on_link(&link(3, "eth0"));
        let borrowed = key(3, "10.0.0.100", 32);
        links.on_address(borrowed, USABLE, false, 0);
        links.set_borrowed(borrowed, true);
        links.on_address(key(3, "10.0.0.9", 24), USABLE, false, 0);
        links.on_address(key(3, "10.0.0.1", 24), USABLE, true, 0);
        links.on_address(key(4, "10.0.0.2", 24), USABLE, false, 0);
        let source = |links: &Links| links.source(IfIndex(3), Family::V4);
        assert_eq!(source(&links), Ok("10.0.0.9".parse().unwrap()));
        // Told again, it keeps its place and what is known of it.
        links.on_address(borrowed, USABLE, false, 0);
        links.on_address(key(3, "10.0.0.7", 24), USABLE, false, 0);
        links.on_address(key(3, "10.0.0.9", 24), USABLE, false, 0);
        assert_eq!(source(&links), Ok("10.0.0.9".parse().unwrap()));
        links.on_address_gone(key(3, "10.0.0.9", 24));
        assert_eq!(source(&links), Ok("10.0.0.7".parse().unwrap()));
        links.on_address_gone(key(3, "10.0.0.7", 24));
        assert_eq!(source(&links), Ok("10.0.0.1".parse().unwrap()));
        links.on_address_gone(key(3, "10.0.0.1", 24));
        assert_eq!(source(&links), Err(Unsourced::None));
        links.set_borrowed(borrowed, false);
        assert_eq!(source(&links), Ok("10.0.0.100".parse().unwrap()));
        links.on_link_gone(IfIndex(3));
        assert_eq!(source(&links), Err(Unsourced::None));
    }

    #[test]
    fn ipv6_wants_a_usable_link_local_address() {
        let mut links = Links::default();
        links.on_link(&link(3, "eth0"));
        links.on_address(key(3, "2001:db8::1", 64), USABLE, false, 0);
        let source = |links: &Links| links.source(IfIndex(3), Family::V6);
        assert_eq!(source(&links), Err(Unsourced::None));
        let local = key(3, "fe80::1", 64);
        links.on_address(local, Readiness::Duplicate, false, 0);
        assert_eq!(source(&links), Err(Unsourced::Duplicate));
        links.on_address(key(3, "fe80::2", 64), Readiness::Tentative, false, 0);
        assert_eq!(source(&links), Err(Unsourced::Tentative));
        links.on_address(local, USABLE, false, 0);
        assert_eq!(source(&links), Ok(local.addr));
    }

    /// By construction: what is chosen from holds none of the borrowed addresses.
    #[test]
    fn borrowed_addresses_are_not_even_looked_at() {
        let mut links = Links::default();
        links.on_link(&link(3, "eth0"));
        for number in 0..5_000u32 {
            let [.., high, low] = number.to_be_bytes();
            let borrowed = AddressKey {
                ifindex: IfIndex(3),
                addr: [10, 1, high, low].into(),
                prefix: 32,
            };
            links.on_address(borrowed, USABLE, false, 0);
            links.set_borrowed(borrowed, true);
            assert!(links.candidates.is_empty());
        }
        links.on_address(key(3, "10.0.0.9", 24), USABLE, false, 0);
        assert_eq!(
            links.candidates.values().map(BTreeSet::len).sum::<usize>(),
            1
        );
        assert_eq!(
            links.source(IfIndex(3), Family::V4).ok(),
            links.source_by_scan(IfIndex(3), Family::V4, |key| key.prefix == 32)
        );
    }

    #[test]
    fn a_configured_source_may_be_on_any_interface() {
        let mut links = Links::default();
        links.on_link(&link(1, "eth0"));
        links.on_link(&link(2, "eth1"));
        let addr = IpAddr::from([10, 0, 0, 77]);
        assert_eq!(links.configured_source(addr), Err(Unsourced::None));
        links.on_address(key(1, "10.0.0.76", 24), Readiness::Usable, false, 0);
        links.on_address(key(1, "10.0.0.77", 24), Readiness::Duplicate, false, 0);
        assert_eq!(links.configured_source(addr), Err(Unsourced::Duplicate));
        links.on_address(key(2, "10.0.0.77", 32), Readiness::Tentative, true, 0);
        assert_eq!(links.configured_source(addr), Err(Unsourced::Tentative));
        links.on_address(key(2, "10.0.0.77", 24), Readiness::Usable, true, 0);
        assert_eq!(links.configured_source(addr), Ok(addr));
        links.on_address_gone(key(2, "10.0.0.77", 24));
        assert_eq!(links.configured_source(addr), Err(Unsourced::Tentative));
    }

    #[test]
    fn a_rename_moves_the_name_and_a_dump_forgets_the_unnamed() {
        let mut links = Links::default();
        links.on_link(&link(3, "eth0"));
        links.on_link(&link(4, "eth1"));
        links.on_address(key(4, "10.0.0.1", 24), USABLE, false, 0);
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
