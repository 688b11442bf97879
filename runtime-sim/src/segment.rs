//! One L2 domain: who is on it, and the path from each station to each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::link::Quality;

/// Something with a port on a segment.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Station {
    /// A host, by its position.
    Host(usize),
    /// A client, by its position.
    Client(usize),
}

/// A segment and its directed paths.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    quality: Quality,
    special: BTreeMap<(Station, Station), Quality>,
    cut: BTreeSet<(Station, Station)>,
}

impl Segment {
    /// A segment whose paths between hosts are all of `quality`.
    pub fn new(quality: Quality) -> Self {
        Self {
            quality,
            ..Self::default()
        }
    }

    /// The quality of the path from `from` to `to`. Paths to clients are clean unless one was set.
    pub fn quality(&self, from: Station, to: Station) -> Quality {
        if let Some(special) = self.special.get(&(from, to)) {
            return *special;
        }
        match to {
            Station::Host(_) => self.quality,
            Station::Client(_) => Quality::default(),
        }
    }

    /// Sets the quality of all paths between hosts that have none of their own.
    pub fn set_quality(&mut self, quality: Quality) {
        self.quality = quality;
    }

    /// Sets the quality of one path.
    pub fn set_path(&mut self, from: Station, to: Station, quality: Quality) {
        self.special.insert((from, to), quality);
    }

    /// True if nothing from `from` reaches `to`.
    pub fn is_cut(&self, from: Station, to: Station) -> bool {
        self.cut.contains(&(from, to))
    }

    /// Cuts or joins the path from `from` to `to`; true if that changes anything.
    pub fn set_cut(&mut self, from: Station, to: Station, cut: bool) -> bool {
        if cut {
            self.cut.insert((from, to))
        } else {
            self.cut.remove(&(from, to))
        }
    }

    /// Joins every path and makes it of `quality`.
    pub fn heal(&mut self, quality: Quality) {
        self.cut.clear();
        self.special.clear();
        self.quality = quality;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Station = Station::Host(0);
    const B: Station = Station::Host(1);
    const C: Station = Station::Client(0);

    #[test]
    fn a_cut_has_one_direction_and_heals() {
        let mut segment = Segment::default();
        assert!(segment.set_cut(A, B, true));
        assert!(!segment.set_cut(A, B, true), "cut twice changes nothing");
        assert!(segment.is_cut(A, B));
        assert!(!segment.is_cut(B, A));
        segment.heal(Quality::default());
        assert!(!segment.is_cut(A, B));
    }

    #[test]
    fn a_path_of_its_own_quality_wins_over_the_segments() {
        let lossy = Quality {
            loss: 300,
            ..Quality::default()
        };
        let mut segment = Segment::new(lossy);
        assert_eq!(segment.quality(A, B), lossy);
        assert_eq!(segment.quality(A, C), Quality::default());
        segment.set_path(A, B, Quality::default());
        assert_eq!(segment.quality(A, B), Quality::default());
        assert_eq!(segment.quality(B, A), lossy);
    }
}
