//! Adverts of other implementations taken apart and put together again, and ours round trip.

use proptest::prelude::*;

use super::*;
use crate::wire::{ethernet, ipv4, ipv6, testdata};

/// VRID 51, priority 30, 1 s, 10.0.1.5, no password: a test vector of holo.
static V2_BARE: [u8; 20] = [
    0x21, 0x33, 0x1e, 0x01, 0x00, 0x01, 0xb5, 0xc5, 0x0a, 0x00, 0x01, 0x05, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00,
];

/// The VRRP message of a captured frame, with its pseudo-header.
fn message(frame: &'static [u8]) -> (Family, Pseudo, &'static [u8]) {
    let ethernet = ethernet::Packet::new_checked(frame).unwrap();
    match ethernet.ethertype() {
        ethernet::ETHERTYPE_IPV4 => {
            let ip = ipv4::Packet::new_checked(ethernet.payload()).unwrap();
            assert_eq!(ip.protocol(), PROTOCOL);
            let (src, dst) = (ip.src(), ip.dst());
            (Family::V4, Pseudo::V4 { src, dst }, ip.payload())
        }
        ethernet::ETHERTYPE_IPV6 => {
            let ip = ipv6::Packet::new_checked(ethernet.payload()).unwrap();
            assert_eq!(ip.next_header(), PROTOCOL);
            let (src, dst) = (ip.src(), ip.dst());
            (Family::V6, Pseudo::V6 { src, dst }, ip.payload())
        }
        other => panic!("ethertype {other:#x}"),
    }
}

fn addrs(list: &[&str]) -> Vec<IpAddr> {
    list.iter().map(|addr| addr.parse().unwrap()).collect()
}

/// Parses the captured advert, compares it with `line`, and emits the same octets again.
fn check(frame: &'static [u8], line: &str) {
    let (family, pseudo, octets) = message(frame);
    let packet = Packet::new_checked(octets).unwrap();
    let mut buffer = addrs(&["192.0.2.1"]);
    let repr = Repr::parse(&packet, family, Some(pseudo), &mut buffer).unwrap();
    assert_eq!(repr.to_string(), line);
    assert_eq!(repr.buffer_len(), octets.len());
    let mut emitted = b"before".to_vec();
    repr.emit(Some(pseudo), &mut emitted);
    assert_eq!(&emitted[..6], b"before");
    assert_eq!(&emitted[6..], octets);
}

#[test]
fn captured_adverts_are_understood_and_emitted_alike() {
    check(
        testdata::V2_NONE,
        "VRRPv2, Advertisement, vrid 51, prio 150, authtype none, intvl 1s, length 20, \
         addrs: 10.0.0.100",
    );
    check(
        testdata::V2_NONE_STOP,
        "VRRPv2, Advertisement, vrid 51, prio 0, authtype none, intvl 1s, length 20, \
         addrs: 10.0.0.100",
    );
    check(
        testdata::V2_PASS,
        "VRRPv2, Advertisement, vrid 51, prio 150, authtype simple, intvl 1s, length 24, \
         addrs(2): 10.0.0.100,10.0.0.101",
    );
    check(
        testdata::V3_IPV4,
        "VRRPv3, Advertisement, vrid 51, prio 150, intvl 30cs, length 16, \
         addrs(2): 10.0.0.100,10.0.0.101",
    );
    check(
        testdata::V3_IPV4_STOP,
        "VRRPv3, Advertisement, vrid 51, prio 0, intvl 30cs, length 16, \
         addrs(2): 10.0.0.100,10.0.0.101",
    );
    check(
        testdata::V3_IPV6,
        "VRRPv3, Advertisement, vrid 51, prio 150, intvl 100cs, length 40, \
         addrs(2): fe80::100,2001:db8::100",
    );
}

#[test]
fn every_cut_of_a_captured_advert_is_noticed() {
    for frame in [testdata::V2_PASS, testdata::V3_IPV4, testdata::V3_IPV6] {
        let (family, pseudo, octets) = message(frame);
        for len in 0..octets.len() {
            let parsed = Packet::new_checked(&octets[..len]).and_then(|packet| {
                Repr::parse(&packet, family, Some(pseudo), &mut Vec::new()).map(|_| ())
            });
            let error = match len {
                0..HEADER_LEN => WireError::Truncated,
                _ => WireError::Length,
            };
            assert_eq!(parsed, Err(error), "{len} octets");
        }
    }
}

#[test]
fn every_flipped_bit_of_a_captured_advert_is_noticed() {
    for frame in [testdata::V2_PASS, testdata::V3_IPV4, testdata::V3_IPV6] {
        let (_, pseudo, octets) = message(frame);
        for bit in 0..octets.len() * 8 {
            let mut changed = octets.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            let packet = Packet::new_checked(&changed).unwrap();
            assert!(!packet.checksum_ok(octets.len(), Some(pseudo)), "bit {bit}");
        }
    }
}

#[test]
fn deconstruct_v2() {
    let packet = Packet::new_checked(&V2_BARE).unwrap();
    assert_eq!(packet.version(), 2);
    assert_eq!(packet.kind(), TYPE_ADVERTISEMENT);
    assert_eq!(packet.vrid(), 51);
    assert_eq!(packet.priority(), 30);
    assert_eq!(packet.address_count(), 1);
    assert_eq!(packet.auth_type(), AUTH_NONE);
    assert_eq!(packet.interval_secs(), 1);
    assert_eq!(packet.checksum(), 0xb5c5);
    assert_eq!(packet.body(), &V2_BARE[8..]);
    assert_eq!(packet.expected_len(Version::V2, Family::V4), 20);
    assert_eq!(packet.auth_data(), Some(&[0; 8]));
    assert!(packet.addresses(Family::V4).eq(addrs(&["10.0.1.5"])));
    assert!(packet.checksum_ok(20, None));
}

#[test]
fn the_password_lies_behind_the_addresses() {
    let (_, _, octets) = message(testdata::V2_PASS);
    let packet = Packet::new_checked(octets).unwrap();
    assert_eq!(packet.auth_type(), AUTH_PASS);
    assert_eq!(packet.auth_data(), Some(b"secret\0\0"));
    let short = Packet::new_checked(&octets[..octets.len() - 1]).unwrap();
    assert_eq!(short.auth_data(), None);
    let repr = Repr::parse(&packet, Family::V4, None, &mut Vec::new()).map(|repr| repr.auth);
    assert_eq!(repr, Ok(Auth::Pass(*b"secret\0\0")));
}

#[test]
fn the_interval_of_v3_has_twelve_bits() {
    let mut octets = V2_BARE;
    octets[4..6].copy_from_slice(&[0xfb, 0xcd]);
    let packet = Packet::new_checked(&octets).unwrap();
    assert_eq!(packet.interval_centis(), 0x0bcd);
}

#[test]
fn only_v3_counts_the_pseudo_header() {
    let pseudo = Pseudo::new([192, 0, 2, 1].into(), GROUP_V4.into());
    assert!(pseudo.is_some());
    assert_eq!(Pseudo::new([192, 0, 2, 1].into(), GROUP_V6.into()), None);
    let v2 = Packet::new_checked(&V2_BARE).unwrap();
    assert!(v2.checksum_ok(20, None));
    assert!(v2.checksum_ok(20, pseudo));

    let (_, right, octets) = message(testdata::V3_IPV4);
    let v3 = Packet::new_checked(octets).unwrap();
    assert!(v3.checksum_ok(octets.len(), Some(right)));
    assert!(!v3.checksum_ok(octets.len(), pseudo), "another source");
    assert!(!v3.checksum_ok(octets.len(), None));
}

#[test]
fn the_checksum_covers_the_expected_length_alone() {
    let mut padded = V2_BARE.to_vec();
    padded.extend_from_slice(&[0x5a; 26]);
    let packet = Packet::new_checked(&padded).unwrap();
    assert!(packet.checksum_ok(20, None));
    assert!(!packet.checksum_ok(46, None), "the padding is included");
    assert!(!packet.checksum_ok(47, None), "beyond the buffer");
}

#[test]
fn what_is_refused() {
    // One octet changed and the checksum set right again: only that octet can be at fault.
    let changed = |at: usize, value: u8| {
        let mut octets = V2_BARE;
        octets[at] = value;
        octets[6..8].fill(0);
        let sum = message_checksum(&octets, None);
        octets[6..8].copy_from_slice(&sum.to_be_bytes());
        let packet = Packet::new_checked(&octets).unwrap();
        Repr::parse(&packet, Family::V4, None, &mut Vec::new()).map(|repr| repr.auth)
    };
    assert_eq!(changed(0, 0x21), Ok(Auth::None));
    assert_eq!(changed(0, 0x11), Err(WireError::Version));
    assert_eq!(changed(0, 0x41), Err(WireError::Version));
    assert_eq!(changed(0, 0x20), Err(WireError::Kind));
    assert_eq!(changed(0, 0x2f), Err(WireError::Kind));
    assert_eq!(changed(0, 0x31), Err(WireError::Length), "no auth data");
    assert_eq!(changed(3, 0), Err(WireError::Length));
    assert_eq!(changed(3, 2), Err(WireError::Length));
    assert_eq!(changed(3, 255), Err(WireError::Length));
    assert_eq!(changed(4, AUTH_PASS), Ok(Auth::Pass([0; 8])));
    assert_eq!(changed(4, AUTH_AH), Err(WireError::AuthType));
    assert_eq!(changed(4, 3), Err(WireError::AuthType));

    let mut no_checksum = V2_BARE;
    no_checksum[6..8].fill(0);
    let packet = Packet::new_checked(&no_checksum).unwrap();
    let parsed = Repr::parse(&packet, Family::V4, None, &mut Vec::new()).map(|_| ());
    assert_eq!(parsed, Err(WireError::Checksum));

    let packet = Packet::new_checked(&V2_BARE).unwrap();
    let parsed = Repr::parse(&packet, Family::V6, None, &mut Vec::new()).map(|_| ());
    assert_eq!(parsed, Err(WireError::Version), "v2 over IPv6");
}

#[test]
fn what_does_not_fit_is_left_out() {
    let mut list: Vec<IpAddr> = (0..300u32).map(|n| Ipv4Addr::from(n).into()).collect();
    list.insert(0, GROUP_V6.into());
    let mut repr = Repr {
        version: Version::V2,
        family: Family::V4,
        vrid: 1,
        priority: 1,
        interval: Duration::from_secs(300),
        auth: Auth::None,
        addresses: &list,
    };
    let mut octets = Vec::new();
    repr.emit(None, &mut octets);
    assert_eq!(octets.len(), 8 + 255 * 4 + 8);
    let packet = Packet::new_checked(&octets).unwrap();
    assert_eq!(packet.address_count(), 255);
    assert_eq!(packet.interval_secs(), 255);
    assert!(
        packet
            .addresses(Family::V4)
            .eq(list[1..256].iter().copied())
    );

    repr.version = Version::V3;
    repr.family = Family::V6;
    octets.clear();
    repr.emit(None, &mut octets);
    let packet = Packet::new_checked(&octets).unwrap();
    assert_eq!(packet.address_count(), 1);
    assert_eq!(packet.interval_centis(), 4095);
}

/// A router with values that its version can express.
#[derive(Clone, Debug)]
struct Sample {
    version: Version,
    family: Family,
    vrid: u8,
    priority: u8,
    interval: Duration,
    auth: Auth,
    addresses: Vec<IpAddr>,
    pseudo: Option<Pseudo>,
}

impl Sample {
    fn repr(&self) -> Repr<'_> {
        Repr {
            version: self.version,
            family: self.family,
            vrid: self.vrid,
            priority: self.priority,
            interval: self.interval,
            auth: self.auth,
            addresses: &self.addresses,
        }
    }
}

fn sample() -> impl Strategy<Value = Sample> {
    let kind = prop_oneof![
        Just((Version::V2, Family::V4)),
        Just((Version::V3, Family::V4)),
        Just((Version::V3, Family::V6)),
    ];
    let lists = proptest::collection::vec(any::<u128>(), 0..=255);
    let password = proptest::option::of(any::<[u8; 8]>());
    let numbers = (any::<u8>(), any::<u8>(), 0u16..=INTERVAL_CENTIS_MAX);
    let pseudo = proptest::option::of(any::<(u128, u128)>());
    (kind, numbers, password, lists, pseudo).prop_map(
        |((version, family), (vrid, priority, interval), password, list, pseudo)| {
            let addr = |bits: u128| match family {
                Family::V4 => IpAddr::from(Ipv4Addr::from(bits as u32)),
                Family::V6 => IpAddr::from(Ipv6Addr::from(bits)),
            };
            Sample {
                version,
                family,
                vrid,
                priority,
                interval: match version {
                    Version::V2 => Duration::from_secs(u64::from(interval as u8)),
                    Version::V3 => Duration::from_centis(u64::from(interval)),
                },
                auth: match (version, password) {
                    (Version::V2, Some(password)) => Auth::Pass(password),
                    (Version::V2, None) | (Version::V3, _) => Auth::None,
                },
                addresses: list.into_iter().map(addr).collect(),
                pseudo: pseudo.and_then(|(src, dst)| Pseudo::new(addr(src), addr(dst))),
            }
        },
    )
}

proptest! {
    #[test]
    fn round_trip(sample in sample()) {
        let repr = sample.repr();
        let mut octets = Vec::new();
        repr.emit(sample.pseudo, &mut octets);
        prop_assert_eq!(octets.len(), repr.buffer_len());
        let packet = Packet::new_checked(&octets).unwrap();
        let mut buffer = Vec::new();
        let parsed = Repr::parse(&packet, sample.family, sample.pseudo, &mut buffer);
        prop_assert_eq!(parsed, Ok(repr));
    }

    #[test]
    fn every_truncation_is_noticed(sample in sample(), at in any::<prop::sample::Index>()) {
        let mut octets = Vec::new();
        sample.repr().emit(sample.pseudo, &mut octets);
        let cut = &octets[..at.index(octets.len())];
        match Packet::new_checked(cut) {
            Err(error) => prop_assert_eq!(error, WireError::Truncated),
            Ok(packet) => {
                let len = packet.expected_len(sample.version, sample.family);
                prop_assert_eq!(len, octets.len());
                prop_assert!(!packet.checksum_ok(len, sample.pseudo));
                let mut buffer = Vec::new();
                let parsed = Repr::parse(&packet, sample.family, sample.pseudo, &mut buffer);
                prop_assert_eq!(parsed, Err(WireError::Length));
            }
        }
    }

    #[test]
    fn any_octets_are_read_or_refused(
        mut octets in proptest::collection::vec(any::<u8>(), 0..120),
        first in prop_oneof![Just(0x21u8), Just(0x31), any::<u8>()],
        six: bool,
    ) {
        if let Some(octet) = octets.first_mut() {
            *octet = first;
        }
        let family = if six { Family::V6 } else { Family::V4 };
        let Ok(packet) = Packet::new_checked(&octets) else {
            prop_assert!(octets.len() < HEADER_LEN);
            return Ok(());
        };
        let room = packet.body().len() / family.address_len();
        prop_assert!(packet.addresses(family).count() <= room);
        prop_assert!(packet.interval_centis() <= INTERVAL_CENTIS_MAX);
        if let Some(data) = packet.auth_data() {
            let end = HEADER_LEN + usize::from(packet.address_count()) * 4 + AUTH_LEN;
            prop_assert_eq!(&octets[end - AUTH_LEN..end], data);
        }
        let mut buffer = Vec::new();
        if let Ok(repr) = Repr::parse(&packet, family, None, &mut buffer) {
            prop_assert_eq!(repr.buffer_len(), octets.len());
        }
    }
}
