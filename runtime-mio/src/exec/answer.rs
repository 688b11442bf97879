//! What the VRRP child answers when its parent asks.
//!
//! As for dumps, the machine is looked at a little in each turn of the loop, and the text is made
//! and sent by a thread.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;

use relevo_core::status::json::{self, Layout};
use relevo_core::status::{Picture, Wish, brief};
use relevo_core::vrrp::VrrpNode;

use super::talk::Talk;
use crate::sys::{memfd, process};
use crate::voice::{FromChild, REST_MAX, Voice};
use crate::{dump, recorder};

/// The questions.
pub(crate) const STATUS: &[u8] = b"status";
pub(crate) const STATUS_JSON: &[u8] = b"status json";
pub(crate) const JOURNAL: &[u8] = b"journal";

/// How much is looked at in one turn, in addresses: some tens of microseconds.
const SLICE: usize = 128;

/// Questions that wait; a parent asks no more than its clients are.
const WAITING: usize = 64;

/// What a text is made of a picture for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Reader {
    Person,
    Program,
}

/// Questions that are being worked on.
#[derive(Default)]
pub(crate) struct Answers {
    asked: VecDeque<(u64, Reader)>,
    looking: Option<(u64, Reader, Picture)>,
}

impl Answers {
    /// Takes a question; one that is not understood is answered with nothing.
    pub(crate) fn ask(&mut self, n: u64, what: &[u8], talk: &mut Talk) {
        let reader = match what {
            STATUS => Reader::Person,
            STATUS_JSON => Reader::Program,
            JOURNAL => {
                let sent = talk
                    .voice()
                    .and_then(|mut voice| send(&mut voice, n, &recorder::image()));
                return told(sent);
            }
            _ => return talk.told(n, b"", None),
        };
        if self.asked.len() < WAITING {
            self.asked.push_back((n, reader));
        }
    }

    /// True while something is left to look at.
    pub(crate) fn has_work(&self) -> bool {
        self.looking.is_some() || !self.asked.is_empty()
    }

    /// Looks at a little of `node`.
    pub(crate) fn step(&mut self, node: &VrrpNode, talk: &Talk) {
        let next = self.looking.take().or_else(|| {
            let (n, reader) = self.asked.pop_front()?;
            Some((n, reader, Picture::begin(node, Wish::default())))
        });
        let Some((n, reader, mut picture)) = next else {
            return;
        };
        if picture.step(node, SLICE, |_| None).complete {
            told(
                talk.voice()
                    .and_then(|voice| make(voice, n, reader, picture)),
            );
        } else {
            self.looking = Some((n, reader, picture));
        }
    }
}

/// Makes the text and sends it.
fn make(mut voice: Voice, n: u64, reader: Reader, picture: Picture) -> io::Result<()> {
    let work = move || {
        process::yield_to_others();
        let mut text = String::new();
        // Writing to a String cannot fail.
        _ = match reader {
            Reader::Person => brief::write(&picture, &dump::wall(), &mut text),
            Reader::Program => json::write(&picture, &dump::wall(), Layout::One, &mut text),
        };
        told(send(&mut voice, n, text.as_bytes()));
    };
    let thread = std::thread::Builder::new().name("answer".to_owned());
    thread.spawn(work).map(drop)
}

/// Sends an answer; what does not fit into a message goes along as a file in memory.
fn send(voice: &mut Voice, n: u64, answer: &[u8]) -> io::Result<()> {
    let (bytes, rest) = answer.split_at(answer.len().min(REST_MAX));
    let rest = match rest {
        [] => None,
        rest => Some(memfd::sealed(rest)?),
    };
    let told = FromChild::Told { n, bytes };
    voice.tell_parent(&told, rest.as_ref().map(AsFd::as_fd))
}

fn told(sent: io::Result<()>) {
    if let Err(error) = sent {
        log::warn!("A question of the parent process is not answered: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use relevo_core::config::bound::{Bound, InstanceConfig, VirtualAddress};
    use relevo_core::ids::Version;

    use super::*;
    use crate::clock;
    use crate::voice::{Heard, MESSAGE_MAX};

    fn node(routers: u8) -> VrrpNode {
        let router = |vrid: u8| {
            let addresses = vec![VirtualAddress::new([10, 0, 0, vrid].into(), 32)];
            InstanceConfig::new(&format!("VI_{vrid}"), "none", Version::V3, vrid, addresses)
        };
        let bound = Bound {
            instances: (1..=routers).map(router).collect(),
            ..Bound::default()
        };
        VrrpNode::new(Arc::new(bound), 1, clock::now())
    }

    /// Asks as a parent would, and reads the answer.
    fn answer(node: &VrrpNode, what: &[u8]) -> (String, usize) {
        let (parent, theirs) = Voice::pair().expect("two sockets");
        let mut talk = Talk::new(theirs);
        let mut answers = Answers::default();
        answers.ask(7, what, &mut talk);
        let mut steps = 0;
        while answers.has_work() {
            answers.step(node, &talk);
            steps += 1;
        }
        let until = Instant::now() + Duration::from_secs(20);
        let mut buffer = [0; MESSAGE_MAX];
        loop {
            assert!(Instant::now() < until, "no answer");
            match parent.hear(&mut buffer).expect("open") {
                (length, Heard::Packet(file)) => {
                    let told = FromChild::decode(&buffer[..length]);
                    let Ok(FromChild::Told { n: 7, bytes }) = told else {
                        panic!("{told:?}");
                    };
                    let mut bytes = bytes.to_vec();
                    if let Some(file) = file {
                        let read = File::from(file).read_to_end(&mut bytes);
                        read.expect("readable");
                    }
                    return (String::from_utf8_lossy(&bytes).into_owned(), steps);
                }
                (_, Heard::Silence | Heard::Gone) => {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
    }

    #[test]
    fn a_short_answer_is_one_message_and_a_long_one_comes_whole() {
        let (text, steps) = answer(&node(1), STATUS);
        assert!(text.contains("VI_1") && text.len() < REST_MAX, "{text}");
        assert_eq!(steps, 1);
        let (text, steps) = answer(&node(250), STATUS);
        assert!(text.contains("VI_250") && text.len() > REST_MAX, "{text}");
        assert!(steps > 5, "not all in one turn: {steps}");
        let (text, _) = answer(&node(250), STATUS_JSON);
        assert!(text.starts_with('[') && text.contains("VI_250"), "{text}");
    }

    #[test]
    fn what_is_not_understood_is_answered_with_nothing() {
        let node = node(1);
        assert_eq!(answer(&node, b"what").0, "");
        // This thread has no journal.
        assert_eq!(answer(&node, JOURNAL).0, "");
    }
}
