//! The simple model: who must be master when every fault is gone.
//!
//! It knows nothing of timers or packets. Masters that hear each other are reduced to the one with
//! the best claim (priority, then address). A host of higher priority that preempts takes over
//! from it; one that does not stays below any live master; equal priority never takes over.
//! Where it depends on timing whether a host was master at that moment, every outcome that one of
//! the possibilities leads to is allowed.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// What is known of a member at the moment from which there are no more faults.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It is master and nothing is under way that could change that.
    Master,
    /// It may be master before it hears of another one.
    Uncertain,
    /// It will hear of a master before it takes over, if there is one.
    Quiet,
}

/// A member as the model sees it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Its position in the cluster.
    pub member: usize,
    /// Priority and address.
    pub claim: (u8, IpAddr),
    /// Takes over from lower priorities.
    pub preempts: bool,
    /// Where it stands.
    pub standing: Standing,
}

/// The members that may be the one master in the end.
pub fn winners(candidates: &[Candidate]) -> BTreeSet<usize> {
    let of = |standing: Standing| -> Vec<Candidate> {
        candidates
            .iter()
            .copied()
            .filter(|c| c.standing == standing)
            .collect()
    };
    let certain = of(Standing::Master);
    let uncertain = of(Standing::Uncertain);
    let mut all = BTreeSet::new();
    for choice in 0..1u32 << uncertain.len().min(16) {
        let chosen = uncertain
            .iter()
            .enumerate()
            .filter(|(index, _)| choice & (1 << index) != 0)
            .map(|(_, candidate)| candidate);
        match certain.iter().chain(chosen).max_by_key(|c| c.claim) {
            Some(best) => all.extend(successors(*best, candidates)),
            None => {
                let first = candidates.iter().flat_map(|c| successors(*c, candidates));
                all.extend(first);
            }
        }
    }
    all
}

/// Who is master in the end if `master` is the only one now.
fn successors(master: Candidate, candidates: &[Candidate]) -> Vec<usize> {
    let preempting = || {
        candidates
            .iter()
            .filter(|c| c.preempts && c.claim.0 > master.claim.0)
    };
    match preempting().map(|c| c.claim.0).max() {
        None => vec![master.member],
        Some(highest) => preempting()
            .filter(|c| c.claim.0 == highest)
            .map(|c| c.member)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(member: usize, priority: u8, preempts: bool, standing: Standing) -> Candidate {
        Candidate {
            member,
            claim: (priority, IpAddr::from([10, 0, 0, member as u8 + 1])),
            preempts,
            standing,
        }
    }

    fn named(candidates: &[Candidate]) -> Vec<usize> {
        winners(candidates).into_iter().collect()
    }

    #[test]
    fn the_highest_preempting_priority_wins_from_anywhere() {
        for standing in [Standing::Quiet, Standing::Uncertain, Standing::Master] {
            let all = [
                candidate(0, 100, true, Standing::Master),
                candidate(1, 150, true, standing),
                candidate(2, 120, true, standing),
            ];
            assert_eq!(named(&all), [1]);
        }
    }

    #[test]
    fn nopreempt_keeps_the_master_that_is_there() {
        let all = [
            candidate(0, 100, false, Standing::Master),
            candidate(1, 150, false, Standing::Quiet),
        ];
        assert_eq!(named(&all), [0]);
        let nobody = [
            candidate(0, 100, false, Standing::Quiet),
            candidate(1, 150, false, Standing::Quiet),
        ];
        assert_eq!(named(&nobody), [0, 1], "whoever is first");
    }

    #[test]
    fn two_masters_end_with_the_better_claim() {
        let all = [
            candidate(0, 100, true, Standing::Master),
            candidate(1, 100, true, Standing::Master),
        ];
        assert_eq!(named(&all), [1], "the higher address");
        let all = [
            candidate(0, 150, false, Standing::Master),
            candidate(1, 100, false, Standing::Master),
        ];
        assert_eq!(named(&all), [0]);
    }

    #[test]
    fn equal_priority_does_not_take_over() {
        let all = [
            candidate(0, 100, true, Standing::Master),
            candidate(1, 100, true, Standing::Quiet),
        ];
        assert_eq!(named(&all), [0]);
    }

    #[test]
    fn what_depends_on_timing_allows_each_outcome() {
        let all = [
            candidate(0, 100, true, Standing::Master),
            candidate(1, 100, true, Standing::Uncertain),
        ];
        assert_eq!(named(&all), [0, 1]);
        let all = [
            candidate(0, 100, true, Standing::Uncertain),
            candidate(1, 100, true, Standing::Quiet),
        ];
        assert_eq!(named(&all), [0, 1], "nobody may be master now");
    }
}
