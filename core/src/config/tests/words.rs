//! Walks every word of the language: each has a row, and each row does what it says.
//!
//! `words/keywords.txt` names every word with its block; those without a row yet are in
//! `words/missing.txt`, and nothing else is. Each row of the catalogue has one line in one of the
//! files `words/*.tsv`, whose columns are
//!
//! - the block, `(top level)` outside all, and the word
//! - good: what is written behind the word. `\n` is a new line. What begins with `=` is the whole
//!   line, and so it is for a word like `<ADDR>`, which stands for a value.
//! - shown: what the dump has for it; nothing if it is just what was written, and `(nothing)` if the
//!   dump is the same without the word
//! - bad: the same as good, but wrong; `-` if nothing can be wrong
//! - fragment: part of the one message about it
//! - default: what the row says counts where nothing is written
//!
//! Lines `!<TAB>block<TAB>word<TAB>why` there exempt a word from the checks that follow from its kind,
//! and let it be warned of.
//! What must stand around a line of each block is in `words/skeletons.tsv`.

use std::collections::{BTreeMap, BTreeSet};

use super::super::catalogue::{self, BlockEntry};
use super::super::dump;
use super::super::source::Bundle;
use super::*;

const FILES: &[(&str, &str)] = &[
    ("language.tsv", include_str!("words/language.tsv")),
    ("vrrp.tsv", include_str!("words/vrrp.tsv")),
    ("lines.tsv", include_str!("words/lines.tsv")),
    ("servers.tsv", include_str!("words/servers.tsv")),
    ("globals.tsv", include_str!("words/globals.tsv")),
];

/// A block and a word, as the catalogue names them.
pub(super) type Key = (String, String);

/// One line of a file of [`FILES`].
#[derive(Clone, Debug)]
struct Case {
    place: String,
    key: Key,
    good: String,
    shown: String,
    bad: String,
    fragment: String,
    default: String,
}

/// What stands around a line of a block.
#[derive(Clone, Debug)]
pub(super) struct Skeleton {
    before: String,
    behind: String,
}

impl Skeleton {
    /// A text with `word` and what follows it.
    fn with(&self, word: &str, rest: &str) -> String {
        match whole_line(word, rest) {
            Some(line) => {
                let (lines, _) = self.split();
                let end = self.behind.find('\n').unwrap_or_default();
                format!("{lines}{line}{}\n", &self.behind[end..])
            }
            None => self.around(&format!("{word} {rest}")),
        }
    }

    /// What is written for `word` and what follows it, among others: a line of the block, or, if the
    /// skeleton itself begins a line, options on it.
    pub(super) fn among_others(&self, word: &str, rest: &str) -> String {
        let (_, beginning) = self.split();
        match whole_line(word, rest) {
            Some(line) => format!("\n{line}\n{beginning}"),
            None if beginning.is_empty() => format!("{word} {rest}\n"),
            None => format!("{word} {rest} "),
        }
    }

    /// The whole lines before, and the beginning of the one that goes on.
    fn split(&self) -> (&str, &str) {
        let at = self.before.rfind('\n').map_or(0, |at| at + 1);
        self.before.split_at(at)
    }

    /// A text with these lines inside.
    pub(super) fn around(&self, inside: &str) -> String {
        format!("{}{inside}{}\n", self.before, self.behind)
    }
}

/// What was written, if it is not behind the word but all of its line.
fn whole_line<'t>(word: &str, rest: &'t str) -> Option<&'t str> {
    let stands_for_a_value = word.starts_with(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    rest.strip_prefix('=')
        .or(stands_for_a_value.then_some(rest))
}

/// The word that is written for a row: some stand twice in one block, as `hoplimit (encap)`.
pub(super) fn written(word: &str) -> &str {
    word.split_once(" (").map_or(word, |(word, _)| word)
}

fn lines_of(text: &'static str) -> impl Iterator<Item = (usize, Vec<&'static str>)> {
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty())
        .map(|(at, line)| (at + 1, line.split('\t').collect()))
}

fn unescaped(text: &str) -> String {
    text.replace("\\n", "\n")
}

/// The path that the catalogue knows a block by, which is not always the one that it is written by.
fn canonical(path: &str) -> String {
    let mut known = String::new();
    for part in path.split('/').filter(|part| *part != "(top level)") {
        let heads = catalogue::blocks()
            .iter()
            .filter(|entry| entry.path == known)
            .flat_map(|entry| (entry.heads)());
        let head = heads.into_iter().find(|head| head.word == part);
        let part = match head {
            Some(head) if !head.synonym_of.is_empty() => head.synonym_of,
            _ => part,
        };
        if !known.is_empty() {
            known.push('/');
        }
        known.push_str(part);
    }
    known
}

fn entries() -> impl Iterator<Item = &'static BlockEntry> {
    catalogue::blocks().iter().chain(catalogue::line_words())
}

/// Every row of the catalogue.
fn heads() -> BTreeMap<Key, Head> {
    let heads = entries().flat_map(|entry| {
        let of = |head: Head| ((entry.path.to_owned(), head.word.to_owned()), head);
        (entry.heads)().into_iter().map(of)
    });
    heads.collect()
}

/// The pairs of a file of blocks and words.
fn pairs(text: &'static str) -> Vec<Key> {
    let pair = |(_, columns): (usize, Vec<&str>)| {
        let word = columns.get(1).copied().unwrap_or_default();
        (canonical(columns[0]), word.to_owned())
    };
    lines_of(text).map(pair).collect()
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (file, text) in FILES {
        for (number, columns) in lines_of(text).filter(|(_, columns)| columns[0] != "!") {
            let place = format!("{file}:{number}");
            let &[path, word, good, shown, bad, fragment, default] = columns.as_slice() else {
                panic!("{place}: {} columns, not 7", columns.len());
            };
            cases.push(Case {
                place: format!("{place}: {path} {word}"),
                key: (canonical(path), word.to_owned()),
                good: unescaped(good),
                shown: unescaped(shown),
                bad: unescaped(bad),
                fragment: fragment.to_owned(),
                default: default
                    .strip_prefix("-")
                    .filter(|it| it.is_empty())
                    .unwrap_or(default)
                    .to_owned(),
            });
        }
    }
    cases
}

/// A good value of each row, as it is written.
pub(super) fn examples() -> BTreeMap<Key, String> {
    cases()
        .into_iter()
        .map(|case| (case.key, case.good))
        .collect()
}

/// Words whose kind does not say all, so that the checks by kind do not hold for them.
fn exempt() -> BTreeSet<Key> {
    let lines = FILES.iter().flat_map(|(_, text)| lines_of(text));
    let marked = lines.filter(|(_, columns)| columns[0] == "!");
    let key = |(number, columns): (usize, Vec<&str>)| match columns.as_slice() {
        &[_, path, word, why] if why.len() > 10 => (canonical(path), word.to_owned()),
        _ => panic!("line {number}: an exemption has a block, a word and a reason"),
    };
    marked.map(key).collect()
}

pub(super) fn skeletons() -> BTreeMap<String, Skeleton> {
    let skeleton = |(number, columns): (usize, Vec<&str>)| {
        let &[path, before, behind] = columns.as_slice() else {
            panic!("skeletons.tsv:{number}: {} columns, not 3", columns.len());
        };
        let skeleton = Skeleton {
            before: unescaped(before),
            behind: unescaped(behind),
        };
        (canonical(path), skeleton)
    };
    lines_of(include_str!("words/skeletons.tsv"))
        .map(skeleton)
        .collect()
}

/// What is wrong with a text, apart from what this version does not build and old names of words.
fn wrong(text: &str) -> Vec<String> {
    at_least(Severity::Deprecated, text)
}

fn at_least(least: Severity, text: &str) -> Vec<String> {
    let (_, found) = read_with_files(text);
    let harmless = [Code::NotBuilt, Code::Renamed, Code::Deprecated];
    let wrong = found.iter().filter(|it| it.severity >= least);
    let wrong = wrong.filter(|it| !harmless.contains(&it.code));
    wrong.map(|it| it.message.clone()).collect()
}

/// Reads a text that may include a file.
fn read_with_files(text: &str) -> (Config, Vec<Diagnostic>) {
    let mut bundle = Bundle::single("f", text).with("/included", "use_pid_dir\n");
    bundle.directory = "/".to_owned();
    bundle
        .environment
        .insert("HOME".into(), Some("root".into()));
    parse_sources("f", &mut bundle)
}

fn dumped(text: &str) -> String {
    dump(&read_with_files(text).0, false)
}

/// The words of a text with one blank between them, so that one may be found in another.
fn flat(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    format!(" {} ", words.join(" "))
}

fn holds(text: &str, part: &str) -> bool {
    part.is_empty() || flat(text).contains(&flat(part))
}

/// What keeps `text` from being read without a finding and from being the same after a dump.
fn unsettled(text: &str) -> Option<String> {
    unsettled_by(Severity::Deprecated, text)
}

fn unsettled_by(least: Severity, text: &str) -> Option<String> {
    let found = at_least(least, text);
    if !found.is_empty() {
        return Some(format!("reported: {found:?}\n{text}"));
    }
    let first = dumped(text);
    let again = at_least(least, &first);
    if !again.is_empty() {
        return Some(format!("the dump is reported: {again:?}\n{first}"));
    }
    let second = dumped(&first);
    (first != second).then(|| format!("not the same after a dump:\n{first}\n{second}"))
}

fn none_of(failures: &[String]) {
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures[..failures.len().min(40)].join("\n")
    );
}

#[test]
fn each_word_has_a_row_or_is_listed_as_missing() {
    let heads = heads();
    let words = pairs(include_str!("words/keywords.txt"));
    assert_eq!(words.len(), 701);
    let missing: BTreeSet<Key> = pairs(include_str!("words/missing.txt"))
        .into_iter()
        .collect();
    let mut failures = Vec::new();
    for key in &words {
        match (heads.contains_key(key), missing.contains(key)) {
            (false, false) => failures.push(format!("{key:?} has no row")),
            (true, true) => failures.push(format!("{key:?} has a row: no longer missing")),
            _ => {}
        }
    }
    let known: BTreeSet<&Key> = words.iter().collect();
    let strangers = missing.iter().filter(|key| !known.contains(key));
    failures.extend(strangers.map(|key| format!("{key:?} is missing but no word")));
    none_of(&failures);
}

#[test]
fn each_row_has_its_line_and_each_line_its_row() {
    let heads = heads();
    let skeletons = skeletons();
    let mut seen = BTreeSet::new();
    let mut failures = Vec::new();
    for case in cases() {
        match heads.get(&case.key) {
            None => failures.push(format!("{}: no row", case.place)),
            Some(head) if head.default != case.default => {
                let default = head.default;
                failures.push(format!("{}: the default is {default:?}", case.place));
            }
            Some(_) => {}
        }
        if !seen.insert(case.key) {
            failures.push(format!("{}: a second line", case.place));
        }
    }
    for (key, _) in heads.iter().filter(|(key, _)| !seen.contains(key)) {
        failures.push(format!("word {:?} of block {:?} has no line", key.1, key.0));
    }
    let bare = heads.keys().filter(|key| !skeletons.contains_key(&key.0));
    failures.extend(bare.map(|key| format!("block {:?} has no skeleton", key.0)));
    none_of(&failures);
}

#[test]
fn what_is_written_reaches_the_dump() {
    let (skeletons, exempt) = (skeletons(), exempt());
    let mut failures = Vec::new();
    for case in cases() {
        let Some(skeleton) = skeletons.get(&case.key.0) else {
            continue;
        };
        let word = written(&case.key.1);
        let text = skeleton.with(word, &case.good);
        let least = match exempt.contains(&case.key) {
            true => Severity::Error,
            false => Severity::Deprecated,
        };
        if let Some(why) = unsettled_by(least, &text) {
            failures.push(format!("{}: {why}", case.place));
            continue;
        }
        let with = dumped(&text);
        let without = dumped(&format!("{}{}\n", skeleton.before, skeleton.behind));
        let shown = match (case.shown.as_str(), whole_line(word, &case.good)) {
            ("(nothing)", _) if flat(&with) == flat(&without) => continue,
            ("", Some(line)) => line.to_owned(),
            ("", None) => format!("{word} {}", case.good),
            (shown, _) => shown.to_owned(),
        };
        if !holds(&with, &shown) {
            failures.push(format!("{}: {shown:?} is not in\n{with}", case.place));
        } else if holds(&without, &shown) {
            let place = &case.place;
            failures.push(format!("{place}: {shown:?} is there without it\n{without}"));
        }
    }
    none_of(&failures);
}

#[test]
fn what_is_wrong_is_refused_with_one_message() {
    let skeletons = skeletons();
    let mut failures = Vec::new();
    for case in cases().iter().filter(|case| case.bad != "-") {
        let Some(skeleton) = skeletons.get(&case.key.0) else {
            continue;
        };
        let word = written(&case.key.1);
        let text = skeleton.with(word, &case.bad);
        let found = wrong(&text);
        let fits = matches!(found.as_slice(), [one] if one.contains(&case.fragment));
        if !fits || case.fragment.len() < 4 {
            failures.push(format!("{}: {found:?}\n{text}", case.place));
        }
        let written = match whole_line(word, &case.bad) {
            Some(line) => line.to_owned(),
            None => format!("{word} {}", case.bad),
        };
        let shown = dumped(&text);
        if holds(&shown, &written) {
            failures.push(format!("{}: taken over:\n{shown}", case.place));
        }
    }
    none_of(&failures);
}

/// Values of a kind that are good, each with what the dump has for it if that is certain, and bad ones.
fn samples(kind: Kind) -> (Vec<String>, Vec<String>) {
    if let Kind::Soft(inner) = kind {
        return samples(*inner);
    }
    let seconds = |us: u64| Duration::from_micros(us).to_string();
    match kind {
        Kind::Number { min, max, .. } => {
            let around = [min.checked_sub(1), max.checked_add(1)];
            let mut bad: Vec<String> = around.iter().flatten().map(i64::to_string).collect();
            bad.extend([
                format!("{min}x"),
                "x".to_owned(),
                "99999999999999999999".to_owned(),
            ]);
            (vec![min.to_string(), max.to_string()], bad)
        }
        Kind::WholeSeconds { min, max } => {
            let around = [i64::from(min) - 1, i64::from(max) + 1];
            let mut bad: Vec<String> = around.iter().map(i64::to_string).collect();
            bad.extend(["x".to_owned(), format!("{max}x")]);
            (vec![min.to_string(), max.to_string()], bad)
        }
        Kind::Seconds { min_us, max_us } => {
            let mut bad = vec![seconds(max_us + 1), "x".to_owned(), "-1".to_owned()];
            bad.extend(min_us.checked_sub(1).map(seconds));
            (vec![seconds(min_us), seconds(max_us)], bad)
        }
        Kind::Name(longest) => (vec!["n".repeat(longest)], vec!["n".repeat(longest + 1)]),
        Kind::Choice(words) => {
            let words = words.iter().map(|word| (*word).to_owned());
            (words.collect(), vec!["qqqq".to_owned()])
        }
        _ => (Vec::new(), Vec::new()),
    }
}

#[test]
fn numbers_times_and_choices_keep_to_their_ranges() {
    let (skeletons, exempt) = (skeletons(), exempt());
    let mut failures = Vec::new();
    for ((path, word), head) in heads() {
        let (good, bad) = samples(head.kind);
        let Some(skeleton) = skeletons.get(&path) else {
            continue;
        };
        if exempt.contains(&(path.clone(), word.clone())) {
            continue;
        }
        let shown_as = match head.synonym_of {
            "" => written(&word),
            other => other,
        };
        for value in good {
            let text = skeleton.with(written(&word), &value);
            let shown = match head.kind {
                // One value may have several words.
                Kind::Choice(_) => shown_as.to_owned(),
                _ => format!("{shown_as} {value}"),
            };
            if let Some(why) = unsettled(&text) {
                failures.push(format!("{path} {word} {value}: {why}"));
            } else if !shown.is_empty() && !holds(&dumped(&text), &shown) {
                failures.push(format!("{path} {word} {value}: not in the dump"));
            }
        }
        for value in bad {
            let text = skeleton.with(written(&word), &value);
            let found = wrong(&text);
            if found.len() != 1 || holds(&dumped(&text), &format!("{shown_as} {value}")) {
                failures.push(format!("{path} {word} {value}: {found:?}"));
            }
        }
    }
    none_of(&failures);
}

#[test]
fn truth_values_are_six_words_and_flags_stand_alone() {
    let (skeletons, exempt) = (skeletons(), exempt());
    let mut failures = Vec::new();
    for ((path, word), head) in heads() {
        let Some(skeleton) = skeletons.get(&path) else {
            continue;
        };
        if exempt.contains(&(path.clone(), word.clone())) {
            continue;
        }
        let text = |rest: &str| skeleton.with(written(&word), rest);
        let all_same = |words: &[&str]| {
            let mut dumps = words.iter().map(|rest| dumped(&text(rest)));
            let first = dumps.next();
            dumps.all(|dump| Some(dump) == first)
        };
        match head.kind {
            Kind::Bool => {
                let words = ["", "on", "true", "yes", "off", "false", "no"];
                let found = words.iter().find_map(|rest| unsettled(&text(rest)));
                failures.extend(found.map(|why| format!("{path} {word}: {why}")));
                let (on, off) = words.split_at(4);
                if !all_same(on) || !all_same(off) || all_same(&["on", "off"]) {
                    failures.push(format!("{path} {word}: on and off are not told apart"));
                }
                for bad in ["1", "On"] {
                    if wrong(&text(bad)).len() != 1 {
                        failures.push(format!("{path} {word} {bad}: accepted"));
                    }
                }
            }
            Kind::Flag | Kind::Switch(_) if wrong(&text("qqqq")).len() != 1 => {
                failures.push(format!("{path} {word} qqqq: accepted"));
            }
            _ => {}
        }
    }
    none_of(&failures);
}

#[test]
fn each_default_may_be_written() {
    let (skeletons, exempt) = (skeletons(), exempt());
    let mut failures = Vec::new();
    for ((path, word), head) in heads() {
        if exempt.contains(&(path.clone(), word.clone())) {
            continue;
        }
        let readable = matches!(
            head.kind,
            Kind::Number { .. }
                | Kind::WholeSeconds { .. }
                | Kind::Seconds { .. }
                | Kind::Bool
                | Kind::Choice(_)
        );
        let Some(skeleton) = skeletons.get(&path).filter(|_| readable) else {
            continue;
        };
        if !head.default.is_empty() {
            let text = skeleton.with(written(&word), head.default);
            failures.extend(unsettled(&text).map(|why| format!("{path} {word}: {why}")));
        }
    }
    none_of(&failures);
}

/// A skeleton is legal as it stands.
#[test]
fn nothing_in_the_skeletons_is_reported() {
    let paths: BTreeSet<&str> = entries().map(|entry| entry.path).collect();
    let mut failures = Vec::new();
    for (path, skeleton) in skeletons() {
        if paths.contains(path.as_str()) {
            let text = format!("{}{}\n", skeleton.before, skeleton.behind);
            failures.extend(unsettled(&text).map(|why| format!("{path}: {why}")));
        }
    }
    none_of(&failures);
}
