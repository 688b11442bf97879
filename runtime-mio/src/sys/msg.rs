//! Many datagrams in one system call: recvmmsg and sendmmsg over buffers that are reused.
//!
//! Addresses and ancillary data are built and read as plain octets, so that the only unsafe code
//! is the two calls with their tables of pointers, which are made anew for each call.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::RawFd;

use super::syscall;

/// Datagrams taken from a socket in one call, at most and at first. In between it is about
/// twice what came of late: the tables for a call are not free.
pub(crate) const RECEIVE_BATCH: usize = 128;
const RECEIVE_FEW: usize = 16;

/// Datagrams given to a socket in one call.
pub(crate) const SEND_BATCH: usize = 128;

/// Octets kept of a received datagram: more than the longest advert (255 IPv6 addresses).
pub(crate) const RECEIVE_MAX: usize = 4_608;

/// Octets of the longest address: sockaddr_in6.
const NAME_MAX: usize = size_of::<libc::sockaddr_in6>();

/// Octets for ancillary data: IPV6_PKTINFO and IPV6_HOPLIMIT, and room for what else may come.
const CONTROL_MAX: usize = 128;

/// Ancillary data starts and goes on at multiples of this.
const CONTROL_ALIGN: usize = size_of::<usize>();

/// Octets of a cmsghdr, padded.
const CONTROL_HEADER: usize = size_of::<libc::cmsghdr>().next_multiple_of(CONTROL_ALIGN);

/// A socket address as the kernel reads it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Name {
    bytes: [u8; NAME_MAX],
    len: u8,
}

impl Name {
    fn new(family: i32, len: usize) -> Self {
        let mut bytes = [0; NAME_MAX];
        bytes[..2].copy_from_slice(&(family as libc::sa_family_t).to_ne_bytes());
        let len = len as u8;
        Self { bytes, len }
    }

    /// A sockaddr_in without a port.
    pub(crate) fn v4(addr: Ipv4Addr) -> Self {
        let mut name = Self::new(libc::AF_INET, size_of::<libc::sockaddr_in>());
        name.bytes[4..8].copy_from_slice(&addr.octets());
        name
    }

    /// A sockaddr_in6 without a port; `scope` is the interface of a link-local address.
    pub(crate) fn v6(addr: Ipv6Addr, scope: u32) -> Self {
        let mut name = Self::new(libc::AF_INET6, size_of::<libc::sockaddr_in6>());
        name.bytes[8..24].copy_from_slice(&addr.octets());
        name.bytes[24..28].copy_from_slice(&scope.to_ne_bytes());
        name
    }

    /// A sockaddr_ll: out of this interface, as this EtherType (in network order).
    pub(crate) fn link(ifindex: u32, ether_type: [u8; 2]) -> Self {
        let mut name = Self::new(libc::AF_PACKET, size_of::<libc::sockaddr_ll>());
        name.bytes[2..4].copy_from_slice(&ether_type);
        name.bytes[4..8].copy_from_slice(&ifindex.to_ne_bytes());
        name
    }

    /// The octets of the address.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    fn v6_addr(&self) -> Option<Ipv6Addr> {
        let family = libc::sa_family_t::from_ne_bytes([self.bytes[0], self.bytes[1]]);
        if usize::from(self.len) < NAME_MAX || i32::from(family) != libc::AF_INET6 {
            return None;
        }
        let octets = <[u8; 16]>::try_from(&self.bytes[8..24]).ok()?;
        Some(Ipv6Addr::from(octets))
    }
}

/// Ancillary data of one datagram.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[repr(C, align(8))]
pub(crate) struct Control {
    bytes: [u8; CONTROL_MAX],
    len: usize,
}

impl Control {
    /// None.
    pub(crate) const NONE: Self = Self {
        bytes: [0; CONTROL_MAX],
        len: 0,
    };

    /// For an IPv6 datagram: its source and interface, and its hop limit.
    pub(crate) fn v6(src: Ipv6Addr, ifindex: u32, hop_limit: u8) -> Self {
        let mut control = Self::NONE;
        let mut info = [0; 20];
        info[..16].copy_from_slice(&src.octets());
        info[16..].copy_from_slice(&ifindex.to_ne_bytes());
        control.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
        let hops = i32::from(hop_limit).to_ne_bytes();
        control.push(libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT, &hops);
        control
    }

    fn push(&mut self, level: i32, kind: i32, data: &[u8]) {
        let len = CONTROL_HEADER + data.len();
        let Some(room) = self.bytes.get_mut(self.len..self.len + len) else {
            debug_assert!(false, "ancillary data beyond its buffer");
            return;
        };
        let integers = size_of::<usize>();
        room[..integers].copy_from_slice(&len.to_ne_bytes());
        // On musl the length is followed by padding; level and type end the header everywhere.
        let level_at = CONTROL_HEADER - 8;
        room[level_at..level_at + 4].copy_from_slice(&level.to_ne_bytes());
        room[level_at + 4..CONTROL_HEADER].copy_from_slice(&kind.to_ne_bytes());
        room[CONTROL_HEADER..].copy_from_slice(data);
        self.len += len.next_multiple_of(CONTROL_ALIGN);
    }

    /// All octets.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn messages(&self) -> ControlMessages<'_> {
        ControlMessages { rest: self.bytes() }
    }
}

/// Walks ancillary data; stops at the first message that does not fit.
struct ControlMessages<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for ControlMessages<'a> {
    type Item = (i32, i32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let int = |at: usize| {
            let octets = self.rest.get(at..at + 4)?;
            Some(i32::from_ne_bytes(octets.try_into().ok()?))
        };
        let len = self.rest.get(..size_of::<usize>())?;
        let len = usize::from_ne_bytes(len.try_into().ok()?);
        let level = int(CONTROL_HEADER - 8)?;
        let kind = int(CONTROL_HEADER - 4)?;
        let data = self.rest.get(CONTROL_HEADER..len)?;
        let next = len.checked_next_multiple_of(CONTROL_ALIGN)?;
        self.rest = self.rest.get(next..).unwrap_or_default();
        Some((level, kind, data))
    }
}

/// Buffers for received datagrams.
pub(crate) struct ReceiveBatch {
    /// [`RECEIVE_MAX`] octets for each. In one piece, because the allocator then hands out zeros that
    /// take no memory until they are written to.
    data: Box<[u8]>,
    names: Box<[Name]>,
    controls: Box<[Control]>,
    lens: [usize; RECEIVE_BATCH],
    /// How many the last call had room for, and how many it brought.
    asked: usize,
    count: usize,
}

/// One received datagram.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Received<'a> {
    /// What the kernel hands over: the whole datagram in IPv4, the payload in IPv6; at most
    /// [`RECEIVE_MAX`] octets.
    pub(crate) bytes: &'a [u8],
    /// IPv6: source address.
    pub(crate) src: Option<Ipv6Addr>,
    /// IPv6: destination address, if asked for.
    pub(crate) dst: Option<Ipv6Addr>,
    /// IPv6: hop limit on arrival, if asked for.
    pub(crate) hop_limit: Option<u8>,
}

impl ReceiveBatch {
    /// Empty buffers.
    pub(crate) fn new() -> Self {
        let name = Name::new(libc::AF_UNSPEC, 0);
        Self {
            data: vec![0; RECEIVE_MAX * RECEIVE_BATCH].into_boxed_slice(),
            names: vec![name; RECEIVE_BATCH].into_boxed_slice(),
            controls: vec![Control::NONE; RECEIVE_BATCH].into_boxed_slice(),
            lens: [0; RECEIVE_BATCH],
            asked: 0,
            count: 0,
        }
    }

    /// True if the last [`fill`](Self::fill) left nothing behind.
    pub(crate) fn ran_dry(&self) -> bool {
        self.count < self.asked
    }

    /// Takes what waits at `fd`, without waiting itself; returns the number of datagrams.
    pub(crate) fn fill(&mut self, fd: RawFd) -> io::Result<usize> {
        let wanted = (self.count * 2).max(self.asked / 2);
        self.asked = wanted.clamp(RECEIVE_FEW, RECEIVE_BATCH);
        self.count = 0;
        let mut vectors = [NO_VECTOR; RECEIVE_BATCH];
        let mut headers = [NO_HEADER; RECEIVE_BATCH];
        let data = self.data.chunks_exact_mut(RECEIVE_MAX);
        for (vector, data) in vectors.iter_mut().zip(data).take(self.asked) {
            vector.iov_base = data.as_mut_ptr().cast();
            vector.iov_len = data.len();
        }
        let buffers = self.names.iter_mut().zip(&mut self.controls);
        let tables = headers.iter_mut().zip(&mut vectors).zip(buffers);
        for ((header, vector), (name, control)) in tables.take(self.asked) {
            let header = &mut header.msg_hdr;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            header.msg_name = name.bytes.as_mut_ptr().cast();
            header.msg_namelen = NAME_MAX as libc::socklen_t;
            header.msg_control = control.bytes.as_mut_ptr().cast();
            header.msg_controllen = CONTROL_MAX as _;
        }
        // Every header points to buffers of the stated lengths that outlive the call.
        let count = syscall!(recvmmsg(
            fd,
            headers.as_mut_ptr(),
            self.asked as libc::c_uint,
            libc::MSG_DONTWAIT as _,
            std::ptr::null_mut(),
        ))?;
        self.count = (count.cast_unsigned() as usize).min(self.asked);
        for (index, header) in headers.iter().take(self.count).enumerate() {
            self.lens[index] = (header.msg_len as usize).min(RECEIVE_MAX);
            self.names[index].len = header.msg_hdr.msg_namelen.min(NAME_MAX as u32) as u8;
            // Another type of integer on musl.
            self.controls[index].len = header.msg_hdr.msg_controllen.min(CONTROL_MAX as _) as _;
        }
        Ok(self.count)
    }

    /// The datagrams of the last [`fill`](Self::fill).
    pub(crate) fn iter(&self) -> impl Iterator<Item = Received<'_>> {
        let parts = self.data.chunks_exact(RECEIVE_MAX).zip(&self.lens);
        let parts = parts.zip(self.names.iter().zip(&self.controls));
        parts
            .take(self.count)
            .map(|((data, &len), (name, control))| {
                let mut received = Received {
                    bytes: data.get(..len).unwrap_or_default(),
                    src: name.v6_addr(),
                    dst: None,
                    hop_limit: None,
                };
                received.read_control(control);
                received
            })
    }
}

impl Received<'_> {
    fn read_control(&mut self, control: &Control) {
        for (level, kind, data) in control.messages() {
            if level != libc::IPPROTO_IPV6 {
                continue;
            }
            if kind == libc::IPV6_PKTINFO
                && let Some(octets) = data.first_chunk::<16>()
            {
                self.dst = Some(Ipv6Addr::from(*octets));
            } else if kind == libc::IPV6_HOPLIMIT
                && let Some(octets) = data.first_chunk::<4>()
            {
                self.hop_limit = u8::try_from(i32::from_ne_bytes(*octets)).ok();
            }
        }
    }
}

/// A datagram with a sender's address and ancillary data as a kernel might fill them in, for the
/// fuzz targets; what is too long is cut, as the kernel does.
pub(crate) fn received<'a>(name: &[u8], control: &[u8], bytes: &'a [u8]) -> Received<'a> {
    let mut from = Name::new(libc::AF_UNSPEC, name.len().min(NAME_MAX));
    for (to, octet) in from.bytes.iter_mut().zip(name) {
        *to = *octet;
    }
    let mut ancillary = Control::NONE;
    ancillary.len = control.len().min(CONTROL_MAX);
    for (to, octet) in ancillary.bytes.iter_mut().zip(control) {
        *to = *octet;
    }
    let mut received = Received {
        bytes,
        src: from.v6_addr(),
        dst: None,
        hop_limit: None,
    };
    received.read_control(&ancillary);
    received
}

/// Datagrams collected for one socket.
#[derive(Default)]
pub(crate) struct SendBatch {
    slots: Vec<Slot>,
    bytes: Vec<u8>,
}

struct Slot {
    name: Name,
    control: Control,
    start: usize,
    end: usize,
}

/// The tables of pointers for one sendmmsg; empty between calls, only their memory is kept.
#[derive(Default)]
pub(crate) struct Scratch {
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

impl SendBatch {
    /// Adds a copy of a datagram.
    pub(crate) fn push(&mut self, name: Name, control: Control, datagram: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(datagram);
        let end = self.bytes.len();
        self.slots.push(Slot {
            name,
            control,
            start,
            end,
        });
    }

    /// Number of datagrams collected.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Sends everything, in order, and forgets it. `failed` is told the position of each datagram
    /// that could not be sent; the others are sent all the same.
    pub(crate) fn send(
        &mut self,
        fd: RawFd,
        scratch: &mut Scratch,
        mut failed: impl FnMut(usize, io::Error),
    ) {
        scratch.point_to(self);
        let mut first = 0;
        while let Some(rest) = scratch.headers.get_mut(first..)
            && !rest.is_empty()
        {
            let count = rest.len().min(SEND_BATCH) as libc::c_uint;
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            // The headers point into `self`, which does not change until the tables are empty.
            match syscall!(sendmmsg(fd, rest.as_mut_ptr(), count, flags as _)) {
                // Stopped early: the next call begins with the one at fault and says why.
                Ok(sent) if sent > 0 => first += sent.cast_unsigned() as usize,
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    failed(first, error);
                    first += 1;
                }
            }
        }
        scratch.vectors.clear();
        scratch.headers.clear();
        self.slots.clear();
        self.bytes.clear();
    }
}

impl Scratch {
    fn point_to(&mut self, batch: &mut SendBatch) {
        self.vectors.clear();
        self.headers.clear();
        let SendBatch { slots, bytes } = batch;
        for slot in slots.iter() {
            let data = bytes.get_mut(slot.start..slot.end).unwrap_or_default();
            self.vectors.push(libc::iovec {
                iov_base: data.as_mut_ptr().cast(),
                iov_len: data.len(),
            });
        }
        // The vectors are complete and stay where they are from here on.
        for (slot, vector) in slots.iter_mut().zip(&mut self.vectors) {
            let mut header = NO_HEADER;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = slot.name.bytes.as_mut_ptr().cast();
            header.msg_hdr.msg_namelen = libc::socklen_t::from(slot.name.len);
            if slot.control.len > 0 {
                header.msg_hdr.msg_control = slot.control.bytes.as_mut_ptr().cast();
                header.msg_hdr.msg_controllen = slot.control.len as _;
            }
            self.headers.push(header);
        }
    }
}

const NO_VECTOR: libc::iovec = libc::iovec {
    iov_base: std::ptr::null_mut(),
    iov_len: 0,
};

// SAFETY: a structure of integers and pointers, for which all zeros (null) is a value.
const NO_HEADER: libc::mmsghdr = unsafe { std::mem::zeroed() };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ancillary_data_is_read_as_it_was_written() {
        let src = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 7);
        let control = Control::v6(src, 5, 255);
        let messages: Vec<_> = control.messages().collect();
        let mut info = src.octets().to_vec();
        info.extend_from_slice(&5u32.to_ne_bytes());
        assert_eq!(
            messages,
            [
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info[..]),
                (
                    libc::IPPROTO_IPV6,
                    libc::IPV6_HOPLIMIT,
                    &255i32.to_ne_bytes()[..]
                ),
            ]
        );
    }

    #[test]
    fn cut_or_lying_ancillary_data_ends_the_walk() {
        let whole = Control::v6(Ipv6Addr::LOCALHOST, 1, 64);
        for len in 0..whole.len {
            let cut = Control { len, ..whole };
            assert!(cut.messages().count() < 3);
        }
        for lie in [0, 1, CONTROL_HEADER - 1, usize::MAX, CONTROL_MAX + 1] {
            let mut lying = whole;
            lying.bytes[..size_of::<usize>()].copy_from_slice(&lie.to_ne_bytes());
            assert_eq!(lying.messages().count(), 0, "length {lie}");
        }
    }
}
