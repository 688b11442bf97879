//! What goes into the VRRP machine and what comes out of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::config::bound::Bound;
use crate::ids::{Errno, Family, IfIndex, InstanceId, OpId, SocketId};
use crate::kernel::{KernelEvent, KernelOp};
use crate::machine::BytesRange;
use crate::vrrp::note::Note;

/// A packet of IP protocol 112 as the kernel hands it to a raw socket.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Ingress<'a> {
    /// IPv4: the whole datagram with its IP header.
    V4 {
        /// First octet is the version and header length.
        datagram: &'a [u8],
    },
    /// IPv6: the payload; the header's fields come as ancillary data.
    V6 {
        /// Source address.
        src: Ipv6Addr,
        /// Destination address.
        dst: Ipv6Addr,
        /// Hop limit on arrival.
        hop_limit: u8,
        /// What follows the IPv6 header.
        payload: &'a [u8],
    },
}

/// An input of the VRRP machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum VrrpEvent<'a> {
    /// A packet arrived at a socket that the machine asked for.
    Packet {
        /// Which socket.
        socket: SocketId,
        /// The packet.
        packet: Ingress<'a>,
    },
    /// A socket had no room for packets, nobody knows which. Told behind those that it kept.
    PacketsLost {
        /// Which socket.
        socket: SocketId,
    },
    /// The kernel tells of links and addresses.
    Kernel(KernelEvent<'a>),
    /// The kernel's answer to a [`VrrpAction::Kernel`].
    Done {
        /// Which change.
        op: OpId,
        /// Its result.
        result: Result<(), Errno>,
    },
    /// The answer to a [`VrrpAction::OpenSocket`].
    Socket {
        /// Which socket.
        socket: SocketId,
        /// Whether it is open now.
        result: Result<(), Errno>,
    },
    /// An advert could not be sent. Never delivered for success.
    SendFailed {
        /// Whose advert.
        instance: InstanceId,
        /// To whom.
        dst: IpAddr,
        /// Why.
        errno: Errno,
    },
    /// An operator's wish.
    Command(Command),
    /// Another configuration shall be in force: only what differs is carried out. Once that is
    /// done, [`Machine::is_reloading`](crate::machine::Machine::is_reloading) is false again.
    Reload {
        /// A number for the record; the machine makes no use of it.
        number: u64,
        /// The configuration.
        bound: Arc<Bound>,
    },
    /// The next slice of a burst, after a look at the sockets; sent when `more()` is true.
    Continue,
}

/// What an operator may ask for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Leave in order: priority 0, addresses removed, then [`VrrpAction::Exit`].
    Stop,
    /// Let the counters of `count` instances from `first` on begin afresh. A few at a time: whoever
    /// asks has just read them.
    ClearStats {
        /// The first of them.
        first: InstanceId,
        /// How many.
        count: u32,
    },
}

/// What a socket is for. Two instances with the same spec share one socket.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SocketSpec {
    /// The interface it is bound to.
    pub ifindex: IfIndex,
    /// IPv4 or IPv6.
    pub family: Family,
    /// The multicast group to join; `None` for unicast.
    pub group: Option<IpAddr>,
}

/// An effect of the VRRP machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum VrrpAction {
    /// Send an advert. IPv4: `packet` is the whole datagram with its IP header (IP_HDRINCL).
    /// IPv6: `packet` is the payload, complete with its checksum; `src` and `hop_limit` go into
    /// ancillary data.
    SendAdvert {
        /// Whose advert.
        instance: InstanceId,
        /// Through which socket.
        socket: SocketId,
        /// Source address.
        src: IpAddr,
        /// Destination: the group or a unicast peer.
        dst: IpAddr,
        /// TTL or hop limit.
        hop_limit: u8,
        /// The packet.
        packet: BytesRange,
    },
    /// Change the kernel's state; answered by [`VrrpEvent::Done`].
    Kernel {
        /// The number of the answer.
        op: OpId,
        /// The change.
        change: KernelOp,
    },
    /// Send a gratuitous ARP: `frame` is a whole Ethernet frame.
    SendGarp {
        /// Out of which interface.
        ifindex: IfIndex,
        /// Announced address.
        addr: Ipv4Addr,
        /// The frame.
        frame: BytesRange,
    },
    /// Send an unsolicited neighbour advertisement: `frame` is a whole Ethernet frame.
    SendNa {
        /// Out of which interface.
        ifindex: IfIndex,
        /// Announced address.
        addr: Ipv6Addr,
        /// The frame.
        frame: BytesRange,
    },
    /// Open a raw socket; answered by [`VrrpEvent::Socket`].
    OpenSocket {
        /// Its number from now on.
        socket: SocketId,
        /// What it is for.
        spec: SocketSpec,
        /// Receive buffer in octets, at least (SO_RCVBUFFORCE): four bursts of its instances.
        receive_buffer: u32,
    },
    /// More virtual routers share a socket than it was opened for.
    GrowSocket {
        /// Which.
        socket: SocketId,
        /// Receive buffer in octets, at least (SO_RCVBUFFORCE).
        receive_buffer: u32,
    },
    /// From here on every [`InstanceId`] is a position in this configuration: what came before in
    /// the same call speaks of the former one.
    InForce(Arc<Bound>),
    /// Close a socket; nothing more arrives from it.
    CloseSocket(SocketId),
    /// Keep what a successor needs to know of a virtual router, before anything that comes behind
    /// is done (see [`crate::vrrp::snapshot`]).
    Remember {
        /// Whose it is: its adverts are stamped beside this slot from now on.
        instance: InstanceId,
        /// Where: what was there before is forgotten.
        slot: u32,
        /// The record; empty if there is nothing to remember.
        record: BytesRange,
    },
    /// Nothing is to be remembered in a slot any more, whose virtual router is not configured.
    Forget {
        /// Which.
        slot: u32,
    },
    /// Tell the operator.
    Note(Note),
    /// The machine is done: leave with this code.
    Exit(u8),
}

/// What a deadline of the VRRP machine is for.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum VrrpTimer {
    /// Master: the next advert is due.
    Advert(InstanceId),
    /// Backup: no advert for the master-down interval.
    MasterDown(InstanceId),
    /// Master: the second block of announcements.
    GarpDelay(InstanceId),
    /// Master: periodic announcements.
    GarpRefresh(InstanceId),
    /// Master: the second block after a lower-priority master was heard.
    GarpLower(InstanceId),
    /// Backup: a lower-priority master has been tolerated long enough.
    PreemptDelay(InstanceId),
    /// Fault: the socket that could not be opened is to be tried again.
    Reopen(InstanceId),
    /// Master: a rival that was heard shortly after another is to be answered.
    Answer(InstanceId),
    /// A queue of announcements may send the next one.
    AnnounceQueue(QueueId),
}

/// A queue of announcements that are sent at intervals, dense from 0.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct QueueId(pub u32);
