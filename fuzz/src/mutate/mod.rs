//! Inputs from inputs: octets changed blindly, and with an eye to what they mean.

pub mod packet;
mod text;

use relevo_core::rng::Rng;

pub use packet::Repair;
pub use text::Words;

/// Inputs grow no longer than this.
pub const LEN_MAX: usize = 4_096;

/// Values at which arithmetic tends to go wrong.
const INTERESTING: [u8; 9] = [0, 1, 0x20, 0x40, 0x7f, 0x80, 0xfe, 0xff, b'{'];

/// What the octets of an input mean.
#[derive(Copy, Clone, Debug)]
pub enum Shape {
    /// Nothing that is worth knowing.
    Plain,
    /// A packet, whose lengths and checksums can be put right after a change.
    Packet(Repair),
    /// Text, with the words of its language.
    Text(Words),
    /// Records of a few octets each.
    Stream,
}

/// A changed copy of `input`, sometimes crossed with `other`.
pub fn mutate(input: &[u8], other: &[u8], shape: Shape, rng: &mut Rng) -> Vec<u8> {
    let mut data = input.to_vec();
    for _ in 0..rng.within(1, 6) {
        match shape {
            Shape::Plain => blindly(&mut data, other, rng),
            Shape::Packet(_) => blindly(&mut data, other, rng),
            Shape::Text(words) if rng.chance(3, 4) => {
                text::change(&mut data, other, words(), rng);
            }
            Shape::Stream if rng.chance(1, 2) => records(&mut data, other, rng),
            Shape::Text(_) | Shape::Stream => blindly(&mut data, other, rng),
        }
        data.truncate(LEN_MAX);
    }
    if let Shape::Packet(repair) = shape
        && rng.chance(3, 4)
    {
        repair(&mut data);
    }
    data
}

/// One change of octets whose meaning is unknown.
fn blindly(data: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    let at = rng.below(data.len() as u64 + 1) as usize;
    match rng.below(8) {
        0 if at < data.len() => data[at] ^= 1 << rng.below(8),
        1 if at < data.len() => data[at] = rng.next_u64() as u8,
        2 if at < data.len() => data[at] = *rng.pick(&INTERESTING).unwrap_or(&0),
        3 if at < data.len() => {
            data[at] = data[at].wrapping_add(rng.below(5) as u8).wrapping_sub(2);
        }
        4 => data.insert(at, rng.next_u64() as u8),
        5 if rng.chance(1, 4) => data.truncate(at),
        6 => {
            let end = (at + rng.below(16) as usize).min(data.len());
            data.drain(at..end);
        }
        _ => {
            let piece = piece(other, 64, rng);
            data.splice(at..at, piece.iter().copied());
        }
    }
}

/// A piece is repeated, moved, removed, or taken from elsewhere.
fn records(data: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    let at = rng.below(data.len() as u64 + 1) as usize;
    let own = piece(data, 48, rng).to_vec();
    match rng.below(5) {
        0 => drop(data.splice(at..at, own)),
        1 => {
            let end = (at + own.len()).min(data.len());
            data.splice(at..end, own);
        }
        2 => {
            let end = (at + rng.within(1, 24) as usize).min(data.len());
            data.drain(at..end);
        }
        3 => {
            let foreign = piece(other, 200, rng);
            data.splice(at..at, foreign.iter().copied());
        }
        _ => {
            let fresh = (0..rng.within(1, 12)).map(|_| rng.next_u64() as u8);
            let fresh: Vec<u8> = fresh.collect();
            data.splice(at..at, fresh);
        }
    }
}

/// At most `most` octets from somewhere in `data`.
fn piece<'a>(data: &'a [u8], most: u64, rng: &mut Rng) -> &'a [u8] {
    let from = rng.below(data.len() as u64 + 1) as usize;
    let end = (from + rng.within(1, most) as usize).min(data.len());
    &data[from..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutation_is_deterministic_bounded_and_changes_something() {
        let words: Words = || &["vrrp_instance", "eth0"];
        let repair: Repair = |data| data.push(0);
        let shapes = [
            Shape::Plain,
            Shape::Packet(repair),
            Shape::Text(words),
            Shape::Stream,
        ];
        for shape in shapes {
            let run = |seed| mutate(b"ab cd\nef", b"x y\nz", shape, &mut Rng::new(seed));
            assert_eq!(run(1), run(1));
            assert!((0..100).any(|seed| run(seed) != b"ab cd\nef"));
            let long = vec![b'x'; LEN_MAX];
            for seed in 0..200 {
                let mut rng = Rng::new(seed);
                assert!(mutate(&long, &long, shape, &mut rng).len() <= LEN_MAX + 1);
                mutate(&[], &[], shape, &mut rng);
            }
        }
    }
}
