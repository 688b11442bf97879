//! From tables to a picture of the whole: which table is being told, and whether what was told can
//! be trusted when it ends.
//!
//! A picture is made of two tables, links and addresses, and becomes complete with the second.
//! Tables that changed while they were told are united with the next, for each may have missed a
//! row. What a picture must not do is to keep a row that is gone. Two things can make it: news
//! that were lost, and news that overtook a row, for the kernel reads rows without stopping the
//! changes to them. Either makes the picture *doubtful*: it is completed, so that there is one even
//! if the changes never end, and another follows.

/// Tables in a row that changed while they were told. Each may have missed a row; what none of so
/// many has named is not there.
const TABLES_UNITED: u32 = 4;

/// Which table is being told.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(crate) enum Telling {
    #[default]
    Nothing,
    Links,
    Addresses,
}

/// What follows the end of a table.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    /// Nothing now.
    Wait,
    /// The table of addresses is to be asked for.
    Addresses,
    /// The picture is complete.
    Complete,
}

/// The picture that is being told, or the wish for one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Picture {
    telling: Telling,
    wanted: bool,
    /// It has begun and not ended.
    open: bool,
    /// It must not be completed.
    void: bool,
    /// The table that is being told changed meanwhile, or could not be told to its end.
    dirty: bool,
    /// It may name what is gone.
    doubtful: bool,
    /// Tables that changed since it began.
    united: u32,
}

impl Picture {
    /// A new picture shall be told. One that is being told is not completed, but begun again.
    pub(crate) fn want(&mut self) {
        self.wanted = true;
        self.void = self.open;
    }

    /// True if a table is wanted and none is being told.
    pub(crate) fn waits(&self) -> bool {
        self.wanted && self.telling == Telling::Nothing
    }

    /// True if a table is being told.
    pub(crate) fn is_being_told(&self) -> bool {
        self.telling != Telling::Nothing
    }

    /// True if no table is wanted or being told.
    pub(crate) fn is_at_rest(&self) -> bool {
        !self.wanted && !self.is_being_told()
    }

    /// Tables are going to be asked for; true if a new picture begins with them.
    pub(crate) fn begin(&mut self) -> bool {
        self.wanted = false;
        self.dirty = false;
        let anew = !self.open || self.void;
        if anew {
            (self.open, self.void, self.doubtful) = (true, false, false);
            self.united = 0;
        }
        anew
    }

    /// A table was asked for.
    pub(crate) fn on_asked(&mut self, table: Telling) {
        self.telling = table;
    }

    /// News were lost.
    pub(crate) fn on_lost(&mut self) {
        self.wanted = true;
        self.doubtful |= self.open;
    }

    /// Something has come that is no row of the table being told, if one is: a row that is older
    /// may follow it.
    pub(crate) fn on_news(&mut self) {
        self.doubtful |= self.is_being_told();
    }

    /// The kernel says that the table changed since its first rows were read.
    pub(crate) fn on_interrupted(&mut self) {
        self.dirty = true;
    }

    /// The table is not told to its end.
    pub(crate) fn on_failed(&mut self) {
        self.telling = Telling::Nothing;
        self.wanted = true;
        self.dirty = true;
    }

    /// The table was told to its end.
    pub(crate) fn on_end(&mut self) -> Next {
        let told = std::mem::take(&mut self.telling);
        match told {
            _ if self.void => Next::Wait,
            Telling::Nothing => Next::Wait,
            Telling::Links => Next::Addresses,
            Telling::Addresses => self.on_whole(),
        }
    }

    /// Both tables were told to their end.
    fn on_whole(&mut self) -> Next {
        if self.dirty {
            self.wanted = true;
            self.united += 1;
            if self.united < TABLES_UNITED {
                return Next::Wait;
            }
        }
        self.open = false;
        self.wanted |= self.doubtful;
        Next::Complete
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, VecDeque};

    use relevo_core::rng::Rng;

    use super::*;

    /// A message on the way from the kernel.
    enum Told {
        Row(u8),
        Interrupted,
        End,
        Refused,
        News(u8, bool),
        Lost,
    }

    /// A kernel that reads rows while they change, loses news, and refuses now and then.
    struct Kernel {
        rng: Rng,
        rows: BTreeSet<u8>,
        wire: VecDeque<Told>,
        /// Set from a loss until everything has been read: nothing is told meanwhile.
        congested: bool,
    }

    impl Kernel {
        fn change(&mut self) {
            let row = self.rng.below(6) as u8;
            let there = self.rng.chance(1, 2);
            let changed = if there {
                self.rows.insert(row)
            } else {
                self.rows.remove(&row)
            };
            if !changed || self.congested {
                return;
            }
            self.congested = self.rng.chance(1, 3);
            self.wire.push_back(match self.congested {
                true => Told::Lost,
                false => Told::News(row, there),
            });
        }

        /// One table in two parts, the rows of each being read before they are on the wire.
        fn tell(&mut self, noisy: bool) {
            if noisy && self.rng.chance(1, 8) {
                self.wire.push_back(Told::Refused);
                return;
            }
            let before = self.rows.clone();
            for half in [0..3, 3..6] {
                let read: Vec<u8> = self.rows.range(half).copied().collect();
                while noisy && self.rng.chance(1, 2) {
                    self.change();
                }
                self.wire.extend(read.into_iter().map(Told::Row));
            }
            if self.rows != before && self.rng.chance(3, 4) {
                self.wire.push_back(Told::Interrupted);
            }
            self.wire.push_back(Told::End);
        }
    }

    /// Somebody who has followed the pictures and the news.
    #[derive(Default)]
    struct Follower {
        known: BTreeMap<u8, u32>,
        pictures: u32,
    }

    fn step(kernel: &mut Kernel, picture: &mut Picture, follower: &mut Follower, noisy: bool) {
        match kernel.wire.pop_front() {
            None => kernel.congested = false,
            Some(Told::Row(row)) => drop(follower.known.insert(row, follower.pictures)),
            Some(Told::News(row, there)) => {
                picture.on_news();
                if there {
                    follower.known.insert(row, follower.pictures);
                } else {
                    follower.known.remove(&row);
                }
            }
            Some(Told::Lost) => picture.on_lost(),
            Some(Told::Interrupted) => picture.on_interrupted(),
            Some(Told::Refused) => picture.on_failed(),
            Some(Told::End) => match picture.on_end() {
                Next::Wait => {}
                Next::Addresses => {
                    picture.on_asked(Telling::Addresses);
                    kernel.tell(noisy);
                }
                Next::Complete => {
                    let current = follower.pictures;
                    follower.known.retain(|_, last| *last == current);
                }
            },
        }
        if kernel.wire.is_empty() && !kernel.congested && picture.waits() {
            if picture.begin() {
                follower.pictures += 1;
            }
            picture.on_asked(Telling::Links);
            // The links do not change here: their table is at its end at once.
            kernel.wire.push_back(Told::End);
        }
    }

    /// A row that changes during a table that does not say so may be missed or kept by it, but
    /// what is known when everything has come to rest is what is there.
    #[test]
    fn whatever_is_lost_or_overtaken_the_last_picture_is_right() {
        for seed in 0..20_000 {
            let mut kernel = Kernel {
                rng: Rng::new(seed),
                rows: BTreeSet::new(),
                wire: VecDeque::new(),
                congested: false,
            };
            let mut picture = Picture::default();
            let mut follower = Follower::default();
            picture.want();
            for _ in 0..60 {
                if kernel.rng.chance(1, 4) {
                    kernel.change();
                }
                if kernel.rng.chance(1, 60) {
                    picture.want();
                }
                step(&mut kernel, &mut picture, &mut follower, true);
            }
            for _ in 0..200 {
                step(&mut kernel, &mut picture, &mut follower, false);
            }
            assert!(picture.is_at_rest(), "seed {seed}");
            let known: BTreeSet<u8> = follower.known.keys().copied().collect();
            assert_eq!(known, kernel.rows, "seed {seed}");
        }
    }

    #[test]
    fn a_picture_is_completed_even_if_the_changes_never_end() {
        let mut picture = Picture::default();
        picture.want();
        let mut complete = 0;
        for _ in 0..20 {
            picture.begin();
            picture.on_asked(Telling::Links);
            assert_eq!(picture.on_end(), Next::Addresses);
            picture.on_asked(Telling::Addresses);
            picture.on_lost();
            picture.on_interrupted();
            complete += u32::from(picture.on_end() == Next::Complete);
        }
        assert_eq!(complete, 5);
    }
}
