//! The table of deadlines: an indexed four-ary heap.
//!
//! Setting, moving and stopping a deadline costs the logarithm of their number and, once the table
//! has grown to its size, no allocation. Ties are broken by the key, so that the order of expiry
//! never depends on the order of setting.

use smallvec::SmallVec;

use crate::time::Instant;

/// A name for a deadline that also says where in a dense table it lives.
pub trait TimerKey: Copy + Ord {
    /// A number unique to this key, small and dense over all keys in use.
    fn slot(self) -> usize;
}

const ARITY: usize = 4;
const ABSENT: u32 = u32::MAX;

/// Deadlines by key: at most one for each.
#[derive(Clone, Debug)]
pub struct Timers<K> {
    heap: Vec<(Instant, K)>,
    position: Vec<u32>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self {
            heap: Vec::new(),
            position: Vec::new(),
        }
    }
}

impl<K: TimerKey> Timers<K> {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets or moves the deadline of `key`.
    pub fn set(&mut self, key: K, at: Instant) {
        let slot = key.slot();
        if slot >= self.position.len() {
            self.position.resize(slot + 1, ABSENT);
        }
        if self.position[slot] == ABSENT {
            self.heap.push((at, key));
            let last = self.heap.len() - 1;
            self.position[slot] = last as u32;
            self.sift_up(last);
        } else {
            let index = self.position[slot] as usize;
            assert!(self.heap[index].1 == key, "two timer keys share a slot");
            let before = self.heap[index].0;
            self.heap[index].0 = at;
            if at < before {
                self.sift_up(index);
            } else {
                self.sift_down(index);
            }
        }
    }

    /// Removes the deadline of `key`, if there is one: a stopped timer cannot fire.
    pub fn stop(&mut self, key: K) {
        let slot = key.slot();
        if let Some(&index) = self.position.get(slot)
            && index != ABSENT
        {
            self.remove(index as usize);
        }
    }

    /// The deadline of `key`.
    pub fn get(&self, key: K) -> Option<Instant> {
        let index = *self.position.get(key.slot())?;
        (index != ABSENT).then(|| self.heap[index as usize].0)
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<(Instant, K)> {
        self.heap.first().copied()
    }

    /// Takes the earliest deadline out if it is not later than `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<(Instant, K)> {
        let first = self.next().filter(|(at, _)| *at <= now)?;
        self.remove(0);
        Some(first)
    }

    /// True if a deadline that is due at `now` is one of those that `wanted` names. Looks only at
    /// what is due.
    pub fn any_due(&self, now: Instant, wanted: impl Fn(K) -> bool) -> bool {
        let mut waiting: SmallVec<[usize; 32]> = SmallVec::new();
        waiting.push(0);
        while let Some(index) = waiting.pop() {
            let Some(&(at, key)) = self.heap.get(index) else {
                continue;
            };
            if at > now {
                continue;
            }
            if wanted(key) {
                return true;
            }
            waiting.extend(index * ARITY + 1..=index * ARITY + ARITY);
        }
        false
    }

    /// Gives every deadline the key that `renamed` has for it, or stops it: for keys that are
    /// numbers in a table which was put in another order.
    pub fn rename(&mut self, renamed: impl Fn(K) -> Option<K>) {
        let before = std::mem::take(&mut self.heap);
        self.position.fill(ABSENT);
        for (at, key) in before {
            if let Some(key) = renamed(key) {
                self.set(key, at);
            }
        }
    }

    /// Number of deadlines.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// True if no deadline is set.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// All deadlines in order of expiry.
    pub fn sorted(&self) -> Vec<(Instant, K)> {
        let mut all = self.heap.clone();
        all.sort_unstable();
        all
    }

    fn remove(&mut self, index: usize) {
        let last = self.heap.len() - 1;
        self.swap(index, last);
        if let Some((_, key)) = self.heap.pop() {
            self.position[key.slot()] = ABSENT;
        }
        if index < self.heap.len() {
            self.sift_up(index);
            self.sift_down(index);
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.position[self.heap[a].1.slot()] = a as u32;
        self.position[self.heap[b].1.slot()] = b as u32;
    }

    fn sift_up(&mut self, mut index: usize) {
        while index > 0 {
            let parent = (index - 1) / ARITY;
            if self.heap[parent] <= self.heap[index] {
                break;
            }
            self.swap(parent, index);
            index = parent;
        }
    }

    fn sift_down(&mut self, mut index: usize) {
        loop {
            let first = index * ARITY + 1;
            let end = (first + ARITY).min(self.heap.len());
            let Some(least) = (first..end).min_by_key(|&child| self.heap[child]) else {
                break;
            };
            if self.heap[index] <= self.heap[least] {
                break;
            }
            self.swap(index, least);
            index = least;
        }
    }
}

/// Two tables are equal when they hold the same deadlines, however their heaps are laid out.
impl<K: TimerKey> PartialEq for Timers<K> {
    fn eq(&self, other: &Self) -> bool {
        self.sorted() == other.sorted()
    }
}

impl<K: TimerKey> Eq for Timers<K> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use std::collections::BTreeMap;

    impl TimerKey for u16 {
        fn slot(self) -> usize {
            self as usize
        }
    }

    #[test]
    fn ties_are_broken_by_the_key() {
        let mut timers = Timers::new();
        let at = Instant::from_micros(5);
        for key in [3u16, 1, 2] {
            timers.set(key, at);
        }
        let order: Vec<_> = std::iter::from_fn(|| timers.pop_due(at))
            .map(|(_, key)| key)
            .collect();
        assert_eq!(order, [1, 2, 3]);
    }

    #[test]
    fn nothing_is_due_before_its_time() {
        let mut timers = Timers::new();
        timers.set(1u16, Instant::from_micros(10));
        assert_eq!(timers.pop_due(Instant::from_micros(9)), None);
        timers.stop(1);
        assert_eq!(timers.pop_due(Instant::from_micros(10)), None);
    }

    #[test]
    fn deadlines_follow_their_keys_into_another_order() {
        let mut timers = Timers::new();
        for key in 0..10u16 {
            timers.set(key, Instant::from_micros(100 + u64::from(key)));
        }
        timers.rename(|key| (key != 3).then(|| 9 - key));
        assert_eq!(timers.len(), 9);
        assert_eq!(timers.get(9), Some(Instant::from_micros(100)));
        assert_eq!(timers.get(6), None);
        assert_eq!(timers.next(), Some((Instant::from_micros(100), 9)));
    }

    #[test]
    fn only_what_is_due_is_looked_at() {
        let mut timers = Timers::new();
        for key in 0..100u16 {
            timers.set(key, Instant::from_micros(u64::from(key)));
        }
        let now = Instant::from_micros(50);
        for key in 0..100 {
            assert_eq!(
                timers.any_due(now, |other| other == key),
                key <= 50,
                "{key}"
            );
        }
        assert!(!Timers::<u16>::new().any_due(now, |_| true));
    }

    #[test]
    fn agrees_with_a_sorted_map_over_random_operations() {
        let mut rng = Rng::new(7);
        let mut timers = Timers::new();
        let mut model: BTreeMap<u16, Instant> = BTreeMap::new();
        for step in 0..20_000u64 {
            let key = rng.below(200) as u16;
            match rng.below(3) {
                0 | 1 => {
                    let at = Instant::from_micros(step + rng.below(500));
                    timers.set(key, at);
                    model.insert(key, at);
                }
                _ => {
                    timers.stop(key);
                    model.remove(&key);
                }
            }
            let first = model.iter().map(|(key, at)| (*at, *key)).min();
            assert_eq!(timers.next(), first);
            if let Some((at, key)) = timers.pop_due(Instant::from_micros(step)) {
                assert_eq!(model.remove(&key), Some(at));
            }
            assert_eq!(timers.len(), model.len());
        }
    }
}
