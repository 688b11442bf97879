//! Two rtnetlink sockets: one that changes are sent on and that brings their results, one that
//! brings news and whole tables.

use std::collections::VecDeque;
use std::io::{self, Cursor};
use std::os::fd::{AsRawFd, RawFd};

use neli::consts::socket::{Msg, NlFamily};
use neli::socket::NlSocket;
use neli::utils::Groups;
use relevo_core::config::bound::ReceiveBuffer;
use relevo_core::ids::{Errno, OpId};
use relevo_core::kernel::{AddressKey, KernelEvent, KernelOp};
use relevo_core::time::Instant;

use super::pace::{Losses, Pace};
use super::picture::{Next, Picture, Telling};
use super::route::{self, Malformed, Meaning, Message, Table};
use crate::clock;
use crate::daemon::Drained;
use crate::sys::socket::{Buffer, get_int, grow_buffer, receive_netlink, set_buffer, set_int};

/// Changes in one datagram: more does not make them cheaper, and their answers need room.
const BATCH: usize = 200;

/// Octets of the receive buffer for each change that awaits its answer: a refusal takes about 1 KiB.
const ROOM_FOR_ANSWER: usize = 2 << 10;

/// Octets of the receive buffers at first, and at most after overruns.
const RECEIVE_BUFFER: u32 = 4 << 20;
const RECEIVE_BUFFER_MAX: u32 = 64 << 20;

/// Octets of the send buffer: room for a batch, whatever the system's default.
const SEND_BUFFER: u32 = 1 << 20;

/// Octets of the longest datagram: the kernel fills at most 32 KiB.
const DATAGRAM: usize = 64 << 10;

/// Datagrams read before other sources get their turn.
const BUDGET: usize = 64;

/// Times in a row that the kernel may refuse to tell a table for a reason that does not go by.
const TABLE_ATTEMPTS: u32 = 16;

/// Errors of a table that go by: no room now, or an older table is still being told.
const PASSING: [i32; 5] = [
    libc::ENOBUFS,
    libc::ENOMEM,
    libc::EBUSY,
    libc::EAGAIN,
    libc::EINTR,
];

/// rtnetlink's multicast groups: links, IPv4 addresses, IPv6 addresses.
const GROUPS: [u32; 3] = [1, 5, 9];

fn open(groups: &[u32], receive: ReceiveBuffer) -> io::Result<NlSocket> {
    let socket = NlSocket::connect(NlFamily::Route, None, Groups::new_groups(groups))?;
    socket.nonblock()?;
    match receive.octets {
        None => grow_buffer(socket.as_raw_fd(), Buffer::Receive, RECEIVE_BUFFER)?,
        Some(octets) => set_buffer(socket.as_raw_fd(), Buffer::Receive, octets, receive.force)?,
    }
    grow_buffer(socket.as_raw_fd(), Buffer::Send, SEND_BUFFER)?;
    Ok(socket)
}

/// What came out of one look at a socket.
enum Look {
    /// So many octets of the buffer.
    Datagram(usize),
    /// Not from the kernel.
    Foreign,
    /// Messages were lost.
    Lost,
    /// Nothing is waiting.
    Dry,
}

fn look(socket: &NlSocket, buffer: &mut [u8]) -> io::Result<Look> {
    match receive_netlink(socket.as_raw_fd(), buffer) {
        Ok(datagram) if !datagram.from_kernel => Ok(Look::Foreign),
        Ok(datagram) if datagram.truncated => Ok(Look::Lost),
        Ok(datagram) => Ok(Look::Datagram(datagram.len)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Look::Dry),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Look::Foreign),
        Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => Ok(Look::Lost),
        Err(error) => Err(error),
    }
}

/// The result of one change.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Done {
    pub(crate) op: OpId,
    pub(crate) result: Result<(), Errno>,
}

/// A change whose answer is awaited.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Sent {
    seq: u32,
    op: OpId,
    key: AddressKey,
    adding: bool,
}

/// The socket for changes.
///
/// The kernel carries a datagram of requests out while it is being sent, one after the other, so
/// that when `send` returns every answer is waiting, or was lost for want of room. A failure is
/// always answered; success only where it is asked for, which is at the last of a datagram: what
/// comes before it and was not refused has succeeded too.
pub(crate) struct Commands {
    socket: NlSocket,
    buffer: Box<[u8]>,
    batch: Cursor<Vec<u8>>,
    batched: usize,
    /// Where the last change of the batch begins.
    last_at: usize,
    outstanding: VecDeque<Sent>,
    /// Changes whose answers were lost, and whether the table names their address.
    unknown: Vec<(Sent, bool)>,
    lost: bool,
    losses: Losses,
    table_wanted: bool,
    last_seq: u32,
    /// Changes for whose answers there is room, even if every one is refused.
    room: usize,
}

impl Commands {
    pub(crate) fn new(receive: ReceiveBuffer) -> io::Result<Self> {
        let socket = open(&[], receive)?;
        let room = get_int(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF)?;
        let room = room.unsigned_abs() as usize / ROOM_FOR_ANSWER;
        // A refusal need not repeat what was refused.
        let (level, name) = (libc::SOL_NETLINK, libc::NETLINK_CAP_ACK);
        set_int(socket.as_raw_fd(), level, name, 1)?;
        Ok(Self {
            socket,
            buffer: vec![0; DATAGRAM].into_boxed_slice(),
            batch: Cursor::new(Vec::new()),
            batched: 0,
            last_at: 0,
            outstanding: VecDeque::new(),
            unknown: Vec::new(),
            lost: false,
            losses: Losses::default(),
            table_wanted: false,
            last_seq: 0,
            room: room.max(1),
        })
    }

    pub(crate) fn raw(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Collects a change. A result that is known at once goes into `done`.
    pub(crate) fn push(&mut self, op: OpId, change: &KernelOp, done: &mut impl FnMut(Done)) {
        self.last_seq = self.last_seq.wrapping_add(1);
        let seq = self.last_seq;
        let start = self.batch.get_ref().len();
        if let Err(errno) = route::encode_change(&mut self.batch, seq, change) {
            let result = Err(errno);
            return done(Done { op, result });
        }
        let (key, adding) = match change {
            KernelOp::AddAddress { key, .. } => (*key, true),
            KernelOp::DelAddress { key } => (*key, false),
        };
        self.outstanding.push_back(Sent {
            seq,
            op,
            key,
            adding,
        });
        self.batched += 1;
        self.last_at = start;
    }

    /// True when it is time to [`flush`](Self::flush).
    pub(crate) fn is_full(&self) -> bool {
        self.batched >= self.room.min(BATCH)
    }

    /// True while answers to changes that were sent are waiting.
    pub(crate) fn awaits_answers(&self) -> bool {
        self.awaited() > 0
    }

    /// Number of changes that were sent and are not answered.
    pub(crate) fn awaited(&self) -> usize {
        self.outstanding.len() - self.batched
    }

    /// Sends what was collected.
    pub(crate) fn flush(&mut self, done: &mut impl FnMut(Done)) {
        if self.batched == 0 {
            return;
        }
        if self.outstanding.len() > self.room {
            // Make room before more is asked for.
            while let Ok(Drained::No) = self.read(done) {}
        }
        if let Some(last) = self.batch.get_mut().get_mut(self.last_at..) {
            route::ask_for_answer(last);
        }
        let sent = self.socket.send(self.batch.get_ref(), Msg::empty());
        self.batch.get_mut().clear();
        self.batch.set_position(0);
        let count = std::mem::take(&mut self.batched);
        if let Err(error) = sent {
            // Refused as a whole: none of it was carried out.
            let result = Err(errno_of(&error));
            let kept = self.outstanding.len().saturating_sub(count);
            for Sent { op, .. } in self.outstanding.drain(kept..) {
                done(Done { op, result });
            }
        }
    }

    /// Reads answers.
    pub(crate) fn read(&mut self, done: &mut impl FnMut(Done)) -> io::Result<Drained> {
        for _ in 0..BUDGET {
            let len = match look(&self.socket, &mut self.buffer)? {
                Look::Datagram(len) => len,
                Look::Foreign => continue,
                Look::Lost => {
                    self.lost = true;
                    continue;
                }
                Look::Dry => {
                    self.give_up_lost();
                    return Ok(Drained::Yes);
                }
            };
            let Self {
                buffer,
                outstanding,
                lost,
                ..
            } = self;
            for message in route::messages(buffer.get(..len).unwrap_or_default()) {
                answer(message, outstanding, *lost, done);
            }
        }
        Ok(Drained::No)
    }

    /// After a loss and with nothing waiting, what was sent and not answered never will be.
    fn give_up_lost(&mut self) {
        if !std::mem::take(&mut self.lost) {
            return;
        }
        let sent = self.outstanding.len().saturating_sub(self.batched);
        if sent > 0 {
            self.losses.add(sent as u64, clock::now());
        }
        let unknown = self.outstanding.drain(..sent).map(|sent| (sent, false));
        self.table_wanted |= sent > 0;
        self.unknown.extend(unknown);
    }

    /// True, once, after answers were lost: only a whole table can tell the results.
    pub(crate) fn take_table_wanted(&mut self) -> bool {
        std::mem::take(&mut self.table_wanted)
    }

    /// Follows what the table says of the changes whose answers were lost.
    pub(crate) fn observe(&mut self, event: &KernelEvent<'_>) {
        let (named, is_there) = match event {
            KernelEvent::DumpStart => {
                self.unknown
                    .iter_mut()
                    .for_each(|(_, there)| *there = false);
                return;
            }
            KernelEvent::Address { key, .. } => (key, true),
            KernelEvent::AddressGone { key } => (key, false),
            KernelEvent::DumpEnd | KernelEvent::Link(_) | KernelEvent::LinkGone { .. } => return,
        };
        for (sent, there) in &mut self.unknown {
            if sent.key == *named {
                *there = is_there;
            }
        }
    }

    /// True if tables that are complete now can tell the results that were lost: they were asked
    /// for after the loss.
    pub(crate) fn can_settle_unknown(&self) -> bool {
        !self.unknown.is_empty() && !self.table_wanted
    }

    /// When there is something to be told that [`tell`](Self::tell) would tell.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.losses.tell_at()
    }

    /// Tells what was lost, if that is due.
    pub(crate) fn tell(&mut self, now: Instant) {
        if let Some(count) = self.losses.take(now) {
            log::warn!(
                "the kernel's answers to {count} changes of addresses were lost for want of room \
                 (vrrp_netlink_cmd_rcv_bufs); all addresses were read again"
            );
        }
    }

    /// Answers the changes whose answers were lost.
    pub(crate) fn settle_unknown(&mut self, done: &mut impl FnMut(Done)) {
        self.losses.on_made_good();
        for (sent, there) in self.unknown.drain(..) {
            let carried_out = sent.adding == there;
            done(Done {
                op: sent.op,
                result: carried_out.then_some(()).ok_or(Errno(libc::ENOBUFS)),
            });
        }
    }
}

/// Takes one answer in. Requests are carried out in their order and each failure is answered, so
/// those before this one have succeeded, unless answers were `lost`: then nobody knows.
fn answer(
    message: Result<Message<'_>, Malformed>,
    outstanding: &mut VecDeque<Sent>,
    lost: bool,
    done: &mut impl FnMut(Done),
) {
    let Ok(message) = message else {
        log::debug!("a malformed answer from the kernel was skipped");
        return;
    };
    let Ok(Meaning::Answer(result)) = message.decode() else {
        return;
    };
    let Some(position) = outstanding.iter().position(|sent| sent.seq == message.seq) else {
        return;
    };
    if !lost {
        for Sent { op, .. } in outstanding.drain(..position) {
            done(Done { op, result: Ok(()) });
        }
    }
    let answered = if lost { position } else { 0 };
    if let Some(Sent { op, .. }) = outstanding.remove(answered) {
        done(Done { op, result });
    }
}

/// What a datagram of answers tells of changes that were sent under the numbers `seqs`, the
/// operation being the position; returns how many still await one. For the fuzz targets.
pub(crate) fn settle(seqs: &[u32], datagram: &[u8], done: &mut impl FnMut(Done)) -> usize {
    let key = AddressKey {
        ifindex: relevo_core::ids::IfIndex(1),
        addr: std::net::Ipv4Addr::LOCALHOST.into(),
        prefix: 32,
    };
    let sent = |(index, seq): (usize, &u32)| Sent {
        seq: *seq,
        op: OpId(index as u64),
        key,
        adding: true,
    };
    let mut outstanding = seqs.iter().enumerate().map(sent).collect();
    for message in route::messages(datagram) {
        answer(message, &mut outstanding, false, done);
    }
    outstanding.len()
}

/// The error number of a failed system call.
pub(crate) fn errno_of(error: &io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(libc::EIO))
}

/// The socket for news.
///
/// Whole tables are asked for on the same socket, so that they and the news come in one order. A
/// table must be asked for only when the socket is dry: after an overrun the kernel drops news,
/// without saying so again, until everything that was waiting has been read. Rows of a table are
/// never dropped, so a picture is complete even if news were lost meanwhile; it is only followed by
/// another.
pub(crate) struct Monitor {
    socket: NlSocket,
    buffer: Box<[u8]>,
    request: Cursor<Vec<u8>>,
    picture: Picture,
    refusals: u32,
    seq: u32,
    pace: Pace,
    losses: Losses,
    /// News were lost, and what they told is not made good yet.
    lost: bool,
    /// What the receive buffer is enlarged to after a loss, unless its size was configured.
    receive_buffer: Option<u32>,
}

impl Monitor {
    /// Joins the groups; the first picture has to be asked for.
    pub(crate) fn new(receive: ReceiveBuffer) -> io::Result<Self> {
        Ok(Self {
            socket: open(&GROUPS, receive)?,
            buffer: vec![0; DATAGRAM].into_boxed_slice(),
            request: Cursor::new(Vec::new()),
            picture: Picture::default(),
            refusals: 0,
            seq: 0,
            pace: Pace::default(),
            losses: Losses::default(),
            lost: false,
            receive_buffer: receive.octets.is_none().then_some(RECEIVE_BUFFER),
        })
    }

    pub(crate) fn raw(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Whole tables shall be told. Those that are being told are not completed: instead of
    /// `DumpEnd` another `DumpStart` follows.
    pub(crate) fn want_table(&mut self) {
        self.picture.want();
    }

    /// True if [`begin_table`](Self::begin_table) shall be called as soon as
    /// [`read`](Self::read) has run dry.
    pub(crate) fn table_is_due(&self, now: Instant) -> bool {
        self.picture.waits() && self.pace.allows(now)
    }

    /// The table was due and could not begin: [`read`](Self::read) does not run dry.
    pub(crate) fn put_table_off(&mut self, now: Instant) {
        self.pace.on_busy(now);
    }

    /// When [`on_time`](Self::on_time) shall be called, whether anything has come or not.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let table = if self.picture.is_being_told() {
            Some(self.pace.stalls_at())
        } else {
            self.picture.waits().then(|| self.pace.next())
        };
        table.into_iter().chain(self.losses.tell_at()).min()
    }

    /// Gives up a table that is not told to its end, and tells of losses. To be called after
    /// everything that was waiting has been read.
    ///
    /// The kernel goes on with a table only when something is read, so one that failed with
    /// nothing waiting would stay where it is for ever. Asking again helps in either case: the new
    /// table begins, or its refusal is something to read.
    pub(crate) fn on_time(&mut self, now: Instant) {
        if self.picture.is_being_told() && now >= self.pace.stalls_at() {
            self.picture.on_failed();
        }
        if let Some(count) = self.losses.take(now) {
            log::warn!(
                "news of the kernel were lost {count} times for want of room \
                 (vrrp_netlink_monitor_rcv_bufs); all interfaces and addresses are read again"
            );
        }
    }

    /// True if no table is wanted or being told.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.picture.is_at_rest()
    }

    /// As if a table had been asked for of which nothing will ever be heard.
    #[cfg(test)]
    pub(crate) fn pretend_to_be_told(&mut self) {
        self.picture.on_asked(Telling::Links);
        self.pace.on_asked(clock::now());
    }

    /// Asks for whole tables; `read` tells them, up to `DumpEnd`.
    pub(crate) fn begin_table(
        &mut self,
        now: Instant,
        deliver: &mut impl FnMut(KernelEvent<'_>),
    ) -> io::Result<()> {
        self.pace.on_asked(now);
        if self.picture.begin() {
            deliver(KernelEvent::DumpStart);
        }
        self.ask(Table::Links)
    }

    /// Reads news and tables.
    pub(crate) fn read(
        &mut self,
        deliver: &mut impl FnMut(KernelEvent<'_>),
    ) -> io::Result<Drained> {
        for _ in 0..BUDGET {
            match look(&self.socket, &mut self.buffer)? {
                Look::Datagram(len) => self.datagram(len, deliver)?,
                Look::Foreign => {}
                Look::Lost => self.on_lost(),
                Look::Dry => return Ok(Drained::Yes),
            }
        }
        Ok(Drained::No)
    }

    /// True, once, if news were lost and everything is known again.
    pub(crate) fn take_made_good(&mut self) -> bool {
        self.picture.is_at_rest() && std::mem::take(&mut self.lost)
    }

    fn on_lost(&mut self) {
        self.lost = true;
        self.losses.add(1, clock::now());
        self.picture.on_lost();
        let Some(octets) = &mut self.receive_buffer else {
            return;
        };
        *octets = octets.saturating_mul(2).min(RECEIVE_BUFFER_MAX);
        if let Err(error) = grow_buffer(self.socket.as_raw_fd(), Buffer::Receive, *octets) {
            log::debug!("the buffer for news of the kernel stays as it is: {error}");
        }
    }

    fn ask(&mut self, table: Table) -> io::Result<()> {
        self.seq = self.seq.wrapping_add(1).max(1);
        self.request.get_mut().clear();
        self.request.set_position(0);
        route::encode_dump(&mut self.request, self.seq, table)
            .map_err(|errno| io::Error::from_raw_os_error(errno.0))?;
        if let Err(error) = self.socket.send(self.request.get_ref(), Msg::empty()) {
            return self.on_refused(errno_of(&error));
        }
        self.picture.on_asked(match table {
            Table::Links => Telling::Links,
            Table::Addresses => Telling::Addresses,
        });
        Ok(())
    }

    /// The kernel does not tell the table. For want of room it may do so a little later, and while
    /// an older one is being told, after that.
    fn on_refused(&mut self, errno: Errno) -> io::Result<()> {
        self.picture.on_failed();
        if PASSING.contains(&errno.0) {
            return Ok(());
        }
        self.refusals += 1;
        if self.refusals > TABLE_ATTEMPTS {
            return Err(io::Error::from_raw_os_error(errno.0));
        }
        Ok(())
    }

    fn datagram(
        &mut self,
        len: usize,
        deliver: &mut impl FnMut(KernelEvent<'_>),
    ) -> io::Result<()> {
        let mut end = None;
        for message in route::messages(self.buffer.get(..len).unwrap_or_default()) {
            let Ok(message) = message else {
                log::debug!("a malformed message from the kernel was skipped");
                break;
            };
            let ours = self.picture.is_being_told() && message.seq == self.seq;
            if ours {
                self.pace.on_heard(clock::now());
                // The mark may stand on any message of the table, the last included.
                if message.interrupted() {
                    self.picture.on_interrupted();
                }
            }
            match message.decode() {
                Ok(Meaning::Event(event)) => {
                    if !ours {
                        self.picture.on_news();
                    }
                    deliver(event);
                }
                Ok(Meaning::Answer(result) | Meaning::TableEnd(result)) if ours => {
                    end = Some(result);
                }
                Ok(Meaning::Overrun) => self.picture.on_lost(),
                Ok(Meaning::Answer(_) | Meaning::TableEnd(_) | Meaning::Nothing) => {}
                Err(Malformed) => log::debug!("an odd message from the kernel was skipped"),
            }
        }
        end.map_or(Ok(()), |result| self.on_table_end(result, deliver))
    }

    fn on_table_end(
        &mut self,
        result: Result<(), Errno>,
        deliver: &mut impl FnMut(KernelEvent<'_>),
    ) -> io::Result<()> {
        if let Err(errno) = result {
            return self.on_refused(errno);
        }
        match self.picture.on_end() {
            Next::Wait => Ok(()),
            Next::Addresses => self.ask(Table::Addresses),
            Next::Complete => {
                self.refusals = 0;
                if self.picture.is_at_rest() {
                    self.losses.on_made_good();
                }
                deliver(KernelEvent::DumpEnd);
                Ok(())
            }
        }
    }
}
