//! Replays every input of every corpus; what was once found stays a test.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::path::Path;

use relevo_fuzz::shake::Search;
use relevo_fuzz::trail::Trail;
use relevo_fuzz::{TARGETS, corpus, corpus_dir};

/// Octets of all corpora together: they are read by people and replayed by every test run.
const OCTETS_MAX: u64 = 2 << 20;

#[test]
fn every_input_of_every_corpus_is_survived() {
    let mut octets = 0;
    for target in TARGETS {
        let name = target.name;
        let inputs = corpus(name).unwrap_or_else(|error| panic!("corpus of {name}: {error}"));
        assert!(!inputs.is_empty(), "{name} has no corpus");
        for (path, input) in inputs {
            println!("{}", path.display());
            octets += input.len() as u64;
            (target.run)(&input, &mut Trail::new());
        }
    }
    assert!(octets < OCTETS_MAX, "the corpora have {octets} octets");
}

#[test]
fn every_corpus_has_a_target() {
    let root = corpus_dir("x");
    let root = root.parent().expect("the folder of all corpora");
    let folders: BTreeSet<String> = std::fs::read_dir(root)
        .expect("the corpora")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let targets: BTreeSet<String> = TARGETS
        .iter()
        .map(|target| target.name.to_owned())
        .collect();
    assert_eq!(folders, targets);
}

#[test]
fn a_few_thousand_changed_inputs_are_survived() {
    for target in TARGETS {
        let name = target.name;
        let search =
            Search::new(target, 20_261_122).unwrap_or_else(|error| panic!("{name}: {error}"));
        // No time: so many inputs, on a machine however slow.
        let report = search.run_count(if target.weight > 2 { 60 } else { 400 });
        let failure = report.failure;
        assert!(failure.is_none(), "{name}: {failure:?}");
    }
}

/// The mains for libFuzzer are outside our workspace, where no compiler sees them.
#[test]
fn every_target_has_a_main_for_libfuzzer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cargo-fuzz");
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).expect("its manifest");
    for target in TARGETS {
        let name = target.name;
        let main = std::fs::read_to_string(root.join(format!("fuzz_targets/{name}.rs")));
        let main = main.unwrap_or_else(|error| panic!("the main of {name}: {error}"));
        assert!(
            main.contains(&format!("relevo_fuzz::run({name:?}, data)")),
            "{main}"
        );
        assert!(manifest.contains(&format!(
            "name = {name:?}\npath = \"fuzz_targets/{name}.rs\""
        )));
    }
    let mains = std::fs::read_dir(root.join("fuzz_targets")).expect("the mains");
    assert_eq!(mains.count(), TARGETS.len());
}
