//! The conditions of operation of a virtual router that are not met, and since when.
//!
//! The set is computed afresh at each look (see `node/look.rs`); what is kept here is only the time
//! at which each condition was first seen unmet, and how much has been told.

use std::collections::{BTreeMap, BTreeSet};

use crate::time::{Duration, Instant};
use crate::vrrp::note::Fault;

/// Changes told in one go; a link that flaps for longer is told of at the rate below.
const TELL_BURST: u8 = 16;

/// After this long one more change may be told.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// What is not met, each with the time since when.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Conditions {
    unmet: BTreeMap<Fault, Instant>,
}

/// What a new look has changed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Changes {
    /// Met again, with how long they were not.
    pub(crate) cleared: Vec<(Fault, Duration)>,
    /// Not met any more.
    pub(crate) appeared: Vec<Fault>,
}

impl Conditions {
    /// The unmet condition that explains most.
    pub(crate) fn first(&self) -> Option<Fault> {
        self.unmet.first_key_value().map(|(fault, _)| *fault)
    }

    /// The unmet conditions with the time since when.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Fault, Instant)> {
        self.unmet.iter().map(|(fault, since)| (*fault, *since))
    }

    /// The set is `unmet` now; a condition that was in it keeps its time.
    pub(crate) fn update(&mut self, unmet: &BTreeSet<Fault>, now: Instant) -> Changes {
        let mut changes = Changes::default();
        self.unmet.retain(|fault, since| {
            let stays = unmet.contains(fault);
            if !stays {
                changes.cleared.push((*fault, now.since(*since)));
            }
            stays
        });
        for fault in unmet {
            self.unmet.entry(*fault).or_insert_with(|| {
                changes.appeared.push(*fault);
                now
            });
        }
        changes
    }
}

/// How much may still be told of changes that can come at any rate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TellBudget {
    left: u8,
    /// Since when the next line is being saved for.
    since: Instant,
    /// What could not be told.
    untold: u32,
}

impl Default for TellBudget {
    fn default() -> Self {
        Self {
            left: TELL_BURST,
            since: Instant::ZERO,
            untold: 0,
        }
    }
}

impl TellBudget {
    /// How many changes were left untold before this one, if this one may be told.
    pub(crate) fn spend(&mut self, now: Instant) -> Option<u32> {
        while self.left < TELL_BURST && now.since(self.since) >= TELL_EVERY {
            self.left += 1;
            self.since += TELL_EVERY;
        }
        if self.left == TELL_BURST {
            self.since = now;
        }
        if self.left == 0 {
            self.untold = self.untold.saturating_add(1);
            return None;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vrrp::note::Device;

    const DOWN: Fault = Fault::InterfaceDown(Device::Own);

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn each_condition_keeps_its_own_time() {
        let mut conditions = Conditions::default();
        let changes = conditions.update(&[DOWN].into(), at(10));
        assert_eq!(changes.appeared, [DOWN]);
        let changes = conditions.update(&[DOWN, Fault::NoSource].into(), at(12));
        assert_eq!(changes.appeared, [Fault::NoSource]);
        assert_eq!(changes.cleared, []);
        let all: Vec<_> = conditions.iter().collect();
        assert_eq!(all, [(DOWN, at(10)), (Fault::NoSource, at(12))]);
        let changes = conditions.update(&[Fault::NoSource].into(), at(15));
        assert_eq!(changes.cleared, [(DOWN, Duration::from_secs(5))]);
        assert_eq!(conditions.first(), Some(Fault::NoSource));
        let changes = conditions.update(&[].into(), at(15));
        assert_eq!(changes.cleared, [(Fault::NoSource, Duration::from_secs(3))]);
        assert_eq!(conditions.first(), None);
    }

    #[test]
    fn what_flaps_for_an_hour_is_told_a_few_hundred_times_and_counted() {
        let mut budget = TellBudget::default();
        let (mut told, mut untold) = (0, 0);
        for tick in 0..36_000 {
            let now = Instant::from_micros(5_000_000 + tick * 100_000);
            if let Some(before) = budget.spend(now) {
                told += 1;
                untold += before;
            }
        }
        assert!((370..=380).contains(&told), "{told}");
        assert!(told + untold > 35_800, "{told} + {untold}");
        // After a rest a burst is told whole again.
        let rested = at(100_000);
        assert!(budget.spend(rested).is_some_and(|before| before > 0));
        assert!((1..TELL_BURST).all(|_| budget.spend(rested) == Some(0)));
        assert_eq!(budget.spend(rested), None);
    }
}
