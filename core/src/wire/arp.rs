//! ARP for IPv4 over Ethernet: RFC 826.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |      Hardware Type (1)        |    Protocol Type (0x0800)     |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |  HW Len (6)   | Proto Len (4) |           Operation           |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                Sender Hardware Address                        |
//! +                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                               |   Sender Protocol Address     |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |   Sender Protocol Address     |                               |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
//! |                Target Hardware Address                        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                Target Protocol Address                        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! A gratuitous ARP (RFC 5227 section 3, RFC 9568 section 6.4.2) tells every neighbour under
//! which hardware address a virtual address is now to be found.

use std::net::Ipv4Addr;

use byteorder::{ByteOrder, NetworkEndian};

use crate::wire::WireError;
use crate::wire::ethernet::{self, ETHERTYPE_ARP, ETHERTYPE_IPV4, Mac};

/// Octets of a packet.
pub const PACKET_LEN: usize = 28;
/// Octets of the frame that [`gratuitous`] writes.
pub const FRAME_LEN: usize = ethernet::HEADER_LEN + PACKET_LEN;

/// Hardware type of Ethernet, which is also that of Wi-Fi.
const HARDWARE_ETHERNET: u16 = 1;
const HARDWARE_LEN: u8 = 6;
const PROTOCOL_LEN: u8 = 4;

mod field {
    use std::ops::Range;

    pub(super) const HARDWARE_TYPE: Range<usize> = 0..2;
    pub(super) const PROTOCOL_TYPE: Range<usize> = 2..4;
    pub(super) const HARDWARE_LEN: usize = 4;
    pub(super) const PROTOCOL_LEN: usize = 5;
    pub(super) const OPERATION: Range<usize> = 6..8;
    pub(super) const SENDER_MAC: Range<usize> = 8..14;
    pub(super) const SENDER_ADDR: Range<usize> = 14..18;
    pub(super) const TARGET_MAC: Range<usize> = 18..24;
    pub(super) const TARGET_ADDR: Range<usize> = 24..28;
}

/// What an ARP packet is for.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Operation {
    /// Who has the target address? Tell the sender.
    Request,
    /// The sender has the sender address.
    Reply,
}

impl Operation {
    /// The number in the packet.
    pub const fn number(self) -> u16 {
        match self {
            Self::Request => 1,
            Self::Reply => 2,
        }
    }

    const fn from_number(number: u16) -> Option<Self> {
        match number {
            1 => Some(Self::Request),
            2 => Some(Self::Reply),
            _ => None,
        }
    }
}

/// The octets of a packet with addresses of Ethernet and IPv4.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    data: &'a [u8; PACKET_LEN],
}

impl<'a> Packet<'a> {
    /// Takes `data` for a packet if it is for IPv4 over Ethernet. What follows is padding.
    ///
    /// # Errors
    /// [`WireError::Truncated`] below 28 octets; [`WireError::Field`] if a type is another one;
    /// [`WireError::Length`] if a length is not that of its type.
    pub fn new_checked(data: &'a [u8]) -> Result<Self, WireError> {
        let data: &[u8; PACKET_LEN] = data.first_chunk().ok_or(WireError::Truncated)?;
        if NetworkEndian::read_u16(&data[field::HARDWARE_TYPE]) != HARDWARE_ETHERNET
            || NetworkEndian::read_u16(&data[field::PROTOCOL_TYPE]) != ETHERTYPE_IPV4
        {
            return Err(WireError::Field);
        }
        if data[field::HARDWARE_LEN] != HARDWARE_LEN || data[field::PROTOCOL_LEN] != PROTOCOL_LEN {
            return Err(WireError::Length);
        }
        Ok(Self { data })
    }

    /// Operation: 1 is a request, 2 a reply.
    pub fn operation(&self) -> u16 {
        NetworkEndian::read_u16(&self.data[field::OPERATION])
    }

    /// The sender's hardware address.
    pub fn sender_mac(&self) -> Mac {
        ethernet::read_mac(&self.data[field::SENDER_MAC])
    }

    /// The sender's address.
    pub fn sender_addr(&self) -> Ipv4Addr {
        Ipv4Addr::from(NetworkEndian::read_u32(&self.data[field::SENDER_ADDR]))
    }

    /// The target's hardware address; without meaning in a request.
    pub fn target_mac(&self) -> Mac {
        ethernet::read_mac(&self.data[field::TARGET_MAC])
    }

    /// The target's address.
    pub fn target_addr(&self) -> Ipv4Addr {
        Ipv4Addr::from(NetworkEndian::read_u32(&self.data[field::TARGET_ADDR]))
    }
}

/// The meaning of a packet.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Repr {
    /// What it is for.
    pub operation: Operation,
    /// The sender's hardware address.
    pub sender_mac: Mac,
    /// The sender's address.
    pub sender_addr: Ipv4Addr,
    /// The target's hardware address.
    pub target_mac: Mac,
    /// The target's address.
    pub target_addr: Ipv4Addr,
}

impl Repr {
    /// The announcement of `addr` at `mac`: a request for its own address. The target's hardware
    /// address, of which RFC 5227 says nothing, is the broadcast address, as keepalived has it.
    pub const fn gratuitous(mac: Mac, addr: Ipv4Addr) -> Self {
        Self {
            operation: Operation::Request,
            sender_mac: mac,
            sender_addr: addr,
            target_mac: ethernet::BROADCAST,
            target_addr: addr,
        }
    }

    /// True if the sender announces itself: both addresses are the same.
    pub fn is_gratuitous(&self) -> bool {
        self.sender_addr == self.target_addr
    }

    /// The meaning of `packet`.
    ///
    /// # Errors
    /// [`WireError::Kind`] if it is neither request nor reply.
    pub fn parse(packet: &Packet<'_>) -> Result<Self, WireError> {
        Ok(Self {
            operation: Operation::from_number(packet.operation()).ok_or(WireError::Kind)?,
            sender_mac: packet.sender_mac(),
            sender_addr: packet.sender_addr(),
            target_mac: packet.target_mac(),
            target_addr: packet.target_addr(),
        })
    }

    /// Appends the packet.
    pub fn emit(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&HARDWARE_ETHERNET.to_be_bytes());
        into.extend_from_slice(&ETHERTYPE_IPV4.to_be_bytes());
        into.extend_from_slice(&[HARDWARE_LEN, PROTOCOL_LEN]);
        into.extend_from_slice(&self.operation.number().to_be_bytes());
        into.extend_from_slice(&self.sender_mac);
        into.extend_from_slice(&self.sender_addr.octets());
        into.extend_from_slice(&self.target_mac);
        into.extend_from_slice(&self.target_addr.octets());
    }
}

/// Appends the whole frame, 42 octets, that announces `addr` at `mac` to every neighbour.
pub fn gratuitous(mac: Mac, addr: Ipv4Addr, into: &mut Vec<u8>) {
    into.reserve(FRAME_LEN);
    let frame = ethernet::Repr {
        dst: ethernet::BROADCAST,
        src: mac,
        ethertype: ETHERTYPE_ARP,
    };
    frame.emit(into);
    Repr::gratuitous(mac, addr).emit(into);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::testdata;

    const VIP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);

    #[test]
    fn deconstruct() {
        let frame = ethernet::Packet::new_checked(testdata::GARP).unwrap();
        assert_eq!(frame.ethertype(), ETHERTYPE_ARP);
        let packet = Packet::new_checked(frame.payload()).unwrap();
        assert_eq!(packet.operation(), 1);
        assert_eq!(packet.sender_mac(), testdata::MAC);
        assert_eq!(packet.sender_addr(), VIP);
        assert_eq!(packet.target_mac(), [0xff; 6]);
        assert_eq!(packet.target_addr(), VIP);
        let repr = Repr::parse(&packet).unwrap();
        assert_eq!(repr, Repr::gratuitous(testdata::MAC, VIP));
        assert!(repr.is_gratuitous());
    }

    #[test]
    fn a_gratuitous_arp_equals_the_captured_one() {
        let mut frame = vec![0xaa];
        gratuitous(testdata::MAC, VIP, &mut frame);
        assert_eq!(frame[0], 0xaa);
        assert_eq!(frame[1..], *testdata::GARP);
        assert_eq!(testdata::GARP.len(), FRAME_LEN);
    }

    #[test]
    fn what_is_refused() {
        let octets = &testdata::GARP[14..];
        for len in 0..PACKET_LEN {
            let cut = Packet::new_checked(&octets[..len]);
            assert_eq!(cut, Err(WireError::Truncated));
        }
        let changed = |at: usize, value: u8| {
            let mut octets = octets.to_vec();
            octets[at] = value;
            Packet::new_checked(&octets)
                .and_then(|packet| Repr::parse(&packet))
                .map(|repr| repr.operation)
        };
        assert_eq!(changed(1, 1), Ok(Operation::Request));
        assert_eq!(changed(7, 2), Ok(Operation::Reply));
        assert_eq!(changed(1, 6), Err(WireError::Field));
        assert_eq!(changed(2, 0x86), Err(WireError::Field));
        assert_eq!(changed(4, 8), Err(WireError::Length));
        assert_eq!(changed(5, 16), Err(WireError::Length));
        assert_eq!(changed(7, 0), Err(WireError::Kind));
        assert_eq!(changed(7, 3), Err(WireError::Kind));
        assert_eq!(changed(6, 1), Err(WireError::Kind));
    }

    proptest! {
        #[test]
        fn round_trip(
            reply: bool,
            (sender_mac, target_mac) in any::<(Mac, Mac)>(),
            (sender, target) in any::<(u32, u32)>(),
            padding in 0usize..20,
        ) {
            let repr = Repr {
                operation: if reply { Operation::Reply } else { Operation::Request },
                sender_mac,
                sender_addr: Ipv4Addr::from(sender),
                target_mac,
                target_addr: Ipv4Addr::from(target),
            };
            prop_assert_eq!(repr.is_gratuitous(), sender == target);
            let mut bytes = Vec::new();
            repr.emit(&mut bytes);
            prop_assert_eq!(bytes.len(), PACKET_LEN);
            bytes.resize(PACKET_LEN + padding, 0);
            prop_assert_eq!(Repr::parse(&Packet::new_checked(&bytes).unwrap()), Ok(repr));
        }

        #[test]
        fn any_octets_are_read_or_refused(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..60),
            known: bool,
        ) {
            if known && bytes.len() >= 8 {
                bytes[..8].copy_from_slice(&testdata::GARP[14..22]);
            }
            if let Ok(repr) = Packet::new_checked(&bytes).and_then(|packet| Repr::parse(&packet)) {
                let mut emitted = Vec::new();
                repr.emit(&mut emitted);
                prop_assert_eq!(&emitted[..], &bytes[..PACKET_LEN]);
            }
        }
    }
}
