//! Packets that a machine must discard: made from real adverts, spoiled in one way each.

use std::net::IpAddr;

use relevo_core::ids::{Family, Version};
use relevo_core::rng::Rng;
use relevo_core::time::Duration;
use relevo_core::wire::vrrp::{Packet, Pseudo, Repr};

use crate::host::Advert;

/// A virtual router identifier that no drawn world has.
const FOREIGN_VRID: u8 = 200;

/// Longer than what Ethernet pads to, so that surplus octets are no padding.
const SURPLUS: usize = 64;

/// `advert` spoiled in a way that `rng` chooses. It stays what the kernel would pass on to a raw
/// socket: lengths and header checksum of its IPv4 header are right.
pub fn spoil(advert: &Advert, rng: &mut Rng) -> Advert {
    let mut bad = advert.clone();
    bad.intact = false;
    let header = header_len(&bad);
    match rng.below(8) {
        0 => bad.bytes.truncate(truncated_len(&bad, header, rng)),
        1 if bad.dst.is_multicast() => set_hop_limit(&mut bad, rng.below(255) as u8),
        2 => bad.bytes.extend((0..SURPLUS).map(|_| rng.next_u64() as u8)),
        3 => {
            bad.bytes.truncate(header);
            let len = rng.below(80);
            bad.bytes.extend((0..len).map(|_| rng.next_u64() as u8));
        }
        4 => rewrite(&mut bad, header, |repr| repr.vrid = FOREIGN_VRID),
        5 => rewrite(&mut bad, header, |repr| match repr.version {
            Version::V2 => repr.interval = repr.interval + Duration::from_secs(1),
            Version::V3 => repr.vrid = FOREIGN_VRID,
        }),
        6 if Family::of(bad.dst) == Family::V4 => rewrite(&mut bad, header, |repr| {
            repr.version = match repr.version {
                Version::V2 => Version::V3,
                Version::V3 => Version::V2,
            };
        }),
        _ => {
            let at = header + rng.below((bad.bytes.len() - header) as u64) as usize;
            if let Some(byte) = bad.bytes.get_mut(at) {
                *byte ^= rng.within(1, 255) as u8;
            }
        }
    }
    finish_header(&mut bad);
    bad
}

/// `advert` come back to its sender, as a switch with a loop would return it.
pub fn reflected(advert: &Advert) -> Advert {
    let mut back = advert.clone();
    back.intact = false;
    back
}

/// Fills in what the kernel does for a packet that brings its own IPv4 header.
pub fn finish_header(advert: &mut Advert) {
    const TOTAL_LEN: std::ops::Range<usize> = 2..4;
    const CHECKSUM: std::ops::Range<usize> = 10..12;
    let header = header_len(advert);
    if header == 0 {
        return;
    }
    let total = (advert.bytes.len() as u16).to_be_bytes();
    if let Some(field) = advert.bytes.get_mut(TOTAL_LEN) {
        field.copy_from_slice(&total);
    }
    if let Some(field) = advert.bytes.get_mut(CHECKSUM) {
        field.fill(0);
    }
    let words = advert.bytes.get(..header).unwrap_or(&[]).chunks_exact(2);
    let mut sum: u32 = words
        .map(|word| u32::from(word[0]) << 8 | u32::from(word[1]))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    if let Some(field) = advert.bytes.get_mut(CHECKSUM) {
        field.copy_from_slice(&(!(sum as u16)).to_be_bytes());
    }
}

/// Octets before the message: those of the IPv4 header.
fn header_len(advert: &Advert) -> usize {
    match Family::of(advert.dst) {
        Family::V4 => {
            let first = advert.bytes.first().copied().unwrap_or(0);
            (usize::from(first & 0x0f) * 4).min(advert.bytes.len())
        }
        Family::V6 => 0,
    }
}

/// Short enough that no Ethernet padding could have been cut off.
fn truncated_len(advert: &Advert, header: usize, rng: &mut Rng) -> usize {
    header + rng.below((advert.bytes.len() - header) as u64) as usize
}

fn set_hop_limit(advert: &mut Advert, hop_limit: u8) {
    const TTL: usize = 8;
    advert.hop_limit = hop_limit;
    if Family::of(advert.dst) == Family::V4
        && let Some(ttl) = advert.bytes.get_mut(TTL)
    {
        *ttl = hop_limit;
    }
}

/// Changes the meaning of the message and writes it anew, with a right checksum.
fn rewrite(advert: &mut Advert, header: usize, change: impl FnOnce(&mut Repr<'_>)) {
    let message = advert.bytes.split_off(header);
    let family = Family::of(advert.dst);
    let pseudo = |version| match version {
        Version::V2 => None,
        Version::V3 => Pseudo::new(advert.src, advert.dst),
    };
    let mut addresses: Vec<IpAddr> = Vec::new();
    let packet = Packet::new_checked(&message).ok();
    let read = packet.and_then(|packet| {
        let version = if packet.version() == 2 {
            Version::V2
        } else {
            Version::V3
        };
        Repr::parse(&packet, family, pseudo(version), &mut addresses).ok()
    });
    match read {
        Some(mut repr) => {
            change(&mut repr);
            let pseudo = pseudo(repr.version);
            repr.emit(pseudo, &mut advert.bytes);
        }
        // Without a meaning there is nothing to change: an empty message is bad as well.
        None => advert.bytes.truncate(header),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use relevo_core::config::bound::Auth;
    use relevo_core::wire::{ipv4, vrrp};

    fn advert(version: Version) -> Advert {
        let (src, dst) = ([10, 0, 0, 1].into(), [224, 0, 0, 18].into());
        let addresses = [IpAddr::from([10, 0, 0, 100])];
        let repr = Repr {
            version,
            family: Family::V4,
            vrid: 51,
            priority: 100,
            interval: Duration::from_secs(1),
            auth: Auth::None,
            addresses: &addresses,
        };
        let mut bytes = Vec::new();
        ipv4::Repr {
            tos: 0xc0,
            ident: 1,
            ttl: 255,
            protocol: vrrp::PROTOCOL,
            src,
            dst,
            payload_len: repr.buffer_len(),
            dont_fragment: false,
        }
        .emit(&mut bytes);
        let pseudo = (version == Version::V3).then_some(Pseudo::V4 { src, dst });
        repr.emit(pseudo, &mut bytes);
        Advert {
            src: src.into(),
            dst: dst.into(),
            hop_limit: 255,
            bytes,
            member: 0,
            priority: 100,
            intact: true,
        }
    }

    #[test]
    fn every_spoiled_packet_is_bad_and_passes_the_ip_layer() {
        let mut rng = Rng::new(5);
        for version in [Version::V2, Version::V3] {
            let good = advert(version);
            for _ in 0..2_000 {
                let bad = spoil(&good, &mut rng);
                assert!(!bad.intact);
                assert_ne!(bad.bytes, good.bytes);
                let packet = ipv4::Packet::new_checked(&bad.bytes).expect("a whole header");
                assert!(packet.verify_checksum());
                assert_eq!(usize::from(packet.total_len()), bad.bytes.len());
            }
        }
    }

    #[test]
    fn finishing_the_header_of_a_whole_packet_changes_nothing() {
        let good = advert(Version::V3);
        let mut again = good.clone();
        finish_header(&mut again);
        assert_eq!(again.bytes, good.bytes);
    }
}
