//! The child's half of the talk with its parent.
//!
//! A hello is not answered when it is read but at the end of the turn, when packets have been read
//! and due timers have been acted on: a loop that hangs in any of these does not answer.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::parent_id;

use crate::voice::{FromChild, Heard, MESSAGE_MAX, Outcome, ToChild, Voice};

/// The child's end.
#[derive(Debug)]
pub(crate) struct Talk {
    voice: Voice,
    /// The last hello that waits for its answer.
    hello: Option<u64>,
    /// The process that has started this one.
    parent: u32,
}

/// What the parent wants of the executor.
#[derive(Debug)]
pub(crate) enum Wish {
    /// Read the text of this file, which may be in force soon.
    Prepare {
        /// The number of the text.
        n: u64,
        /// The text, in memory.
        text: OwnedFd,
    },
    /// The text of this number will never be in force.
    Forget {
        /// The number of the text.
        n: u64,
    },
    /// Take in the text of this file; answered by [`Talk::reloaded`].
    Reload {
        /// Repeated in the answer.
        n: u64,
        /// The number of the text, which may have been prepared.
        prepared: u64,
        /// The text, in memory.
        text: OwnedFd,
    },
    /// Answered by [`Talk::told`].
    Ask {
        /// Repeated in the answer.
        n: u64,
        /// What is asked.
        what: Vec<u8>,
    },
    /// The parent is gone: leave in order.
    Leave,
}

impl Talk {
    /// The end that was inherited.
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self {
            voice: Voice::new(fd),
            hello: None,
            parent: parent_id(),
        }
    }

    /// True if the parent is gone, without reading anything.
    pub(crate) fn is_orphan(&self) -> bool {
        parent_id() != self.parent
    }

    /// The voice for a thread that makes an answer.
    pub(crate) fn voice(&self) -> io::Result<Voice> {
        self.voice.try_clone()
    }

    /// For registering it.
    pub(crate) fn raw(&self) -> RawFd {
        self.voice.raw()
    }

    /// The next wish; `None` when nothing is waiting. Hellos are kept for
    /// [`answer`](Self::answer).
    pub(crate) fn next_wish(&mut self) -> Option<Wish> {
        let mut buffer = [0; MESSAGE_MAX];
        loop {
            let (length, file) = match self.voice.hear(&mut buffer) {
                Ok((length, Heard::Packet(file))) => (length, file),
                Ok((_, Heard::Silence)) => return None,
                Ok((_, Heard::Gone)) => return Some(Wish::Leave),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    log::error!("the parent process cannot be heard: {error}");
                    return Some(Wish::Leave);
                }
            };
            let packet = buffer.get(..length).unwrap_or_default();
            match (ToChild::decode(packet), file) {
                (Ok(ToChild::Hello { n }), _) => self.hello = Some(n),
                (Ok(ToChild::Prepare { n }), Some(text)) => return Some(Wish::Prepare { n, text }),
                (Ok(ToChild::Forget { n }), _) => return Some(Wish::Forget { n }),
                (Ok(ToChild::Reload { n, text: prepared }), Some(text)) => {
                    return Some(Wish::Reload { n, prepared, text });
                }
                (Ok(ToChild::Ask { n, what }), _) => {
                    let what = what.to_vec();
                    return Some(Wish::Ask { n, what });
                }
                (Ok(ToChild::Prepare { .. } | ToChild::Reload { .. }) | Err(_), _) => {
                    log::warn!("the parent process said something unreadable");
                }
            }
        }
    }

    /// Says that the configuration is in and signals are heeded.
    pub(crate) fn ready(&mut self) {
        self.say(&FromChild::Ready, None);
    }

    /// Says what became of a reload.
    pub(crate) fn reloaded(&mut self, n: u64, outcome: Outcome, text: &str) {
        self.say(&FromChild::Reloaded { n, outcome, text }, None);
    }

    /// Answers a question; what does not fit into a message is in `file`.
    pub(crate) fn told(&mut self, n: u64, bytes: &[u8], file: Option<BorrowedFd<'_>>) {
        self.say(&FromChild::Told { n, bytes }, file);
    }

    /// Answers the last hello, if there was one since. To be called at the end of a turn.
    pub(crate) fn answer(&mut self) {
        if let Some(n) = self.hello.take() {
            self.say(&FromChild::Here { n }, None);
        }
    }

    /// A parent that does not listen must not hold the child up; one that is gone will be noticed.
    fn say(&mut self, message: &FromChild<'_>, file: Option<BorrowedFd<'_>>) {
        if let Err(error) = self.voice.tell_parent(message, file) {
            log::debug!("the parent process was not told: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::sys::memfd;

    fn heard(parent: &Voice) -> Vec<String> {
        let mut buffer = [0; MESSAGE_MAX];
        let mut all = Vec::new();
        while let Ok((length, Heard::Packet(_))) = parent.hear(&mut buffer) {
            all.push(format!("{:?}", FromChild::decode(&buffer[..length])));
        }
        all
    }

    #[test]
    fn a_hello_is_answered_when_the_turn_is_done_and_once() {
        let (mut parent, theirs) = Voice::pair().expect("two sockets");
        let mut talk = Talk::new(theirs);
        talk.ready();
        for n in [7, 8] {
            parent
                .tell_child(&ToChild::Hello { n }, None)
                .expect("sent");
        }
        assert!(talk.next_wish().is_none());
        assert_eq!(heard(&parent), ["Ok(Ready)"]);
        talk.answer();
        talk.answer();
        assert_eq!(heard(&parent), ["Ok(Here { n: 8 })"]);
    }

    #[test]
    fn wishes_come_in_their_order_and_the_end_last() {
        let (mut parent, theirs) = Voice::pair().expect("two sockets");
        let mut talk = Talk::new(theirs);
        let text = memfd::sealed(b"x").expect("a file in memory");
        let reload = ToChild::Reload { n: 1, text: 9 };
        parent.tell_child(&reload, None).expect("sent");
        parent
            .tell_child(&reload, Some(text.as_fd()))
            .expect("sent");
        parent
            .tell_child(&ToChild::Ask { n: 2, what: b"y" }, None)
            .expect("sent");
        // Without its text the first reload is no message.
        assert!(matches!(talk.next_wish(), Some(Wish::Reload { n: 1, .. })));
        let Some(Wish::Ask { n: 2, what }) = talk.next_wish() else {
            panic!("a question");
        };
        assert_eq!(what, b"y");
        assert!(talk.next_wish().is_none());
        drop(parent);
        // A process that another test is just starting holds a copy of the other end until its
        // exec: it is not the end at once.
        let end = (0..5_000).find_map(|_| {
            let wish = talk.next_wish();
            if wish.is_none() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            wish
        });
        assert!(matches!(end, Some(Wish::Leave)), "{end:?}");
    }
}
