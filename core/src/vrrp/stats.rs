//! Counters of one virtual router.

use crate::time::{Duration, Instant};
use crate::vrrp::note::{Discard, Discarded};

/// Discarded packets are summed up at most this often.
const SUM_UP_AFTER: Duration = Duration::from_secs(60);

/// An advert that has just been handed over for sending.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Latest {
    farewell: bool,
    /// `last_sent` before it.
    before: Option<Instant>,
}

/// What was received, sent and refused since the start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Adverts accepted for judgement by the state machine.
    pub adverts_received: u64,
    /// Adverts sent, those of priority 0 too; one to many unicast peers counts once, as in the
    /// original.
    pub adverts_sent: u64,
    /// Transitions to master.
    pub became_master: u64,
    /// Transitions away from master.
    pub released_master: u64,
    /// Adverts of priority 0 received.
    pub priority_zero_received: u64,
    /// Adverts of priority 0 sent.
    pub priority_zero_sent: u64,
    /// Accepted adverts whose address list is not ours.
    pub address_list_differs: u64,
    /// When the last advert above priority 0 was sent.
    pub last_sent: Option<Instant>,
    /// The last advert of any priority: it may turn out that the kernel has refused it.
    latest: Option<Latest>,
    discarded: [u64; Discard::ALL.len()],
    /// What `discarded` was when it was last summed up.
    told: [u64; Discard::ALL.len()],
    /// When the first packet was discarded that has not been summed up.
    untold_since: Option<Instant>,
}

impl Stats {
    /// An advert of priority 0, or of another one, is on its way.
    pub(crate) fn on_sent(&mut self, farewell: bool, now: Instant) {
        let before = self.last_sent;
        self.latest = Some(Latest { farewell, before });
        self.adverts_sent += 1;
        if farewell {
            self.priority_zero_sent += 1;
        } else {
            self.last_sent = Some(now);
        }
    }

    /// The kernel has refused the last advert: nobody has heard it.
    pub(crate) fn on_refused(&mut self) {
        let Some(latest) = self.latest.take() else {
            return;
        };
        self.adverts_sent = self.adverts_sent.saturating_sub(1);
        if latest.farewell {
            self.priority_zero_sent = self.priority_zero_sent.saturating_sub(1);
        } else {
            self.last_sent = latest.before;
        }
    }

    /// The counters apart from the discards, in the order of a record.
    pub(crate) const fn counters(&self) -> [u64; 7] {
        [
            self.adverts_received,
            self.adverts_sent,
            self.became_master,
            self.released_master,
            self.priority_zero_received,
            self.priority_zero_sent,
            self.address_list_differs,
        ]
    }

    /// The counters of a predecessor. What was discarded is taken to have been told.
    pub(crate) fn from_counters(counters: [u64; 7], discarded: [u64; Discard::ALL.len()]) -> Self {
        let [
            adverts_received,
            adverts_sent,
            became_master,
            released_master,
            priority_zero_received,
            priority_zero_sent,
            address_list_differs,
        ] = counters;
        Self {
            adverts_received,
            adverts_sent,
            became_master,
            released_master,
            priority_zero_received,
            priority_zero_sent,
            address_list_differs,
            last_sent: None,
            latest: None,
            discarded,
            told: discarded,
            untold_since: None,
        }
    }

    /// Packets discarded for this reason.
    pub fn discarded(&self, reason: Discard) -> u64 {
        self.discarded[reason.index()]
    }

    /// Packets discarded for any reason.
    pub fn discarded_total(&self) -> u64 {
        self.discarded.iter().sum()
    }

    /// A packet of another virtual router alone is no reason to sum up: they share the link lawfully.
    pub(crate) fn count_discarded(&mut self, reason: Discard, now: Instant) {
        self.discarded[reason.index()] += 1;
        if reason != Discard::Vrid {
            self.untold_since.get_or_insert(now);
        }
    }

    /// Begins to count afresh. What was discarded and is not summed up yet will be.
    pub(crate) fn clear(&mut self) {
        let mut told = self.told;
        for (told, count) in told.iter_mut().zip(self.discarded) {
            *told = told.wrapping_sub(count);
        }
        *self = Self {
            told,
            untold_since: self.untold_since,
            ..Self::default()
        };
    }

    /// What was discarded since the last sum, once [`SUM_UP_AFTER`] has passed since the first of it,
    /// or `at_once`.
    pub(crate) fn sum_up(&mut self, at_once: bool, now: Instant) -> Option<Discarded> {
        let over = now - self.untold_since?;
        if !at_once && over < SUM_UP_AFTER {
            return None;
        }
        self.untold_since = None;
        let told = std::mem::replace(&mut self.told, self.discarded);
        let mut counts = Box::new(self.discarded);
        for (count, before) in counts.iter_mut().zip(told) {
            *count = count.wrapping_sub(before);
        }
        Some(Discarded { over, counts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn what_the_kernel_refuses_was_not_sent() {
        let mut stats = Stats::default();
        stats.on_sent(false, at(1));
        stats.on_sent(false, at(2));
        stats.on_refused();
        assert_eq!((stats.adverts_sent, stats.last_sent), (1, Some(at(1))));
        // It is told once for each.
        stats.on_refused();
        assert_eq!(stats.adverts_sent, 1);
        stats.on_sent(true, at(3));
        assert_eq!((stats.adverts_sent, stats.priority_zero_sent), (2, 1));
        stats.on_refused();
        assert_eq!((stats.adverts_sent, stats.priority_zero_sent), (1, 0));
        assert_eq!(stats.last_sent, Some(at(1)));
    }

    #[test]
    fn discarded_packets_are_summed_up_once_a_minute_and_at_the_end() {
        let mut stats = Stats::default();
        assert_eq!(stats.sum_up(true, at(1)), None);
        for second in 10..70 {
            stats.count_discarded(Discard::Ttl, at(second));
            assert_eq!(stats.sum_up(false, at(second)), None);
        }
        let sum = stats.sum_up(false, at(70)).expect("a minute has passed");
        assert_eq!((sum.over, sum.total()), (SUM_UP_AFTER, 60));
        assert_eq!(stats.sum_up(true, at(71)), None, "all is told");
        stats.count_discarded(Discard::Length, at(80));
        let rest = stats.sum_up(true, at(81)).expect("one since");
        assert_eq!((rest.total(), rest.counts[Discard::Length.index()]), (1, 1));
        assert_eq!(stats.discarded_total(), 61);
    }

    #[test]
    fn a_clear_forgets_counts_but_not_what_is_still_to_be_told() {
        let mut stats = Stats {
            adverts_received: 7,
            ..Stats::default()
        };
        for second in 1..=3 {
            stats.count_discarded(Discard::Ttl, at(second));
        }
        stats.clear();
        assert_eq!((stats.adverts_received, stats.discarded_total()), (0, 0));
        stats.count_discarded(Discard::Ttl, at(4));
        assert_eq!(stats.discarded(Discard::Ttl), 1);
        let sum = stats.sum_up(true, at(5)).expect("four untold");
        assert_eq!((sum.total(), sum.over), (4, Duration::from_secs(4)));
        stats.count_discarded(Discard::Ttl, at(6));
        assert_eq!(stats.sum_up(true, at(7)).map(|sum| sum.total()), Some(1));
    }

    #[test]
    fn another_virtual_router_on_the_link_is_not_worth_a_line() {
        let mut stats = Stats::default();
        stats.count_discarded(Discard::Vrid, at(1));
        assert_eq!(stats.sum_up(true, at(100)), None);
        stats.count_discarded(Discard::Ttl, at(101));
        assert_eq!(stats.sum_up(true, at(102)).map(|sum| sum.total()), Some(2));
    }
}
