//! What happened, as a number that must be the same in every run, and on demand as lines of text.

use std::collections::VecDeque;
use std::fmt::Display;

use relevo_core::time::Instant;

/// The record of one run.
#[derive(Clone, Debug)]
pub struct Trace {
    hash: u64,
    lines: VecDeque<String>,
    keep: usize,
}

impl Trace {
    /// A record that keeps the last `keep` lines; none if that is 0.
    pub fn new(keep: usize) -> Self {
        Self {
            hash: 0xcbf2_9ce4_8422_2325,
            lines: VecDeque::new(),
            keep,
        }
    }

    /// Mixes numbers into the hash.
    pub fn mix(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.hash = (self.hash ^ number).wrapping_mul(0x0000_0100_0000_01b3);
            self.hash ^= self.hash >> 29;
        }
    }

    /// Mixes bytes into the hash.
    pub fn mix_bytes(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(&[u64::from_le_bytes(word)]);
        }
        self.mix(&[bytes.len() as u64]);
    }

    /// The hash of everything so far.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// True if lines are kept, so that making one is worth it.
    pub fn keeps_lines(&self) -> bool {
        self.keep > 0
    }

    /// Keeps a line, if lines are kept.
    pub fn line(&mut self, now: Instant, who: &str, text: impl Display) {
        if self.keep == 0 {
            return;
        }
        if self.lines.len() >= self.keep {
            self.lines.pop_front();
        }
        let micros = now.as_micros();
        let line = format!(
            "{:>4}.{:06} {who:<8} {text}",
            micros / 1_000_000,
            micros % 1_000_000
        );
        self.lines.push_back(line);
    }

    /// The lines that were kept, the oldest first.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_depends_on_every_number_and_byte() {
        let hash = |numbers: &[u64], bytes: &[u8]| {
            let mut trace = Trace::new(0);
            trace.mix(numbers);
            trace.mix_bytes(bytes);
            trace.hash()
        };
        assert_eq!(hash(&[1, 2], b"abc"), hash(&[1, 2], b"abc"));
        assert_ne!(hash(&[1, 2], b"abc"), hash(&[2, 1], b"abc"));
        assert_ne!(hash(&[1, 2], b"abc"), hash(&[1, 2], b"abd"));
        assert_ne!(hash(&[1], b"abc\0"), hash(&[1], b"abc"));
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut trace = Trace::new(2);
        for n in 0..5 {
            trace.line(Instant::from_micros(n), "a", n);
        }
        let lines: Vec<_> = trace.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[1].ends_with('4') && lines[1].contains("0.000004"));
    }
}
