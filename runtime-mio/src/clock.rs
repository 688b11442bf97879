//! CLOCK_BOOTTIME as the core's [`Instant`].
//!
//! It runs like CLOCK_MONOTONIC, and through a suspend: a host that was suspended is late when it
//! wakes, just like a process that was stopped, and the machine has one rule for both. Steps of
//! the wall clock do not touch it; nothing but time stamps for people reads that clock.

use relevo_core::time::Instant;

/// The current reading.
pub(crate) fn now() -> Instant {
    Instant::from_micros(crate::sys::boottime_micros())
}
