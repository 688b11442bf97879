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
    #[cfg(test)]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testnet::{cable, in_namespace, index_of, ip};

    fn received_by(interface: &str) -> u64 {
        let path = "/proc/thread-self/net/dev";
        let table = std::fs::read_to_string(path).expect("the namespace's table");
        let line = table
            .lines()
            .find_map(|line| line.trim().strip_prefix(interface));
        let counters = line
            .and_then(|line| line.strip_prefix(':'))
            .expect("a line");
        let packets = counters.split_whitespace().nth(1);
        packets
            .and_then(|word| word.parse().ok())
            .expect("a counter")
    }

    #[test]
    fn frames_go_out_of_the_interfaces_named_and_failures_are_counted() {
        in_namespace(|| {
            cable();
            ip("link set va addrgenmode none");
            ip("link set vb addrgenmode none");
            let mut arp = ArpIo::new().expect("opens");
            let mut frame = [0xff; 42];
            frame[6..14].copy_from_slice(&[2, 0, 0, 0, 0, 10, 0x08, 0x06]);
            let va = IfIndex(index_of("va"));
            let before = received_by("vb");
            for number in 0..100 {
                let ifindex = if number == 40 { IfIndex(9_999) } else { va };
                arp.push(ifindex, &frame);
            }
            assert_eq!(arp.collected(), 100);
            arp.flush();
            assert_eq!((arp.collected(), arp.failures()), (0, 1));
            assert!(received_by("vb") - before >= 99);
        });
    }
}
