//! The watch over one child: hellos, and what its silence means.
//!
//! Once in an interval the parent looks for the answer to its last hello and sends the next one. A
//! child that has left a hello unanswered for two intervals is hung. What the parent finds when it
//! comes late itself does not count: it may have been stopped together with the child, and nothing
//! of that time is the child's fault. The child then has one more whole interval.

use crate::time::{Duration, Instant};

/// Intervals without an answer that make a child hung.
pub(super) const MISSED_MAX: u8 = 2;

/// Intervals in a row that a late parent may forgive. A child that hangs and keeps the processor so
/// busy that its parent is always late is found all the same.
pub(super) const FORGIVEN_MAX: u8 = 8;

/// What a look has shown.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It has answered.
    Well,
    /// It has not, and may yet.
    Silent,
    /// It has not for too long.
    Hung,
}

/// Hellos to one child.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Pulse {
    /// The number of the last hello, and of the last one that was answered.
    sent: u64,
    seen: u64,
    missed: u8,
    forgiven: u8,
    /// When to look next.
    due: Instant,
    /// The runtime has been asked what the child has said.
    looking: bool,
}

impl Pulse {
    /// Before the first hello: the child has to be ready until `due`.
    pub(super) const fn new(due: Instant) -> Self {
        Self {
            sent: 0,
            seen: 0,
            missed: 0,
            forgiven: 0,
            due,
            looking: false,
        }
    }

    /// When to look, unless that is going on.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.looking).then_some(self.due)
    }

    pub(super) const fn look(&mut self) {
        self.looking = true;
    }

    /// False while an answer is missing.
    pub(super) const fn is_well(&self) -> bool {
        self.missed == 0 && self.forgiven == 0
    }

    /// The number of the next hello, which is sent now.
    pub(super) const fn next_hello(&mut self) -> u64 {
        self.sent += 1;
        self.sent
    }

    /// The time until the next look begins anew, with a clean sheet.
    pub(super) fn restart(&mut self, now: Instant, interval: Duration) {
        self.missed = 0;
        self.forgiven = 0;
        self.due = now + interval;
        self.looking = false;
    }

    /// Judges what was heard: the last hello that was answered, if any was.
    pub(super) fn on_listened(
        &mut self,
        heard: Option<u64>,
        now: Instant,
        interval: Duration,
    ) -> Verdict {
        let half = Duration::from_micros(interval.as_micros() / 2);
        let late = now >= self.due + half;
        // By the deadline, not by the clock: looks keep their distance.
        self.due = if late { now } else { self.due } + interval;
        self.looking = false;
        // An answer to a hello that was never sent proves nothing.
        if let Some(heard) = heard.filter(|heard| (self.seen + 1..=self.sent).contains(heard)) {
            self.seen = heard;
            self.missed = 0;
            self.forgiven = 0;
            return Verdict::Well;
        }
        if late && self.forgiven < FORGIVEN_MAX {
            self.forgiven += 1;
            return Verdict::Silent;
        }
        self.missed += 1;
        // Before the first hello the child had all its time already.
        if self.missed >= MISSED_MAX || self.sent == 0 {
            Verdict::Hung
        } else {
            Verdict::Silent
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(5);

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    /// A watch whose first hello was sent at 0.
    fn begun() -> Pulse {
        let mut pulse = Pulse::new(at(30));
        pulse.restart(at(0), INTERVAL);
        assert_eq!(pulse.next_hello(), 1);
        pulse
    }

    #[test]
    fn answers_in_time_are_well_for_ever() {
        let mut pulse = begun();
        for n in 1..100 {
            assert_eq!(pulse.due(), Some(at(5 * n)));
            let verdict = pulse.on_listened(Some(n), at(5 * n), INTERVAL);
            assert_eq!(verdict, Verdict::Well);
            pulse.next_hello();
        }
    }

    #[test]
    fn the_second_interval_without_an_answer_is_the_last() {
        let mut pulse = begun();
        assert_eq!(pulse.on_listened(None, at(5), INTERVAL), Verdict::Silent);
        assert!(!pulse.is_well());
        pulse.next_hello();
        assert_eq!(pulse.on_listened(None, at(10), INTERVAL), Verdict::Hung);
    }

    #[test]
    fn an_answer_counts_once_and_an_invented_one_never() {
        let mut pulse = begun();
        assert_eq!(pulse.on_listened(Some(1), at(5), INTERVAL), Verdict::Well);
        pulse.next_hello();
        assert_eq!(
            pulse.on_listened(Some(1), at(10), INTERVAL),
            Verdict::Silent
        );
        pulse.next_hello();
        assert_eq!(pulse.on_listened(Some(9), at(15), INTERVAL), Verdict::Hung);
    }

    #[test]
    fn an_answer_to_an_earlier_hello_is_a_sign_of_life() {
        let mut pulse = begun();
        assert_eq!(pulse.on_listened(None, at(5), INTERVAL), Verdict::Silent);
        pulse.next_hello();
        assert_eq!(pulse.on_listened(Some(1), at(10), INTERVAL), Verdict::Well);
        pulse.next_hello();
        assert_eq!(pulse.on_listened(None, at(15), INTERVAL), Verdict::Silent);
    }

    #[test]
    fn a_late_parent_gives_one_more_whole_interval() {
        let mut pulse = begun();
        assert_eq!(pulse.on_listened(None, at(5), INTERVAL), Verdict::Silent);
        // Stopped for an hour.
        assert_eq!(
            pulse.on_listened(None, at(3_600), INTERVAL),
            Verdict::Silent
        );
        assert_eq!(pulse.due(), Some(at(3_605)));
        assert_eq!(pulse.on_listened(None, at(3_605), INTERVAL), Verdict::Hung);
    }

    #[test]
    fn half_an_interval_is_late_and_less_is_not() {
        let half = Duration::from_millis(2_500);
        let mut pulse = begun();
        pulse.on_listened(None, at(5) + half, INTERVAL);
        assert_eq!((pulse.missed, pulse.due), (0, at(10) + half));
        let mut pulse = begun();
        let almost = at(5) + Duration::from_millis(2_499);
        pulse.on_listened(None, almost, INTERVAL);
        assert_eq!((pulse.missed, pulse.due), (1, at(10)));
    }

    #[test]
    fn a_parent_that_is_always_late_finds_it_in_the_end() {
        let mut pulse = begun();
        let looks = (1..100).find(|n| {
            let verdict = pulse.on_listened(None, at(10 * n), INTERVAL);
            verdict == Verdict::Hung
        });
        assert_eq!(looks, Some(u64::from(FORGIVEN_MAX + MISSED_MAX)));
    }

    #[test]
    fn a_child_that_is_never_ready_is_hung_when_its_time_is_over() {
        let mut pulse = Pulse::new(at(30));
        assert_eq!(pulse.on_listened(None, at(30), INTERVAL), Verdict::Hung);
        let mut pulse = Pulse::new(at(30));
        assert_eq!(pulse.on_listened(None, at(90), INTERVAL), Verdict::Silent);
        assert_eq!(pulse.on_listened(None, at(95), INTERVAL), Verdict::Hung);
    }
}
