//! The search: inputs that reach something new are kept and changed further; one that breaks a
//! promise is made as small as it gets.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use relevo_core::rng::Rng;

use crate::mutate::mutate;
use crate::trail::Trail;
use crate::{Target, corpus};

/// Runs that making a failing input smaller may take.
const MINIMISE_RUNS: usize = 4_000;

/// Inputs kept for changing; beyond that the oldest of the found ones give way.
const POOL_MAX: usize = 4_000;

thread_local! {
    static LAST_PANIC: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// The input that is being run, for a watchdog: a target that hangs cannot tell.
static RUNNING: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Why a run ended badly.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Panic {
    /// File and line: two failures from the same place are taken for the same.
    pub place: String,
    /// What it says.
    pub message: String,
}

/// An input that breaks a promise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// As small as it was made.
    pub input: Vec<u8>,
    /// Octets before that.
    pub found_len: usize,
    /// Why.
    pub panic: Panic,
}

/// What a search has come by.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Inputs tried.
    pub runs: u64,
    /// Time it took.
    pub elapsed: Duration,
    /// Different marks and how often, roughly, of all inputs together.
    pub features: usize,
    /// Those of the corpus alone.
    pub features_of_corpus: usize,
    /// Inputs kept because they reached something new.
    pub kept: usize,
    /// The first failure; it ends the search.
    pub failure: Option<Failure>,
}

/// Makes panics be remembered instead of printed; for a whole process.
pub fn catch_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info
            .location()
            .map(|place| format!("{}:{}", place.file(), place.line()));
        let payload = info.payload();
        let message = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("a panic without words");
        let panic = Panic {
            place: place.unwrap_or_default(),
            message: message.to_owned(),
        };
        LAST_PANIC.with_borrow_mut(|last| *last = Some(panic));
    }));
}

/// The input that is being run.
pub fn running() -> Vec<u8> {
    RUNNING
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// Runs a target on one input and gives what it reached.
///
/// # Errors
/// The panic, if it breaks a promise.
pub fn try_one(target: &Target, input: &[u8], trail: &mut Trail) -> Result<(), Panic> {
    {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.clear();
        running.extend_from_slice(input);
    }
    let run = AssertUnwindSafe(|| (target.run)(input, trail));
    panic::catch_unwind(run).map_err(|_| {
        let last = LAST_PANIC.with_borrow_mut(Option::take);
        last.unwrap_or(Panic {
            place: String::new(),
            message: "a panic that nobody caught".to_owned(),
        })
    })
}

/// A search in one target.
#[derive(Debug)]
pub struct Search<'t> {
    target: &'t Target,
    rng: Rng,
    pool: Vec<Vec<u8>>,
    /// The first of the pool that were not in the corpus.
    own: usize,
    seen: BTreeSet<u64>,
    report: Report,
}

impl<'t> Search<'t> {
    /// Begins with the corpus of `target`.
    ///
    /// # Errors
    /// If the corpus cannot be read.
    pub fn new(target: &'t Target, seed: u64) -> std::io::Result<Self> {
        let mut search = Self {
            target,
            rng: Rng::new(seed),
            pool: Vec::new(),
            own: 0,
            seen: BTreeSet::new(),
            report: Report::default(),
        };
        for (_, input) in corpus(target.name)? {
            search.look_at(&input);
            search.pool.push(input);
        }
        search.pool.push(Vec::new());
        search.own = search.pool.len();
        search.report.features_of_corpus = search.seen.len();
        Ok(search)
    }

    /// Searches for `time`; `progress` is told now and then.
    pub fn run(
        mut self,
        time: Duration,
        progress: &mut dyn FnMut(&Report),
    ) -> (Report, Vec<Vec<u8>>) {
        let begin = Instant::now();
        while self.report.failure.is_none() && begin.elapsed() < time {
            for _ in 0..64 {
                self.step();
            }
            self.report.elapsed = begin.elapsed();
            self.report.features = self.seen.len();
            progress(&self.report);
        }
        if let Some(failure) = &mut self.report.failure {
            failure.input = minimised(self.target, failure);
        }
        self.report.elapsed = begin.elapsed();
        self.report.features = self.seen.len();
        let found = self.pool.split_off(self.own);
        (self.report, found)
    }

    /// So many inputs, whatever the time they take.
    pub fn run_count(mut self, count: u64) -> Report {
        while self.report.failure.is_none() && self.report.runs < count {
            self.step();
        }
        self.report
    }

    fn step(&mut self) {
        // What was found last is the least explored.
        let newest = self.pool.len().saturating_sub(32);
        let one = if self.rng.chance(1, 3) {
            self.pool[newest..].get(self.rng.below(32) as usize)
        } else {
            None
        };
        let empty = Vec::new();
        let one = one.unwrap_or_else(|| self.rng.pick(&self.pool).unwrap_or(&empty));
        let two = self.rng.pick(&self.pool).unwrap_or(&empty);
        let input = mutate(one, two, self.target.shape, &mut self.rng);
        if self.look_at(&input) {
            self.report.kept += 1;
            if self.pool.len() >= POOL_MAX {
                self.pool.remove(self.own);
            }
            self.pool.push(input);
        }
    }

    /// True if it reaches something new.
    fn look_at(&mut self, input: &[u8]) -> bool {
        self.report.runs += 1;
        let mut trail = Trail::new();
        if let Err(panic) = try_one(self.target, input, &mut trail)
            && self.report.failure.is_none()
        {
            self.report.failure = Some(Failure {
                input: input.to_vec(),
                found_len: input.len(),
                panic,
            });
        }
        let before = self.seen.len();
        self.seen.extend(trail.features());
        self.seen.len() > before
    }
}

/// The failing input as small as a bounded number of attempts makes it: pieces are left out, from
/// big to small, then octets are made plain, as long as it fails at the same place.
pub fn minimised(target: &Target, failure: &Failure) -> Vec<u8> {
    let mut runs = 0;
    let mut fails = |input: &[u8]| {
        runs += 1;
        let result = try_one(target, input, &mut Trail::new());
        let same = result.is_err_and(|panic| panic.place == failure.panic.place);
        (same, runs < MINIMISE_RUNS)
    };
    let mut input = failure.input.clone();
    let mut size = (input.len() / 2).max(1);
    loop {
        let mut at = 0;
        let mut smaller = false;
        while at < input.len() {
            let end = (at + size).min(input.len());
            let shorter = [&input[..at], &input[end..]].concat();
            let (same, go_on) = fails(&shorter);
            if same {
                input = shorter;
                smaller = true;
            } else {
                at = end;
            }
            if !go_on {
                return input;
            }
        }
        if size == 1 && !smaller {
            break;
        }
        size = (size / 2).max(1);
    }
    for at in 0..input.len() {
        for plain in [0, b'0', b'a', b' '] {
            if input[at] == plain {
                break;
            }
            let mut plainer = input.clone();
            plainer[at] = plain;
            let (same, go_on) = fails(&plainer);
            if same {
                input = plainer;
                break;
            }
            if !go_on {
                return input;
            }
        }
    }
    input
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutate::Shape;

    fn needs_both(data: &[u8], trail: &mut Trail) {
        trail.mark(format_args!("{}", data.contains(&b'x')));
        assert!(!(data.contains(&b'x') && data.contains(&b'y')), "both");
    }

    const TARGET: Target = Target {
        name: "arp",
        run: needs_both,
        shape: Shape::Plain,
        weight: 1,
    };

    #[test]
    fn a_failure_is_found_and_made_small() {
        catch_panics();
        let search = Search::new(&TARGET, 1).expect("a corpus");
        let (report, found) = search.run(Duration::from_secs(60), &mut |_| {});
        let failure = report.failure.expect("it is easy to find");
        assert_eq!(failure.panic.message, "both");
        let mut input = failure.input;
        input.sort_unstable();
        assert_eq!(input, b"xy");
        assert!(!found.is_empty(), "what has an x is kept");
    }
}
