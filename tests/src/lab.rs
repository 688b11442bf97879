//! A laboratory on one machine: hosts and a switch in network namespaces, real daemons, a client that
//! pings, captures, and an attacker. Everything a test starts lies in namespaces that the test itself
//! made (their names carry its pid) and ends with it; left-overs of a killed run go at the next start.
//!
//! - [`Lab`], [`Host`]: the network, cables to cut and to pull, addresses as the kernel tells them.
//! - [`Daemon`], [`Program`]: whatever has keepalived's command line, started, stopped and killed.
//! - [`Capture`]: what went over the wire, live; [`judge`]: what tshark thinks of it.
//! - [`Client`]: a host that pings an address, and how long it got no answer.
//! - [`forge`], [`spoil`], [`Attack`]: frames made by hand, right and wrong, and their sender.
//! - [`News`]: what a kernel tells of its addresses, and for how long two had one at once.
//! - [`Rhythm`]: how regular adverts were; [`soak`]: how long a test runs, and what a long one tells.
//! - [`Flavour`], [`Pair`]: two routers of one protocol variant, the usual stage of a test.

mod attack;
mod capture;
mod client;
mod command;
mod daemon;
mod flavour;
pub mod forge;
mod host;
pub mod judge;
pub mod need;
mod net;
mod news;
mod pair;
mod rhythm;
pub mod soak;
pub mod spoil;

pub use attack::{Attack, Sent};
pub use capture::{Advert, Announcement, Capture, Seen, Sighting};
pub use client::{Client, Outage};
pub use command::{Result, output, output_with, run, wait_until};
pub use daemon::{Daemon, Elsewhere, Options, Program, relevo, target_dir};
pub use flavour::{Cast, Flavour};
pub use host::Host;
pub use net::Lab;
pub use news::News;
pub use pair::{Pair, Side, Who};
pub use rhythm::Rhythm;

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds of the wall clock, which is also the clock of captures and of the client's pings.
pub fn now_ns() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Nanoseconds as text in milliseconds, for messages.
pub fn ms(ns: i64) -> String {
    format!("{}.{:02} ms", ns / 1_000_000, (ns.abs() / 10_000) % 100)
}
