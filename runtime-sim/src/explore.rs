//! Many seeds, one after the other or side by side: looks for a broken promise, and shrinks the
//! schedule of the world that broke it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use relevo_core::time::Instant;

use crate::invariant::{Promise, Violation};
use crate::marks::Marks;
use crate::swarm::{Trial, draw};
use crate::world::{Keep, World};

/// Lines of the trace that are printed with a broken promise.
pub const LINES: usize = 200;

/// One seed in so many is run twice.
const TWICE: u64 = 25;

/// Runs that the shrinker may use.
const SHRINK_RUNS: usize = 400;

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What one run gave.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The first broken promise.
    pub violation: Option<Violation>,
    /// What occurred.
    pub marks: Marks,
    /// The hash of everything that happened.
    pub hash: u64,
    /// The last lines of the trace, if they were kept.
    pub lines: Vec<String>,
    /// A picture of the run, if it was kept.
    pub picture: String,
}

/// A seed that broke a promise.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The world with as few faults as still break the promise.
    pub trial: Trial,
    /// How many faults it had before.
    pub drawn: usize,
    /// The run with that schedule.
    pub outcome: Outcome,
}

/// What an exploration gave.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Seeds that were run.
    pub seeds: u64,
    /// Seeds that were run twice.
    pub twice: u64,
    /// What occurred over all seeds.
    pub marks: Marks,
    /// The failure with the lowest seed.
    pub failure: Option<Failure>,
    /// Every failure, when the search was to go on after one: seed and broken promise.
    pub failures: Vec<(u64, Violation)>,
}

/// Which seeds to run, and how.
#[derive(Copy, Clone, Debug)]
pub struct Search {
    /// The first seed.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// How many side by side.
    pub threads: usize,
    /// Go on after a failure, and shrink none.
    pub all: bool,
}

/// Makes a panic of the machine a broken promise that says where, and nothing on stderr. For
/// commands; a test keeps its own hook.
pub fn catch_panics() {
    std::panic::set_hook(Box::new(|info| {
        PANIC.with(|panic| *panic.borrow_mut() = info.to_string());
    }));
}

/// Runs one world to its end.
pub fn run(trial: &Trial, keep: Keep) -> Outcome {
    let result = catch_unwind(AssertUnwindSafe(|| run_unguarded(trial, keep)));
    result.unwrap_or_else(|payload| {
        let mut text = PANIC.with(|panic| std::mem::take(&mut *panic.borrow_mut()));
        if text.is_empty() {
            let said = payload.downcast_ref::<String>().cloned();
            let said = said.or_else(|| payload.downcast_ref::<&str>().map(|s| (*s).into()));
            text = said.unwrap_or_else(|| "a panic without words".into());
        }
        Outcome {
            violation: Some(Violation {
                at: Instant::ZERO,
                promise: Promise::NoPanic,
                text,
            }),
            ..Outcome::default()
        }
    })
}

fn run_unguarded(trial: &Trial, keep: Keep) -> Outcome {
    let mut world = match World::new(trial.spec.clone(), trial.seed, keep) {
        Ok(world) => world,
        Err(text) => panic!("a drawn world is sound: {text}"),
    };
    world.plan(&trial.schedule);
    world.run_until(trial.heal_at);
    if world.violation().is_none() {
        let foreseen = world.heal_and_foresee();
        judge(&mut world, trial.heal_at, &foreseen);
    }
    Outcome {
        violation: world.violation().cloned(),
        marks: world.checker().marks,
        hash: world.trace().hash(),
        lines: world.trace().lines().map(String::from).collect(),
        picture: if keep.timeline {
            world.timeline().bars(world.cluster(), 100, world.now())
        } else {
            String::new()
        },
    }
}

/// After the end of all faults: the right master in time, and it stays.
fn judge(world: &mut World, heal_at: Instant, foreseen: &[BTreeSet<usize>]) {
    world.run_until(heal_at + world.settles_within());
    world.check_settled(foreseen);
    world.run_until(world.end_at(heal_at));
    world.check_settled(foreseen);
    world.check_clients();
}

/// Runs the seeds; `progress` is told how many are done.
pub fn explore(search: Search, progress: &(dyn Fn(u64) + Sync)) -> Report {
    let Search {
        first,
        count,
        threads,
        all,
    } = search;
    let next = AtomicU64::new(0);
    let done = AtomicU64::new(0);
    let worst = AtomicU64::new(u64::MAX);
    let total = Mutex::new(Report::default());
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                let mut own = Report::default();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let seed = first.wrapping_add(index);
                    if index >= count || index > worst.load(Ordering::Relaxed) {
                        break;
                    }
                    if let Some(violation) = run_seed(seed, &mut own) {
                        own.failures.push((seed, violation));
                        if !all {
                            worst.fetch_min(index, Ordering::Relaxed);
                        }
                    }
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                }
                if let Ok(mut total) = total.lock() {
                    total.seeds += own.seeds;
                    total.twice += own.twice;
                    total.marks += own.marks;
                    total.failures.append(&mut own.failures);
                }
            });
        }
    });
    let mut report = total.into_inner().unwrap_or_default();
    let worst = worst.into_inner();
    report.failures.sort_by_key(|(seed, _)| *seed);
    if worst != u64::MAX {
        report.failure = Some(shrunk(first.wrapping_add(worst)));
    }
    report
}

/// Runs one seed; gives the promise that it broke.
fn run_seed(seed: u64, report: &mut Report) -> Option<Violation> {
    let trial = draw(seed);
    let outcome = run_checked(&trial, Keep::default());
    report.seeds += 1;
    report.twice += u64::from(seed.is_multiple_of(TWICE));
    report.marks += outcome.marks;
    outcome.violation
}

/// Runs a world, and now and then once more: both runs must be the same.
fn run_checked(trial: &Trial, keep: Keep) -> Outcome {
    let mut outcome = run(trial, keep);
    if trial.seed.is_multiple_of(TWICE) && outcome.violation.is_none() {
        let again = run(trial, Keep::default());
        if again.hash != outcome.hash {
            outcome.violation = Some(Violation {
                at: trial.heal_at,
                promise: Promise::Deterministic,
                text: format!("two runs: {:x} and {:x}", outcome.hash, again.hash),
            });
        }
    }
    outcome
}

/// The failure of `seed` with as few faults as still break the same promise.
pub fn shrunk(seed: u64) -> Failure {
    let mut trial = draw(seed);
    let drawn = trial.schedule.len();
    let promise = |outcome: &Outcome| outcome.violation.as_ref().map(|v| v.promise);
    let wanted = promise(&run_checked(&trial, Keep::default()));
    let mut runs = 0;
    let mut try_without = |trial: &mut Trial, drop: &dyn Fn(usize) -> bool| {
        let mut fewer = trial.clone();
        let mut index = 0;
        fewer.schedule.retain(|_| {
            index += 1;
            !drop(index - 1)
        });
        runs += 1;
        let shrinks = runs <= SHRINK_RUNS
            && fewer.schedule.len() < trial.schedule.len()
            && promise(&run_checked(&fewer, Keep::default())) == wanted;
        if shrinks {
            *trial = fewer;
        }
        shrinks
    };
    loop {
        let episodes: BTreeSet<u32> = trial.schedule.iter().map(|p| p.episode).collect();
        let mut changed = false;
        for episode in episodes {
            let members: Vec<bool> = trial
                .schedule
                .iter()
                .map(|p| p.episode == episode)
                .collect();
            changed |= try_without(&mut trial, &|index| members[index]);
        }
        for at in (0..trial.schedule.len()).rev() {
            changed |= try_without(&mut trial, &|index| index == at);
        }
        if !changed {
            break;
        }
    }
    let keep = Keep {
        lines: LINES,
        timeline: true,
    };
    let outcome = run_checked(&trial, keep);
    Failure {
        trial,
        drawn,
        outcome,
    }
}

impl Failure {
    /// Everything that somebody needs who looks for the cause.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let trial = &self.trial;
        let _ = writeln!(text, "seed {}", trial.seed);
        if let Some(violation) = &self.outcome.violation {
            let at = violation.at.since(Instant::ZERO);
            let _ = writeln!(text, "broken promise: {}", violation.promise);
            let _ = writeln!(text, "at {at} s: {}", violation.text);
        } else {
            let _ = writeln!(text, "the failure did not come back");
        }
        text.push('\n');
        text.push_str(&describe(trial));
        let _ = writeln!(
            text,
            "\nschedule ({} of {} faults are enough):",
            trial.schedule.len(),
            self.drawn
        );
        text.push_str(&schedule(trial));
        let _ = writeln!(text, "\nlast lines of the trace:");
        for line in &self.outcome.lines {
            let _ = writeln!(text, "{line}");
        }
        let _ = writeln!(text, "\n{}", self.outcome.picture);
        text
    }
}

/// The cluster of a trial, for people.
pub fn describe(trial: &Trial) -> String {
    let mut text = String::new();
    let mut member = 0;
    for (host, (spec, instances)) in trial.spec.hosts.iter().zip(&trial.instances).enumerate() {
        let start = spec.start.map_or(0, Instant::as_micros);
        let _ = writeln!(
            text,
            "host {host} = {}, number {}, starts at {start} us, {:?}",
            spec.name, spec.number, spec.clock
        );
        for own in instances {
            let _ = writeln!(
                text,
                "    member {member}: {} VRID {} on segment {}, {} {:?}, priority {}, every {} s, \
                 preempt {} after {} s, {} addresses, {}",
                own.name,
                own.vrid,
                own.segment,
                own.family,
                own.version,
                own.priority,
                own.interval,
                own.preempt,
                own.preempt_delay,
                own.vips.len(),
                if own.unicast.is_some() {
                    "unicast"
                } else {
                    "multicast"
                }
            );
            member += 1;
        }
    }
    let _ = writeln!(text, "{:?}", trial.spec.pace);
    for quality in &trial.spec.segments {
        let _ = writeln!(text, "segment: {quality:?}");
    }
    text
}

/// The schedule of a trial, one fault a line.
pub fn schedule(trial: &Trial) -> String {
    let names = crate::faults::Names {
        hosts: trial.spec.hosts.iter().map(|h| h.name.clone()).collect(),
        clients: trial.spec.clients.iter().map(|c| c.name.clone()).collect(),
    };
    let mut text = String::new();
    for planned in &trial.schedule {
        let at = planned.at.since(Instant::ZERO);
        let _ = writeln!(text, "  at {at:<10} {}", planned.fault.text(&names));
    }
    let heal = trial.heal_at.since(Instant::ZERO);
    let _ = writeln!(text, "  at {heal:<10} heal");
    text
}

impl Report {
    /// What was seen how often.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{} seeds, {} of them twice with the same result",
            self.seeds, self.twice
        );
        for (name, count) in self.marks.required() {
            let _ = writeln!(text, "{name:<28} {count:>10}");
        }
        let _ = writeln!(text, "also:");
        for (name, count) in self.marks.further() {
            let _ = writeln!(text, "{name:<28} {count:>10}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_run_and_others_do_not() {
        let keep = Keep::default();
        let hashes: BTreeSet<u64> = (0..8).map(|seed| run(&draw(seed), keep).hash).collect();
        assert_eq!(hashes.len(), 8);
        for seed in 0..8 {
            assert!(hashes.contains(&run(&draw(seed), keep).hash));
        }
    }

    #[test]
    fn keeping_a_record_changes_nothing() {
        let keep = Keep {
            lines: 50,
            timeline: true,
        };
        for seed in 0..4 {
            let plain = run(&draw(seed), Keep::default());
            let kept = run(&draw(seed), keep);
            assert_eq!(plain.hash, kept.hash);
            assert!(!kept.lines.is_empty() && !kept.picture.is_empty());
        }
    }

    #[test]
    fn threads_do_not_change_the_counts() {
        let search = |threads| Search {
            first: 0,
            count: 30,
            threads,
            all: true,
        };
        let one = explore(search(1), &|_| {});
        let two = explore(search(2), &|_| {});
        assert_eq!(one.marks, two.marks);
        assert_eq!((one.seeds, one.twice), (30, 2));
    }
}
