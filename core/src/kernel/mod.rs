//! What the core asks of the kernel and what the kernel tells it.
//!
//! The runtime translates both to and from rtnetlink; the simulator plays the kernel itself.

pub mod ledger;
pub mod links;

use std::net::{IpAddr, Ipv4Addr};

use crate::ids::IfIndex;

/// What identifies an address in the kernel: the same address may stand on two interfaces.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AddressKey {
    /// The interface it stands on.
    pub ifindex: IfIndex,
    /// The address.
    pub addr: IpAddr,
    /// Prefix length, 0..=32 or 0..=128.
    pub prefix: u8,
}

/// The rest of an address as it is to be installed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct AddressAttrs {
    /// rtnetlink scope: 0 global, 253 link, 254 host. IPv6 ignores it.
    pub scope: u8,
    /// IPv4 broadcast address, if one is to be set.
    pub broadcast: Option<Ipv4Addr>,
    /// IPv4 label such as `eth0:1`.
    pub label: Option<String>,
    /// IPv6: no duplicate address detection (IFA_F_NODAD), so the address is usable at once.
    pub nodad: bool,
    /// IPv6: preferred lifetime 0, so that the kernel does not choose it as a source address.
    pub deprecated: bool,
    /// IFA_F_NOPREFIXROUTE: no route to the prefix comes with the address.
    pub no_prefix_route: bool,
}

/// IFA_PROTO and rtm_protocol of everything that we install: keepalived's number.
pub const ROUTE_PROTOCOL: u8 = 18;

/// One change of kernel state. Its result comes back as `Done`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KernelOp {
    /// Add an address (without NLM_F_REPLACE: EEXIST means found, not ours).
    AddAddress {
        /// Which.
        key: AddressKey,
        /// How.
        attrs: AddressAttrs,
    },
    /// Delete an address.
    DelAddress {
        /// Which.
        key: AddressKey,
    },
}

/// An interface as the kernel describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link<'a> {
    /// Its number.
    pub ifindex: IfIndex,
    /// Its name.
    pub name: &'a str,
    /// Its hardware address; empty if it has none, 6 octets for Ethernet.
    pub mac: &'a [u8],
    /// IFF_UP: an administrator wants it up.
    pub admin_up: bool,
    /// IFF_RUNNING: there is a carrier.
    pub running: bool,
    /// IFF_LOOPBACK.
    pub loopback: bool,
    /// IFF_NOARP: no gratuitous ARP makes sense here.
    pub no_arp: bool,
    /// IFF_MULTICAST.
    pub multicast: bool,
    /// IPv6 forwarding is on: our neighbour advertisements carry the router flag.
    pub forwarding: bool,
    /// Maximum transmission unit in octets.
    pub mtu: u32,
}

/// What the kernel tells. At start, and after an overrun of the event socket, the runtime delivers
/// a whole dump between `DumpStart` and `DumpEnd`: what was not named in between is gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KernelEvent<'a> {
    /// A whole picture begins.
    DumpStart,
    /// The whole picture is complete.
    DumpEnd,
    /// A new or changed interface.
    Link(Link<'a>),
    /// An interface was deleted.
    LinkGone {
        /// Its number, which the kernel may use again.
        ifindex: IfIndex,
    },
    /// A new or changed address.
    Address {
        /// Which.
        key: AddressKey,
        /// IFA_F_TENTATIVE without IFA_F_OPTIMISTIC: not usable as a source yet (IPv6).
        tentative: bool,
        /// IFA_F_DADFAILED: another host has it (IPv6).
        dad_failed: bool,
        /// IFA_F_SECONDARY (IPv4): not the primary address of its subnet.
        secondary: bool,
        /// IFA_PROTO, 0 where the kernel does not tell.
        protocol: u8,
    },
    /// An address is gone.
    AddressGone {
        /// Which.
        key: AddressKey,
    },
}
