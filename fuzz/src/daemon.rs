//! What the daemon reads from outside, through its one door.

use relevo_daemon::fuzzing;

use crate::trail::Trail;

/// A datagram of the kernel: every message, and what each means.
pub fn netlink(data: &[u8], trail: &mut Trail) {
    fuzzing::netlink(data);
    trail.mark(format_args!("read"));
}
