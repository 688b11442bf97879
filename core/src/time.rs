//! Our own clock values: whole microseconds, the resolution of keepalived's TIMER_HZ.
//!
//! [`Instant`] is a reading of CLOCK_BOOTTIME, so it means the same in every process of one host,
//! and a suspended host has slept when it wakes; it is plain data and can be printed, compared,
//! stored and replayed. Arithmetic saturates: a deadline beyond the end of time is the end of time.

use std::fmt;
use std::ops::{Add, AddAssign, Mul, Sub};

/// A moment on the host's monotonic clock, in microseconds.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant {
    micros: u64,
}

/// A span of time, in microseconds.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration {
    micros: u64,
}

impl Instant {
    /// The beginning of the clock.
    pub const ZERO: Self = Self { micros: 0 };

    /// The moment `micros` microseconds after the clock began.
    pub const fn from_micros(micros: u64) -> Self {
        Self { micros }
    }

    /// Microseconds since the clock began.
    pub const fn as_micros(self) -> u64 {
        self.micros
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.micros.saturating_sub(earlier.micros))
    }
}

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self { micros: 0 };

    /// `micros` microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Self { micros }
    }

    /// `millis` milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self {
            micros: millis.saturating_mul(1_000),
        }
    }

    /// `centis` centiseconds, the unit of VRRPv3's interval field (RFC 9568 section 5.2.7).
    pub const fn from_centis(centis: u64) -> Self {
        Self {
            micros: centis.saturating_mul(10_000),
        }
    }

    /// `secs` seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self {
            micros: secs.saturating_mul(1_000_000),
        }
    }

    /// The span in microseconds.
    pub const fn as_micros(self) -> u64 {
        self.micros
    }

    /// The span in whole milliseconds, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.micros / 1_000
    }

    /// The span in whole centiseconds, rounded down.
    pub const fn as_centis(self) -> u64 {
        self.micros / 10_000
    }

    /// The span in whole seconds, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.micros / 1_000_000
    }

    /// True for [`Duration::ZERO`].
    pub const fn is_zero(self) -> bool {
        self.micros == 0
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self {
            micros: self.micros.saturating_add(span.micros),
        }
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, span: Duration) -> Self {
        Self {
            micros: self.micros.saturating_sub(span.micros),
        }
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl Add for Duration {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            micros: self.micros.saturating_add(other.micros),
        }
    }
}

impl Sub for Duration {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self {
            micros: self.micros.saturating_sub(other.micros),
        }
    }
}

impl Mul<u64> for Duration {
    type Output = Self;
    fn mul(self, factor: u64) -> Self {
        Self {
            micros: self.micros.saturating_mul(factor),
        }
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}us", self.micros)
    }
}

impl fmt::Debug for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us", self.micros)
    }
}

/// Seconds with as many decimals as are needed: `1`, `0.3`, `3.609375`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.micros / 1_000_000)?;
        let fraction = self.micros % 1_000_000;
        if fraction != 0 {
            let digits = format!("{fraction:06}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let end = Instant::from_micros(u64::MAX);
        assert_eq!(end + Duration::from_secs(1), end);
        assert_eq!(Instant::ZERO - Duration::from_secs(1), Instant::ZERO);
        assert_eq!(Instant::ZERO - end, Duration::ZERO);
        assert_eq!(
            Duration::from_secs(u64::MAX),
            Duration::from_micros(u64::MAX)
        );
    }

    #[test]
    fn durations_print_as_seconds_without_needless_zeros() {
        assert_eq!(Duration::from_secs(1).to_string(), "1");
        assert_eq!(Duration::from_centis(30).to_string(), "0.3");
        assert_eq!(Duration::from_micros(3_609_375).to_string(), "3.609375");
        assert_eq!(Duration::from_micros(1).to_string(), "0.000001");
    }
}
