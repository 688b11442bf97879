//! RFC 9568, seen from outside of one machine: first a test for each row of the state tables of
//! section 6.4, then one for each requirement of the checklist (V3-xx) that a machine without a
//! network can show. What is expected is written from the RFC, and where a drop-in replacement
//! follows keepalived instead (K-x) the test says so.

use relevo_core::config::bound::{Destination, InstanceConfig};
use relevo_core::ids::{Family, Version};
use relevo_core::machine::Machine;
use relevo_core::time::Duration;
use relevo_core::vrrp::{Discard, Note, StateName, VrrpTimer};
use relevo_tests::one_host::{
    Advert, Effect, ID, OneHost, added, adverts, announced, config, deleted, group, neighbour,
    notes, own, priorities, virtual_addresses,
};

const SECOND: Duration = Duration::from_secs(1);

/// Runs `check` for a virtual router of either family.
fn for_each_family(check: impl Fn(InstanceConfig)) {
    for family in [Family::V4, Family::V6] {
        check(config(Version::V3, family));
    }
}

fn with_priority(mut config: InstanceConfig, priority: u8) -> InstanceConfig {
    config.priority = priority;
    // As the configuration binds an owner that says nothing of its state.
    config.state_master = priority == 255;
    config
}

/// RFC 9568 section 6.1: Skew_Time.
fn skew_time(priority: u8, interval: Duration) -> Duration {
    Duration::from_micros((256 - u64::from(priority)) * interval.as_micros() / 256)
}

/// RFC 9568 section 6.1: Active_Down_Interval.
fn master_down_interval(priority: u8, interval: Duration) -> Duration {
    interval * 3 + skew_time(priority, interval)
}

fn master_down(after: Duration) -> Option<(VrrpTimer, Duration)> {
    Some((VrrpTimer::MasterDown(ID), after))
}

fn adver(after: Duration) -> Option<(VrrpTimer, Duration)> {
    Some((VrrpTimer::Advert(ID), after))
}

/// Every address was announced, and nothing else was.
fn assert_all_announced(effects: &[Effect], config: &InstanceConfig) {
    let mut told = announced(effects);
    told.sort_unstable();
    told.dedup();
    assert_eq!(told, virtual_addresses(config.family));
}

// Section 6.4.1, Initialize.

#[test]
fn initialize_startup_as_owner_sends_advert_announces_and_sets_adver_timer() {
    for_each_family(|config| {
        let (mut host, mut effects) = OneHost::started(with_priority(config, 255));
        assert_eq!(host.state(), StateName::Master);
        assert_eq!(priorities(&effects), [255]);
        assert_eq!(host.timer(), adver(SECOND));
        effects.extend(host.settle());
        assert_all_announced(&effects, &host.config());
    });
}

#[test]
fn initialize_startup_takes_own_interval_and_sets_master_down_timer() {
    for_each_family(|config| {
        let (host, effects) = OneHost::started(config);
        assert_eq!(host.state(), StateName::Backup);
        assert_eq!(priorities(&effects), []);
        assert_eq!(host.timer(), master_down(master_down_interval(100, SECOND)));
    });
}

// Section 6.4.2, Backup.

#[test]
fn backup_shutdown_cancels_master_down_timer() {
    for_each_family(|config| {
        let mut host = OneHost::backup(config);
        let effects = host.stop();
        assert_eq!(host.state(), StateName::Init);
        assert_eq!(priorities(&effects), []);
        assert_eq!(host.timer(), None);
        assert!(effects.contains(&Effect::Exit(0)));
    });
}

#[test]
fn backup_master_down_timer_sends_advert_announces_and_sets_adver_timer() {
    for_each_family(|config| {
        let mut host = OneHost::backup(config);
        let mut effects = host.fire();
        assert_eq!(host.state(), StateName::Master);
        assert_eq!(priorities(&effects), [100]);
        assert_eq!(host.timer(), adver(SECOND));
        effects.extend(host.settle());
        assert_eq!(added(&effects), virtual_addresses(host.config().family));
        assert_all_announced(&effects, &host.config());
    });
}

#[test]
fn backup_advert_of_priority_zero_sets_master_down_timer_to_skew_time() {
    for_each_family(|config| {
        let mut host = OneHost::backup(config);
        host.pass(SECOND);
        let effects = host.hear_neighbour(9, 0);
        assert_eq!(host.state(), StateName::Backup);
        assert_eq!(priorities(&effects), []);
        assert_eq!(host.timer(), master_down(skew_time(100, SECOND)));
    });
}

#[test]
fn backup_advert_of_higher_or_equal_priority_adopts_interval_and_restarts_timer() {
    for_each_family(|config| {
        for (priority, number) in [(101, 1), (254, 9), (255, 1), (100, 1), (100, 9)] {
            let mut host = OneHost::backup(config.clone());
            host.pass(SECOND);
            let mut advert = Advert::from_neighbour(&config, number, priority);
            advert.interval = Duration::from_centis(250);
            let effects = host.hear(&advert);
            assert_eq!(host.state(), StateName::Backup);
            assert_eq!(priorities(&effects), []);
            let expected = master_down_interval(100, Duration::from_centis(250));
            assert_eq!(host.timer(), master_down(expected), "priority {priority}");
        }
    });
}

#[test]
fn backup_advert_of_lower_priority_not_preempting_adopts_interval_and_restarts_timer() {
    for_each_family(|mut config| {
        config.preempt = false;
        let mut host = OneHost::backup(config.clone());
        host.pass(SECOND);
        let mut advert = Advert::from_neighbour(&config, 1, 1);
        advert.interval = Duration::from_centis(50);
        host.hear(&advert);
        assert_eq!(host.state(), StateName::Backup);
        let expected = master_down_interval(100, Duration::from_centis(50));
        assert_eq!(host.timer(), master_down(expected));
    });
}

#[test]
fn backup_advert_of_lower_priority_preempting_is_discarded() {
    for_each_family(|config| {
        let mut host = OneHost::backup(config.clone());
        host.pass(SECOND);
        let mut advert = Advert::from_neighbour(&config, 9, 99);
        advert.interval = Duration::from_centis(250);
        let effects = host.hear(&advert);
        assert_eq!(host.state(), StateName::Backup);
        assert_eq!(priorities(&effects), []);
        let left = master_down_interval(100, SECOND) - SECOND;
        assert_eq!(host.timer(), master_down(left));
    });
}

// Section 6.4.3, Master (the RFC's Active).

#[test]
fn master_shutdown_cancels_adver_timer_and_sends_priority_zero() {
    for_each_family(|config| {
        let mut host = OneHost::master(config);
        let mut effects = host.stop();
        assert_eq!(host.state(), StateName::Init);
        assert_eq!(priorities(&effects), [0]);
        assert_eq!(host.timer(), None);
        effects.extend(host.settle());
        assert!(host.held().is_empty());
        assert_eq!(effects.last(), Some(&Effect::Exit(0)));
    });
}

#[test]
fn master_adver_timer_sends_advert_and_restarts_timer() {
    for_each_family(|config| {
        let mut host = OneHost::master(config);
        for _ in 0..3 {
            assert_eq!(host.timer(), adver(SECOND));
            let effects = host.fire();
            assert_eq!(host.state(), StateName::Master);
            assert_eq!(priorities(&effects), [100]);
        }
    });
}

#[test]
fn master_advert_of_priority_zero_sends_advert_at_once_and_restarts_timer() {
    for_each_family(|config| {
        let mut host = OneHost::master(config);
        host.pass(Duration::from_millis(300));
        let effects = host.hear_neighbour(9, 0);
        assert_eq!(host.state(), StateName::Master);
        assert_eq!(priorities(&effects), [100]);
        assert_eq!(host.timer(), adver(SECOND));
    });
}

#[test]
fn master_advert_of_higher_priority_or_equal_from_greater_address_makes_a_backup() {
    for_each_family(|config| {
        for (number, priority) in [(1, 101), (9, 101), (9, 100), (1, 255)] {
            let mut host = OneHost::master(config.clone());
            host.pass(Duration::from_millis(300));
            let mut advert = Advert::from_neighbour(&config, number, priority);
            advert.interval = Duration::from_centis(30);
            let mut effects = host.hear(&advert);
            assert_eq!(host.state(), StateName::Backup);
            assert_eq!(priorities(&effects), []);
            let expected = master_down_interval(100, Duration::from_centis(30));
            assert_eq!(host.timer(), master_down(expected));
            effects.extend(host.settle());
            assert_eq!(deleted(&effects).len(), 2);
            assert!(host.held().is_empty());
        }
    });
}

/// The RFC discards it, and allows what keepalived does: show oneself at once (K-4).
#[test]
fn master_advert_of_lower_priority_or_equal_from_lesser_address_changes_nothing() {
    for_each_family(|config| {
        for (number, priority) in [(9, 99), (1, 99), (1, 100), (9, 1)] {
            let mut host = OneHost::master(config.clone());
            host.pass(Duration::from_millis(300));
            let effects = host.hear_neighbour(number, priority);
            assert_eq!(host.state(), StateName::Master);
            assert_eq!(priorities(&effects), [100]);
            assert_eq!(host.timer(), adver(Duration::from_millis(700)));
            assert!(deleted(&effects).is_empty());
        }
    });
}

#[test]
fn master_discards_lower_priority_silently_under_lower_prio_no_advert() {
    for_each_family(|mut config| {
        config.lower_prio_no_advert = true;
        config.garp.lower_prio_repeat = 0;
        let mut host = OneHost::master(config);
        host.pass(Duration::from_millis(300));
        let effects = host.hear_neighbour(9, 99);
        assert_eq!(host.state(), StateName::Master);
        assert_eq!(priorities(&effects), []);
        assert!(announced(&effects).is_empty());
        assert_eq!(host.timer(), adver(Duration::from_millis(700)));
    });
}

// Sending.

#[test]
fn v3_01_to_11_fields_of_an_advert() {
    for_each_family(|config| {
        let mut host = OneHost::backup(config.clone());
        let sent = adverts(&host.fire());
        let expected = Advert {
            version: Version::V3,
            src: own(config.family),   // V3-01, V3-05
            dst: group(config.family), // V3-02, V3-06
            hop_limit: 255,            // V3-03, V3-07
            vrid: 51,                  // V3-09
            priority: 100,             // V3-10, V3-22
            interval: Duration::from_secs(1),
            auth: relevo_core::config::bound::Auth::None,
            addresses: virtual_addresses(config.family), // V3-11, V3-15
        };
        // V3-04, V3-08, V3-12, V3-14: the driver's parser refuses anything else.
        assert_eq!(sent, [expected]);
    });
}

#[test]
fn v3_13_interval_in_centiseconds_up_to_twelve_bits() {
    for centis in [1, 10, 100, 4095] {
        for_each_family(|mut config| {
            config.advert_interval = Duration::from_centis(centis);
            let mut host = OneHost::backup(config);
            let sent = adverts(&host.fire());
            assert_eq!(sent[0].interval, Duration::from_centis(centis));
        });
    }
}

#[test]
fn v3_14_and_k_13_checksum_with_pseudo_header() {
    let config = config(Version::V3, Family::V4);
    let advert = Advert::from_neighbour(&config, 9, 200);
    let mut host = OneHost::backup(config);
    let with_pseudo = advert.octets();
    host.hear(&advert);
    assert_eq!(host.node.stats(ID).adverts_received, 1);
    // The form of RFC 9568 is refused by default, as keepalived refuses it.
    let mut without = with_pseudo;
    without[26..28].fill(0);
    let sum = relevo_core::wire::checksum::of(&without[20..]);
    without[26..28].copy_from_slice(&sum.to_be_bytes());
    host.hear_octets(&advert, &without);
    assert_eq!(host.node.stats(ID).discarded(Discard::Checksum), 1);
}

#[test]
fn v3_18_adverts_keep_their_cadence() {
    for_each_family(|mut config| {
        config.advert_interval = Duration::from_centis(25);
        let mut host = OneHost::master(config);
        let effects = host.run_for(Duration::from_secs(10));
        assert_eq!(priorities(&effects), [100; 40]);
    });
}

#[test]
fn v3_19_the_first_advert_comes_before_anything_else_a_new_master_does() {
    for_each_family(|config| {
        let mut host = OneHost::backup(config);
        let effects = host.fire();
        assert!(matches!(effects[0], Effect::Advert(_)), "{effects:?}");
    });
}

#[test]
fn v3_20_every_master_of_the_host_says_priority_zero_before_any_address_goes() {
    let first = config(Version::V3, Family::V4);
    let mut second = first.clone();
    second.name = "VI_2".to_owned();
    second.vrid = 52;
    for entry in &mut second.addresses {
        entry.addr = neighbour(Family::V4, entry_number(entry.addr) + 50);
    }
    let mut host = OneHost::with_instances(vec![first, second]);
    let effects = host.dump(&[relevo_tests::one_host::link(
        "eth0",
        relevo_tests::one_host::ETH0,
    )]);
    host.open_sockets(&effects, Ok(()));
    host.fire();
    host.settle();
    let effects = host.stop();
    assert_eq!(priorities(&effects), [0, 0]);
    assert!(matches!(
        effects[..2],
        [Effect::Advert(_), Effect::Advert(_)]
    ));
    assert_eq!(deleted(&effects).len(), 4);
}

fn entry_number(addr: std::net::IpAddr) -> u8 {
    match addr {
        std::net::IpAddr::V4(addr) => addr.octets()[3],
        std::net::IpAddr::V6(addr) => addr.octets()[15],
    }
}

#[test]
fn v3_21_a_backup_is_silent() {
    for_each_family(|config| {
        let mut host = OneHost::backup(config);
        let mut effects = Vec::new();
        for _ in 0..100 {
            host.pass(SECOND);
            effects.extend(host.hear_neighbour(9, 200));
            effects.extend(host.look_at_timers());
        }
        assert_eq!(priorities(&effects), []);
        assert!(added(&effects).is_empty());
        assert!(announced(&effects).is_empty());
    });
}

// Receiving, section 7.1. The kinds of bad packets are counted in `promises.rs`.

/// A master and a backup discard `octets`: `reason` is counted and nothing else happens.
fn assert_discarded(config: &InstanceConfig, advert: &Advert, octets: &[u8], reason: Discard) {
    for mut host in [
        OneHost::backup(config.clone()),
        OneHost::master(config.clone()),
    ] {
        host.pass(Duration::from_millis(400));
        let (state, timer) = (host.state(), host.timer());
        let received = host.node.stats(ID).adverts_received;
        let effects = host.hear_octets(advert, octets);
        assert_eq!(host.node.stats(ID).discarded(reason), 1, "{state:?}");
        assert_eq!(host.node.stats(ID).discarded_total(), 1);
        assert_eq!(host.node.stats(ID).adverts_received, received);
        assert_eq!((host.state(), host.timer()), (state, timer));
        assert!(
            matches!(effects[..], [Effect::Note(Note::Discarded { .. })]),
            "{effects:?}"
        );
        // It is told once, and counted always.
        let again = host.hear_octets(advert, octets);
        assert_eq!(again, []);
        assert_eq!(host.node.stats(ID).discarded(reason), 2);
    }
}

#[test]
fn v3_30_another_ttl_is_discarded() {
    for_each_family(|config| {
        for hop_limit in [0, 1, 64, 254] {
            let mut advert = Advert::from_neighbour(&config, 9, 200);
            advert.hop_limit = hop_limit;
            assert_discarded(&config, &advert, &advert.octets(), Discard::Ttl);
        }
    });
}

/// Offset of the VRRP message in what a raw socket delivers.
fn message_start(family: Family) -> usize {
    match family {
        Family::V4 => 20,
        Family::V6 => 0,
    }
}

/// Sets one octet of the message and makes the checksum right again.
fn patched(advert: &Advert, at: usize, value: u8) -> Vec<u8> {
    let start = message_start(Family::of(advert.src));
    let mut octets = advert.octets();
    let word = start + (at & !1);
    let before = u16::from_be_bytes([octets[word], octets[word + 1]]);
    octets[start + at] = value;
    let after = u16::from_be_bytes([octets[word], octets[word + 1]]);
    // RFC 1624: the checksum moves by the difference of the words.
    let old = u16::from_be_bytes([octets[start + 6], octets[start + 7]]);
    let mut sum = u32::from(!old) + u32::from(!before) + u32::from(after);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    octets[start + 6..start + 8].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    octets
}

#[test]
fn v3_31_and_72_another_version_is_discarded() {
    for_each_family(|config| {
        let advert = Advert::from_neighbour(&config, 9, 200);
        for version in (0..16).filter(|version| *version != 3) {
            let octets = patched(&advert, 0, version << 4 | 1);
            assert_discarded(&config, &advert, &octets, Discard::Version);
        }
    });
}

#[test]
fn v3_32_a_count_that_does_not_fit_the_length_is_discarded() {
    for_each_family(|config| {
        let advert = Advert::from_neighbour(&config, 9, 200);
        for count in [3, 4, 255] {
            let octets = patched(&advert, 3, count);
            assert_discarded(&config, &advert, &octets, Discard::Length);
        }
    });
}

#[test]
fn v3_33_one_flipped_bit_is_discarded() {
    for_each_family(|config| {
        let advert = Advert::from_neighbour(&config, 9, 200);
        let start = message_start(config.family);
        let octets = advert.octets();
        // Priority, reserved bits, interval, checksum and every address.
        for at in (start + 2..octets.len()).filter(|at| *at != start + 3) {
            let mut flipped = octets.clone();
            flipped[at] ^= 0x10;
            assert_discarded(&config, &advert, &flipped, Discard::Checksum);
        }
    });
}

#[test]
fn v3_34_another_virtual_router_is_nobody_s() {
    for_each_family(|config| {
        for vrid in [0, 50, 52, 255] {
            let mut host = OneHost::backup(config.clone());
            let mut advert = Advert::from_neighbour(&config, 9, 200);
            advert.vrid = vrid;
            host.pass(SECOND);
            let timer = host.timer();
            assert_eq!(host.hear(&advert), []);
            assert_eq!(host.node.discarded_unattributed(Discard::Vrid), 1);
            assert_eq!(host.timer(), timer);
        }
    });
}

#[test]
fn v3_35_an_owner_stays_master_whatever_lower_priority_it_hears() {
    for_each_family(|config| {
        let mut host = OneHost::master(with_priority(config, 255));
        let effects = host.hear_neighbour(9, 254);
        assert_eq!(host.state(), StateName::Master);
        assert_eq!(priorities(&effects), [255]);
    });
}

#[test]
fn v3_36_an_unknown_type_is_discarded() {
    for_each_family(|config| {
        let advert = Advert::from_neighbour(&config, 9, 200);
        for kind in (0..16).filter(|kind| *kind != 1) {
            let octets = patched(&advert, 0, 0x30 | kind);
            assert_discarded(&config, &advert, &octets, Discard::Type);
        }
    });
}

#[test]
fn v3_12_reserved_bits_are_ignored() {
    for_each_family(|config| {
        let advert = Advert::from_neighbour(&config, 9, 200);
        let mut host = OneHost::backup(config);
        let start = message_start(Family::of(advert.src));
        let octets = patched(&advert, 4, advert.octets()[start + 4] | 0xf0);
        host.hear_octets(&advert, &octets);
        assert_eq!(host.node.stats(ID).discarded_total(), 0);
        assert_eq!(host.timer(), master_down(master_down_interval(100, SECOND)));
    });
}

/// V3-37 and V3-41; K-2 and K-3 agree: told once for each master, and the advert is used.
#[test]
fn v3_37_another_interval_or_list_is_told_and_used() {
    for_each_family(|config| {
        let mut host = OneHost::backup(config.clone());
        let mut advert = Advert::from_neighbour(&config, 9, 200);
        advert.interval = Duration::from_centis(200);
        advert.addresses.push(neighbour(config.family, 77));
        let mut told = Vec::new();
        for _ in 0..5 {
            host.pass(SECOND);
            told.extend(notes(&host.hear(&advert)));
            let expected = master_down_interval(100, Duration::from_secs(2));
            assert_eq!(host.timer(), master_down(expected));
        }
        let lists = told
            .iter()
            .filter(|note| matches!(note, Note::AddressListDiffers { .. }));
        assert_eq!(lists.count(), 1, "{told:?}");
        let intervals = told
            .iter()
            .filter(|note| matches!(note, Note::IntervalDiffers { .. }));
        assert_eq!(intervals.count(), 1, "{told:?}");
        assert_eq!(host.node.stats(ID).address_list_differs, 5);
    });
}

#[test]
fn v3_37_the_order_of_the_list_does_not_matter() {
    for_each_family(|config| {
        let mut host = OneHost::backup(config.clone());
        let mut advert = Advert::from_neighbour(&config, 9, 200);
        advert.addresses.reverse();
        assert_eq!(notes(&host.hear(&advert)), []);
        // Not even when the list is shorter than it looks.
        advert.addresses[0] = advert.addresses[1];
        host.hear(&advert);
        assert_eq!(host.node.stats(ID).address_list_differs, 1);
    });
}

#[test]
fn v3_38_a_flood_of_bad_packets_changes_no_timer() {
    for_each_family(|config| {
        let advert = Advert::from_neighbour(&config, 9, 200);
        let mut bad = advert.octets();
        let last = bad.len() - 1;
        bad[last] ^= 1;
        let mut host = OneHost::backup(config.clone());
        let due = host.node.next_timeout();
        for _ in 0..1_000 {
            host.pass(Duration::from_millis(1));
            host.hear_octets(&advert, &bad);
            assert_eq!(host.node.next_timeout(), due);
        }
        // K-10: and a master's adverts keep their cadence.
        let mut host = OneHost::master(config);
        let due = host.node.next_timeout();
        for _ in 0..900 {
            host.pass(Duration::from_millis(1));
            host.hear_octets(&advert, &bad);
            assert_eq!(host.node.next_timeout(), due);
        }
    });
}

#[test]
fn v3_39_what_comes_from_the_own_address_is_no_neighbour() {
    for_each_family(|config| {
        for priority in [0, 1, 100, 255] {
            let mut advert = Advert::from_neighbour(&config, 9, priority);
            advert.src = own(config.family);
            assert_discarded(&config, &advert, &advert.octets(), Discard::Own);
        }
    });
}

#[test]
fn v3_40_and_52_the_learned_interval_scales_timer_and_skew() {
    for_each_family(|config| {
        for priority in [1, 100, 254] {
            let mut host = OneHost::backup(with_priority(config.clone(), priority));
            let mut advert = Advert::from_neighbour(&config, 9, 254);
            advert.interval = Duration::from_centis(40);
            host.hear(&advert);
            let interval = Duration::from_centis(40);
            let expected = master_down_interval(priority, interval);
            assert_eq!(host.timer(), master_down(expected));
            advert.priority = 0;
            host.hear(&advert);
            assert_eq!(host.timer(), master_down(skew_time(priority, interval)));
            // Back to the own interval as master: adverts say and keep it.
            let sent = adverts(&host.fire());
            assert_eq!(sent[0].interval, SECOND);
            assert_eq!(host.timer(), adver(SECOND));
        }
    });
}

// The state machine.

#[test]
fn v3_51_master_no_earlier_than_the_master_down_interval() {
    for_each_family(|config| {
        let mut host = OneHost::backup(config);
        let interval = master_down_interval(100, SECOND);
        host.pass(interval - Duration::from_micros(1));
        assert_eq!(host.look_at_timers(), []);
        assert_eq!(host.state(), StateName::Backup);
        host.pass(Duration::from_micros(1));
        host.look_at_timers();
        assert_eq!(host.state(), StateName::Master);
    });
}

#[test]
fn v3_53_takeover_after_priority_zero_takes_the_skew_time() {
    for_each_family(|config| {
        let mut host = OneHost::backup(config);
        host.hear_neighbour(9, 200);
        host.hear_neighbour(9, 0);
        host.pass(skew_time(100, SECOND));
        assert_eq!(priorities(&host.look_at_timers()), [100]);
        assert_eq!(host.state(), StateName::Master);
    });
}

#[test]
fn v3_54_a_preempting_backup_takes_over_from_a_lower_priority() {
    for_each_family(|config| {
        let mut host = OneHost::backup(config);
        let mut passed = Duration::ZERO;
        while host.state() == StateName::Backup {
            host.pass(Duration::from_millis(100));
            passed = passed + Duration::from_millis(100);
            host.hear_neighbour(9, 99);
            host.look_at_timers();
            assert!(passed < Duration::from_secs(4), "no takeover");
        }
        assert_eq!(passed, Duration::from_millis(3_700));
    });
}

#[test]
fn v3_55_nopreempt_leaves_a_live_master_alone() {
    for_each_family(|mut config| {
        config.preempt = false;
        let mut host = OneHost::backup(config);
        for _ in 0..100 {
            host.pass(SECOND);
            host.hear_neighbour(9, 1);
            host.look_at_timers();
            assert_eq!(host.state(), StateName::Backup);
        }
        // And takes over from one that is gone, or lets go.
        let mut silent = host.clone();
        silent.run_for(master_down_interval(100, SECOND));
        assert_eq!(silent.state(), StateName::Master);
        host.hear_neighbour(9, 0);
        host.run_for(skew_time(100, SECOND));
        assert_eq!(host.state(), StateName::Master);
    });
}

#[test]
fn v3_56_an_owner_preempts_whatever_the_preempt_mode() {
    for_each_family(|mut config| {
        config.preempt = false;
        let mut host = OneHost::master(with_priority(config, 255));
        // Another owner with a greater address wins, and then a lesser router takes over from it.
        host.hear_neighbour(9, 255);
        assert_eq!(host.state(), StateName::Backup);
        let timer = host.timer();
        host.hear_neighbour(9, 254);
        assert_eq!(host.timer(), timer);
    });
}

#[test]
fn v3_57_nopreempt_or_not_a_master_yields_to_a_higher_priority() {
    for_each_family(|mut config| {
        config.preempt = false;
        let mut host = OneHost::master(config);
        host.hear_neighbour(1, 101);
        assert_eq!(host.state(), StateName::Backup);
    });
}

#[test]
fn v3_58_addresses_compare_as_unsigned_integers_in_network_order() {
    let config_v4 = config(Version::V3, Family::V4);
    for (src, wins) in [
        ("9.255.255.255", false),
        ("10.0.0.4", false),
        ("10.0.0.6", true),
        ("10.0.1.0", true),
        ("128.0.0.1", true),
        ("192.0.0.1", true),
    ] {
        let mut host = OneHost::master(config_v4.clone());
        let mut advert = Advert::from_neighbour(&config_v4, 9, 100);
        advert.src = src.parse().expect("an address");
        host.hear(&advert);
        assert_eq!(host.state() == StateName::Backup, wins, "{src}");
    }
    let config_v6 = config(Version::V3, Family::V6);
    for (src, wins) in [
        ("fe80::4", false),
        ("fe80::6", true),
        ("fe80::8000:0:0:1", true),
    ] {
        let mut host = OneHost::master(config_v6.clone());
        let mut advert = Advert::from_neighbour(&config_v6, 9, 100);
        advert.src = src.parse().expect("an address");
        host.hear(&advert);
        assert_eq!(host.state() == StateName::Backup, wins, "{src}");
    }
}

#[test]
fn v3_61_a_backup_has_no_address_and_a_former_master_gives_all_back() {
    for_each_family(|config| {
        let mut host = OneHost::master(config);
        assert_eq!(host.held(), virtual_addresses(host.config().family));
        let mut effects = host.hear_neighbour(9, 101);
        effects.extend(host.settle());
        let mut expected = virtual_addresses(host.config().family);
        expected.reverse();
        assert_eq!(deleted(&effects), expected);
        assert!(host.held().is_empty());
    });
}

/// V3-64 and V3-65: what an announcement has to look like is checked by the driver.
#[test]
fn v3_64_a_new_master_announces_every_address_as_soon_as_it_is_there() {
    for_each_family(|config| {
        let mut host = OneHost::backup(config.clone());
        assert!(announced(&host.fire()).is_empty());
        let expected = virtual_addresses(config.family);
        assert_eq!(announced(&host.answer_one())[0], expected[0]);
        assert_eq!(announced(&host.answer_one())[0], expected[1]);
        // keepalived's block of five, and the second block after five seconds.
        let mut host = OneHost::backup(config);
        host.fire();
        assert_eq!(announced(&host.settle()).len(), 10);
        let effects = host.run_for(Duration::from_millis(4_999));
        assert_eq!(announced(&effects).len(), 0);
        let effects = host.run_for(Duration::from_millis(1));
        assert_eq!(announced(&effects).len(), 10);
        let effects = host.run_for(Duration::from_secs(60));
        assert_eq!(announced(&effects).len(), 0);
    });
}

#[test]
fn v3_67_the_families_of_one_virtual_router_are_independent() {
    let first = config(Version::V3, Family::V4);
    let mut second = config(Version::V3, Family::V6);
    second.name = "VI_6".to_owned();
    let mut host = OneHost::with_instances(vec![first, second.clone()]);
    let effects = host.dump(&[relevo_tests::one_host::link(
        "eth0",
        relevo_tests::one_host::ETH0,
    )]);
    let sockets: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Open(socket, spec) => Some((*socket, *spec)),
            _ => None,
        })
        .collect();
    assert_eq!(sockets.len(), 2);
    host.open_sockets(&effects, Ok(()));
    host.run_for(Duration::from_secs(4));
    let six = relevo_core::ids::InstanceId(1);
    assert_eq!(host.node.state(ID), StateName::Master);
    assert_eq!(host.node.state(six), StateName::Master);
    host.socket = sockets[1].0;
    host.hear(&Advert::from_neighbour(&second, 9, 200));
    assert_eq!(host.node.state(ID), StateName::Master);
    assert_eq!(host.node.state(six), StateName::Backup);
}

// Where a drop-in replacement follows keepalived.

/// K-4: advert and announcements at once, announcements again five seconds later.
#[test]
fn k_4_a_master_asserts_itself_against_a_lower_priority() {
    for_each_family(|config| {
        let mut host = OneHost::master(config);
        host.run_for(Duration::from_secs(10));
        let mut effects = host.hear_neighbour(9, 99);
        effects.extend(host.settle());
        assert_eq!(priorities(&effects), [100]);
        assert_eq!(announced(&effects).len(), 10);
        let effects = host.run_for(Duration::from_secs(5));
        assert_eq!(announced(&effects).len(), 10);
    });
}

#[test]
fn k_4_a_flood_of_lower_priorities_is_answered_and_told_once() {
    for_each_family(|config| {
        let mut host = OneHost::master(config);
        let mut effects = Vec::new();
        for _ in 0..10 {
            effects.extend(host.hear_neighbour(9, 99));
        }
        assert_eq!(priorities(&effects), [100]);
        assert_eq!(notes(&effects).len(), 1);
        // The rest are answered together, a twentieth of an interval later.
        let effects = host.run_for(Duration::from_millis(50));
        assert_eq!(priorities(&effects), [100]);
    });
}

#[test]
fn k_4_higher_prio_send_advert_speaks_once_more_before_yielding() {
    for_each_family(|mut config| {
        config.higher_prio_send_advert = true;
        let mut host = OneHost::master(config);
        let effects = host.hear_neighbour(9, 200);
        assert_eq!(priorities(&effects), [100]);
        assert_eq!(host.state(), StateName::Backup);
    });
}

/// K-6: the virtual address is the interface's own, and still the router is a backup at first.
#[test]
fn k_6_an_own_address_makes_no_owner() {
    let mut config = config(Version::V3, Family::V4);
    config.addresses[0].addr = own(Family::V4);
    let (mut host, effects) = OneHost::started(config);
    assert_eq!(host.state(), StateName::Backup);
    assert_eq!(priorities(&effects), []);
    assert_eq!(adverts(&host.fire())[0].src, own(Family::V4));
}

fn unicast(mut config: InstanceConfig) -> InstanceConfig {
    let peers = vec![neighbour(config.family, 1), neighbour(config.family, 9)];
    config.destination = Destination::Unicast(peers);
    config
}

/// K-7: any TTL, any sender; but no multicast.
#[test]
fn k_7_unicast() {
    for_each_family(|config| {
        let config = unicast(config);
        let mut host = OneHost::backup(config.clone());
        let sent = adverts(&host.fire());
        let to: Vec<_> = sent.iter().map(|advert| advert.dst).collect();
        assert_eq!(
            to,
            [neighbour(config.family, 1), neighbour(config.family, 9)]
        );
        let mut advert = Advert::from_neighbour(&config, 77, 200);
        advert.hop_limit = 3;
        host.hear(&advert);
        assert_eq!(host.state(), StateName::Backup);
        let mut multicast = Advert::from_neighbour(&config, 9, 200);
        multicast.dst = group(config.family);
        assert_discarded(
            &config,
            &multicast,
            &multicast.octets(),
            Discard::Destination,
        );
        let mut strict = config;
        strict.check_unicast_source = true;
        assert_discarded(&strict, &advert, &advert.octets(), Discard::UnknownPeer);
    });
}

#[test]
fn k_7_unicast_at_a_multicast_instance_is_discarded() {
    for_each_family(|config| {
        let mut advert = Advert::from_neighbour(&config, 9, 200);
        advert.dst = own(config.family);
        assert_discarded(&config, &advert, &advert.octets(), Discard::Destination);
    });
}

/// K-8: up to Ethernet's minimum.
#[test]
fn k_8_padding_behind_a_short_packet_is_accepted_and_no_other_surplus() {
    let config = config(Version::V3, Family::V4);
    let advert = Advert::from_neighbour(&config, 9, 200);
    let mut octets = advert.octets();
    octets.resize(46, 0);
    let mut host = OneHost::backup(config.clone());
    host.hear_octets(&advert, &octets);
    assert_eq!(host.node.stats(ID).adverts_received, 1);
    octets.push(0);
    assert_discarded(&config, &advert, &octets, Discard::Length);
    // The same when the IP header counts the surplus.
    octets[3] = 46;
    host.hear_octets(&advert, &octets[..46]);
    assert_eq!(host.node.stats(ID).adverts_received, 2);
    octets[3] = 47;
    assert_discarded(&config, &advert, &octets, Discard::Length);
}
