//! Packets. What is understood must survive the way back to octets, the octets themselves where
//! nothing in them is free, and no accessor may see what the whole does not have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use relevo_core::config::bound::Auth;
use relevo_core::ids::{Family, Version};
use relevo_core::wire::{arp, checksum, ethernet, ipv4, ipv6, ndisc, vrrp};

use crate::bytes::Bytes;
use crate::trail::Trail;

/// Between whom neighbour advertisements are taken to travel.
pub const ND_SRC: Ipv6Addr = Ipv6Addr::LOCALHOST;
/// See [`ND_SRC`].
pub const ND_DST: Ipv6Addr = ipv6::ALL_NODES;

/// Ethernet II header.
pub fn ethernet(data: &[u8], trail: &mut Trail) {
    let packet = ethernet::Packet::new_checked(data);
    trail.result("frame", &packet);
    let Ok(packet) = packet else {
        assert!(data.len() < ethernet::HEADER_LEN);
        return;
    };
    let repr = ethernet::Repr::parse(&packet);
    trail.mark(format_args!(
        "multicast {}",
        ethernet::is_multicast(packet.dst())
    ));
    trail.mark(format_args!(
        "kind {}",
        match packet.ethertype() {
            ethernet::ETHERTYPE_IPV4 => "IPv4",
            ethernet::ETHERTYPE_ARP => "ARP",
            ethernet::ETHERTYPE_IPV6 => "IPv6",
            _ => "other",
        }
    ));
    let mut again = Vec::new();
    repr.emit(&mut again);
    again.extend_from_slice(packet.payload());
    assert_eq!(again, data);
}

/// IPv4 header.
pub fn ipv4(data: &[u8], trail: &mut Trail) {
    let packet = ipv4::Packet::new_checked(data);
    trail.result("header", &packet);
    let Ok(packet) = packet else { return };
    assert!((20..=60).contains(&packet.header_len()));
    assert_eq!(packet.header_len() + packet.payload().len(), data.len());
    let right = packet.verify_checksum();
    assert_eq!(right, naive_sum(&data[..packet.header_len()]) == 0xffff);
    let repr = ipv4::Repr::parse(&packet);
    trail.result("meaning", &repr);
    trail.mark(format_args!(
        "options {} fragment {}",
        packet.header_len() > 20,
        packet.is_fragment()
    ));
    let Ok(repr) = repr else { return };
    assert!(right, "accepted with a wrong checksum");
    assert!(repr.payload_len <= packet.payload().len());
    let mut again = Vec::new();
    repr.emit(&mut again);
    let header = ipv4::Packet::new_checked(&again).expect("what was emitted can be read");
    assert!(header.verify_checksum());
    // The bit that RFC 791 reserves is not kept, nor is the other zero of the checksum.
    if data[6] & 0x80 == 0 && packet.checksum() != 0xffff {
        assert_eq!(again, data[..ipv4::HEADER_LEN]);
    }
}

/// IPv6 header.
pub fn ipv6(data: &[u8], trail: &mut Trail) {
    let packet = ipv6::Packet::new_checked(data);
    trail.result("header", &packet);
    let Ok(packet) = packet else { return };
    let repr = ipv6::Repr::parse(&packet);
    trail.result("meaning", &repr);
    let Ok(repr) = repr else {
        assert!(usize::from(packet.payload_len()) > packet.payload().len());
        return;
    };
    trail.mark(format_args!(
        "flow {} padded {}",
        packet.flow_label() != 0,
        repr.payload_len < packet.payload().len()
    ));
    let mut again = Vec::new();
    repr.emit(&mut again);
    let header = ipv6::Packet::new_checked(&again).expect("what was emitted can be read");
    assert_eq!(header.flow_label(), 0);
    assert_eq!(again[4..], data[4..ipv6::HEADER_LEN]);
    assert_eq!(header.traffic_class(), packet.traffic_class());
}

/// The family and pseudo-header that the first octet of an input chooses.
pub fn vrrp_choice(choice: u8) -> (Family, Option<vrrp::Pseudo>) {
    match choice % 3 {
        0 => (Family::V4, None),
        1 => {
            let pseudo = vrrp::Pseudo::V4 {
                src: Ipv4Addr::LOCALHOST,
                dst: vrrp::GROUP_V4,
            };
            (Family::V4, Some(pseudo))
        }
        _ => {
            let pseudo = vrrp::Pseudo::V6 {
                src: Ipv6Addr::LOCALHOST,
                dst: vrrp::GROUP_V6,
            };
            (Family::V6, Some(pseudo))
        }
    }
}

/// VRRP message; the first octet chooses family and pseudo-header.
pub fn vrrp(data: &[u8], trail: &mut Trail) {
    let Some((choice, message)) = data.split_first() else {
        return;
    };
    let (family, pseudo) = vrrp_choice(*choice);
    let packet = vrrp::Packet::new_checked(message);
    trail.result("message", &packet);
    let Ok(packet) = packet else {
        assert!(message.len() < vrrp::HEADER_LEN);
        return;
    };
    for version in [Version::V2, Version::V3] {
        let len = packet.expected_len(version, family);
        let fits = packet.checksum_ok(len, pseudo);
        assert!(
            !fits || len <= message.len(),
            "a checksum over what is not there"
        );
    }
    let listed = packet.addresses(family).count();
    assert!(listed <= usize::from(packet.address_count()));
    assert!(listed * family.address_len() <= packet.body().len());
    assert!(packet.interval_centis() <= vrrp::INTERVAL_CENTIS_MAX);
    let mut addresses = Vec::new();
    let repr = vrrp::Repr::parse(&packet, family, pseudo, &mut addresses);
    trail.result("meaning", &repr);
    let Ok(repr) = repr else { return };
    trail.mark(format_args!(
        "v{} {family} auth {} count {}",
        repr.version.number(),
        repr.auth != Auth::None,
        repr.addresses.len().min(3)
    ));
    assert_eq!(repr.buffer_len(), message.len());
    assert_eq!(repr.addresses.len(), usize::from(packet.address_count()));
    let line = repr.to_string();
    assert!(line.starts_with("VRRPv") && !line.contains('\n'));
    let mut again = Vec::new();
    repr.emit(pseudo, &mut again);
    // Free in what is accepted: version 2's data without a password, version 3's reserved bits,
    // and the other zero of the checksum.
    let free = match repr.version {
        Version::V2 => repr.auth == Auth::None,
        Version::V3 => message[4] & 0xf0 != 0,
    };
    if !free && packet.checksum() != 0xffff {
        assert_eq!(again, message);
    }
    let packet = vrrp::Packet::new_checked(&again).expect("what was emitted can be read");
    let mut addresses = Vec::new();
    let second = vrrp::Repr::parse(&packet, family, pseudo, &mut addresses);
    assert_eq!(second, Ok(repr));
}

/// An advert of any content: what is emitted is parsed to the same, less what cannot be said.
pub fn vrrp_emit(data: &[u8], trail: &mut Trail) {
    let mut bytes = Bytes::new(data);
    let (family, pseudo) = vrrp_choice(bytes.u8());
    let version = if family == Family::V4 && bytes.one_in(2) {
        Version::V2
    } else {
        Version::V3
    };
    let interval =
        relevo_core::time::Duration::from_micros(u64::from(bytes.u32()) << (bytes.u8() % 16));
    let auth = if bytes.one_in(2) {
        Auth::Pass(bytes.array())
    } else {
        Auth::None
    };
    let (vrid, priority) = (bytes.u8(), bytes.u8());
    let addresses = address_list(&mut bytes, family);
    // Many addresses from few octets.
    let times = if priority % 4 == 1 { 40 } else { 1 };
    let addresses = addresses.repeat(times);
    let repr = vrrp::Repr {
        version,
        family,
        vrid,
        priority,
        interval,
        auth,
        addresses: &addresses,
    };
    let mut packet = vec![0xee; 3];
    repr.emit(pseudo, &mut packet);
    assert_eq!(packet[..3], [0xee; 3]);
    let message = &packet[3..];
    assert_eq!(message.len(), repr.buffer_len());
    let packet = vrrp::Packet::new_checked(message).expect("what was emitted can be read");
    let mut listed = Vec::new();
    let read = vrrp::Repr::parse(&packet, family, pseudo, &mut listed);
    let read = read.expect("what was emitted is accepted");
    assert_eq!(
        (read.version, read.vrid, read.priority),
        (version, vrid, priority)
    );
    assert!(
        read.interval <= interval,
        "a longer interval than was meant"
    );
    let expected: Vec<IpAddr> = addresses
        .iter()
        .copied()
        .filter(|addr| Family::of(*addr) == family)
        .take(255)
        .collect();
    assert_eq!(read.addresses, expected);
    assert_eq!(
        read.auth,
        if version == Version::V2 {
            auth
        } else {
            Auth::None
        }
    );
    trail.mark(format_args!(
        "v{} {family} {} addresses, {} left out, interval kept {}",
        version.number(),
        expected.len().min(300).checked_ilog2().unwrap_or(0),
        expected.len() < addresses.len(),
        read.interval == interval
    ));
}

/// Addresses, most of them of `family`.
fn address_list(bytes: &mut Bytes<'_>, family: Family) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    while !bytes.is_empty() {
        addresses.push(if bytes.one_in(5) != (family == Family::V6) {
            IpAddr::from(bytes.array::<16>())
        } else {
            IpAddr::from(bytes.array::<4>())
        });
    }
    addresses
}

/// ARP over Ethernet.
pub fn arp(data: &[u8], trail: &mut Trail) {
    let packet = arp::Packet::new_checked(data);
    trail.result("packet", &packet);
    let Ok(packet) = packet else { return };
    let repr = arp::Repr::parse(&packet);
    trail.result("meaning", &repr);
    let Ok(repr) = repr else { return };
    trail.mark(format_args!(
        "gratuitous {} {:?}",
        repr.is_gratuitous(),
        repr.operation
    ));
    let mut again = Vec::new();
    repr.emit(&mut again);
    assert_eq!(again, data[..arp::PACKET_LEN]);
}

/// Neighbour advertisement.
pub fn ndisc(data: &[u8], trail: &mut Trail) {
    let packet = ndisc::Packet::new_checked(data);
    trail.result("packet", &packet);
    let Ok(packet) = packet else { return };
    let right = packet.verify_checksum(ND_SRC, ND_DST);
    trail.result("options", &packet.target_mac());
    let repr = ndisc::Repr::parse(&packet, ND_SRC, ND_DST);
    trail.result("meaning", &repr);
    let Ok(repr) = repr else { return };
    assert!(right, "accepted with a wrong checksum");
    trail.mark(format_args!(
        "mac {} router {}",
        repr.target_mac.is_some(),
        repr.router
    ));
    let mut again = Vec::new();
    repr.emit(ND_SRC, ND_DST, &mut again);
    assert_eq!(again.len(), repr.buffer_len());
    let packet = ndisc::Packet::new_checked(&again).expect("what was emitted can be read");
    assert_eq!(ndisc::Repr::parse(&packet, ND_SRC, ND_DST), Ok(repr));
}

/// The Internet checksum over any pieces is that over the whole, and proves itself.
pub fn checksum(data: &[u8], trail: &mut Trail) {
    let mut bytes = Bytes::new(data);
    let cuts = bytes.array::<3>();
    let data = bytes.rest();
    let mut sum = checksum::Checksum::new();
    let mut rest = data;
    for cut in cuts {
        let (piece, tail) = rest.split_at(usize::from(cut).min(rest.len()));
        sum.add_bytes(piece);
        rest = tail;
    }
    sum.add_bytes(rest);
    let whole = sum.finish();
    assert_eq!(whole, checksum::of(data));
    assert_eq!(!whole, naive_sum(data));
    trail.mark(format_args!("odd {} zero {}", data.len() % 2, whole == 0));
    if data.len().is_multiple_of(2) {
        let proof = [data, &whole.to_be_bytes()].concat();
        assert_eq!(checksum::of(&proof), 0);
    }
}

/// RFC 1071 word by word, as slowly as it gets.
fn naive_sum(data: &[u8]) -> u16 {
    let mut sum = 0u16;
    for word in data.chunks(2) {
        let word = u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or(0)]);
        let (added, carry) = sum.overflowing_add(word);
        sum = added + u16::from(carry);
    }
    sum
}
