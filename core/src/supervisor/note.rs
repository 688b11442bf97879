//! What the supervisor tells the operator, and its text.

use std::fmt;

use crate::ids::Errno;
use crate::time::Duration;

use super::{Exit, Kind};

/// One piece of news; `Display` is its log line. The lines `Starting .. child process, pid=N`,
/// `Startup complete`, `Reload complete` and `Stopping` are the original's, as programs match them.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum SupervisorNote {
    /// The configuration gives no child anything to do.
    NothingToDo,
    /// A child runs.
    Started {
        /// What it does.
        kind: Kind,
        /// Its process number.
        pid: u32,
    },
    /// A child could not be started.
    StartFailed {
        /// Which.
        kind: Kind,
        /// Why.
        errno: Errno,
    },
    /// Every child is ready for the first time.
    StartupComplete,
    /// The configuration is read again.
    Reloading,
    /// The new configuration is unusable; the old one stays in force.
    ReloadRefused,
    /// Every child is ready with the new configuration.
    ReloadComplete,
    /// A child died by accident.
    Died {
        /// Which.
        kind: Kind,
        /// Its process number.
        pid: u32,
        /// How.
        exit: Exit,
        /// True if there will be another.
        respawn: bool,
    },
    /// A child ended with a code that says another one would fare no better.
    Permanent {
        /// Which.
        kind: Kind,
        /// Its process number.
        pid: u32,
        /// 1, 2 or 4.
        code: u8,
    },
    /// A child that died soon is not started again at once.
    RestartIn {
        /// Which.
        kind: Kind,
        /// How long it takes.
        pause: Duration,
    },
    /// A child did not leave in time and was killed.
    Killed {
        /// Which.
        kind: Kind,
        /// How long it had been given.
        after: Duration,
    },
    /// A child did not answer and is killed.
    Hung {
        /// Which.
        kind: Kind,
        /// Its process number.
        pid: u32,
        /// How long it had been silent, at least.
        after: Duration,
    },
    /// A child was not ready in time and is killed.
    NeverReady {
        /// Which.
        kind: Kind,
        /// Its process number.
        pid: u32,
        /// How long it had been given.
        after: Duration,
    },
    /// A child could not take in the new configuration and keeps the old one.
    ReloadFailed {
        /// Which.
        kind: Kind,
    },
    /// A child is replaced so that the new configuration takes effect.
    Replaced {
        /// Which.
        kind: Kind,
    },
    /// The reload is over, but not every child has taken the new configuration in.
    ReloadIncomplete,
    /// A child that was asked to leave did so with an error.
    LeftBadly {
        /// Which.
        kind: Kind,
        /// How.
        exit: Exit,
    },
    /// The daemon ends: the children are asked to leave.
    Stopping,
    /// Every child is gone.
    Stopped,
}

impl SupervisorNote {
    /// True if something is wrong.
    pub const fn is_warning(&self) -> bool {
        match self {
            Self::NothingToDo
            | Self::StartFailed { .. }
            | Self::ReloadRefused
            | Self::Died { .. }
            | Self::Permanent { .. }
            | Self::RestartIn { .. }
            | Self::Killed { .. }
            | Self::Hung { .. }
            | Self::NeverReady { .. }
            | Self::ReloadFailed { .. }
            | Self::ReloadIncomplete
            | Self::LeftBadly { .. } => true,
            Self::Started { .. }
            | Self::StartupComplete
            | Self::Reloading
            | Self::ReloadComplete
            | Self::Replaced { .. }
            | Self::Stopping
            | Self::Stopped => false,
        }
    }
}

impl SupervisorNote {
    /// The lines about one child that did not do what it should.
    fn fmt_trouble(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Died {
                kind,
                pid,
                exit,
                respawn,
            } => {
                let then = if *respawn { "Respawning" } else { "Exiting" };
                let title = kind.title();
                write!(f, "{title} child process({pid}) died ({exit}): {then}")
            }
            Self::Permanent { kind, pid, code } => {
                let title = kind.title();
                let what = match code {
                    2 => "the configuration is unusable",
                    4 => "a permission is missing",
                    _ => "a fatal error",
                };
                write!(
                    f,
                    "{title} child process({pid}) cannot work: {what} (code {code})"
                )
            }
            Self::RestartIn { kind, pause } => {
                about(f, *kind, format_args!(" starts again in {pause} s"))
            }
            Self::Killed { kind, after } => {
                let what = format_args!(" did not leave within {after} s: killed");
                about(f, *kind, what)
            }
            Self::LeftBadly { kind, exit } => {
                about(f, *kind, format_args!(" left with an error ({exit})"))
            }
            Self::Hung { kind, pid, after } => {
                let what = format_args!("({pid}) has not answered for {after} s: killed");
                about(f, *kind, what)
            }
            Self::NeverReady { kind, pid, after } => {
                let what = format_args!("({pid}) was not ready within {after} s: killed");
                about(f, *kind, what)
            }
            Self::ReloadFailed { kind } => {
                let what = " could not take in the new configuration and goes on with the old one";
                about(f, *kind, format_args!("{what}"))
            }
            Self::Replaced { kind } => {
                let what = " is replaced to take in the new configuration";
                about(f, *kind, format_args!("{what}"))
            }
            Self::NothingToDo
            | Self::Started { .. }
            | Self::StartFailed { .. }
            | Self::StartupComplete
            | Self::Reloading
            | Self::ReloadRefused
            | Self::ReloadComplete
            | Self::ReloadIncomplete
            | Self::Stopping
            | Self::Stopped => Ok(()),
        }
    }
}

fn about(f: &mut fmt::Formatter<'_>, kind: Kind, what: fmt::Arguments<'_>) -> fmt::Result {
    write!(f, "{} child process{what}", kind.title())
}

impl fmt::Display for SupervisorNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingToDo => {
                f.write_str("The configuration gives nothing to do: no child is started")
            }
            Self::Started { kind, pid } => {
                write!(f, "Starting {} child process, pid={pid}", kind.title())
            }
            Self::StartFailed { kind, errno } => {
                let title = kind.title();
                write!(
                    f,
                    "{title} child process could not be started: errno {}",
                    errno.0
                )
            }
            Self::StartupComplete => f.write_str("Startup complete"),
            Self::Reloading => f.write_str("Reloading ..."),
            Self::ReloadRefused => f.write_str(
                "Reload refused: the new configuration has errors, the running one stays in force",
            ),
            Self::ReloadComplete => f.write_str("Reload complete"),
            Self::ReloadIncomplete => f.write_str(
                "Reload over, but not every child process works by the new configuration",
            ),
            Self::Died { .. }
            | Self::Permanent { .. }
            | Self::RestartIn { .. }
            | Self::Killed { .. }
            | Self::LeftBadly { .. }
            | Self::Hung { .. }
            | Self::NeverReady { .. }
            | Self::ReloadFailed { .. }
            | Self::Replaced { .. } => self.fmt_trouble(f),
            Self::Stopping => f.write_str("Stopping"),
            Self::Stopped => f.write_str("All child processes have left"),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}
