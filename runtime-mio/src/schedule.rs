//! How a child process runs: priority, CPUs, memory, and what it does when it runs late.

use std::io;

use relevo_core::config::{ChildProcess, Processes};
use relevo_core::time::{Duration, Instant};

use crate::clock;
use crate::sys::{limits, scheduling};

/// Into so many parts the limit of computing time is cut, and after each there is a pause.
const LIMIT_PARTS: u64 = 8;

/// Warnings about the same thing come no more often.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// The scheduling of this process, and when to raise it.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// The word's beginning, for messages: `vrrp`.
    kind: &'static str,
    /// The real-time priority that the process has now; 0 for none.
    priority: u8,
    /// It is raised up to this; 0 for never.
    highest: u8,
    /// So late a timer must be for that.
    late: Duration,
    longest: Duration,
    /// When it last slept for the sake of the limit.
    rested: Instant,
    warned: Option<Instant>,
}

/// What threads to come shall inherit: CPUs and nice value. To be called before any is started.
/// Nothing depends on it, so what cannot be done is only told.
pub(crate) fn before_threads(kind: &'static str, words: &ChildProcess) {
    if !words.cpus.is_empty() {
        let set = scheduling::set_cpus(&words.cpus);
        tell(&format!("{kind}_cpu_affinity"), set);
    }
    if let Some(nice) = words.nice {
        tell(&format!("{kind}_priority"), scheduling::set_nice(nice));
    }
}

impl Schedule {
    /// Applies the rest to the calling thread, the one that the loop runs on; the writer of the log
    /// stays an ordinary thread.
    pub(crate) fn apply(kind: &'static str, words: &ChildProcess, all: &Processes) -> Self {
        if words.no_swap {
            tell(&format!("{kind}_no_swap"), scheduling::lock_memory());
        }
        let mut schedule = Self {
            kind,
            priority: 0,
            highest: all.max_auto_priority.unwrap_or(0),
            late: all.min_auto_priority_delay,
            longest: words.rlimit_rttime,
            rested: Instant::ZERO,
            warned: None,
        };
        if let Some(priority) = words.rt_priority {
            tell(&format!("{kind}_rt_priority"), schedule.set(priority));
        }
        schedule
    }

    fn set(&mut self, priority: u8) -> io::Result<()> {
        if self.priority == 0 {
            // Before the priority: a process that computes without end must not stop the host.
            limits::set_real_time(self.longest)?;
        }
        scheduling::set_real_time(priority)?;
        self.priority = priority;
        Ok(())
    }

    /// A timer was acted on `late`: up by one, if the configuration allows it.
    pub(crate) fn on_late(&mut self, late: Duration) {
        if late < self.late || self.priority >= self.highest {
            return;
        }
        let next = self.priority + 1;
        match self.set(next) {
            Ok(()) => log::info!(
                "A timer was {} ms late: real-time priority {next} from now on",
                late.as_micros() / 1_000
            ),
            Err(error) => {
                // It would fail again.
                self.highest = 0;
                tell("max_auto_priority", Err(error));
            }
        }
    }

    /// At the end of a turn of the loop. The kernel counts the time since the process last slept, and
    /// under a flood of work the loop never sleeps; a moment of it starts the count anew, so that
    /// the limit catches what it is for: a computation that never comes back to the loop.
    pub(crate) fn rest(&mut self) {
        if self.priority == 0 {
            return;
        }
        let often = Duration::from_micros(self.longest.as_micros() / LIMIT_PARTS);
        if clock::now() - self.rested >= often {
            crate::sys::nap(Duration::from_micros(1));
            self.rested = clock::now();
        }
    }

    /// SIGXCPU: the process has computed for half of the time that the limit allows.
    pub(crate) fn on_cpu_limit(&mut self) {
        let now = clock::now();
        if self.warned.is_some_and(|at| now - at < WARN_EVERY) {
            return;
        }
        self.warned = Some(now);
        let (kind, longest) = (self.kind, self.longest.as_micros());
        log::warn!(
            "This process has computed for half of {longest} us without a pause, after all of which \
             the kernel ends it: {kind}_rlimit_rttime may be too small"
        );
    }
}

fn tell(word: &str, result: io::Result<()>) {
    if let Err(error) = result {
        log::warn!("{word} cannot be had: {error}");
    }
}
