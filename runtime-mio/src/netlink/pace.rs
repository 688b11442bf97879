//! When whole tables may be asked for, and what is told of lost messages.
//!
//! A table costs as much as the host has interfaces and addresses. While other programs change
//! those by the thousand the news overrun again and again; tables are then asked for ever more
//! slowly, down to one a second, and the log has one line with a count.

use relevo_core::time::{Duration, Instant};

/// The least time from one table to the next, doubled each time ..
const GAP_MIN: Duration = Duration::from_millis(10);

/// .. up to this ..
const GAP_MAX: Duration = Duration::from_secs(1);

/// .. and back to the least after so long without a table.
const CALM: Duration = Duration::from_secs(5);

/// A table of which nothing was heard for so long is given up.
const STALLED: Duration = Duration::from_millis(500);

/// Rest after trying in vain to get at everything that is older than the table.
const BUSY: Duration = Duration::from_millis(1);

/// The least time between two lines about lost messages, and the longest that one is put off.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The moments at which tables may be asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Pace {
    asked: Option<Instant>,
    gap: Duration,
    not_before: Instant,
    heard: Instant,
}

impl Pace {
    /// True if a table may be asked for now.
    pub(crate) fn allows(&self, now: Instant) -> bool {
        now >= self.not_before
    }

    /// When a table that is wanted may be asked for.
    pub(crate) fn next(&self) -> Instant {
        self.not_before
    }

    /// A table is being asked for.
    pub(crate) fn on_asked(&mut self, now: Instant) {
        let calm = self.asked.is_none_or(|asked| now >= asked + CALM);
        self.gap = if calm {
            GAP_MIN
        } else {
            (self.gap * 2).min(GAP_MAX)
        };
        self.asked = Some(now);
        self.not_before = now + self.gap;
        self.heard = now;
    }

    /// A part of the table has come.
    pub(crate) fn on_heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Something older than the table is still waiting.
    pub(crate) fn on_busy(&mut self, now: Instant) {
        self.not_before = self.not_before.max(now + BUSY);
    }

    /// When the table that is being told is given up.
    pub(crate) fn stalls_at(&self) -> Instant {
        self.heard + STALLED
    }
}

/// Losses that have not been told yet.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Losses {
    count: u64,
    since: Option<Instant>,
    made_good: bool,
    told: Option<Instant>,
}

impl Losses {
    /// Messages were lost; `count` says how many, or how often.
    pub(crate) fn add(&mut self, count: u64, now: Instant) {
        self.count += count;
        self.since.get_or_insert(now);
        self.made_good = false;
    }

    /// What was lost is known again.
    pub(crate) fn on_made_good(&mut self) {
        self.made_good = true;
    }

    /// When the losses are to be told, if there are any.
    pub(crate) fn tell_at(&self) -> Option<Instant> {
        let since = self.since?;
        let ripe = if self.made_good {
            since
        } else {
            since + TELL_EVERY
        };
        Some(self.told.map_or(ripe, |told| ripe.max(told + TELL_EVERY)))
    }

    /// How many losses are to be told now.
    pub(crate) fn take(&mut self, now: Instant) -> Option<u64> {
        let due = self.tell_at().is_some_and(|at| now >= at);
        due.then(|| {
            self.since = None;
            self.told = Some(now);
            std::mem::take(&mut self.count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(7_000_000 + millis * 1_000)
    }

    #[test]
    fn a_storm_of_losses_makes_one_table_a_second() {
        let mut pace = Pace::default();
        let mut asked = Vec::new();
        for millis in 0..60_000 {
            if pace.allows(at(millis)) {
                asked.push(millis);
                pace.on_asked(at(millis));
            }
        }
        assert_eq!(asked[..4], [0, 10, 30, 70]);
        assert!(asked.len() < 70, "{}", asked.len());
        // After a calm the first is asked for at once again, and the second soon.
        pace.on_asked(at(70_000));
        assert_eq!(pace.next(), at(70_010));
    }

    #[test]
    fn losses_are_told_once_in_ten_seconds_with_their_count() {
        let mut losses = Losses::default();
        assert_eq!(losses.tell_at(), None);
        losses.add(1, at(0));
        losses.add(1, at(5));
        assert_eq!(losses.take(at(5)), None, "not made good yet");
        losses.on_made_good();
        assert_eq!(losses.take(at(6)), Some(2));
        let mut told = Vec::new();
        for millis in 7..60_000 {
            losses.add(1, at(millis));
            losses.on_made_good();
            told.extend(losses.take(at(millis)));
        }
        assert_eq!(told.len(), 5);
        // The rest is not forgotten when the losses end.
        let last = losses.tell_at().expect("a time");
        assert_eq!(
            told.iter().sum::<u64>() + losses.take(last).expect("a count"),
            59_993
        );
        assert_eq!(losses.tell_at(), None);
    }

    #[test]
    fn losses_that_are_never_made_good_are_told_too() {
        let mut losses = Losses::default();
        losses.add(3, at(0));
        losses.add(4, at(9_000));
        assert_eq!(losses.take(at(9_999)), None);
        assert_eq!(losses.take(at(10_000)), Some(7));
    }
}
