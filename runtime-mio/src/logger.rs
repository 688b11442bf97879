//! Log lines through a bounded ring to a writer off the loop.
//!
//! Whoever logs puts one line into the ring and goes on: nothing that reads the log can hold the
//! protocol up, and none of it can hold the exit up either. A full ring drops what comes and
//! counts it; the count is told as soon as there is room.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::sys::localtime::{self, LocalTime};
use crate::syslog::{self, Facility, Syslog};

/// Lines that may wait for the writer.
const LINES: usize = 1024;
/// Octets of text that may wait for the writer.
const OCTETS: usize = 256 * 1024;
/// Octets of one line; the rest is cut off.
pub(crate) const LINE: usize = 4096;
/// How long an exit waits for the writer.
pub(crate) const EXIT_WAIT: Duration = Duration::from_millis(20);
/// A filter in env_logger's language (`debug`, `relevo_core=trace`), instead of `-D`.
const FILTER: &str = "RELEVO_LOG";

/// Where the lines of a process go.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The name in syslog, `Keepalived` or `Keepalived_vrrp`.
    pub(crate) identity: String,
    /// Lines to stderr.
    pub(crate) console: bool,
    /// Lines to syslog.
    pub(crate) syslog: Option<Facility>,
    /// Lines to this file.
    pub(crate) file: Option<PathBuf>,
    /// How often `-D` was given.
    pub(crate) detail: u8,
}

/// The log of this process: the ring, and the writer once it has been started.
#[derive(Debug)]
pub(crate) struct Logger {
    shared: Arc<Shared>,
    settings: Settings,
    started: bool,
}

/// Makes the `log` macros fill the ring. The writer must not be started before the process has
/// forked for the last time.
pub(crate) fn install(settings: Settings) -> Logger {
    let shared = Arc::new(Shared::default());
    let filter = filter(settings.detail, std::env::var(FILTER).ok().as_deref());
    log::set_max_level(filter.filter());
    let facade = Facade {
        shared: Arc::clone(&shared),
        filter,
    };
    // A second call would be a mistake of ours; the first logger then stays.
    let installed = log::set_boxed_logger(Box::new(facade));
    debug_assert!(installed.is_ok());
    // In the background nobody sees stderr: what a panic says belongs into the log.
    let last_words = Arc::clone(&shared);
    std::panic::set_hook(Box::new(move |panic| {
        log::error!("{panic}");
        last_words.wait_until_written(EXIT_WAIT);
    }));
    Logger {
        shared,
        settings,
        started: false,
    }
}

/// env_logger's filter; its own formatting and output are not used.
fn filter(detail: u8, wish: Option<&str>) -> env_logger::Logger {
    let mut builder = env_logger::Builder::new();
    // Libraries tell more than anybody wants to know, unless a wish names them.
    builder.filter_module("neli", LevelFilter::Warn);
    builder.filter_module("mio", LevelFilter::Warn);
    match wish {
        Some(wish) => builder.parse_filters(wish),
        None => {
            let level = match detail {
                0 => LevelFilter::Info,
                1 => LevelFilter::Debug,
                _ => LevelFilter::Trace,
            };
            builder.filter_level(level)
        }
    };
    builder.build()
}

impl Logger {
    /// Starts the writer.
    pub(crate) fn start(&mut self) -> io::Result<()> {
        if self.started {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        let mut sinks = Sinks::open(&self.settings);
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || shared.write_all(&mut |line| sinks.write(line)))?;
        self.started = true;
        Ok(())
    }

    /// Waits until everything is written, or for [`EXIT_WAIT`]; true if everything is written.
    pub(crate) fn finish(&mut self) -> bool {
        self.start().is_ok() && self.shared.wait_until_written(EXIT_WAIT)
    }

    /// Sets the name in syslog. To be called before the writer starts.
    pub(crate) fn set_identity(&mut self, identity: String) {
        debug_assert!(!self.started);
        self.settings.identity = identity;
    }

    /// True if the log goes to stderr.
    pub(crate) const fn on_console(&self) -> bool {
        self.settings.console
    }

    /// Tells why the process ends: in the log, and on stderr whether or not the log goes there.
    pub(crate) fn fatal(&self, text: &str) {
        log::error!("{text}");
        if !self.settings.console {
            _ = writeln!(io::stderr(), "{text}");
        }
    }
}

struct Facade {
    shared: Arc<Shared>,
    filter: env_logger::Logger,
}

impl Log for Facade {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.filter.matches(record) {
            self.shared
                .push(Line::new(record.level(), format_args!("{}", record.args())));
        }
    }

    fn flush(&self) {}
}

/// One line on its way to the writer.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Line {
    level: Level,
    unix_secs: i64,
    text: String,
}

impl Line {
    fn new(level: Level, text: std::fmt::Arguments<'_>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            level,
            unix_secs: now.map_or(0, |since| since.as_secs() as i64),
            text: one_line(&text.to_string()),
        }
    }

    /// RFC 3164's severities; details are informational, as the original's are.
    const fn severity(&self) -> u8 {
        match self.level {
            Level::Error => 3,
            Level::Warn => 4,
            Level::Info | Level::Debug => 6,
            Level::Trace => 7,
        }
    }
}

/// Names in a configuration may hold anything: no control character may forge a line or reach a
/// terminal, and no line may be endless.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(LINE));
    for letter in text.chars() {
        if line.len() + letter.len_utf8() > LINE {
            break;
        }
        line.push(if letter.is_control() { ' ' } else { letter });
    }
    line
}

#[derive(Debug, Default)]
struct Shared {
    ring: Mutex<Ring>,
    /// A line came in.
    filled: Condvar,
    /// The last line has been written.
    written: Condvar,
}

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<Line>,
    octets: usize,
    /// Lines that found no room since the last report.
    dropped: u64,
    /// The writer is busy with a line that it has taken out.
    busy: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Ring> {
        // A panic elsewhere must not silence the log.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: Line) {
        let mut ring = self.lock();
        if ring.lines.len() >= LINES || ring.octets + line.text.len() > OCTETS {
            ring.dropped += 1;
            return;
        }
        ring.octets += line.text.len();
        ring.lines.push_back(line);
        drop(ring);
        self.filled.notify_one();
    }

    /// The writer's whole life.
    fn write_all(&self, write: &mut dyn FnMut(&Line)) {
        loop {
            let line = self.take();
            write(&line);
        }
    }

    /// The next line, once there is one; a report of dropped lines when the ring has run empty.
    fn take(&self) -> Line {
        let mut ring = self.lock();
        ring.busy = false;
        loop {
            if let Some(line) = ring.lines.pop_front() {
                ring.octets -= line.text.len();
                ring.busy = true;
                return line;
            }
            if ring.dropped > 0 {
                let dropped = std::mem::take(&mut ring.dropped);
                ring.busy = true;
                let text = format_args!("{dropped} log lines were dropped: they came too fast");
                return Line::new(Level::Warn, text);
            }
            self.written.notify_all();
            ring = self
                .filled
                .wait(ring)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn wait_until_written(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let mut ring = self.lock();
        while ring.busy || ring.dropped > 0 || !ring.lines.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.written.wait_timeout(ring, left);
            ring = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// What the writer writes to.
struct Sinks {
    /// A descriptor of its own: the lock of `std::io::stderr` must not be held by a hung write.
    console: Option<File>,
    syslog: Option<Syslog>,
    file: Option<File>,
}

impl Sinks {
    fn open(settings: &Settings) -> Self {
        let pid = std::process::id();
        let syslog =
            |facility| Syslog::new(syslog::SOCKET.as_ref(), facility, &settings.identity, pid);
        Self {
            console: settings
                .console
                .then(crate::sys::process::own_stderr)
                .flatten(),
            syslog: settings.syslog.map(syslog),
            file: settings
                .file
                .as_ref()
                .and_then(|path| match open_log_file(path) {
                    Ok(file) => Some(file),
                    Err(error) => {
                        log::warn!("{}: no log file: {error}", path.display());
                        None
                    }
                }),
        }
    }

    /// A sink that fails loses the line; syslog counts its own, and tells when it is back.
    fn write(&mut self, line: &Line) {
        let time = localtime::from_unix(line.unix_secs);
        if self.console.is_some() || self.file.is_some() {
            let text = format!("{}: {}\n", ctime(&time), line.text);
            for file in [&mut self.console, &mut self.file].into_iter().flatten() {
                _ = file.write_all(text.as_bytes());
            }
        }
        if let Some(syslog) = &mut self.syslog {
            syslog.send(line.severity(), &stamp(&time), &line.text);
        }
    }
}

/// Opens the log file for appending; a planted symbolic link is not followed, and a FIFO neither
/// waited for nor written to.
fn open_log_file(path: &std::path::Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `Nov  2 01:02:03`, as in syslog.
fn stamp(time: &LocalTime) -> String {
    let month = MONTHS.get(time.month as usize).unwrap_or(&"???");
    let LocalTime {
        day,
        hour,
        minute,
        second,
        ..
    } = time;
    format!("{month} {day:>2} {hour:02}:{minute:02}:{second:02}")
}

/// `Mon Nov  2 01:02:03 2026`, as ctime(3).
fn ctime(time: &LocalTime) -> String {
    let day = DAYS.get(time.weekday as usize).unwrap_or(&"???");
    format!("{day} {} {}", stamp(time), time.year)
}

#[cfg(test)]
mod tests;
