//! IPv4 headers: RFC 791 section 3.1.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Version|  IHL  |Type of Service|          Total Length         |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |         Identification        |Flags|     Fragment Offset     |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |  Time to Live |    Protocol   |        Header Checksum        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                         Source Address                        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                      Destination Address                      |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                    Options, IHL - 5 words                     |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use std::net::Ipv4Addr;

use byteorder::{ByteOrder, NetworkEndian};

use crate::wire::{WireError, checksum};

/// Octets of a header without options.
pub const HEADER_LEN: usize = 20;

/// Type of service of routing protocols: precedence 6, internetwork control (RFC 791 section 3.1).
pub const TOS_INTERNETWORK_CONTROL: u8 = 0xc0;

mod field {
    use std::ops::Range;

    pub(super) const VERSION_IHL: usize = 0;
    pub(super) const TOS: usize = 1;
    pub(super) const TOTAL_LEN: Range<usize> = 2..4;
    pub(super) const IDENT: Range<usize> = 4..6;
    pub(super) const FLAGS_OFFSET: Range<usize> = 6..8;
    pub(super) const TTL: usize = 8;
    pub(super) const PROTOCOL: usize = 9;
    pub(super) const CHECKSUM: Range<usize> = 10..12;
    pub(super) const SRC: Range<usize> = 12..16;
    pub(super) const DST: Range<usize> = 16..20;
}

/// "Don't fragment" in the word of flags and fragment offset.
const DONT_FRAGMENT: u16 = 0x4000;
/// "More fragments" and the offset: a whole datagram has none of these bits.
const FRAGMENT: u16 = 0x3fff;

/// The octets of a datagram.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    fixed: &'a [u8; HEADER_LEN],
    header: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Takes `data` for a datagram if it is of version 4 and has a whole header. The total length
    /// is not judged.
    ///
    /// # Errors
    /// [`WireError::Truncated`] if the buffer is shorter than the header, options included;
    /// [`WireError::Version`] if it is not IPv4; [`WireError::Length`] if the header claims to be
    /// shorter than 20 octets.
    pub fn new_checked(data: &'a [u8]) -> Result<Self, WireError> {
        let fixed: &[u8; HEADER_LEN] = data.first_chunk().ok_or(WireError::Truncated)?;
        let version_ihl = fixed[field::VERSION_IHL];
        if version_ihl >> 4 != 4 {
            return Err(WireError::Version);
        }
        let header_len = usize::from(version_ihl & 0x0f) * 4;
        if header_len < HEADER_LEN {
            return Err(WireError::Length);
        }
        let (header, payload) = data
            .split_at_checked(header_len)
            .ok_or(WireError::Truncated)?;
        Ok(Self {
            fixed,
            header,
            payload,
        })
    }

    /// Octets of the header, options included: 20 to 60.
    pub const fn header_len(&self) -> usize {
        self.header.len()
    }

    /// Type of service.
    pub const fn tos(&self) -> u8 {
        self.fixed[field::TOS]
    }

    /// Octets of header and payload, as the sender says.
    pub fn total_len(&self) -> u16 {
        NetworkEndian::read_u16(&self.fixed[field::TOTAL_LEN])
    }

    /// Identification.
    pub fn ident(&self) -> u16 {
        NetworkEndian::read_u16(&self.fixed[field::IDENT])
    }

    /// The "don't fragment" flag.
    pub fn dont_fragment(&self) -> bool {
        NetworkEndian::read_u16(&self.fixed[field::FLAGS_OFFSET]) & DONT_FRAGMENT != 0
    }

    /// True if this is not a whole datagram.
    pub fn is_fragment(&self) -> bool {
        NetworkEndian::read_u16(&self.fixed[field::FLAGS_OFFSET]) & FRAGMENT != 0
    }

    /// Time to live.
    pub const fn ttl(&self) -> u8 {
        self.fixed[field::TTL]
    }

    /// Protocol of the payload.
    pub const fn protocol(&self) -> u8 {
        self.fixed[field::PROTOCOL]
    }

    /// Header checksum, as the sender says.
    pub fn checksum(&self) -> u16 {
        NetworkEndian::read_u16(&self.fixed[field::CHECKSUM])
    }

    /// Source.
    pub fn src(&self) -> Ipv4Addr {
        Ipv4Addr::from(NetworkEndian::read_u32(&self.fixed[field::SRC]))
    }

    /// Destination.
    pub fn dst(&self) -> Ipv4Addr {
        Ipv4Addr::from(NetworkEndian::read_u32(&self.fixed[field::DST]))
    }

    /// All octets behind the header up to the end of the buffer, whatever the total length says.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// True if the header's checksum is right.
    pub fn verify_checksum(&self) -> bool {
        checksum::of(self.header) == 0
    }
}

/// The meaning of a header without options, of a whole datagram.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Repr {
    /// Type of service.
    pub tos: u8,
    /// Identification.
    pub ident: u16,
    /// Time to live.
    pub ttl: u8,
    /// Protocol of the payload.
    pub protocol: u8,
    /// Source.
    pub src: Ipv4Addr,
    /// Destination.
    pub dst: Ipv4Addr,
    /// Octets of the payload, at most 65,515.
    pub payload_len: usize,
    /// Routers shall not cut the datagram.
    pub dont_fragment: bool,
}

impl Repr {
    /// The meaning of `packet`'s header. Octets behind the total length are padding and allowed:
    /// the payload is the first [`payload_len`](Self::payload_len) of [`Packet::payload`].
    ///
    /// # Errors
    /// [`WireError::Length`] if the total length does not fit header and buffer;
    /// [`WireError::Field`] if the packet has options or is a fragment; [`WireError::Checksum`].
    pub fn parse(packet: &Packet<'_>) -> Result<Self, WireError> {
        let payload_len = usize::from(packet.total_len())
            .checked_sub(packet.header_len())
            .filter(|len| *len <= packet.payload().len())
            .ok_or(WireError::Length)?;
        if packet.header_len() != HEADER_LEN || packet.is_fragment() {
            return Err(WireError::Field);
        }
        if !packet.verify_checksum() {
            return Err(WireError::Checksum);
        }
        Ok(Self {
            tos: packet.tos(),
            ident: packet.ident(),
            ttl: packet.ttl(),
            protocol: packet.protocol(),
            src: packet.src(),
            dst: packet.dst(),
            payload_len,
            dont_fragment: packet.dont_fragment(),
        })
    }

    /// Appends a header of 20 octets with its checksum; the payload is to follow.
    pub fn emit(&self, into: &mut Vec<u8>) {
        let total_len = u16::try_from(HEADER_LEN + self.payload_len).unwrap_or(u16::MAX);
        let flags = if self.dont_fragment { DONT_FRAGMENT } else { 0 };
        let mut header = [0; HEADER_LEN];
        header[field::VERSION_IHL] = 0x45;
        header[field::TOS] = self.tos;
        NetworkEndian::write_u16(&mut header[field::TOTAL_LEN], total_len);
        NetworkEndian::write_u16(&mut header[field::IDENT], self.ident);
        NetworkEndian::write_u16(&mut header[field::FLAGS_OFFSET], flags);
        header[field::TTL] = self.ttl;
        header[field::PROTOCOL] = self.protocol;
        header[field::SRC].copy_from_slice(&self.src.octets());
        header[field::DST].copy_from_slice(&self.dst.octets());
        let sum = checksum::of(&header);
        NetworkEndian::write_u16(&mut header[field::CHECKSUM], sum);
        into.extend_from_slice(&header);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::testdata;

    static HEADER: [u8; 20] = [
        0x45, 0xc0, 0x00, 0x28, 0x00, 0x00, 0x00, 0x00, 0xff, 0x70, 0xb5, 0xe8, 0xc0, 0xa8, 0x64,
        0x02, 0xe0, 0x00, 0x00, 0x12,
    ];

    const REPR: Repr = Repr {
        tos: TOS_INTERNETWORK_CONTROL,
        ident: 0,
        ttl: 255,
        protocol: 112,
        src: Ipv4Addr::new(192, 168, 100, 2),
        dst: Ipv4Addr::new(224, 0, 0, 18),
        payload_len: 20,
        dont_fragment: false,
    };

    #[test]
    fn deconstruct() {
        let packet = Packet::new_checked(&HEADER).unwrap();
        assert_eq!(packet.header_len(), 20);
        assert_eq!(packet.tos(), 0xc0);
        assert_eq!(packet.total_len(), 40);
        assert_eq!(packet.ident(), 0);
        assert!(!packet.dont_fragment());
        assert!(!packet.is_fragment());
        assert_eq!(packet.ttl(), 255);
        assert_eq!(packet.protocol(), 112);
        assert_eq!(packet.checksum(), 0xb5e8);
        assert_eq!(packet.src(), REPR.src);
        assert_eq!(packet.dst(), REPR.dst);
        assert!(packet.payload().is_empty());
        assert!(packet.verify_checksum());
    }

    #[test]
    fn construct() {
        let mut bytes = vec![0xaa];
        REPR.emit(&mut bytes);
        assert_eq!(bytes[0], 0xaa);
        assert_eq!(bytes[1..], HEADER);
    }

    #[test]
    fn a_captured_header_is_emitted_again() {
        let datagram = &testdata::V2_PASS[14..];
        let packet = Packet::new_checked(datagram).unwrap();
        let repr = Repr::parse(&packet).unwrap();
        assert_eq!((repr.ident, repr.payload_len), (1, 24));
        assert_eq!(packet.payload(), &datagram[20..]);
        let mut bytes = Vec::new();
        repr.emit(&mut bytes);
        assert_eq!(bytes, datagram[..20]);
    }

    #[test]
    fn options_belong_to_the_header() {
        let mut bytes = [0u8; 30];
        bytes[..20].copy_from_slice(&HEADER);
        bytes[0] = 0x46;
        bytes[20] = 0x94; // router alert
        let packet = Packet::new_checked(&bytes).unwrap();
        assert_eq!(packet.header_len(), 24);
        assert_eq!(packet.payload().len(), 6);
        assert!(!packet.verify_checksum());
        assert_eq!(
            Packet::new_checked(&bytes[..23]),
            Err(WireError::Truncated),
            "the options are cut"
        );
    }

    #[test]
    fn what_is_refused() {
        for len in 0..20 {
            let cut = Packet::new_checked(&HEADER[..len]);
            assert_eq!(cut, Err(WireError::Truncated));
        }
        let changed = |at: usize, value: u8| {
            let mut bytes = [0u8; 40];
            bytes[..20].copy_from_slice(&HEADER);
            bytes[at] = value;
            Packet::new_checked(&bytes).and_then(|packet| Repr::parse(&packet))
        };
        assert_eq!(changed(0, 0x45), Ok(REPR));
        assert_eq!(changed(0, 0x65), Err(WireError::Version));
        assert_eq!(changed(0, 0x44), Err(WireError::Length));
        assert_eq!(changed(0, 0x46), Err(WireError::Field));
        assert_eq!(changed(3, 19), Err(WireError::Length));
        assert_eq!(changed(3, 41), Err(WireError::Length));
        assert_eq!(changed(6, 0x20), Err(WireError::Field));
        assert_eq!(changed(7, 0x01), Err(WireError::Field));
        assert_eq!(changed(8, 254), Err(WireError::Checksum));
    }

    proptest! {
        #[test]
        fn round_trip(
            (tos, ident, ttl, protocol) in any::<(u8, u16, u8, u8)>(),
            (src, dst, dont_fragment) in any::<(u32, u32, bool)>(),
            payload_len in 0usize..200,
        ) {
            let (src, dst) = (Ipv4Addr::from(src), Ipv4Addr::from(dst));
            let repr = Repr { tos, ident, ttl, protocol, src, dst, payload_len, dont_fragment };
            let mut bytes = Vec::new();
            repr.emit(&mut bytes);
            bytes.resize(HEADER_LEN + payload_len, 0x55);
            let packet = Packet::new_checked(&bytes).unwrap();
            prop_assert!(packet.verify_checksum());
            prop_assert_eq!(Repr::parse(&packet), Ok(repr));
        }

        #[test]
        fn any_octets_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(packet) = Packet::new_checked(&bytes) {
                prop_assert_eq!(packet.header_len() + packet.payload().len(), bytes.len());
                if let Ok(repr) = Repr::parse(&packet) {
                    prop_assert!(repr.payload_len <= packet.payload().len());
                }
            }
        }
    }
}
