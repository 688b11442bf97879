//! CLOCK_MONOTONIC as the core's [`Instant`].

use relevo_core::time::Instant;

/// The current reading.
pub(crate) fn now() -> Instant {
    Instant::from_micros(crate::sys::monotonic_micros())
}
