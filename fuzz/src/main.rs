//! `relevo-fuzz`: searches the targets for an input that breaks a promise.
#![forbid(unsafe_code)]

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use relevo_fuzz::shake::{self, Failure, Report, Search};
use relevo_fuzz::trail::Trail;
use relevo_fuzz::{TARGETS, Target, corpus_dir, target};

const USAGE: &str = "\
relevo-fuzz [--seconds N | --each N] [--seed S] [TARGET]...
                    changes the inputs of every corpus (or of these targets) for N seconds in all,
                    or for N seconds each; a failing input is made small and put into its corpus
relevo-fuzz --keep N [--seed S] TARGET...
                    the same for N seconds each; then what reached something new goes into the corpus
relevo-fuzz --replay TARGET FILE...
                    runs a target on files, and tells what each of them reaches
";

/// A run that takes longer hangs.
const HANG: Duration = Duration::from_secs(20);

/// Inputs that `--keep` adds to one corpus, and octets of each.
const KEEP_MAX: usize = 32;
const KEEP_LEN: usize = 1_200;

/// Counts runs, so that a watchdog sees whether there is life.
static ALIVE: AtomicU64 = AtomicU64::new(0);

struct Wishes {
    total: Option<u64>,
    each: Option<u64>,
    keep: bool,
    seed: u64,
    targets: Vec<&'static Target>,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    shake::catch_panics();
    if args.first().is_some_and(|word| word == "--replay") {
        return replay(&args[1..]);
    }
    match wishes(&args) {
        Ok(wishes) => search(&wishes),
        Err(problem) => {
            let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            eprintln!(
                "relevo-fuzz: {problem}\n{USAGE}targets: {}",
                names.join(" ")
            );
            ExitCode::from(2)
        }
    }
}

fn wishes(args: &[String]) -> Result<Wishes, String> {
    let mut wishes = Wishes {
        total: None,
        each: None,
        keep: false,
        seed: 1,
        targets: Vec::new(),
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if let Some(target) = target(arg) {
            wishes.targets.push(target);
            continue;
        }
        if !["--seconds", "--each", "--keep", "--seed"].contains(&arg.as_str()) {
            return Err(format!("no target is called {arg:?}"));
        }
        let number = args.next().and_then(|value| value.parse().ok());
        let number: u64 = number.ok_or(format!("{arg} wants a number"))?;
        match arg.as_str() {
            "--seconds" => wishes.total = Some(number),
            "--seed" => wishes.seed = number,
            _ => {
                wishes.each = Some(number);
                wishes.keep |= arg == "--keep";
            }
        }
    }
    if wishes.targets.is_empty() {
        if wishes.keep {
            return Err("--keep wants the targets whose corpora it may add to".to_owned());
        }
        wishes.targets = TARGETS.iter().collect();
    }
    Ok(wishes)
}

fn search(wishes: &Wishes) -> ExitCode {
    let weights: u32 = wishes.targets.iter().map(|target| target.weight).sum();
    let total = Duration::from_secs(wishes.total.unwrap_or(60));
    let mut failures = 0;
    println!(
        "{:<16} {:>10} {:>10} {:>8} {:>10} {:>6} {:>8}",
        "target", "inputs", "inputs/s", "seconds", "signatures", "new", "failures"
    );
    for target in &wishes.targets {
        let time = match wishes.each {
            Some(each) => Duration::from_secs(each),
            None => total * target.weight / weights,
        };
        let search = match Search::new(target, wishes.seed) {
            Ok(search) => search,
            Err(error) => {
                eprintln!("relevo-fuzz: {}: its corpus: {error}", target.name);
                return ExitCode::FAILURE;
            }
        };
        watch(target.name);
        let (report, found) = search.run(time, &mut progress(target.name));
        println!("{}", row(target.name, &report));
        if let Some(failure) = &report.failure {
            failures += 1;
            tell(target.name, failure);
        } else if wishes.keep {
            keep(target, &found);
        }
    }
    ALIVE.store(u64::MAX, Ordering::Relaxed);
    if failures > 0 {
        println!("{failures} of {} targets failed", wishes.targets.len());
        return ExitCode::FAILURE;
    }
    println!("no input broke a promise");
    ExitCode::SUCCESS
}

fn row(name: &str, report: &Report) -> String {
    let seconds = report.elapsed.as_secs_f64().max(0.001);
    format!(
        "{name:<16} {:>10} {:>10.0} {seconds:>8.1} {:>10} {:>6} {:>8}",
        report.runs,
        report.runs as f64 / seconds,
        report.features,
        report.features.saturating_sub(report.features_of_corpus),
        u8::from(report.failure.is_some()),
    )
}

fn progress(name: &str) -> impl FnMut(&Report) {
    let live = std::io::stderr().is_terminal();
    let mut last = Instant::now();
    move |report| {
        ALIVE.store(report.runs, Ordering::Relaxed);
        if live && last.elapsed() > Duration::from_millis(500) {
            last = Instant::now();
            let mut stderr = std::io::stderr().lock();
            let _ = write!(stderr, "{}\r", row(name, report));
            let _ = stderr.flush();
        }
    }
}

/// Ends the process if the runs of a target stand still; the input is kept.
fn watch(name: &'static str) {
    ALIVE.store(0, Ordering::Relaxed);
    static STARTED: std::sync::Once = std::sync::Once::new();
    static NAME: std::sync::Mutex<&str> = std::sync::Mutex::new("");
    if let Ok(mut place) = NAME.lock() {
        *place = name;
    }
    STARTED.call_once(|| {
        std::thread::spawn(|| {
            let mut before = (u64::MAX, "");
            loop {
                std::thread::sleep(HANG);
                let name = NAME.lock().map_or("", |name| *name);
                let now = (ALIVE.load(Ordering::Relaxed), name);
                if now == before && now.0 != u64::MAX {
                    let path = store(name, "hang", &shake::running());
                    println!("{name}: stands still for {} s with {path}", HANG.as_secs());
                    std::process::exit(1);
                }
                before = now;
            }
        });
    });
}

fn tell(name: &str, failure: &Failure) {
    let path = store(name, "broken", &failure.input);
    let Failure {
        input,
        found_len,
        panic,
    } = failure;
    println!("{name}: BROKEN at {}: {}", panic.place, panic.message);
    println!(
        "  the input, {} octets (found with {found_len}), is now {path}",
        input.len()
    );
    println!("  replay it alone: cargo run -p relevo-fuzz -- --replay {name} {path}");
    println!(
        "  cargo test -p relevo-fuzz fails until it is mended; give the file a telling name then"
    );
}

/// Puts an input into a corpus; returns its path.
fn store(name: &str, kind: &str, input: &[u8]) -> String {
    let sum = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let path = corpus_dir(name).join(format!("{kind}-{sum:016x}"));
    match std::fs::write(&path, input) {
        Ok(()) => path.display().to_string(),
        Err(error) => format!("lost ({}: {error})", path.display()),
    }
}

/// Adds to the corpus what reaches something new, small inputs first, named by what that is.
fn keep(target: &Target, found: &[Vec<u8>]) {
    let mut seen = std::collections::BTreeSet::new();
    for (_, input) in relevo_fuzz::corpus(target.name).unwrap_or_default() {
        let mut trail = Trail::new();
        if shake::try_one(target, &input, &mut trail).is_ok() {
            seen.extend(trail.features());
        }
    }
    let mut found: Vec<&Vec<u8>> = found.iter().filter(|one| one.len() <= KEEP_LEN).collect();
    found.sort_by_key(|input| input.len());
    // Every test run replays them.
    let most = if target.weight > 2 {
        KEEP_MAX / 2
    } else {
        KEEP_MAX
    };
    let mut kept = 0;
    for input in found {
        let mut trail = Trail::with_words();
        if shake::try_one(target, input, &mut trail).is_err() {
            continue;
        }
        let fresh: Vec<u64> = trail
            .features()
            .into_iter()
            .filter(|one| !seen.contains(one))
            .collect();
        let words = fresh.iter().filter_map(|one| trail.words_of(*one));
        // How often something happened is not worth a file of its own.
        let Some(words) = words.filter(|words| !words.contains(" x")).min() else {
            continue;
        };
        seen.extend(fresh);
        let path = corpus_dir(target.name).join(file_name(&words));
        if !path.exists() && std::fs::write(&path, input).is_ok() {
            kept += 1;
        }
        if kept == most {
            break;
        }
    }
    println!("{}: {kept} inputs added to its corpus", target.name);
}

fn file_name(words: &str) -> String {
    let plain = words.chars().map(|c| match c {
        'a'..='z' | '0'..='9' => c,
        'A'..='Z' => c.to_ascii_lowercase(),
        _ => '-',
    });
    let name: String = plain.take(64).collect();
    let parts: Vec<&str> = name.split('-').filter(|part| !part.is_empty()).collect();
    parts.join("-")
}

fn replay(args: &[String]) -> ExitCode {
    let Some((name, files)) = args.split_first() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let Some(target) = target(name) else {
        eprintln!("relevo-fuzz: no target is called {name:?}");
        return ExitCode::from(2);
    };
    let mut broken = false;
    for file in files {
        let input = match std::fs::read(Path::new(file)) {
            Ok(input) => input,
            Err(error) => {
                eprintln!("relevo-fuzz: {file}: {error}");
                return ExitCode::from(2);
            }
        };
        let mut trail = Trail::loud();
        println!("{file}: {} octets", input.len());
        let result = shake::try_one(target, &input, &mut trail);
        for feature in trail.features() {
            println!("  {}", trail.words_of(feature).unwrap_or_default());
        }
        if let Err(panic) = result {
            broken = true;
            println!("  BROKEN at {}: {}", panic.place, panic.message);
        }
    }
    ExitCode::from(u8::from(broken))
}
