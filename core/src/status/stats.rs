//! keepalived.stats: the counters, in keepalived's layout.

use std::fmt::{self, Write};

use super::Picture;
use crate::vrrp::{Discard, Stats};

/// Writes the counters of every virtual router.
pub fn write(picture: &Picture, out: &mut dyn Write) -> fmt::Result {
    for (config, view) in picture.iter() {
        write_one(&config.name, &view.stats, out)?;
    }
    Ok(())
}

fn write_one(name: &str, stats: &Stats, out: &mut dyn Write) -> fmt::Result {
    let of = |reason| stats.discarded(reason);
    writeln!(out, "VRRP Instance: {name}")?;
    writeln!(out, "  Advertisements:")?;
    writeln!(out, "    Received: {}", stats.adverts_received)?;
    writeln!(out, "    Sent: {}", stats.adverts_sent)?;
    writeln!(out, "  Became master: {}", stats.became_master)?;
    writeln!(out, "  Released master: {}", stats.released_master)?;
    writeln!(out, "  Packet Errors:")?;
    writeln!(out, "    Length: {}", wrong_length(stats))?;
    writeln!(out, "    TTL: {}", of(Discard::Ttl))?;
    writeln!(out, "    Invalid Type: {}", of(Discard::Type))?;
    writeln!(out, "    Advertisement Interval: {}", of(Discard::Interval))?;
    writeln!(out, "    Address List: {}", wrong_addresses(stats))?;
    writeln!(out, "  Authentication Errors:")?;
    writeln!(out, "    Invalid Type: {}", of(Discard::AuthTypeUnknown))?;
    writeln!(out, "    Type Mismatch: {}", of(Discard::AuthTypeMismatch))?;
    writeln!(out, "    Failure: {}", of(Discard::AuthFailure))?;
    writeln!(out, "  Priority Zero:")?;
    writeln!(out, "    Received: {}", stats.priority_zero_received)?;
    writeln!(out, "    Sent: {}", stats.priority_zero_sent)
}

/// What keepalived counts as a wrong length.
pub(super) fn wrong_length(stats: &Stats) -> u64 {
    stats.discarded(Discard::Length) + stats.discarded(Discard::IpHeader)
}

/// keepalived counts a multicast packet for a unicast router, and the reverse, with these.
pub(super) fn wrong_addresses(stats: &Stats) -> u64 {
    stats.address_list_differs + stats.discarded(Discard::Destination)
}
