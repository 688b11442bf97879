//! The protocol's intervals, with keepalived's integer arithmetic.

use crate::ids::Version;
use crate::time::Duration;

/// The skew time: what a backup waits beyond the adverts it may miss, less the higher its priority.
///
/// VRRPv2: `(256 - priority) / 256` seconds, whatever the interval (RFC 3768 section 6.1).
/// VRRPv3: `(256 - priority) / 256` of the master's interval (RFC 9568 section 6.1), computed from
/// the interval in centiseconds as the original does.
pub const fn skew_time(version: Version, priority: u8, master_interval: Duration) -> Duration {
    let steps = 256 - priority as u64;
    match version {
        Version::V2 => Duration::from_micros(steps * 1_000_000 / 256),
        Version::V3 => Duration::from_micros(steps * master_interval.as_centis() * 625 / 16),
    }
}

/// The master-down interval: the adverts that may be missed, and the skew time.
pub fn master_down_interval(
    version: Version,
    priority: u8,
    master_interval: Duration,
    down_timer_adverts: u8,
) -> Duration {
    master_interval * u64::from(down_timer_adverts) + skew_time(version, priority, master_interval)
}

/// How much too early an advert may leave together with others that are due: a hundredth of its
/// interval and no more than 5 ms. One wake-up then serves many instances. The next deadline counts
/// from the last one, not from the sending, so nothing drifts.
pub const fn advert_grouping(advert_interval: Duration) -> Duration {
    let micros = advert_interval.as_micros() / 100;
    Duration::from_micros(if micros < 5_000 { micros } else { 5_000 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_original_s_examples() {
        let second = Duration::from_secs(1);
        let v2 = master_down_interval(Version::V2, 103, second, 3);
        assert_eq!(v2.as_micros(), 3_597_656);
        let v3 = master_down_interval(Version::V3, 100, second, 3);
        assert_eq!(v3.as_micros(), 3_609_375);
    }

    #[test]
    fn skew_scales_with_the_interval_in_v3_only() {
        let five = Duration::from_secs(5);
        assert_eq!(skew_time(Version::V2, 128, five).as_micros(), 500_000);
        assert_eq!(skew_time(Version::V3, 128, five).as_micros(), 2_500_000);
        let ten_ms = Duration::from_millis(10);
        assert_eq!(skew_time(Version::V3, 100, ten_ms).as_micros(), 6_093);
    }

    #[test]
    fn the_owner_still_has_a_little_skew() {
        let skew = skew_time(Version::V3, 255, Duration::from_secs(1));
        assert_eq!(skew.as_micros(), 3_906);
    }
}
