//! What the supervisor hears and what it wants done.

use crate::ids::{ChildId, Errno};

use super::{SupervisorNote, Terms};

/// The kinds of children, in the order in which they are started.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Health checks of real servers.
    Checkers,
    /// Address failover.
    Vrrp,
    /// Bidirectional forwarding detection.
    Bfd,
}

impl Kind {
    /// Every kind, in the order of starting.
    pub const ALL: [Self; 3] = [Self::Checkers, Self::Vrrp, Self::Bfd];

    pub(super) const fn index(self) -> usize {
        match self {
            Self::Checkers => 0,
            Self::Vrrp => 1,
            Self::Bfd => 2,
        }
    }

    /// Its name in log lines, as in `Starting VRRP child process`.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Checkers => "Healthcheck",
            Self::Vrrp => "VRRP",
            Self::Bfd => "BFD",
        }
    }
}

/// A set of [`Kind`]s.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Kinds {
    bits: u8,
}

impl Kinds {
    /// No kind.
    pub const NONE: Self = Self { bits: 0 };

    /// This set and `kind`.
    #[must_use]
    pub const fn with(self, kind: Kind) -> Self {
        Self {
            bits: self.bits | 1 << kind.index(),
        }
    }

    /// True if `kind` is in the set.
    pub const fn contains(self, kind: Kind) -> bool {
        self.bits & 1 << kind.index() != 0
    }

    /// True for [`Kinds::NONE`].
    pub const fn is_empty(self) -> bool {
        self.bits == 0
    }
}

/// How a child process ended.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Exit {
    /// By itself, with this code.
    Code(u8),
    /// By this signal.
    Signal(i32),
}

/// What happens around the supervisor.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum SupervisorEvent {
    /// The process is set up: start the children.
    Begin,
    /// The child asked for by [`SupervisorAction::Start`] runs.
    Started {
        /// Which.
        child: ChildId,
        /// Its process number.
        pid: u32,
    },
    /// The child could not be started.
    StartFailed {
        /// Which.
        child: ChildId,
        /// Why.
        errno: Errno,
    },
    /// The child has taken its configuration in and heeds signals.
    Ready {
        /// Which.
        child: ChildId,
    },
    /// The answer to [`SupervisorAction::Listen`]: everything that the child had said until now
    /// has been handed over.
    Listened {
        /// Which.
        child: ChildId,
        /// The number of the last hello that it has answered, of all it has.
        here: Option<u64>,
    },
    /// The child's answer to [`SupervisorAction::Reload`].
    Reloaded {
        /// Which.
        child: ChildId,
        /// The number of the reload.
        n: u64,
        /// What became of it.
        outcome: ReloadOutcome,
    },
    /// The child has ended and been reaped.
    Exited {
        /// Which.
        child: ChildId,
        /// How.
        exit: Exit,
    },
    /// The operator wants something.
    Command(SupervisorCommand),
    /// The answer to [`SupervisorAction::ReadConfig`].
    ConfigRead {
        /// What the new text says to the parent; `None` if the text is unusable and the old one
        /// stays in force.
        terms: Option<Terms>,
    },
}

/// What became of a reload in a child.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum ReloadOutcome {
    /// It works by the new text.
    Applied,
    /// It cannot take the text in while it runs: it is replaced.
    Restart,
    /// It goes on with its old text.
    Failed,
}

/// What the operator wants, by signal.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum SupervisorCommand {
    /// SIGTERM, SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
    /// Passed on to the children it concerns.
    Forward(ChildSignal),
}

/// What the parent can send to a child.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum ChildSignal {
    /// Leave in order (SIGTERM).
    Terminate,
    /// Die (SIGKILL).
    Kill,
    /// Dump the data (SIGUSR1).
    Data,
    /// Write the statistics (SIGUSR2).
    Stats,
    /// Write the statistics and zero them (SIGRTMAX - 1).
    StatsClear,
    /// Write the JSON file (SIGRTMIN + 2).
    Json,
    /// Write the journal of the last inputs (SIGRTMAX).
    Journal,
}

impl ChildSignal {
    /// True if it concerns every kind of child, false if only the VRRP child.
    pub(super) const fn is_for_all(self) -> bool {
        match self {
            Self::Terminate | Self::Kill | Self::Data => true,
            Self::Stats | Self::StatsClear | Self::Json | Self::Journal => false,
        }
    }
}

/// What the runtime shall do.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum SupervisorAction {
    /// Start a child with the configuration in force; answered by [`SupervisorEvent::Started`] or
    /// [`SupervisorEvent::StartFailed`].
    Start {
        /// Its number from now on.
        child: ChildId,
        /// What it does.
        kind: Kind,
        /// It may go on where the record of its predecessor ends.
        resume: bool,
    },
    /// Hand over everything that the child has said; answered by
    /// [`SupervisorEvent::Listened`] behind it.
    Listen {
        /// Which.
        child: ChildId,
    },
    /// Say hello; the child's own loop answers.
    Hello {
        /// Which.
        child: ChildId,
        /// The number, from 1, each one above the last.
        n: u64,
    },
    /// Hand the text in force to a child that runs; answered by [`SupervisorEvent::Reloaded`].
    Reload {
        /// Which.
        child: ChildId,
        /// The number of the reload.
        n: u64,
    },
    /// Tell the service manager's watchdog that all is well.
    Alive,
    /// Send a signal to a child.
    Signal {
        /// Which.
        child: ChildId,
        /// What.
        signal: ChildSignal,
    },
    /// Remove the addresses that a VRRP child has left in the kernel, without a child: none runs.
    LetGo,
    /// Read the configuration again; it comes into force if it is usable. Answered by
    /// [`SupervisorEvent::ConfigRead`].
    ReadConfig,
    /// Tell the operator.
    Note(SupervisorNote),
    /// The machine is done: leave with this code.
    Exit(u8),
}

/// What a deadline of the supervisor is for.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SupervisorTimer {
    /// The pause after a death is over.
    Restart(Kind),
    /// The child was asked to leave and is still there.
    Kill(Kind),
    /// The child should be ready by now.
    Ready(Kind),
    /// The next hello, and a look for the answer to the last one.
    Hello(Kind),
    /// The child should have answered a reload by now.
    Reload(Kind),
    /// The service manager's watchdog wants to hear something.
    Watchdog,
}
