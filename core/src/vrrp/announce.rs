//! Gratuitous ARP and unsolicited neighbour advertisements (RFC 9568 sections 8.1.2 and 8.2.2).
//!
//! An address is announced as soon as the kernel has it; the repeats follow when every address of
//! the instance has had its first announcement. Repeats are cut into slices: between two of them
//! the loop looks at its sockets and due timers.

use std::net::IpAddr;

use crate::ids::InstanceId;
use crate::kernel::AddressKey;
use crate::kernel::links::Links;
use crate::machine::Out;
use crate::vrrp::event::VrrpAction;
use crate::wire::{arp, ndisc};

/// Announcements that are still to be made for one instance.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Job {
    pub(crate) instance: InstanceId,
    /// The mastership that the job belongs to: it is void after the next transition.
    pub(crate) epoch: u32,
    /// Rounds over all addresses that are left, the present one included.
    pub(crate) rounds: u32,
    /// The next address of the present round.
    pub(crate) next: usize,
}

/// Announces one address, if its interface can carry the announcement.
pub(crate) fn announce(key: AddressKey, links: &Links, out: &mut Out<VrrpAction>) {
    let Some(link) = links.get(key.ifindex) else {
        return;
    };
    let Some(mac) = link.mac.filter(|_| !link.no_arp) else {
        return;
    };
    let ifindex = key.ifindex;
    match key.addr {
        IpAddr::V4(addr) => {
            let frame = out.write_bytes(|arena| arp::gratuitous(mac, addr, arena));
            out.push(VrrpAction::SendGarp {
                ifindex,
                addr,
                frame,
            });
        }
        IpAddr::V6(addr) => {
            let router = link.forwarding;
            let frame = out.write_bytes(|arena| ndisc::unsolicited(mac, addr, router, arena));
            out.push(VrrpAction::SendNa {
                ifindex,
                addr,
                frame,
            });
        }
    }
}
