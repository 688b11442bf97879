//! RFC 3768 (VRRPv2) with the authentication of RFC 2338, seen from outside of one machine: a
//! test for each row of the state tables of section 6.4, then one for each requirement of the
//! checklist (V2-xx) that a machine without a network can show.

use relevo_core::config::bound::{Auth, InstanceConfig};
use relevo_core::ids::{Family, Version};
use relevo_core::time::Duration;
use relevo_core::vrrp::{Discard, StateName, VrrpTimer};
use relevo_tests::one_host::{
    Advert, Effect, ID, OneHost, added, adverts, announced, config, deleted, group, neighbour, own,
    priorities, virtual_addresses,
};

const SECOND: Duration = Duration::from_secs(1);
const PASSWORD: Auth = Auth::Pass(*b"secret\0\0");

/// Runs `check` without authentication and with a password.
fn for_each_auth(check: impl Fn(InstanceConfig)) {
    for auth in [Auth::None, PASSWORD] {
        let mut config = config(Version::V2, Family::V4);
        config.auth = auth;
        check(config);
    }
}

fn with_priority(mut config: InstanceConfig, priority: u8) -> InstanceConfig {
    config.priority = priority;
    // As the configuration binds an owner that says nothing of its state.
    config.state_master = priority == 255;
    config
}

/// RFC 3768 section 6.1: Skew_Time, in seconds whatever the interval.
fn skew_time(priority: u8) -> Duration {
    Duration::from_micros((256 - u64::from(priority)) * 1_000_000 / 256)
}

fn master_down_interval(priority: u8, interval: Duration) -> Duration {
    interval * 3 + skew_time(priority)
}

fn master_down(after: Duration) -> Option<(VrrpTimer, Duration)> {
    Some((VrrpTimer::MasterDown(ID), after))
}

fn adver(after: Duration) -> Option<(VrrpTimer, Duration)> {
    Some((VrrpTimer::Advert(ID), after))
}

fn assert_all_announced(effects: &[Effect], config: &InstanceConfig) {
    let mut told = announced(effects);
    told.sort_unstable();
    told.dedup();
    assert_eq!(told, virtual_addresses(config.family));
}

// Section 6.4.1, Initialize.

#[test]
fn initialize_startup_as_owner_sends_advert_announces_and_sets_adver_timer() {
    for_each_auth(|config| {
        let (mut host, mut effects) = OneHost::started(with_priority(config, 255));
        assert_eq!(host.state(), StateName::Master);
        assert_eq!(priorities(&effects), [255]);
        assert_eq!(host.timer(), adver(SECOND));
        effects.extend(host.settle());
        assert_all_announced(&effects, &host.config());
    });
}

#[test]
fn initialize_startup_sets_master_down_timer() {
    for_each_auth(|config| {
        let (host, effects) = OneHost::started(config);
        assert_eq!(host.state(), StateName::Backup);
        assert_eq!(priorities(&effects), []);
        assert_eq!(host.timer(), master_down(master_down_interval(100, SECOND)));
    });
}

// Section 6.4.2, Backup.

#[test]
fn backup_shutdown_cancels_master_down_timer() {
    for_each_auth(|config| {
        let mut host = OneHost::backup(config);
        let effects = host.stop();
        assert_eq!(host.state(), StateName::Init);
        assert_eq!(priorities(&effects), []);
        assert_eq!(host.timer(), None);
    });
}

#[test]
fn backup_master_down_timer_sends_advert_announces_and_sets_adver_timer() {
    for_each_auth(|config| {
        let mut host = OneHost::backup(config);
        let mut effects = host.fire();
        assert_eq!(host.state(), StateName::Master);
        assert_eq!(priorities(&effects), [100]);
        assert_eq!(host.timer(), adver(SECOND));
        effects.extend(host.settle());
        assert_eq!(added(&effects), virtual_addresses(Family::V4));
        assert_all_announced(&effects, &host.config());
    });
}

#[test]
fn backup_advert_of_priority_zero_sets_master_down_timer_to_skew_time() {
    for_each_auth(|config| {
        let mut host = OneHost::backup(config);
        host.pass(SECOND);
        host.hear_neighbour(9, 0);
        assert_eq!(host.state(), StateName::Backup);
        assert_eq!(host.timer(), master_down(skew_time(100)));
    });
}

#[test]
fn backup_advert_of_higher_or_equal_priority_restarts_timer() {
    for_each_auth(|config| {
        for (priority, number) in [(101, 1), (255, 9), (100, 1), (100, 9)] {
            let mut host = OneHost::backup(config.clone());
            host.pass(SECOND);
            host.hear_neighbour(number, priority);
            assert_eq!(host.state(), StateName::Backup);
            let expected = master_down_interval(100, SECOND);
            assert_eq!(host.timer(), master_down(expected), "priority {priority}");
        }
    });
}

#[test]
fn backup_advert_of_lower_priority_not_preempting_restarts_timer() {
    for_each_auth(|mut config| {
        config.preempt = false;
        let mut host = OneHost::backup(config);
        host.pass(SECOND);
        host.hear_neighbour(1, 1);
        assert_eq!(host.state(), StateName::Backup);
        assert_eq!(host.timer(), master_down(master_down_interval(100, SECOND)));
    });
}

#[test]
fn backup_advert_of_lower_priority_preempting_is_discarded() {
    for_each_auth(|config| {
        let mut host = OneHost::backup(config);
        host.pass(SECOND);
        host.hear_neighbour(9, 99);
        assert_eq!(host.state(), StateName::Backup);
        let left = master_down_interval(100, SECOND) - SECOND;
        assert_eq!(host.timer(), master_down(left));
    });
}

// Section 6.4.3, Master.

#[test]
fn master_shutdown_cancels_adver_timer_and_sends_priority_zero() {
    for_each_auth(|config| {
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
    for_each_auth(|config| {
        let mut host = OneHost::master(config);
        for _ in 0..3 {
            assert_eq!(host.timer(), adver(SECOND));
            assert_eq!(priorities(&host.fire()), [100]);
        }
    });
}

#[test]
fn master_advert_of_priority_zero_sends_advert_at_once_and_restarts_timer() {
    for_each_auth(|config| {
        let mut host = OneHost::master(config);
        host.pass(Duration::from_millis(300));
        assert_eq!(priorities(&host.hear_neighbour(9, 0)), [100]);
        assert_eq!(host.state(), StateName::Master);
        assert_eq!(host.timer(), adver(SECOND));
    });
}

#[test]
fn master_advert_of_higher_priority_or_equal_from_greater_address_makes_a_backup() {
    for_each_auth(|config| {
        for (number, priority) in [(1, 101), (9, 101), (9, 100), (1, 255)] {
            let mut host = OneHost::master(config.clone());
            let mut effects = host.hear_neighbour(number, priority);
            assert_eq!(host.state(), StateName::Backup);
            assert_eq!(priorities(&effects), []);
            assert_eq!(host.timer(), master_down(master_down_interval(100, SECOND)));
            effects.extend(host.settle());
            assert_eq!(deleted(&effects).len(), 2);
            assert!(host.held().is_empty());
        }
    });
}

/// The RFC discards it; keepalived shows itself at once (K-4).
#[test]
fn master_advert_of_lower_priority_or_equal_from_lesser_address_changes_nothing() {
    for_each_auth(|config| {
        for (number, priority) in [(9, 99), (1, 100), (9, 1)] {
            let mut host = OneHost::master(config.clone());
            host.pass(Duration::from_millis(300));
            let effects = host.hear_neighbour(number, priority);
            assert_eq!(host.state(), StateName::Master);
            assert_eq!(priorities(&effects), [100]);
            assert_eq!(host.timer(), adver(Duration::from_millis(700)));
        }
    });
}

// The checklist.

/// V2-01, 02, 03, 04, 05, 16; the checksum is proved by the driver's parser.
#[test]
fn v2_01_fields_of_an_advert() {
    for_each_auth(|config| {
        let mut host = OneHost::backup(config.clone());
        let expected = Advert {
            version: Version::V2,
            src: own(Family::V4),
            dst: group(Family::V4),
            hop_limit: 255,
            vrid: 51,
            priority: 100,
            interval: SECOND,
            auth: config.auth,
            addresses: virtual_addresses(Family::V4),
        };
        assert_eq!(adverts(&host.fire()), [expected]);
    });
}

/// A master and a backup discard `octets`: `reason` is counted and nothing else happens.
fn assert_discarded(config: &InstanceConfig, advert: &Advert, octets: &[u8], reason: Discard) {
    for mut host in [
        OneHost::backup(config.clone()),
        OneHost::master(config.clone()),
    ] {
        host.pass(Duration::from_millis(400));
        let before = (
            host.state(),
            host.timer(),
            host.node.stats(ID).adverts_received,
        );
        let effects = host.hear_octets(advert, octets);
        assert_eq!(host.node.stats(ID).discarded(reason), 1, "{effects:?}");
        assert_eq!(host.node.stats(ID).discarded_total(), 1);
        let after = (
            host.state(),
            host.timer(),
            host.node.stats(ID).adverts_received,
        );
        assert_eq!(after, before);
        assert_eq!(priorities(&effects), []);
    }
}

#[test]
fn v2_02_another_interval_is_discarded() {
    for_each_auth(|config| {
        for secs in [0, 2, 255] {
            let mut advert = Advert::from_neighbour(&config, 9, 200);
            advert.interval = Duration::from_secs(secs);
            assert_discarded(&config, &advert, &advert.octets(), Discard::Interval);
        }
    });
}

#[test]
fn v2_05_ttl_version_length_and_checksum_are_checked() {
    for_each_auth(|config| {
        let good = Advert::from_neighbour(&config, 9, 200);
        for hop_limit in [0, 64, 254] {
            let mut advert = good.clone();
            advert.hop_limit = hop_limit;
            assert_discarded(&config, &advert, &advert.octets(), Discard::Ttl);
        }
        let mut v3 = good.clone();
        v3.version = Version::V3;
        assert_discarded(&config, &v3, &v3.octets(), Discard::Version);
        let mut flipped = good.octets();
        flipped[30] ^= 1;
        assert_discarded(&config, &good, &flipped, Discard::Checksum);
        // One octet short, and the IP header says so.
        let mut short = good.octets();
        short.pop();
        short[3] -= 1;
        assert_discarded(&config, &good, &short, Discard::Length);
    });
}

/// Gives `octets` another authentication type and a right checksum.
fn with_auth_type(advert: &Advert, kind: u8) -> Vec<u8> {
    let mut octets = advert.octets();
    octets[24] = kind;
    octets[26..28].fill(0);
    let sum = relevo_core::wire::checksum::of(&octets[20..]);
    octets[26..28].copy_from_slice(&sum.to_be_bytes());
    octets
}

#[test]
fn v2_06_another_authentication_type_is_discarded() {
    for_each_auth(|config| {
        let advert = Advert::from_neighbour(&config, 9, 200);
        let other = if config.auth == Auth::None { 1 } else { 0 };
        for kind in [other, 2] {
            let octets = with_auth_type(&advert, kind);
            assert_discarded(&config, &advert, &octets, Discard::AuthTypeMismatch);
        }
        for kind in [3, 255] {
            let octets = with_auth_type(&advert, kind);
            assert_discarded(&config, &advert, &octets, Discard::AuthTypeUnknown);
        }
    });
}

#[test]
fn v2_07_all_eight_octets_of_the_password_count() {
    let mut config = config(Version::V2, Family::V4);
    config.auth = PASSWORD;
    for wrong in [
        *b"secre\0\0\0",
        *b"secrets\0",
        *b"secret\0x",
        *b"\0\0\0\0\0\0\0\0",
        *b"Secret\0\0",
    ] {
        let mut advert = Advert::from_neighbour(&config, 9, 200);
        advert.auth = Auth::Pass(wrong);
        assert_discarded(&config, &advert, &advert.octets(), Discard::AuthFailure);
    }
}

/// K-2: keepalived logs it and uses the advert.
#[test]
fn v2_10_another_address_list_is_told_and_used() {
    for_each_auth(|config| {
        let mut host = OneHost::backup(config.clone());
        host.pass(SECOND);
        let mut advert = Advert::from_neighbour(&config, 9, 200);
        advert.addresses = vec![neighbour(Family::V4, 77)];
        host.hear(&advert);
        assert_eq!(host.node.stats(ID).address_list_differs, 1);
        assert_eq!(host.timer(), master_down(master_down_interval(100, SECOND)));
    });
}

#[test]
fn v2_11_skew_time_is_in_seconds_whatever_the_interval() {
    for_each_auth(|mut config| {
        config.advert_interval = Duration::from_secs(5);
        for priority in [1, 100, 254] {
            let host = OneHost::backup(with_priority(config.clone(), priority));
            let expected = master_down_interval(priority, Duration::from_secs(5));
            assert_eq!(host.timer(), master_down(expected));
        }
    });
}

#[test]
fn v2_12_equal_priority_the_greater_address_wins() {
    for_each_auth(|config| {
        for (number, wins) in [(4, false), (6, true), (200, true)] {
            let mut host = OneHost::master(config.clone());
            host.hear_neighbour(number, 100);
            assert_eq!(host.state() == StateName::Backup, wins, "{number}");
        }
    });
}

#[test]
fn v2_13_takeover_after_priority_zero_takes_the_skew_time() {
    for_each_auth(|config| {
        let mut host = OneHost::backup(config);
        host.hear_neighbour(9, 200);
        host.hear_neighbour(9, 0);
        host.pass(skew_time(100) - Duration::from_micros(1));
        assert_eq!(host.look_at_timers(), []);
        host.pass(Duration::from_micros(1));
        assert_eq!(priorities(&host.look_at_timers()), [100]);
    });
}

#[test]
fn v2_14_an_owner_says_255() {
    for_each_auth(|config| {
        let (_, effects) = OneHost::started(with_priority(config, 255));
        assert_eq!(priorities(&effects), [255]);
    });
}

/// V2-16: with virtual addresses in the same subnet, lower and higher ones.
#[test]
fn v2_16_the_source_is_never_a_virtual_address() {
    for_each_auth(|mut config| {
        config.addresses[0].addr = neighbour(Family::V4, 2);
        config.addresses[0].prefix = 24;
        let mut host = OneHost::master(config);
        let effects = host.run_for(Duration::from_secs(3));
        assert!(
            adverts(&effects)
                .iter()
                .all(|sent| sent.src == own(Family::V4))
        );
    });
}
