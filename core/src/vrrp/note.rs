//! What an operator is told, as data; rendered by [`crate::notify::text`].

use std::net::IpAddr;

use crate::ids::{Errno, IfIndex, InstanceId, SocketId};
use crate::kernel::AddressKey;
use crate::time::Duration;
use crate::vrrp::StateName;
use crate::vrrp::snapshot::RecordError;

/// How much a note matters.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// Something that should work does not. In the simulator an unexpected one fails the run.
    Error,
    /// Something that an operator will want to correct.
    Warning,
    /// A change of state and its cause.
    Info,
    /// Only with detailed logging (`-D`).
    Detail,
}

/// One thing to tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// An instance is in a new state. The line keeps the original's wording.
    Entering {
        /// Which instance.
        instance: InstanceId,
        /// The new state.
        state: StateName,
        /// The first state after start.
        initial: bool,
    },
    /// Why the next [`Note::Entering`] happens.
    Cause {
        /// Which instance.
        instance: InstanceId,
        /// The cause.
        cause: Cause,
    },
    /// A packet was discarded; told once per kind until the state or the master changes.
    Discarded {
        /// Which instance.
        instance: InstanceId,
        /// Who sent it.
        src: IpAddr,
        /// Why it was discarded.
        reason: Discard,
    },
    /// A packet that cannot be charged to an instance was discarded; told once per socket and kind.
    DiscardedUnknown {
        /// Where it arrived.
        socket: SocketId,
        /// Why it was discarded.
        reason: Discard,
    },
    /// What was discarded since the last such note: at most one a minute for each instance, and one at
    /// the end.
    DiscardedSum {
        /// Which instance; none for packets that could not be charged to one.
        instance: Option<InstanceId>,
        /// How many of each kind, in what time.
        discarded: Discarded,
    },
    /// A master heard a lower-priority advert and asserts itself.
    LowerPriorityMaster {
        /// Which instance.
        instance: InstanceId,
        /// Who sent it.
        src: IpAddr,
        /// The advert's priority.
        theirs: u8,
        /// Our effective priority.
        ours: u8,
    },
    /// A backup discards adverts of a lower-priority master until its timer fires.
    LowerPriorityHeard {
        /// Which instance.
        instance: InstanceId,
        /// Who sent it.
        src: IpAddr,
        /// The advert's priority.
        theirs: u8,
        /// Our effective priority.
        ours: u8,
    },
    /// The accepted advert lists other addresses than ours.
    AddressListDiffers {
        /// Which instance.
        instance: InstanceId,
        /// Who sent it.
        src: IpAddr,
    },
    /// The accepted v3 advert has another interval than ours.
    IntervalDiffers {
        /// Which instance.
        instance: InstanceId,
        /// Who sent it.
        src: IpAddr,
        /// Its interval.
        theirs: Duration,
        /// Our configured interval.
        ours: Duration,
    },
    /// A unicast peer makes its checksums in the other way than before, and so do we from now on.
    ChecksumLearned {
        /// Which instance.
        instance: InstanceId,
        /// Who sent it.
        src: IpAddr,
        /// True for the old way.
        old: bool,
    },
    /// Another router is configured as owner of the addresses too.
    TwoOwners {
        /// Which instance.
        instance: InstanceId,
        /// Who sent it.
        src: IpAddr,
    },
    /// For some time after the start nothing is heard and nothing is taken over.
    StartupDelay {
        /// How long.
        delay: Duration,
    },
    /// A wake-up came too late to trust: the master-down timer gets one more interval.
    Late {
        /// Which instance.
        instance: InstanceId,
        /// How late.
        by: Duration,
    },
    /// The master-down timer expired and packets were lost while it ran: it was put off once more.
    PacketsLost {
        /// Which instance.
        instance: InstanceId,
    },
    /// A master slept for longer than a backup waits: it sends its advert and announces again.
    Slept {
        /// Which instance.
        instance: InstanceId,
        /// How late its advert is.
        by: Duration,
    },
    /// The process goes on where its predecessor ended: no transition.
    Resumed {
        /// Which instance.
        instance: InstanceId,
        /// The state that it is in, as before.
        state: StateName,
        /// Master: how long ago the last advert left.
        silent: Option<Duration>,
    },
    /// The predecessor was master too long ago, or it cannot be one now: it starts anew.
    ResumedTooLate {
        /// Which instance.
        instance: InstanceId,
        /// How long ago its last advert left, if that is the reason.
        silent: Option<Duration>,
    },
    /// A record of a predecessor cannot be used: a virtual router may start anew.
    RecordRefused {
        /// Where it was kept.
        slot: u32,
        /// What is wrong with it.
        error: RecordError,
    },
    /// An address of a former run was found at start and is removed.
    Leftover {
        /// Which instance; none if it is not configured any more.
        instance: Option<InstanceId>,
        /// Which address.
        key: AddressKey,
    },
    /// The kernel refused a change of an address.
    AddressFailed {
        /// Which instance; none for a leftover or an address that nobody holds any more.
        instance: Option<InstanceId>,
        /// Which address.
        key: AddressKey,
        /// True for adding, false for deleting.
        adding: bool,
        /// Why.
        errno: Errno,
    },
    /// The address was there already; it is used, and not removed at leaving.
    AddressFound {
        /// Which instance.
        instance: InstanceId,
        /// Which address.
        key: AddressKey,
    },
    /// Another program deleted an address of a master.
    AddressTaken {
        /// Which instance.
        instance: InstanceId,
        /// Which address.
        key: AddressKey,
    },
    /// A condition of operation is not met any more, or is met again. Told only so often when it
    /// changes all the time.
    Condition {
        /// Which instance.
        instance: InstanceId,
        /// Which condition.
        fault: Fault,
        /// How long it was not met; none while it still is not.
        lasted: Option<Duration>,
        /// Changes before this one that were not told, because there were too many.
        untold: u32,
    },
    /// Something happened to an interface that an instance needs. The lines keep the original's
    /// wording.
    Interface {
        /// The first instance that needs it.
        instance: InstanceId,
        /// Which of its interfaces.
        device: Device,
        /// What happened.
        news: LinkNews,
    },
    /// A raw socket could not be opened.
    SocketFailed {
        /// Which instance.
        instance: InstanceId,
        /// On which interface.
        ifindex: IfIndex,
        /// Why.
        errno: Errno,
    },
    /// An advert could not be sent; told once for each mastership.
    SendFailed {
        /// Which instance.
        instance: InstanceId,
        /// To whom.
        dst: IpAddr,
        /// Why.
        errno: Errno,
    },
    /// Everything is given back; the process ends.
    Stopped,
}

/// Why an instance changes its state.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Cause {
    /// The daemon starts.
    Startup,
    /// It owns the addresses (priority 255).
    Owner,
    /// No advert for the master-down interval.
    MasterDown {
        /// The interval that has passed.
        after: Duration,
        /// The last master heard, if any.
        last_master: Option<IpAddr>,
    },
    /// The master let go (priority 0) and the skew time has passed.
    PriorityZero {
        /// Who let go.
        src: IpAddr,
    },
    /// An advert of higher priority.
    HigherPriority {
        /// Who sent it.
        src: IpAddr,
        /// Its priority.
        theirs: u8,
        /// Our effective priority.
        ours: u8,
    },
    /// An advert of equal priority from a higher address.
    HigherAddress {
        /// Who sent it.
        src: IpAddr,
        /// The priority of both.
        priority: u8,
    },
    /// A condition of operation is not met.
    Fault(Fault),
    /// The advert of a master came so late that a router of this priority has taken over meanwhile
    /// (`timer_expired_backup`).
    Slept {
        /// How late.
        by: Duration,
        /// The priority that is configured for this.
        priority: u8,
    },
    /// Every condition of operation is met again.
    Recovered,
    /// Another program deleted one of the addresses.
    AddressTaken {
        /// Which.
        key: AddressKey,
    },
}

/// Which interface of a virtual router.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Device {
    /// The one that its adverts go through.
    Own,
    /// The one that this address goes on: its position among all addresses, counted from 0; of
    /// several on one interface the first.
    OfAddress(u32),
}

/// What happened to an interface.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LinkNews {
    /// It is there now.
    Added,
    /// It is gone.
    Deleted,
    /// It has another name now.
    Renamed,
    /// It is up and has a carrier now.
    Up,
    /// It is down or without carrier now.
    Down,
}

/// A condition that keeps an instance from working. Of several the first in this order explains
/// most.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fault {
    /// The interface does not exist.
    InterfaceMissing(Device),
    /// The interface is not up.
    InterfaceDown(Device),
    /// The interface is up and has no carrier.
    NoCarrier(Device),
    /// The interface has no address that adverts could be sent from.
    NoSource,
    /// The only such address is still being checked for duplicates (IPv6).
    SourceTentative,
    /// Another host has the only such address too (IPv6).
    SourceDuplicate,
    /// The raw socket could not be opened at the last attempt.
    SocketFailed(Errno),
    /// The raw socket is being opened.
    NoSocket,
}

/// Why a packet was discarded; each has its own counter.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Discard {
    /// Not a whole IP datagram of protocol 112.
    IpHeader,
    /// Too short, too long, or of a length that does not fit its address count.
    Length,
    /// TTL or hop limit is not 255.
    Ttl,
    /// Another version than configured.
    Version,
    /// An authentication type that does not exist.
    AuthTypeUnknown,
    /// Another authentication type than configured.
    AuthTypeMismatch,
    /// Wrong password.
    AuthFailure,
    /// v2: another interval than ours.
    Interval,
    /// Not an advertisement.
    Type,
    /// Wrong checksum.
    Checksum,
    /// Multicast at a unicast instance, or the reverse.
    Destination,
    /// Not one of the configured peers.
    UnknownPeer,
    /// No instance has this virtual router identifier here.
    Vrid,
    /// Our own packet came back.
    Own,
    /// An owner that is configured to ignore adverts heard one.
    OwnerIgnores,
}

impl Discard {
    /// Every kind, in the order of [`Discard::index`].
    pub const ALL: [Self; 15] = [
        Self::IpHeader,
        Self::Length,
        Self::Ttl,
        Self::Version,
        Self::AuthTypeUnknown,
        Self::AuthTypeMismatch,
        Self::AuthFailure,
        Self::Interval,
        Self::Type,
        Self::Checksum,
        Self::Destination,
        Self::UnknownPeer,
        Self::Vrid,
        Self::Own,
        Self::OwnerIgnores,
    ];

    /// Position in a table of counters.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The bit that stands for this kind in a set.
    pub(crate) const fn bit(self) -> u32 {
        1 << self.index()
    }
}

/// Packets discarded in some time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Discarded {
    /// In what time.
    pub over: Duration,
    /// How many for each reason, by [`Discard::index`].
    pub counts: Box<[u64; Discard::ALL.len()]>,
}

impl Discarded {
    /// How many in all.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl Note {
    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Self::AddressFailed { .. } | Self::SocketFailed { .. } => Level::Error,
            Self::Discarded { .. }
            | Self::DiscardedUnknown { .. }
            | Self::AddressListDiffers { .. }
            | Self::IntervalDiffers { .. }
            | Self::TwoOwners { .. }
            | Self::Late { .. }
            | Self::PacketsLost { .. }
            | Self::Slept { .. }
            | Self::AddressTaken { .. }
            | Self::RecordRefused { .. }
            | Self::SendFailed { .. } => Level::Warning,
            Self::Entering { .. }
            | Self::Cause { .. }
            | Self::LowerPriorityMaster { .. }
            | Self::LowerPriorityHeard { .. }
            | Self::Leftover { .. }
            | Self::Resumed { .. }
            | Self::ResumedTooLate { .. }
            | Self::AddressFound { .. }
            | Self::ChecksumLearned { .. }
            | Self::StartupDelay { .. }
            | Self::Condition { .. }
            | Self::Interface { .. }
            | Self::Stopped => Level::Info,
            Self::DiscardedSum { .. } => Level::Detail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_discard_has_its_own_place() {
        for (index, kind) in Discard::ALL.into_iter().enumerate() {
            assert_eq!(kind.index(), index);
        }
    }
}
