//! Two rtnetlink sockets: one that changes are sent on and that brings their results, one that
//! brings news and whole tables.

use std::collections::VecDeque;
use std::io::{self, Cursor};
use std::os::fd::{AsRawFd, RawFd};

use neli::consts::socket::{Msg, NlFamily};
use neli::socket::NlSocket;
use neli::utils::Groups;
use relevo_core::ids::{Errno, OpId};
use relevo_core::kernel::{AddressKey, KernelEvent, KernelOp};

use super::route::{self, Malformed, Meaning, Message, Table};
use crate::daemon::Drained;
use crate::sys::socket::{Buffer, grow_buffer, receive_netlink, set_int};

/// Changes in one datagram: more does not make them cheaper, and their answers need room.
const BATCH: usize = 200;

/// Changes whose answers may be waiting when more are sent. Together with a batch they have room
/// even if every one is refused, each answer taking about 1 KiB.
const OUTSTANDING: usize = 1_000;

/// Octets of the receive buffers at first, and at most after overruns.
const RECEIVE_BUFFER: u32 = 4 << 20;
const RECEIVE_BUFFER_MAX: u32 = 64 << 20;

/// Octets of the send buffer: room for a batch, whatever the system's default.
const SEND_BUFFER: u32 = 1 << 20;

/// Octets of the longest datagram: the kernel fills at most 32 KiB.
const DATAGRAM: usize = 64 << 10;

/// Datagrams read before other sources get their turn.
const BUDGET: usize = 64;

/// Times in a row that the kernel may fail to tell a table.
const TABLE_ATTEMPTS: u32 = 16;

/// rtnetlink's multicast groups: links, IPv4 addresses, IPv6 addresses.
const GROUPS: [u32; 3] = [1, 5, 9];

fn open(groups: &[u32]) -> io::Result<NlSocket> {
    let socket = NlSocket::connect(NlFamily::Route, None, Groups::new_groups(groups))?;
    socket.nonblock()?;
    grow_buffer(socket.as_raw_fd(), Buffer::Receive, RECEIVE_BUFFER)?;
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
    table_wanted: bool,
    last_seq: u32,
}

impl Commands {
    pub(crate) fn new() -> io::Result<Self> {
        let socket = open(&[])?;
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
            table_wanted: false,
            last_seq: 0,
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
        self.batched >= BATCH
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
        if self.awaited() > OUTSTANDING {
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
        log::warn!("answers of the kernel to {sent} changes of addresses were lost");
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

    /// Answers the changes whose answers were lost.
    pub(crate) fn settle_unknown(&mut self, done: &mut impl FnMut(Done)) {
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

/// Which table is being told.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Telling {
    Nothing,
    Links,
    Addresses,
}

/// The socket for news.
///
/// Whole tables are asked for on the same socket, so that they and the news come in one order. A
/// table must be asked for only when the socket is dry: after an overrun the kernel drops news,
/// without saying so again, until everything that was waiting has been read.
pub(crate) struct Monitor {
    socket: NlSocket,
    buffer: Box<[u8]>,
    request: Cursor<Vec<u8>>,
    telling: Telling,
    table_wanted: bool,
    attempts: u32,
    seq: u32,
    receive_buffer: u32,
}

impl Monitor {
    /// Joins the groups; the first picture has to be asked for.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            socket: open(&GROUPS)?,
            buffer: vec![0; DATAGRAM].into_boxed_slice(),
            request: Cursor::new(Vec::new()),
            telling: Telling::Nothing,
            table_wanted: false,
            attempts: 0,
            seq: 0,
            receive_buffer: RECEIVE_BUFFER,
        })
    }

    pub(crate) fn raw(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Whole tables shall be told. Those that are being told are not completed: instead of
    /// `DumpEnd` another `DumpStart` follows.
    pub(crate) fn want_table(&mut self) {
        self.table_wanted = true;
    }

    /// True if [`begin_table`](Self::begin_table) shall be called as soon as
    /// [`read`](Self::read) has run dry.
    pub(crate) fn table_is_due(&self) -> bool {
        self.table_wanted && self.telling == Telling::Nothing
    }

    /// Asks for whole tables; `read` tells them, up to `DumpEnd`.
    pub(crate) fn begin_table(
        &mut self,
        deliver: &mut impl FnMut(KernelEvent<'_>),
    ) -> io::Result<()> {
        self.table_wanted = false;
        deliver(KernelEvent::DumpStart);
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

    fn on_lost(&mut self) {
        log::info!("news of the kernel were lost; all interfaces and addresses are read again");
        self.table_wanted = true;
        self.receive_buffer = (self.receive_buffer * 2).min(RECEIVE_BUFFER_MAX);
        if let Err(error) = grow_buffer(self.raw(), Buffer::Receive, self.receive_buffer) {
            log::debug!("the buffer for news of the kernel stays as it is: {error}");
        }
    }

    fn ask(&mut self, table: Table) -> io::Result<()> {
        self.seq = self.seq.wrapping_add(1).max(1);
        self.request.get_mut().clear();
        self.request.set_position(0);
        route::encode_dump(&mut self.request, self.seq, table)
            .map_err(|errno| io::Error::from_raw_os_error(errno.0))?;
        self.socket.send(self.request.get_ref(), Msg::empty())?;
        self.telling = match table {
            Table::Links => Telling::Links,
            Table::Addresses => Telling::Addresses,
        };
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
            let ours = self.telling != Telling::Nothing && message.seq == self.seq;
            // The mark may stand on any message of the table, the last included.
            self.table_wanted |= ours && message.interrupted();
            match message.decode() {
                Ok(Meaning::Event(event)) => deliver(event),
                Ok(Meaning::Answer(result) | Meaning::TableEnd(result)) if ours => {
                    end = Some(result);
                }
                Ok(Meaning::Overrun) => self.table_wanted = true,
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
            self.attempts += 1;
            if self.attempts > TABLE_ATTEMPTS {
                return Err(io::Error::from_raw_os_error(errno.0));
            }
            self.table_wanted = true;
        }
        let told = std::mem::replace(&mut self.telling, Telling::Nothing);
        if self.table_wanted {
            return Ok(());
        }
        self.attempts = 0;
        match told {
            Telling::Links => self.ask(Table::Addresses),
            Telling::Addresses => {
                deliver(KernelEvent::DumpEnd);
                Ok(())
            }
            Telling::Nothing => Ok(()),
        }
    }
}
