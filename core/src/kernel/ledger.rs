//! The ledger: what the machines want of the kernel, what it has, what is on its way.
//!
//! Only the difference is asked for, one change at a time for each object. The kernel's echo of
//! our own change is not drift; a disappearance that we did not ask for is, and it is the owner
//! who decides what to do about it. The ledger never retries what was refused; only when an answer
//! was lost (ENOBUFS) it asks again, and after a whole picture for whatever still differs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::ids::{Errno, OpId};

/// Changes in flight at once: a batch on its way and a batch being prepared.
const IN_FLIGHT_MAX: usize = 2 * crate::limits::SLICE;

/// How often in a row a change is asked for again because its answer was lost.
const ASK_AGAIN_MAX: u8 = 3;

/// Kinds of change.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Change {
    /// Create the object.
    Add,
    /// Remove the object.
    Delete,
}

/// One step from what is there to what is wanted.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Step<'a, K, V> {
    /// Ask for the object to be created.
    Add {
        /// The number of the answer.
        op: OpId,
        /// Which object.
        key: K,
        /// How.
        value: &'a V,
    },
    /// Ask for the object to be removed.
    Delete {
        /// The number of the answer.
        op: OpId,
        /// Which object.
        key: K,
    },
    /// It is wanted again and was never gone: no answer will come.
    There(K),
}

/// How an object came to be there.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Origin {
    Ours,
    Found,
}

/// What the answer to a change means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome<K> {
    /// The object is there; `found` if somebody else had put it there.
    Present {
        /// Which object.
        key: K,
        /// It was there already.
        found: bool,
    },
    /// The object is gone.
    Absent(K),
    /// The object was there, and somebody else removed it before the answer came.
    Taken(K),
    /// The answer was lost, and the change is going to be asked for again.
    Lost(K),
    /// The kernel refused.
    Failed {
        /// Which object.
        key: K,
        /// What was asked.
        change: Change,
        /// Why not.
        errno: Errno,
    },
    /// No such change is in flight.
    Unknown,
}

impl<K: Copy> Outcome<K> {
    /// The object that the answer was about.
    pub fn key(&self) -> Option<K> {
        match self {
            Self::Present { key, .. } | Self::Failed { key, .. } => Some(*key),
            Self::Absent(key) | Self::Taken(key) | Self::Lost(key) => Some(*key),
            Self::Unknown => None,
        }
    }
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Have {
    origin: Origin,
    generation: u32,
}

/// Echoes of our own acknowledged changes that the event socket still owes us.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
struct Owed {
    adds: u32,
    deletes: u32,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct InFlight<K> {
    key: K,
    change: Change,
    /// The event socket has told of it.
    echoed: bool,
    /// The last that the event socket told is that the object is gone.
    gone: bool,
    /// The event socket has shown it with our mark.
    marked: bool,
}

/// Objects by key `K`, wanted with value `V`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ledger<K, V> {
    want: BTreeMap<K, V>,
    have: BTreeMap<K, Have>,
    in_flight: BTreeMap<OpId, InFlight<K>>,
    busy: BTreeMap<K, OpId>,
    owed: BTreeMap<K, Owed>,
    /// Objects whose last answer was lost, and how many in a row: if one is there, it is ours.
    doubtful: BTreeMap<K, u8>,
    /// What is there in a form that is not wanted any more: it goes and comes back.
    stale: BTreeSet<K>,
    /// Whatever was wanted since the start: with our mark on it, it is ours.
    known: BTreeSet<K>,
    /// The kernel keeps marks: one has been seen on something of ours.
    marks: bool,
    queue: VecDeque<K>,
    next_op: u64,
    generation: u32,
}

impl<K, V> Default for Ledger<K, V> {
    fn default() -> Self {
        Self {
            want: BTreeMap::new(),
            have: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            busy: BTreeMap::new(),
            owed: BTreeMap::new(),
            doubtful: BTreeMap::new(),
            stale: BTreeSet::new(),
            known: BTreeSet::new(),
            marks: false,
            queue: VecDeque::new(),
            next_op: 1,
            generation: 0,
        }
    }
}

impl<K: Ord + Copy, V> Ledger<K, V> {
    /// Wants `key` to be there. Changes are asked for in the order of these calls.
    pub fn want(&mut self, key: K, value: V) {
        self.want.insert(key, value);
        self.known.insert(key);
        self.queue.push_back(key);
    }

    /// Wants `key` to stay, which a predecessor had added or found (`ours` or not). False if it is
    /// not there, or is about to go: then nothing is changed.
    pub fn keep(&mut self, key: K, value: V, ours: bool) -> bool {
        if !self.keeps(key) {
            return false;
        }
        if let Some(have) = self.have.get_mut(&key)
            && ours
        {
            have.origin = Origin::Ours;
        }
        self.want.insert(key, value);
        self.known.insert(key);
        true
    }

    /// Wants `key` in another form: what is there of ours is removed first, because the kernel
    /// changes nothing in place.
    pub fn renew(&mut self, key: K, value: V) {
        self.stale.insert(key);
        self.want(key, value);
    }

    /// Asks for `key` again, which is wanted and has gone.
    pub fn ask_again(&mut self, key: K) {
        if self.want.contains_key(&key) {
            self.queue.push_back(key);
        }
    }

    /// How `key` is wanted.
    pub fn wish(&self, key: K) -> Option<&V> {
        self.want.get(&key)
    }

    /// Wants `key` no longer.
    pub fn unwant(&mut self, key: K) {
        if self.want.remove(&key).is_some() {
            self.queue.push_back(key);
        }
    }

    /// Wants `key` gone even though it is not ours: a leftover of a former run.
    pub fn remove_leftover(&mut self, key: K) {
        if let Some(have) = self.have.get_mut(&key) {
            have.origin = Origin::Ours;
            self.queue.push_back(key);
        }
    }

    /// What is there under `key` counts as ours from now on, whoever put it there: it goes when it is
    /// wanted no longer.
    pub fn adopt(&mut self, key: K) {
        if let Some(have) = self.have.get_mut(&key) {
            have.origin = Origin::Ours;
        }
    }

    /// True if `key` is wanted.
    pub fn wants(&self, key: K) -> bool {
        self.want.contains_key(&key)
    }

    /// True if the kernel has `key`.
    pub fn has(&self, key: K) -> bool {
        self.have.contains_key(&key)
    }

    /// True if the kernel has `key` and no change of it is under way: not one that takes it away,
    /// and not one whose answer has yet to say that what was shown is still there.
    pub fn keeps(&self, key: K) -> bool {
        self.has(key) && !self.busy.contains_key(&key)
    }

    /// True if the kernel has `key` because we put it there.
    pub fn is_ours(&self, key: K) -> bool {
        let have = self.have.get(&key);
        have.is_some_and(|have| have.origin == Origin::Ours)
    }

    /// True if nothing is queued and nothing is in flight.
    pub fn is_settled(&self) -> bool {
        self.queue.is_empty() && self.in_flight.is_empty()
    }

    /// True if no answer is awaited.
    pub fn is_answered(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// True if changes are queued that may be asked for now.
    pub fn may_go_on(&self) -> bool {
        !self.queue.is_empty() && self.in_flight.len() < IN_FLIGHT_MAX
    }

    /// Takes at most `budget` steps towards what is wanted; returns how many were taken.
    pub fn plan(&mut self, budget: usize, mut take: impl FnMut(Step<'_, K, V>)) -> usize {
        let mut taken = 0;
        while taken < budget && self.in_flight.len() < IN_FLIGHT_MAX {
            let Some(key) = self.queue.pop_front() else {
                break;
            };
            // While a change of this object is in flight its answer brings the key back here.
            if self.busy.contains_key(&key) {
                continue;
            }
            let origin = self.have.get(&key).map(|have| have.origin);
            let op = OpId(self.next_op);
            let (change, step) = match (self.want.get(&key), origin) {
                (None, None) if self.doubtful.contains_key(&key) => {
                    (Change::Delete, Step::Delete { op, key })
                }
                (None, None | Some(Origin::Found)) => continue,
                (Some(_), Some(Origin::Ours)) if self.stale.contains(&key) => {
                    (Change::Delete, Step::Delete { op, key })
                }
                (Some(_), Some(Origin::Ours)) if !self.doubtful.contains_key(&key) => {
                    take(Step::There(key));
                    taken += 1;
                    continue;
                }
                // What was found, or whose deletion was not answered, is asked for all the same:
                // the picture may be stale, and EEXIST is an answer.
                (Some(value), None | Some(_)) => (Change::Add, Step::Add { op, key, value }),
                (None, Some(Origin::Ours)) => (Change::Delete, Step::Delete { op, key }),
            };
            if change == Change::Add {
                // It is asked for in its latest form.
                self.stale.remove(&key);
            }
            take(step);
            taken += 1;
            self.next_op += 1;
            self.in_flight.insert(
                op,
                InFlight {
                    key,
                    change,
                    echoed: false,
                    gone: false,
                    marked: false,
                },
            );
            self.busy.insert(key, op);
        }
        taken
    }

    /// Takes the kernel's answer to a change.
    pub fn done(&mut self, op: OpId, result: Result<(), Errno>) -> Outcome<K> {
        let Some(flight) = self.in_flight.remove(&op) else {
            return Outcome::Unknown;
        };
        let InFlight { key, change, .. } = flight;
        self.busy.remove(&key);
        let outcome = match (change, result) {
            (Change::Add, Err(Errno::ENOBUFS)) if flight.echoed && !flight.gone => {
                self.set_have(key, Origin::Ours);
                Outcome::Present { key, found: false }
            }
            // Whoever removed it, and whatever the answer: it is gone.
            (Change::Delete, Err(_)) if flight.gone => {
                self.have.remove(&key);
                Outcome::Absent(key)
            }
            (_, Err(Errno::ENOBUFS)) => self.lost(key, change),
            (Change::Add, _) => self.added(flight, result),
            (Change::Delete, _) => self.deleted(flight, result),
        };
        let lost = matches!(outcome, Outcome::Lost(_));
        if !lost && !matches!(outcome, Outcome::Failed { .. }) {
            self.doubtful.remove(&key);
        }
        if matches!(outcome, Outcome::Present { .. }) && self.stale.contains(&key) {
            // The wish changed its form on the way.
            self.queue.push_back(key);
        } else if !lost {
            // A removal that was refused is not tried again.
            self.stale.remove(&key);
        }
        // The wish may have changed while the change was under way. A refusal is not retried: what
        // was not added is still absent, what was not deleted still there.
        if lost || self.want.contains_key(&key) == (change == Change::Delete) {
            self.queue.push_back(key);
        }
        outcome
    }

    /// Nobody knows whether the change was made.
    fn lost(&mut self, key: K, change: Change) -> Outcome<K> {
        let times = self.doubtful.entry(key).or_default();
        *times = times.saturating_add(1);
        if *times <= ASK_AGAIN_MAX {
            return Outcome::Lost(key);
        }
        let errno = Errno::ENOBUFS;
        Outcome::Failed { key, change, errno }
    }

    fn added(&mut self, flight: InFlight<K>, result: Result<(), Errno>) -> Outcome<K> {
        let InFlight {
            key, echoed, gone, ..
        } = flight;
        match result {
            Ok(()) if echoed && gone => Outcome::Taken(key),
            Err(Errno::EEXIST) if gone => Outcome::Taken(key),
            Ok(()) => {
                self.set_have(key, Origin::Ours);
                self.owe(key, Change::Add, echoed);
                Outcome::Present { key, found: false }
            }
            Err(Errno::EEXIST) => {
                let ours = flight.marked
                    || self.doubtful.contains_key(&key)
                    || self
                        .have
                        .get(&key)
                        .is_some_and(|have| have.origin == Origin::Ours);
                self.set_have(key, if ours { Origin::Ours } else { Origin::Found });
                Outcome::Present { key, found: !ours }
            }
            Err(errno) => Outcome::Failed {
                key,
                change: Change::Add,
                errno,
            },
        }
    }

    fn deleted(&mut self, flight: InFlight<K>, result: Result<(), Errno>) -> Outcome<K> {
        let key = flight.key;
        match result {
            Ok(()) => {
                self.have.remove(&key);
                self.owe(key, Change::Delete, flight.echoed);
                Outcome::Absent(key)
            }
            Err(Errno::ESRCH | Errno::EADDRNOTAVAIL | Errno::ENODEV) => {
                self.have.remove(&key);
                Outcome::Absent(key)
            }
            Err(errno) => Outcome::Failed {
                key,
                change: Change::Delete,
                errno,
            },
        }
    }

    /// The event socket says that `key` is there, with our mark on it or without. The mark tells
    /// for sure whose it is, but not every kernel has one.
    pub fn on_present(&mut self, key: K, marked: bool) {
        let generation = self.generation;
        if let Some(have) = self.have.get_mut(&key) {
            have.generation = generation;
        }
        let marked = marked && self.known.contains(&key);
        self.marks |= marked;
        let may_be_ours = marked || !self.marks;
        // Events come in the order of the changes: echoes of what was answered are the older ones.
        if let Some(owed) = self.owed.get_mut(&key)
            && owed.adds > 0
        {
            if !may_be_ours {
                return;
            }
            owed.adds -= 1;
            let last = *owed == Owed::default();
            self.forget_settled_debt(key);
            if last {
                self.found(key, Origin::Ours);
            }
            return;
        }
        if let Some(flight) = self.flight_of(key) {
            flight.echoed |= flight.change == Change::Add && may_be_ours;
            flight.gone = false;
            flight.marked |= marked;
            if flight.change == Change::Add {
                return;
            }
        }
        let ours = self.doubtful.contains_key(&key) || marked;
        self.found(key, if ours { Origin::Ours } else { Origin::Found });
    }

    /// `key` is there. What is ours and wanted no longer is to go.
    fn found(&mut self, key: K, origin: Origin) {
        let generation = self.generation;
        let have = self.have.entry(key);
        have.or_insert(Have { origin, generation });
        if origin == Origin::Ours && !self.want.contains_key(&key) {
            self.queue.push_back(key);
        }
    }

    /// The event socket says that `key` is gone. True if that is drift: it is wanted, it was
    /// there, and we did not ask for its removal. While an addition is under way its answer
    /// decides ([`Outcome::Taken`]).
    pub fn on_absent(&mut self, key: K) -> bool {
        let owed = self.owed.get(&key).copied().unwrap_or_default();
        if owed.deletes > 0 {
            let deletes = owed.deletes - 1;
            self.owed.insert(key, Owed { deletes, ..owed });
            self.forget_settled_debt(key);
        }
        if owed.adds > 0 {
            // It is older than our addition, of which we shall still hear: the object is back.
            return false;
        }
        match self.flight_of(key) {
            // Our own deletion, older than what is under way.
            Some(_) if owed.deletes > 0 => return false,
            Some(flight) => {
                flight.echoed |= flight.change == Change::Delete;
                flight.gone = true;
                if flight.change == Change::Add {
                    self.have.remove(&key);
                }
                return false;
            }
            None => {}
        }
        self.have.remove(&key).is_some() && self.want.contains_key(&key)
    }

    /// Forgets objects of which `gone` is true without asking the kernel: their interface has
    /// vanished. Queued and wanted keys go too.
    pub fn forget(&mut self, gone: impl Fn(&K) -> bool) {
        self.want.retain(|key, _| !gone(key));
        self.have.retain(|key, _| !gone(key));
        self.owed.retain(|key, _| !gone(key));
        self.doubtful.retain(|key, _| !gone(key));
        self.stale.retain(|key| !gone(key));
        self.known.retain(|key| !gone(key));
        self.queue.retain(|key| !gone(key));
    }

    /// A whole picture begins. Echoes that were lost must not be waited for.
    pub fn on_dump_start(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        self.owed.clear();
    }

    /// The whole picture is complete: returns the wanted objects that were there and that it did
    /// not show. What differs otherwise, after a change that failed, is asked for again.
    pub fn on_dump_end(&mut self) -> Vec<K> {
        let now = self.generation;
        for flight in self.in_flight.values_mut() {
            let seen = self.have.get(&flight.key);
            let seen = seen.is_some_and(|have| have.generation == now);
            // Whoever removed it, if the answer says that it was not our removal.
            flight.gone |= flight.change == Change::Delete && !seen;
        }
        let unseen: BTreeSet<K> = self
            .have
            .iter()
            .filter(|(key, have)| have.generation != now && !self.busy.contains_key(key))
            .map(|(key, _)| *key)
            .collect();
        for key in &unseen {
            self.have.remove(key);
        }
        let waiting: BTreeSet<K> = self.queue.iter().copied().collect();
        let missing = self.want.keys().filter(|key| !self.have.contains_key(key));
        let ours = self
            .have
            .iter()
            .filter(|(key, have)| have.origin == Origin::Ours && !self.want.contains_key(key));
        let differing = missing.chain(ours.map(|(key, _)| key)).filter(|key| {
            !unseen.contains(key) && !waiting.contains(key) && !self.busy.contains_key(key)
        });
        self.queue.extend(differing);
        unseen
            .into_iter()
            .filter(|key| self.want.contains_key(key))
            .collect()
    }

    fn set_have(&mut self, key: K, origin: Origin) {
        self.have.insert(
            key,
            Have {
                origin,
                generation: self.generation,
            },
        );
    }

    fn owe(&mut self, key: K, change: Change, echoed: bool) {
        if echoed {
            return;
        }
        let owed = self.owed.entry(key).or_default();
        match change {
            Change::Add => owed.adds += 1,
            Change::Delete => owed.deletes += 1,
        }
    }

    fn forget_settled_debt(&mut self, key: K) {
        if self.owed.get(&key) == Some(&Owed::default()) {
            self.owed.remove(&key);
        }
    }

    fn flight_of(&mut self, key: K) -> Option<&mut InFlight<K>> {
        let op = self.busy.get(&key)?;
        self.in_flight.get_mut(op)
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
