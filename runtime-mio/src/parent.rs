//! The parent: checks everything before it touches anything, goes into the background, and
//! watches over its children.

use std::ffi::{CString, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use relevo_core::config::bound::Bound;
use relevo_core::config::reloading::Reloading;
use relevo_core::config::source::Bundle;
use relevo_core::config::{
    Config, Diagnostic, Processes, Severity, check_exit_code, start_exit_code,
};
use relevo_core::supervisor::{Kind, Kinds, Settings, Supervisor, Terms};
use relevo_core::vrrp::plan::plan;

use crate::child::{Call, Files};
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
use crate::namespace::{self, OwnFiles};
use crate::pidfile::{PidFile, Refused};
use crate::places::{Places, Process};
use crate::reload_files::{self, Marked};
use crate::reload_time::Alarm;
use crate::sys::process::Role;
use crate::sys::signalfd::SignalFd;
use crate::sys::{caps, memfd, process};
use crate::{clock, core_dump, daemon, exit, options, sd_notify, version};

/// Owner only, unless `-u` says otherwise: dumps may hold passwords.
const UMASK: u32 = 0o177;

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
    let loaded = configuration::read(options).and_then(|read| {
        look_from(options, &read.config);
        read.bind()
    });
    let (text, code) = match loaded {
        Ok(Loaded {
            bundle,
            bound,
            diagnostics,
        }) => {
            let style = match report {
                Report::Stderr => Style::of_stderr(),
                Report::AppendTo(_) => Style::Plain,
            };
            let code = check_exit_code(&diagnostics);
            // The process ends: to free a hundred thousand values one by one takes its time.
            std::mem::forget(bound);
            (render(&bundle, &diagnostics, style), code)
        }
        // The original passes such a test, which lets a typing error through.
        Err(error) => {
            let path = options.config_file.display();
            let text = format!("{path}: {error}: nothing was read, so NOTHING WAS CHECKED\n");
            (text, exit::NO_CONFIG)
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

/// Looks at the interfaces of the namespace that the daemon would run in, if that can be done.
fn look_from(options: &Options, config: &Config) {
    let entered = match namespace::wanted(options, config) {
        Ok(None) => return,
        Ok(Some(name)) => namespace::enter_network(&name),
        Err(error) => Err(error),
    };
    if let Err(error) = entered {
        let text = format!(
            "The network namespace cannot be entered ({error}): interfaces are looked up outside\n"
        );
        _ = io::stderr().write_all(text.as_bytes());
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
    // As process 1 of a container it would not get a signal that nobody waits for.
    let signals = SignalFd::new(&supervisor::own_signals());
    let mut logger = logger::install(logger::Settings {
        identity: Places::default().identity(Process::Parent),
        console: options.console,
        syslog: (!options.no_syslog).then_some(options.facility),
        file: options.log_file.clone(),
        detail: options.detail,
    });
    log::info!("Starting {}", version::SELF);
    let foreign_pattern = core_dump::prepare(&options);
    let code = match prepare(&mut options, &logger) {
        Ok(prepared) => {
            let watched = signals
                .map_err(Refusal::from)
                .and_then(|signals| watch(&options, words, prepared, signals, &mut logger));
            watched.unwrap_or_else(|refusal| refuse(&refusal, &logger))
        }
        Err(refusal) => refuse(&refusal, &logger),
    };
    drop(foreign_pattern);
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
    processes: Processes,
    places: Places,
    pid_file: PidFile,
    own_files: Option<OwnFiles>,
}

/// Everything that may keep the daemon from starting; nothing on the host is changed.
fn prepare(options: &mut Options, logger: &Logger) -> Result<Prepared, Refusal> {
    tell_ignored(options);
    // In the background the working directory is another one.
    options.config_file = std::path::absolute(&options.config_file)?;
    let files = [&mut options.pid_file, &mut options.vrrp_pid_file];
    for file in files.into_iter().flatten() {
        *file = std::path::absolute(&*file)?;
    }
    let path = &options.config_file;
    let read = configuration::read(options).map_err(|error| {
        let text = format!(
            "{}: {error}: no configuration, nothing is started",
            path.display()
        );
        Refusal::new(exit::NO_CONFIG, text)
    })?;
    log::info!("Configuration file {}", path.display());
    let (namespace, own_files) = enter_namespace(options, &read.config)?;
    let loaded = read.bind()?;
    tell_diagnostics(&loaded, logger);
    if let Some(code) = start_exit_code(&loaded.diagnostics) {
        return Err(Refusal { code, text: None });
    }
    let wanted = wanted(options, &loaded.bound);
    if wanted.contains(Kind::Vrrp) {
        need_capabilities()?;
    }
    let processes = loaded.bound.global.processes.clone();
    process::set_umask(umask(options, &processes));
    let file = text_file(&loaded.bundle, &processes)?;
    let places = Places::new(&processes, namespace.as_deref());
    let pid_file = pid_file(options, &places)?;
    let terms = Terms::new(wanted, &loaded.bound);
    let text = Text {
        file,
        terms,
        global: loaded.bound.global,
    };
    Ok(Prepared {
        text,
        diagnostics: loaded.diagnostics,
        processes,
        places,
        pid_file,
        own_files,
    })
}

/// Enters the namespace that is wanted, if one is; returns its name and the directory that is the
/// daemon's in it. Everything that looks at the network or opens a file comes after this.
fn enter_namespace(
    options: &Options,
    config: &Config,
) -> Result<(Option<String>, Option<OwnFiles>), Refusal> {
    let refuse = |name: &str, error: io::Error| {
        // Running in the wrong one would take over addresses on the wrong network.
        let text = format!("Network namespace {name} cannot be entered: {error}");
        Refusal::new(exit::FATAL, text)
    };
    let written = options.namespace.as_ref();
    let written = written.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let wanted = namespace::wanted(options, config).map_err(|error| refuse(&written, error))?;
    let Some(name) = wanted else {
        return Ok((None, None));
    };
    namespace::enter_network(&name).map_err(|error| refuse(&name, error))?;
    let own_files = namespace::enter_files(&name).map_err(|error| refuse(&name, error))?;
    Ok((Some(name), Some(own_files)))
}

/// The command line's umask, or the configuration's.
pub(crate) fn umask(options: &Options, processes: &Processes) -> u32 {
    let written = options.umask.or(processes.umask.map(u32::from));
    written.unwrap_or(UMASK)
}

/// The texts for the children, with all that they ask for: in memory, or in a file without a name.
fn text_file(bundle: &Bundle, processes: &Processes) -> io::Result<File> {
    let bytes = bundle.encode();
    let Some(directory) = &processes.tmp_config_directory else {
        return memfd::sealed(&bytes);
    };
    memfd::unnamed(Path::new(directory), &bytes).or_else(|error| {
        log::warn!("tmp_config_directory {directory}: {error}: the text is kept in memory");
        memfd::sealed(&bytes)
    })
}

/// The report about a configuration of several files.
fn render(bundle: &Bundle, found: &[Diagnostic], style: Style) -> String {
    diagnose::render_all(&|name| bundle.text(name), found, style)
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
        let report = render(&loaded.bundle, &loaded.diagnostics, style);
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

fn pid_file(options: &Options, places: &Places) -> Result<PidFile, Refusal> {
    // If it cannot be had, opening the file says why.
    _ = places.prepare();
    let default = places.pid_file(Process::Parent);
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
fn memory(options: &Options, places: &Places, wanted: Kinds) -> Option<MemoryFile> {
    if !wanted.contains(Kind::Vrrp) {
        return None;
    }
    let pid_file = match &options.vrrp_pid_file {
        Some(file) => Some(file.clone()),
        None => places.own_pid_file(Process::Child(Kind::Vrrp)),
    };
    let path = memory::path(pid_file.as_deref());
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
    signals: SignalFd,
    logger: &mut Logger,
) -> Result<u8, Refusal> {
    let Prepared {
        text,
        diagnostics,
        processes,
        places,
        mut pid_file,
        own_files,
    } = prepared;
    if !options.dont_fork && process::daemonize()? == Role::Caller {
        // The daemon speaks for itself from now on, and the pid file is its.
        std::process::exit(i32::from(exit::NORMAL));
    }
    let name = processes.name.as_deref().unwrap_or("keepalived");
    process::adopt_orphans()?;
    process::set_name(&CString::new(name).map_err(io::Error::from)?)?;
    logger.set_identity(places.identity(Process::Parent));
    logger.start()?;
    pid_file.write(std::process::id())?;
    let memory = memory(options, &places, text.terms.wanted);
    let mut machine = Supervisor::new(Settings {
        terms: text.terms,
        respawn: !options.dont_respawn,
        watchdog: sd_notify::watchdog_period(),
    });
    let files = Files {
        config: options.config_file.clone(),
        pid: options.vrrp_pid_file.clone(),
    };
    let facts = places.facts(umask(options, &processes));
    let findings = Findings::default();
    let desk = desk(options, &processes, Rc::clone(&findings))?;
    let around = Around {
        vrrp_stays: options.keep_vips && text.terms.wanted.contains(Kind::Vrrp),
        processes,
        reloading: text.global.reloading.clone(),
        usual_marker: places.reload_file(),
        alarm: Alarm::follow(None, &text.global.reloading),
    };
    let mut executor = SupervisorExecutor::new(supervisor::Setup {
        signals,
        ignore_sigint: options.ignore_sigint,
        call: Call { words, files },
        text,
        memory,
        dump: ParentDump::new(facts),
        read_config: read_config(options.clone(), diagnostics, around, findings),
        desk,
        planner: planner(options.clone()),
    });
    let code = daemon::run(&mut machine, &mut executor);
    if matches!(code, Ok(exit::NORMAL)) && !options.keep_vips {
        executor.leave();
    }
    // Its socket stands among the files.
    drop(executor);
    drop(pid_file);
    places.tidy_up();
    drop(own_files);
    Ok(code?)
}

/// What surrounds the reading of a new text.
struct Around {
    /// The VRRP child stays even if nothing is left for it: one that leaves by `-V` removes nothing.
    vrrp_stays: bool,
    /// The words that cannot change.
    processes: Processes,
    /// The words about reloads that are in force.
    reloading: Reloading,
    usual_marker: PathBuf,
    alarm: Option<Alarm>,
}

/// For SIGHUP: a new text comes into force if a start with it would succeed and it has no mistake
/// that the text in force does not have already.
fn read_config(
    options: Options,
    mut known: Vec<Diagnostic>,
    mut around: Around,
    findings: Findings,
) -> ReadConfig {
    Box::new(move |early| {
        let _marked = Marked::set(&around.reloading.marker, &around.usual_marker);
        let path = &options.config_file;
        let read = configuration::read(&options).and_then(|read| {
            let file = text_file(&read.bundle, &around.processes)?;
            early(&file);
            Ok((file, read.bind()?))
        });
        let (file, loaded) = match read {
            Ok(read) => read,
            Err(error) => {
                log::error!("{}: {error}", path.display());
                findings.replace(format!("{}: {error}\n", path.display()));
                return None;
            }
        };
        let report = render(&loaded.bundle, &loaded.diagnostics, Style::Plain);
        reload_files::report(&around.reloading, &report);
        findings.replace(report);
        for diagnostic in &loaded.diagnostics {
            log::log!(level(diagnostic), "{diagnostic}");
        }
        if !may_replace(&known, &loaded.diagnostics) {
            return None;
        }
        let new = &loaded.bound.global.processes;
        if let Some(word) = around.processes.fixed_word_that_differs(new) {
            log::error!("{}", cannot_change(word));
            findings.replace(cannot_change(word) + "\n");
            return None;
        }
        let mut wanted = wanted(&options, &loaded.bound);
        if around.vrrp_stays {
            wanted = wanted.with(Kind::Vrrp);
        }
        around.vrrp_stays = options.keep_vips && wanted.contains(Kind::Vrrp);
        let terms = Terms::new(wanted, &loaded.bound);
        known = loaded.diagnostics;
        around.reloading = loaded.bound.global.reloading.clone();
        around.alarm = Alarm::follow(around.alarm.take(), &around.reloading);
        let global = loaded.bound.global;
        Some(Text {
            file,
            terms,
            global,
        })
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
fn desk(options: &Options, processes: &Processes, findings: Findings) -> io::Result<Desk> {
    let path = place::wanted(processes.instance.as_deref());
    let control = Place::take(&path).and_then(|place| Control::open(place, supervisor::DESK));
    let control = control
        .inspect_err(|error| log::warn!("No control socket {}: {error}", path.display()))
        .ok();
    let facts = report::Facts::new(options.config_file.clone(), findings, clock::now());
    Desk::new(control, facts, supervisor::DESK)
}

fn cannot_change(word: &str) -> String {
    format!("`{word}` cannot be changed while the daemon runs: restart it for that")
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
            let old = configuration::from_bytes(path, &text).and_then(configuration::Read::bind);
            let old = old.map_err(at_path)?;
            let new = configuration::load(&options).map_err(at_path)?;
            let mut text = render(&new.bundle, &new.diagnostics, Style::Plain);
            if !may_replace(&old.diagnostics, &new.diagnostics) {
                text.push_str(&format!("{}: would be refused\n", path.display()));
                return Err(text);
            }
            let processes = |loaded: &Loaded| loaded.bound.global.processes.clone();
            if let Some(word) = processes(&old).fixed_word_that_differs(&processes(&new)) {
                text.push_str(&(cannot_change(word) + "\n"));
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
