//! Decoders of hostile bytes, for the fuzz targets.

use crate::netlink::route;

/// Reads a datagram from the kernel: every message, and what each means.
pub fn netlink(datagram: &[u8]) {
    for message in route::messages(datagram).flatten() {
        let _ = message.interrupted();
        let _ = message.decode();
    }
}
