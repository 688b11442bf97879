#![forbid(unsafe_code)]
//! The command of the simulator: plays a scenario, or looks for a broken promise.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use lexopt::prelude::*;
use relevo_sim::explore::{self, Search};
use relevo_sim::scenario::Scenario;
use relevo_sim::swarm::draw;
use relevo_sim::world::Keep;

const USAGE: &str = "\
relevo-sim run FILE.ini ...            play scenarios and check what they expect
relevo-sim explore [--seeds N] [--from S] [--threads T] [--all]
                                       look for a broken promise in N worlds from seed S on;
                                       with --all go on after one, and only list them
relevo-sim explore --seed S            play one seed and print what happens
";

/// The command line was wrong, or a file could not be read.
const EXIT_USAGE: u8 = 2;

enum Job {
    Run(Vec<String>),
    Explore(Search),
    One(u64),
    Help,
}

fn main() -> ExitCode {
    match parse() {
        Ok(Job::Run(files)) => run_all(&files),
        Ok(Job::Explore(search)) => explore_all(search),
        Ok(Job::One(seed)) => explore_one(seed),
        Ok(Job::Help) => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("relevo-sim: {error}\n{USAGE}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn parse() -> Result<Job, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    let mut words: Vec<String> = Vec::new();
    let mut one = None;
    let mut search = Search {
        first: 0,
        count: 1_000,
        threads: thread::available_parallelism().map_or(1, usize::from),
        all: false,
    };
    while let Some(arg) = parser.next()? {
        match arg {
            Long("seeds") => search.count = parser.value()?.parse()?,
            Long("from") => search.first = parser.value()?.parse()?,
            Long("seed") => one = Some(parser.value()?.parse()?),
            Long("all") => search.all = true,
            Long("threads") => search.threads = parser.value()?.parse()?,
            Short('h') | Long("help") => return Ok(Job::Help),
            Value(word) => words.push(word.string()?),
            _ => return Err(arg.unexpected()),
        }
    }
    match words.split_first() {
        Some((verb, files)) if verb == "run" && !files.is_empty() => Ok(Job::Run(files.to_vec())),
        Some((verb, [])) if verb == "explore" => Ok(match one {
            Some(seed) => Job::One(seed),
            None => Job::Explore(search),
        }),
        _ => Err("say what to do".into()),
    }
}

fn explore_all(search: Search) -> ExitCode {
    let count = search.count;
    explore::catch_panics();
    let began = Instant::now();
    let every = (count / 100).max(1);
    let live = std::io::stderr().is_terminal();
    let progress = |done: u64| {
        if live && (done.is_multiple_of(every) || done == count) {
            let mut stderr = std::io::stderr().lock();
            let _ = write!(stderr, "\r{done} of {count} seeds");
            let _ = stderr.flush();
        }
    };
    let report = explore::explore(search, &progress);
    if live {
        eprintln!();
    }
    let _ = std::panic::take_hook();
    eprintln!("{} s", began.elapsed().as_secs_f32());
    if let Some(failure) = &report.failure {
        print!("{}", failure.text());
        return ExitCode::FAILURE;
    }
    for (seed, violation) in &report.failures {
        println!("seed {seed}: {}: {}", violation.promise, violation.text);
    }
    print!("{}", report.text());
    let missing = report.marks.missing();
    if !missing.is_empty() {
        println!("never seen: {}", missing.join(", "));
    }
    if missing.is_empty() && report.failures.is_empty() {
        return ExitCode::SUCCESS;
    }
    ExitCode::FAILURE
}

fn explore_one(seed: u64) -> ExitCode {
    explore::catch_panics();
    let trial = draw(seed);
    let keep = Keep {
        lines: usize::MAX,
        timeline: true,
    };
    let outcome = explore::run(&trial, keep);
    print!("{}", explore::describe(&trial));
    print!("schedule:\n{}", explore::schedule(&trial));
    for line in &outcome.lines {
        println!("{line}");
    }
    println!("\n{}", outcome.picture);
    match &outcome.violation {
        None => {
            println!("every promise was kept");
            ExitCode::SUCCESS
        }
        Some(violation) => {
            println!("broken promise: {}", violation.promise);
            println!("at {:?}: {}", violation.at, violation.text);
            ExitCode::FAILURE
        }
    }
}

fn run_all(files: &[String]) -> ExitCode {
    let mut worst = 0;
    for file in files {
        worst = worst.max(run_one(file));
    }
    ExitCode::from(worst)
}

/// Plays one scenario: 0 if everything came as expected, 1 if not, 2 if it cannot be read.
fn run_one(file: &str) -> u8 {
    let played = Scenario::load(Path::new(file)).and_then(|scenario| {
        let played = scenario.play(explore::LINES);
        played.map_err(|error| format!("{file}: {error}"))
    });
    let played = match played {
        Ok(played) => played,
        Err(error) => {
            eprintln!("relevo-sim: {error}");
            return EXIT_USAGE;
        }
    };
    let world = &played.world;
    let names = world.names();
    println!("{file}");
    print!("{}", world.timeline().text(world.cluster(), &names.clients));
    println!();
    print!(
        "{}",
        world.timeline().bars(world.cluster(), 100, world.now())
    );
    println!();
    if world.violation().is_some() {
        println!("last lines of the trace:");
        for line in world.trace().lines() {
            println!("{line}");
        }
    }
    for failure in &played.failures {
        println!("FAILED: {failure}");
    }
    if played.failures.is_empty() {
        println!(
            "all {} expectations met, every promise kept",
            played.expected
        );
        return 0;
    }
    1
}
