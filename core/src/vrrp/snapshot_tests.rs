use super::*;
use crate::config::bound::VirtualAddress;

fn config() -> InstanceConfig {
    let addresses = vec![
        VirtualAddress::new([192, 0, 2, 1].into(), 32),
        VirtualAddress::new("2001:db8::1".parse().expect("an address"), 128),
    ];
    InstanceConfig::new("VI_1", "eth0", Version::V3, 51, addresses)
}

fn record() -> Record {
    let at = |micros| Some(Instant::from_micros(micros));
    let mut counters = [0; COUNTERS];
    let mut discarded = [0; Discard::ALL.len()];
    for (number, counter) in counters.iter_mut().chain(&mut discarded).enumerate() {
        *counter = number as u64 * 1_000_003;
    }
    Record {
        identity: Identity::of(&config()),
        state: StateName::Master,
        priority: 150,
        old_checksum: true,
        settled: true,
        preempt: PreemptDelay::Over,
        heard: Some(LastMaster {
            addr: [192, 0, 2, 7].into(),
            priority: 99,
        }),
        master_interval: Duration::from_millis(990),
        advert_interval: Duration::from_secs(1),
        spoke: at(5_000_000),
        master_down: at(9_000_000),
        preempt_at: None,
        since: Instant::from_micros(1_000_000),
        made: Instant::from_micros(4_000_000),
        stats: Stats::from_counters(counters, discarded),
        filter: Filter::of(&config()),
        addresses: addresses_hash(&config()),
    }
}

fn encoded(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    bytes
}

#[test]
fn a_record_is_read_back_as_it_was_written() {
    let full = record();
    let mut backup = full.clone();
    backup.state = StateName::Backup;
    backup.heard = Some(LastMaster {
        addr: "fe80::1".parse().expect("an address"),
        priority: 255,
    });
    let mut bare = full.clone();
    (bare.state, bare.heard, bare.spoke) = (StateName::Fault, None, None);
    (bare.preempt, bare.settled) = (PreemptDelay::Idle, false);
    for record in [full, backup, bare] {
        let bytes = encoded(&record);
        assert_eq!(bytes.len(), RECORD_LEN);
        assert_eq!(Record::decode(&bytes), Ok(record));
    }
    assert_eq!(RECORD_LEN % 8, 0, "a runtime copies it word by word");
}

#[test]
fn every_damage_of_one_bit_is_refused() {
    let bytes = encoded(&record());
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let expected = match bit / 8 {
            0 => RecordError::Version,
            _ => RecordError::Checksum,
        };
        assert_eq!(Record::decode(&damaged), Err(expected), "bit {bit}");
    }
}

#[test]
fn a_record_of_another_length_is_refused() {
    let mut bytes = encoded(&record());
    for len in 0..bytes.len() {
        assert!(Record::decode(&bytes[..len]).is_err(), "{len} octets");
    }
    bytes.push(0);
    assert!(Record::decode(&bytes).is_err());
    assert_eq!(
        Record::decode(&[0; RECORD_LEN]),
        Err(RecordError::Version),
        "nothing but zeros"
    );
}

#[test]
fn values_that_none_has_are_refused_even_with_a_right_checksum() {
    let bytes = encoded(&record());
    for (place, value) in [(1, 0), (1, 4), (2, 5), (3, 1), (6, 12), (32, 5), (32, 0)] {
        let mut odd = bytes.clone();
        odd[place] = value;
        odd.truncate(RECORD_LEN - 8);
        let odd = sealed(&odd);
        assert_eq!(Record::decode(&odd), Err(RecordError::Value), "{place}");
    }
}

#[test]
fn a_virtual_router_is_known_by_everything_that_identifies_it() {
    let own = Identity::of(&config());
    let mut others = vec![config(); 5];
    others[0].vrid = 52;
    others[1].interface = "eth1".to_owned();
    others[2].name = "VI_2".to_owned();
    others[3].version = Version::V2;
    others[4].family = Family::V6;
    for other in &others {
        assert_ne!(Identity::of(other), own, "{other:?}");
    }
    let named = &others[2];
    assert_eq!(Identity::of(named).nameless(), own.nameless());
    assert_ne!(Identity::of(&others[0]).nameless(), own.nameless());
    let mut same = config();
    (same.priority, same.addresses) = (7, Vec::new());
    assert_eq!(Identity::of(&same), own, "what may change by a reload");
}

#[test]
fn a_mastership_ages_within_the_adverts_that_a_backup_may_miss() {
    let (record, mut config) = (record(), config());
    let at = Instant::from_micros;
    assert!(record.is_fresh(&config, at(7_999_999)));
    assert!(!record.is_fresh(&config, at(8_000_000)));
    assert!(!record.is_fresh(&config, at(4_999_999)), "in the future");
    config.down_timer_adverts = 2;
    assert!(!record.is_fresh(&config, at(7_000_000)));
    config.down_timer_adverts = 9;
    assert!(
        !record.is_fresh(&config, at(8_000_000)),
        "a peer's may be 3"
    );
    config.advert_interval = Duration::from_millis(100);
    assert!(!record.is_fresh(&config, at(5_300_000)));
    let mut unheard = record.clone();
    (unheard.spoke, config.advert_interval) = (None, Duration::from_secs(1));
    assert!(unheard.is_fresh(&config, at(1_999_999)));
    assert!(!unheard.is_fresh(&config, at(2_000_000)));
    let mut backup = record;
    backup.state = StateName::Backup;
    assert!(!backup.is_fresh(&config, at(5_000_001)));
}

#[test]
fn the_filter_has_its_addresses_and_hardly_any_other() {
    let mut config = config();
    config.addresses = (0..20u8)
        .map(|last| VirtualAddress::new([10, 0, 0, last].into(), 24))
        .collect();
    let filter = Filter::of(&config);
    for address in &config.addresses {
        assert!(filter.may_have(address.addr, 24));
    }
    let foreign = |number: u32| IpAddr::from((0x0a01_0000 + number).to_be_bytes());
    let wrong = (0..10_000)
        .filter(|number| filter.may_have(foreign(*number), 24))
        .count();
    assert!(wrong <= 5, "{wrong} of 10,000");
    let other_prefix = |address: &&VirtualAddress| filter.may_have(address.addr, 32);
    assert_eq!(config.addresses.iter().filter(other_prefix).count(), 0);
}

#[test]
fn the_last_advert_is_the_later_one_of_record_and_stamp() {
    let bytes = encoded(&record());
    let stamp = Instant::from_micros(6_000_000);
    let mut records = Records::new(Instant::ZERO);
    records.add(0, &bytes, Some(stamp), 3);
    records.add(1, &bytes, None, 0);
    records.add(2, &bytes[1..], None, 0);
    let spoke: Vec<_> = records.kept.iter().map(|(_, it)| it.spoke).collect();
    assert_eq!(spoke, [Some(stamp), record().spoke]);
    let mut unheard = record();
    (unheard.since, unheard.spoke) = (stamp + Duration::from_millis(1), None);
    let mut later = Records::new(Instant::ZERO);
    later.add(0, &encoded(&unheard), Some(stamp), 3);
    assert_eq!(later.kept[0].1.spoke, None, "of an earlier mastership");
    let sent = records.kept[0].1.stats.adverts_sent;
    assert_eq!(sent, record().stats.adverts_sent + 3);
    assert_eq!(records.refused.len(), 1);
    assert!(!records.is_empty() && Records::default().is_empty());
}

/// A filter of so many addresses, and how many of 100,000 others it takes for its own.
fn mistaken(count: u32) -> (Filter, usize) {
    let nth = |n: u32| IpAddr::from((0x0a00_0000 + n).to_be_bytes());
    let addresses = (0..count).map(|n| VirtualAddress::new(nth(n), 32));
    let config = InstanceConfig::new("V", "eth0", Version::V3, 1, addresses.collect());
    let filter = Filter::of(&config);
    assert!((0..count).all(|n| filter.may_have(nth(n), 32)), "{count}");
    let others = 1_000_000..1_100_000;
    let wrong = others.filter(|n| filter.may_have(nth(*n), 32)).count();
    (filter, wrong)
}

#[test]
fn a_filter_knows_its_own_and_few_others() {
    for (count, most) in [
        (0, 0),
        (1, 0),
        (20, 0),
        (63, 0),
        (64, 50),
        (200, 200),
        (500, 4_000),
    ] {
        let (_, wrong) = mistaken(count);
        assert!(wrong <= most, "{wrong} of 100,000 beside {count}");
    }
}

#[test]
fn filters_add_up_whatever_they_are() {
    let (few, many) = (mistaken(40).0, mistaken(300).0);
    for (one, two) in [(few, few), (few, many), (many, few), (many, many)] {
        let mut both = one;
        both.add(two);
        assert_eq!(both, if one == two { one } else { many });
    }
    let mut twice = mistaken(63).0;
    let other = InstanceConfig::new(
        "V",
        "eth0",
        Version::V3,
        1,
        vec![VirtualAddress::new([192, 0, 2, 1].into(), 24)],
    );
    twice.add(Filter::of(&other));
    assert!(twice.may_have([192, 0, 2, 1].into(), 24));
    assert!(twice.may_have([10, 0, 0, 62].into(), 32));
}

#[test]
fn a_filter_of_an_impossible_size_is_refused() {
    let mut odd = record();
    odd.filter.0[0] = 64;
    assert_eq!(Record::decode(&encoded(&odd)), Err(RecordError::Value));
}
