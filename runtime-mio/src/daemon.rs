//! The one loop that every process of the daemon runs: a machine of the core, an executor that
//! carries its actions out, one `epoll_wait`.
//!
//! A turn: arm the timerfd if it would fire too late, wait, read what is ready (the kernel's
//! messages first, then packets, then the rest), act on due deadlines. What the machine wants done
//! is done after *every* event. mio reports readiness by edge, so a source whose budget was spent
//! before it ran dry stays on a list of its own, or its wake-up would be lost.

use std::io;

use mio::{Events, Interest, Poll, Registry, Token, unix::SourceFd};
use relevo_core::machine::{Machine, Out};
use relevo_core::time::{Duration, Instant};

use crate::sys::timerfd::TimerFd;
use crate::{clock, exit};

/// Order of service within a turn.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Class {
    /// Answers and news of the kernel (netlink).
    Kernel,
    /// Packets of the protocol.
    Packet,
    /// Signals, children, the parent.
    Control,
}

const CLASSES: [Class; 3] = [Class::Kernel, Class::Packet, Class::Control];

/// Whether a source has run dry.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Drained {
    /// Read to EAGAIN: the next edge will tell.
    Yes,
    /// The turn's budget is spent and more may be there.
    No,
}

/// Looks at the sockets before a timer that a packet could make moot: more than any receive buffer
/// holds, and not for ever under a flood.
const LOOKS: usize = 64;

/// Waits for a packet that are shorter than this, so many times in a row, are a burst: a foreign
/// master's adverts for a thousand virtual routers, sent one by one, or a flood.
const BURST_GAP: Duration = Duration::from_micros(500);
const BURST: u8 = 3;

/// How long a burst may gather in the socket before it is read in one go, which saves many wake-ups:
/// a small part of the time to the next deadline, for by so much the timers that its packets set may
/// be late.
const GATHER_MAX: Duration = Duration::from_millis(2);
const GATHER_MIN: Duration = Duration::from_micros(200);
const GATHER_PART: u64 = 256;

/// Later than any process is that has merely been busy.
const STOOD_STILL: Duration = Duration::from_secs(1);

/// Token of the loop's own timerfd; executors number theirs from 1.
const TIMER: Token = Token(0);

/// Carries out the actions of `M` and brings it what happens outside.
pub(crate) trait Executor<M: Machine> {
    /// Registers the sources that exist from the start and keeps a clone of the registry for those
    /// that come and go. Tokens are numbered from 1.
    fn register(&mut self, registry: &Registry) -> io::Result<()>;

    /// Called once before the first wait: delivers what the machine must know to start.
    fn start(&mut self, machine: &mut M, out: &mut Out<M::Action>) -> io::Result<()>;

    /// The class of `token`, or `None` if it is no longer registered.
    fn class(&self, token: Token) -> Option<Class>;

    /// Reads `token` until it is dry or the budget is spent; hands each event to the machine and
    /// carries out what comes of it.
    fn read(
        &mut self,
        token: Token,
        machine: &mut M,
        out: &mut Out<M::Action>,
    ) -> io::Result<Drained>;

    /// Carries out what is in `out`, hands immediate answers back to the machine, until nothing is
    /// left; `out` is clear afterwards.
    fn execute(
        &mut self,
        machine: &mut M,
        out: &mut Out<M::Action>,
        now: Instant,
    ) -> io::Result<()>;

    /// Delivers the machine's `Continue` event.
    fn resume(&mut self, machine: &mut M, out: &mut Out<M::Action>) -> io::Result<()>;

    /// Work that may be put off to the end of a turn, such as sending collected packets.
    fn flush(&mut self, machine: &mut M, out: &mut Out<M::Action>) -> io::Result<()>;

    /// A deadline is acted on `by` so much too late.
    fn on_late(&mut self, _by: Duration) {}

    /// The process that this one works for is gone. Asked only after this one has stood still.
    fn is_orphan(&self) -> bool {
        false
    }

    /// The exit code, once the machine is done.
    fn exit_code(&self) -> Option<u8>;
}

/// Runs `machine` until it is done; returns the process's exit code.
pub(crate) fn run<M: Machine, E: Executor<M>>(machine: &mut M, executor: &mut E) -> io::Result<u8> {
    let mut turns = Turns::new()?;
    let mut out = Out::new();
    executor.register(turns.poll.registry())?;
    executor.start(machine, &mut out)?;
    loop {
        executor.flush(machine, &mut out)?;
        if let Some(code) = executor.exit_code() {
            return Ok(code);
        }
        let wait = turns.wait(machine.more(), machine.next_timeout().map(|(at, _)| at))?;
        if stood_still(machine) && executor.is_orphan() {
            // Somebody else may have begun in our place long ago: whatever we did now, a farewell too,
            // would be done to that one.
            log::error!("The parent process ended while this one stood still: nothing is touched");
            return Ok(exit::PROGRAM);
        }
        let packet = |token: &Token| executor.class(*token) == Some(Class::Packet);
        let packets_only = !turns.ready.is_empty() && turns.ready.iter().all(packet);
        turns.on_waited(wait, packets_only);
        turns.serve(machine, executor, &mut out)?;
        let mut now = clock::now();
        if machine.next_timeout().is_some_and(|(at, _)| at <= now) {
            // One reading of the clock for the question and the act: a deadline that passes between
            // two would be acted on without that look.
            if machine.packets_first(now) {
                turns.serve_packets(machine, executor, &mut out)?;
                now = clock::now();
            }
            if let Some((at, _)) = machine.next_timeout() {
                executor.on_late(now - at);
            }
            machine.handle_timeout(now, &mut out);
            executor.execute(machine, &mut out, now)?;
            debug_assert!(machine.more() || machine.next_timeout().is_none_or(|(at, _)| at > now));
        }
        if machine.more() {
            executor.resume(machine, &mut out)?;
        }
    }
}

/// True if this process got no processor time for so long that a deadline is long past.
fn stood_still<M: Machine>(machine: &M) -> bool {
    let next = machine.next_timeout();
    next.is_some_and(|(at, _)| clock::now() >= at + STOOD_STILL)
}

/// The poll, its timer, and the sources that still have something to read.
struct Turns {
    poll: Poll,
    events: Events,
    timer: TimerFd,
    armed: Option<Instant>,
    ready: Vec<Token>,
    /// How many of the last waits were short and brought packets alone.
    short_waits: u8,
}

impl Turns {
    fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let timer = TimerFd::new()?;
        poll.registry()
            .register(&mut SourceFd(&timer.raw()), TIMER, Interest::READABLE)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(256),
            timer,
            armed: None,
            ready: Vec::new(),
            short_waits: 0,
        })
    }

    /// Re-arms the timerfd only when it would fire too late. A deadline that has moved away, as a
    /// backup's does with every advert, costs one idle wake-up when the old one comes, and no
    /// system call before. The timerfd is never read: arming it again makes a new edge.
    fn arm(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        if let Some(at) = deadline
            && self.armed.is_none_or(|armed| at < armed)
        {
            self.timer.arm(deadline)?;
            self.armed = deadline;
        }
        Ok(())
    }

    /// Waits for the next event or the deadline, or only looks if there is work waiting already.
    /// Returns how long it took.
    fn wait(&mut self, work_waits: bool, deadline: Option<Instant>) -> io::Result<Duration> {
        let look_only = work_waits || !self.ready.is_empty();
        if !look_only {
            self.gather(deadline);
            self.arm(deadline)?;
        }
        let begin = clock::now();
        let timeout = look_only.then_some(std::time::Duration::ZERO);
        #[cfg(test)]
        crate::sys::counting::note_call("epoll_wait");
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let wait = clock::now() - begin;
        for event in &self.events {
            if event.token() == TIMER {
                // Expired: whatever is next must be armed.
                self.armed = None;
            } else if !self.ready.contains(&event.token()) {
                self.ready.push(event.token());
            }
        }
        self.events.clear();
        Ok(wait)
    }

    /// In a burst of packets, lets some more of them come before the next look: one wake-up then
    /// serves many. Never beyond a deadline.
    fn gather(&self, deadline: Option<Instant>) {
        if self.short_waits < BURST {
            return;
        }
        let left = deadline.map_or(Duration::from_secs(1), |at| at - clock::now());
        let span = Duration::from_micros(left.as_micros() / GATHER_PART).min(GATHER_MAX);
        if span >= GATHER_MIN {
            crate::sys::nap(span);
        }
    }

    /// Takes note of a wait of this length. Anything else than packets ends a burst: nobody else
    /// is to wait for one.
    fn on_waited(&mut self, wait: Duration, packets_only: bool) {
        self.short_waits = if packets_only && wait < BURST_GAP {
            self.short_waits.saturating_add(1)
        } else {
            0
        };
    }

    /// Looks again, and reads packets until none is waiting, whatever the budget of a turn.
    fn serve_packets<M: Machine, E: Executor<M>>(
        &mut self,
        machine: &mut M,
        executor: &mut E,
        out: &mut Out<M::Action>,
    ) -> io::Result<()> {
        for _ in 0..LOOKS {
            self.wait(true, None)?;
            self.serve(machine, executor, out)?;
            let packet = |token: &Token| executor.class(*token) == Some(Class::Packet);
            if !self.ready.iter().any(packet) {
                break;
            }
        }
        Ok(())
    }

    fn serve<M: Machine, E: Executor<M>>(
        &mut self,
        machine: &mut M,
        executor: &mut E,
        out: &mut Out<M::Action>,
    ) -> io::Result<()> {
        for class in CLASSES {
            let mut index = 0;
            while let Some(&token) = self.ready.get(index) {
                match executor.class(token) {
                    None => {
                        self.ready.swap_remove(index);
                    }
                    Some(of) if of == class => match executor.read(token, machine, out)? {
                        Drained::Yes => drop(self.ready.swap_remove(index)),
                        Drained::No => index += 1,
                    },
                    Some(_) => index += 1,
                }
            }
        }
        Ok(())
    }
}
