//! rtnetlink messages of links and addresses.
//!
//! Requests are built with neli's types. Replies are read by a length-checked walk of our own that
//! borrows and never allocates: neli's typed decoding copies every attribute, refuses the whole
//! message for one odd attribute, and overflows on a truncated NLMSG_ERROR.

use std::io::Cursor;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use neli::consts::nl::{NlmF, Nlmsg};
use neli::consts::rtnl::{Ifa, Ifla, RtAddrFamily, RtScope, RtaType, Rtm};
use neli::nl::{NlPayload, Nlmsghdr, NlmsghdrBuilder};
use neli::rtnl::{IfaddrmsgBuilder, IfinfomsgBuilder, Rtattr, RtattrBuilder};
use neli::types::{Buffer, RtBuffer};
use neli::{Size, ToBytes};
use relevo_core::ids::{Errno, Family, IfIndex};
use relevo_core::kernel::{AddressAttrs, AddressKey, KernelEvent, KernelOp, Link, ROUTE_PROTOCOL};

/// Who installed an address: newer than neli's and libc's tables. Kernels before 5.18 ignore it.
const IFA_PROTO: u16 = 11;

/// linux/if_link.h: the settings of IPv6 on an interface, as an array of 32-bit numbers; the first
/// is `forwarding`. Newer than neli's and libc's tables.
const IFLA_INET6_CONF: u16 = 2;

/// Octets of nlmsghdr.
const HEADER: usize = 16;

/// Where the flags are in a nlmsghdr.
const FLAGS_AT: usize = 6;

/// Octets of ifaddrmsg.
const ADDRESS_HEADER: usize = 8;

/// Octets of ifinfomsg.
const LINK_HEADER: usize = 16;

/// A lifetime without an end.
const FOREVER: u32 = u32::MAX;

/// What neli refuses to encode is nothing that the kernel would take.
const EINVAL: Errno = Errno(libc::EINVAL);

/// Which table to ask for as a whole.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Table {
    /// Interfaces.
    Links,
    /// Addresses of both families.
    Addresses,
}

/// Appends the request for `change`; a refusal will carry `seq`, success is not answered unless
/// [`ask_for_answer`] is called on it.
pub(crate) fn encode_change(
    into: &mut Cursor<Vec<u8>>,
    seq: u32,
    change: &KernelOp,
) -> Result<(), Errno> {
    let flags = NlmF::REQUEST;
    match change {
        KernelOp::AddAddress { key, attrs } => {
            let flags = flags | NlmF::CREATE | NlmF::EXCL;
            append(into, seq, Rtm::Newaddr, flags, address(key, Some(attrs))?)
        }
        KernelOp::DelAddress { key } => append(into, seq, Rtm::Deladdr, flags, address(key, None)?),
    }
}

/// Sets NLM_F_ACK in an encoded request: its success is answered too, not only its failure.
pub(crate) fn ask_for_answer(request: &mut [u8]) {
    if let Some(octets) = request.get_mut(FLAGS_AT..FLAGS_AT + 2)
        && let Some(now) = octets.first_chunk().copied().map(u16::from_ne_bytes)
    {
        let asked = now | libc::NLM_F_ACK as u16;
        octets.copy_from_slice(&asked.to_ne_bytes());
    }
}

/// Appends the request for a whole table; every message of the answer carries `seq`.
pub(crate) fn encode_dump(into: &mut Cursor<Vec<u8>>, seq: u32, table: Table) -> Result<(), Errno> {
    let flags = NlmF::REQUEST | NlmF::DUMP;
    match table {
        Table::Links => {
            // Without its counters an interface needs a fraction of the room.
            let filter = libc::RTEXT_FILTER_SKIP_STATS.cast_unsigned();
            let links = IfinfomsgBuilder::default()
                .ifi_family(RtAddrFamily::Unspecified)
                .rtattrs(RtBuffer::from_iter([attribute(Ifla::ExtMask, filter)?]))
                .build()
                .map_err(|_| EINVAL)?;
            append(into, seq, Rtm::Getlink, flags, links)
        }
        Table::Addresses => {
            let addresses = IfaddrmsgBuilder::default()
                .ifa_family(RtAddrFamily::Unspecified)
                .ifa_prefixlen(0)
                .ifa_scope(RtScope::Universe)
                .ifa_index(0)
                .build()
                .map_err(|_| EINVAL)?;
            append(into, seq, Rtm::Getaddr, flags, addresses)
        }
    }
}

fn append<P: Size + ToBytes>(
    into: &mut Cursor<Vec<u8>>,
    seq: u32,
    kind: Rtm,
    flags: NlmF,
    payload: P,
) -> Result<(), Errno> {
    let message: Nlmsghdr<Rtm, P> = NlmsghdrBuilder::default()
        .nl_type(kind)
        .nl_flags(flags)
        .nl_seq(seq)
        .nl_payload(NlPayload::Payload(payload))
        .build()
        .map_err(|_| EINVAL)?;
    let start = into.position();
    message.to_bytes(into).map_err(|_| {
        // Half a message would make the kernel refuse what follows it.
        into.get_mut().truncate(start as usize);
        into.set_position(start);
        EINVAL
    })
}

fn attribute<T: RtaType + Size, P: Size + ToBytes>(
    kind: T,
    payload: P,
) -> Result<Rtattr<T, Buffer>, Errno> {
    RtattrBuilder::default()
        .rta_type(kind)
        .rta_payload(payload)
        .build()
        .map_err(|_| EINVAL)
}

fn address(key: &AddressKey, attrs: Option<&AddressAttrs>) -> Result<neli::rtnl::Ifaddrmsg, Errno> {
    let family = match key.addr {
        IpAddr::V4(_) => RtAddrFamily::Inet,
        IpAddr::V6(_) => RtAddrFamily::Inet6,
    };
    let mut list = RtBuffer::new();
    match key.addr {
        IpAddr::V4(addr) => {
            list.push(attribute(Ifa::Local, addr.octets())?);
            list.push(attribute(Ifa::Address, addr.octets())?);
        }
        IpAddr::V6(addr) => {
            list.push(attribute(Ifa::Local, addr.octets())?);
            list.push(attribute(Ifa::Address, addr.octets())?);
        }
    }
    if let Some(attrs) = attrs {
        address_attributes(&mut list, key, attrs)?;
    }
    IfaddrmsgBuilder::default()
        .ifa_family(family)
        .ifa_prefixlen(key.prefix)
        .ifa_scope(RtScope::from(attrs.map_or(0, |attrs| attrs.scope)))
        .ifa_index(key.ifindex.0)
        .rtattrs(list)
        .build()
        .map_err(|_| EINVAL)
}

fn address_attributes(
    list: &mut RtBuffer<Ifa, Buffer>,
    key: &AddressKey,
    attrs: &AddressAttrs,
) -> Result<(), Errno> {
    let v4 = Family::of(key.addr) == Family::V4;
    if v4 && let Some(broadcast) = attrs.broadcast {
        list.push(attribute(Ifa::Broadcast, broadcast.octets())?);
    }
    if v4 && let Some(label) = &attrs.label {
        list.push(attribute(Ifa::Label, label.as_str())?);
    }
    let mut flags = 0;
    if attrs.nodad && !v4 {
        flags |= libc::IFA_F_NODAD;
    }
    if attrs.no_prefix_route {
        flags |= libc::IFA_F_NOPREFIXROUTE;
    }
    if flags != 0 {
        list.push(attribute(Ifa::Flags, flags)?);
    }
    if attrs.deprecated && !v4 {
        // ifa_cacheinfo: preferred and valid lifetime, then two stamps that the kernel sets.
        let mut lifetimes = [0; 16];
        lifetimes[4..8].copy_from_slice(&FOREVER.to_ne_bytes());
        list.push(attribute(Ifa::Cacheinfo, lifetimes)?);
    }
    list.push(attribute(Ifa::from(IFA_PROTO), ROUTE_PROTOCOL)?);
    Ok(())
}

/// Bytes that are not what their lengths say.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Malformed;

/// One netlink message: its header and what follows it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Message<'a> {
    /// What it is.
    pub(crate) kind: u16,
    /// NLM_F_*.
    pub(crate) flags: u16,
    /// The number of the request that it answers; 0 for news.
    pub(crate) seq: u32,
    payload: &'a [u8],
}

/// The messages of one datagram; ends with an error if a length is a lie.
pub(crate) fn messages(datagram: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Malformed>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let message = first_message(rest);
        rest = match message {
            // The last message need not be padded.
            Ok((_, len)) => rest.get(len.next_multiple_of(4)..).unwrap_or_default(),
            Err(_) => &[],
        };
        Some(message.map(|(message, _)| message))
    })
}

fn first_message(bytes: &[u8]) -> Result<(Message<'_>, usize), Malformed> {
    let len = u32_at(bytes, 0).ok_or(Malformed)? as usize;
    let message = Message {
        kind: u16_at(bytes, 4).ok_or(Malformed)?,
        flags: u16_at(bytes, 6).ok_or(Malformed)?,
        seq: u32_at(bytes, 8).ok_or(Malformed)?,
        payload: bytes.get(HEADER..len).ok_or(Malformed)?,
    };
    Ok((message, len))
}

/// What a message means to us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Meaning<'a> {
    /// News, or a row of a table.
    Event(KernelEvent<'a>),
    /// The answer to one request.
    Answer(Result<(), Errno>),
    /// A table is complete, or could not be told.
    TableEnd(Result<(), Errno>),
    /// The kernel lost messages.
    Overrun,
    /// Nothing that concerns us.
    Nothing,
}

impl<'a> Message<'a> {
    /// True if a table changed while it was told, so that it may be inconsistent.
    pub(crate) fn interrupted(&self) -> bool {
        self.flags & NlmF::DUMP_INTR.bits() != 0
    }

    /// Reads the rest of the message.
    pub(crate) fn decode(&self) -> Result<Meaning<'a>, Malformed> {
        if self.kind == u16::from(Nlmsg::Error) {
            let code = u32_at(self.payload, 0).ok_or(Malformed)?;
            return Ok(Meaning::Answer(result_of(code)));
        }
        if self.kind == u16::from(Nlmsg::Done) {
            // Old kernels send no code.
            let code = u32_at(self.payload, 0).unwrap_or(0);
            return Ok(Meaning::TableEnd(result_of(code)));
        }
        if self.kind == u16::from(Nlmsg::Overrun) {
            return Ok(Meaning::Overrun);
        }
        match Rtm::from(self.kind) {
            Rtm::Newlink => self.link(),
            Rtm::Dellink => self.link_gone(),
            Rtm::Newaddr => self.address(),
            Rtm::Deladdr => self.address_gone(),
            _ => Ok(Meaning::Nothing),
        }
    }

    /// True for messages that tell of another family's view of a link: leaving a bridge, for
    /// example, is told as a deletion in the family of bridges while the link lives on.
    fn partial_link(&self) -> bool {
        self.payload.first().copied() != Some(libc::AF_UNSPEC as u8)
    }

    fn link_index(&self) -> Result<IfIndex, Malformed> {
        match u32_at(self.payload, 4) {
            Some(0) | None => Err(Malformed),
            Some(ifindex) => Ok(IfIndex(ifindex)),
        }
    }

    fn link(&self) -> Result<Meaning<'a>, Malformed> {
        if self.partial_link() {
            return Ok(Meaning::Nothing);
        }
        let ifindex = self.link_index()?;
        let flags = u32_at(self.payload, 8).ok_or(Malformed)?;
        let attributes = self.payload.get(LINK_HEADER..).ok_or(Malformed)?;
        let (mut name, mut mac, mut mtu, mut forwarding) = (None, &[][..], None, false);
        for attribute in attributes_of(attributes) {
            let (kind, value) = attribute?;
            match Ifla::from(kind) {
                Ifla::Ifname => name = Some(text(value)?),
                Ifla::Address => mac = value,
                Ifla::Mtu => mtu = Some(u32_at(value, 0).ok_or(Malformed)?),
                Ifla::AfSpec => forwarding = forwarding_v6(value)?,
                // News of a wireless driver, without the link's own values.
                Ifla::Wireless => return Ok(Meaning::Nothing),
                _ => {}
            }
        }
        let has = |flag: i32| flags & flag.cast_unsigned() != 0;
        let (Some(name), Some(mtu)) = (name, mtu) else {
            return Err(Malformed);
        };
        Ok(Meaning::Event(KernelEvent::Link(Link {
            ifindex,
            name,
            mac,
            admin_up: has(libc::IFF_UP),
            running: has(libc::IFF_RUNNING),
            loopback: has(libc::IFF_LOOPBACK),
            no_arp: has(libc::IFF_NOARP),
            multicast: has(libc::IFF_MULTICAST),
            forwarding,
            mtu,
        })))
    }

    fn link_gone(&self) -> Result<Meaning<'a>, Malformed> {
        if self.partial_link() {
            return Ok(Meaning::Nothing);
        }
        let ifindex = self.link_index()?;
        Ok(Meaning::Event(KernelEvent::LinkGone { ifindex }))
    }

    fn address(&self) -> Result<Meaning<'a>, Malformed> {
        let Some(row) = AddressRow::read(self.payload)? else {
            return Ok(Meaning::Nothing);
        };
        let has = |flag: u32| row.flags & flag != 0;
        let v4 = Family::of(row.key.addr) == Family::V4;
        Ok(Meaning::Event(KernelEvent::Address {
            key: row.key,
            tentative: has(libc::IFA_F_TENTATIVE) && !has(libc::IFA_F_OPTIMISTIC),
            dad_failed: has(libc::IFA_F_DADFAILED),
            // In IPv6 the same bit marks a temporary address.
            secondary: v4 && has(libc::IFA_F_SECONDARY),
            protocol: row.protocol,
        }))
    }

    fn address_gone(&self) -> Result<Meaning<'a>, Malformed> {
        Ok(match AddressRow::read(self.payload)? {
            Some(row) => Meaning::Event(KernelEvent::AddressGone { key: row.key }),
            None => Meaning::Nothing,
        })
    }
}

/// IPv6's `forwarding` in what the address families say of an interface.
fn forwarding_v6(families: &[u8]) -> Result<bool, Malformed> {
    for family in attributes_of(families) {
        let (family, settings) = family?;
        if i32::from(family) != libc::AF_INET6 {
            continue;
        }
        for setting in attributes_of(settings) {
            let (kind, value) = setting?;
            if kind == IFLA_INET6_CONF {
                return Ok(u32_at(value, 0).ok_or(Malformed)? != 0);
            }
        }
    }
    Ok(false)
}

/// The part of an address message that we read.
struct AddressRow {
    key: AddressKey,
    flags: u32,
    protocol: u8,
}

impl AddressRow {
    /// `None` for a family other than IPv4 and IPv6.
    fn read(payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let header = payload.first_chunk::<ADDRESS_HEADER>().ok_or(Malformed)?;
        let [family, prefix, flags, _scope, ..] = *header;
        let family = match i32::from(family) {
            libc::AF_INET => Family::V4,
            libc::AF_INET6 => Family::V6,
            _ => return Ok(None),
        };
        let ifindex = IfIndex(u32_at(header, 4).ok_or(Malformed)?);
        if ifindex.0 == 0 || prefix > family.prefix_max() {
            return Err(Malformed);
        }
        let mut flags = u32::from(flags);
        let (mut local, mut address, mut protocol) = (None, None, 0);
        for attribute in attributes_of(payload.get(ADDRESS_HEADER..).unwrap_or_default()) {
            let (kind, value) = attribute?;
            match Ifa::from(kind) {
                Ifa::Local => local = Some(ip(family, value)?),
                Ifa::Address => address = Some(ip(family, value)?),
                Ifa::Flags => flags = u32_at(value, 0).ok_or(Malformed)?,
                _ if kind == IFA_PROTO => protocol = *value.first().ok_or(Malformed)?,
                _ => {}
            }
        }
        // On a point-to-point interface IFA_ADDRESS is the other end.
        let addr = local.or(address).ok_or(Malformed)?;
        let key = AddressKey {
            ifindex,
            addr,
            prefix,
        };
        Ok(Some(Self {
            key,
            flags,
            protocol,
        }))
    }
}

/// Type and value of each attribute; ends with an error if a length is a lie.
fn attributes_of(bytes: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8]), Malformed>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let attribute = first_attribute(rest);
        rest = match attribute {
            Some((_, value)) => {
                let len = (4 + value.len()).next_multiple_of(4);
                rest.get(len..).unwrap_or_default()
            }
            None => &[],
        };
        Some(attribute.ok_or(Malformed))
    })
}

fn first_attribute(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let len = usize::from(u16_at(bytes, 0)?);
    // The two highest bits say how the value is to be read, not what it is.
    let kind = u16_at(bytes, 2)? & 0x3fff;
    Some((kind, bytes.get(4..len)?))
}

/// A text that ends with a zero.
fn text(value: &[u8]) -> Result<&str, Malformed> {
    let text = value.split(|&octet| octet == 0).next().unwrap_or_default();
    std::str::from_utf8(text).map_err(|_| Malformed)
}

fn ip(family: Family, value: &[u8]) -> Result<IpAddr, Malformed> {
    match family {
        Family::V4 => <[u8; 4]>::try_from(value).map(|octets| Ipv4Addr::from(octets).into()),
        Family::V6 => <[u8; 16]>::try_from(value).map(|octets| Ipv6Addr::from(octets).into()),
    }
    .map_err(|_| Malformed)
}

/// The kernel tells errors as negative numbers; any other is none of its own.
fn result_of(code: u32) -> Result<(), Errno> {
    match code.cast_signed() {
        0 => Ok(()),
        code => {
            let errno = code.checked_neg().filter(|errno| *errno > 0);
            Err(Errno(errno.unwrap_or(libc::EIO)))
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let octets = bytes.get(at..)?.first_chunk::<2>()?;
    Some(u16::from_ne_bytes(*octets))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let octets = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_ne_bytes(*octets))
}
