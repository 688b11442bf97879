//! The executor of the parent: starts, signals and reaps the children, talks with them, reads the
//! configuration.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use mio::{Interest, Registry, Token, unix::SourceFd};
use relevo_core::config::bound::Global;
use relevo_core::ids::{ChildId, Errno};
use relevo_core::machine::{Machine, Out};
use relevo_core::supervisor::{
    ChildSignal, Kind, ReloadOutcome, Supervisor, SupervisorAction, SupervisorCommand,
    SupervisorEvent, SupervisorNote, Terms,
};
use relevo_core::time::Instant;

use super::desk::{self, Desk, MakePlan};
use crate::child::{self, Call, Inheritance};
use crate::clock;
use crate::configuration;
use crate::daemon::{Class, Drained, Executor};
use crate::dump::ParentDump;
use crate::leftovers::{self, LetGo};
use crate::memory::{Memory, MemoryFile};
use crate::sd_notify;
use crate::sys::process::{self, ChildProcess};
use crate::sys::signalfd::{SignalFd, SignalSet};
use crate::voice::{FromChild, Heard, MESSAGE_MAX, Outcome, ToChild, Voice};

const SIGNALS: Token = Token(1);
/// The desk has some tokens from here on.
pub(crate) const DESK: usize = 2;
const _: () = assert!(DESK + desk::TOKENS <= FIRST_CHILD);
/// Children have two tokens each from here on: the process, then its voice.
const FIRST_CHILD: usize = 16;

/// The text that the children shall work with, and what it says to the parent.
#[derive(Debug)]
pub(crate) struct Text {
    /// The text in memory.
    pub(crate) file: File,
    /// What it says to the parent.
    pub(crate) terms: Terms,
    /// What it says of the daemon.
    pub(crate) global: Global,
}

/// Takes a text that has not been checked yet, in a file that can be read from its beginning.
pub(crate) type Early<'a> = dyn FnMut(&File) + 'a;

/// Reads the configuration again; `None`, and told, if it cannot be used. The text is shown before
/// it is checked.
pub(crate) type ReadConfig = Box<dyn FnMut(&mut Early<'_>) -> Option<Text>>;

/// Makes what makes a plan, from the text in force.
pub(crate) type Planner = Box<dyn Fn(File) -> MakePlan>;

/// Carries out what the supervisor asks for.
pub(crate) struct SupervisorExecutor {
    signals: SignalFd,
    ignore_sigint: bool,
    /// What each child is called with.
    call: Call,
    text: File,
    /// The number of the last text that was read, usable or not.
    text_number: u64,
    global: Global,
    dump: ParentDump,
    /// What outlives the VRRP child.
    memory: Option<MemoryFile>,
    read_config: ReadConfig,
    /// The text has been replaced.
    reloaded: bool,
    registry: Option<Registry>,
    children: Vec<Held>,
    desk: Desk,
    planner: Planner,
    feedback: VecDeque<SupervisorEvent>,
    exit: Option<u8>,
}

/// A running child.
struct Held {
    id: ChildId,
    kind: Kind,
    process: ChildProcess,
    /// What the child says; it hears our end by the other end being closed.
    voice: Voice,
    /// The poll watches the voice. Only while something but the answer to a hello is to be
    /// expected: those are read when the next hello is due, and cost no wake-up of their own.
    watched: bool,
    /// It has said that it is ready.
    ready: bool,
    /// Reloads and questions that it has not answered.
    awaited: u32,
    /// The last hello that it has answered.
    here: Option<u64>,
}

impl Held {
    fn process_token(&self) -> Token {
        Token(FIRST_CHILD + 2 * self.id.0 as usize)
    }

    fn voice_token(&self) -> Token {
        Token(FIRST_CHILD + 2 * self.id.0 as usize + 1)
    }

    fn wants_watch(&self) -> bool {
        !self.ready || self.awaited > 0
    }
}

/// What an executor is given.
pub(crate) struct Setup {
    pub(crate) signals: SignalFd,
    pub(crate) ignore_sigint: bool,
    /// How children are called.
    pub(crate) call: Call,
    /// What the children work with until `read_config` gives another one.
    pub(crate) text: Text,
    pub(crate) memory: Option<MemoryFile>,
    pub(crate) dump: ParentDump,
    pub(crate) read_config: ReadConfig,
    pub(crate) desk: Desk,
    pub(crate) planner: Planner,
}

impl SupervisorExecutor {
    /// An executor that has nobody to watch over yet.
    pub(crate) fn new(setup: Setup) -> Self {
        let Setup {
            signals,
            ignore_sigint,
            call,
            text,
            memory,
            dump,
            read_config,
            desk,
            planner,
        } = setup;
        Self {
            signals,
            ignore_sigint,
            call,
            text: text.file,
            text_number: 0,
            global: text.global,
            memory,
            dump,
            read_config,
            reloaded: false,
            registry: None,
            children: Vec::new(),
            desk,
            planner,
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
            SupervisorAction::Start {
                child,
                kind,
                resume,
            } => self.start_child(child, kind, resume)?,
            SupervisorAction::Listen { child } => self.listen(child),
            SupervisorAction::Hello { child, n } => self.say_hello(child, n),
            SupervisorAction::Reload { child, n } => self.reload(child, n),
            SupervisorAction::Alive => sd_notify::notify("WATCHDOG=1"),
            SupervisorAction::Signal { child, signal } => {
                if let Some(held) = self.children.iter().find(|held| held.id == child) {
                    held.process.signal(number(signal))?;
                }
            }
            SupervisorAction::LetGo => self.let_go(),
            SupervisorAction::ReadConfig => {
                let text = self.read_config();
                let terms = text.map(|text| {
                    self.text = text.file;
                    self.global = text.global;
                    self.reloaded = true;
                    text.terms
                });
                self.feedback
                    .push_back(SupervisorEvent::ConfigRead { terms });
            }
            SupervisorAction::Note(note) => {
                tell(note);
                self.desk.on_note(&note, clock::now());
            }
            SupervisorAction::Exit(code) => self.exit = Some(code),
        }
        Ok(())
    }

    /// Reads and checks the configuration. The children that run read the text at the same time, so
    /// that they have done so when it turns out to be usable.
    fn read_config(&mut self) -> Option<Text> {
        self.text_number += 1;
        let n = self.text_number;
        let Self {
            read_config,
            children,
            ..
        } = self;
        let text = read_config(&mut |file| {
            for held in children.iter_mut().filter(|held| held.ready) {
                let message = ToChild::Prepare { n };
                let file = from_the_start(file);
                let told =
                    file.and_then(|file| held.voice.tell_child(&message, Some(file.as_fd())));
                if let Err(error) = told {
                    log::debug!("a child process reads the new configuration later: {error}");
                }
            }
        });
        if text.is_none() {
            for held in children.iter_mut().filter(|held| held.ready) {
                if let Err(error) = held.voice.tell_child(&ToChild::Forget { n }, None) {
                    log::debug!("a child process keeps a useless text: {error}");
                }
            }
        }
        text
    }

    fn start_child(&mut self, id: ChildId, kind: Kind, resume: bool) -> io::Result<()> {
        match self.try_start(id, kind, resume) {
            Ok(held) => {
                let pid = held.process.pid();
                if let Some(registry) = &self.registry {
                    let (fd, token) = (held.process.raw(), held.process_token());
                    registry.register(&mut SourceFd(&fd), token, Interest::READABLE)?;
                }
                self.children.push(held);
                self.desk.on_started(id, kind, pid, clock::now());
                self.watch_voices()?;
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

    fn try_start(&self, id: ChildId, kind: Kind, resume: bool) -> io::Result<Held> {
        let text = self.text_from_the_start()?;
        let memory = self.memory(kind);
        let (voice, theirs) = Voice::pair()?;
        let inheritance = Inheritance {
            kind,
            text: text.as_raw_fd(),
            parent: theirs.as_raw_fd(),
            memory: memory.as_ref().map(AsRawFd::as_raw_fd),
            resume,
            reloaded: self.reloaded,
        };
        let variables = self.call.variables(inheritance);
        let blocked = SignalSet::of(&child::signals())?;
        let mut descriptors = vec![text.as_fd(), theirs.as_fd()];
        descriptors.extend(memory);
        let process = process::start_self(&self.call.words, &variables, &descriptors, blocked)?;
        Ok(Held {
            id,
            kind,
            process,
            voice,
            watched: false,
            ready: false,
            awaited: 0,
            here: None,
        })
    }

    fn text_from_the_start(&self) -> io::Result<File> {
        from_the_start(&self.text)
    }

    /// The memory that children of this kind keep their record in, which outlives them.
    fn memory(&self, kind: Kind) -> Option<BorrowedFd<'_>> {
        let memory = self.memory.as_ref().filter(|_| kind == Kind::Vrrp);
        memory.map(|memory| memory.file().as_fd())
    }

    /// Removes what dead children have left in the kernel; whatever goes wrong is told.
    fn let_go(&self) {
        match self.try_let_go() {
            Ok(LetGo { found: 0, .. }) => {}
            Ok(LetGo { found, removed }) => log::warn!(
                "{removed} of {found} addresses that a dead VRRP child process has left are removed"
            ),
            Err(error) => {
                log::error!("What a dead VRRP child process has left is not removed: {error}");
            }
        }
    }

    fn try_let_go(&self) -> io::Result<LetGo> {
        let mut text = Vec::new();
        self.text_from_the_start()?.read_to_end(&mut text)?;
        let loaded = configuration::from_bytes(&self.call.files.config, &text)?.bind()?;
        let memory = self.memory(Kind::Vrrp);
        let memory = memory.as_ref().map(BorrowedFd::try_clone_to_owned);
        let memory = memory.transpose()?;
        let memory = memory.map(|file| Memory::map(File::from(file), 0));
        let memory = memory.transpose()?;
        let records = memory.as_ref().map(Memory::records).unwrap_or_default();
        leftovers::let_go(&loaded.bound, &records)
    }

    fn held(&mut self, id: ChildId) -> Option<&mut Held> {
        self.children.iter_mut().find(|held| held.id == id)
    }

    /// Hands over what the child has said until now.
    fn listen(&mut self, child: ChildId) {
        while let Some(event) = self.hear(child) {
            self.feedback.push_back(event);
        }
        let here = self.held(child).and_then(|held| held.here);
        self.feedback
            .push_back(SupervisorEvent::Listened { child, here });
    }

    fn say_hello(&mut self, child: ChildId, n: u64) {
        if let Some(held) = self.held(child)
            && let Err(error) = held.voice.tell_child(&ToChild::Hello { n }, None)
        {
            // Its silence will tell.
            log::debug!("a hello was not sent: {error}");
        }
    }

    fn reload(&mut self, child: ChildId, n: u64) {
        let text = self.text_from_the_start();
        let message = ToChild::Reload {
            n,
            text: self.text_number,
        };
        let Some(held) = self.held(child) else {
            return;
        };
        let sent = text.and_then(|text| held.voice.tell_child(&message, Some(text.as_fd())));
        match sent {
            Ok(()) => held.awaited += 1,
            Err(error) => {
                log::error!("A child process cannot be given the new configuration: {error}");
                let outcome = ReloadOutcome::Restart;
                self.feedback
                    .push_back(SupervisorEvent::Reloaded { child, n, outcome });
            }
        }
    }

    /// Lets the poll watch the children of whom something is to be expected.
    fn watch_voices(&mut self) -> io::Result<()> {
        let Some(registry) = &self.registry else {
            return Ok(());
        };
        for held in &mut self.children {
            let (fd, token) = (held.voice.raw(), held.voice_token());
            match (held.watched, held.wants_watch()) {
                (false, true) => {
                    registry.register(&mut SourceFd(&fd), token, Interest::READABLE)?;
                }
                (true, false) => registry.deregister(&mut SourceFd(&fd))?,
                (true, true) | (false, false) => continue,
            }
            held.watched = !held.watched;
        }
        Ok(())
    }

    /// Does what a client of the control socket wants.
    fn serve(
        &mut self,
        wish: desk::Wish,
        machine: &mut Supervisor,
        out: &mut Out<SupervisorAction>,
    ) -> io::Result<()> {
        let now = clock::now();
        match wish {
            desk::Wish::Reload => {
                let reload = SupervisorEvent::Command(SupervisorCommand::Reload);
                self.deliver(reload, machine, out)?;
            }
            desk::Wish::Plan(client) => {
                let plan: MakePlan = match self.text_from_the_start() {
                    Ok(text) => (self.planner)(text),
                    Err(error) => Box::new(move || Err(format!("no plan: {error}\n"))),
                };
                self.desk.begin_plan(client, plan, now);
            }
            desk::Wish::Ask { n, what } => {
                let ask = ToChild::Ask { n, what };
                let id = machine.child(Kind::Vrrp);
                let child = self.children.iter_mut().find(|held| Some(held.id) == id);
                // One that has not listened for long counts as silent: it is given its time.
                let is_told = child.is_some_and(|held| match held.voice.tell_child(&ask, None) {
                    Ok(()) => {
                        held.awaited += 1;
                        true
                    }
                    Err(error) => error.kind() == io::ErrorKind::WouldBlock,
                });
                if !is_told {
                    self.desk.on_nobody(n, now);
                }
            }
        }
        Ok(())
    }

    /// Waits for every child that has ended. Those that this process did not start were left behind
    /// by others: it adopts them, and as process 1 of a container it is the only one that can. So
    /// no thread of this process may start processes and wait for them by itself.
    fn reap_all(
        &mut self,
        machine: &mut Supervisor,
        out: &mut Out<SupervisorAction>,
    ) -> io::Result<()> {
        while let Some(pid) = process::ended_child()? {
            let ours = |held: &Held| held.process.pid() == pid;
            match self.children.iter().position(ours) {
                None => process::forget_child(pid)?,
                Some(index) => {
                    if let Some(event) = self.reap(index)? {
                        self.deliver(event, machine, out)?;
                    }
                }
            }
        }
        Ok(())
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
            other if other == journal() => SupervisorCommand::Forward(ChildSignal::Journal),
            _ => return None,
        })
    }

    fn reap(&mut self, index: usize) -> io::Result<Option<SupervisorEvent>> {
        let Some(exit) = self.children[index].process.reap()? else {
            return Ok(None);
        };
        let held = self.children.swap_remove(index);
        self.desk.on_ended(held.id, clock::now());
        if let Some(registry) = &self.registry {
            registry.deregister(&mut SourceFd(&held.process.raw()))?;
            if held.watched {
                registry.deregister(&mut SourceFd(&held.voice.raw()))?;
            }
        }
        Ok(Some(SupervisorEvent::Exited {
            child: held.id,
            exit,
        }))
    }

    /// The next thing that a child says, for the machine; `None` when nothing is waiting.
    fn hear(&mut self, child: ChildId) -> Option<SupervisorEvent> {
        let held = self.children.iter_mut().find(|held| held.id == child)?;
        let mut buffer = [0; MESSAGE_MAX];
        loop {
            let (length, file) = match held.voice.hear(&mut buffer) {
                Ok((length, Heard::Packet(file))) => (length, file),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Its end of file, like any error, will be explained by the end of the process.
                Ok((_, Heard::Silence | Heard::Gone)) | Err(_) => return None,
            };
            match FromChild::decode(buffer.get(..length).unwrap_or_default()) {
                Ok(FromChild::Ready) => {
                    held.ready = true;
                    self.desk.on_heard(child, clock::now());
                    return Some(SupervisorEvent::Ready { child });
                }
                Ok(FromChild::Here { n }) => {
                    held.here = held.here.max(Some(n));
                    self.desk.on_heard(child, clock::now());
                }
                Ok(FromChild::Reloaded { n, outcome, text }) => {
                    held.awaited = held.awaited.saturating_sub(1);
                    if outcome == Outcome::Failed {
                        self.desk.on_kept(held.kind, text);
                    }
                    let outcome = on_reloaded(held.kind, outcome, text);
                    return Some(SupervisorEvent::Reloaded { child, n, outcome });
                }
                Ok(FromChild::Told { n, bytes }) => {
                    held.awaited = held.awaited.saturating_sub(1);
                    self.desk.on_told(n, bytes, file, clock::now());
                }
                Err(_) => {
                    let title = held.kind.title();
                    log::warn!("{title} child process said something unreadable");
                }
            }
        }
    }
}

/// A text, opened anew: a duplicate would share the place up to which others have read.
fn from_the_start(text: &File) -> io::Result<File> {
    File::open(format!("/proc/self/fd/{}", text.as_raw_fd()))
}

/// What the machine shall know of an answer; the words go to the log.
fn on_reloaded(kind: Kind, outcome: Outcome, text: &str) -> ReloadOutcome {
    if !text.is_empty() {
        let level = match outcome {
            Outcome::Applied | Outcome::Restart => log::Level::Info,
            Outcome::Failed => log::Level::Error,
        };
        log::log!(level, "{} child process: {text}", kind.title());
    }
    match outcome {
        Outcome::Applied => ReloadOutcome::Applied,
        Outcome::Restart => ReloadOutcome::Restart,
        Outcome::Failed => ReloadOutcome::Failed,
    }
}

impl Executor<Supervisor> for SupervisorExecutor {
    fn register(&mut self, registry: &Registry) -> io::Result<()> {
        let signals = self.signals.raw();
        registry.register(&mut SourceFd(&signals), SIGNALS, Interest::READABLE)?;
        self.desk.register(registry)?;
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
            || self.desk.has(token)
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
                if signal == libc::SIGUSR1 {
                    self.dump.write(&self.global);
                }
                if signal == libc::SIGCHLD {
                    self.reap_all(machine, out)?;
                } else if let Some(command) = self.command(signal) {
                    self.deliver(SupervisorEvent::Command(command), machine, out)?;
                }
            }
            return Ok(Drained::Yes);
        }
        if self.desk.has(token) {
            let (drained, wishes) = self.desk.read(token, clock::now());
            for wish in wishes {
                self.serve(wish, machine, out)?;
            }
            return Ok(drained);
        }
        let find = |held: &Held| token == held.process_token() || token == held.voice_token();
        let Some(index) = self.children.iter().position(find) else {
            return Ok(Drained::Yes);
        };
        if token == self.children[index].voice_token() {
            let child = self.children[index].id;
            while let Some(event) = self.hear(child) {
                self.deliver(event, machine, out)?;
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
        self.watch_voices()
    }

    fn exit_code(&self) -> Option<u8> {
        self.exit
    }
}

/// The signals that the parent heeds: commands, and the end of a child.
pub(crate) fn own_signals() -> [i32; 9] {
    let [a, b, c, d, e, f, g, h] = signals();
    [a, b, c, d, e, f, g, h, libc::SIGCHLD]
}

/// The signals that are commands, to the parent as to its children.
pub(crate) fn signals() -> [i32; 8] {
    [
        libc::SIGTERM,
        libc::SIGINT,
        libc::SIGHUP,
        libc::SIGUSR1,
        libc::SIGUSR2,
        stats_clear(),
        json(),
        journal(),
    ]
}

fn stats_clear() -> i32 {
    libc::SIGRTMAX() - 1
}

fn json() -> i32 {
    libc::SIGRTMIN() + 2
}

/// The original has something like it (a dump of its threads) where it is built for debugging.
pub(crate) fn journal() -> i32 {
    libc::SIGRTMAX()
}

fn number(signal: ChildSignal) -> i32 {
    match signal {
        ChildSignal::Terminate => libc::SIGTERM,
        ChildSignal::Kill => libc::SIGKILL,
        ChildSignal::Data => libc::SIGUSR1,
        ChildSignal::Stats => libc::SIGUSR2,
        ChildSignal::StatsClear => stats_clear(),
        ChildSignal::Json => json(),
        ChildSignal::Journal => journal(),
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
            sd_notify::notify("READY=1\nSTATUS=The configuration is in force");
        }
        SupervisorNote::ReloadRefused | SupervisorNote::ReloadIncomplete => {
            sd_notify::notify("READY=1\nSTATUS=The last reload was not carried out: see the log");
        }
        SupervisorNote::Reloading => {
            let micros = crate::sys::monotonic_micros();
            sd_notify::notify(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
        }
        SupervisorNote::Stopping => {
            sd_notify::notify("STOPPING=1\nSTATUS=The child processes are leaving");
        }
        SupervisorNote::NothingToDo
        | SupervisorNote::Started { .. }
        | SupervisorNote::StartFailed { .. }
        | SupervisorNote::Died { .. }
        | SupervisorNote::Permanent { .. }
        | SupervisorNote::RestartIn { .. }
        | SupervisorNote::Killed { .. }
        | SupervisorNote::Hung { .. }
        | SupervisorNote::NeverReady { .. }
        | SupervisorNote::ReloadFailed { .. }
        | SupervisorNote::Replaced { .. }
        | SupervisorNote::LeftBadly { .. }
        | SupervisorNote::Stopped => {}
    }
}
