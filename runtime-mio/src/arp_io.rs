//! Gratuitous ARP and unsolicited neighbour advertisements: whole frames over one AF_PACKET socket.
//!
//! One socket serves every interface, because closing one takes the kernel many milliseconds.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use relevo_core::ids::IfIndex;

use crate::sys::msg::{Control, Name, Scratch, SendBatch};
use crate::sys::socket::{Buffer, grow_buffer, open};

/// Octets of the send buffer: several batches, so that a slow interface does not stop the others.
const SEND_BUFFER: u32 = 1 << 20;

/// The socket and the frames collected for it.
pub(crate) struct ArpIo {
    socket: OwnedFd,
    batch: SendBatch,
    interfaces: Vec<IfIndex>,
    scratch: Scratch,
    failures: u64,
}

impl ArpIo {
    pub(crate) fn new() -> io::Result<Self> {
        // Protocol 0: nothing is ever received.
        let socket = open(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
        grow_buffer(socket.as_raw_fd(), Buffer::Send, SEND_BUFFER)?;
        Ok(Self {
            socket,
            batch: SendBatch::default(),
            interfaces: Vec::new(),
            scratch: Scratch::default(),
            failures: 0,
        })
    }

    /// Number of frames collected and not sent.
    pub(crate) fn collected(&self) -> usize {
        self.batch.len()
    }

    /// Frames that could not be sent since the start.
    pub(crate) fn failures(&self) -> u64 {
        self.failures
    }

    /// Collects a frame.
    pub(crate) fn push(&mut self, ifindex: IfIndex, frame: &[u8]) {
        let ether_type = frame.get(12..14).and_then(|octets| octets.first_chunk());
        let Some(&ether_type) = ether_type else {
            debug_assert!(false, "a frame without a whole Ethernet header");
            return;
        };
        let name = Name::link(ifindex.0, ether_type);
        self.batch.push(name, Control::NONE, frame);
        self.interfaces.push(ifindex);
    }

    /// Sends what was collected. A frame that cannot be sent is only counted: announcements are
    /// repeated, and a fault of the interface is told by other means.
    pub(crate) fn flush(&mut self) {
        if self.batch.len() == 0 {
            return;
        }
        let Self {
            socket,
            batch,
            interfaces,
            scratch,
            failures,
        } = self;
        batch.send(socket.as_raw_fd(), scratch, |index, error| {
            *failures += 1;
            let ifindex = interfaces.get(index).map_or(0, |ifindex| ifindex.0);
            log::debug!("an announcement out of interface {ifindex} was not sent: {error}");
        });
        interfaces.clear();
    }
}
