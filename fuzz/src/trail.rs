//! What an input has reached, in words: the feedback that steers the search without instrumented
//! code.
//!
//! A target marks the outcomes that it comes by: which error, which state, which action after which
//! event. An input that leaves a mark that none before it has left is worth being changed further.
//! How often a mark is left counts too, roughly: once, twice, a few times, often.

use std::fmt::{self, Write};

/// The marks of one run.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    marks: Vec<u64>,
    /// The words of the marks, where somebody wants to read them.
    words: Option<Vec<(u64, String)>>,
    loud: bool,
}

impl Trail {
    /// An empty trail.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty trail that keeps the words of its marks.
    pub fn with_words() -> Self {
        Self {
            words: Some(Vec::new()),
            ..Self::default()
        }
    }

    /// An empty trail that keeps words and prints what it is told, for a look at one input.
    pub fn loud() -> Self {
        Self {
            loud: true,
            ..Self::with_words()
        }
    }

    /// Prints a line if somebody wants to look.
    pub fn tell(&self, line: impl FnOnce() -> String) {
        if self.loud {
            println!("  {}", line());
        }
    }

    /// Leaves a mark.
    pub fn mark(&mut self, what: fmt::Arguments<'_>) {
        let mut hasher = Fnv::default();
        // Writing to a hasher cannot fail.
        let _ = hasher.write_fmt(what);
        self.marks.push(hasher.state);
        if let Some(words) = &mut self.words {
            words.push((hasher.state, what.to_string()));
        }
    }

    /// Leaves the mark of a success or of the kind of error.
    pub fn result<T, E: fmt::Debug>(&mut self, what: &str, result: &Result<T, E>) {
        match result {
            Ok(_) => self.mark(format_args!("{what}: ok")),
            Err(error) => self.mark(format_args!("{what}: {error:?}")),
        }
    }

    /// The marks with how often they were left, each once, in order.
    pub fn features(&mut self) -> Vec<u64> {
        self.marks.sort_unstable();
        let same = self.marks.chunk_by(|one, two| one == two);
        same.map(|marks| marks[0].wrapping_add(u64::from(often(marks.len()))))
            .collect()
    }

    /// The words of `feature`, with how often they were left.
    pub fn words_of(&self, feature: u64) -> Option<String> {
        let words = self.words.as_ref()?;
        words.iter().find_map(|(mark, words)| {
            let times = (0..8).find(|times| mark.wrapping_add(*times) == feature)?;
            Some(match times {
                0 => words.clone(),
                times => format!("{words} x{}", 1 << times),
            })
        })
    }
}

/// Logarithm of how often, at most 7.
fn often(times: usize) -> u32 {
    times.max(1).ilog2().min(7)
}

/// FNV-1a, the same on every machine. The low bits are left to the counter.
struct Fnv {
    state: u64,
}

impl Default for Fnv {
    fn default() -> Self {
        Self {
            state: 0xcbf2_9ce4_8422_2325,
        }
    }
}

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.state = (self.state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_counts_by_its_words_and_by_how_often() {
        let run = |marks: &[&str]| {
            let mut trail = Trail::with_words();
            for mark in marks {
                trail.mark(format_args!("{mark}"));
            }
            let features = trail.features();
            let words: Vec<_> = features.iter().map(|one| trail.words_of(*one)).collect();
            (features, words)
        };
        assert_eq!(run(&["a", "b"]), run(&["b", "a"]));
        assert_ne!(run(&["a"]), run(&["b"]));
        assert_ne!(run(&["a"]).0, run(&["a", "a"]).0);
        assert_eq!(run(&["a"; 4]).0, run(&["a"; 7]).0);
        assert_eq!(run(&["a"; 5]).1, [Some("a x4".to_owned())]);
    }
}
