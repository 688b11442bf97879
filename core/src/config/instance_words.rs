//! Values of `vrrp_instance` that are not read like others.

use super::code::Code;
use std::net::IpAddr;

use super::block::Statement;
use super::bound::ChecksumStyle;
use super::diag::{Sink, Spanned, quoted};
use super::global::IGNORED;
use super::lexer::Word;
use super::page::Page;
use super::row::{Field, Head, Kind, Line};
use super::scalar::Scalar;
use super::statement::{self, value};
use super::units::{self, Garbage};
use crate::ids::Version;
use crate::time::Duration;

/// What `state` says.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum InitialState {
    /// `state MASTER`.
    Master,
    /// `state BACKUP`.
    Backup,
}

/// `state`: MASTER is not taken back by a later BACKUP, as in keepalived.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wish(pub Option<Spanned<InitialState>>);

impl Field for Wish {
    fn read(&mut self, _head: &Head, found: &Statement, sink: &mut Sink) {
        let Some(word) = value(found, sink) else {
            return;
        };
        let state = match word.text.as_str() {
            "MASTER" => InitialState::Master,
            "BACKUP" => {
                let before = self.0.as_ref().map(|state| state.value);
                if before == Some(InitialState::Master) {
                    let message = "`state MASTER` stands before this; BACKUP is ignored";
                    sink.error(word.span, message)
                        .code(Code::SurplusValue)
                        .help("write one `state` only");
                    return;
                }
                InitialState::Backup
            }
            other => {
                let message = format!("{} is not a state; BACKUP is used", quoted(other));
                let upper = other.to_uppercase();
                let found = sink
                    .error(word.span, message)
                    .code(Code::BadChoice)
                    .help("write MASTER or BACKUP");
                if matches!(upper.as_str(), "MASTER" | "BACKUP") {
                    found.suggest(upper);
                }
                InitialState::Backup
            }
        };
        self.0 = Some(Spanned::new(state, word.span));
    }

    fn show(&self, head: &Head, page: &mut Page) {
        match self.0.as_ref().map(|state| state.value) {
            Some(InitialState::Master) => page.line(&[head.word, "MASTER"]),
            Some(InitialState::Backup) => page.line(&[head.word, "BACKUP"]),
            None => page.default(head.word, head.default),
        }
    }
}

/// `priority`: 100 if the number is wrong, as in keepalived.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Priority(pub u8);

impl Scalar for Priority {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let word = value(found, sink)?;
        let number = units::number(word, 1..=255, Garbage::Refuse, "100 is used", sink);
        let priority = number.and_then(|number| u8::try_from(number).ok());
        Some(Self(priority.unwrap_or(100)))
    }

    fn show(&self, head: &Head, page: &mut Page) {
        self.0.show(head, page);
    }
}

/// `preempt_delay`: 0 if it is wrong, as in keepalived.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct PreemptDelay(pub Duration);

impl Scalar for PreemptDelay {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let word = value(found, sink)?;
        let range = Duration::ZERO..=Duration::from_secs(1_000);
        let delay = units::seconds(word, range, "0 is used", sink);
        Some(Self(delay.unwrap_or_default()))
    }

    fn show(&self, head: &Head, page: &mut Page) {
        self.0.show(head, page);
    }
}

/// The highest priority of the other routers; 254 if it is not told.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct RivalPriority(pub u8);

impl Scalar for RivalPriority {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let Some(word) = statement::optional(found, sink) else {
            return Some(Self(254));
        };
        let number = units::number(word, 1..=254, Garbage::Refuse, IGNORED, sink)?;
        u8::try_from(number).ok().map(Self)
    }

    fn show(&self, head: &Head, page: &mut Page) {
        self.0.show(head, page);
    }
}

impl Scalar for Version {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let word = value(found, sink)?;
        match units::number(word, 2..=3, Garbage::Cut, IGNORED, sink)? {
            2 => Some(Self::V2),
            _ => Some(Self::V3),
        }
    }

    fn show(&self, head: &Head, page: &mut Page) {
        page.line(&[head.word, &self.number().to_string()]);
    }
}

/// `old_unicast_checksum [never]`.
impl Scalar for ChecksumStyle {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        match statement::optional(found, sink) {
            None => Some(Self::OldUnicast),
            Some(word) if word.text == "never" => Some(Self::Never),
            Some(word) => {
                let shown = quoted(&word.text);
                let message = format!("{shown} is not a way of `old_unicast_checksum`; {IGNORED}");
                sink.error(word.span, message)
                    .code(Code::BadChoice)
                    .help("write `never`, or nothing behind it");
                None
            }
        }
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let mut words = vec![head.word];
        words.extend((*self == Self::Never).then_some("never"));
        page.line(&words);
    }
}

/// A line of `unicast_peer`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Its address.
    pub addr: IpAddr,
    /// `min_ttl`: the least TTL or hop limit that is accepted from it.
    pub min_ttl: Option<u8>,
    /// `max_ttl`: the greatest.
    pub max_ttl: Option<u8>,
}

impl Peer {
    /// The words of the line, for the catalogue.
    pub(super) fn heads() -> Vec<Head> {
        let ttl = Kind::number(0, 255);
        vec![
            Head::within("<ADDR>", Kind::Address, "The address of another router."),
            Head::within("max_ttl", ttl, "The greatest TTL that is accepted from it.").or("255"),
            Head::within("min_ttl", ttl, "The least TTL that is accepted from it.").or("0"),
        ]
    }
}

impl Line for Peer {
    fn read(line: &Statement, sink: &mut Sink) -> Option<Self> {
        let (first, options) = line.words.split_first()?;
        let mut peer = Self {
            addr: units::address(first, sink)?,
            min_ttl: None,
            max_ttl: None,
        };
        for pair in options.chunks(2) {
            if peer.option(pair, sink).is_none() {
                break;
            }
        }
        let (min, max) = (peer.min_ttl.unwrap_or(0), peer.max_ttl.unwrap_or(255));
        if min > max
            && let Some(first) = options.first()
        {
            let message = format!(
                "`min_ttl` {min} is more than `max_ttl` {max}: every packet of this peer is \
                 discarded"
            );
            sink.error(first.span, message).code(Code::BadNumber);
        }
        Some(peer)
    }

    fn show(&self, page: &mut Page) {
        let addr = self.addr.to_string();
        let limits = [("min_ttl", self.min_ttl), ("max_ttl", self.max_ttl)];
        let limits = limits.map(|(word, limit)| limit.map(|limit| (word, limit.to_string())));
        let mut words = vec![addr.as_str()];
        for (word, limit) in limits.iter().flatten() {
            words.extend([*word, limit]);
        }
        page.line(&words);
    }
}

impl Peer {
    /// A limit and its value; `None` if nothing behind it can be read.
    fn option(&mut self, pair: &[Word], sink: &mut Sink) -> Option<()> {
        let (name, value) = pair.split_first()?;
        let limit = match name.text.as_str() {
            "min_ttl" => &mut self.min_ttl,
            "max_ttl" => &mut self.max_ttl,
            other => {
                let message = format!(
                    "{} is not an option of a peer; the rest of the line is ignored",
                    quoted(other)
                );
                sink.error(name.span, message)
                    .code(Code::UnknownOption)
                    .help("write each peer on a line of its own");
                return None;
            }
        };
        let Some(value) = value.first() else {
            let message = format!("{} needs a value; it is ignored", quoted(&name.text));
            sink.error(name.span, message)
                .code(Code::MissingValue)
                .help("write 0 to 255 behind it");
            return None;
        };
        let number = units::number(value, 0..=255, Garbage::Refuse, "it is ignored", sink);
        if let Some(number) = number.and_then(|number| u8::try_from(number).ok()) {
            *limit = Some(number);
        }
        Some(())
    }
}
