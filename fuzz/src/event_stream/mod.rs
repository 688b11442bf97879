//! Bytes become a stream of events into one VRRP machine, and its promises are the oracle.
//!
//! The first octet chooses the virtual routers, the second whether the kernel is honest ([`host`]:
//! it does what it is asked and tells what it did, in an order of its own) or a liar that answers
//! and tells anything. What every call must keep to is in [`promises`]. Beyond the single call:
//!
//! - a copy of the machine, taken in the middle, does the same from there on;
//! - the same stream at another time of the clock gives the same actions, as much later;
//! - the trace line of each event gives the same event again;
//! - a packet that is discarded changes nothing but counters, a right advert is not discarded, one
//!   with a fatal flaw is;
//! - a configuration that is handed over comes into force, as long as nothing was told to stop;
//! - when an honest kernel has done and told everything, masters hold their addresses and nobody
//!   else does, and an order to stop ends in `Exit`.

mod host;
mod packets;
mod player;
mod promises;
mod setup;

use relevo_core::time::Duration;

use crate::trail::Trail;
use player::Player;

/// Between the two readings of the clock at which a stream is played.
const SHIFT: Duration = Duration::from_micros(1 << 33 | 12_345);

/// Plays the stream, and plays it again at another time.
pub fn run(data: &[u8], trail: &mut Trail) {
    let begin = Duration::from_secs(5);
    let first = Player::new(data, begin, Some(trail)).play();
    let second = Player::new(data, begin + SHIFT, None).play();
    assert_eq!(
        first.len(),
        second.len(),
        "at another time there are fewer or more calls"
    );
    for (one, two) in first.iter().zip(&second) {
        assert_eq!(one, two, "at another time something else happens");
    }
}
