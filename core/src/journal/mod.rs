//! The last inputs of a machine, in a ring of fixed size, so that what led to a crash or a surprise
//! can be read and played again.
//!
//! [`Journal`] keeps each event and each call of `handle_timeout` with its time. Passwords never
//! get into it, see [`Secrets`]. [`Journal::copy_into`] makes an image of it, and [`text`] makes
//! lines of that, in the format of [`crate::trace`]:
//!
//! ```text
//! # relevo journal 1
//! # began at MICROS, seed N
//! # went on from the records of a predecessor
//! # N older inputs were overwritten
//! MICROS packet4 0 45c0...
//! MICROS timeout
//! ```
//!
//! A machine that is made at that time with that seed, and is fed those lines, acts as the one that
//! wrote them did, provided that none was overwritten and there was no predecessor. Of a VRRPv2 password only the verdict is
//! kept: eight zeros in its place if it was right, eight octets 0xff if it was not. So whoever plays
//! a journal again uses the configuration with every password replaced by zeros.

mod record;
mod secrets;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use crate::ids::SocketId;
use crate::time::Instant;
use crate::trace;
use crate::vrrp::event::{Ingress, VrrpEvent};

pub use record::{Image, Record, Unreadable, What, image};
pub use secrets::Secrets;

use record::{Kind, LENGTH, RECORD_MAX, get_delta, put_delta, put_varint};

/// Octets of the ring.
pub const RING: usize = 64 << 10;

/// How many octets an image has at most.
pub const IMAGE_MAX: usize = record::HEADER + RING;

/// The ring. Takes its memory once and drops its oldest inputs, whole, for new ones.
#[derive(Clone, Debug)]
pub struct Journal {
    ring: Box<[u8]>,
    /// Where the oldest record begins, below [`RING`].
    start: usize,
    /// Octets in use.
    used: usize,
    /// When the machine was made.
    began: Instant,
    seed: u64,
    /// The time that the oldest record counts from, and the time of the youngest.
    base: Instant,
    last: Instant,
    overwritten: u64,
    /// The machine goes on from the records of a predecessor.
    resumed: bool,
    record: Vec<u8>,
    words: String,
}

impl Journal {
    /// An empty journal of a machine that was made at `began` with `seed`.
    pub fn new(began: Instant, seed: u64) -> Self {
        Self {
            ring: vec![0; RING].into_boxed_slice(),
            start: 0,
            used: 0,
            began,
            seed,
            base: began,
            last: began,
            overwritten: 0,
            resumed: false,
            record: Vec::with_capacity(256),
            words: String::with_capacity(128),
        }
    }

    /// Notes that the machine goes on where the records of a predecessor end: what they say is not
    /// in the journal, so it cannot be played from the start.
    pub fn on_resumed(&mut self) {
        self.resumed = true;
    }

    /// Notes a call of `handle_timeout`.
    pub fn on_timeout(&mut self, now: Instant) {
        self.begin(Kind::Timeout, now);
        self.end(now);
    }

    /// Notes an event.
    pub fn on_event(&mut self, event: &VrrpEvent<'_>, secrets: &Secrets, now: Instant) {
        match event {
            VrrpEvent::Packet { socket, packet } => {
                self.on_packet(*socket, packet, secrets, now);
            }
            VrrpEvent::Continue => {
                self.begin(Kind::Continue, now);
                self.end(now);
            }
            // All others are rare, or cost the kernel far more than this: their own words do.
            other => {
                self.words.clear();
                trace::write_event(&mut self.words, other);
                self.begin(Kind::Words, now);
                self.record.extend_from_slice(self.words.as_bytes());
                self.end(now);
            }
        }
    }

    fn on_packet(
        &mut self,
        socket: SocketId,
        packet: &Ingress<'_>,
        secrets: &Secrets,
        now: Instant,
    ) {
        let (kind, octets) = match packet {
            Ingress::V4 { datagram } => (Kind::Packet4, *datagram),
            Ingress::V6 { payload, .. } => (Kind::Packet6, *payload),
        };
        if octets.len() > RECORD_MAX / 2 {
            self.begin(Kind::LeftOut, now);
            put_varint(&mut self.record, u64::from(socket.0));
            put_varint(&mut self.record, octets.len() as u64);
            return self.end(now);
        }
        self.begin(kind, now);
        put_varint(&mut self.record, u64::from(socket.0));
        if let Ingress::V6 {
            src,
            dst,
            hop_limit,
            ..
        } = packet
        {
            self.record.push(*hop_limit);
            self.record.extend_from_slice(&src.octets());
            self.record.extend_from_slice(&dst.octets());
        }
        let at = self.record.len();
        self.record.extend_from_slice(octets);
        let copy = self.record.get_mut(at..).unwrap_or_default();
        match packet {
            Ingress::V4 { .. } => secrets.blank_v4(copy),
            Ingress::V6 { .. } => secrets.blank_v6(copy),
        }
        self.end(now);
    }

    /// Begins a record. Its first octets are for its length.
    fn begin(&mut self, kind: Kind, now: Instant) {
        self.record.clear();
        self.record.extend_from_slice(&[0; LENGTH]);
        self.record.push(kind as u8);
        put_delta(&mut self.record, self.last, now);
    }

    /// Puts the record into the ring.
    fn end(&mut self, now: Instant) {
        // Words too long for a record: an interface's name has a limit, so there are none.
        self.record.truncate(RECORD_MAX);
        let length = (self.record.len() - LENGTH) as u16;
        if let Some(place) = self.record.first_chunk_mut::<LENGTH>() {
            *place = length.to_be_bytes();
        }
        while self.used + self.record.len() > RING {
            self.drop_oldest();
        }
        let end = (self.start + self.used) % RING;
        let (head, tail) = self.record.split_at(self.record.len().min(RING - end));
        self.ring[end..end + head.len()].copy_from_slice(head);
        self.ring[..tail.len()].copy_from_slice(tail);
        self.used += self.record.len();
        self.last = now;
    }

    fn drop_oldest(&mut self) {
        let octet = |offset: usize| self.ring[(self.start + offset) % RING];
        let length = usize::from(u16::from_be_bytes([octet(0), octet(1)]));
        let mut delta = LENGTH + 1;
        self.base = get_delta(self.base, || {
            delta += 1;
            Some(octet(delta - 1))
        })
        .unwrap_or(self.base);
        self.start = (self.start + LENGTH + length) % RING;
        self.used -= LENGTH + length;
        self.overwritten += 1;
    }

    /// How many inputs were dropped for younger ones.
    pub fn overwritten(&self) -> u64 {
        self.overwritten
    }

    /// Appends an image, which [`image`] reads, to `into`: at most [`IMAGE_MAX`] octets.
    pub fn copy_into(&self, into: &mut Vec<u8>) {
        let header = record::Header {
            began: self.began,
            seed: self.seed,
            base: self.base,
            overwritten: self.overwritten,
            resumed: self.resumed,
        };
        header.emit(into);
        let first = self.used.min(RING - self.start);
        into.extend_from_slice(&self.ring[self.start..self.start + first]);
        into.extend_from_slice(&self.ring[..self.used - first]);
    }
}

/// An image as lines. What cannot be read is told in a comment; lines before it are good.
pub fn text(octets: &[u8]) -> String {
    let mut text = String::from("# relevo journal 1\n");
    // Writing to a String cannot fail.
    let _ = write_text(octets, &mut text);
    text
}

fn write_text(octets: &[u8], text: &mut String) -> std::fmt::Result {
    let image = match image(octets) {
        Ok(image) => image,
        Err(Unreadable(why)) => return writeln!(text, "# unreadable: {why}"),
    };
    let began = image.began.as_micros();
    writeln!(text, "# began at {began}, seed {}", image.seed)?;
    if image.resumed {
        writeln!(text, "# went on from the records of a predecessor")?;
    }
    if image.overwritten > 0 {
        writeln!(
            text,
            "# {} older inputs were overwritten",
            image.overwritten
        )?;
    }
    for record in image {
        match record {
            Ok(record) => writeln!(text, "{record}")?,
            Err(Unreadable(why)) => return writeln!(text, "# unreadable: {why}"),
        }
    }
    Ok(())
}
