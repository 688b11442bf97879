//! `relevo-fuzz [--seconds N] [--seed S] [TARGET]...`: mutates the corpora for a while.
//!
//! An input that makes a target panic is written to the target's corpus as `crash-SEED-N` before
//! the panic ends the run, so that it is replayed by the tests from then on.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use relevo_core::rng::Rng;
use relevo_fuzz::{TARGETS, Target, corpus, corpus_dir, mutate::mutate, target};

fn main() -> ExitCode {
    let mut seconds = 10;
    let mut seed = 1;
    let mut names = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let number = |value: Option<String>| value.and_then(|value| value.parse().ok());
        match arg.as_str() {
            "--seconds" | "--seed" => match (number(args.next()), arg.as_str()) {
                (Some(value), "--seconds") => seconds = value,
                (Some(value), _) => seed = value,
                (None, _) => return usage(&format!("{arg} wants a number")),
            },
            name if target(name).is_some() => names.push(name.to_owned()),
            other => return usage(&format!("no target is called {other:?}")),
        }
    }
    if names.is_empty() {
        names = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    }
    let each = Duration::from_secs(seconds) / names.len() as u32;
    for name in &names {
        let Some(run) = target(name) else { continue };
        if let Err(problem) = shake(name, run, each, seed) {
            eprintln!("relevo-fuzz: {name}: {problem}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn usage(problem: &str) -> ExitCode {
    let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
    eprintln!("relevo-fuzz: {problem}");
    eprintln!("usage: relevo-fuzz [--seconds N] [--seed S] [TARGET]...");
    eprintln!("targets: {}", names.join(" "));
    ExitCode::from(2)
}

fn shake(name: &str, run: Target, time: Duration, seed: u64) -> Result<(), String> {
    let inputs: Vec<Vec<u8>> = corpus(name)
        .map_err(|error| error.to_string())?
        .into_iter()
        .map(|(_, data)| data)
        .collect();
    let mut rng = Rng::new(seed);
    let begin = Instant::now();
    let mut runs = 0u64;
    while begin.elapsed() < time {
        for _ in 0..100 {
            let empty = Vec::new();
            let one = rng.pick(&inputs).unwrap_or(&empty).clone();
            let two = rng.pick(&inputs).unwrap_or(&empty).clone();
            let input = mutate(&one, &two, &mut rng);
            runs += 1;
            if std::panic::catch_unwind(|| run(&input)).is_err() {
                let path = corpus_dir(name).join(format!("crash-{seed}-{runs}"));
                std::fs::write(&path, &input).map_err(|error| error.to_string())?;
                return Err(format!(
                    "an input made it panic, kept as {}",
                    path.display()
                ));
            }
        }
    }
    let elapsed = begin.elapsed().as_secs_f64();
    println!("{name}: {runs} inputs in {elapsed:.1} s, none made it panic");
    Ok(())
}
