//! Promises that hold whatever happens: a bad packet moves a counter and nothing else; no input
//! makes the machine panic, speak out of turn, lose track of its addresses or of its time.
//!
//! The streams are drawn at random from a seed, so that a failure can be run again: the message
//! names it.

use std::net::IpAddr;

use relevo_core::config::bound::{Auth, InstanceConfig};
use relevo_core::ids::{Family, Version};
use relevo_core::machine::Machine;
use relevo_core::rng::Rng;
use relevo_core::time::Duration;
use relevo_core::vrrp::Discard;
use relevo_tests::one_host::{Advert, Effect, ID, OneHost, config, group, neighbour, own};
use relevo_tests::storm::{Storm, Weather};

/// Offset of the VRRP message in what a raw socket delivers.
fn message_start(advert: &Advert) -> usize {
    match advert.src {
        IpAddr::V4(_) => 20,
        IpAddr::V6(_) => 0,
    }
}

/// `octets` with a right checksum for the addresses of `advert`.
fn with_checksum(advert: &Advert, mut octets: Vec<u8>) -> Vec<u8> {
    let start = message_start(advert);
    octets[start + 6..start + 8].fill(0);
    let len = octets.len() - start;
    let mut sum = relevo_core::wire::checksum::Checksum::new();
    match (advert.version, advert.src, advert.dst) {
        (Version::V3, IpAddr::V4(src), IpAddr::V4(dst)) => {
            sum.add_pseudo_v4(src, dst, 112, len as u16);
        }
        (Version::V3, IpAddr::V6(src), IpAddr::V6(dst)) => {
            sum.add_pseudo_v6(src, dst, 112, len as u32);
        }
        _ => {}
    }
    sum.add_bytes(&octets[start..]);
    octets[start + 6..start + 8].copy_from_slice(&sum.finish().to_be_bytes());
    octets
}

fn patched(advert: &Advert, at: usize, value: u8) -> Vec<u8> {
    let mut octets = advert.octets();
    octets[message_start(advert) + at] = value;
    with_checksum(advert, octets)
}

/// A packet with one thing wrong.
struct Bad {
    reason: Discard,
    /// From and to whom.
    advert: Advert,
    octets: Vec<u8>,
}

impl Bad {
    fn new(reason: Discard, advert: &Advert, octets: Vec<u8>) -> Self {
        Self {
            reason,
            advert: advert.clone(),
            octets,
        }
    }

    /// `change` applied to what a good neighbour would send.
    fn changed(reason: Discard, good: &Advert, change: impl FnOnce(&mut Advert)) -> Self {
        let mut advert = good.clone();
        change(&mut advert);
        let octets = advert.octets();
        Self::new(reason, &advert, octets)
    }
}

/// One of every kind that a router configured like `config` can be sent.
fn one_of_each(config: &InstanceConfig) -> Vec<Bad> {
    let good = Advert::from_neighbour(config, 9, 254);
    let octets = good.octets();
    let start = message_start(&good);
    let mut flipped = octets.clone();
    flipped[start + 7] ^= 1;
    let other_version = match config.version {
        Version::V2 => 0x31,
        Version::V3 => 0x21,
    };
    let mut all = vec![
        Bad::new(Discard::Checksum, &good, flipped),
        Bad::new(Discard::Version, &good, patched(&good, 0, other_version)),
        Bad::new(
            Discard::Type,
            &good,
            patched(&good, 0, octets[start] & 0xf0 | 2),
        ),
        Bad::new(Discard::Length, &good, patched(&good, 3, 3)),
        Bad::new(Discard::Vrid, &good, patched(&good, 1, 52)),
        Bad::changed(Discard::Ttl, &good, |advert| advert.hop_limit = 254),
        Bad::changed(Discard::Destination, &good, |advert| {
            advert.dst = own(config.family);
        }),
        Bad::changed(Discard::Own, &good, |advert| {
            advert.src = own(config.family);
        }),
    ];
    if config.family == Family::V4 {
        let mut tcp = octets.clone();
        tcp[9] = 6;
        let mut six = octets.clone();
        six[0] = 0x65;
        let mut no_header = octets;
        no_header[0] = 0x44;
        for octets in [tcp, six, no_header] {
            all.push(Bad::new(Discard::IpHeader, &good, octets));
        }
    }
    if config.version == Version::V2 {
        let (mismatch, wrong) = match config.auth {
            Auth::None => (1, None),
            Auth::Pass(_) => (0, Some(Auth::Pass(*b"secreT\0\0"))),
        };
        for kind in [mismatch, 2] {
            let octets = patched(&good, 4, kind);
            all.push(Bad::new(Discard::AuthTypeMismatch, &good, octets));
        }
        let octets = patched(&good, 4, 3);
        all.push(Bad::new(Discard::AuthTypeUnknown, &good, octets));
        if let Some(wrong) = wrong {
            all.push(Bad::changed(Discard::AuthFailure, &good, |advert| {
                advert.auth = wrong;
            }));
        }
        all.push(Bad::changed(Discard::Interval, &good, |advert| {
            advert.interval = Duration::from_secs(2);
        }));
    }
    all
}

fn unicast(mut config: InstanceConfig) -> InstanceConfig {
    let peers = vec![neighbour(config.family, 9)];
    config.destination = relevo_core::config::bound::Destination::Unicast(peers);
    config.check_unicast_source = true;
    config
}

/// Version, family and authentication of every sort of router there is.
fn every_sort() -> Vec<InstanceConfig> {
    let mut with_password = config(Version::V2, Family::V4);
    with_password.auth = Auth::Pass(*b"secret\0\0");
    vec![
        config(Version::V2, Family::V4),
        with_password,
        config(Version::V3, Family::V4),
        config(Version::V3, Family::V6),
    ]
}

/// A backup that follows a master, and a master, both at rest.
fn at_rest(config: &InstanceConfig) -> [OneHost; 2] {
    let mut backup = OneHost::backup(config.clone());
    backup.hear_neighbour(9, 254);
    let mut hosts = [backup, OneHost::master(config.clone())];
    for host in &mut hosts {
        host.pass(Duration::from_millis(123));
        assert!(!host.node.more());
    }
    hosts
}

fn discarded(host: &OneHost, reason: Discard) -> u64 {
    host.node.stats(ID).discarded(reason) + host.node.discarded_unattributed(reason)
}

fn discarded_in_all(host: &OneHost) -> u64 {
    Discard::ALL
        .into_iter()
        .map(|kind| discarded(host, kind))
        .sum()
}

/// The packet is counted as `bad.reason`, and nothing else happens.
fn assert_only_counted(host: &OneHost, bad: &Bad) {
    let mut host = host.clone();
    let before = host.node.without_counters();
    let due = host.node.next_timeout();
    let (kind, all) = (discarded(&host, bad.reason), discarded_in_all(&host));
    let effects = host.hear_octets(&bad.advert, &bad.octets);
    let case = format!(
        "{:?} at {:?}: {:02x?}",
        bad.reason,
        host.state(),
        bad.octets
    );
    assert_eq!(discarded(&host, bad.reason), kind + 1, "{case}");
    assert_eq!(discarded_in_all(&host), all + 1, "{case}");
    assert_eq!(host.node.next_timeout(), due, "{case}");
    assert!(host.node.without_counters() == before, "{case}");
    let told = effects
        .iter()
        .all(|effect| matches!(effect, Effect::Note(_)));
    assert!(told && effects.len() <= 1, "{case}: {effects:?}");
}

#[test]
fn every_kind_of_bad_packet_is_counted_and_changes_nothing() {
    let mut kinds = Vec::new();
    for config in every_sort() {
        for host in at_rest(&config) {
            for bad in one_of_each(&config) {
                assert_only_counted(&host, &bad);
                kinds.push(bad.reason);
            }
        }
        let config = unicast(config);
        for host in at_rest(&config) {
            let good = Advert::from_neighbour(&config, 9, 254);
            let stranger = Bad::changed(Discard::UnknownPeer, &good, |advert| {
                advert.src = neighbour(config.family, 77);
            });
            let multicast = Bad::changed(Discard::Destination, &good, |advert| {
                advert.dst = group(config.family);
            });
            for bad in [stranger, multicast] {
                assert_only_counted(&host, &bad);
                kinds.push(bad.reason);
            }
        }
    }
    for mut config in every_sort() {
        config.priority = 255;
        config.owner_ignore_adverts = true;
        for host in at_rest(&config) {
            let good = Advert::from_neighbour(&config, 9, 255);
            let ignored = Bad::changed(Discard::OwnerIgnores, &good, |_| {});
            assert_only_counted(&host, &ignored);
            kinds.push(ignored.reason);
        }
    }
    for kind in Discard::ALL {
        assert!(kinds.contains(&kind), "{kind:?} was not tried");
    }
}

#[test]
fn an_advert_cut_at_any_octet_is_counted_and_changes_nothing() {
    for config in every_sort() {
        let good = Advert::from_neighbour(&config, 9, 254);
        let whole = good.octets();
        for host in at_rest(&config) {
            for len in 0..whole.len() {
                let cut = whole[..len].to_vec();
                let reason = match config.family {
                    Family::V4 if len < 20 => Discard::IpHeader,
                    Family::V4 | Family::V6 => Discard::Length,
                };
                assert_only_counted(&host, &Bad::new(reason, &good, cut.clone()));
                // And so when the IP header owns up to it.
                if config.family == Family::V4 && len >= 20 {
                    let mut cut = cut;
                    cut[3] = len as u8;
                    assert_only_counted(&host, &Bad::new(Discard::Length, &good, cut));
                }
            }
            // The whole one is accepted: it is the cut that was wrong.
            let mut host = host.clone();
            let received = host.node.stats(ID).adverts_received;
            host.hear(&good);
            assert_eq!(host.node.stats(ID).adverts_received, received + 1);
        }
    }
}

#[test]
fn an_advert_with_any_octet_changed_is_discarded_or_ignored_by_design() {
    for config in every_sort() {
        let good = Advert::from_neighbour(&config, 9, 254);
        let whole = good.octets();
        let start = message_start(&good);
        for host in at_rest(&config) {
            for at in start..whole.len() {
                for bit in 0..8 {
                    let mut changed = whole.clone();
                    changed[at] ^= 1 << bit;
                    let mut host = host.clone();
                    let all = discarded_in_all(&host);
                    let before = host.node.without_counters();
                    host.hear_octets(&good, &changed);
                    assert_eq!(discarded_in_all(&host), all + 1, "octet {at}, bit {bit}");
                    assert!(host.node.without_counters() == before);
                }
            }
        }
    }
}

/// Random storms, each of them three times: once more, and once at another time of day.
#[test]
fn storms_leave_every_promise_standing() {
    for seed in 0..150 {
        let weather = match seed % 3 {
            0 => Weather::Rough,
            1 => Weather::Wild,
            _ => Weather::Fair,
        };
        let steps = 250;
        let first = Storm::new(seed, weather, Duration::ZERO).run(steps);
        let again = Storm::new(seed, weather, Duration::ZERO).run(steps);
        assert_eq!(
            first, again,
            "seed {seed}: the same stream did other things"
        );
        let shifted = Storm::new(seed, weather, Duration::from_secs(86_399)).run(steps);
        assert_eq!(first, shifted, "seed {seed}: the time of day matters");
    }
}

/// Octets of no meaning at all, short and long, to every sort of router.
#[test]
fn garbage_never_panics_and_never_counts_as_an_advert() {
    let mut rng = Rng::new(11);
    for config in every_sort() {
        let advert = Advert::from_neighbour(&config, 9, 254);
        for mut host in at_rest(&config) {
            let before = host.node.without_counters();
            let received = host.node.stats(ID).adverts_received;
            for _ in 0..20_000 {
                let len = rng.below(80) as usize;
                let mut octets: Vec<u8> = (0..len).map(|_| rng.next_u64() as u8).collect();
                // Let some of them come past the IP header.
                if config.family == Family::V4 && len >= 20 && rng.chance(3, 4) {
                    octets[..12].copy_from_slice(&advert.octets()[..12]);
                    octets[3] = len as u8;
                }
                host.hear_octets(&advert, &octets);
            }
            assert_eq!(host.node.stats(ID).adverts_received, received);
            assert!(host.node.without_counters() == before);
        }
    }
}
