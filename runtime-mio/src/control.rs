//! The control socket of the parent: who may ask, how much, and for how long.
//!
//! Nothing here waits. A client that says nothing, or does not read, is left after a while; when
//! all places are taken, the one that has been silent the longest makes room.

pub(crate) mod place;
pub(crate) mod protocol;

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use mio::{Interest, Registry, Token, unix::SourceFd};
use relevo_core::time::{Duration, Instant};

use crate::daemon::Drained;
use crate::sys::socket;
use crate::sys::timerfd::TimerFd;
use place::Place;
use protocol::{GREETING, Misread, REQUEST_MAX, Request};

/// Clients at a time.
const CLIENTS: usize = 8;
/// How long a client may say nothing, or leave what it asked for unread.
const PATIENCE: Duration = Duration::from_secs(10);
/// Clients let in, and octets written to one, before other sources get their turn.
const ACCEPTED: usize = 16;
const WRITTEN: usize = 256 << 10;

/// The socket and its clients.
#[derive(Debug)]
pub(crate) struct Control {
    place: Place,
    clients: [Option<Client>; CLIENTS],
    timer: TimerFd,
    armed: Option<Instant>,
    /// The next client's number.
    next: u64,
    /// The token of the socket; those of the timer and of the clients follow.
    first: usize,
}

/// A client, by a number that none had before.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct ClientId(u64);

#[derive(Debug)]
struct Client {
    id: ClientId,
    stream: UnixStream,
    received: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    /// Its request is being worked on: the client is to wait, and so are we.
    is_busy: bool,
    /// What is to be written is the answer.
    is_answered: bool,
    /// A turn's budget was too small for what is to be written.
    is_held: bool,
    /// When something was last heard of it.
    heard: Instant,
}

/// Tokens that the control socket takes.
pub(crate) const TOKENS: usize = CLIENTS + 2;

impl Control {
    /// Takes the socket's place; tokens are numbered from `first`.
    pub(crate) fn open(place: Place, first: usize) -> io::Result<Self> {
        Ok(Self {
            place,
            clients: std::array::from_fn(|_| None),
            timer: TimerFd::new()?,
            armed: None,
            next: 0,
            first,
        })
    }

    /// Registers what exists from the start.
    pub(crate) fn register(&self, registry: &Registry) -> io::Result<()> {
        let fds = [self.place.listener().as_raw_fd(), self.timer.raw()];
        for (fd, token) in fds.iter().zip(self.first..) {
            registry.register(&mut SourceFd(fd), Token(token), Interest::READABLE)?;
        }
        Ok(())
    }

    /// Does what `token` is ready for; what is asked goes to `requests`.
    pub(crate) fn read(
        &mut self,
        token: Token,
        registry: &Registry,
        now: Instant,
        requests: &mut Vec<(ClientId, Request)>,
    ) -> Drained {
        let drained = match token.0.wrapping_sub(self.first) {
            0 => self.accept(registry, now),
            1 => {
                self.armed = None;
                self.on_time(now);
                Drained::Yes
            }
            slot => {
                let place = self.clients.get_mut(slot - 2).and_then(Option::as_mut);
                let id = place.map(|client| client.id);
                self.with_each(|client| match Some(client.id) == id {
                    true => client.serve(now, requests),
                    false => Ok(()),
                });
                Drained::Yes
            }
        };
        self.arm();
        drained
    }

    fn accept(&mut self, registry: &Registry, now: Instant) -> Drained {
        for _ in 0..ACCEPTED {
            match self.place.listener().accept() {
                Ok((stream, _)) => {
                    if let Err(error) = self.welcome(stream, registry, now) {
                        log::debug!("a client of the control socket was lost: {error}");
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Drained::Yes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Out of descriptors, for instance: the next edge may find a better world.
                Err(error) => {
                    log::warn!("a client of the control socket was not let in: {error}");
                    return Drained::Yes;
                }
            }
        }
        Drained::No
    }

    fn welcome(&mut self, stream: UnixStream, registry: &Registry, now: Instant) -> io::Result<()> {
        let uid = socket::peer_uid(stream.as_raw_fd())?;
        if !may_ask(uid) {
            log::warn!("Control socket: user {uid} was turned away");
            return Ok(());
        }
        stream.set_nonblocking(true)?;
        let Some(slot) = self.make_room() else {
            log::warn!(
                "Control socket: {CLIENTS} clients wait for answers; another was turned away"
            );
            return Ok(());
        };
        let fd = stream.as_raw_fd();
        let token = Token(self.first + 2 + slot);
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut SourceFd(&fd), token, interest)?;
        let id = ClientId(self.next);
        self.next += 1;
        let client = Client {
            id,
            stream,
            received: Vec::new(),
            output: GREETING.as_bytes().to_vec(),
            sent: 0,
            is_busy: false,
            is_answered: false,
            is_held: false,
            heard: now,
        };
        // The edge that comes with registering it brings the greeting out.
        self.clients[slot] = Some(client);
        Ok(())
    }

    /// An empty place, or that of the client that has been silent the longest and waits for nothing.
    fn make_room(&mut self) -> Option<usize> {
        if let Some(slot) = self.clients.iter().position(Option::is_none) {
            return Some(slot);
        }
        let idle = |slot: &usize| {
            let client = self.clients.get(*slot).and_then(Option::as_ref)?;
            (!client.is_busy).then_some((client.heard, client.id.0))
        };
        let slot = (0..CLIENTS)
            .filter(|slot| idle(slot).is_some())
            .min_by_key(idle)?;
        // Closing it takes it out of the poll.
        self.clients[slot] = None;
        Some(slot)
    }

    /// Answers a request. A client that is gone by now gets nothing.
    pub(crate) fn answer(&mut self, id: ClientId, answer: Result<&[u8], &[u8]>, now: Instant) {
        self.with_each(|client| match client.id == id {
            true => client.answer(answer, now),
            false => Ok(()),
        });
        self.arm();
    }

    /// Does something with each client, and leaves those of which there is an error.
    fn with_each(&mut self, mut act: impl FnMut(&mut Client) -> io::Result<()>) {
        for place in &mut self.clients {
            if place.as_mut().is_some_and(|client| act(client).is_err()) {
                // Closing it takes it out of the poll.
                *place = None;
            }
        }
    }

    /// Goes on with long answers and leaves clients that have been silent for too long.
    fn on_time(&mut self, now: Instant) {
        self.with_each(|client| match client.ends() {
            Some(_) if client.is_held => client.write(now),
            Some(at) if at <= now => Err(io::ErrorKind::TimedOut.into()),
            Some(_) | None => Ok(()),
        });
    }

    fn arm(&mut self) {
        let next = self.clients.iter().flatten().filter_map(Client::ends).min();
        // One that fires too early costs a wake-up, and only while somebody asks.
        if let Some(at) = next
            && self.armed.is_none_or(|armed| at < armed)
        {
            match self.timer.arm(next) {
                Ok(()) => self.armed = next,
                Err(error) => log::debug!("the timer of the control socket: {error}"),
            }
        }
    }
}

impl Client {
    /// When it is left, or written to again.
    fn ends(&self) -> Option<Instant> {
        let waits = self.is_busy && self.output.is_empty();
        match self.is_held {
            true => Some(Instant::ZERO),
            false => (!waits).then(|| self.heard + PATIENCE),
        }
    }

    /// Writes, reads, takes the request; an error means that it is to be left.
    fn serve(&mut self, now: Instant, requests: &mut Vec<(ClientId, Request)>) -> io::Result<()> {
        self.write(now)?;
        let has_ended = self.listen(now)?;
        if self.is_busy && has_ended {
            // One that only has no more to say still reads; one that is gone gives its place up.
            let _nothing = self.stream.write(&[])?;
        }
        if self.is_busy || self.is_answered {
            return Ok(());
        }
        match protocol::take_request(&mut self.received) {
            Some(Ok(request)) => {
                self.is_busy = true;
                requests.push((self.id, request));
                Ok(())
            }
            Some(Err(Misread::TooLong)) => self.answer(Err(b"the request is too long\n"), now),
            Some(Err(Misread::Unknown)) => self.answer(Err(b"unknown request\n"), now),
            None if has_ended => Err(io::ErrorKind::UnexpectedEof.into()),
            None => Ok(()),
        }
    }

    fn answer(&mut self, answer: Result<&[u8], &[u8]>, now: Instant) -> io::Result<()> {
        self.is_busy = false;
        self.is_answered = true;
        self.heard = now;
        protocol::put_answer(&mut self.output, answer);
        self.write(now)
    }

    /// Reads what fits: a request, and no more is asked for. True at the end of what it says; a
    /// client that is gone altogether shows when it is written to.
    fn listen(&mut self, now: Instant) -> io::Result<bool> {
        let mut buffer = [0; REQUEST_MAX];
        while self.received.len() < REQUEST_MAX {
            let room = REQUEST_MAX - self.received.len();
            match self.stream.read(buffer.get_mut(..room).unwrap_or_default()) {
                Ok(0) => return Ok(true),
                Ok(count) => {
                    self.heard = now;
                    let read = buffer.get(..count).unwrap_or_default();
                    self.received.extend_from_slice(read);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Writes as much as goes, within the budget of a turn. Done with all of an answer, it is an
    /// error: there is nothing more to do.
    fn write(&mut self, now: Instant) -> io::Result<()> {
        self.is_held = false;
        let budget = self.sent + WRITTEN;
        while let Some(rest) = self.output.get(self.sent..budget.min(self.output.len()))
            && !rest.is_empty()
        {
            match self.stream.write(rest) {
                Ok(count) => {
                    self.heard = now;
                    self.sent += count;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.is_held = self.sent < self.output.len();
        if !self.is_held {
            self.output = Vec::new();
            self.sent = 0;
            if self.is_answered {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
        Ok(())
    }
}

/// Root, and whoever the daemon itself is.
fn may_ask(uid: u32) -> bool {
    uid == 0 || uid == crate::sys::process::user()
}

#[cfg(test)]
mod tests;
