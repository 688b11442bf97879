//! Changes of text: words and lines instead of octets.

use relevo_core::rng::Rng;

/// The words of a language.
pub type Words = fn() -> &'static [&'static str];

/// Numbers at the edges of somebody's range.
const NUMBERS: [&str; 16] = [
    "0",
    "1",
    "-1",
    "2",
    "3",
    "50",
    "254",
    "255",
    "256",
    "0.01",
    "0.015",
    "40.95",
    "4095",
    "65536",
    "4294967296",
    "18446744073709551616",
];

/// One change.
pub(super) fn change(data: &mut Vec<u8>, other: &[u8], words: &[&str], rng: &mut Rng) {
    match rng.below(8) {
        0 | 1 => {
            let word = rng.pick(words).copied().unwrap_or("x");
            replace_word(data, word.as_bytes(), rng);
        }
        2 => {
            let number = rng.pick(&NUMBERS).copied().unwrap_or("0");
            replace_word(data, number.as_bytes(), rng);
        }
        3 => {
            let word = rng.pick(words).copied().unwrap_or("x");
            let at = end_of_some_word(data, rng);
            data.splice(at..at, [b" ", word.as_bytes()].concat());
        }
        4 => {
            let line = some_line(data, rng);
            let copy = data[line].to_vec();
            let at = start_of_some_line(data, rng);
            data.splice(at..at, copy);
        }
        5 => {
            let line = some_line(data, rng);
            data.drain(line);
        }
        6 => {
            let line = some_line(other, rng);
            let at = start_of_some_line(data, rng);
            data.splice(at..at, other[line].iter().copied());
        }
        _ => {
            let word = some_word(data, rng);
            data.drain(word);
        }
    }
}

fn replace_word(data: &mut Vec<u8>, word: &[u8], rng: &mut Rng) {
    let place = some_word(data, rng);
    data.splice(place, word.iter().copied());
}

fn some_word(data: &[u8], rng: &mut Rng) -> std::ops::Range<usize> {
    let at = rng.below(data.len() as u64 + 1) as usize;
    let is_blank = |byte: &u8| byte.is_ascii_whitespace();
    let start = at
        + data[at..]
            .iter()
            .position(|byte| !is_blank(byte))
            .unwrap_or(0);
    let start = data[..start]
        .iter()
        .rposition(is_blank)
        .map_or(0, |at| at + 1);
    let end = data[start..].iter().position(is_blank);
    start..end.map_or(data.len(), |end| start + end)
}

fn end_of_some_word(data: &[u8], rng: &mut Rng) -> usize {
    some_word(data, rng).end
}

fn start_of_some_line(data: &[u8], rng: &mut Rng) -> usize {
    some_line(data, rng).start
}

/// A line with its end.
fn some_line(data: &[u8], rng: &mut Rng) -> std::ops::Range<usize> {
    let at = rng.below(data.len() as u64 + 1) as usize;
    let is_end = |byte: &u8| *byte == b'\n';
    let start = data[..at].iter().rposition(is_end).map_or(0, |at| at + 1);
    let end = data[start..].iter().position(is_end);
    start..end.map_or(data.len(), |end| start + end + 1)
}
