//! The parent: checks everything before it touches anything, goes into the background, and
//! watches over its children.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use relevo_core::config::bound::Bound;
use relevo_core::config::{Diagnostic, Severity, check_exit_code, start_exit_code};
use relevo_core::status::data::Facts;
use relevo_core::supervisor::{Kind, Kinds, Settings, Supervisor, Terms};
use relevo_core::vrrp::plan::plan;

use crate::cli::{Options, Report};
use crate::configuration::{self, Loaded};
use crate::control::Control;
use crate::control::place::{self, Place};
use crate::diagnose::{self, Style};
use crate::dump::ParentDump;
use crate::exec::desk::Desk;
use crate::exec::report::{self, Findings};
use crate::exec::supervisor::{self, Planner, ReadConfig, SupervisorExecutor, Text};
use crate::logger::{self, Logger};
use crate::memory::{self, MemoryFile};
use crate::pidfile::{self, PidFile, Refused};
use crate::sys::process::Role;
use crate::sys::signalfd::SignalFd;
use crate::sys::{caps, memfd, process};
use crate::{clock, daemon, exit, options, sd_notify, version};

/// Owner only, unless `-u` says otherwise: dumps may hold passwords.
pub(crate) const UMASK: u32 = 0o177;

/// The exit code of a configuration test for a wrong value on the command line.
const TEST_ERROR: u8 = 5;

/// The reason why the daemon does not start: an exit code, and what to tell if it is not told yet.
struct Refusal {
    code: u8,
    text: Option<String>,
}

impl Refusal {
    fn new(code: u8, text: String) -> Self {
        let text = Some(text);
        Self { code, text }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::new(exit::FATAL, format!("Cannot go on: {error}"))
    }
}

/// `-t`: tells what is wrong with the configuration and returns the original's exit code.
pub(crate) fn test_configuration(options: &Options, report: &Report) -> u8 {
    let path = &options.config_file;
    let (text, code) = match configuration::load(path) {
        Ok(Loaded {
            text, diagnostics, ..
        }) => {
            let style = match report {
                Report::Stderr => Style::of_stderr(),
                Report::AppendTo(_) => Style::Plain,
            };
            let code = check_exit_code(&diagnostics);
            (diagnose::render(&text, &diagnostics, style), code)
        }
        // The original's code, which scripts may rely on; so the text has to make it plain.
        Err(error) => {
            let path = path.display();
            let text = format!("{path}: {error}: nothing was read, so NOTHING WAS CHECKED\n");
            (text, exit::NORMAL)
        }
    };
    let written = match report {
        Report::Stderr => Err(io::ErrorKind::Unsupported.into()),
        Report::AppendTo(_) if text.is_empty() => Ok(()),
        Report::AppendTo(file) => append(file, &text),
    };
    if written.is_err() {
        _ = io::stderr().write_all(text.as_bytes());
    }
    if options.wrong_value {
        code.max(TEST_ERROR)
    } else {
        code
    }
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(text.as_bytes())
}

/// The whole life of the daemon; returns its exit code.
pub(crate) fn run(mut options: Options, words: Vec<OsString>) -> u8 {
    process::set_umask(options.umask.unwrap_or(UMASK));
    process::wait_for_children();
    let mut logger = logger::install(logger::Settings {
        identity: "Keepalived",
        console: options.console,
        syslog: (!options.no_syslog).then_some(options.facility),
        file: options.log_file.clone(),
        detail: options.detail,
    });
    log::info!("Starting {}", version::SELF);
    let code = match prepare(&mut options, &logger) {
        Ok(prepared) => match watch(&options, words, prepared, &mut logger) {
            Ok(code) => code,
            Err(refusal) => refuse(&refusal, &logger),
        },
        Err(refusal) => refuse(&refusal, &logger),
    };
    log::info!("Stopped {}", version::SELF);
    logger.finish();
    code
}

fn refuse(refusal: &Refusal, logger: &Logger) -> u8 {
    if let Some(text) = &refusal.text {
        logger.fatal(text);
    }
    refusal.code
}

/// What is in hand once nothing can keep the daemon from starting any more.
struct Prepared {
    text: Text,
    diagnostics: Vec<Diagnostic>,
    pid_file: PidFile,
}

/// Everything that may keep the daemon from starting; nothing on the host is changed.
fn prepare(options: &mut Options, logger: &Logger) -> Result<Prepared, Refusal> {
    tell_ignored(options);
    if let Some(name) = &options.namespace {
        let name = name.to_string_lossy();
        // Running in the wrong one would take over addresses on the wrong network.
        let text = format!("Network namespace {name}: option -s is not built yet");
        return Err(Refusal::new(exit::FATAL, text));
    }
    // In the background the working directory is another one.
    options.config_file = std::path::absolute(&options.config_file)?;
    let files = [&mut options.pid_file, &mut options.vrrp_pid_file];
    for file in files.into_iter().flatten() {
        *file = std::path::absolute(&*file)?;
    }
    let path = &options.config_file;
    let loaded = configuration::load(path).map_err(|error| {
        let text = format!(
            "{}: {error}: no configuration, nothing is started",
            path.display()
        );
        Refusal::new(exit::NO_CONFIG, text)
    })?;
    log::info!("Configuration file {}", path.display());
    tell_diagnostics(&loaded, logger);
    if let Some(code) = start_exit_code(&loaded.diagnostics) {
        return Err(Refusal { code, text: None });
    }
    let wanted = wanted(options, &loaded.bound);
    if wanted.contains(Kind::Vrrp) {
        need_capabilities()?;
    }
    let file = memfd::sealed(loaded.text.as_bytes())?;
    let pid_file = pid_file(options)?;
    let terms = Terms::new(wanted, &loaded.bound);
    let global = loaded.bound.global;
    let text = Text {
        file,
        terms,
        global,
    };
    let diagnostics = loaded.diagnostics;
    Ok(Prepared {
        text,
        diagnostics,
        pid_file,
    })
}

/// Options that do nothing yet are named once.
fn tell_ignored(options: &Options) {
    for row in options::TABLE {
        if options.ignored.contains(&row.name)
            && let Some(what) = row.left_undone()
        {
            let long = row.long;
            log::warn!("Option --{long} would {what}: not built yet, so it is ignored");
        }
    }
}

/// Each finding as one line in the log; and on stderr, with its place in the text, where the log
/// does not go there.
fn tell_diagnostics(loaded: &Loaded, logger: &Logger) {
    for diagnostic in &loaded.diagnostics {
        log::log!(level(diagnostic), "{diagnostic}");
    }
    if !loaded.diagnostics.is_empty() && !logger.on_console() {
        let style = Style::of_stderr();
        let report = diagnose::render(&loaded.text, &loaded.diagnostics, style);
        _ = io::stderr().write_all(report.as_bytes());
    }
}

fn level(diagnostic: &Diagnostic) -> log::Level {
    match diagnostic.severity {
        Severity::Deprecated | Severity::Warning => log::Level::Warn,
        Severity::Error | Severity::Refused | Severity::Fatal => log::Level::Error,
    }
}

fn wanted(options: &Options, bound: &Bound) -> Kinds {
    // As in the original: both options together mean both kinds.
    let allowed = options.only_vrrp || !options.only_check;
    if allowed && (options.all || !bound.instances.is_empty()) {
        Kinds::NONE.with(Kind::Vrrp)
    } else {
        Kinds::NONE
    }
}

fn need_capabilities() -> Result<(), Refusal> {
    let missing = caps::missing()?;
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|capability| capability.name()).collect();
    let names = names.join(" and ");
    let text = format!("Missing permission: address failover needs {names} (run as root)");
    Err(Refusal::new(exit::PERMISSION, text))
}

fn pid_file(options: &Options) -> Result<PidFile, Refusal> {
    let default = PathBuf::from(pidfile::PARENT);
    let path = options.pid_file.as_ref().unwrap_or(&default);
    PidFile::acquire(path).map_err(|refused| match refused {
        Refused::Running(pid) => {
            let pid = pid.map_or_else(String::new, |pid| format!(", pid {pid}"));
            let text = format!("daemon is already running ({}{pid})", path.display());
            Refusal::new(exit::NORMAL, text)
        }
        Refused::Failed(error) => {
            let text = format!("{}: cannot write the pid file: {error}", path.display());
            Refusal::new(exit::FATAL, text)
        }
    })
}

/// What outlives the VRRP child. It can do without.
fn memory(options: &Options, wanted: Kinds) -> Option<MemoryFile> {
    if !wanted.contains(Kind::Vrrp) {
        return None;
    }
    let path = memory::path(options.vrrp_pid_file.as_deref());
    let opened = MemoryFile::open(&path);
    opened
        .inspect_err(|error| log::warn!("What virtual routers do is not remembered: {error}"))
        .ok()
}

/// Goes into the background and runs the loop until the last child has left.
fn watch(
    options: &Options,
    words: Vec<OsString>,
    prepared: Prepared,
    logger: &mut Logger,
) -> Result<u8, Refusal> {
    let Prepared {
        text,
        diagnostics,
        mut pid_file,
    } = prepared;
    if !options.dont_fork && process::daemonize()? == Role::Caller {
        // The daemon speaks for itself from now on, and the pid file is its.
        std::process::exit(i32::from(exit::NORMAL));
    }
    process::set_name(c"keepalived")?;
    let signals = SignalFd::new(&supervisor::signals())?;
    logger.start()?;
    pid_file.write(std::process::id())?;
    let memory = memory(options, text.terms.wanted);
    let mut machine = Supervisor::new(Settings {
        terms: text.terms,
        respawn: !options.dont_respawn,
        watchdog: sd_notify::watchdog_period(),
    });
    // The children get the daemon's own words, and before them the file by its full name.
    let mut child_words = vec![options.config_file.clone().into_os_string()];
    child_words.extend(words);
    if let Some(file) = &options.vrrp_pid_file
        && !child_words.iter().any(|word| word == "--")
    {
        // By its full name; the last one counts.
        child_words.extend(["-r".into(), file.clone().into_os_string()]);
    }
    let facts = Facts {
        umask: options.umask.unwrap_or(UMASK),
        ..Facts::default()
    };
    let findings = Findings::default();
    let mut executor = SupervisorExecutor::new(
        signals,
        options.ignore_sigint,
        child_words,
        text,
        memory,
        ParentDump::new(facts),
        read_config(options.clone(), diagnostics, Rc::clone(&findings)),
        (desk(options, findings)?, planner(options.clone())),
    );
    let code = daemon::run(&mut machine, &mut executor);
    if matches!(code, Ok(exit::NORMAL)) {
        executor.leave();
    }
    drop(pid_file);
    Ok(code?)
}

/// For SIGHUP: a new text comes into force if a start with it would succeed and it has no mistake
/// that the text in force does not have already.
fn read_config(options: Options, mut known: Vec<Diagnostic>, findings: Findings) -> ReadConfig {
    Box::new(move || {
        let path = &options.config_file;
        let loaded = match configuration::load(path) {
            Ok(loaded) => loaded,
            Err(error) => {
                log::error!("{}: {error}", path.display());
                findings.replace(format!("{}: {error}\n", path.display()));
                return None;
            }
        };
        let report = diagnose::render(&loaded.text, &loaded.diagnostics, Style::Plain);
        findings.replace(report);
        for diagnostic in &loaded.diagnostics {
            log::log!(level(diagnostic), "{diagnostic}");
        }
        if !may_replace(&known, &loaded.diagnostics) {
            return None;
        }
        match memfd::sealed(loaded.text.as_bytes()) {
            Ok(file) => {
                let terms = Terms::new(wanted(&options, &loaded.bound), &loaded.bound);
                known = loaded.diagnostics;
                let global = loaded.bound.global;
                Some(Text {
                    file,
                    terms,
                    global,
                })
            }
            Err(error) => {
                log::error!("The new configuration cannot be handed on: {error}");
                None
            }
        }
    })
}

/// True if a text in which `found` was found may replace one in which `known` was.
fn may_replace(known: &[Diagnostic], found: &[Diagnostic]) -> bool {
    let is_known = |found: &Diagnostic| {
        known
            .iter()
            .any(|old| (old.class, &old.message) == (found.class, &found.message))
    };
    start_exit_code(found).is_none()
        && found
            .iter()
            .all(|found| found.severity < Severity::Error || is_known(found))
}

/// The control socket is a convenience: without it the daemon runs all the same.
fn desk(options: &Options, findings: Findings) -> io::Result<Desk> {
    let path = place::wanted(None);
    let control = Place::take(&path).and_then(|place| Control::open(place, supervisor::DESK));
    let control = control
        .inspect_err(|error| log::warn!("No control socket {}: {error}", path.display()))
        .ok();
    let facts = report::Facts::new(options.config_file.clone(), findings, clock::now());
    Desk::new(control, facts, supervisor::DESK)
}

/// For `relevo reload --plan`: judged as a reload would be, and compared with the text in force.
fn planner(options: Options) -> Planner {
    Box::new(move |running| {
        let options = options.clone();
        Box::new(move || {
            let path = &options.config_file;
            let at_path = |error: io::Error| format!("{}: {error}\n", path.display());
            let mut text = Vec::new();
            let mut running = running;
            running.read_to_end(&mut text).map_err(at_path)?;
            let old = configuration::from_bytes(path, text).map_err(at_path)?;
            let new = configuration::load(path).map_err(at_path)?;
            let mut text = diagnose::render(&new.text, &new.diagnostics, Style::Plain);
            if !may_replace(&old.diagnostics, &new.diagnostics) {
                text.push_str(&format!("{}: would be refused\n", path.display()));
                return Err(text);
            }
            let plan = plan(&old.bound, &new.bound);
            for line in plan.lines() {
                text.push_str(&line);
                text.push('\n');
            }
            text.push_str(&plan.summary());
            text.push('\n');
            Ok(text)
        })
    })
}
