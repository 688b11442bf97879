//! The executor of the parent: starts, signals and reaps the children, reads the configuration.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

use mio::{Interest, Registry, Token, unix::SourceFd};
use relevo_core::ids::{ChildId, Errno};
use relevo_core::machine::{Machine, Out};
use relevo_core::supervisor::{
    ChildSignal, Kind, Kinds, Supervisor, SupervisorAction, SupervisorCommand, SupervisorEvent,
    SupervisorNote,
};
use relevo_core::time::Instant;

use crate::child::{self, Inheritance};
use crate::clock;
use crate::daemon::{Class, Drained, Executor};
use crate::memory::MemoryFile;
use crate::sd_notify;
use crate::sys::process::{self, ChildProcess};
use crate::sys::signalfd::{SignalFd, SignalSet};

const SIGNALS: Token = Token(1);
/// Children have two tokens each from here on: the process, then its voice.
const FIRST_CHILD: usize = 16;

/// The text that the children shall work with, and which kinds have something to do in it.
#[derive(Debug)]
pub(crate) struct Text {
    /// The text in memory.
    pub(crate) file: File,
    /// The kinds.
    pub(crate) wanted: Kinds,
}

/// Reads the configuration again; `None`, and told, if it cannot be used.
pub(crate) type ReadConfig = Box<dyn FnMut() -> Option<Text>>;

/// Carries out what the supervisor asks for.
pub(crate) struct SupervisorExecutor {
    signals: SignalFd,
    ignore_sigint: bool,
    /// The daemon's own words, which the children get too.
    words: Vec<OsString>,
    text: File,
    /// What outlives the VRRP child.
    memory: Option<MemoryFile>,
    read_config: ReadConfig,
    /// The text has been replaced.
    reloaded: bool,
    registry: Option<Registry>,
    children: Vec<Held>,
    feedback: VecDeque<SupervisorEvent>,
    exit: Option<u8>,
}

/// A running child.
struct Held {
    id: ChildId,
    process: ChildProcess,
    /// What the child says; it hears our end by the other end being closed.
    voice: UnixStream,
}

impl Held {
    fn process_token(&self) -> Token {
        Token(FIRST_CHILD + 2 * self.id.0 as usize)
    }

    fn voice_token(&self) -> Token {
        Token(FIRST_CHILD + 2 * self.id.0 as usize + 1)
    }

    fn sources(&self) -> [(RawFd, Token); 2] {
        [
            (self.process.raw(), self.process_token()),
            (self.voice.as_raw_fd(), self.voice_token()),
        ]
    }
}

impl SupervisorExecutor {
    /// An executor whose children work with `text` until `read_config` gives another one.
    pub(crate) fn new(
        signals: SignalFd,
        ignore_sigint: bool,
        words: Vec<OsString>,
        text: File,
        memory: Option<MemoryFile>,
        read_config: ReadConfig,
    ) -> Self {
        Self {
            signals,
            ignore_sigint,
            words,
            text,
            memory,
            read_config,
            reloaded: false,
            registry: None,
            children: Vec::new(),
            feedback: VecDeque::new(),
            exit: None,
        }
    }

    /// Every child has left: in order, nothing is left to know.
    pub(crate) fn leave(&mut self) {
        if let Some(memory) = self.memory.take() {
            memory.remove();
        }
    }

    /// Hands `event` to the machine and carries out what comes of it.
    fn deliver(
        &mut self,
        event: SupervisorEvent,
        machine: &mut Supervisor,
        out: &mut Out<SupervisorAction>,
    ) -> io::Result<()> {
        let now = clock::now();
        machine.handle(event, now, out);
        self.execute(machine, out, now)
    }

    fn act(&mut self, action: SupervisorAction) -> io::Result<()> {
        match action {
            SupervisorAction::Start { child, kind } => self.start_child(child, kind)?,
            SupervisorAction::Signal { child, signal } => {
                if let Some(held) = self.children.iter().find(|held| held.id == child) {
                    held.process.signal(number(signal))?;
                }
            }
            SupervisorAction::ReadConfig => {
                let text = (self.read_config)();
                let wanted = text.map(|text| {
                    self.text = text.file;
                    self.reloaded = true;
                    text.wanted
                });
                self.feedback
                    .push_back(SupervisorEvent::ConfigRead { wanted });
            }
            SupervisorAction::Note(note) => tell(note),
            SupervisorAction::Exit(code) => self.exit = Some(code),
        }
        Ok(())
    }

    fn start_child(&mut self, id: ChildId, kind: Kind) -> io::Result<()> {
        match self.try_start(id, kind) {
            Ok(held) => {
                let pid = held.process.pid();
                if let Some(registry) = &self.registry {
                    for (fd, token) in held.sources() {
                        registry.register(&mut SourceFd(&fd), token, Interest::READABLE)?;
                    }
                }
                self.children.push(held);
                self.feedback
                    .push_back(SupervisorEvent::Started { child: id, pid });
            }
            Err(error) => {
                let errno = Errno(error.raw_os_error().unwrap_or(0));
                self.feedback
                    .push_back(SupervisorEvent::StartFailed { child: id, errno });
            }
        }
        Ok(())
    }

    fn try_start(&self, id: ChildId, kind: Kind) -> io::Result<Held> {
        // Opened anew: a duplicate would share the place up to which the last child has read.
        let text = File::open(format!("/proc/self/fd/{}", self.text.as_raw_fd()))?;
        let (voice, theirs) = UnixStream::pair()?;
        voice.set_nonblocking(true)?;
        let memory = self.memory.as_ref().map(MemoryFile::file);
        let memory = memory.filter(|_| kind == Kind::Vrrp);
        let inheritance = Inheritance {
            kind,
            text: text.as_raw_fd(),
            parent: theirs.as_raw_fd(),
            memory: memory.map(AsRawFd::as_raw_fd),
            reloaded: self.reloaded,
        };
        let mut words = vec![inheritance.to_word()];
        words.extend_from_slice(&self.words);
        let blocked = SignalSet::of(&child::signals())?;
        let mut descriptors = vec![text.as_fd(), theirs.as_fd()];
        descriptors.extend(memory.map(AsFd::as_fd));
        let process = process::start_self(&words, &descriptors, blocked)?;
        Ok(Held { id, process, voice })
    }

    /// The commands that `signal` stands for.
    fn command(&self, signal: i32) -> Option<SupervisorCommand> {
        Some(match signal {
            libc::SIGINT if self.ignore_sigint => return None,
            libc::SIGTERM | libc::SIGINT => SupervisorCommand::Stop,
            libc::SIGHUP => SupervisorCommand::Reload,
            libc::SIGUSR1 => SupervisorCommand::Forward(ChildSignal::Data),
            libc::SIGUSR2 => SupervisorCommand::Forward(ChildSignal::Stats),
            other if other == stats_clear() => SupervisorCommand::Forward(ChildSignal::StatsClear),
            other if other == json() => SupervisorCommand::Forward(ChildSignal::Json),
            _ => return None,
        })
    }

    fn reap(&mut self, index: usize) -> io::Result<Option<SupervisorEvent>> {
        let Some(exit) = self.children[index].process.reap()? else {
            return Ok(None);
        };
        let held = self.children.swap_remove(index);
        if let Some(registry) = &self.registry {
            for (fd, _) in held.sources() {
                registry.deregister(&mut SourceFd(&fd))?;
            }
        }
        Ok(Some(SupervisorEvent::Exited {
            child: held.id,
            exit,
        }))
    }

    /// Every octet means the same: the child is ready. True if one was there.
    fn hear(&mut self, index: usize) -> bool {
        let mut heard = false;
        let mut buffer = [0; 64];
        // Its end of file, like any error, will be explained by the end of the process.
        while let Ok(1..) = self.children[index].voice.read(&mut buffer) {
            heard = true;
        }
        heard
    }
}

impl Executor<Supervisor> for SupervisorExecutor {
    fn register(&mut self, registry: &Registry) -> io::Result<()> {
        let signals = self.signals.raw();
        registry.register(&mut SourceFd(&signals), SIGNALS, Interest::READABLE)?;
        self.registry = Some(registry.try_clone()?);
        Ok(())
    }

    fn start(
        &mut self,
        machine: &mut Supervisor,
        out: &mut Out<SupervisorAction>,
    ) -> io::Result<()> {
        self.deliver(SupervisorEvent::Begin, machine, out)
    }

    fn class(&self, token: Token) -> Option<Class> {
        let known = token == SIGNALS
            || self
                .children
                .iter()
                .any(|held| token == held.process_token() || token == held.voice_token());
        known.then_some(Class::Control)
    }

    fn read(
        &mut self,
        token: Token,
        machine: &mut Supervisor,
        out: &mut Out<SupervisorAction>,
    ) -> io::Result<Drained> {
        if token == SIGNALS {
            while let Some(signal) = self.signals.read()? {
                if let Some(command) = self.command(signal) {
                    self.deliver(SupervisorEvent::Command(command), machine, out)?;
                }
            }
            return Ok(Drained::Yes);
        }
        let find = |held: &Held| token == held.process_token() || token == held.voice_token();
        let Some(index) = self.children.iter().position(find) else {
            return Ok(Drained::Yes);
        };
        if token == self.children[index].voice_token() {
            let child = self.children[index].id;
            if self.hear(index) {
                self.deliver(SupervisorEvent::Ready { child }, machine, out)?;
            }
        } else if let Some(event) = self.reap(index)? {
            self.deliver(event, machine, out)?;
        }
        Ok(Drained::Yes)
    }

    fn execute(
        &mut self,
        machine: &mut Supervisor,
        out: &mut Out<SupervisorAction>,
        now: Instant,
    ) -> io::Result<()> {
        loop {
            for &action in out.actions() {
                self.act(action)?;
            }
            out.clear();
            let Some(event) = self.feedback.pop_front() else {
                return Ok(());
            };
            machine.handle(event, now, out);
        }
    }

    fn resume(&mut self, _: &mut Supervisor, _: &mut Out<SupervisorAction>) -> io::Result<()> {
        // This machine never has sliced work.
        Ok(())
    }

    fn flush(&mut self, _: &mut Supervisor, _: &mut Out<SupervisorAction>) -> io::Result<()> {
        Ok(())
    }

    fn exit_code(&self) -> Option<u8> {
        self.exit
    }
}

/// The signals that the parent heeds.
pub(crate) fn signals() -> [i32; 7] {
    [
        libc::SIGTERM,
        libc::SIGINT,
        libc::SIGHUP,
        libc::SIGUSR1,
        libc::SIGUSR2,
        stats_clear(),
        json(),
    ]
}

fn stats_clear() -> i32 {
    libc::SIGRTMAX() - 1
}

fn json() -> i32 {
    libc::SIGRTMIN() + 2
}

fn number(signal: ChildSignal) -> i32 {
    match signal {
        ChildSignal::Terminate => libc::SIGTERM,
        ChildSignal::Kill => libc::SIGKILL,
        ChildSignal::Data => libc::SIGUSR1,
        ChildSignal::Stats => libc::SIGUSR2,
        ChildSignal::StatsClear => stats_clear(),
        ChildSignal::Json => json(),
    }
}

/// To the log, and to systemd what it wants to know.
fn tell(note: SupervisorNote) {
    let level = if note.is_warning() {
        log::Level::Warn
    } else {
        log::Level::Info
    };
    log::log!(level, "{note}");
    match note {
        SupervisorNote::StartupComplete | SupervisorNote::ReloadComplete => {
            sd_notify::notify("READY=1");
        }
        SupervisorNote::ReloadRefused => sd_notify::notify("READY=1"),
        SupervisorNote::Reloading => {
            let micros = crate::sys::monotonic_micros();
            sd_notify::notify(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
        }
        SupervisorNote::Stopping => sd_notify::notify("STOPPING=1"),
        SupervisorNote::NothingToDo
        | SupervisorNote::Started { .. }
        | SupervisorNote::StartFailed { .. }
        | SupervisorNote::Died { .. }
        | SupervisorNote::Permanent { .. }
        | SupervisorNote::RestartIn { .. }
        | SupervisorNote::Killed { .. }
        | SupervisorNote::LeftBadly { .. }
        | SupervisorNote::Stopped => {}
    }
}
