//! A kernel of the simulation: links and addresses, the orders that wait for it, and what it tells.
//!
//! It knows no time: the world decides when the next order is carried out.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use relevo_core::config::bound::Bound;
use relevo_core::ids::{Errno, Family, IfIndex, InstanceId, OpId, SocketId};
use relevo_core::kernel::{AddressKey, KernelEvent, KernelOp, Link, ROUTE_PROTOCOL};
use relevo_core::vrrp::event::{Command, VrrpEvent};

use crate::numbers;

/// Something that a process is told besides packets and time, in its own storage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    /// A whole picture begins.
    DumpStart,
    /// The picture is complete.
    DumpEnd,
    /// A new or changed link.
    Link(LinkRow),
    /// A link is gone.
    LinkGone(IfIndex),
    /// A new or changed address.
    Address(AddressRow),
    /// An address is gone.
    AddressGone(AddressKey),
    /// The answer to an order.
    Done(OpId, Result<(), Errno>),
    /// The answer to the opening of a socket.
    Socket(SocketId, Result<(), Errno>),
    /// An advert could not be sent.
    SendFailed(InstanceId, IpAddr, Errno),
    /// The operator stops the daemon.
    Stop,
    /// Another configuration shall be in force.
    Reload(Arc<Bound>),
}

impl Told {
    /// The event for the machine.
    pub fn event(&self) -> VrrpEvent<'_> {
        let kernel = match self {
            Self::Done(op, result) => {
                let (op, result) = (*op, *result);
                return VrrpEvent::Done { op, result };
            }
            Self::Socket(socket, result) => {
                let (socket, result) = (*socket, *result);
                return VrrpEvent::Socket { socket, result };
            }
            Self::SendFailed(instance, dst, errno) => {
                return VrrpEvent::SendFailed {
                    instance: *instance,
                    dst: *dst,
                    errno: *errno,
                };
            }
            Self::Stop => return VrrpEvent::Command(Command::Stop),
            Self::Reload(bound) => {
                let (number, bound) = (0, Arc::clone(bound));
                return VrrpEvent::Reload { number, bound };
            }
            Self::DumpStart => KernelEvent::DumpStart,
            Self::DumpEnd => KernelEvent::DumpEnd,
            Self::Link(link) => KernelEvent::Link(link.event()),
            Self::LinkGone(ifindex) => KernelEvent::LinkGone { ifindex: *ifindex },
            Self::Address(row) => KernelEvent::Address {
                key: row.key,
                tentative: row.tentative,
                dad_failed: false,
                secondary: row.secondary,
                protocol: row.protocol,
            },
            Self::AddressGone(key) => KernelEvent::AddressGone { key: *key },
        };
        VrrpEvent::Kernel(kernel)
    }

    /// True for what the kernel's monitor tells unasked, which an overrun may lose.
    pub fn is_monitor(&self) -> bool {
        match self {
            Self::DumpStart
            | Self::DumpEnd
            | Self::Link(_)
            | Self::LinkGone(_)
            | Self::Address(_)
            | Self::AddressGone(_) => true,
            Self::Done(..) | Self::Socket(..) | Self::SendFailed(..) => false,
            Self::Stop | Self::Reload(_) => false,
        }
    }
}

/// One link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkRow {
    /// Its number.
    pub ifindex: IfIndex,
    /// Its name.
    pub name: String,
    /// Its hardware address.
    pub mac: [u8; 6],
    /// An administrator wants it up.
    pub admin_up: bool,
    /// The cable is in.
    pub carrier: bool,
}

impl LinkRow {
    /// True if frames pass.
    pub fn works(&self) -> bool {
        self.admin_up && self.carrier
    }

    fn event(&self) -> Link<'_> {
        Link {
            ifindex: self.ifindex,
            name: &self.name,
            mac: &self.mac,
            admin_up: self.admin_up,
            running: self.works(),
            loopback: false,
            no_arp: false,
            forwarding: false,
            multicast: true,
            mtu: 1_500,
        }
    }
}

/// One address.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct AddressRow {
    /// Which.
    pub key: AddressKey,
    /// Not usable yet (IPv6).
    pub tentative: bool,
    /// Not the primary address of its subnet (IPv4).
    pub secondary: bool,
    /// Who installed it.
    pub protocol: u8,
}

/// The kernel of one host.
#[derive(Clone, Debug)]
pub struct SimKernel {
    links: BTreeMap<IfIndex, LinkRow>,
    addresses: BTreeMap<AddressKey, AddressRow>,
    configured: Vec<AddressKey>,
    orders: VecDeque<(OpId, KernelOp)>,
    refusals: VecDeque<Errno>,
    /// True if a new IPv6 address is tentative until [`settle`](Self::settle).
    pub detects_duplicates: bool,
}

/// What carrying out one order gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Applied {
    /// Which order.
    pub op: OpId,
    /// The address it was about.
    pub key: AddressKey,
    /// Its result.
    pub result: Result<(), Errno>,
    /// True if the result was injected: the tables were not touched.
    pub injected: bool,
    /// What the monitor tells of it.
    pub echo: Option<Told>,
    /// The address is tentative and wants [`SimKernel::settle`] later.
    pub tentative: bool,
}

impl SimKernel {
    /// A kernel after boot, with its links up and its own addresses on them.
    pub fn boot(links: &[LinkRow], configured: &[AddressKey]) -> Self {
        let mut kernel = Self {
            links: links.iter().map(|l| (l.ifindex, l.clone())).collect(),
            addresses: BTreeMap::new(),
            configured: configured.to_vec(),
            orders: VecDeque::new(),
            refusals: VecDeque::new(),
            detects_duplicates: false,
        };
        for key in configured {
            kernel.insert(*key, false, 0);
        }
        kernel
    }

    /// The whole picture, as at the start of a process.
    pub fn dump(&self) -> Vec<Told> {
        let mut all = vec![Told::DumpStart];
        all.extend(self.links.values().cloned().map(Told::Link));
        all.extend(self.addresses.values().copied().map(Told::Address));
        all.push(Told::DumpEnd);
        all
    }

    /// Takes an order; [`apply_next`](Self::apply_next) carries it out.
    pub fn submit(&mut self, op: OpId, change: KernelOp) {
        self.orders.push_back((op, change));
    }

    /// The next orders to add or delete an address fail with these numbers.
    pub fn refuse(&mut self, errno: Errno) {
        self.refusals.push_back(errno);
    }

    /// No order fails by injection any more.
    pub fn stop_refusing(&mut self) {
        self.refusals.clear();
    }

    /// True if an order about `key` waits.
    pub fn is_ordered(&self, key: AddressKey) -> bool {
        self.orders
            .iter()
            .any(|(_, change)| change_key(change) == key)
    }

    /// True if any order waits.
    pub fn has_orders(&self) -> bool {
        !self.orders.is_empty()
    }

    /// Carries out the oldest order.
    pub fn apply_next(&mut self) -> Option<Applied> {
        let (op, change) = self.orders.pop_front()?;
        let key = change_key(&change);
        let mut applied = Applied {
            op,
            key,
            result: Ok(()),
            injected: false,
            echo: None,
            tentative: false,
        };
        if let Some(errno) = self.refusals.pop_front() {
            applied.result = Err(errno);
            applied.injected = true;
            return Some(applied);
        }
        match change {
            KernelOp::AddAddress { attrs, .. } => {
                if !self.links.contains_key(&key.ifindex) {
                    applied.result = Err(Errno::ENODEV);
                } else if self.holds(key) {
                    applied.result = Err(Errno::EEXIST);
                } else {
                    let v6 = Family::of(key.addr) == Family::V6;
                    applied.tentative = v6 && self.detects_duplicates && !attrs.nodad;
                    let row = self.insert(key, applied.tentative, ROUTE_PROTOCOL);
                    applied.echo = Some(Told::Address(row));
                }
            }
            KernelOp::DelAddress { .. } => match self.addresses.remove(&key) {
                None if !self.has_link(key.ifindex) => applied.result = Err(Errno::ENODEV),
                Some(_) => applied.echo = Some(Told::AddressGone(key)),
                None => applied.result = Err(Errno::EADDRNOTAVAIL),
            },
        }
        Some(applied)
    }

    /// Duplicate address detection ends for `key`: it is usable.
    pub fn settle(&mut self, key: AddressKey) -> Option<Told> {
        let row = self.addresses.get_mut(&key).filter(|row| row.tentative)?;
        row.tentative = false;
        Some(Told::Address(*row))
    }

    /// Pulls or plugs the cable; tells nothing if that changes nothing.
    pub fn set_carrier(&mut self, ifindex: IfIndex, carrier: bool) -> Vec<Told> {
        let Some(link) = self.links.get_mut(&ifindex) else {
            return Vec::new();
        };
        if link.carrier == carrier {
            return Vec::new();
        }
        link.carrier = carrier;
        vec![Told::Link(link.clone())]
    }

    /// An administrator sets the link up or down. Down takes all its IPv6 addresses away, as
    /// Linux does; up brings its own ones back, and never a virtual one.
    pub fn set_admin(&mut self, ifindex: IfIndex, up: bool) -> Vec<Told> {
        let Some(link) = self.links.get_mut(&ifindex) else {
            return Vec::new();
        };
        if link.admin_up == up {
            return Vec::new();
        }
        link.admin_up = up;
        let mut told = vec![Told::Link(link.clone())];
        let is_v6_here =
            |key: &AddressKey| key.ifindex == ifindex && Family::of(key.addr) == Family::V6;
        if up {
            for key in self.configured.clone().into_iter().filter(is_v6_here) {
                let row = self.insert(key, self.detects_duplicates, 0);
                told.push(Told::Address(row));
            }
        } else {
            let gone: Vec<_> = self.addresses.keys().copied().filter(is_v6_here).collect();
            for key in gone {
                self.addresses.remove(&key);
                told.push(Told::AddressGone(key));
            }
        }
        told
    }

    /// The link is deleted with all its addresses.
    pub fn remove_link(&mut self, ifindex: IfIndex) -> Vec<Told> {
        if self.links.remove(&ifindex).is_none() {
            return Vec::new();
        }
        let here = |key: &AddressKey| key.ifindex == ifindex;
        let gone: Vec<_> = self.addresses.keys().copied().filter(here).collect();
        let mut told = Vec::new();
        for key in gone {
            self.addresses.remove(&key);
            told.push(Told::AddressGone(key));
        }
        told.push(Told::LinkGone(ifindex));
        // What was ordered for it does not happen to its successor.
        for (_, change) in &mut self.orders {
            let (KernelOp::AddAddress { key, .. } | KernelOp::DelAddress { key }) = change;
            if key.ifindex == ifindex {
                key.ifindex = numbers::nobody(ifindex);
            }
        }
        told
    }

    /// The link gets another name; tells nothing if it has it already.
    pub fn rename(&mut self, ifindex: IfIndex, name: &str) -> Option<Told> {
        let link = self.links.get_mut(&ifindex)?;
        if link.name == name {
            return None;
        }
        name.clone_into(&mut link.name);
        Some(Told::Link(link.clone()))
    }

    /// True if the link has this name.
    pub fn is_called(&self, ifindex: IfIndex, name: &str) -> bool {
        self.links
            .get(&ifindex)
            .is_some_and(|link| link.name == name)
    }

    /// Tells what was told already, as when a link joins a bridge.
    pub fn describe(&self, ifindex: IfIndex) -> Vec<Told> {
        let link = self.links.get(&ifindex).cloned();
        let told = link.map(Told::Link).into_iter();
        told.flat_map(|told| [told.clone(), told]).collect()
    }

    /// Another program deletes an address. With the primary address of an IPv4 subnet all others
    /// of that subnet go, before it, as in Linux.
    pub fn take_primary(&mut self, key: AddressKey) -> Vec<Told> {
        let Some(row) = self.addresses.get(&key).copied() else {
            return Vec::new();
        };
        let goes = |other: &AddressRow| {
            other.secondary
                && !row.secondary
                && other.key.ifindex == key.ifindex
                && other.key.prefix == key.prefix
                && same_v4_subnet(other.key.addr, key.addr, key.prefix)
        };
        let with_it: Vec<_> = self.addresses.values().filter(|row| goes(row)).collect();
        let mut gone: Vec<_> = with_it.into_iter().map(|row| row.key).collect();
        gone.push(key);
        for key in &gone {
            self.addresses.remove(key);
        }
        gone.into_iter().map(Told::AddressGone).collect()
    }

    /// The link is there again, with its own addresses.
    pub fn restore_link(&mut self, link: &LinkRow) -> Vec<Told> {
        if self.has_link(link.ifindex) {
            return Vec::new();
        }
        self.links.insert(link.ifindex, link.clone());
        let mut told = vec![Told::Link(link.clone())];
        let here = |key: &AddressKey| key.ifindex == link.ifindex;
        for key in self.configured.clone().into_iter().filter(here) {
            let v6 = Family::of(key.addr) == Family::V6;
            let row = self.insert(key, v6 && self.detects_duplicates, 0);
            told.push(Told::Address(row));
        }
        told
    }

    /// Another program adds an address; tells nothing if it is there.
    pub fn give(&mut self, key: AddressKey) -> Option<Told> {
        if self.holds(key) || !self.has_link(key.ifindex) {
            return None;
        }
        Some(Told::Address(self.insert(key, false, 0)))
    }

    /// Another program deletes an address.
    pub fn take(&mut self, key: AddressKey) -> Option<Told> {
        self.addresses.remove(&key)?;
        Some(Told::AddressGone(key))
    }

    /// True if the address stands on its interface.
    pub fn holds(&self, key: AddressKey) -> bool {
        self.addresses.contains_key(&key)
    }

    /// True if `addr` stands on `ifindex` with whatever prefix.
    pub fn has_address(&self, ifindex: IfIndex, addr: IpAddr) -> bool {
        self.addresses
            .keys()
            .any(|key| key.ifindex == ifindex && key.addr == addr)
    }

    /// True if `addr` stands on `ifindex` and nothing about it is under way.
    pub fn has_usable(&self, ifindex: IfIndex, addr: IpAddr) -> bool {
        self.addresses
            .values()
            .any(|row| row.key.ifindex == ifindex && row.key.addr == addr && !row.tentative)
    }

    /// True if frames pass through the link.
    pub fn link_works(&self, ifindex: IfIndex) -> bool {
        self.links.get(&ifindex).is_some_and(LinkRow::works)
    }

    /// True if an administrator wants the link up.
    pub fn is_admin_up(&self, ifindex: IfIndex) -> bool {
        self.links.get(&ifindex).is_some_and(|link| link.admin_up)
    }

    /// True if the link exists.
    pub fn has_link(&self, ifindex: IfIndex) -> bool {
        self.links.contains_key(&ifindex)
    }

    /// All links.
    pub fn links(&self) -> impl Iterator<Item = &LinkRow> {
        self.links.values()
    }

    fn insert(&mut self, key: AddressKey, tentative: bool, protocol: u8) -> AddressRow {
        let secondary = self.addresses.values().any(|other| {
            !other.secondary
                && other.key.ifindex == key.ifindex
                && other.key.prefix == key.prefix
                && other.key != key
                && same_v4_subnet(other.key.addr, key.addr, key.prefix)
        });
        let row = AddressRow {
            key,
            tentative,
            secondary,
            protocol,
        };
        self.addresses.insert(key, row);
        row
    }
}

fn change_key(change: &KernelOp) -> AddressKey {
    match change {
        KernelOp::AddAddress { key, .. } | KernelOp::DelAddress { key } => *key,
    }
}

fn same_v4_subnet(a: IpAddr, b: IpAddr, prefix: u8) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let host_bits = 32u32.saturating_sub(u32::from(prefix));
            let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
            u32::from(a) & mask == u32::from(b) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use relevo_core::kernel::AddressAttrs;

    const ETH: IfIndex = IfIndex(2);

    fn key(addr: &str, prefix: u8) -> AddressKey {
        AddressKey {
            ifindex: ETH,
            addr: addr.parse().expect("an address"),
            prefix,
        }
    }

    fn kernel() -> SimKernel {
        let link = LinkRow {
            ifindex: ETH,
            name: "eth0".into(),
            mac: [2, 0, 0, 0, 0, 1],
            admin_up: true,
            carrier: true,
        };
        SimKernel::boot(&[link], &[key("10.0.0.1", 24), key("fe80::1", 64)])
    }

    fn add(key: AddressKey) -> KernelOp {
        KernelOp::AddAddress {
            key,
            attrs: AddressAttrs::default(),
        }
    }

    fn apply(kernel: &mut SimKernel, change: KernelOp) -> Applied {
        kernel.submit(OpId(1), change);
        kernel.apply_next().expect("an order waits")
    }

    #[test]
    fn adding_twice_and_deleting_twice_fail_as_in_linux() {
        let mut kernel = kernel();
        let vip = key("10.0.0.100", 24);
        let first = apply(&mut kernel, add(vip));
        assert_eq!(first.result, Ok(()));
        assert!(matches!(first.echo, Some(Told::Address(row)) if row.secondary));
        assert_eq!(apply(&mut kernel, add(vip)).result, Err(Errno::EEXIST));
        let delete = || KernelOp::DelAddress { key: vip };
        let gone = apply(&mut kernel, delete());
        assert_eq!(gone.echo, Some(Told::AddressGone(vip)));
        let again = apply(&mut kernel, delete());
        assert_eq!(again.result, Err(Errno::EADDRNOTAVAIL));
        assert_eq!(again.echo, None);
    }

    #[test]
    fn an_order_waits_until_applied() {
        let mut kernel = kernel();
        let vip = key("10.0.0.100", 32);
        kernel.submit(OpId(4), add(vip));
        assert!(kernel.is_ordered(vip));
        assert!(!kernel.holds(vip));
        let applied = kernel.apply_next().expect("an order waits");
        assert_eq!((applied.op, applied.injected), (OpId(4), false));
        assert!(kernel.holds(vip) && !kernel.has_orders());
        assert_eq!(kernel.apply_next(), None);
    }

    #[test]
    fn an_injected_failure_leaves_the_tables_alone() {
        let mut kernel = kernel();
        let vip = key("10.0.0.100", 32);
        kernel.refuse(Errno::EPERM);
        let applied = apply(&mut kernel, add(vip));
        assert_eq!(applied.result, Err(Errno::EPERM));
        assert!(applied.injected && applied.echo.is_none());
        assert!(!kernel.holds(vip));
        assert_eq!(apply(&mut kernel, add(vip)).result, Ok(()));
    }

    #[test]
    fn an_unknown_link_has_no_addresses() {
        let mut kernel = kernel();
        let mut elsewhere = key("10.0.0.100", 32);
        elsewhere.ifindex = IfIndex(9);
        assert_eq!(
            apply(&mut kernel, add(elsewhere)).result,
            Err(Errno::ENODEV)
        );
    }

    #[test]
    fn an_administrator_takes_ipv6_addresses_away_and_brings_the_own_ones_back() {
        let mut kernel = kernel();
        kernel.detects_duplicates = true;
        let vip = key("fe80::100", 128);
        apply(&mut kernel, add(vip));
        let down = kernel.set_admin(ETH, false);
        assert!(matches!(&down[0], Told::Link(link) if !link.works()));
        assert_eq!(down.len(), 3, "the link, its own address, the virtual one");
        assert!(kernel.has_address(ETH, "10.0.0.1".parse().expect("v4")));
        let up = kernel.set_admin(ETH, true);
        assert_eq!(up.len(), 2);
        assert!(!kernel.holds(vip));
        assert!(matches!(&up[1], Told::Address(row) if row.tentative));
        assert!(kernel.settle(key("fe80::1", 64)).is_some());
        assert!(kernel.settle(key("fe80::1", 64)).is_none());
    }

    #[test]
    fn a_pulled_cable_is_told_once_and_takes_no_address() {
        let mut kernel = kernel();
        assert_eq!(kernel.set_carrier(ETH, false).len(), 1);
        assert!(kernel.set_carrier(ETH, false).is_empty());
        assert!(kernel.has_address(ETH, "fe80::1".parse().expect("v6")));
        assert!(!kernel.link_works(ETH) && kernel.is_admin_up(ETH));
    }

    #[test]
    fn a_deleted_link_takes_its_addresses_along_and_comes_back_with_its_own() {
        let mut kernel = kernel();
        let vip = key("10.0.0.100", 24);
        let link = kernel.links().next().cloned().expect("a link");
        apply(&mut kernel, add(vip));
        let gone = kernel.remove_link(ETH);
        assert_eq!(gone.len(), 4);
        assert_eq!(gone.last(), Some(&Told::LinkGone(ETH)));
        assert!(kernel.remove_link(ETH).is_empty());
        assert_eq!(apply(&mut kernel, add(vip)).result, Err(Errno::ENODEV));
        let delete = KernelOp::DelAddress { key: vip };
        assert_eq!(apply(&mut kernel, delete).result, Err(Errno::ENODEV));
        assert_eq!(kernel.restore_link(&link).len(), 3);
        assert!(kernel.restore_link(&link).is_empty());
        assert!(!kernel.holds(vip) && kernel.link_works(ETH));
    }

    #[test]
    fn a_foreign_address_is_found_by_an_order() {
        let mut kernel = kernel();
        let vip = key("10.0.0.100", 24);
        assert!(matches!(kernel.give(vip), Some(Told::Address(row)) if row.protocol == 0));
        assert_eq!(kernel.give(vip), None);
        assert_eq!(apply(&mut kernel, add(vip)).result, Err(Errno::EEXIST));
        assert_eq!(kernel.take(vip), Some(Told::AddressGone(vip)));
    }

    #[test]
    fn a_dump_is_complete() {
        let dump = kernel().dump();
        assert_eq!(dump.first(), Some(&Told::DumpStart));
        assert_eq!(dump.last(), Some(&Told::DumpEnd));
        assert_eq!(dump.len(), 5);
        assert!(dump.iter().all(Told::is_monitor));
        assert!(!Told::Stop.is_monitor());
    }
}
