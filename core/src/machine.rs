//! What every machine of the core looks like from outside, and the buffer its effects go into.

use std::fmt::Debug;

use crate::time::Instant;

/// A pure state machine: events in, actions out, time as an argument.
///
/// Order of calls, for the runtime and the simulator alike:
///
/// 1. deliver an event with [`handle`](Self::handle), or, once [`next_timeout`](Self::next_timeout)
///    is not in the future, call [`handle_timeout`](Self::handle_timeout);
/// 2. carry out what was pushed into `out`, in its order, and clear it;
/// 3. if [`more`](Self::more) is true, deliver the machine's `Continue` event after the next look
///    at the sockets; else sleep until `next_timeout()`.
///
/// `now` never decreases from call to call. After `handle_timeout(now)`, `next_timeout()` is later
/// than `now` or `more()` is true. `out` is empty when a call begins.
pub trait Machine {
    /// What happened outside; borrows payload bytes, nothing is copied on receipt.
    type Event<'a>;
    /// What the runtime shall do.
    type Action;
    /// The reason that travels with a deadline, so that a busy or stuck loop explains itself.
    type Timer: Copy + Ord + Debug;

    /// Takes one event in.
    fn handle(&mut self, event: Self::Event<'_>, now: Instant, out: &mut Out<Self::Action>);

    /// Acts on every deadline that is not later than `now`.
    fn handle_timeout(&mut self, now: Instant, out: &mut Out<Self::Action>);

    /// The earliest deadline and what it is for.
    fn next_timeout(&self) -> Option<(Instant, Self::Timer)>;

    /// True if a packet that is already waiting could make a deadline that is due at `now` moot, so
    /// that the sockets are looked at once more before `handle_timeout`.
    fn packets_first(&self, now: Instant) -> bool {
        let _ = now;
        false
    }

    /// True while sliced work waits for a `Continue` event.
    fn more(&self) -> bool {
        false
    }

    /// True from a new configuration until everything that it asks for is done and answered.
    fn is_reloading(&self) -> bool {
        false
    }

    /// Appends what a successor needs to go on where this machine stands, versioned: an unknown
    /// version means a cold start.
    fn snapshot(&self, into: &mut Vec<u8>);
}

/// A range of the byte arena of an [`Out`].
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BytesRange {
    start: u32,
    end: u32,
}

impl BytesRange {
    /// Number of bytes.
    pub const fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// True if there is no byte.
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// The effects of one call in their total order, with the bytes of packets in one arena.
///
/// Owned and reused by the caller, so that the quiet path does not allocate.
#[derive(Clone, Debug)]
pub struct Out<A> {
    actions: Vec<A>,
    bytes: Vec<u8>,
}

impl<A> Default for Out<A> {
    fn default() -> Self {
        Self {
            actions: Vec::new(),
            bytes: Vec::new(),
        }
    }
}

impl<A> Out<A> {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an action.
    pub fn push(&mut self, action: A) {
        self.actions.push(action);
    }

    /// Lets `write` append bytes to the arena and returns where they are.
    pub fn write_bytes(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> BytesRange {
        let start = self.bytes.len();
        write(&mut self.bytes);
        assert!(self.bytes.len() >= start, "an arena only grows");
        BytesRange {
            start: start as u32,
            end: self.bytes.len() as u32,
        }
    }

    /// Appends a copy of `bytes` to the arena and returns where it is.
    pub fn copy_bytes(&mut self, bytes: &[u8]) -> BytesRange {
        self.write_bytes(|arena| arena.extend_from_slice(bytes))
    }

    /// The bytes of `range`.
    pub fn bytes(&self, range: BytesRange) -> &[u8] {
        &self.bytes[range.start as usize..range.end as usize]
    }

    /// The actions, in the order in which they are to be carried out.
    pub fn actions(&self) -> &[A] {
        &self.actions
    }

    /// Number of actions.
    pub fn len(&self) -> usize {
        self.actions.len()
    }

    /// True if nothing was pushed since the last [`clear`](Self::clear).
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.actions.clear();
        self.bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stay_readable_until_cleared() {
        let mut out = Out::new();
        let first = out.copy_bytes(b"abc");
        let second = out.write_bytes(|arena| arena.push(b'd'));
        out.push((first, second));
        assert_eq!(out.bytes(first), b"abc");
        assert_eq!(out.bytes(second), b"d");
        out.clear();
        assert!(out.is_empty());
        assert_eq!(out.copy_bytes(b"e").len(), 1);
    }
}
