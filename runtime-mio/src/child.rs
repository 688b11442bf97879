//! The VRRP child: one machine in the one loop.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use relevo_core::config::bound::Bound;
use relevo_core::config::{Processes, start_exit_code};
use relevo_core::journal::Secrets;
use relevo_core::supervisor::Kind;
use relevo_core::time::Duration;
use relevo_core::vrrp::VrrpNode;

use crate::cli::Options;
use crate::exec::reload::Reloads;
use crate::exec::talk::Talk;
use crate::exec::vrrp::{Setup, VrrpExecutor};
use crate::logger::{self, Logger};
use crate::memory::Memory;
use crate::pidfile::{PidFile, Refused};
use crate::places::{Places, Process};
use crate::recorder::{self, Recorder};
use crate::schedule::{self, Schedule};
use crate::sys::signalfd::SignalFd;
use crate::sys::{limits, process};
use crate::{clock, configuration, daemon, exec, exit, namespace, parent};

/// This child.
const VRRP: Process = Process::Child(Kind::Vrrp);
/// Files that it may have to open at once: a few sockets for each of some thousand interfaces.
const OPEN_FILES: u64 = 16_384;

/// How the hidden word of a child begins.
const WORD: &str = "--relevo-child=";

/// What the parent hands to a child, in a hidden word.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Inheritance {
    /// What the child shall do.
    pub(crate) kind: Kind,
    /// The descriptor of the configuration's text.
    pub(crate) text: RawFd,
    /// The descriptor of the socket to the parent.
    pub(crate) parent: RawFd,
    /// The descriptor of the memory for the child's record, if it shall keep one.
    pub(crate) memory: Option<RawFd>,
    /// The child may go on where the record of its predecessor ends.
    pub(crate) resume: bool,
    /// The configuration was read again since the daemon started: it does not start now.
    pub(crate) reloaded: bool,
}

impl Inheritance {
    /// The word that stands for it.
    pub(crate) fn to_word(self) -> OsString {
        let kind = match self.kind {
            Kind::Checkers => "checkers",
            Kind::Vrrp => "vrrp",
            Kind::Bfd => "bfd",
        };
        let memory = self
            .memory
            .map_or(String::new(), |fd| format!(",memory={fd}"));
        let resume = if self.resume { ",resume" } else { "" };
        let reloaded = if self.reloaded { ",reloaded" } else { "" };
        let (text, parent) = (self.text, self.parent);
        format!("{WORD}{kind},{text},{parent}{memory}{resume}{reloaded}").into()
    }

    /// Reads the word; `None` if it is an ordinary word of the command line.
    pub(crate) fn from_word(word: &OsStr) -> Option<Self> {
        let mut parts = word.to_str()?.strip_prefix(WORD)?.split(',');
        let kind = match parts.next()? {
            "checkers" => Kind::Checkers,
            "vrrp" => Kind::Vrrp,
            "bfd" => Kind::Bfd,
            _ => return None,
        };
        let mut read = Self {
            kind,
            text: parts.next()?.parse().ok()?,
            parent: parts.next()?.parse().ok()?,
            memory: None,
            resume: false,
            reloaded: false,
        };
        for part in parts {
            match part {
                "resume" => read.resume = true,
                "reloaded" => read.reloaded = true,
                other => read.memory = Some(other.strip_prefix("memory=")?.parse().ok()?),
            }
        }
        let memory = read.memory.unwrap_or(RawFd::MAX);
        let all = [read.text, read.parent, memory];
        let distinct = all[0] != all[1] && all[1] != all[2] && all[0] != all[2];
        (distinct && all.iter().all(|fd| *fd >= 0)).then_some(read)
    }
}

/// The variable with the hidden word.
const CHILD: &str = "RELEVO_CHILD";
/// The variable with the full name of the configuration file.
const CONFIG_FILE: &str = "RELEVO_CONFIG_FILE";
/// The variable with the full name of the child's pid file, where one was asked for.
const PID_FILE: &str = "RELEVO_PID_FILE";

/// What a child is called with. Its words are the parent's, as in the original: whoever looks for
/// the daemon by its command line finds all of its processes. The rest stands in the environment.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The parent's words.
    pub(crate) words: Vec<OsString>,
    /// The files by their full names.
    pub(crate) files: Files,
}

impl Call {
    /// What is added to the child's environment.
    pub(crate) fn variables(&self, inheritance: Inheritance) -> Vec<(&'static str, OsString)> {
        let mut variables = vec![
            (CHILD, inheritance.to_word()),
            (CONFIG_FILE, self.files.config.clone().into_os_string()),
        ];
        let pid = self.files.pid.clone();
        variables.extend(pid.map(|file| (PID_FILE, file.into_os_string())));
        variables
    }
}

/// Names of files that the words may have only relative to a directory that was left.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Files {
    /// The configuration file.
    pub(crate) config: PathBuf,
    /// `-r`.
    pub(crate) pid: Option<PathBuf>,
}

impl Files {
    /// Puts them in the place of what the words say.
    pub(crate) fn apply(self, options: &mut Options) {
        options.config_file = self.config;
        options.vrrp_pid_file = self.pid;
    }
}

/// What the parent wants of this process, if it was started by one. To be called before any thread
/// is started.
pub(crate) fn summons() -> Option<(Inheritance, Files)> {
    let word = process::take_variable(CHILD)?;
    let config = process::take_variable(CONFIG_FILE)?.into();
    let pid = process::take_variable(PID_FILE).map(PathBuf::from);
    Some((Inheritance::from_word(&word)?, Files { config, pid }))
}

/// The signals that a child heeds: the parent's, and SIGXCPU, which comes before the kernel ends a
/// process with a real-time priority for computing too long.
pub(crate) fn signals() -> [i32; 9] {
    let [a, b, c, d, e, f, g, h] = exec::supervisor::signals();
    [a, b, c, d, e, f, g, h, libc::SIGXCPU]
}

/// The whole life of the child; returns its exit code.
pub(crate) fn run(inheritance: Inheritance, options: &Options) -> u8 {
    // Blocked since before exec, and so for every thread to come.
    let signals = SignalFd::new(&signals());
    let mut logger = logger::install(logger::Settings {
        identity: Places::default().identity(VRRP),
        console: options.console,
        syslog: (!options.no_syslog).then_some(options.facility),
        file: options
            .log_file
            .as_deref()
            .map(|path| own_name(path, "vrrp")),
        detail: options.detail,
    });
    let result = signals.and_then(|signals| {
        process::set_name(c"keepalived")?;
        vrrp(inheritance, options, signals, &mut logger)
    });
    let code = result.unwrap_or_else(|error| {
        // A namespace may forbid what the capabilities seemed to allow.
        let forbidden = error.kind() == io::ErrorKind::PermissionDenied;
        let why = if forbidden {
            ": this network namespace forbids what it needs"
        } else {
            ""
        };
        logger.fatal(&format!("VRRP child process cannot go on{why}: {error}"));
        if forbidden {
            exit::PERMISSION
        } else {
            exit::FATAL
        }
    });
    logger.finish();
    code
}

fn vrrp(
    inheritance: Inheritance,
    options: &Options,
    signals: SignalFd,
    logger: &mut Logger,
) -> io::Result<u8> {
    if inheritance.kind != Kind::Vrrp {
        logger.fatal("This version has no such child process");
        return Ok(exit::FATAL);
    }
    let mut text = Vec::new();
    File::from(process::inherited(inheritance.text)?).read_to_end(&mut text)?;
    let parent = Talk::new(process::inherited(inheritance.parent)?);
    let read = configuration::from_bytes(&options.config_file, &text)?;
    drop(text);
    let namespace = namespace::wanted(options, &read.config)?;
    let loaded = read.bind_again()?;
    let processes = &loaded.bound.global.processes;
    let places = Places::new(processes, namespace.as_deref());
    settle(processes, &places, logger)?;
    // The parent has told everything already, unless the host has changed since.
    if let Some(code) = start_exit_code(&loaded.diagnostics) {
        for diagnostic in &loaded.diagnostics {
            logger.fatal(&diagnostic.to_string());
        }
        return Ok(code);
    }
    let pid_file = pid_file(options.vrrp_pid_file.as_deref(), &places);
    let bound = Arc::new(with_options(loaded.bound, options, inheritance));
    let processes = bound.global.processes.clone();
    let seed = processes
        .random_seed
        .map_or_else(seed, |seed| Ok(seed.into()))?;
    let memory = memory(inheritance.memory, bound.instances.len())?;
    let mut records = memory.as_ref().map(Memory::records).unwrap_or_default();
    if !inheritance.resume {
        records.give_up();
    }
    let now = clock::now();
    let node = VrrpNode::resume(Arc::clone(&bound), &records, seed, now);
    let mut node = Recorder::new(node, Secrets::of(&bound), seed, now);
    recorder::begin(!std::mem::take(&mut records).is_empty());
    let mut executor = VrrpExecutor::new(Setup {
        bound,
        signals: Some(signals.into_owned()),
        ignore_sigint: options.ignore_sigint,
        parent: Some(parent),
        memory,
    })?;
    executor.take_reloads(Reloads::new(&options.config_file));
    executor.set_facts(places.facts(parent::umask(options, &processes)));
    if options.address_monitoring {
        executor.tell_addresses();
    }
    if options.dump_conf {
        executor.tell_configuration();
    }
    // Last, so that what was needed to get here is locked too, and was not done in a hurry.
    executor.run_by(Schedule::apply("vrrp", &processes.vrrp, &processes));
    // A parent that is gone already shows when the loop looks at its socket.
    executor.say_ready();
    // Whatever ends the loop now, a successor may do better: it must at least tidy up.
    let code = daemon::run(&mut node, &mut executor).unwrap_or_else(|error| {
        log::error!("VRRP child process cannot go on: {error}");
        exit::PROGRAM
    });
    drop(pid_file);
    Ok(code)
}

/// What the command line adds to the configuration.
fn with_options(mut bound: Bound, options: &Options, inheritance: Inheritance) -> Bound {
    bound.global.release_vips = options.release_vips;
    bound.global.keep_vips = options.keep_vips;
    if inheritance.reloaded {
        bound.global.startup_delay = Duration::ZERO;
    }
    bound
}

/// Makes the process what its configuration says it should be, as far as that has to come before
/// the first thread; then starts that one, the writer of the log.
fn settle(processes: &Processes, places: &Places, logger: &mut Logger) -> io::Result<()> {
    if let Some(name) = &processes.vrrp.name {
        process::set_name(&CString::new(name.as_str())?)?;
    }
    if let Err(error) = limits::allow_open_files(OPEN_FILES) {
        log::warn!("No more than the usual number of files can be opened: {error}");
    }
    schedule::before_threads("vrrp", &processes.vrrp);
    logger.set_identity(places.identity(VRRP));
    logger.start()
}

/// What the parent keeps for the child; without it the child works, and leaves nothing behind.
fn memory(fd: Option<RawFd>, slots: usize) -> io::Result<Option<Memory>> {
    let Some(fd) = fd else { return Ok(None) };
    let file = File::from(process::inherited(fd)?);
    match Memory::map(file, slots) {
        Ok(memory) => Ok(Some(memory)),
        Err(error) => {
            log::warn!("What virtual routers do cannot be remembered: {error}");
            Ok(None)
        }
    }
}

/// The child's own pid file; nothing depends on it, so whatever is wrong with it is only told.
fn pid_file(wish: Option<&Path>, places: &Places) -> Option<PidFile> {
    let path = &wish.map_or_else(|| places.pid_file(VRRP), Path::to_owned);
    let written = PidFile::acquire(path).and_then(|mut file| {
        file.write(std::process::id())?;
        Ok(file)
    });
    match written {
        Ok(file) => Some(file),
        Err(Refused::Running(pid)) => {
            let pid = pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string());
            log::warn!(
                "{}: held by another process (pid {pid}): not written",
                path.display()
            );
            None
        }
        Err(Refused::Failed(error)) => {
            log::warn!("{}: {error}: no pid file", path.display());
            None
        }
    }
}

/// The name of a file for one of several processes: `/tmp/x.log` becomes `/tmp/x_vrrp.log`.
fn own_name(path: &Path, process: &str) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push("_");
    name.push(process);
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// A number that nobody can guess, for the machine's own generator.
/// A number that nobody can tell beforehand.
pub(crate) fn seed() -> io::Result<u64> {
    let mut seed = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    Ok(u64::from_ne_bytes(seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hidden_word_is_read_back() {
        let inheritance = Inheritance {
            kind: Kind::Vrrp,
            text: 7,
            parent: 9,
            memory: None,
            resume: false,
            reloaded: false,
        };
        for memory in [None, Some(0), Some(11)] {
            for (resume, reloaded) in [(false, false), (true, false), (false, true), (true, true)] {
                let inheritance = Inheritance {
                    memory,
                    resume,
                    reloaded,
                    ..inheritance
                };
                let word = inheritance.to_word();
                assert_eq!(Inheritance::from_word(&word), Some(inheritance), "{word:?}");
            }
        }
        let not_ours = [
            "-n",
            "--relevo-child",
            "--relevo-child=vrrp",
            "--relevo-child=vrrp,1",
        ];
        let wrong = [
            "--relevo-child=vrrp,3,4,5",
            "--relevo-child=vrrp,3,4,memory=x",
            "--relevo-child=vrrp,3,4,memory=4",
            "--relevo-child=x,3,4",
            "--relevo-child=vrrp,3,3",
            "--relevo-child=vrrp,3,-1",
            "--relevo-child=vrrp,3,4,memory=3",
            "--relevo-child=vrrp,3,4,memory=4",
            "--relevo-child=vrrp,3,4,memory=-1",
            "--relevo-child=vrrp,3,4,memory",
            "--relevo-child=vrrp,3,4,",
        ];
        for word in not_ours.iter().chain(&wrong) {
            assert_eq!(Inheritance::from_word(OsStr::new(word)), None, "{word}");
        }
    }

    #[test]
    fn each_process_has_a_log_file_of_its_own() {
        let name = |path: &str| own_name(Path::new(path), "vrrp");
        assert_eq!(
            name("/tmp/keepalived.log"),
            Path::new("/tmp/keepalived_vrrp.log")
        );
        assert_eq!(name("log"), Path::new("log_vrrp"));
        assert_eq!(name("/a.b/c"), Path::new("/a.b/c_vrrp"));
    }
}
