//! Mutation of corpus inputs without coverage feedback: enough to shake a decoder for a while on a
//! stable toolchain.

use relevo_core::rng::Rng;

/// Inputs grow no longer than this.
const LEN_MAX: usize = 4_096;

/// Values at which arithmetic tends to go wrong.
const INTERESTING: [u8; 9] = [0, 1, 0x20, 0x40, 0x7f, 0x80, 0xfe, 0xff, b'{'];

/// A changed copy of `input`, sometimes crossed with `other`.
pub fn mutate(input: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut data = input.to_vec();
    for _ in 0..rng.within(1, 8) {
        let at = rng.below(data.len() as u64 + 1) as usize;
        match rng.below(7) {
            0 if at < data.len() => data[at] ^= 1 << rng.below(8),
            1 if at < data.len() => data[at] = rng.next_u64() as u8,
            2 if at < data.len() => data[at] = *rng.pick(&INTERESTING).unwrap_or(&0),
            3 => data.insert(at, rng.next_u64() as u8),
            4 => data.truncate(at),
            5 if at < data.len() => {
                let end = (at + rng.below(16) as usize).min(data.len());
                data.drain(at..end);
            }
            _ => {
                let from = rng.below(other.len() as u64 + 1) as usize;
                let end = (from + rng.below(64) as usize).min(other.len());
                data.splice(at..at, other[from..end].iter().copied());
            }
        }
    }
    data.truncate(LEN_MAX);
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutation_is_deterministic_bounded_and_changes_something() {
        let run = |seed| mutate(b"abcdef", b"xyz", &mut Rng::new(seed));
        assert_eq!(run(1), run(1));
        assert!((0..100).any(|seed| run(seed) != b"abcdef"));
        assert!((0..100).all(|seed| run(seed).len() <= LEN_MAX));
        mutate(&[], &[], &mut Rng::new(1));
    }
}
