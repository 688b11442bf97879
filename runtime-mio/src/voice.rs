//! What parent and child say to each other, over a Unix socket of type SOCK_SEQPACKET.
//!
//! One message is one packet: an octet for what it is, a number of eight octets (network order)
//! that an answer repeats, and a rest that depends on the kind. The socket keeps the order, and
//! its end of file says that the other process is gone.
//!
//! | octet | from | message | number | rest | descriptor |
//! |---|---|---|---|---|---|
//! | H | parent | hello | of the hello | - | - |
//! | P | parent | prepare | of the text | - | the text |
//! | F | parent | forget | of the text | - | - |
//! | C | parent | reload | of the reload | the number of the text | the text |
//! | A | parent | ask | of the question | what is asked | - |
//! | R | child | ready | 0 | - | - |
//! | h | child | here | of the hello | - | - |
//! | c | child | reloaded | of the reload | one octet, then a text in UTF-8 | - |
//! | a | child | told | of the question | the answer | the rest of a long answer |
//!
//! Both processes are one program (the child is an exec of the parent's own file), so there is no
//! version; what cannot be read is told in the log and left aside.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use crate::sys::seqpacket;

/// Octets of the longest message. Longer texts travel as a file in memory.
pub(crate) const MESSAGE_MAX: usize = 4_096;

/// Octets before the rest.
const HEADER: usize = 9;

/// Octets of the longest rest of an [`FromChild::Told`] or [`ToChild::Ask`].
pub(crate) const REST_MAX: usize = MESSAGE_MAX - HEADER;

/// What the parent says.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum ToChild<'a> {
    /// Is your loop alive? Answered by [`FromChild::Here`].
    Hello {
        /// Its number.
        n: u64,
    },
    /// The text in the descriptor that comes along is being checked and may be in force soon:
    /// whoever reads it now need not do so then. [`Reload`](Self::Reload) or
    /// [`Forget`](Self::Forget) follows.
    Prepare {
        /// The number of the text.
        n: u64,
    },
    /// The text of this number will never be in force.
    Forget {
        /// The number of the text.
        n: u64,
    },
    /// The text in the descriptor that comes along is in force from now on. Answered by
    /// [`FromChild::Reloaded`].
    Reload {
        /// Its number.
        n: u64,
        /// The number of the text; it may have been prepared under it.
        text: u64,
    },
    /// A question. Answered by [`FromChild::Told`].
    Ask {
        /// Its number.
        n: u64,
        /// What is asked.
        what: &'a [u8],
    },
}

/// What a child says.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum FromChild<'a> {
    /// The configuration is in, signals are heeded.
    Ready,
    /// The loop is alive.
    Here {
        /// The number of the hello.
        n: u64,
    },
    /// What became of a reload.
    Reloaded {
        /// Its number.
        n: u64,
        /// What became of it.
        outcome: Outcome,
        /// More about it, for the log; may be empty.
        text: &'a str,
    },
    /// An answer. A long one goes on in the descriptor that comes along.
    Told {
        /// The number of the question.
        n: u64,
        /// The answer.
        bytes: &'a [u8],
    },
}

/// What became of a reload in a child.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// The child works by the new text.
    Applied,
    /// The child cannot take the text in while it runs: a new one shall start with it.
    Restart,
    /// The child goes on with its old text.
    Failed,
}

impl Outcome {
    const fn octet(self) -> u8 {
        match self {
            Self::Applied => b'+',
            Self::Restart => b'r',
            Self::Failed => b'-',
        }
    }

    const fn of(octet: u8) -> Option<Self> {
        match octet {
            b'+' => Some(Self::Applied),
            b'r' => Some(Self::Restart),
            b'-' => Some(Self::Failed),
            _ => None,
        }
    }
}

/// A packet that is no message.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Unreadable;

fn header(octet: u8, n: u64, into: &mut Vec<u8>) {
    into.clear();
    into.push(octet);
    into.extend_from_slice(&n.to_be_bytes());
}

/// The kind, the number and the rest.
fn split(packet: &[u8]) -> Result<(u8, u64, &[u8]), Unreadable> {
    let (head, rest) = packet.split_first_chunk::<HEADER>().ok_or(Unreadable)?;
    let [octet, number @ ..] = head;
    Ok((*octet, u64::from_be_bytes(*number), rest))
}

/// As much of a text as fits behind the outcome.
fn cut(text: &str) -> &str {
    let fits = (0..REST_MAX).rev().find_map(|end| text.get(..end));
    if text.len() < REST_MAX {
        text
    } else {
        fits.unwrap_or_default()
    }
}

impl<'a> ToChild<'a> {
    /// Replaces `into` by the packet; a question is cut at [`REST_MAX`].
    pub(crate) fn encode(&self, into: &mut Vec<u8>) {
        match *self {
            Self::Hello { n } => header(b'H', n, into),
            Self::Prepare { n } => header(b'P', n, into),
            Self::Forget { n } => header(b'F', n, into),
            Self::Reload { n, text } => {
                header(b'C', n, into);
                into.extend_from_slice(&text.to_be_bytes());
            }
            Self::Ask { n, what } => {
                header(b'A', n, into);
                into.extend_from_slice(what.get(..REST_MAX).unwrap_or(what));
            }
        }
    }

    /// Reads a packet.
    pub(crate) fn decode(packet: &'a [u8]) -> Result<Self, Unreadable> {
        match split(packet)? {
            (b'H', n, []) => Ok(Self::Hello { n }),
            (b'P', n, []) => Ok(Self::Prepare { n }),
            (b'F', n, []) => Ok(Self::Forget { n }),
            (b'C', n, text) => {
                let text = text.try_into().map(u64::from_be_bytes);
                let text = text.map_err(|_| Unreadable)?;
                Ok(Self::Reload { n, text })
            }
            (b'A', n, what) => Ok(Self::Ask { n, what }),
            _ => Err(Unreadable),
        }
    }
}

impl<'a> FromChild<'a> {
    /// Replaces `into` by the packet; texts are cut so that it is not longer than [`MESSAGE_MAX`].
    pub(crate) fn encode(&self, into: &mut Vec<u8>) {
        match *self {
            Self::Ready => header(b'R', 0, into),
            Self::Here { n } => header(b'h', n, into),
            Self::Reloaded { n, outcome, text } => {
                header(b'c', n, into);
                into.push(outcome.octet());
                into.extend_from_slice(cut(text).as_bytes());
            }
            Self::Told { n, bytes } => {
                header(b'a', n, into);
                into.extend_from_slice(bytes.get(..REST_MAX).unwrap_or(bytes));
            }
        }
    }

    /// Reads a packet.
    pub(crate) fn decode(packet: &'a [u8]) -> Result<Self, Unreadable> {
        match split(packet)? {
            (b'R', 0, []) => Ok(Self::Ready),
            (b'h', n, []) => Ok(Self::Here { n }),
            (b'c', n, [octet, text @ ..]) => Ok(Self::Reloaded {
                n,
                outcome: Outcome::of(*octet).ok_or(Unreadable)?,
                text: std::str::from_utf8(text).map_err(|_| Unreadable)?,
            }),
            (b'a', n, bytes) => Ok(Self::Told { n, bytes }),
            _ => Err(Unreadable),
        }
    }
}

/// One end of the socket. Nothing here ever waits.
#[derive(Debug)]
pub(crate) struct Voice {
    fd: OwnedFd,
    packet: Vec<u8>,
}

/// What came of a look at the socket.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A packet is in the buffer, with a descriptor if one came along.
    Packet(Option<OwnedFd>),
    /// Nothing is waiting.
    Silence,
    /// The other process is gone.
    Gone,
}

impl Voice {
    /// The two ends: ours, and one to be inherited.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = seqpacket::pair()?;
        Ok((Self::new(ours), theirs))
    }

    /// The end that was inherited.
    pub(crate) const fn new(fd: OwnedFd) -> Self {
        let packet = Vec::new();
        Self { fd, packet }
    }

    /// The same end for another thread.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        self.fd.try_clone().map(Self::new)
    }

    /// For registering it.
    pub(crate) fn raw(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Says something to a child. An error of kind `WouldBlock` means that it has not listened
    /// for long.
    pub(crate) fn tell_child(
        &mut self,
        message: &ToChild<'_>,
        file: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        message.encode(&mut self.packet);
        seqpacket::send(self.fd.as_fd(), &self.packet, file)
    }

    /// Says something to the parent; errors as in [`tell_child`](Self::tell_child).
    pub(crate) fn tell_parent(
        &mut self,
        message: &FromChild<'_>,
        file: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        message.encode(&mut self.packet);
        seqpacket::send(self.fd.as_fd(), &self.packet, file)
    }

    /// Takes the next packet into `buffer`; what is longer than that is cut, and then unreadable.
    pub(crate) fn hear(&self, buffer: &mut [u8; MESSAGE_MAX]) -> io::Result<(usize, Heard)> {
        match seqpacket::receive(self.fd.as_fd(), buffer) {
            Ok((0, _)) => Ok((0, Heard::Gone)),
            Ok((length, file)) => Ok((length, Heard::Packet(file))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok((0, Heard::Silence)),
            // What the other end had not read when it went.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok((0, Heard::Gone)),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};

    use super::*;
    use crate::sys::memfd;

    const FROM_PARENT: [ToChild<'_>; 6] = [
        ToChild::Hello { n: 1 },
        ToChild::Prepare { n: 2 },
        ToChild::Forget { n: 3 },
        ToChild::Reload {
            n: u64::MAX,
            text: 7,
        },
        ToChild::Ask { n: 3, what: b"" },
        ToChild::Ask {
            n: 4,
            what: b"journal",
        },
    ];

    fn from_child() -> Vec<FromChild<'static>> {
        let mut all = vec![
            FromChild::Ready,
            FromChild::Here { n: 77 },
            FromChild::Told { n: 1, bytes: b"" },
            FromChild::Told {
                n: 2,
                bytes: &[0, 255],
            },
        ];
        for outcome in [Outcome::Applied, Outcome::Restart, Outcome::Failed] {
            for text in ["", "line 7: what\u{2026}"] {
                all.push(FromChild::Reloaded {
                    n: 5,
                    outcome,
                    text,
                });
            }
        }
        all
    }

    #[test]
    fn what_is_said_is_understood() {
        let mut packet = vec![9; 3];
        for message in FROM_PARENT {
            message.encode(&mut packet);
            assert_eq!(ToChild::decode(&packet), Ok(message));
            assert_eq!(FromChild::decode(&packet), Err(Unreadable), "{message:?}");
        }
        for message in from_child() {
            message.encode(&mut packet);
            assert_eq!(FromChild::decode(&packet), Ok(message));
            assert_eq!(ToChild::decode(&packet), Err(Unreadable), "{message:?}");
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let number = [0; 8];
        let with = |octet: u8, rest: &[u8]| [&[octet][..], &number, rest].concat();
        let wrong = [
            Vec::new(),
            b"H".to_vec(),
            with(b'H', b"")[..8].to_vec(),
            with(b'H', b"x"),
            with(b'C', b"x"),
            with(b'R', b"x"),
            [&b"R"[..], &1u64.to_be_bytes()].concat(),
            with(b'h', b"x"),
            with(b'c', b""),
            with(b'c', b"?"),
            with(b'c', b"+\xff"),
            with(b'x', b""),
        ];
        for packet in wrong {
            assert_eq!(ToChild::decode(&packet), Err(Unreadable), "{packet:?}");
            assert_eq!(FromChild::decode(&packet), Err(Unreadable), "{packet:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut_and_still_a_message() {
        let text = "\u{2026}".repeat(2_000);
        let bytes = vec![7; 9_000];
        let (outcome, mut packet) = (Outcome::Failed, Vec::new());
        FromChild::Reloaded {
            n: 1,
            outcome,
            text: &text,
        }
        .encode(&mut packet);
        let Ok(FromChild::Reloaded { text: read, .. }) = FromChild::decode(&packet) else {
            panic!("unreadable");
        };
        assert!(packet.len() <= MESSAGE_MAX && packet.len() > MESSAGE_MAX - 4);
        assert!(text.starts_with(read));
        FromChild::Told {
            n: 1,
            bytes: &bytes,
        }
        .encode(&mut packet);
        assert_eq!(packet.len(), MESSAGE_MAX);
        ToChild::Ask { n: 1, what: &bytes }.encode(&mut packet);
        assert_eq!(packet.len(), MESSAGE_MAX);
    }

    #[test]
    fn packets_keep_their_order_and_a_file_comes_along() {
        let (mut parent, theirs) = Voice::pair().expect("two sockets");
        let mut child = Voice::new(theirs);
        let mut buffer = [0; MESSAGE_MAX];
        assert!(matches!(child.hear(&mut buffer), Ok((0, Heard::Silence))));
        let text = memfd::sealed(b"global_defs").expect("a file in memory");
        parent
            .tell_child(&ToChild::Hello { n: 1 }, None)
            .expect("sent");
        let reload = ToChild::Reload { n: 2, text: 1 };
        parent
            .tell_child(&reload, Some(text.as_fd()))
            .expect("sent");
        drop(text);
        let Ok((length, Heard::Packet(None))) = child.hear(&mut buffer) else {
            panic!("not heard");
        };
        let hello = ToChild::decode(&buffer[..length]);
        assert_eq!(hello, Ok(ToChild::Hello { n: 1 }));
        let Ok((length, Heard::Packet(Some(file)))) = child.hear(&mut buffer) else {
            panic!("not heard");
        };
        assert_eq!(ToChild::decode(&buffer[..length]), Ok(reload));
        let mut read = String::new();
        File::from(file)
            .read_to_string(&mut read)
            .expect("readable");
        assert_eq!(read, "global_defs");
        // What the other end leaves unread does not hide that it is gone.
        child
            .tell_parent(&FromChild::Here { n: 1 }, None)
            .expect("sent");
        drop(parent);
        assert!(matches!(child.hear(&mut buffer), Ok((0, Heard::Gone))));
        let told = child.tell_parent(&FromChild::Ready, None);
        assert_eq!(
            told.map_err(|error| error.kind()),
            Err(io::ErrorKind::BrokenPipe)
        );
    }

    #[test]
    fn a_child_that_does_not_listen_holds_nothing_up() {
        let (mut parent, _theirs) = Voice::pair().expect("two sockets");
        let full = (0..100_000).find_map(|n| parent.tell_child(&ToChild::Hello { n }, None).err());
        let kind = full.map(|error| error.kind());
        assert_eq!(kind, Some(io::ErrorKind::WouldBlock));
    }

    #[test]
    fn many_descriptors_at_once_are_all_closed_but_one() {
        let (parent, theirs) = seqpacket::pair().expect("two sockets");
        let mut pipe = io::pipe().expect("a pipe");
        let ends = [pipe.1.as_fd(); 3];
        seqpacket::send_many(parent.as_fd(), b"x", &ends).expect("sent");
        let mut buffer = [0; 8];
        let (length, file) = seqpacket::receive(theirs.as_fd(), &mut buffer).expect("a packet");
        assert_eq!(length, 1);
        pipe.1.write_all(b"y").expect("room");
        drop(pipe.1);
        drop(file.expect("one of them"));
        let mut read = Vec::new();
        pipe.0.read_to_end(&mut read).expect("every end is closed");
        assert_eq!(read, b"y");
    }
}
