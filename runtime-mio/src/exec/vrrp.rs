//! The executor of the VRRP machine: packets, the kernel's links and addresses, signals.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::Arc;

use mio::{Interest, Registry, Token, unix::SourceFd};
use relevo_core::config::bound::Bound;
use relevo_core::ids::{Errno, SocketId};
use relevo_core::kernel::{KernelEvent, KernelOp};
use relevo_core::machine::{Machine, Out};
use relevo_core::notify::text::Rendered;
use relevo_core::status::data::Facts;
use relevo_core::time::{Duration as Span, Instant};
use relevo_core::vrrp::VrrpNode;
use relevo_core::vrrp::event::{Command, SocketSpec, VrrpAction, VrrpEvent, VrrpTimer};
use relevo_core::vrrp::note::{Level, Note};

use crate::arp_io::ArpIo;
use crate::daemon::{Class, Drained, Executor};
use crate::dump::{Kind, NodeDumps};
use crate::exec::answer::Answers;
use crate::exec::reload::Reloads;
use crate::exec::talk::{Talk, Wish};
use crate::memory::{Memory, Remembrance};
use crate::netlink::socket::{Commands, Done, Monitor, errno_of};
use crate::schedule::Schedule;
use crate::sys::interfaces;
use crate::sys::msg::{ReceiveBatch, SEND_BATCH};
use crate::sys::timerfd::TimerFd;
use crate::voice::Outcome;
use crate::vrrp_io::{Advert, Unsent, VrrpIo, ingress};
use crate::{clock, exec, recorder};

const COMMANDS: Token = Token(1);
const MONITOR: Token = Token(2);
const SIGNALS: Token = Token(3);
const PARENT: Token = Token(4);
/// The timer of the socket for news.
const NEWS_TIMER: Token = Token(5);
/// A new configuration has been read.
const RELOAD: Token = Token(6);

/// Raw sockets have the tokens from here on, by the machine's number of the socket.
const FIRST_SOCKET: usize = 16;

/// Packets taken from one socket before other sources get their turn.
const PACKET_BUDGET: usize = 256;

/// So many at once may have been more: the kernel is asked whether it had to drop some.
const MANY_PACKETS: usize = 32;

/// Errors of one socket in a row after which it is left alone until its next edge.
const ERROR_BUDGET: usize = 8;

/// Announcements sent in one system call.
const ANNOUNCEMENTS: usize = 64;

/// Immediate answers handed to the machine in one go; a machine that always asks for more would
/// otherwise never let go.
const FEEDBACK_BUDGET: usize = 4_096;

/// Rounds of reading what is older than a table before other sources get their turn.
const TABLE_ROUNDS: usize = 16;

/// Changes of the kernel whose answers are fetched as soon as they are sent. More of them take so
/// long that the loop looks at its sockets and timers first.
const FETCHED_AT_ONCE: usize = 32;

/// How near a deadline must be for the log to wait, how long it does, with how many lines, and how
/// many are then written at once.
const NEAR: Span = Span::from_millis(1);
const PATIENCE: Span = Span::from_millis(50);
const NOTES_MAX: usize = 8_192;
const NOTES_AT_ONCE: usize = 32;

/// Octets of a signalfd_siginfo.
const SIGNAL_INFO: usize = 128;

/// A machine that speaks VRRP's vocabulary.
pub(crate) trait VrrpMachine:
    for<'a> Machine<Event<'a> = VrrpEvent<'a>, Action = VrrpAction, Timer = VrrpTimer>
{
    /// What there is to be told about, if it is a whole host.
    fn node(&self) -> Option<&VrrpNode> {
        None
    }
}

impl VrrpMachine for VrrpNode {
    fn node(&self) -> Option<&VrrpNode> {
        Some(self)
    }
}

/// What an executor is given.
pub(crate) struct Setup {
    /// For the names in what is logged.
    pub(crate) bound: Arc<Bound>,
    /// A non-blocking signalfd: SIGTERM and SIGINT stop the machine.
    pub(crate) signals: Option<OwnedFd>,
    /// SIGINT is left to the debugger.
    pub(crate) ignore_sigint: bool,
    /// The talk with the parent; the parent's end stops the machine too.
    pub(crate) parent: Option<Talk>,
    /// Where records are kept.
    pub(crate) memory: Option<Memory>,
}

/// Carries out what the VRRP machine asks for.
pub(crate) struct VrrpExecutor {
    received: ReceiveBatch,
    monitor: Monitor,
    /// For what the netlink sockets do in their own time.
    news_timer: TimerFd,
    news_timer_at: Option<Instant>,
    signals: Option<File>,
    dumps: NodeDumps,
    ignore_sigint: bool,
    answers: Answers,
    parent: Option<Talk>,
    /// None where every reload needs a new process.
    reloads: Option<Reloads>,
    schedule: Option<Schedule>,
    /// News about addresses are logged.
    tells_addresses: bool,
    /// The configuration is logged when it has come into force.
    tells_configuration: bool,
    /// It has to be: the first picture of the kernel is complete, or a reload.
    owes_configuration: bool,
    hands: Hands,
}

/// The part that acts, apart from the buffers that events borrow from.
struct Hands {
    bound: Arc<Bound>,
    registry: Option<Registry>,
    commands: Commands,
    io: VrrpIo,
    arp: ArpIo,
    feedback: VecDeque<Feedback>,
    /// What is to be logged once everything is sent.
    notes: VecDeque<Note>,
    /// When the first of them came.
    notes_since: Instant,
    exit: Option<u8>,
    remembrance: Remembrance,
}

/// An answer that is known as soon as an action is carried out.
enum Feedback {
    Done(Done),
    Socket(SocketId, Result<(), Errno>),
    Unsent(Unsent),
}

impl Feedback {
    fn into_event(self) -> VrrpEvent<'static> {
        match self {
            Self::Done(Done { op, result }) => VrrpEvent::Done { op, result },
            Self::Socket(socket, result) => VrrpEvent::Socket { socket, result },
            Self::Unsent(Unsent {
                instance,
                dst,
                errno,
            }) => VrrpEvent::SendFailed {
                instance,
                dst,
                errno,
            },
        }
    }
}

impl Hands {
    /// Carries out the actions of one call in their order and clears `out`. Packets and changes of
    /// the kernel are only collected: many calls share one system call, see
    /// [`flush`](Self::flush). An advert may overtake changes and announcements that came before
    /// it, and an announcement may be overtaken by additions; apart from that the order is kept.
    fn carry_out(&mut self, out: &mut Out<VrrpAction>) {
        let mut changes = false;
        for action in out.actions() {
            // The adverts of a transition are on the wire before its changes are even encoded.
            if matches!(action, VrrpAction::Kernel { .. }) && !changes {
                changes = true;
                self.flush_adverts();
            }
            match action {
                VrrpAction::SendAdvert {
                    instance,
                    socket,
                    src,
                    dst,
                    hop_limit,
                    packet,
                } => {
                    let advert = Advert {
                        instance: *instance,
                        socket: *socket,
                        src: *src,
                        dst: *dst,
                        hop_limit: *hop_limit,
                    };
                    self.send_advert(advert, out.bytes(*packet));
                }
                VrrpAction::Kernel { op, change } => {
                    // What is announced is not deleted before.
                    let deletes = matches!(change, KernelOp::DelAddress { .. });
                    if self.commands.is_full() || deletes && self.arp.collected() > 0 {
                        self.flush();
                    }
                    let feedback = &mut self.feedback;
                    self.commands.push(*op, change, &mut |done| {
                        feedback.push_back(Feedback::Done(done));
                    });
                }
                VrrpAction::SendGarp { ifindex, frame, .. }
                | VrrpAction::SendNa { ifindex, frame, .. } => {
                    if self.arp.collected() >= ANNOUNCEMENTS {
                        self.flush();
                    }
                    self.arp.push(*ifindex, out.bytes(*frame));
                }
                VrrpAction::OpenSocket {
                    socket,
                    spec,
                    receive_buffer,
                } => self.open_socket(*socket, *spec, *receive_buffer),
                VrrpAction::GrowSocket {
                    socket,
                    receive_buffer,
                } => self.io.grow(*socket, *receive_buffer),
                VrrpAction::CloseSocket(socket) => self.close_socket(*socket),
                VrrpAction::InForce(bound) => self.change_configuration(bound),
                VrrpAction::Note(note) => {
                    if self.notes.is_empty() {
                        self.notes_since = clock::now();
                    }
                    self.notes.push_back(note.clone());
                }
                VrrpAction::Remember { .. } | VrrpAction::Forget { .. } => {
                    self.remembrance.carry_out(action, out);
                }
                VrrpAction::Exit(code) => self.exit = Some(*code),
            }
        }
        out.clear();
    }

    /// What was collected or noted until now speaks of the former numbers and names.
    fn change_configuration(&mut self, bound: &Arc<Bound>) {
        self.flush();
        self.feedback
            .retain(|feedback| !matches!(feedback, Feedback::Unsent(_)));
        for note in self.notes.drain(..) {
            log_note(&self.bound, &note);
        }
        self.bound = Arc::clone(bound);
    }

    fn flush_adverts(&mut self) {
        let Self {
            io,
            feedback,
            remembrance,
            ..
        } = self;
        io.flush(&mut |unsent| {
            remembrance.on_unsent(unsent.instance);
            feedback.push_back(Feedback::Unsent(unsent));
        });
        remembrance.stamp();
    }

    fn send_advert(&mut self, advert: Advert, packet: &[u8]) {
        if self.io.collected() >= SEND_BATCH {
            self.flush_adverts();
        }
        self.remembrance.on_collected(advert.instance);
        let Self {
            io,
            feedback,
            remembrance,
            ..
        } = self;
        io.push(advert, packet, &mut |unsent| {
            remembrance.on_unsent(unsent.instance);
            feedback.push_back(Feedback::Unsent(unsent));
        });
    }

    fn open_socket(&mut self, socket: SocketId, spec: SocketSpec, receive_buffer: u32) {
        self.flush();
        let opened = self.try_open(socket, spec, receive_buffer);
        if opened.is_err() {
            self.io.close(socket);
        }
        let result = opened.map_err(|error| errno_of(&error));
        self.feedback.push_back(Feedback::Socket(socket, result));
    }

    fn try_open(
        &mut self,
        socket: SocketId,
        spec: SocketSpec,
        receive_buffer: u32,
    ) -> io::Result<()> {
        let fd = self.io.open(socket, spec, receive_buffer)?;
        let token = Token(FIRST_SOCKET + socket.0 as usize);
        watch(self.registry.as_ref(), fd, token)
    }

    fn close_socket(&mut self, socket: SocketId) {
        self.flush();
        if let Some((fd, _)) = self.io.get(socket)
            && let Some(registry) = &self.registry
            && let Err(error) = registry.deregister(&mut SourceFd(&fd))
        {
            log::debug!("a socket could not be taken out of the poll: {error}");
        }
        self.io.close(socket);
    }

    /// Sends everything that was collected; adverts first.
    fn flush(&mut self) {
        self.flush_adverts();
        let Self {
            commands,
            arp,
            feedback,
            ..
        } = self;
        commands.flush(&mut |done| feedback.push_back(Feedback::Done(done)));
        arp.flush();
    }

    /// Fetches the answers to a few changes that were just sent: the kernel has carried them out
    /// already, and an address is announced without a turn of the loop in between. Once for each
    /// event: what comes of the answers waits for the next turn.
    fn fetch_answers(&mut self) {
        if !(1..=FETCHED_AT_ONCE).contains(&self.commands.awaited()) {
            return;
        }
        let Self {
            commands, feedback, ..
        } = self;
        let mut done = |done| feedback.push_back(Feedback::Done(done));
        if let Err(error) = commands.read(&mut done) {
            log::debug!("the kernel's answers could not be read: {error}");
        }
    }

    /// Carries out what is in `out`, sends it, and hands immediate answers to the machine until
    /// nothing is left.
    fn settle<M: VrrpMachine>(&mut self, machine: &mut M, out: &mut Out<VrrpAction>, now: Instant) {
        self.act_and_answer(machine, out, now);
        self.tell(machine.next_timeout().map(|(at, _)| at));
    }

    /// Logs what is to be told. Last: whoever waits for the advert or the address does not wait for
    /// the log, nor do those whose deadline is near, for a while.
    fn tell(&mut self, deadline: Option<Instant>) {
        if self.notes.is_empty() {
            return;
        }
        let now = clock::now();
        let near = deadline.is_some_and(|at| at < now + NEAR);
        let patient = self.notes.len() < NOTES_MAX && now - self.notes_since < PATIENCE;
        let count = match near && self.exit.is_none() {
            true if patient => return,
            true => NOTES_AT_ONCE.min(self.notes.len()),
            false => self.notes.len(),
        };
        for note in self.notes.drain(..count) {
            log_note(&self.bound, &note);
        }
    }

    fn act_and_answer<M: VrrpMachine>(
        &mut self,
        machine: &mut M,
        out: &mut Out<VrrpAction>,
        mut now: Instant,
    ) {
        self.carry_out(out);
        self.flush();
        self.fetch_answers();
        for _ in 0..FEEDBACK_BUDGET {
            let Some(feedback) = self.feedback.pop_front() else {
                return;
            };
            // The kernel opens sockets and joins groups under a lock that every network namespace shares,
            // and may have kept us waiting: whether a mastership can be gone on with is asked of the
            // present.
            if matches!(feedback, Feedback::Socket(..)) {
                now = now.max(clock::now());
            }
            machine.handle(feedback.into_event(), now, out);
            self.carry_out(out);
            if self.feedback.is_empty() {
                self.flush();
            }
        }
        log::error!("immediate answers do not come to an end; the rest waits for the next turn");
    }
}

impl VrrpExecutor {
    /// Opens what is needed from the start: two netlink sockets and one for announcements.
    pub(crate) fn new(setup: Setup) -> io::Result<Self> {
        Ok(Self {
            received: ReceiveBatch::new(),
            monitor: Monitor::new(setup.bound.global.netlink_monitor)?,
            news_timer: TimerFd::new()?,
            news_timer_at: None,
            signals: setup.signals.map(File::from),
            dumps: NodeDumps::default(),
            ignore_sigint: setup.ignore_sigint,
            answers: Answers::default(),
            parent: setup.parent,
            schedule: None,
            tells_addresses: false,
            tells_configuration: false,
            owes_configuration: false,
            reloads: None,
            hands: Hands {
                registry: None,
                commands: Commands::new(setup.bound.global.netlink_commands)?,
                bound: setup.bound,
                io: VrrpIo::default(),
                arp: ArpIo::new()?,
                feedback: VecDeque::new(),
                notes: VecDeque::new(),
                notes_since: Instant::ZERO,
                exit: None,
                remembrance: Remembrance::new(setup.memory),
            },
        })
    }

    /// Takes note of what the process knows of itself, for dumps.
    pub(crate) fn set_facts(&mut self, facts: Facts) {
        self.dumps.set_facts(facts);
    }

    /// Reads packets; then tells of those that found no room. A socket that overflowed has at
    /// least a batch to read: the others are not asked.
    fn read_packets<M: VrrpMachine>(
        &mut self,
        socket: SocketId,
        machine: &mut M,
        out: &mut Out<VrrpAction>,
    ) -> Drained {
        let (drained, taken) = self.take_packets(socket, machine, out);
        if taken >= MANY_PACKETS && self.hands.io.take_overflow(socket) {
            let now = clock::now();
            machine.handle(VrrpEvent::PacketsLost { socket }, now, out);
            self.hands.settle(machine, out, now);
        }
        drained
    }

    /// Reads packets, at most a budget of them; says how many.
    fn take_packets<M: VrrpMachine>(
        &mut self,
        socket: SocketId,
        machine: &mut M,
        out: &mut Out<VrrpAction>,
    ) -> (Drained, usize) {
        let (mut taken, mut errors) = (0, 0);
        while taken < PACKET_BUDGET {
            let Some((fd, family)) = self.hands.io.get(socket) else {
                return (Drained::Yes, taken);
            };
            // Before the call: what it returns was there already, and deadlines count from here.
            let now = clock::now();
            let count = match self.received.fill(fd) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return (Drained::Yes, taken);
                }
                Err(error) => {
                    log::debug!("a raw socket could not be read: {error}");
                    errors += 1;
                    if errors == ERROR_BUDGET {
                        return (Drained::Yes, taken);
                    }
                    continue;
                }
            };
            for received in self.received.iter() {
                if let Some(packet) = ingress(family, received) {
                    machine.handle(VrrpEvent::Packet { socket, packet }, now, out);
                    self.hands.carry_out(out);
                }
                if self.hands.io.get(socket).is_none() {
                    break;
                }
            }
            self.hands.settle(machine, out, now);
            taken += count;
            if self.received.ran_dry() {
                return (Drained::Yes, taken);
            }
        }
        (Drained::No, taken)
    }

    fn read_commands<M: VrrpMachine>(
        &mut self,
        machine: &mut M,
        out: &mut Out<VrrpAction>,
    ) -> io::Result<Drained> {
        let Hands {
            commands, feedback, ..
        } = &mut self.hands;
        let drained = commands.read(&mut |done| feedback.push_back(Feedback::Done(done)))?;
        self.hands.settle(machine, out, clock::now());
        Ok(drained)
    }

    /// Answers are read before news: an address is announced when its own answer is in.
    fn read_news<M: VrrpMachine>(
        &mut self,
        machine: &mut M,
        out: &mut Out<VrrpAction>,
    ) -> io::Result<Drained> {
        if self.hands.commands.awaits_answers() {
            self.read_commands(machine, out)?;
        }
        let tells_addresses = self.tells_addresses;
        let Self { monitor, hands, .. } = self;
        let now = clock::now();
        let (mut again, mut whole) = (false, false);
        let drained = monitor.read(&mut |event| {
            if tells_addresses {
                tell_address(&event);
            }
            hands.commands.observe(&event);
            // Results that were lost are made good first, and the machine is given a picture that
            // is younger than they are: it does not wait for echoes that it will not hear.
            if event == KernelEvent::DumpEnd && hands.commands.can_settle_unknown() {
                let feedback = &mut hands.feedback;
                let mut done = |done| feedback.push_back(Feedback::Done(done));
                hands.commands.settle_unknown(&mut done);
                again = true;
                return;
            }
            whole |= event == KernelEvent::DumpEnd;
            machine.handle(VrrpEvent::Kernel(event), now, out);
            hands.carry_out(out);
        })?;
        if again {
            monitor.want_table();
        }
        if monitor.take_made_good() {
            hands.io.rejoin();
        }
        hands.settle(machine, out, now);
        if whole {
            self.show_configuration(machine);
        }
        Ok(drained)
    }

    /// Asks for whole tables if they are wanted and everything that is older has been read: news,
    /// and the answers to changes that the tables will already show.
    fn begin_table<M: VrrpMachine>(
        &mut self,
        machine: &mut M,
        out: &mut Out<VrrpAction>,
    ) -> io::Result<()> {
        if self.hands.commands.take_table_wanted() {
            self.monitor.want_table();
        }
        for _ in 0..TABLE_ROUNDS {
            if !self.monitor.table_is_due(clock::now()) {
                return Ok(());
            }
            let drained = self.read_news(machine, out)?;
            if drained == Drained::No || self.hands.commands.awaits_answers() {
                continue;
            }
            let Self { monitor, hands, .. } = self;
            let now = clock::now();
            monitor.begin_table(now, &mut |event| {
                hands.commands.observe(&event);
                machine.handle(VrrpEvent::Kernel(event), now, out);
                hands.carry_out(out);
            })?;
            hands.settle(machine, out, now);
        }
        // What is older does not come to an end; the rest of this turn may not wait for it.
        self.monitor.put_table_off(clock::now());
        Ok(())
    }

    /// Everything that is waiting is read first: only then can something be missing.
    fn on_news_timer<M: VrrpMachine>(
        &mut self,
        machine: &mut M,
        out: &mut Out<VrrpAction>,
    ) -> io::Result<Drained> {
        self.news_timer_at = None;
        if self.read_news(machine, out)? == Drained::No {
            return Ok(Drained::No);
        }
        let now = clock::now();
        self.monitor.on_time(now);
        self.hands.commands.tell(now);
        Ok(Drained::Yes)
    }

    fn arm_news_timer(&mut self) -> io::Result<()> {
        let wishes = [self.monitor.wake_at(), self.hands.commands.wake_at()];
        let next = wishes.into_iter().flatten().min();
        if next != self.news_timer_at {
            self.news_timer.arm(next)?;
            self.news_timer_at = next;
        }
        Ok(())
    }

    /// Logs the kernel's news about addresses from now on.
    pub(crate) fn tell_addresses(&mut self) {
        self.tells_addresses = true;
    }

    /// Logs the configuration once the kernel's first picture is complete, and after each reload.
    pub(crate) fn tell_configuration(&mut self) {
        self.tells_configuration = true;
        self.owes_configuration = true;
    }

    fn show_configuration<M: VrrpMachine>(&mut self, machine: &M) {
        if let Some(node) = machine.node()
            && std::mem::take(&mut self.owes_configuration)
        {
            let io = &self.hands.io;
            self.dumps
                .log(node, |socket| io.get(socket).map(|(fd, _)| fd));
        }
    }

    /// Lets `schedule` decide what to do about lateness.
    pub(crate) fn run_by(&mut self, schedule: Schedule) {
        self.schedule = Some(schedule);
    }

    fn read_signals<M: VrrpMachine>(
        &mut self,
        machine: &mut M,
        out: &mut Out<VrrpAction>,
    ) -> Drained {
        let mut info = [0; SIGNAL_INFO];
        while let Some(signals) = &mut self.signals {
            match signals.read(&mut info) {
                Ok(SIGNAL_INFO) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Dry, or closed: there is nothing to be had either way.
                Ok(_) | Err(_) => break,
            }
            let [a, b, c, d, ..] = info;
            match u32::from_ne_bytes([a, b, c, d]).cast_signed() {
                libc::SIGINT if self.ignore_sigint => {}
                libc::SIGTERM | libc::SIGINT => self.stop(machine, out),
                libc::SIGXCPU => {
                    if let Some(schedule) = &mut self.schedule {
                        schedule.on_cpu_limit();
                    }
                }
                signal if signal == exec::supervisor::journal() => recorder::write_aside(),
                signal => self.on_other_signal(signal),
            }
        }
        if !self.dumps.has_work() {
            return Drained::Yes;
        }
        self.look_for_dumps(machine, out);
        // A dump goes on in the next turn, as if there were more to read.
        if self.dumps.has_work() {
            Drained::No
        } else {
            Drained::Yes
        }
    }

    /// Looks at a little of the machine for the files that were asked for.
    fn look_for_dumps<M: VrrpMachine>(&mut self, machine: &mut M, out: &mut Out<VrrpAction>) {
        let Some(node) = machine.node() else {
            return self.dumps.forget();
        };
        let io = &self.hands.io;
        let descriptor = |socket| io.get(socket).map(|(fd, _)| fd);
        let clear = self.dumps.step(node, descriptor);
        if let Some((first, count)) = clear {
            let now = clock::now();
            let event = VrrpEvent::Command(Command::ClearStats { first, count });
            machine.handle(event, now, out);
            self.hands.settle(machine, out, now);
        }
    }

    fn stop<M: VrrpMachine>(&mut self, machine: &mut M, out: &mut Out<VrrpAction>) {
        let now = clock::now();
        machine.handle(VrrpEvent::Command(Command::Stop), now, out);
        self.hands.settle(machine, out, now);
    }

    fn on_other_signal(&mut self, signal: i32) {
        match Kind::of_signal(signal) {
            Some(kind) => self.dumps.ask(kind),
            None if signal == libc::SIGHUP => {
                log::info!("SIGHUP (reload) is for the parent process: ignored");
            }
            None => log::info!("an unexpected signal ({signal}): ignored"),
        }
    }

    /// Tells the parent that the configuration is in and signals are heeded.
    pub(crate) fn say_ready(&mut self) {
        if let Some(talk) = &mut self.parent {
            talk.ready();
        }
    }

    fn hear_parent<M: VrrpMachine>(
        &mut self,
        machine: &mut M,
        out: &mut Out<VrrpAction>,
    ) -> Drained {
        while let Some(talk) = &mut self.parent
            && let Some(wish) = talk.next_wish()
        {
            match wish {
                Wish::Prepare { n, text } => {
                    if let Some(reloads) = &mut self.reloads {
                        reloads.prepare(n, text, &self.hands.bound);
                    }
                }
                Wish::Forget { n } => {
                    if let Some(reloads) = &mut self.reloads {
                        reloads.forget(n, &self.hands.bound);
                    }
                }
                Wish::Reload { n, prepared, text } => match &mut self.reloads {
                    Some(reloads) => reloads.ask(n, prepared, text, &self.hands.bound),
                    None => talk.reloaded(n, Outcome::Restart, ""),
                },
                Wish::Ask { n, what } => self.answers.ask(n, &what, talk),
                Wish::Leave => self.on_parent_gone(machine, out),
            }
        }
        // What was prepared may be wanted now.
        self.reload(machine, out);
        if let (Some(node), Some(talk)) = (machine.node(), &self.parent) {
            self.answers.step(node, talk);
        }
        // The rest is looked at in the next turn, as if there were more to read.
        if self.answers.has_work() && self.parent.is_some() {
            Drained::No
        } else {
            Drained::Yes
        }
    }

    /// From now on new configurations are taken in while the machine runs.
    pub(crate) fn take_reloads(&mut self, reloads: Reloads) {
        self.reloads = Some(reloads);
    }

    /// Hands configurations that have been read to the machine.
    fn reload<M: VrrpMachine>(&mut self, machine: &mut M, out: &mut Out<VrrpAction>) {
        while let Some(reloads) = &mut self.reloads
            && let Some(fresh) = reloads.take(&self.hands.bound)
        {
            let number = fresh.n;
            match fresh.result {
                Ok(bound) => {
                    self.save(number, "pre", machine);
                    let now = clock::now();
                    machine.handle(VrrpEvent::Reload { number, bound }, now, out);
                    // Adverts and addresses first, then the log.
                    self.hands.act_and_answer(machine, out, now);
                    for line in fresh.lines {
                        log::info!("{line}");
                    }
                    self.hands.tell(machine.next_timeout().map(|(at, _)| at));
                }
                Err(why) => {
                    log::error!("The configuration in force stays: {why}");
                    if let Some(talk) = &mut self.parent {
                        talk.reloaded(number, Outcome::Failed, &why);
                    }
                }
            }
        }
    }

    /// Answers the parent once a reload is carried out to the end.
    fn end_reload<M: VrrpMachine>(&mut self, machine: &M) {
        if let Some(reloads) = &mut self.reloads
            && let Some(n) = reloads.finished(machine.is_reloading(), &self.hands.bound)
        {
            self.save(n, "post", machine);
            self.owes_configuration = self.tells_configuration;
            self.show_configuration(machine);
            if let Some(talk) = &mut self.parent {
                talk.reloaded(n, Outcome::Applied, "");
            }
        }
    }

    /// `config_save_dir`: the data before and after each reload.
    fn save<M: VrrpMachine>(&self, number: u64, when: &str, machine: &M) {
        let Some(directory) = &self.hands.bound.global.reloading.save_dir else {
            return;
        };
        let pid = std::process::id();
        let name = format!("keepalived_vrrp.{pid}.{number}.{when}");
        let io = &self.hands.io;
        let descriptor = |socket| io.get(socket).map(|(fd, _)| fd);
        if let Some(node) = machine.node() {
            let path = Path::new(directory).join(name);
            self.dumps.save(node, descriptor, path);
        }
    }

    /// The parent does not come back: leave in order, once.
    fn on_parent_gone<M: VrrpMachine>(&mut self, machine: &mut M, out: &mut Out<VrrpAction>) {
        let Some(parent) = self.parent.take() else {
            return;
        };
        log::error!("the parent process is gone; stopping");
        let raw = parent.raw();
        if let Some(registry) = &self.hands.registry
            && let Err(error) = registry.deregister(&mut SourceFd(&raw))
        {
            log::debug!("the parent could not be taken out of the poll: {error}");
        }
        self.stop(machine, out);
    }
}

impl<M: VrrpMachine> Executor<M> for VrrpExecutor {
    fn register(&mut self, registry: &Registry) -> io::Result<()> {
        let registry = self.hands.registry.insert(registry.try_clone()?);
        let mut sources = vec![
            (self.hands.commands.raw(), COMMANDS),
            (self.monitor.raw(), MONITOR),
            (self.news_timer.raw(), NEWS_TIMER),
        ];
        sources.extend(self.signals.iter().map(|fd| (fd.as_raw_fd(), SIGNALS)));
        sources.extend(self.parent.iter().map(|talk| (talk.raw(), PARENT)));
        for (fd, token) in sources {
            watch(Some(registry), fd, token)?;
        }
        if let Some(reloads) = &mut self.reloads {
            reloads.register(registry, RELOAD)?;
        }
        Ok(())
    }

    fn start(&mut self, machine: &mut M, out: &mut Out<VrrpAction>) -> io::Result<()> {
        self.monitor.want_table();
        Executor::<M>::flush(self, machine, out)
    }

    fn class(&self, token: Token) -> Option<Class> {
        match token {
            COMMANDS | MONITOR | NEWS_TIMER => Some(Class::Kernel),
            SIGNALS => self.signals.as_ref().map(|_| Class::Control),
            PARENT => self.parent.as_ref().map(|_| Class::Control),
            RELOAD => self.reloads.as_ref().map(|_| Class::Control),
            Token(_) => {
                let open = self.hands.io.get(socket_of(token)?);
                open.map(|_| Class::Packet)
            }
        }
    }

    fn read(
        &mut self,
        token: Token,
        machine: &mut M,
        out: &mut Out<VrrpAction>,
    ) -> io::Result<Drained> {
        match token {
            COMMANDS => self.read_commands(machine, out),
            MONITOR => self.read_news(machine, out),
            NEWS_TIMER => self.on_news_timer(machine, out),
            SIGNALS => Ok(self.read_signals(machine, out)),
            PARENT => Ok(self.hear_parent(machine, out)),
            RELOAD => {
                self.reload(machine, out);
                Ok(Drained::Yes)
            }
            Token(_) => Ok(match socket_of(token) {
                Some(socket) => self.read_packets(socket, machine, out),
                None => Drained::Yes,
            }),
        }
    }

    fn execute(
        &mut self,
        machine: &mut M,
        out: &mut Out<VrrpAction>,
        now: Instant,
    ) -> io::Result<()> {
        self.hands.settle(machine, out, now);
        Ok(())
    }

    fn resume(&mut self, machine: &mut M, out: &mut Out<VrrpAction>) -> io::Result<()> {
        let now = clock::now();
        machine.handle(VrrpEvent::Continue, now, out);
        self.hands.settle(machine, out, now);
        Ok(())
    }

    fn flush(&mut self, machine: &mut M, out: &mut Out<VrrpAction>) -> io::Result<()> {
        self.begin_table(machine, out)?;
        self.arm_news_timer()?;
        self.end_reload(machine);
        // The turn is done: the loop is alive.
        if let Some(talk) = &mut self.parent {
            talk.answer();
        }
        if !self.hands.feedback.is_empty() {
            self.hands.settle(machine, out, clock::now());
        }
        self.hands.tell(machine.next_timeout().map(|(at, _)| at));
        if let Some(schedule) = &mut self.schedule {
            schedule.rest();
        }
        Ok(())
    }

    fn on_late(&mut self, by: Span) {
        if let Some(schedule) = &mut self.schedule {
            schedule.on_late(by);
        }
    }

    fn is_orphan(&self) -> bool {
        self.parent.as_ref().is_some_and(Talk::is_orphan)
    }

    fn exit_code(&self) -> Option<u8> {
        self.hands.exit
    }
}

fn tell_address(event: &KernelEvent<'_>) {
    let (key, what) = match event {
        KernelEvent::Address { key, .. } => (key, "is there"),
        KernelEvent::AddressGone { key } => (key, "is gone"),
        KernelEvent::DumpStart
        | KernelEvent::DumpEnd
        | KernelEvent::Link(_)
        | KernelEvent::LinkGone { .. } => return,
    };
    let number = key.ifindex.0;
    let name = interfaces::name_of(number).unwrap_or_else(|| format!("interface {number}"));
    log::info!("Address {}/{} on {name} {what}", key.addr, key.prefix);
}

fn watch(registry: Option<&Registry>, fd: RawFd, token: Token) -> io::Result<()> {
    let registry = registry.ok_or(io::ErrorKind::NotConnected)?;
    registry.register(&mut SourceFd(&fd), token, Interest::READABLE)
}

fn socket_of(token: Token) -> Option<SocketId> {
    let number = token.0.checked_sub(FIRST_SOCKET)?;
    u32::try_from(number).ok().map(SocketId)
}

fn log_note(bound: &Bound, note: &Note) {
    let level = match note.level() {
        Level::Error => log::Level::Error,
        Level::Warning => log::Level::Warn,
        Level::Info => log::Level::Info,
        Level::Detail => log::Level::Debug,
    };
    log::log!(level, "{}", Rendered { bound, note });
}

#[cfg(test)]
#[path = "vrrp_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "quiet_tests.rs"]
mod quiet_tests;
