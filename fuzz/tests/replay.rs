//! Replays every input of every corpus; a crash once found stays a test.
#![forbid(unsafe_code)]

use relevo_core::rng::Rng;
use relevo_fuzz::{TARGETS, corpus, mutate::mutate};

#[test]
fn every_input_of_every_corpus_is_survived() {
    for (name, run) in TARGETS {
        let inputs = corpus(name).unwrap_or_else(|error| panic!("corpus of {name}: {error}"));
        assert!(!inputs.is_empty(), "{name} has no corpus");
        for (path, input) in inputs {
            println!("{}", path.display());
            run(&input);
        }
    }
}

#[test]
fn a_few_thousand_mutations_are_survived() {
    for (name, run) in TARGETS {
        let inputs = corpus(name).unwrap_or_else(|error| panic!("corpus of {name}: {error}"));
        let mut rng = Rng::new(20_261_122);
        for _ in 0..1_000 {
            let (_, one) = rng.pick(&inputs).expect("not empty");
            let (_, two) = rng.pick(&inputs).expect("not empty");
            run(&mutate(one, two, &mut rng));
        }
    }
}
