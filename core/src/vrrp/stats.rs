//! Counters of one virtual router.

use crate::vrrp::note::Discard;

/// What was received, sent and refused since the start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Adverts accepted for judgement by the state machine.
    pub adverts_received: u64,
    /// Adverts sent, each unicast peer counted.
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
    discarded: [u64; Discard::ALL.len()],
}

impl Stats {
    /// Packets discarded for this reason.
    pub fn discarded(&self, reason: Discard) -> u64 {
        self.discarded[reason.index()]
    }

    /// Packets discarded for any reason.
    pub fn discarded_total(&self) -> u64 {
        self.discarded.iter().sum()
    }

    pub(crate) fn count_discarded(&mut self, reason: Discard) {
        self.discarded[reason.index()] += 1;
    }
}
