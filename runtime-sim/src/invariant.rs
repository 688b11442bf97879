//! The promises: what must hold after every step, whatever the faults.
//!
//! The [checker](crate::checker) is fed facts of what happened and knows nothing of the world that made them, so
//! each promise can be tested with a history that breaks it.

use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;

use relevo_core::kernel::AddressKey;
use relevo_core::time::Instant;
use relevo_core::vrrp::StateName;

use crate::cluster::Cluster;

/// A promise of the machine.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Promise {
    /// A kernel holds a virtual address exactly when its instance is master.
    AddressIffMaster,
    /// Only a master sends adverts; priority 0 is sent once, on leaving.
    OnlyMastersAdvertise,
    /// A master that leaves without having heard a better one says so with priority 0.
    LetsGo,
    /// Two masters that hear each other do not stay two.
    OneMaster,
    /// A backup that hears a live master never takes over by mistake.
    NoMistake,
    /// A master that hears a better one yields at once.
    YieldsToBetter,
    /// A packet alone makes no master, and a worse one unmakes none.
    KeepsAgainstWorse,
    /// A bad packet touches nothing but a counter.
    BadPacketTouchesNothing,
    /// A master sends an advert every interval, and at once when it becomes one or is contradicted.
    MasterSpeaks,
    /// A backup that hears nothing takes over in time.
    BackupWakes,
    /// A host takes part exactly while its interface works.
    WorksWithItsInterface,
    /// Only an address that is held by a master is announced, and each of them is.
    AnnouncesWhatItHolds,
    /// After its timers, a machine waits for a later moment.
    TimerMovesOn,
    /// A call gives a bounded number of actions, an instant sees a bounded number of calls.
    BoundedWork,
    /// A daemon that dies as master and is back in time goes on as one.
    GoesOn,
    /// No error is reported that the world did not cause.
    NoUnexpectedError,
    /// A stopped daemon ends in time and leaves nothing behind.
    StopsClean,
    /// The same seed gives the same run.
    Deterministic,
    /// When all faults are gone, exactly the right host is master and holds the addresses.
    ElectsTheRightOne,
    /// When all faults are gone, every client reaches the master.
    ReachesClients,
    /// No input makes the machine panic.
    NoPanic,
    /// A parent kills no daemon that gets processor time, and finds one that gets none.
    KillsTheHung,
    /// While nobody runs, a host holds only what its next daemon may still go on with.
    WaitsEmptyHanded,
    /// The configuration in force, given again, leads to no action.
    SameIsNothing,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AddressIffMaster => "a kernel holds an address exactly when it is master",
            Self::OnlyMastersAdvertise => "only a master sends adverts",
            Self::LetsGo => "a master that leaves sends priority 0",
            Self::OneMaster => "two masters that hear each other do not stay two",
            Self::NoMistake => "a backup that hears a live master does not take over",
            Self::YieldsToBetter => "a master that hears a better one yields at once",
            Self::KeepsAgainstWorse => "a worse packet unmakes no master, and none makes one",
            Self::BadPacketTouchesNothing => "a bad packet touches nothing but a counter",
            Self::MasterSpeaks => "a master sends an advert every interval",
            Self::BackupWakes => "a backup that hears nothing takes over in time",
            Self::WorksWithItsInterface => "a host takes part exactly while its interface works",
            Self::AnnouncesWhatItHolds => "exactly what a master holds is announced",
            Self::TimerMovesOn => "after its timers a machine waits for a later moment",
            Self::BoundedWork => "calls and actions are bounded",
            Self::GoesOn => "a daemon that dies as master and is back in time goes on as one",
            Self::NoUnexpectedError => "no error without a cause",
            Self::KillsTheHung => "a parent kills a daemon that hangs, and no other",
            Self::WaitsEmptyHanded => "nothing is held through a pause that a peer does not wait",
            Self::StopsClean => "a stopped daemon ends in time and leaves nothing behind",
            Self::Deterministic => "the same seed gives the same run",
            Self::ElectsTheRightOne => "without faults the right host is master",
            Self::ReachesClients => "without faults every client reaches the master",
            Self::NoPanic => "no input makes the machine panic",
            Self::SameIsNothing => "a reload of the same configuration yields no action",
        })
    }
}

/// A broken promise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// When.
    pub at: Instant,
    /// Which promise.
    pub promise: Promise,
    /// What happened instead.
    pub text: String,
}

/// A packet that a machine was given, and what it did with it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Heard {
    /// The receiving member.
    pub to: usize,
    /// The sending member.
    pub from: usize,
    /// The priority it was sent with.
    pub priority: u8,
    /// No byte was changed on the way.
    pub intact: bool,
    /// The receiver's state before.
    pub was: StateName,
    /// The receiver's state after.
    pub is: StateName,
    /// The machine's next deadline is another one than before.
    pub timer_moved: bool,
}

/// Something that happened. Members and hosts are positions in the
/// [`Cluster`](crate::cluster::Cluster).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fact {
    /// A daemon starts.
    Started(usize),
    /// A daemon is gone, in whatever way.
    Ended(usize),
    /// What the daemon of a host has left to its successor is gone too.
    Forgotten(usize),
    /// A daemon gets no processor time.
    Frozen(usize),
    /// It gets some again.
    Thawed(usize),
    /// A socket of the daemon of this host lost packets for want of room, and the daemon knows.
    Overflowed(usize),
    /// A host works by another configuration from now on.
    Reconfigured {
        /// The whole cluster.
        cluster: Rc<Cluster>,
        /// Which host.
        host: usize,
    },
    /// A member changes its state.
    State {
        /// Which member.
        member: usize,
        /// From which state.
        from: StateName,
        /// To which state.
        to: StateName,
        /// Its interface and the source of its adverts are there.
        can_send: bool,
        /// It goes on where its predecessor ended: no transition.
        resumed: bool,
    },
    /// A member sends an advert.
    Sent {
        /// Which member.
        member: usize,
        /// To whom.
        dst: IpAddr,
        /// With which priority.
        priority: u8,
        /// Its state before the call that sent it.
        was: StateName,
        /// Its state after that call.
        is: StateName,
    },
    /// An advert of this member was not refused by its own kernel.
    Left(usize),
    /// A copy of `from`'s advert does not reach `to`, or not intact.
    Lost {
        /// The sender.
        from: usize,
        /// Who does not get it.
        to: usize,
    },
    /// What `from` sends now reaches `to`, or does not any more.
    Reach {
        /// The sender.
        from: usize,
        /// The receiver.
        to: usize,
        /// Whether it arrives.
        open: bool,
    },
    /// A machine was given a packet.
    Heard(Heard),
    /// The kernel and the machine of a member have nothing under way about an address.
    Settled {
        /// Which member.
        member: usize,
        /// Which address.
        key: AddressKey,
        /// Whether the kernel has it.
        held: bool,
    },
    /// A machine knows everything about a member's interface.
    Interface {
        /// Which member.
        member: usize,
        /// Frames pass.
        works: bool,
        /// Nothing else is missing either: the source address and the socket are there.
        complete: bool,
    },
    /// An announcement is sent.
    Announced {
        /// By which member.
        member: usize,
        /// Of which address.
        addr: IpAddr,
        /// Whether the kernel has it.
        held: bool,
    },
    /// A call ended.
    Called {
        /// Of which host's machine.
        host: usize,
        /// Number of actions it gave.
        actions: usize,
        /// It was a call for timers, and the next deadline is not in the future.
        stuck: bool,
        /// Number of calls in a row without any waiting.
        in_a_row: u32,
    },
    /// An error was reported which the world did not cause.
    Error {
        /// By which host.
        host: usize,
        /// In its words.
        text: String,
    },
}
