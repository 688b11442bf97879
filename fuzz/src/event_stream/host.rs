//! The kernel of the host under test: honest, but with its own idea of when it does what.
//!
//! Changes are carried out in the order in which they were asked for, answers come in the order of
//! the changes, news in the order of what happened; between these three everything may be as late
//! as the input wants.

use std::collections::{BTreeMap, VecDeque};

use relevo_core::ids::{Errno, IfIndex, OpId};
use relevo_core::kernel::{AddressKey, KernelEvent, KernelOp, Link, ROUTE_PROTOCOL};

use super::setup::{INTERFACES, OWN, addr};

/// An interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) mac: [u8; 6],
    pub(super) admin_up: bool,
    pub(super) running: bool,
    pub(super) no_arp: bool,
    pub(super) forwarding: bool,
}

/// An address.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Flags {
    pub(super) tentative: bool,
    pub(super) protocol: u8,
}

/// What the monitor socket holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum News {
    Link(IfIndex, Row),
    LinkGone(IfIndex),
    Address(AddressKey, Flags),
    AddressGone(AddressKey),
}

impl News {
    pub(super) fn event(&self) -> KernelEvent<'_> {
        match self {
            Self::Link(ifindex, row) => KernelEvent::Link(Link {
                ifindex: *ifindex,
                name: row.name,
                mac: &row.mac,
                admin_up: row.admin_up,
                running: row.running,
                loopback: false,
                no_arp: row.no_arp,
                multicast: true,
                forwarding: row.forwarding,
                mtu: 1_500,
            }),
            Self::LinkGone(ifindex) => KernelEvent::LinkGone { ifindex: *ifindex },
            Self::Address(key, flags) => KernelEvent::Address {
                key: *key,
                tentative: flags.tentative,
                dad_failed: false,
                secondary: false,
                protocol: flags.protocol,
            },
            Self::AddressGone(key) => KernelEvent::AddressGone { key: *key },
        }
    }
}

/// The kernel.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Host {
    pub(super) links: BTreeMap<IfIndex, Row>,
    pub(super) addresses: BTreeMap<AddressKey, Flags>,
    pub(super) asked: VecDeque<(OpId, KernelOp)>,
    pub(super) answers: VecDeque<(OpId, Result<(), Errno>)>,
    pub(super) news: VecDeque<News>,
    next_index: u32,
}

impl Host {
    /// With both interfaces and their own addresses; nothing is news.
    pub(super) fn new() -> Self {
        let mut host = Self {
            next_index: 3,
            ..Self::default()
        };
        for interface in 0..INTERFACES.len() {
            host.create(interface);
        }
        host.news.clear();
        host
    }

    /// The index of the interface of this position, if it is there.
    pub(super) fn index_of(&self, interface: usize) -> Option<IfIndex> {
        let name = INTERFACES[interface];
        let found = self.links.iter().find(|(_, row)| row.name == name);
        found.map(|(ifindex, _)| *ifindex)
    }

    /// Makes an interface with its addresses, under a number of its own.
    pub(super) fn create(&mut self, interface: usize) {
        if self.index_of(interface).is_some() {
            return;
        }
        let ifindex = IfIndex(self.next_index);
        self.next_index += 1;
        let row = Row {
            name: INTERFACES[interface],
            mac: [2, 0, 0, 0, interface as u8, 7],
            admin_up: true,
            running: true,
            no_arp: false,
            forwarding: interface == 1,
        };
        self.links.insert(ifindex, row.clone());
        self.news.push_back(News::Link(ifindex, row));
        for own in OWN[interface] {
            self.put(own_key(ifindex, own), 0);
        }
    }

    /// Removes an interface with everything on it.
    pub(super) fn remove(&mut self, ifindex: IfIndex) {
        let keys: Vec<_> = self
            .addresses
            .keys()
            .filter(|key| key.ifindex == ifindex)
            .copied()
            .collect();
        for key in keys {
            self.take(key);
        }
        self.links.remove(&ifindex);
        self.news.push_back(News::LinkGone(ifindex));
    }

    /// Changes an interface.
    pub(super) fn change(&mut self, ifindex: IfIndex, change: impl FnOnce(&mut Row)) {
        if let Some(row) = self.links.get_mut(&ifindex) {
            change(row);
            self.news.push_back(News::Link(ifindex, row.clone()));
        }
    }

    /// An address is there from now on.
    pub(super) fn put(&mut self, key: AddressKey, protocol: u8) {
        let flags = Flags {
            tentative: false,
            protocol,
        };
        self.addresses.insert(key, flags);
        self.news.push_back(News::Address(key, flags));
    }

    /// An address is gone from now on.
    pub(super) fn take(&mut self, key: AddressKey) {
        if self.addresses.remove(&key).is_some() {
            self.news.push_back(News::AddressGone(key));
        }
    }

    /// Carries the next change out, or refuses it; gives its key if it was refused.
    pub(super) fn work(&mut self, refusal: Option<Errno>) -> Option<AddressKey> {
        let (op, change) = self.asked.pop_front()?;
        let key = match &change {
            KernelOp::AddAddress { key, .. } | KernelOp::DelAddress { key } => *key,
        };
        let result = match (&change, refusal) {
            (_, Some(errno)) => Err(errno),
            _ if !self.links.contains_key(&key.ifindex) => Err(Errno::ENODEV),
            (KernelOp::AddAddress { .. }, None) if self.addresses.contains_key(&key) => {
                Err(Errno::EEXIST)
            }
            (KernelOp::AddAddress { .. }, None) => {
                self.put(key, ROUTE_PROTOCOL);
                Ok(())
            }
            (KernelOp::DelAddress { .. }, None) if self.addresses.contains_key(&key) => {
                self.take(key);
                Ok(())
            }
            (KernelOp::DelAddress { .. }, None) => Err(Errno::EADDRNOTAVAIL),
        };
        self.answers.push_back((op, result));
        refusal.map(|_| key)
    }

    /// Everything that is there, as a whole table tells it; what was waiting is lost.
    pub(super) fn table(&mut self) -> Vec<News> {
        self.news.clear();
        let links = self
            .links
            .iter()
            .map(|(ifindex, row)| News::Link(*ifindex, row.clone()));
        let addresses = self
            .addresses
            .iter()
            .map(|(key, flags)| News::Address(*key, *flags));
        links.chain(addresses).collect()
    }
}

/// The key of one of the host's own addresses.
pub(super) fn own_key(ifindex: IfIndex, own: &str) -> AddressKey {
    let addr = addr(own);
    AddressKey {
        ifindex,
        addr,
        prefix: if addr.is_ipv4() { 24 } else { 64 },
    }
}
