use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;
use crate::config::bound::{PeerTtl, VirtualAddress};

const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5));
const THEIRS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);
const THEIRS_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9);

fn addresses(family: Family) -> Vec<IpAddr> {
    match family {
        Family::V4 => vec![
            Ipv4Addr::new(10, 0, 0, 100).into(),
            Ipv4Addr::new(10, 0, 0, 101).into(),
        ],
        Family::V6 => vec![Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x100).into()],
    }
}

fn config(version: Version, family: Family) -> InstanceConfig {
    let entry = |addr| VirtualAddress::new(addr, family.prefix_max());
    let addresses = addresses(family).into_iter().map(entry).collect();
    InstanceConfig::new("VI_1", "eth0", version, 51, addresses)
}

/// An acceptable message for `config` from 10.0.0.9 or fe80::9 to its group.
fn message(config: &InstanceConfig) -> Vec<u8> {
    let addresses = addresses(config.family);
    let repr = vrrp::Repr {
        version: config.version,
        family: config.family,
        vrid: config.vrid,
        priority: 200,
        interval: config.advert_interval,
        auth: config.auth,
        addresses: &addresses,
    };
    let mut octets = Vec::new();
    let (src, dst) = ends(config.family);
    repr.emit(pseudo_header(config.version, src, dst), &mut octets);
    octets
}

fn ends(family: Family) -> (IpAddr, IpAddr) {
    match family {
        Family::V4 => (THEIRS.into(), vrrp::GROUP_V4.into()),
        Family::V6 => (THEIRS_V6.into(), vrrp::GROUP_V6.into()),
    }
}

fn datagram(payload: &[u8], family: Family) -> Datagram<'_> {
    let (src, dst) = ends(family);
    Datagram {
        src,
        dst,
        hop_limit: 255,
        payload,
        trailer_len: 0,
        packet_len: match family {
            Family::V4 => payload.len() + ipv4::HEADER_LEN,
            Family::V6 => usize::MAX,
        },
    }
}

fn judged(config: &InstanceConfig, datagram: &Datagram<'_>) -> Result<Heard, Discard> {
    judge(config, &addresses(config.family), Some(OWN), None, datagram)
}

fn sorts() -> [InstanceConfig; 3] {
    [
        config(Version::V2, Family::V4),
        config(Version::V3, Family::V4),
        config(Version::V3, Family::V6),
    ]
}

#[test]
fn a_good_advert_says_what_it_says() {
    for config in sorts() {
        let octets = message(&config);
        let (src, _) = ends(config.family);
        let heard = Heard {
            src,
            priority: 200,
            interval: Duration::from_secs(1),
            list_differs: false,
            old_checksum: false,
        };
        assert_eq!(
            judged(&config, &datagram(&octets, config.family)),
            Ok(heard)
        );
    }
}

#[test]
fn the_own_address_comes_before_every_other_check() {
    let config = config(Version::V3, Family::V4);
    let mut packet = datagram(&[], Family::V4);
    packet.src = OWN;
    packet.hop_limit = 1;
    assert_eq!(judged(&config, &packet), Err(Discard::Own));
}

#[test]
fn without_an_own_address_nobody_is_us() {
    let config = config(Version::V3, Family::V4);
    let octets = message(&config);
    let packet = datagram(&octets, Family::V4);
    assert!(judge(&config, &addresses(Family::V4), None, None, &packet).is_ok());
}

#[test]
fn ttl_version_and_destination_are_named_in_this_order() {
    for config in sorts() {
        let mut octets = message(&config);
        octets[0] ^= 0x40;
        let mut packet = datagram(&octets, config.family);
        packet.hop_limit = 254;
        assert_eq!(judged(&config, &packet), Err(Discard::Ttl));
        packet.hop_limit = 255;
        assert_eq!(judged(&config, &packet), Err(Discard::Version));
        octets[0] ^= 0x40;
        let mut packet = datagram(&octets, config.family);
        packet.dst = OWN;
        assert_eq!(judged(&config, &packet), Err(Discard::Destination));
    }
}

#[test]
fn unicast_may_have_been_forwarded_and_may_be_limited_to_the_peers() {
    let mut config = config(Version::V2, Family::V4);
    config.destination = Destination::Unicast(vec![THEIRS.into()]);
    let octets = message(&config);
    let mut packet = datagram(&octets, Family::V4);
    assert_eq!(judged(&config, &packet), Err(Discard::Destination));
    packet.dst = OWN;
    packet.hop_limit = 3;
    assert!(judged(&config, &packet).is_ok());
    config.check_unicast_source = true;
    assert!(judged(&config, &packet).is_ok());
    packet.src = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 8));
    assert_eq!(judged(&config, &packet), Err(Discard::UnknownPeer));
}

#[test]
fn the_length_follows_from_the_count() {
    for config in sorts() {
        let octets = message(&config);
        for len in 0..octets.len() {
            let packet = datagram(&octets[..len], config.family);
            assert_eq!(judged(&config, &packet), Err(Discard::Length), "{len}");
        }
        // Surplus: padding in IPv4 up to 46 octets, an error beyond and in IPv6.
        let mut long = octets.clone();
        long.resize(ETHERNET_PAYLOAD_MIN - ipv4::HEADER_LEN, 0);
        let padded = judged(&config, &datagram(&long, config.family));
        match config.family {
            Family::V4 => assert!(padded.is_ok(), "{padded:?}"),
            Family::V6 => assert_eq!(padded, Err(Discard::Length)),
        }
        long.resize(ETHERNET_PAYLOAD_MIN - ipv4::HEADER_LEN + 1, 0);
        let long = datagram(&long, config.family);
        assert_eq!(judged(&config, &long), Err(Discard::Length));
    }
}

#[test]
fn padding_may_stand_behind_the_end_that_the_ip_header_tells() {
    let config = config(Version::V2, Family::V4);
    let octets = message(&config);
    let mut packet = datagram(&octets, Family::V4);
    packet.trailer_len = ETHERNET_PAYLOAD_MIN - packet.packet_len;
    packet.packet_len = ETHERNET_PAYLOAD_MIN;
    assert!(judged(&config, &packet).is_ok());
    packet.trailer_len += 1;
    packet.packet_len += 1;
    assert_eq!(judged(&config, &packet), Err(Discard::Length));
}

#[test]
fn a_password_is_compared_as_a_whole() {
    let mut ours = config(Version::V2, Family::V4);
    ours.auth = Auth::Pass(*b"secret\0\0");
    let verdict = |theirs| {
        let mut neighbour = ours.clone();
        neighbour.auth = theirs;
        let octets = message(&neighbour);
        judged(&ours, &datagram(&octets, Family::V4)).map(|_| ())
    };
    assert_eq!(verdict(ours.auth), Ok(()));
    assert_eq!(verdict(Auth::None), Err(Discard::AuthTypeMismatch));
    let longer = Auth::Pass(*b"secrets\0");
    assert_eq!(verdict(longer), Err(Discard::AuthFailure));
    // Nobody who has none accepts one.
    let octets = message(&ours);
    let open = config(Version::V2, Family::V4);
    let verdict = judged(&open, &datagram(&octets, Family::V4));
    assert_eq!(verdict, Err(Discard::AuthTypeMismatch));
}

#[test]
fn authentication_and_interval_and_type_come_before_the_checksum() {
    let config = config(Version::V2, Family::V4);
    let good = message(&config);
    for (at, value, reason) in [
        (4, 3, Discard::AuthTypeUnknown),
        (4, 2, Discard::AuthTypeMismatch),
        (5, 2, Discard::Interval),
        (0, 0x22, Discard::Type),
        (7, good[7] ^ 1, Discard::Checksum),
    ] {
        let mut octets = good.clone();
        octets[at] = value;
        let verdict = judged(&config, &datagram(&octets, Family::V4));
        assert_eq!(verdict, Err(reason));
    }
}

#[test]
fn the_checksum_covers_the_pseudo_header_in_v3_alone() {
    for config in sorts() {
        let octets = message(&config);
        let mut packet = datagram(&octets, config.family);
        packet.src = match config.family {
            Family::V4 => Ipv4Addr::new(10, 0, 0, 8).into(),
            Family::V6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 8).into(),
        };
        let verdict = judged(&config, &packet);
        match config.version {
            Version::V2 => assert!(verdict.is_ok()),
            Version::V3 => assert_eq!(verdict, Err(Discard::Checksum)),
        }
    }
}

#[test]
fn another_list_is_told_unless_the_master_is_known() {
    let mut config = config(Version::V3, Family::V4);
    let octets = message(&config);
    let packet = datagram(&octets, Family::V4);
    let ours = [addresses(Family::V4)[0]];
    let differs = |config: &InstanceConfig, ours: &[IpAddr], master| {
        let heard = judge(config, ours, Some(OWN), master, &packet);
        heard.expect("a good advert").list_differs
    };
    assert!(differs(&config, &ours, Some(packet.src)));
    config.skip_check_adv_addr = true;
    assert!(!differs(&config, &ours, Some(packet.src)));
    assert!(differs(&config, &ours, Some(OWN)));
    assert!(differs(&config, &ours, None));
    let mut shuffled = addresses(Family::V4);
    shuffled.reverse();
    assert!(!differs(&config, &shuffled, None));
}

#[test]
fn only_whole_ipv4_datagrams_of_protocol_112_are_read() {
    let header = |change: fn(&mut Vec<u8>)| {
        let mut octets = Vec::new();
        ipv4::Repr {
            tos: 0xc0,
            ident: 1,
            ttl: 255,
            protocol: vrrp::PROTOCOL,
            src: THEIRS,
            dst: vrrp::GROUP_V4,
            payload_len: 8,
            dont_fragment: false,
        }
        .emit(&mut octets);
        octets.extend([0x31, 51, 1, 0, 0, 100, 0, 0]);
        change(&mut octets);
        let parsed = Datagram::parse(Ingress::V4 { datagram: &octets });
        parsed.map(|datagram| datagram.payload.len())
    };
    assert_eq!(header(|_| ()), Ok(8));
    assert_eq!(header(|octets| octets[9] = 17), Err(Discard::IpHeader));
    assert_eq!(header(|octets| octets.truncate(19)), Err(Discard::IpHeader));
    assert_eq!(header(|octets| octets[3] = 29), Err(Discard::Length));
    assert_eq!(header(|octets| octets[3] = 19), Err(Discard::Length));
    assert_eq!(header(|octets| octets.push(0)), Ok(8));
}

/// What `from` sends unicast to us, as `to` judges it.
fn between(from: ChecksumStyle, to: ChecksumStyle, group: Ipv4Addr) -> Result<bool, Discard> {
    let unicast = |style| {
        let mut config = config(Version::V3, Family::V4);
        config.destination = Destination::Unicast(vec![THEIRS.into()]);
        config.checksum.style = style;
        config.checksum.group = group;
        config
    };
    let addresses = addresses(Family::V4);
    let sender = unicast(from);
    let repr = vrrp::Repr {
        version: Version::V3,
        family: Family::V4,
        vrid: 51,
        priority: 200,
        interval: sender.advert_interval,
        auth: sender.auth,
        addresses: &addresses,
    };
    let mut octets = Vec::new();
    let old = from == ChecksumStyle::OldUnicast;
    let header = sent_header(&sender, old, THEIRS.into(), OWN);
    repr.emit(header, &mut octets);
    let mut datagram = datagram(&octets, Family::V4);
    datagram.dst = OWN;
    judged(&unicast(to), &datagram).map(|heard| heard.old_checksum)
}

/// As keepalived judges it: what is not told is learned, what is told is kept to.
#[test]
fn unicast_checksums_of_version_3_are_accepted_as_configured() {
    use ChecksumStyle::{AsV2, Auto, Never, OldUnicast};
    let wrong = Err(Discard::Checksum);
    let table = [
        (Auto, Auto, Ok(false)),
        (Auto, OldUnicast, wrong),
        (Auto, Never, Ok(false)),
        (Auto, AsV2, Ok(false)),
        (OldUnicast, Auto, Ok(true)),
        (OldUnicast, OldUnicast, Ok(true)),
        (OldUnicast, Never, wrong),
        (OldUnicast, AsV2, wrong),
        (AsV2, Auto, wrong),
        (AsV2, OldUnicast, wrong),
        (AsV2, AsV2, Ok(false)),
    ];
    for (from, to, expected) in table {
        for group in [vrrp::GROUP_V4, Ipv4Addr::new(224, 0, 0, 19)] {
            assert_eq!(between(from, to, group), expected, "{from:?} to {to:?}");
        }
    }
}

#[test]
fn version_2_and_multicast_have_no_old_checksum() {
    for base in sorts() {
        let mut config = base;
        config.checksum.style = ChecksumStyle::OldUnicast;
        let octets = message(&config);
        let heard = judged(&config, &datagram(&octets, config.family));
        assert_eq!(heard.map(|heard| heard.old_checksum), Ok(false));
    }
}

#[test]
fn a_peer_may_have_limits_of_its_ttl() {
    let mut config = config(Version::V3, Family::V4);
    config.destination = Destination::Unicast(vec![THEIRS.into()]);
    config.peer_ttl = vec![PeerTtl {
        addr: THEIRS.into(),
        min: 250,
        max: 254,
    }];
    let mut octets = Vec::new();
    let header = sent_header(&config, false, THEIRS.into(), OWN);
    let addresses = addresses(Family::V4);
    let repr = vrrp::Repr {
        version: Version::V3,
        family: Family::V4,
        vrid: 51,
        priority: 200,
        interval: config.advert_interval,
        auth: config.auth,
        addresses: &addresses,
    };
    repr.emit(header, &mut octets);
    for (ttl, accepted) in [(249, false), (250, true), (254, true), (255, false)] {
        let mut datagram = datagram(&octets, Family::V4);
        (datagram.dst, datagram.hop_limit) = (OWN, ttl);
        let heard = judged(&config, &datagram);
        assert_eq!(heard.is_ok(), accepted, "{ttl}");
        assert!(accepted || heard == Err(Discard::Ttl));
        // Another sender has none.
        datagram.src = Ipv4Addr::new(10, 0, 0, 8).into();
        assert_ne!(judged(&config, &datagram), Err(Discard::Ttl));
    }
}

#[test]
fn an_owner_may_be_configured_to_hear_nobody() {
    for base in sorts() {
        let mut config = base;
        config.owner_ignore_adverts = true;
        let octets = message(&config);
        let datagram = datagram(&octets, config.family);
        assert!(judged(&config, &datagram).is_ok());
        config.priority = 255;
        assert_eq!(judged(&config, &datagram), Err(Discard::OwnerIgnores));
    }
}
