//! Values of one line: how each type is read from the words behind its keyword, and shown as such.

use super::code::Code;
use std::net::IpAddr;

use super::block::Statement;
use super::diag::{Sink, quoted};
use super::global::IGNORED;
use super::lexer::Word;
use super::page::Page;
use super::row::{Head, Kind};
use super::statement::{flag, optional, value};
use super::units::{self, Garbage};
use crate::limits;
use crate::time::Duration;

/// A value that one line holds.
pub(super) trait Scalar: Sized {
    /// The value behind the keyword of `found`; `None`, and reported, if it is unusable.
    fn read(head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self>;
    /// Writes the line that reads back to this value.
    fn show(&self, head: &Head, page: &mut Page);
}

macro_rules! whole_numbers {
    ($($type:ty),*) => {$(
        impl Scalar for $type {
            fn read(head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
                whole(head, found, sink)?.try_into().ok()
            }

            fn show(&self, head: &Head, page: &mut Page) {
                page.line(&[head.word, &self.to_string()]);
            }
        }
    )*};
}
whole_numbers!(u8, u16, u32, u64, i8, i16, i32, i64);

fn whole(head: &Head, found: &Statement, sink: &mut Sink) -> Option<i64> {
    let word = value(found, sink)?;
    let (min, max, tail) = match head.kind {
        Kind::Number { min, max, tail } => (min, max, tail),
        _ => (i64::MIN, i64::MAX, Garbage::Refuse),
    };
    units::signed(word, min..=max, tail, IGNORED, sink)
}

impl Scalar for Duration {
    fn read(head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let word = value(found, sink)?;
        match head.kind {
            Kind::WholeSeconds { min, max } => {
                let range = u64::from(min)..=u64::from(max);
                let seconds = units::number(word, range, Garbage::Cut, IGNORED, sink)?;
                Some(Self::from_secs(seconds))
            }
            Kind::Seconds { min_us, max_us } => {
                let range = Self::from_micros(min_us)..=Self::from_micros(max_us);
                units::seconds(word, range, IGNORED, sink)
            }
            Kind::Millis { min, max } => units::millis(word, min..=max, IGNORED, sink),
            _ => None,
        }
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let shown = match head.kind {
            // A thousand times as many of them.
            Kind::Millis { .. } => Self::from_micros(self.as_micros().saturating_mul(1_000)),
            _ => *self,
        };
        page.line(&[head.word, &shown.to_string()]);
    }
}

impl Scalar for bool {
    fn read(head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        if let Kind::Switch(on) = head.kind {
            flag(found, sink);
            return Some(on);
        }
        units::boolean(optional(found, sink), sink)
    }

    fn show(&self, head: &Head, page: &mut Page) {
        match head.kind {
            Kind::Switch(on) if on == *self => page.line(&[head.word]),
            Kind::Switch(_) => {}
            _ => page.line(&[head.word, if *self { "on" } else { "off" }]),
        }
    }
}

impl Scalar for String {
    fn read(head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let word = value(found, sink)?;
        let (longest, what) = match head.kind {
            Kind::Name(longest) => (longest, ""),
            Kind::Interface => (
                limits::INTERFACE_NAME,
                "is too long for the name of an interface, and ",
            ),
            Kind::Cut(longest) => return cut(word, longest, sink),
            _ => return Some(word.text.clone()),
        };
        if word.text.len() > longest {
            let shown = quoted(&word.text);
            let message = format!("{shown} {what}is longer than {longest} octets; {IGNORED}");
            sink.error(word.span, message).code(Code::LongName);
            return None;
        }
        Some(word.text.clone())
    }

    fn show(&self, head: &Head, page: &mut Page) {
        page.line(&[head.word, self]);
    }
}

/// What counts of a name of which `longest` octets are kept: whole characters, none of control.
fn cut(word: &Word, longest: usize, sink: &mut Sink) -> Option<String> {
    let mut kept = String::new();
    for letter in word.text.chars() {
        if letter.is_control() || kept.len() + letter.len_utf8() > longest {
            break;
        }
        kept.push(letter);
    }
    let shown = quoted(&word.text);
    if kept.is_empty() {
        let message = format!("{shown} is no name of a process; {IGNORED}");
        sink.error(word.span, message).code(Code::BadValue);
        return None;
    }
    if kept.len() < word.text.len() {
        let used = quoted(&kept);
        let message = format!("{shown} is longer than {longest} characters; {used} is used");
        sink.error(word.span, message)
            .code(Code::LongName)
            .suggest(kept.clone());
    }
    Some(kept)
}

/// [`Kind::Words`].
impl Scalar for Vec<String> {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        if found.arguments().is_empty() {
            sink.missing_parameter(found.span(), found.keyword());
            return None;
        }
        let words = found.arguments().iter();
        Some(words.map(|word| word.text.clone()).collect())
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let mut words = vec![head.word];
        words.extend(self.iter().map(String::as_str));
        page.line(&words);
    }
}

impl Scalar for IpAddr {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        units::address(value(found, sink)?, sink)
    }

    fn show(&self, head: &Head, page: &mut Page) {
        page.line(&[head.word, &self.to_string()]);
    }
}

/// A value that is written as one of a few words.
pub(super) trait Choice: Copy + PartialEq + 'static {
    /// Each word and its value; a value's first word is the one that is shown.
    const WORDS: &'static [(&'static str, Self)];
}

impl<T: Choice> Scalar for T {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let word = value(found, sink)?;
        let known = T::WORDS.iter().find(|(text, _)| *text == word.text);
        if let Some((_, value)) = known {
            return Some(*value);
        }
        let words: Vec<&str> = T::WORDS.iter().map(|(text, _)| *text).collect();
        let shown = quoted(&word.text);
        let message = format!("{shown} is no value of `{}`; {IGNORED}", found.keyword());
        let help = format!("write one of {}", words.join(", "));
        let near = super::keywords::nearest_of(words.into_iter(), &word.text);
        let report = sink
            .error(word.span, message)
            .code(Code::BadChoice)
            .help(help);
        if let Some(near) = near {
            report.suggest(near);
        }
        None
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let known = T::WORDS.iter().find(|(_, value)| value == self);
        page.line(&[head.word, known.map_or("", |(text, _)| text)]);
    }
}
