//! Neighbour advertisements: RFC 4861 section 4.4, in ICMPv6 (RFC 4443 section 2.1).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |  Type (136)   |   Code (0)    |           Checksum            |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |R|S|O|                     Reserved                            |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                   Target Address, 16 octets                   |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |   Type (2)    |  Length (1)   |                               |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
//! |                 Target Link-Layer Address                     |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! An unsolicited one (RFC 4861 section 7.2.6, RFC 9568 section 6.4.2) tells every neighbour under
//! which link-layer address a virtual address is now to be found.

use std::net::Ipv6Addr;

use byteorder::{ByteOrder, NetworkEndian};

use crate::wire::WireError;
use crate::wire::checksum::Checksum;
use crate::wire::ethernet::{self, ETHERTYPE_IPV6, Mac};
use crate::wire::ipv6::{self, NEXT_HEADER_ICMPV6};

/// ICMPv6 type of a neighbour advertisement.
pub const TYPE_NEIGHBOR_ADVERT: u8 = 136;
/// Hop limit of neighbour discovery: nothing that a router forwarded is accepted.
pub const HOP_LIMIT: u8 = 255;

/// Octets before the options.
pub const HEADER_LEN: usize = 24;
/// Octets of the option with a target's Ethernet address.
pub const OPTION_LEN: usize = 8;
/// Octets of the frame that [`unsolicited`] writes.
pub const FRAME_LEN: usize = ethernet::HEADER_LEN + ipv6::HEADER_LEN + HEADER_LEN + OPTION_LEN;

/// Option type of a target's link-layer address (RFC 4861 section 4.6.1).
const OPTION_TARGET_LINK_LAYER: u8 = 2;
/// The unit of an option's length.
const OPTION_UNIT: usize = 8;

const FLAG_ROUTER: u8 = 0x80;
const FLAG_SOLICITED: u8 = 0x40;
const FLAG_OVERRIDE: u8 = 0x20;

mod field {
    use std::ops::Range;

    pub(super) const TYPE: usize = 0;
    pub(super) const CODE: usize = 1;
    pub(super) const CHECKSUM: Range<usize> = 2..4;
    pub(super) const FLAGS: usize = 4;
    pub(super) const TARGET: Range<usize> = 8..24;
}

/// The octets of a neighbour advertisement, from the ICMPv6 type on.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    data: &'a [u8],
    header: &'a [u8; HEADER_LEN],
    options: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Takes `data` for a neighbour advertisement if type and code say so and the fixed fields are
    /// there. The options are not judged.
    ///
    /// # Errors
    /// [`WireError::Truncated`] below 24 octets; [`WireError::Kind`] if it is another message of
    /// ICMPv6; [`WireError::Field`] if the code is not 0.
    pub fn new_checked(data: &'a [u8]) -> Result<Self, WireError> {
        let (header, options): (&[u8; HEADER_LEN], _) =
            data.split_first_chunk().ok_or(WireError::Truncated)?;
        if header[field::TYPE] != TYPE_NEIGHBOR_ADVERT {
            return Err(WireError::Kind);
        }
        if header[field::CODE] != 0 {
            return Err(WireError::Field);
        }
        Ok(Self {
            data,
            header,
            options,
        })
    }

    /// Checksum, as the sender says.
    pub fn checksum(&self) -> u16 {
        NetworkEndian::read_u16(&self.header[field::CHECKSUM])
    }

    /// The sender forwards packets.
    pub const fn router(&self) -> bool {
        self.header[field::FLAGS] & FLAG_ROUTER != 0
    }

    /// This answers a solicitation.
    pub const fn solicited(&self) -> bool {
        self.header[field::FLAGS] & FLAG_SOLICITED != 0
    }

    /// What neighbours have cached is to be replaced.
    pub const fn overrides(&self) -> bool {
        self.header[field::FLAGS] & FLAG_OVERRIDE != 0
    }

    /// The address that is advertised.
    pub fn target(&self) -> Ipv6Addr {
        Ipv6Addr::from(NetworkEndian::read_u128(&self.header[field::TARGET]))
    }

    /// The target's Ethernet address from the first option that has one; `None` without it.
    ///
    /// # Errors
    /// [`WireError::Length`] if an option has no length or is cut (RFC 4861 section 7.1.2).
    pub fn target_mac(&self) -> Result<Option<Mac>, WireError> {
        let mut found = None;
        let mut rest = self.options;
        while let [kind, units, ..] = rest {
            let len = usize::from(*units) * OPTION_UNIT;
            if len == 0 {
                return Err(WireError::Length);
            }
            let (option, tail) = rest.split_at_checked(len).ok_or(WireError::Length)?;
            if *kind == OPTION_TARGET_LINK_LAYER && len == OPTION_LEN && found.is_none() {
                found = Some(ethernet::read_mac(&option[2..]));
            }
            rest = tail;
        }
        if rest.is_empty() {
            Ok(found)
        } else {
            Err(WireError::Length)
        }
    }

    /// True if the checksum is right for a packet from `src` to `dst`.
    pub fn verify_checksum(&self, src: Ipv6Addr, dst: Ipv6Addr) -> bool {
        message_checksum(self.data, src, dst) == 0
    }
}

/// The ICMPv6 checksum over `message` and its pseudo-header (RFC 4443 section 2.3).
fn message_checksum(message: &[u8], src: Ipv6Addr, dst: Ipv6Addr) -> u16 {
    let mut sum = Checksum::new();
    sum.add_pseudo_v6(src, dst, NEXT_HEADER_ICMPV6, message.len() as u32);
    sum.add_bytes(message);
    sum.finish()
}

/// The meaning of a neighbour advertisement.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Repr {
    /// The sender forwards packets.
    pub router: bool,
    /// This answers a solicitation.
    pub solicited: bool,
    /// What neighbours have cached is to be replaced.
    pub overrides: bool,
    /// The address that is advertised.
    pub target: Ipv6Addr,
    /// The target's Ethernet address.
    pub target_mac: Option<Mac>,
}

impl Repr {
    /// The announcement of `addr` at `mac`.
    pub const fn unsolicited(mac: Mac, addr: Ipv6Addr, router: bool) -> Self {
        Self {
            router,
            solicited: false,
            overrides: true,
            target: addr,
            target_mac: Some(mac),
        }
    }

    /// The meaning of `packet`, which came from `src` to `dst`. Unknown options are skipped; the
    /// hop limit is the caller's to judge.
    ///
    /// # Errors
    /// [`WireError::Length`] if an option is malformed; [`WireError::Checksum`];
    /// [`WireError::Field`] if the target is a group, or if it answers a solicitation and went to a
    /// group (RFC 4861 section 7.1.2).
    pub fn parse(packet: &Packet<'_>, src: Ipv6Addr, dst: Ipv6Addr) -> Result<Self, WireError> {
        let target_mac = packet.target_mac()?;
        if !packet.verify_checksum(src, dst) {
            return Err(WireError::Checksum);
        }
        let solicited_by_group = packet.solicited() && dst.is_multicast();
        if solicited_by_group || packet.target().is_multicast() {
            return Err(WireError::Field);
        }
        Ok(Self {
            router: packet.router(),
            solicited: packet.solicited(),
            overrides: packet.overrides(),
            target: packet.target(),
            target_mac,
        })
    }

    /// Octets that [`emit`](Self::emit) appends.
    pub const fn buffer_len(&self) -> usize {
        match self.target_mac {
            Some(_) => HEADER_LEN + OPTION_LEN,
            None => HEADER_LEN,
        }
    }

    /// Appends the message with the checksum for a packet from `src` to `dst`.
    pub fn emit(&self, src: Ipv6Addr, dst: Ipv6Addr, into: &mut Vec<u8>) {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let mut header = [0; HEADER_LEN];
        header[field::TYPE] = TYPE_NEIGHBOR_ADVERT;
        header[field::FLAGS] = flag(self.router, FLAG_ROUTER)
            | flag(self.solicited, FLAG_SOLICITED)
            | flag(self.overrides, FLAG_OVERRIDE);
        header[field::TARGET].copy_from_slice(&self.target.octets());
        let start = into.len();
        into.extend_from_slice(&header);
        if let Some(mac) = self.target_mac {
            into.extend_from_slice(&[OPTION_TARGET_LINK_LAYER, 1]);
            into.extend_from_slice(&mac);
        }
        let message = &mut into[start..];
        let sum = message_checksum(message, src, dst);
        NetworkEndian::write_u16(&mut message[field::CHECKSUM], sum);
    }
}

/// Appends the whole frame, 86 octets, that announces `addr` at `mac` to every neighbour. As in
/// keepalived it comes from the announced address itself. `router`: this host forwards packets.
pub fn unsolicited(mac: Mac, addr: Ipv6Addr, router: bool, into: &mut Vec<u8>) {
    into.reserve(FRAME_LEN);
    let advert = Repr::unsolicited(mac, addr, router);
    let frame = ethernet::Repr {
        dst: ethernet::ALL_NODES_V6,
        src: mac,
        ethertype: ETHERTYPE_IPV6,
    };
    let packet = ipv6::Repr {
        traffic_class: 0,
        hop_limit: HOP_LIMIT,
        next_header: NEXT_HEADER_ICMPV6,
        src: addr,
        dst: ipv6::ALL_NODES,
        payload_len: advert.buffer_len(),
    };
    frame.emit(into);
    packet.emit(into);
    advert.emit(addr, ipv6::ALL_NODES, into);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::testdata;

    const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x100);
    const GLOBAL: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100);

    #[test]
    fn deconstruct() {
        let ip = ipv6::Packet::new_checked(&testdata::NA_ROUTER[14..]).unwrap();
        assert_eq!(ip.hop_limit(), HOP_LIMIT);
        let packet = Packet::new_checked(ip.payload()).unwrap();
        assert_eq!(packet.checksum(), 0xd59c);
        assert!(packet.router());
        assert!(!packet.solicited());
        assert!(packet.overrides());
        assert_eq!(packet.target(), LINK_LOCAL);
        assert_eq!(packet.target_mac(), Ok(Some(testdata::MAC)));
        assert!(packet.verify_checksum(ip.src(), ip.dst()));
        assert!(!packet.verify_checksum(GLOBAL, ip.dst()));
        assert_eq!(
            Repr::parse(&packet, ip.src(), ip.dst()),
            Ok(Repr::unsolicited(testdata::MAC, LINK_LOCAL, true))
        );
    }

    #[test]
    fn unsolicited_adverts_equal_the_captured_ones() {
        for (addr, router, captured) in [
            (LINK_LOCAL, false, testdata::NA_LINK_LOCAL),
            (GLOBAL, false, testdata::NA_GLOBAL),
            (LINK_LOCAL, true, testdata::NA_ROUTER),
        ] {
            let mut frame = vec![0xaa];
            unsolicited(testdata::MAC, addr, router, &mut frame);
            assert_eq!(frame[0], 0xaa);
            assert_eq!(frame[1..], *captured);
            assert_eq!(captured.len(), FRAME_LEN);
        }
    }

    #[test]
    fn what_is_refused() {
        let octets = &testdata::NA_GLOBAL[54..];
        let (src, dst) = (GLOBAL, ipv6::ALL_NODES);
        for len in 0..octets.len() {
            let cut = Packet::new_checked(&octets[..len])
                .and_then(|packet| Repr::parse(&packet, src, dst));
            let error = match len {
                0..HEADER_LEN => WireError::Truncated,
                HEADER_LEN => WireError::Checksum,
                _ => WireError::Length,
            };
            assert_eq!(cut, Err(error), "{len} octets");
        }
        // One octet changed and the checksum set right again: only that octet can be at fault.
        let changed = |at: usize, value: u8| {
            let mut octets = octets.to_vec();
            octets[at] = value;
            octets[field::CHECKSUM].fill(0);
            let sum = message_checksum(&octets, src, dst);
            octets[field::CHECKSUM].copy_from_slice(&sum.to_be_bytes());
            let packet = Packet::new_checked(&octets)?;
            Repr::parse(&packet, src, dst).map(|repr| repr.target_mac)
        };
        assert_eq!(changed(5, 0xff), Ok(Some(testdata::MAC)), "reserved bits");
        assert_eq!(changed(0, 135), Err(WireError::Kind));
        assert_eq!(changed(1, 1), Err(WireError::Field));
        assert_eq!(changed(4, 0x60), Err(WireError::Field), "solicited");
        assert_eq!(changed(8, 0xff), Err(WireError::Field), "target a group");
        assert_eq!(changed(24, 1), Ok(None), "source option");
        assert_eq!(changed(25, 0), Err(WireError::Length));
        assert_eq!(changed(25, 2), Err(WireError::Length));
    }

    #[test]
    fn other_options_are_skipped() {
        let mut octets = testdata::NA_GLOBAL[54..78].to_vec();
        octets.extend_from_slice(&[14, 2]);
        octets.extend_from_slice(&[7; 14]);
        octets.extend_from_slice(&[2, 1, 6, 5, 4, 3, 2, 1]);
        octets.extend_from_slice(&[2, 1, 0, 0, 0, 0, 0, 0]);
        let packet = Packet::new_checked(&octets).unwrap();
        assert_eq!(packet.target_mac(), Ok(Some([6, 5, 4, 3, 2, 1])));
    }

    proptest! {
        #[test]
        fn round_trip(
            (router, solicited, overrides) in any::<(bool, bool, bool)>(),
            (src, dst, target) in any::<(u128, u128, u128)>(),
            target_mac in proptest::option::of(any::<Mac>()),
        ) {
            let repr = Repr {
                router,
                solicited,
                overrides,
                target: Ipv6Addr::from(target),
                target_mac,
            };
            let (src, dst) = (Ipv6Addr::from(src), Ipv6Addr::from(dst));
            let mut bytes = Vec::new();
            repr.emit(src, dst, &mut bytes);
            prop_assert_eq!(bytes.len(), repr.buffer_len());
            let packet = Packet::new_checked(&bytes).unwrap();
            let illegal = repr.target.is_multicast() || (solicited && dst.is_multicast());
            let expected = if illegal { Err(WireError::Field) } else { Ok(repr) };
            prop_assert_eq!(Repr::parse(&packet, src, dst), expected);
        }

        #[test]
        fn any_octets_are_read_or_refused(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..80),
            units in 0u8..4,
        ) {
            if bytes.len() >= 26 {
                bytes[..2].copy_from_slice(&[TYPE_NEIGHBOR_ADVERT, 0]);
                bytes[25] = units;
            }
            if let Ok(packet) = Packet::new_checked(&bytes)
                && packet.target_mac().is_ok()
            {
                prop_assert_eq!(bytes.len() % OPTION_UNIT, 0);
            }
        }
    }
}
