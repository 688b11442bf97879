//! Words into numbers, times, booleans and addresses, each with its range and its message.

use super::code::Code;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use super::diag::{Shown, Sink, Span, quoted};
use super::lexer::Word;
use crate::ids::Family;
use crate::time::Duration;

/// What becomes of a number with something behind it, as `1x`.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Garbage {
    /// It is refused.
    Refuse,
    /// The digits count, as the original does for these words when it runs (not when it checks).
    Cut,
}

/// A whole decimal number within `range`; anything else is reported, and `outcome` says what happens
/// then.
pub(super) fn number(
    word: &Word,
    range: RangeInclusive<u64>,
    garbage: Garbage,
    outcome: &str,
    sink: &mut Sink,
) -> Option<u64> {
    let shown = Shown(&word.text);
    let text = word.text.trim_start();
    let text = text.strip_prefix('+').unwrap_or(text);
    let (digits, tail) = split_digits(text);
    let wanted = || {
        format!(
            "write a whole number from {} to {}",
            range.start(),
            range.end()
        )
    };
    if text.starts_with('-') {
        let message = format!("{shown} is negative; {outcome}");
        sink.number(word.span, message).help(wanted());
        return None;
    }
    let value = parse_digits(digits);
    let usable = value.filter(|value| range.contains(value));
    if !tail.is_empty() || text.is_empty() {
        let cut = usable.filter(|_| garbage == Garbage::Cut);
        let outcome = cut.map_or_else(|| outcome.to_owned(), |value| format!("{value} is used"));
        let message = format!("{shown} is not a whole number; {outcome}");
        sink.number(word.span, message).help(wanted());
        return cut;
    }
    if usable.is_none() {
        let message = format!("{shown} is out of range; {outcome}");
        sink.number(word.span, message).help(wanted());
    }
    usable
}

/// A whole decimal number within `range`, which may be negative; otherwise as [`number`].
pub(super) fn signed(
    word: &Word,
    range: RangeInclusive<i64>,
    garbage: Garbage,
    outcome: &str,
    sink: &mut Sink,
) -> Option<i64> {
    let (min, max) = (*range.start(), *range.end());
    if let (Ok(min), Ok(max)) = (u64::try_from(min), u64::try_from(max)) {
        let value = number(word, min..=max, garbage, outcome, sink)?;
        return i64::try_from(value).ok();
    }
    let shown = Shown(&word.text);
    let text = word.text.trim_start();
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, tail) = split_digits(rest);
    let wanted = || format!("write a whole number from {min} to {max}");
    let value = parse_digits(digits).and_then(|value| i64::try_from(value).ok());
    let value = value.map(|value| if negative { -value } else { value });
    let usable = value.filter(|value| range.contains(value));
    if !tail.is_empty() || rest.is_empty() {
        let cut = usable.filter(|_| garbage == Garbage::Cut);
        let outcome = cut.map_or_else(|| outcome.to_owned(), |value| format!("{value} is used"));
        let message = format!("{shown} is not a whole number; {outcome}");
        sink.number(word.span, message).help(wanted());
        return cut;
    }
    if usable.is_none() {
        let message = format!("{shown} is out of range; {outcome}");
        sink.number(word.span, message).help(wanted());
    }
    usable
}

/// Seconds with up to six decimals, within `range`; more decimals are rounded with a message.
pub(super) fn seconds(
    word: &Word,
    range: RangeInclusive<Duration>,
    outcome: &str,
    sink: &mut Sink,
) -> Option<Duration> {
    decimal(word, range, (outcome, "seconds", "a microsecond"), sink)
}

/// Milliseconds with up to three decimals; otherwise as [`seconds`].
pub(super) fn millis(
    word: &Word,
    range: RangeInclusive<u32>,
    outcome: &str,
    sink: &mut Sink,
) -> Option<Duration> {
    let [min, max] = [*range.start(), *range.end()].map(|it| Duration::from_secs(u64::from(it)));
    let terms = (outcome, "milliseconds", "a nanosecond");
    let thousandfold = decimal(word, min..=max, terms, sink)?;
    Some(Duration::from_micros(thousandfold.as_micros() / 1_000))
}

/// A time; `terms` are what happens if it is wrong, its unit and the millionth part of it.
fn decimal(
    word: &Word,
    range: RangeInclusive<Duration>,
    (outcome, unit, finest): (&str, &str, &str),
    sink: &mut Sink,
) -> Option<Duration> {
    let shown = Shown(&word.text);
    let wanted = || format!("write {unit} from {} to {}", range.start(), range.end());
    let text = word.text.trim_start();
    let text = text.strip_prefix('+').unwrap_or(text);
    if text.starts_with('-') {
        let message = format!("{shown} is negative; {outcome}");
        sink.number(word.span, message).help(wanted());
        return None;
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || text.is_empty() {
        let message = format!("{shown} is not a number of {unit}; {outcome}");
        sink.number(word.span, message)
            .code(Code::BadTime)
            .help(wanted());
        return None;
    }
    let value = micros(whole, fraction).filter(|value| range.contains(value));
    let Some(value) = value else {
        let message = format!("{shown} is out of range; {outcome}");
        sink.number(word.span, message).help(wanted());
        return None;
    };
    if fraction.len() > MICRO_DIGITS {
        let message = format!("{shown} is finer than {finest}; {value} {unit} is used");
        sink.number(word.span, message)
            .code(Code::RoundedTime)
            .help("write at most six decimals");
    }
    Some(value)
}

const MICRO_DIGITS: usize = 6;

/// Digits before and behind the point, rounded half up at the microsecond.
fn micros(whole: &str, fraction: &str) -> Option<Duration> {
    let kept = fraction.get(..MICRO_DIGITS).unwrap_or(fraction);
    let next = fraction.as_bytes().get(MICRO_DIGITS);
    let round = u64::from(next.is_some_and(|digit| *digit >= b'5'));
    let fine = parse_digits(&format!("{kept:0<MICRO_DIGITS$}"))?;
    let micros = parse_digits(whole)?
        .checked_mul(1_000_000)?
        .checked_add(fine)?
        .checked_add(round)?;
    Some(Duration::from_micros(micros))
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// No digits are 0, as in strtoul; `None` if they do not fit.
fn parse_digits(digits: &str) -> Option<u64> {
    if digits.is_empty() {
        return Some(0);
    }
    digits.parse().ok()
}

/// `on`, `true`, `yes`, `off`, `false`, `no`, or nothing, which is true.
pub(super) fn boolean(word: Option<&Word>, sink: &mut Sink) -> Option<bool> {
    let Some(word) = word else {
        return Some(true);
    };
    match word.text.as_str() {
        "on" | "true" | "yes" => Some(true),
        "off" | "false" | "no" => Some(false),
        _ => {
            let message = format!(
                "{} is neither yes nor no; the line is ignored",
                quoted(&word.text)
            );
            sink.error(word.span, message)
                .code(Code::BadBoolean)
                .help("write on, true, yes, off, false or no, in lower case");
            None
        }
    }
}

/// An address; what follows a `/` or `-` is dropped as in the original.
pub(super) fn address(word: &Word, sink: &mut Sink) -> Option<IpAddr> {
    let text = word.text.as_str();
    let bare = text.find(['/', '-']).map_or(text, |at| &text[..at]);
    let Ok(addr) = bare.parse() else {
        let message = format!(
            "{} is not an IPv4 or IPv6 address; the line is ignored",
            quoted(text)
        );
        sink.error(word.span, message).code(Code::BadAddress);
        return None;
    };
    if bare.len() < text.len() {
        let message = format!("only {bare} counts here");
        sink.note(word.span, message)
            .code(Code::SurplusValue)
            .help("write the address alone")
            .suggest(bare);
    }
    Some(addr)
}

/// `ADDR` or `ADDR/LENGTH`; without a length the address alone.
pub(super) fn prefix(word: &Word, sink: &mut Sink) -> Option<(IpAddr, u8)> {
    let text = word.text.as_str();
    let (bare, length) = match text.split_once('/') {
        Some((bare, length)) => (bare, Some(length)),
        None => (text, None),
    };
    let Ok(addr) = bare.parse::<IpAddr>() else {
        let message = format!(
            "{} is not an IPv4 or IPv6 address; the line is ignored",
            quoted(bare)
        );
        sink.error(word.span, message).code(Code::BadAddress);
        return None;
    };
    let max = Family::of(addr).prefix_max();
    let Some(length) = length else {
        return Some((addr, max));
    };
    // Of a word in quotes or from a definition no part has a place of its own.
    let literal = word.span.origin == 0 && word.span.bytes().len() == text.len();
    let part = Word {
        text: length.to_owned(),
        span: if !literal {
            word.span
        } else {
            Span {
                start: word
                    .span
                    .end
                    .saturating_sub(u32::try_from(length.len()).unwrap_or(u32::MAX))
                    .max(word.span.start),
                column: word
                    .span
                    .column
                    .saturating_add(column_of(text, bare.len() + 1)),
                ..word.span
            }
        },
        unexpanded: false,
    };
    let outcome = match Family::of(addr) {
        Family::V4 => "/32 is used",
        Family::V6 => "/128 is used",
    };
    let range = 0..=u64::from(max);
    let value = number(&part, range, Garbage::Cut, outcome, sink);
    Some((
        addr,
        value.and_then(|v| u8::try_from(v).ok()).unwrap_or(max),
    ))
}

/// Characters before byte `at`.
fn column_of(text: &str, at: usize) -> u16 {
    let before = text.get(..at).unwrap_or(text);
    u16::try_from(before.chars().count()).unwrap_or(u16::MAX)
}

/// The highest (`ones`) or lowest address of a network; `None` if it has no room for one.
pub(super) fn broadcast(addr: Ipv4Addr, prefix: u8, ones: bool) -> Option<Ipv4Addr> {
    if prefix > 30 {
        return None;
    }
    let hosts = u32::MAX >> prefix;
    let bits = addr.to_bits();
    Some(Ipv4Addr::from_bits(if ones {
        bits | hosts
    } else {
        bits & !hosts
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Word {
        Word {
            text: text.to_owned(),
            span: Span::default(),
            unexpanded: false,
        }
    }

    fn read(text: &str, garbage: Garbage) -> (Option<u64>, usize) {
        let mut sink = Sink::new("f");
        let value = number(&word(text), 1..=255, garbage, "no", &mut sink);
        (value, sink.finish().len())
    }

    #[test]
    fn numbers_have_a_range_and_no_tail() {
        assert_eq!(read("1", Garbage::Refuse), (Some(1), 0));
        assert_eq!(read("+20", Garbage::Refuse), (Some(20), 0));
        assert_eq!(read("010", Garbage::Refuse), (Some(10), 0));
        assert_eq!(read("  7", Garbage::Refuse), (Some(7), 0));
        let bad = [
            "0",
            "256",
            "-1",
            "1x",
            "0x20",
            "",
            "99999999999999999999999",
        ];
        for text in bad {
            assert_eq!(read(text, Garbage::Refuse), (None, 1), "{text}");
        }
        assert_eq!(read("12x", Garbage::Cut), (Some(12), 1));
        assert_eq!(read("1.5", Garbage::Cut), (Some(1), 1));
        assert_eq!(read("abc", Garbage::Cut), (None, 1));
    }

    #[test]
    fn times_have_six_decimals() {
        let read = |text| {
            let mut sink = Sink::new("f");
            let range = Duration::from_millis(10)..=Duration::from_secs(255);
            let value = seconds(&word(text), range, "no", &mut sink);
            (value.map(Duration::as_micros), sink.finish().len())
        };
        assert_eq!(read("1"), (Some(1_000_000), 0));
        assert_eq!(read("1."), (Some(1_000_000), 0));
        assert_eq!(read(".5"), (Some(500_000), 0));
        assert_eq!(read("0.01"), (Some(10_000), 0));
        assert_eq!(read("255"), (Some(255_000_000), 0));
        assert_eq!(read("2.4999999"), (Some(2_500_000), 1));
        for text in [
            "0",
            "0.009",
            "255.000001",
            "-1",
            "1x",
            "1.2.3",
            "",
            "99999999999999999999",
        ] {
            assert_eq!(read(text), (None, 1), "{text}");
        }
    }

    #[test]
    fn booleans_are_six_words_or_none() {
        let mut sink = Sink::new("f");
        for (text, value) in [
            ("on", Some(true)),
            ("true", Some(true)),
            ("yes", Some(true)),
            ("off", Some(false)),
            ("false", Some(false)),
            ("no", Some(false)),
            ("1", None),
            ("Yes", None),
        ] {
            assert_eq!(boolean(Some(&word(text)), &mut sink), value, "{text}");
        }
        assert_eq!(boolean(None, &mut sink), Some(true));
        assert_eq!(sink.finish().len(), 2);
    }

    #[test]
    fn prefixes_default_to_the_address_alone() {
        let read = |text| {
            let mut sink = Sink::new("f");
            let value = prefix(&word(text), &mut sink).map(|(a, l)| format!("{a}/{l}"));
            (value.unwrap_or_default(), sink.finish().len())
        };
        assert_eq!(read("10.0.0.1"), ("10.0.0.1/32".into(), 0));
        assert_eq!(read("10.0.0.1/24"), ("10.0.0.1/24".into(), 0));
        assert_eq!(read("fe80::1"), ("fe80::1/128".into(), 0));
        assert_eq!(read("fe80::1/64"), ("fe80::1/64".into(), 0));
        assert_eq!(read("10.0.0.1/33"), ("10.0.0.1/32".into(), 1));
        assert_eq!(read("10.0.0.1/255.255.255.0"), ("10.0.0.1/32".into(), 1));
        assert_eq!(read("10.0.0.1/x"), ("10.0.0.1/0".into(), 1));
        assert_eq!(read("10.0.0.256/24"), (String::new(), 1));
        assert_eq!(read("10.0.0.01"), (String::new(), 1));
    }

    #[test]
    fn broadcast_needs_two_host_bits() {
        let addr = Ipv4Addr::new(10, 0, 0, 17);
        let of = |prefix, ones| broadcast(addr, prefix, ones).map(|a| a.to_string());
        assert_eq!(of(24, true).as_deref(), Some("10.0.0.255"));
        assert_eq!(of(24, false).as_deref(), Some("10.0.0.0"));
        assert_eq!(of(30, true).as_deref(), Some("10.0.0.19"));
        assert_eq!(of(0, true).as_deref(), Some("255.255.255.255"));
        assert_eq!(of(31, true), None);
        assert_eq!(of(32, false), None);
    }
}
