//! Bad packets of every kind, made from good ones: what a hostile or broken neighbour may send.

use std::net::{IpAddr, Ipv4Addr};

use super::flavour::{Cast, Flavour};
use super::forge::Advert;
use super::host::Host;

/// Source MAC of every frame that is made by hand, so that a capture can leave them out.
pub const MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x66];

/// Octets of an Ethernet header.
const ETHERNET: usize = 14;

/// What keepalived 2.2.7 sends as a master of priority 200 at 10.0.0.4 (fe80::ff:fe00:4), recorded.
const RECORDED: [(Flavour, &str); 4] = [
    (
        Flavour::V2,
        "01005e000012020000000004080045c0002800010000ff70d08e0a000004e00000122133c80100010c66\
         0a0000640000000000000000",
    ),
    (
        Flavour::V2_PASS,
        "01005e000012020000000004080045c0002800010000ff70d08e0a000004e00000122133c80101019de7\
         0a0000647365637265743132",
    ),
    (
        Flavour::V3,
        "01005e000012020000000004080045c0002000010000ff70d0960a000004e00000123133c801001e11b6\
         0a000064",
    ),
    (
        Flavour::V3_IPV6,
        "33330000001202000000000486dd6c0e488e002870fffe80000000000000000000fffe000004\
         ff0200000000000000000000000000123133c802001e0bf8fe800000000000000000000000000100\
         fd000000000000000000000000000100",
    ),
];

/// An advert that both routers would believe, from `src`; `to` is the one it is for in unicast.
pub fn believable(flavour: Flavour, src: IpAddr, priority: u8, to: Option<&Host>) -> Advert {
    let vrid = Flavour::VRID;
    let addresses = flavour
        .virtual_addresses()
        .into_iter()
        .map(|(address, _)| address)
        .collect();
    let mut advert = match src {
        IpAddr::V6(src) => Advert::v3_ipv6(src, vrid, priority, flavour.interval_centis, addresses),
        IpAddr::V4(src) if flavour.version == 3 => {
            Advert::v3(src, vrid, priority, flavour.interval_centis)
        }
        IpAddr::V4(src) => {
            let advert = Advert::v2(src, vrid, priority);
            match flavour.password {
                Some(password) => advert.password(password),
                None => advert,
            }
        }
    };
    if let Some(host) = to {
        advert.dst = flavour.source(host);
        advert.to = host.mac();
    }
    advert
}

/// Every way to spoil a believable advert in one place. Version 2 alone has the last ones.
pub fn spoiled(good: &Advert) -> Vec<Advert> {
    let with = |spoil: &dyn Fn(&mut Advert)| {
        let mut advert = good.clone();
        spoil(&mut advert);
        advert
    };
    let mut bad = Vec::new();
    let other = if good.version == 2 { 3 } else { 2 };
    for version in [0, 1, other, 4, 15] {
        bad.push(with(&|advert| advert.version = version));
    }
    for kind in [0, 2, 15] {
        bad.push(with(&|advert| advert.kind = kind));
    }
    // Unicast has routers on its way.
    if good.dst.is_multicast() {
        for ttl in [1, 64, 254] {
            bad.push(with(&|advert| advert.ttl = ttl));
        }
    }
    // Not 0: without a password that is a version 2 advert without addresses, padded as Ethernet's minimum
    // allows, and keepalived has routers without addresses.
    for count in [3, 20, 255] {
        bad.push(with(&|advert| advert.count = count));
    }
    for error in [1, 0x8000] {
        bad.push(with(&|advert| advert.checksum_error = error));
    }
    for error in [-1, -4, 1, 100] {
        bad.push(with(&|advert| advert.length_error = error));
    }
    bad.push(with(&|advert| advert.vrid += 1));
    for more in [64, 1_400] {
        bad.push(with(&|advert| advert.tail.extend(vec![0; more])));
    }
    let whole =
        8 + good.addresses.len() * if good.src.is_ipv6() { 16 } else { 4 } + good.tail.len();
    for length in 0..whole {
        bad.push(with(&|advert| advert.cut = Some(length)));
    }
    if good.version == 2 {
        bad.push(with(&|advert| advert.timing[1] = 2));
        let right = good.timing[0];
        for kind in (0..4).filter(|kind| *kind != right) {
            bad.push(with(&|advert| advert.timing[0] = kind));
        }
        if right == 1 {
            bad.push(with(&|advert| advert.tail[0] ^= 1));
            bad.push(with(&|advert| advert.tail[7] ^= 1));
        }
    }
    bad
}

/// Recorded packets of keepalived 2.2.7, each with one octet of the VRRP part changed: nothing but the
/// checksum may show it. None for unicast, whose addresses are in the checksum.
pub fn replayed(flavour: Flavour) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let Some((_, hex)) = RECORDED.iter().find(|(of, _)| *of == flavour) else {
        return frames;
    };
    let good = unhex(hex);
    let vrrp = ETHERNET + if flavour.ipv6 { 40 } else { 20 };
    for place in vrrp..good.len() {
        for change in [0x01, 0x80, 0x5a] {
            let mut frame = good.clone();
            frame[6..12].copy_from_slice(&MAC);
            frame[place] ^= change;
            frames.push(frame);
        }
    }
    frames
}

/// Packets of the protocol with random octets in them, of any length up to what a frame may have.
pub fn random(good: &Advert, count: usize) -> Vec<Vec<u8>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        // xorshift64: the same flood each time.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut frames = Vec::new();
    for index in 0..count {
        let length = usize::try_from(next() % 1_400).unwrap_or(0);
        let mut tail: Vec<u8> = (0..length).map(|_| next().to_le_bytes()[3]).collect();
        // Every other one gets as far as our virtual router.
        if let (true, Some(vrid)) = (index % 2 == 0, tail.get_mut(1)) {
            *vrid = good.vrid;
        }
        let empty = Advert {
            cut: Some(0),
            length_error: i16::try_from(length).unwrap_or(0),
            ..good.clone()
        };
        let mut frame = empty.frame();
        frame.extend(tail);
        frames.push(frame);
    }
    frames
}

/// Pieces of adverts: first ones without an end, ends without a beginning, and two halves of one whose
/// checksum is wrong.
pub fn fragments(good: &Advert) -> Vec<Vec<u8>> {
    let bad = Advert {
        checksum_error: 1,
        ..good.clone()
    };
    let whole = bad.frame();
    let header = ETHERNET + if good.src.is_ipv6() { 40 } else { 20 };
    let half = header + 8;
    let piece = |from: usize, to: usize, offset: usize, more: bool| {
        let mut body = whole[..header].to_vec();
        body.extend(&whole[from..to]);
        fragment(&body, header, u16::try_from(offset).unwrap_or(0), more)
    };
    let end = whole.len();
    vec![
        piece(header, half, 0, true),
        piece(half, end, 8, false),
        piece(header, half, 0, true),
        piece(half, end, 800, false),
    ]
}

/// Makes a frame one piece of a fragmented packet; `offset` in octets.
fn fragment(frame: &[u8], header: usize, offset: u16, more: bool) -> Vec<u8> {
    let mut piece = frame.to_vec();
    let payload = frame.len() - header;
    let length = |octets: usize| u16::try_from(octets).unwrap_or(u16::MAX).to_be_bytes();
    if header == ETHERNET + 20 {
        piece[16..18].copy_from_slice(&length(20 + payload));
        let flags = (offset / 8) | if more { 0x2000 } else { 0 };
        piece[20..22].copy_from_slice(&flags.to_be_bytes());
        piece[24..26].copy_from_slice(&[0, 0]);
        let sum = super::forge::checksum(&[], &piece[ETHERNET..header]);
        piece[24..26].copy_from_slice(&sum.to_be_bytes());
        return piece;
    }
    // RFC 8200 section 4.5: a header of its own in between.
    let place = (offset | u16::from(more)).to_be_bytes();
    piece[18..20].copy_from_slice(&length(8 + payload));
    piece[20] = 44;
    piece.splice(header..header, [112, 0, place[0], place[1], 0, 0, 0, 7]);
    piece
}

/// Everything above at once for two routers: with the priorities that would do the greatest harm.
/// `src` is where it seems to come from; each router also gets its own adverts back.
pub fn everything(flavour: Flavour, src: IpAddr, routers: &[&Host]) -> Vec<Vec<u8>> {
    let targets: Vec<Option<&Host>> = match flavour.cast {
        Cast::Multicast => vec![None],
        Cast::Unicast => routers.iter().map(|host| Some(*host)).collect(),
    };
    let mut frames = Vec::new();
    for priority in [255, 0] {
        for target in &targets {
            let good = believable(flavour, src, priority, *target);
            frames.extend(spoiled(&good).iter().map(Advert::frame));
            frames.extend(fragments(&good));
            frames.extend(random(&good, 300));
        }
        for host in routers {
            let mut own = believable(flavour, flavour.source(host), priority, None);
            own.to = host.mac();
            frames.push(own.frame());
            // To an address of the host, not to the group, or the reverse.
            let mut astray = believable(flavour, src, priority, None);
            if flavour.cast == Cast::Multicast {
                astray.dst = flavour.source(host);
                astray.to = host.mac();
            }
            frames.push(astray.frame());
        }
        frames.extend(replayed(flavour));
    }
    frames
}

/// IPv4 packets that do not even have a right header: the kernel throws them away.
pub fn headless(src: Ipv4Addr) -> Vec<Vec<u8>> {
    let good = Advert::v2(src, Flavour::VRID, 255).frame();
    (ETHERNET..ETHERNET + 12)
        .map(|place| {
            let mut frame = good.clone();
            frame[place] ^= 0x11;
            frame
        })
        .collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .collect();
    let octet = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).unwrap_or(0);
    digits.chunks_exact(2).map(octet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other() -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, 4)
    }

    #[test]
    fn the_recordings_are_what_we_make_ourselves() {
        // What keepalived sent and what `forge` makes agree in every octet but MAC, IP identification
        // and flow label.
        for (flavour, hex) in RECORDED {
            let src = if flavour.ipv6 {
                "fe80::ff:fe00:4".parse().unwrap()
            } else {
                other().into()
            };
            let made = believable(flavour, src, 200, None).frame();
            let recorded = unhex(hex);
            let vrrp = ETHERNET + if flavour.ipv6 { 40 } else { 20 };
            assert_eq!(made[vrrp..], recorded[vrrp..], "{flavour:?}");
            assert_eq!(made[12..14], recorded[12..14]);
        }
    }

    #[test]
    fn every_replayed_frame_differs_in_one_octet() {
        let frames = replayed(Flavour::V2_PASS);
        assert_eq!(frames.len(), 20 * 3);
        let good = unhex(RECORDED[1].1);
        for frame in frames {
            let wrong = frame.iter().zip(&good).skip(12).filter(|(a, b)| a != b);
            assert_eq!(wrong.count(), 1);
        }
        assert!(replayed(Flavour::V3.unicast()).is_empty());
    }

    #[test]
    fn random_frames_have_the_length_that_they_tell() {
        let good = believable(Flavour::V3, other().into(), 255, None);
        for frame in random(&good, 50) {
            let told = u16::from_be_bytes([frame[16], frame[17]]);
            assert_eq!(usize::from(told), frame.len() - ETHERNET);
            assert_eq!(super::super::forge::checksum(&[], &frame[14..34]), 0);
        }
    }

    #[test]
    fn two_fragments_make_the_whole() {
        let good = believable(Flavour::V2, other().into(), 255, None);
        let pieces = fragments(&good);
        assert_eq!(pieces[0][20..22], [0x20, 0]);
        assert_eq!(pieces[1][20..22], [0, 1]);
        assert_eq!(pieces[0].len() + pieces[1].len(), good.frame().len() + 34);
        let six = believable(Flavour::V3_IPV6, "fe80::4".parse().unwrap(), 255, None);
        let pieces = fragments(&six);
        assert_eq!(pieces[1][20], 44);
        assert_eq!(pieces[1][54..58], [112, 0, 0, 8]);
    }
}
