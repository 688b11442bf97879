//! The clock of one host: where it began, and how fast it runs.

use relevo_core::time::{Duration, Instant};

const MILLION: i128 = 1_000_000;

/// Maps the world's time to one host's monotonic clock and back.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct SimClock {
    /// What the clock shows when the world begins.
    pub offset: Duration,
    /// How much it gains in a million; negative if it is slow. Between -100,000 and 100,000.
    pub drift_ppm: i32,
}

impl SimClock {
    /// What the host's clock shows at `world`.
    pub fn local(&self, world: Instant) -> Instant {
        let micros = i128::from(world.as_micros());
        let gained = micros * i128::from(self.drift_ppm) / MILLION;
        let shown = micros + gained + i128::from(self.offset.as_micros());
        Instant::from_micros(u64::try_from(shown.max(0)).unwrap_or(u64::MAX))
    }

    /// The first moment of the world at which the host's clock shows `local` or later.
    pub fn world(&self, local: Instant) -> Instant {
        let shown = i128::from(local.as_micros()) - i128::from(self.offset.as_micros());
        let guess = shown.max(0) * MILLION / (MILLION + i128::from(self.drift_ppm));
        let mut micros = u64::try_from(guess).unwrap_or(u64::MAX).saturating_sub(2);
        while micros < u64::MAX && self.local(Instant::from_micros(micros)) < local {
            micros += 1;
        }
        Instant::from_micros(micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_reached_at_the_first_possible_moment() {
        for drift_ppm in [-200, 0, 1, 150] {
            let clock = SimClock {
                offset: Duration::from_secs(77),
                drift_ppm,
            };
            for micros in [77_000_000, 77_000_001, 80_609_375, 200_000_003] {
                let local = Instant::from_micros(micros);
                let world = clock.world(local);
                assert!(clock.local(world) >= local);
                if world > Instant::ZERO {
                    assert!(clock.local(world - Duration::from_micros(1)) < local);
                }
            }
        }
    }

    #[test]
    fn a_fast_clock_gains() {
        let clock = SimClock {
            offset: Duration::ZERO,
            drift_ppm: 100,
        };
        let shown = clock.local(Instant::ZERO + Duration::from_secs(10));
        assert_eq!(shown.as_micros(), 10_001_000);
    }
}
