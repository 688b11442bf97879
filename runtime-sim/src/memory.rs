//! What outlives a daemon on its host: the records that it was told to keep.

use std::collections::BTreeMap;

use relevo_core::ids::InstanceId;
use relevo_core::time::Instant;
use relevo_core::vrrp::snapshot::Records;

/// The slots of a host, as a file would keep them. A power loss empties it.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    slots: BTreeMap<u32, Slot>,
    slot_of: BTreeMap<InstanceId, u32>,
    given_up: bool,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    record: Vec<u8>,
    stamped: Option<Instant>,
    adverts: u64,
}

impl Memory {
    /// Keeps a record; an empty one is none.
    pub fn remember(&mut self, instance: InstanceId, slot: u32, record: &[u8]) {
        self.slot_of.insert(instance, slot);
        if record.is_empty() {
            return self.forget(slot);
        }
        let kept = self.slots.entry(slot).or_default();
        kept.record = record.to_vec();
        kept.adverts = 0;
    }

    /// Keeps nothing in a slot any more.
    pub fn forget(&mut self, slot: u32) {
        self.slots.remove(&slot);
    }

    /// An advert of `instance` has left.
    pub fn stamp(&mut self, instance: InstanceId, now: Instant) {
        let slot = self.slot_of.get(&instance);
        if let Some(slot) = slot.and_then(|slot| self.slots.get_mut(slot)) {
            slot.stamped = Some(now);
            slot.adverts += 1;
        }
    }

    /// The next successor shall not go on with it.
    pub fn give_up(&mut self) {
        self.given_up = true;
    }

    /// For the successor.
    pub fn records(&mut self) -> Records {
        let given_up = std::mem::take(&mut self.given_up);
        let mut records = Records::new(Instant::ZERO);
        for (number, slot) in &self.slots {
            records.add(*number, &slot.record, slot.stamped, slot.adverts);
        }
        if given_up {
            records.give_up();
        }
        records
    }
}
