//! How regular a router's adverts were.

use std::fmt;
use std::time::Duration;

use super::command::Result;
use super::ms;

/// The times between one advert and the next, in nanoseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rhythm {
    /// In their order in time.
    in_order: Vec<i64>,
    /// Shortest first.
    gaps: Vec<i64>,
}

impl Rhythm {
    /// Of adverts at these times, in order.
    pub fn of(times: &[i64]) -> Self {
        let in_order: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mut gaps = in_order.clone();
        gaps.sort_unstable();
        Self { in_order, gaps }
    }

    /// How many gaps there are, one fewer than adverts.
    pub fn len(&self) -> usize {
        self.gaps.len()
    }

    /// Whether there are fewer than two adverts.
    pub fn is_empty(&self) -> bool {
        self.gaps.is_empty()
    }

    /// The gap that `percent` of all do not exceed; zero if there is none.
    pub fn percentile(&self, percent: usize) -> i64 {
        let index = (self.gaps.len() * percent).div_ceil(100).max(1) - 1;
        self.gaps.get(index).copied().unwrap_or(0)
    }

    /// Whether the adverts kept their time: no gap above the interval with `slack`; none below 0.6 of the
    /// interval (an advert that something provoked cuts a gap in two, one part below the half) unless the
    /// advert before it was late; and as many as fit into `time`, but for those at its ends.
    ///
    /// # Errors
    /// They did not; the message says how.
    pub fn judge(&self, interval: Duration, slack: Duration, time: Duration) -> Result<()> {
        let nanos = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        let expected = usize::try_from(nanos(time) / nanos(interval).max(1)).unwrap_or(0);
        if self.gaps.len() + 3 < expected || self.gaps.len() > expected + 2 {
            return Err(format!("about {expected} adverts were due: {self}"));
        }
        let (least, most) = (nanos(interval) * 6 / 10, nanos(interval) + nanos(slack));
        let mut before = nanos(interval);
        for &gap in &self.in_order {
            if gap > most || (gap < least && before + gap < nanos(interval) * 17 / 10) {
                return Err(format!("{} between two adverts: {self}", ms(gap)));
            }
            before = gap;
        }
        Ok(())
    }
}

impl fmt::Display for Rhythm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} gaps, least {}, median {}, 99 % {}, most {}",
            self.gaps.len(),
            ms(self.percentile(0)),
            ms(self.percentile(50)),
            ms(self.percentile(99)),
            ms(self.percentile(100))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn judged(times: &[i64]) -> Result<()> {
        let times: Vec<i64> = times.iter().map(|at| at * MS).collect();
        let interval = Duration::from_millis(100);
        let (slack, time) = (Duration::from_millis(30), Duration::from_millis(500));
        Rhythm::of(&times).judge(interval, slack, time)
    }

    #[test]
    fn a_steady_rhythm_passes() {
        assert_eq!(judged(&[7, 107, 208, 306, 407]), Ok(()));
    }

    #[test]
    fn late_early_missing_and_surplus_adverts_show() {
        assert!(judged(&[0, 100, 231, 300, 400]).is_err());
        assert!(judged(&[0, 100, 150, 250, 350, 450]).is_err());
        assert!(judged(&[0, 100, 155, 200, 300, 400]).is_err());
        // One late advert is within the slack, and the next is on time.
        assert_eq!(judged(&[0, 100, 229, 275, 375, 475]), Ok(()));
        assert!(judged(&[0, 100]).is_err());
        assert!(judged(&[0, 70, 140, 210, 280, 350, 420, 490, 560]).is_err());
    }

    #[test]
    fn percentiles_of_few() {
        let rhythm = Rhythm::of(&[0, 10, 30]);
        assert_eq!([rhythm.percentile(0), rhythm.percentile(50)], [10, 10]);
        assert_eq!([rhythm.percentile(99), rhythm.percentile(100)], [20, 20]);
        assert_eq!(Rhythm::of(&[]).percentile(50), 0);
    }
}
