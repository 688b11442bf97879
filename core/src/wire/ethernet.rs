//! Ethernet II frames and the MAC addresses of VRRP.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                     Destination MAC Address                   |
//! +                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                               |                               |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
//! |                       Source MAC Address                      |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |           EtherType           |  payload, 46 octets or more   |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! RFC 894 (IPv4), RFC 2464 (IPv6), RFC 826 (ARP). Frames are emitted unpadded: the network card
//! pads them.

use std::net::{Ipv4Addr, Ipv6Addr};

use byteorder::{ByteOrder, NetworkEndian};

use crate::wire::WireError;

/// A MAC address.
pub type Mac = [u8; 6];

/// Octets before the payload.
pub const HEADER_LEN: usize = 14;

/// EtherType of IPv4.
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub const ETHERTYPE_ARP: u16 = 0x0806;
/// EtherType of IPv6.
pub const ETHERTYPE_IPV6: u16 = 0x86dd;

/// Every station of the link.
pub const BROADCAST: Mac = [0xff; 6];
/// The MAC address of 224.0.0.18, the group of VRRP over IPv4.
pub const VRRP_GROUP_V4: Mac = multicast_v4(Ipv4Addr::new(224, 0, 0, 18));
/// The MAC address of ff02::12, the group of VRRP over IPv6.
pub const VRRP_GROUP_V6: Mac = multicast_v6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12));
/// The MAC address of ff02::1, all nodes of an IPv6 link.
pub const ALL_NODES_V6: Mac = multicast_v6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1));

/// The MAC address of an IPv4 group: the low 23 bits behind 01:00:5e (RFC 1112 section 6.4).
pub const fn multicast_v4(group: Ipv4Addr) -> Mac {
    let [_, b, c, d] = group.octets();
    [0x01, 0x00, 0x5e, b & 0x7f, c, d]
}

/// The MAC address of an IPv6 group: the low 32 bits behind 33:33 (RFC 2464 section 7).
pub const fn multicast_v6(group: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = group.octets();
    [0x33, 0x33, a, b, c, d]
}

/// The virtual router's MAC address for IPv4, 00-00-5e-00-01-VRID (RFC 9568 section 7.3).
pub const fn virtual_router_v4(vrid: u8) -> Mac {
    [0x00, 0x00, 0x5e, 0x00, 0x01, vrid]
}

/// The virtual router's MAC address for IPv6, 00-00-5e-00-02-VRID (RFC 9568 section 7.3).
pub const fn virtual_router_v6(vrid: u8) -> Mac {
    [0x00, 0x00, 0x5e, 0x00, 0x02, vrid]
}

/// True for the broadcast address and for every group: the lowest bit of the first octet.
pub const fn is_multicast(mac: Mac) -> bool {
    mac[0] & 1 != 0
}

/// The MAC address at the start of `octets`; zeros if there are fewer than six.
pub(crate) fn read_mac(octets: &[u8]) -> Mac {
    octets.first_chunk().copied().unwrap_or_default()
}

mod field {
    use std::ops::Range;

    pub(super) const DST: Range<usize> = 0..6;
    pub(super) const SRC: Range<usize> = 6..12;
    pub(super) const ETHERTYPE: Range<usize> = 12..14;
}

/// The octets of a frame.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    header: &'a [u8; HEADER_LEN],
    payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Takes `data` for a frame if it has a whole header.
    ///
    /// # Errors
    /// [`WireError::Truncated`] below 14 octets.
    pub fn new_checked(data: &'a [u8]) -> Result<Self, WireError> {
        let (header, payload) = data.split_first_chunk().ok_or(WireError::Truncated)?;
        Ok(Self { header, payload })
    }

    /// Destination.
    pub fn dst(&self) -> Mac {
        read_mac(&self.header[field::DST])
    }

    /// Source.
    pub fn src(&self) -> Mac {
        read_mac(&self.header[field::SRC])
    }

    /// What the payload is.
    pub fn ethertype(&self) -> u16 {
        NetworkEndian::read_u16(&self.header[field::ETHERTYPE])
    }

    /// All octets behind the header, padding included.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// The meaning of a frame's header.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Repr {
    /// Destination.
    pub dst: Mac,
    /// Source.
    pub src: Mac,
    /// What the payload is.
    pub ethertype: u16,
}

impl Repr {
    /// The meaning of `packet`'s header.
    pub fn parse(packet: &Packet<'_>) -> Self {
        Self {
            dst: packet.dst(),
            src: packet.src(),
            ethertype: packet.ethertype(),
        }
    }

    /// Appends the header; the payload is to follow.
    pub fn emit(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.dst);
        into.extend_from_slice(&self.src);
        into.extend_from_slice(&self.ethertype.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::testdata;

    #[test]
    fn a_captured_frame() {
        let packet = Packet::new_checked(testdata::V2_PASS).unwrap();
        assert_eq!(packet.dst(), VRRP_GROUP_V4);
        assert_eq!(packet.src(), testdata::MAC);
        assert_eq!(packet.ethertype(), ETHERTYPE_IPV4);
        assert_eq!(packet.payload(), &testdata::V2_PASS[14..]);

        let mut emitted = Vec::new();
        Repr::parse(&packet).emit(&mut emitted);
        assert_eq!(emitted, testdata::V2_PASS[..14]);
    }

    #[test]
    fn the_addresses_of_vrrp() {
        assert_eq!(VRRP_GROUP_V4, [0x01, 0x00, 0x5e, 0x00, 0x00, 0x12]);
        assert_eq!(VRRP_GROUP_V6, [0x33, 0x33, 0x00, 0x00, 0x00, 0x12]);
        assert_eq!(ALL_NODES_V6, [0x33, 0x33, 0x00, 0x00, 0x00, 0x01]);
        assert_eq!(virtual_router_v4(51), [0x00, 0x00, 0x5e, 0x00, 0x01, 0x33]);
        assert_eq!(virtual_router_v6(51), [0x00, 0x00, 0x5e, 0x00, 0x02, 0x33]);
        // Of an IPv4 group's 28 bits only 23 reach the MAC address.
        assert_eq!(
            multicast_v4(Ipv4Addr::new(239, 129, 2, 3)),
            [0x01, 0x00, 0x5e, 0x01, 0x02, 0x03]
        );
        assert!(is_multicast(BROADCAST) && is_multicast(VRRP_GROUP_V6));
        assert!(!is_multicast(virtual_router_v4(1)));
    }

    #[test]
    fn short_frames_are_refused() {
        for len in 0..HEADER_LEN {
            let cut = &testdata::V2_PASS[..len];
            assert_eq!(Packet::new_checked(cut), Err(WireError::Truncated));
        }
        assert!(Packet::new_checked(&testdata::V2_PASS[..HEADER_LEN]).is_ok());
    }

    proptest! {
        #[test]
        fn round_trip(dst: Mac, src: Mac, ethertype: u16) {
            let repr = Repr { dst, src, ethertype };
            let mut bytes = vec![1, 2, 3];
            repr.emit(&mut bytes);
            prop_assert_eq!(&bytes[..3], &[1, 2, 3]);
            prop_assert_eq!(Repr::parse(&Packet::new_checked(&bytes[3..]).unwrap()), repr);
        }
    }
}
