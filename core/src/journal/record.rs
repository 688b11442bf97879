//! The octets of a journal: an image is a header and records, a record its length and its content.
//!
//! ```text
//! image   "RLVJ" version began:8 seed:8 base:8 overwritten:8 resumed:8 record...
//! record  length:2 kind:1 delta:varint content
//! ```
//!
//! Numbers are in network order. A record's time is the one before it plus its delta in
//! microseconds (zigzag); that of the first counts from `base`.

use std::fmt;
use std::net::Ipv6Addr;

use crate::ids::SocketId;
use crate::time::Instant;
use crate::trace;
use crate::vrrp::event::{Ingress, VrrpEvent};

/// How an image begins; the last octet is the version.
const MAGIC: [u8; 5] = *b"RLVJ\x01";
/// Octets before the records of an image.
pub(super) const HEADER: usize = MAGIC.len() + 5 * 8;
/// Octets of a record's length.
pub(super) const LENGTH: usize = 2;
/// Octets of the longest record: twice the longest packet that a socket of ours hands on.
pub(super) const RECORD_MAX: usize = 10_240;

/// What a record is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Kind {
    /// A call of `handle_timeout`: nothing.
    Timeout = 1,
    /// The event `Continue`: nothing.
    Continue = 2,
    /// Socket, datagram.
    Packet4 = 3,
    /// Socket, hop limit, source, destination, payload.
    Packet6 = 4,
    /// Another event: its words in a trace.
    Words = 5,
    /// A packet that was too long: socket, length.
    LeftOut = 6,
}

impl Kind {
    const fn of(octet: u8) -> Option<Self> {
        Some(match octet {
            1 => Self::Timeout,
            2 => Self::Continue,
            3 => Self::Packet4,
            4 => Self::Packet6,
            5 => Self::Words,
            6 => Self::LeftOut,
            _ => return None,
        })
    }
}

/// Why an image, or the rest of it, cannot be read.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Unreadable(pub &'static str);

/// Appends a number, seven bits to an octet, the lowest first.
pub(super) fn put_varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

fn get_varint(mut next: impl FnMut() -> Option<u8>) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let octet = next()?;
        value |= u64::from(octet & 0x7f) << shift;
        if octet < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Appends the time from `last` to `now`; a machine's time does not go backwards, but a journal
/// must be exact when it does.
pub(super) fn put_delta(into: &mut Vec<u8>, last: Instant, now: Instant) {
    let delta = now.as_micros().wrapping_sub(last.as_micros()).cast_signed();
    put_varint(into, (delta << 1 ^ delta >> 63).cast_unsigned());
}

/// The time that lies as far from `last` as the octets say.
pub(super) fn get_delta(last: Instant, next: impl FnMut() -> Option<u8>) -> Option<Instant> {
    let zigzag = get_varint(next)?;
    let delta = zigzag >> 1 ^ (zigzag & 1).wrapping_neg();
    Some(Instant::from_micros(last.as_micros().wrapping_add(delta)))
}

/// What an image says of the whole journal.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) began: Instant,
    pub(super) seed: u64,
    pub(super) base: Instant,
    pub(super) overwritten: u64,
    pub(super) resumed: bool,
}

impl Header {
    pub(super) fn emit(self, into: &mut Vec<u8>) {
        into.extend_from_slice(&MAGIC);
        let began = self.began.as_micros();
        let base = self.base.as_micros();
        let resumed = self.resumed.into();
        for number in [began, self.seed, base, self.overwritten, resumed] {
            into.extend_from_slice(&number.to_be_bytes());
        }
    }
}

/// Reads the header of an image; its records come by iterating.
pub fn image(octets: &[u8]) -> Result<Image<'_>, Unreadable> {
    let rest = octets.strip_prefix(&MAGIC);
    let mut rest = rest.ok_or(Unreadable("no journal, or one of another version"))?;
    let mut number = || {
        let (number, behind) = rest.split_first_chunk::<8>()?;
        rest = behind;
        Some(u64::from_be_bytes(*number))
    };
    let numbers = (number(), number(), number(), number(), number());
    let (Some(began), Some(seed), Some(base), Some(overwritten), Some(resumed)) = numbers else {
        return Err(Unreadable("its header is cut off"));
    };
    Ok(Image {
        began: Instant::from_micros(began),
        seed,
        overwritten,
        resumed: resumed != 0,
        last: Instant::from_micros(base),
        rest,
    })
}

/// A journal's image: an iterator over its records, the oldest first. Behind one that cannot be
/// read there is no other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image<'a> {
    /// When the machine was made.
    pub began: Instant,
    /// What it was made with.
    pub seed: u64,
    /// How many inputs, older than the first record, are not there any more.
    pub overwritten: u64,
    /// The machine went on from the records of a predecessor, which are not here.
    pub resumed: bool,
    last: Instant,
    rest: &'a [u8],
}

/// An input. Displayed as its line in a trace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// When it came.
    pub at: Instant,
    /// What it was.
    pub what: What<'a>,
}

/// What an input was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What<'a> {
    /// A call of `handle_timeout`.
    Timeout,
    /// A packet or `Continue`.
    Event(VrrpEvent<'a>),
    /// Another event, in the words of a trace line.
    Words(&'a str),
    /// A packet that was too long to be kept.
    LeftOut {
        /// Where it came from.
        socket: SocketId,
        /// How many octets it had.
        length: u64,
    },
}

impl<'a> Image<'a> {
    fn record(&mut self) -> Result<Record<'a>, Unreadable> {
        let cut = Unreadable("a record is cut off");
        let (length, rest) = self.rest.split_first_chunk::<LENGTH>().ok_or(cut)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (record, rest) = rest.split_at_checked(length).ok_or(cut)?;
        self.rest = rest;
        let mut octets = record.iter();
        let kind = octets.next().copied().and_then(Kind::of);
        let kind = kind.ok_or(Unreadable("a record of an unknown kind"))?;
        let at = get_delta(self.last, || octets.next().copied()).ok_or(cut)?;
        let what = what(kind, octets.as_slice()).ok_or(Unreadable("a damaged record"))?;
        self.last = at;
        Ok(Record { at, what })
    }
}

fn what(kind: Kind, content: &[u8]) -> Option<What<'_>> {
    let mut octets = content.iter();
    let mut socket = || {
        let number = get_varint(|| octets.next().copied())?;
        Some(SocketId(u32::try_from(number).ok()?))
    };
    Some(match kind {
        Kind::Timeout => content.is_empty().then_some(What::Timeout)?,
        Kind::Continue => {
            let event = VrrpEvent::Continue;
            content.is_empty().then_some(What::Event(event))?
        }
        Kind::Packet4 => {
            let socket = socket()?;
            let datagram = octets.as_slice();
            let packet = Ingress::V4 { datagram };
            What::Event(VrrpEvent::Packet { socket, packet })
        }
        Kind::Packet6 => {
            let socket = socket()?;
            let (&hop_limit, rest) = octets.as_slice().split_first()?;
            let (src, rest) = rest.split_first_chunk::<16>()?;
            let (dst, payload) = rest.split_first_chunk::<16>()?;
            let packet = Ingress::V6 {
                src: Ipv6Addr::from(*src),
                dst: Ipv6Addr::from(*dst),
                hop_limit,
                payload,
            };
            What::Event(VrrpEvent::Packet { socket, packet })
        }
        Kind::Words => {
            let words = std::str::from_utf8(content).ok()?;
            let is_line = words.starts_with(' ') && !words.contains(char::is_control);
            is_line.then_some(What::Words(words))?
        }
        Kind::LeftOut => {
            let socket = socket()?;
            let length = get_varint(|| octets.next().copied())?;
            What::LeftOut { socket, length }
        }
    })
}

impl<'a> Iterator for Image<'a> {
    type Item = Result<Record<'a>, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let record = self.record();
        if record.is_err() {
            self.rest = &[];
        }
        Some(record)
    }
}

impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.as_micros();
        match &self.what {
            What::Timeout => f.write_str(&trace::timeout_line(self.at)),
            What::Event(event) => f.write_str(&trace::event_line(self.at, event)),
            What::Words(words) => write!(f, "{at}{words}"),
            What::LeftOut { socket, length } => {
                write!(
                    f,
                    "# {at} a packet of {length} octets at socket {}",
                    socket.0
                )
            }
        }
    }
}
