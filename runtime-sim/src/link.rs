//! What one direction of a path does to what travels on it.

use relevo_core::rng::Rng;
use relevo_core::time::Duration;

/// Faults and delays of one direction; shares are in thousandths.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Quality {
    /// Share that never arrives.
    pub loss: u16,
    /// The shortest delay.
    pub delay: Duration,
    /// What chance may add to the delay; enough of it changes the order.
    pub spread: Duration,
    /// Share that arrives twice.
    pub duplicate: u16,
    /// Share that is held back by `reorder_by`, so that later packets overtake it.
    pub reorder: u16,
    /// How long a held back packet waits.
    pub reorder_by: Duration,
    /// Share that arrives with one byte changed.
    pub corrupt: u16,
}

impl Default for Quality {
    fn default() -> Self {
        Self {
            loss: 0,
            delay: Duration::from_micros(100),
            spread: Duration::from_micros(200),
            duplicate: 0,
            reorder: 0,
            reorder_by: Duration::ZERO,
            corrupt: 0,
        }
    }
}

/// One copy that arrives.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// How long it travels.
    pub after: Duration,
    /// Chooses the changed byte and its new value, if one is changed.
    pub flip: Option<u64>,
}

impl Quality {
    /// The longest time that a copy can travel.
    pub fn slowest(&self) -> Duration {
        self.delay + self.spread + self.reorder_by
    }

    /// What becomes of one packet: no copy, one, or two.
    pub fn draw(&self, rng: &mut Rng) -> [Option<Arrival>; 2] {
        if self.loss > 0 && rng.chance(u64::from(self.loss), 1_000) {
            return [None, None];
        }
        let first = Some(self.arrival(rng));
        let again = self.duplicate > 0 && rng.chance(u64::from(self.duplicate), 1_000);
        [first, again.then(|| self.arrival(rng))]
    }

    fn arrival(&self, rng: &mut Rng) -> Arrival {
        let mut after = self.delay + Duration::from_micros(rng.below(self.spread.as_micros() + 1));
        if self.reorder > 0 && rng.chance(u64::from(self.reorder), 1_000) {
            after = after + self.reorder_by;
        }
        let corrupt = self.corrupt > 0 && rng.chance(u64::from(self.corrupt), 1_000);
        Arrival {
            after,
            flip: corrupt.then(|| rng.next_u64()),
        }
    }
}

/// `bytes` with one byte changed as `flip` chooses.
pub fn flipped(bytes: &[u8], flip: u64) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    if !changed.is_empty() {
        let at = (flip >> 8) as usize % changed.len();
        if let Some(byte) = changed.get_mut(at) {
            *byte ^= (flip as u8).max(1);
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(quality: &Quality, packets: u32) -> Vec<Arrival> {
        let mut rng = Rng::new(9);
        (0..packets)
            .flat_map(|_| quality.draw(&mut rng))
            .flatten()
            .collect()
    }

    #[test]
    fn a_clean_path_delivers_each_packet_once_within_its_bounds() {
        let clean = Quality::default();
        let all = arrivals(&clean, 500);
        assert_eq!(all.len(), 500);
        assert!(
            all.iter()
                .all(|a| a.after >= clean.delay && a.after <= clean.slowest())
        );
        assert!(all.iter().all(|a| a.flip.is_none()));
    }

    #[test]
    fn loss_and_duplication_change_the_count() {
        let lossy = Quality {
            loss: 500,
            ..Quality::default()
        };
        assert!((150..350).contains(&arrivals(&lossy, 500).len()));
        let doubled = Quality {
            duplicate: 1_000,
            ..Quality::default()
        };
        assert_eq!(arrivals(&doubled, 10).len(), 20);
        let dead = Quality {
            loss: 1_000,
            ..Quality::default()
        };
        assert!(arrivals(&dead, 10).is_empty());
    }

    #[test]
    fn a_held_back_packet_is_overtaken() {
        let quality = Quality {
            reorder: 500,
            reorder_by: Duration::from_millis(50),
            ..Quality::default()
        };
        let all = arrivals(&quality, 100);
        assert!(all.iter().any(|a| a.after >= quality.reorder_by));
        assert!(all.iter().any(|a| a.after < quality.reorder_by));
    }

    #[test]
    fn a_corrupt_packet_differs_in_exactly_one_byte() {
        let bytes = [1, 2, 3, 4, 5];
        for flip in [0, 1, 0x0300, u64::MAX] {
            let changed = flipped(&bytes, flip);
            let differing = bytes.iter().zip(&changed).filter(|(a, b)| a != b).count();
            assert_eq!(differing, 1);
        }
        assert!(flipped(&[], 7).is_empty());
    }
}
