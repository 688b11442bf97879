//! The raw sockets of VRRP: one for each (interface, family, group) that the machine asks for.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use relevo_core::ids::{Errno, Family, InstanceId, SocketId};
use relevo_core::vrrp::event::{Ingress, SocketSpec};

use crate::sys::msg::{Control, Name, Received, Scratch, SendBatch};
use crate::sys::socket::{
    Buffer, bind_to_interface, discard_waiting, dropped, grow_buffer, open, set_bytes, set_int,
};

/// The IP protocol (RFC 9568 section 5.1.1.4).
const PROTOCOL: i32 = 112;

/// Type of service and traffic class of adverts: internetwork control, as the original.
const INTERNETWORK_CONTROL: i32 = 0xc0;

/// Priority within the host's own queues: TC_PRIO_CONTROL, or the highest for the unprivileged.
const PRIORITY_CONTROL: i32 = 7;
const PRIORITY_UNPRIVILEGED: i32 = 6;

/// An advert to be sent.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Advert {
    pub(crate) instance: InstanceId,
    pub(crate) socket: SocketId,
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) hop_limit: u8,
}

/// An advert that could not be sent.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Unsent {
    pub(crate) instance: InstanceId,
    pub(crate) dst: IpAddr,
    pub(crate) errno: Errno,
}

/// The open sockets and the adverts collected for them.
#[derive(Default)]
pub(crate) struct VrrpIo {
    sockets: BTreeMap<SocketId, RawSocket>,
    /// Sockets with collected adverts, in the order of their first.
    dirty: Vec<SocketId>,
    collected: usize,
    scratch: Scratch,
}

struct RawSocket {
    fd: OwnedFd,
    spec: SocketSpec,
    batch: SendBatch,
    /// Whose the adverts of the batch are.
    tags: Vec<(InstanceId, IpAddr)>,
    /// Packets that found no room, as far as the machine knows.
    dropped: u32,
}

impl VrrpIo {
    /// Opens a socket and gives its descriptor, for registration.
    pub(crate) fn open(
        &mut self,
        socket: SocketId,
        spec: SocketSpec,
        receive_buffer: u32,
    ) -> io::Result<RawFd> {
        let fd = open_raw(spec, receive_buffer)?;
        let raw = fd.as_raw_fd();
        let opened = RawSocket {
            fd,
            spec,
            batch: SendBatch::default(),
            tags: Vec::new(),
            dropped: dropped(raw).unwrap_or(0),
        };
        self.sockets.insert(socket, opened);
        Ok(raw)
    }

    /// Makes room for more virtual routers.
    pub(crate) fn grow(&self, socket: SocketId, receive_buffer: u32) {
        if let Some((fd, _)) = self.get(socket)
            && let Err(error) = grow_buffer(fd, Buffer::Receive, receive_buffer)
        {
            log::debug!("a receive buffer could not be enlarged: {error}");
        }
    }

    /// Closes a socket; what was collected for it must have been sent.
    pub(crate) fn close(&mut self, socket: SocketId) {
        self.sockets.remove(&socket);
    }

    /// Joins every group anew. An interface may have been deleted and made again under its old
    /// number and name with nobody told of it: the sockets would be deaf without a sign.
    pub(crate) fn rejoin(&self) {
        for open in self.sockets.values() {
            let fd = open.fd.as_raw_fd();
            let joined = set_membership(fd, open.spec, false)
                .and_then(|()| set_membership(fd, open.spec, true));
            if let Err(error) = joined {
                log::debug!("a socket could not join its group anew: {error}");
            }
        }
    }

    /// The descriptor and family of an open socket.
    pub(crate) fn get(&self, socket: SocketId) -> Option<(RawFd, Family)> {
        let open = self.sockets.get(&socket)?;
        Some((open.fd.as_raw_fd(), open.spec.family))
    }

    /// True if packets found no room in a socket since it was last asked. A kernel that does not
    /// count them (before Linux 4.12) is taken to lose none.
    pub(crate) fn take_overflow(&mut self, socket: SocketId) -> bool {
        let Some(open) = self.sockets.get_mut(&socket) else {
            return false;
        };
        let now = dropped(open.fd.as_raw_fd()).unwrap_or(open.dropped);
        now != std::mem::replace(&mut open.dropped, now)
    }

    /// Number of adverts collected and not sent.
    pub(crate) fn collected(&self) -> usize {
        self.collected
    }

    /// Collects an advert; one that cannot be sent at all is told to `unsent`.
    pub(crate) fn push(&mut self, advert: Advert, packet: &[u8], unsent: &mut impl FnMut(Unsent)) {
        let Advert {
            instance,
            src,
            dst,
            hop_limit,
            ..
        } = advert;
        let mut fail = |errno| {
            unsent(Unsent {
                instance,
                dst,
                errno: Errno(errno),
            });
        };
        let Some(open) = self.sockets.get_mut(&advert.socket) else {
            return fail(libc::EBADF);
        };
        let scope = open.spec.ifindex.0;
        let (name, control) = match (open.spec.family, src, dst) {
            (Family::V4, IpAddr::V4(_), IpAddr::V4(dst)) => (Name::v4(dst), Control::NONE),
            (Family::V6, IpAddr::V6(src), IpAddr::V6(dst)) => {
                (Name::v6(dst, scope), Control::v6(src, scope, hop_limit))
            }
            _ => return fail(libc::EAFNOSUPPORT),
        };
        if open.batch.len() == 0 {
            self.dirty.push(advert.socket);
        }
        open.batch.push(name, control, packet);
        open.tags.push((instance, dst));
        self.collected += 1;
    }

    /// Sends what was collected: one system call for each socket, as long as nothing fails.
    pub(crate) fn flush(&mut self, unsent: &mut impl FnMut(Unsent)) {
        for socket in self.dirty.drain(..) {
            let Some(open) = self.sockets.get_mut(&socket) else {
                continue;
            };
            let RawSocket {
                fd, batch, tags, ..
            } = open;
            batch.send(fd.as_raw_fd(), &mut self.scratch, |index, error| {
                if let Some(&(instance, dst)) = tags.get(index) {
                    unsent(Unsent {
                        instance,
                        dst,
                        errno: Errno(error.raw_os_error().unwrap_or(libc::EIO)),
                    });
                }
            });
            tags.clear();
        }
        self.collected = 0;
    }
}

/// A received datagram as the machine takes it; `None` if the kernel left out what was asked for.
pub(crate) fn ingress(family: Family, received: Received<'_>) -> Option<Ingress<'_>> {
    match family {
        Family::V4 => Some(Ingress::V4 {
            datagram: received.bytes,
        }),
        Family::V6 => Some(Ingress::V6 {
            src: received.src?,
            dst: received.dst?,
            hop_limit: received.hop_limit?,
            payload: received.bytes,
        }),
    }
}

fn open_raw(spec: SocketSpec, receive_buffer: u32) -> io::Result<OwnedFd> {
    let domain = match spec.family {
        Family::V4 => libc::AF_INET,
        Family::V6 => libc::AF_INET6,
    };
    let socket = open(domain, libc::SOCK_RAW, PROTOCOL)?;
    let fd = socket.as_raw_fd();
    bind_to_interface(fd, spec.ifindex.0)?;
    grow_buffer(fd, Buffer::Receive, receive_buffer)?;
    match spec.family {
        Family::V4 => set_up_v4(fd, spec)?,
        Family::V6 => set_up_v6(fd, spec)?,
    }
    // After the type of service, from which the kernel derives a priority of its own.
    let priority = |value| set_int(fd, libc::SOL_SOCKET, libc::SO_PRIORITY, value);
    priority(PRIORITY_CONTROL).or_else(|_| priority(PRIORITY_UNPRIVILEGED))?;
    // What arrived from other interfaces before the socket was bound to its own.
    discard_waiting(fd)?;
    Ok(socket)
}

fn set_up_v4(fd: RawFd, spec: SocketSpec) -> io::Result<()> {
    let ip = libc::IPPROTO_IP;
    set_int(fd, ip, libc::IP_HDRINCL, 1)?;
    set_int(fd, ip, libc::IP_TOS, INTERNETWORK_CONTROL)?;
    // Only groups that this socket has joined, not those of the whole host.
    set_int(fd, ip, libc::IP_MULTICAST_ALL, 0)?;
    set_int(fd, ip, libc::IP_MULTICAST_LOOP, 0)?;
    // ip_mreqn: group, local address, interface.
    let mut request = [0; 12];
    request[8..].copy_from_slice(&spec.ifindex.0.to_ne_bytes());
    set_bytes(fd, ip, libc::IP_MULTICAST_IF, &request)?;
    set_membership(fd, spec, true)
}

fn set_up_v6(fd: RawFd, spec: SocketSpec) -> io::Result<()> {
    let ip = libc::IPPROTO_IPV6;
    let ifindex = spec.ifindex.0;
    set_int(fd, ip, libc::IPV6_TCLASS, INTERNETWORK_CONTROL)?;
    set_int(fd, ip, libc::IPV6_RECVPKTINFO, 1)?;
    set_int(fd, ip, libc::IPV6_RECVHOPLIMIT, 1)?;
    set_int(fd, ip, libc::IPV6_MULTICAST_LOOP, 0)?;
    set_int(fd, ip, libc::IPV6_MULTICAST_IF, ifindex.cast_signed())?;
    // Since Linux 4.20; without it a packet is discarded later, for its destination.
    if let Err(error) = set_int(fd, ip, IPV6_MULTICAST_ALL, 0) {
        log::debug!("IPV6_MULTICAST_ALL: {error}");
    }
    set_membership(fd, spec, true)
}

/// Joins or leaves the group of a socket, if it has one.
fn set_membership(fd: RawFd, spec: SocketSpec, member: bool) -> io::Result<()> {
    let ifindex = spec.ifindex.0.to_ne_bytes();
    match (spec.family, spec.group) {
        (_, None) => Ok(()),
        (Family::V4, Some(IpAddr::V4(group))) => {
            // ip_mreqn: group, local address, interface.
            let mut request = [0; 12];
            request[..4].copy_from_slice(&group.octets());
            request[8..].copy_from_slice(&ifindex);
            let (join, leave) = (libc::IP_ADD_MEMBERSHIP, libc::IP_DROP_MEMBERSHIP);
            let name = if member { join } else { leave };
            set_bytes(fd, libc::IPPROTO_IP, name, &request)
        }
        (Family::V6, Some(IpAddr::V6(group))) => {
            let mut request = [0; 20];
            request[..16].copy_from_slice(&group.octets());
            request[16..].copy_from_slice(&ifindex);
            let (join, leave) = (libc::IPV6_ADD_MEMBERSHIP, libc::IPV6_DROP_MEMBERSHIP);
            let name = if member { join } else { leave };
            set_bytes(fd, libc::IPPROTO_IPV6, name, &request)
        }
        (Family::V4 | Family::V6, Some(_)) => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
    }
}

/// linux/in6.h; libc has it for some systems only.
const IPV6_MULTICAST_ALL: i32 = 29;

#[cfg(test)]
#[path = "vrrp_io_tests.rs"]
mod tests;
