//! Configurations made from the catalogue: what is dumped reads back to the same.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::catalogue;
use super::super::{Kind, check_exit_code, dump, parse};
use super::words::{Key, Skeleton, examples, skeletons, written};
use crate::time::Duration;

/// One line to write: a row of the block, and what decides its value.
type Pick = (usize, u64);

/// Blocks to write: each is a place of the catalogue, and lines of it.
fn picks() -> impl Strategy<Value = Vec<(usize, Vec<Pick>)>> {
    let lines = proptest::collection::vec((any::<usize>(), any::<u64>()), 0..12);
    proptest::collection::vec((any::<usize>(), lines), 1..8)
}

/// What stands behind a word of this kind; `None` if an example is needed.
fn value(kind: Kind, seed: u64) -> Option<String> {
    let within = |min: i128, max: i128| {
        let span = u128::try_from(max - min).unwrap_or_default() + 1;
        // The ends are where mistakes are.
        match seed % 4 {
            0 => min,
            1 => max,
            _ => min + i128::try_from(u128::from(seed) % span).unwrap_or_default(),
        }
    };
    let micros = |us: i128| Duration::from_micros(u64::try_from(us).unwrap_or_default());
    let pick = |words: &[&str]| {
        let at = usize::try_from(seed).unwrap_or_default() % words.len().max(1);
        words.get(at).copied().unwrap_or_default().to_owned()
    };
    match kind {
        Kind::Flag | Kind::Switch(_) => Some(String::new()),
        Kind::Bool => Some(pick(&["", "on", "off", "yes", "no", "true", "false"])),
        Kind::Number { min, max, .. } => Some(within(min.into(), max.into()).to_string()),
        Kind::WholeSeconds { min, max } => Some(within(min.into(), max.into()).to_string()),
        Kind::Seconds { min_us, max_us } => {
            Some(micros(within(min_us.into(), max_us.into())).to_string())
        }
        Kind::Choice(words) => Some(pick(words)),
        Kind::Text | Kind::Name(_) => Some(format!("n{}", seed % 100)),
        Kind::Soft(inner) => value(*inner, seed),
        _ => None,
    }
}

/// The text of one block; `number` makes its name its own.
fn block(
    path: &str,
    lines: &[Pick],
    number: usize,
    known: &BTreeMap<String, Skeleton>,
    examples: &BTreeMap<Key, String>,
) -> String {
    let entries = || catalogue::blocks().iter().chain(catalogue::line_words());
    let heads: Vec<_> = entries()
        .filter(|entry| entry.path == path)
        .flat_map(|entry| (entry.heads)())
        .collect();
    let Some(skeleton) = known.get(path).filter(|_| !heads.is_empty()) else {
        return String::new();
    };
    let mut inside = String::new();
    for (row, seed) in lines {
        let head = heads[row % heads.len()];
        let word = written(head.word);
        let key = (path.to_owned(), head.word.to_owned());
        let of_kind = value(head.kind, *seed).filter(|_| seed % 3 > 0);
        let Some(rest) = of_kind.or_else(|| examples.get(&key).cloned()) else {
            continue;
        };
        inside.push_str(&skeleton.among_others(word, &rest));
    }
    let text = skeleton.around(&inside);
    text.replace("A {", &format!("A{number} {{"))
        .replace("10.0.0.9 80", &format!("10.0.{number}.9 80"))
}

fn text(picks: &[(usize, Vec<Pick>)]) -> String {
    let (known, examples) = (skeletons(), examples());
    let entries = catalogue::blocks().iter().chain(catalogue::line_words());
    let paths: Vec<&str> = entries.map(|entry| entry.path).collect();
    let block = |(number, (at, lines)): (usize, &(usize, Vec<Pick>))| {
        block(paths[at % paths.len()], lines, number, &known, &examples)
    };
    picks.iter().enumerate().map(block).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_dump_is_a_fixed_point(picks in picks()) {
        let text = text(&picks);
        let (config, found) = parse("f", &text);
        let first = dump(&config, false);
        let (again, more) = parse("f", &first);
        prop_assert_eq!(&dump(&again, false), &first, "{}", text);
        prop_assert!(
            check_exit_code(&more) <= check_exit_code(&found),
            "{}\n{}\n{:?}", text, first, more
        );
        // Comments change nothing.
        let (commented, _) = parse("f", &dump(&config, true));
        prop_assert_eq!(dump(&commented, false), first);
    }
}

/// The test above would be empty if nothing were written.
#[test]
fn what_is_generated_holds_words_of_many_blocks() {
    let paths = catalogue::blocks().len() + catalogue::line_words().len();
    let all: Vec<Pick> = (0..300).map(|at| (at, at as u64 * 7_919)).collect();
    let mut lines = 0;
    for at in 0..paths {
        let text = text(&[(at, all.clone())]);
        lines += dump(&parse("f", &text).0, false).lines().count();
    }
    assert!(lines > paths * 3, "{lines} lines of {paths} blocks");
}
