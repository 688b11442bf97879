//! IPv6 headers: RFC 8200 section 3.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Version| Traffic Class |           Flow Label                  |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |         Payload Length        |  Next Header  |   Hop Limit   |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                   Source Address, 16 octets                   |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                Destination Address, 16 octets                 |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use std::net::Ipv6Addr;

use byteorder::{ByteOrder, NetworkEndian};

use crate::wire::WireError;

/// Octets of the header.
pub const HEADER_LEN: usize = 40;

/// Next header of ICMPv6 (RFC 4443 section 1).
pub const NEXT_HEADER_ICMPV6: u8 = 58;

/// Every node of the link (RFC 4291 section 2.7.1).
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

mod field {
    use std::ops::Range;

    pub(super) const VERSION_CLASS_FLOW: Range<usize> = 0..4;
    pub(super) const PAYLOAD_LEN: Range<usize> = 4..6;
    pub(super) const NEXT_HEADER: usize = 6;
    pub(super) const HOP_LIMIT: usize = 7;
    pub(super) const SRC: Range<usize> = 8..24;
    pub(super) const DST: Range<usize> = 24..40;
}

/// The octets of a packet.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    header: &'a [u8; HEADER_LEN],
    payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Takes `data` for a packet if it is of version 6 and has a whole header. The payload length
    /// is not judged.
    ///
    /// # Errors
    /// [`WireError::Truncated`] below 40 octets; [`WireError::Version`] if it is not IPv6.
    pub fn new_checked(data: &'a [u8]) -> Result<Self, WireError> {
        let (header, payload): (&[u8; HEADER_LEN], _) =
            data.split_first_chunk().ok_or(WireError::Truncated)?;
        if header[0] >> 4 != 6 {
            return Err(WireError::Version);
        }
        Ok(Self { header, payload })
    }

    fn class_flow(&self) -> u32 {
        NetworkEndian::read_u32(&self.header[field::VERSION_CLASS_FLOW])
    }

    /// Traffic class.
    pub fn traffic_class(&self) -> u8 {
        (self.class_flow() >> 20 & 0xff) as u8
    }

    /// Flow label, 20 bits.
    pub fn flow_label(&self) -> u32 {
        self.class_flow() & 0x000f_ffff
    }

    /// Octets behind the header, as the sender says.
    pub fn payload_len(&self) -> u16 {
        NetworkEndian::read_u16(&self.header[field::PAYLOAD_LEN])
    }

    /// What follows the header: an extension header or the payload.
    pub const fn next_header(&self) -> u8 {
        self.header[field::NEXT_HEADER]
    }

    /// Hop limit.
    pub const fn hop_limit(&self) -> u8 {
        self.header[field::HOP_LIMIT]
    }

    /// Source.
    pub fn src(&self) -> Ipv6Addr {
        Ipv6Addr::from(NetworkEndian::read_u128(&self.header[field::SRC]))
    }

    /// Destination.
    pub fn dst(&self) -> Ipv6Addr {
        Ipv6Addr::from(NetworkEndian::read_u128(&self.header[field::DST]))
    }

    /// All octets behind the header up to the end of the buffer, whatever the payload length says.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// The meaning of a header; the flow label is 0 on sending and ignored on reception.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Repr {
    /// Traffic class.
    pub traffic_class: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Protocol of the payload.
    pub next_header: u8,
    /// Source.
    pub src: Ipv6Addr,
    /// Destination.
    pub dst: Ipv6Addr,
    /// Octets of the payload, at most 65,535.
    pub payload_len: usize,
}

impl Repr {
    /// The meaning of `packet`'s header. Octets behind the payload length are padding and allowed:
    /// the payload is the first [`payload_len`](Self::payload_len) of [`Packet::payload`].
    ///
    /// # Errors
    /// [`WireError::Length`] if the buffer is shorter than header and payload.
    pub fn parse(packet: &Packet<'_>) -> Result<Self, WireError> {
        let payload_len = usize::from(packet.payload_len());
        if payload_len > packet.payload().len() {
            return Err(WireError::Length);
        }
        Ok(Self {
            traffic_class: packet.traffic_class(),
            hop_limit: packet.hop_limit(),
            next_header: packet.next_header(),
            src: packet.src(),
            dst: packet.dst(),
            payload_len,
        })
    }

    /// Appends the header; the payload is to follow.
    pub fn emit(&self, into: &mut Vec<u8>) {
        let payload_len = u16::try_from(self.payload_len).unwrap_or(u16::MAX);
        let class_flow = 6 << 28 | u32::from(self.traffic_class) << 20;
        let mut header = [0; HEADER_LEN];
        NetworkEndian::write_u32(&mut header[field::VERSION_CLASS_FLOW], class_flow);
        NetworkEndian::write_u16(&mut header[field::PAYLOAD_LEN], payload_len);
        header[field::NEXT_HEADER] = self.next_header;
        header[field::HOP_LIMIT] = self.hop_limit;
        header[field::SRC].copy_from_slice(&self.src.octets());
        header[field::DST].copy_from_slice(&self.dst.octets());
        into.extend_from_slice(&header);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{testdata, vrrp};

    #[test]
    fn deconstruct() {
        let packet = Packet::new_checked(&testdata::V3_IPV6[14..]).unwrap();
        assert_eq!(packet.traffic_class(), 0xc0);
        assert_eq!(packet.flow_label(), 0xbe1fc);
        assert_eq!(packet.payload_len(), 40);
        assert_eq!(packet.next_header(), vrrp::PROTOCOL);
        assert_eq!(packet.hop_limit(), vrrp::HOP_LIMIT);
        assert_eq!(packet.src(), testdata::LINK_LOCAL);
        assert_eq!(packet.dst(), vrrp::GROUP_V6);
        assert_eq!(packet.payload(), &testdata::V3_IPV6[54..]);
    }

    #[test]
    fn a_captured_header_is_emitted_again() {
        let frame = testdata::NA_GLOBAL;
        let packet = Packet::new_checked(&frame[14..]).unwrap();
        let repr = Repr::parse(&packet).unwrap();
        assert_eq!(repr.dst, ALL_NODES);
        assert_eq!(repr.next_header, NEXT_HEADER_ICMPV6);
        let mut bytes = vec![0xaa];
        repr.emit(&mut bytes);
        assert_eq!(bytes[0], 0xaa);
        assert_eq!(bytes[1..], frame[14..54]);
    }

    #[test]
    fn what_is_refused() {
        let octets = &testdata::NA_GLOBAL[14..];
        for len in 0..HEADER_LEN {
            let cut = Packet::new_checked(&octets[..len]);
            assert_eq!(cut, Err(WireError::Truncated));
        }
        for len in HEADER_LEN..octets.len() {
            let cut = Packet::new_checked(&octets[..len]).unwrap();
            assert_eq!(Repr::parse(&cut), Err(WireError::Length));
        }
        let mut other = octets.to_vec();
        other[0] = 0x45;
        assert_eq!(Packet::new_checked(&other), Err(WireError::Version));
    }

    proptest! {
        #[test]
        fn round_trip(
            (traffic_class, hop_limit, next_header) in any::<(u8, u8, u8)>(),
            (src, dst) in any::<(u128, u128)>(),
            (payload_len, padding) in (0usize..100, 0usize..10),
        ) {
            let (src, dst) = (Ipv6Addr::from(src), Ipv6Addr::from(dst));
            let repr = Repr { traffic_class, hop_limit, next_header, src, dst, payload_len };
            let mut bytes = Vec::new();
            repr.emit(&mut bytes);
            bytes.resize(HEADER_LEN + payload_len + padding, 0x55);
            let packet = Packet::new_checked(&bytes).unwrap();
            prop_assert_eq!(packet.flow_label(), 0);
            prop_assert_eq!(Repr::parse(&packet), Ok(repr));
        }

        #[test]
        fn any_octets_are_read_or_refused(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..100),
            class: u8,
        ) {
            if let Some(first) = bytes.first_mut() {
                *first = 0x60 | class >> 4;
            }
            if let Ok(packet) = Packet::new_checked(&bytes) {
                prop_assert_eq!(packet.payload().len(), bytes.len() - HEADER_LEN);
                if let Ok(repr) = Repr::parse(&packet) {
                    prop_assert!(repr.payload_len <= packet.payload().len());
                }
            } else {
                prop_assert!(bytes.len() < HEADER_LEN);
            }
        }
    }
}
