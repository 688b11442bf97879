//! Packets: `Packet` gives access to bytes without judging them, `Repr` is their meaning.
//!
//! - `Packet::new_checked` only makes sure that the fixed fields can be read; whether the packet
//!   is acceptable is the caller's business, since each reason to refuse one has a counter of its
//!   own.
//! - `Repr::parse` refuses whatever `Repr::emit` would not have written (for the simulator, tests
//!   and fuzzing), so parsing what was emitted gives the same `Repr` back.
//! - `emit` appends to a buffer of the caller and leaves what is in it alone.
//! - Nothing here panics, whatever the octets.
//!
//! [`vrrp`] in [`ipv4`] or [`ipv6`] in [`ethernet`] are the adverts; [`arp`] and [`ndisc`] tell
//! the neighbours where a virtual address has moved; [`checksum`] serves them all.

use std::error::Error;
use std::fmt;

pub mod arp;
pub mod checksum;
pub mod ethernet;
pub mod ipv4;
pub mod ipv6;
pub mod ndisc;
pub mod vrrp;

#[cfg(test)]
pub(crate) mod testdata;

/// Why octets are not the packet that they were taken for.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum WireError {
    /// Fewer octets than the header needs.
    Truncated,
    /// A length or count in the packet disagrees with its octets.
    Length,
    /// Another version of the protocol.
    Version,
    /// A type of message that is not ours.
    Kind,
    /// An authentication type that is unknown or cannot be expressed.
    AuthType,
    /// A field with a fixed meaning has another value.
    Field,
    /// The checksum is wrong.
    Checksum,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "too short for its header",
            Self::Length => "length field disagrees with the packet",
            Self::Version => "wrong protocol version",
            Self::Kind => "unknown message type",
            Self::AuthType => "unknown authentication type",
            Self::Field => "unexpected value in a fixed field",
            Self::Checksum => "wrong checksum",
        })
    }
}

impl Error for WireError {}
