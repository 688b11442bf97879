//! The numbers that a kernel gives its interfaces: each time one is made it gets another.
//!
//! The world calls the interface of a segment by one number for ever (see [`crate::spec`]); what a
//! process hears and says is translated here, on its way.

use relevo_core::ids::IfIndex;
use relevo_core::kernel::{AddressKey, KernelOp};

use crate::kernel::{AddressRow, LinkRow, Told};
use crate::spec;

/// From one life of an interface to its next.
const STEP: u32 = 32;

/// Added to what is no interface's number any more: nothing in the world has a number so high.
const NOBODY: u32 = 1 << 24;

/// How often the interface of each segment has been made anew.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Numbers {
    lives: Vec<u32>,
}

impl Numbers {
    /// The interface is gone: the next one on its segment has another number.
    pub fn on_removed(&mut self, segment: usize) {
        if self.lives.len() <= segment {
            self.lives.resize(segment + 1, 0);
        }
        self.lives[segment] += 1;
    }

    fn life(&self, segment: usize) -> u32 {
        self.lives.get(segment).copied().unwrap_or(0)
    }

    /// What a process knows the interface by.
    pub fn outward(&self, ifindex: IfIndex) -> IfIndex {
        match spec::segment_of(ifindex) {
            Some(segment) => IfIndex(ifindex.0 + STEP * self.life(segment)),
            None => ifindex,
        }
    }

    /// The interface that a process means; one that nobody has if it is gone.
    pub fn inward(&self, ifindex: IfIndex) -> IfIndex {
        let segment = spec::segment_of(IfIndex(ifindex.0 % STEP));
        match segment.map(spec::ifindex) {
            Some(own) if self.outward(own) == ifindex => own,
            Some(_) | None => nobody(ifindex),
        }
    }

    /// What a process is told.
    pub fn told(&self, told: Told) -> Told {
        match told {
            Told::Link(link) => Told::Link(LinkRow {
                ifindex: self.outward(link.ifindex),
                ..link
            }),
            Told::LinkGone(ifindex) => Told::LinkGone(self.outward(ifindex)),
            Told::Address(row) => Told::Address(AddressRow {
                key: self.key(row.key),
                ..row
            }),
            Told::AddressGone(key) => Told::AddressGone(self.key(key)),
            Told::DumpStart
            | Told::DumpEnd
            | Told::Done(..)
            | Told::Socket(..)
            | Told::SendFailed(..)
            | Told::Stop
            | Told::Reload(_) => told,
        }
    }

    /// What a process asks for.
    pub fn asked(&self, change: &KernelOp) -> KernelOp {
        let inward = |key: &AddressKey| AddressKey {
            ifindex: self.inward(key.ifindex),
            ..*key
        };
        match change {
            KernelOp::AddAddress { key, attrs } => KernelOp::AddAddress {
                key: inward(key),
                attrs: attrs.clone(),
            },
            KernelOp::DelAddress { key } => KernelOp::DelAddress { key: inward(key) },
        }
    }

    fn key(&self, key: AddressKey) -> AddressKey {
        AddressKey {
            ifindex: self.outward(key.ifindex),
            ..key
        }
    }
}

/// A number that no interface has, for what was about one that is gone.
pub fn nobody(ifindex: IfIndex) -> IfIndex {
    IfIndex(ifindex.0 % NOBODY + NOBODY)
}

/// True if no interface has this number.
pub fn is_nobody(ifindex: IfIndex) -> bool {
    ifindex.0 >= NOBODY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_life_has_its_own_number() {
        let mut numbers = Numbers::default();
        let own = spec::ifindex(1);
        let first = numbers.outward(own);
        assert_eq!((first, numbers.inward(first)), (own, own));
        numbers.on_removed(1);
        let second = numbers.outward(own);
        assert_ne!(first, second);
        assert_eq!(numbers.inward(second), own);
        assert!(is_nobody(numbers.inward(first)));
        assert_eq!(numbers.outward(spec::ifindex(0)), spec::ifindex(0));
    }
}
