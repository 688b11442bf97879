//! Fuzz targets for every decoder, for configuration text, and for whole event streams into the
//! machines with their promises as the oracle.
//!
//! A target is a plain function that must neither panic nor hang, whatever the bytes; what it
//! asserts is its oracle. The corpora under `corpus/TARGET/` are replayed by `cargo test`; the
//! binary `relevo-fuzz` searches on stable Rust ([`shake`]), and `cargo-fuzz/` has the same targets
//! for libFuzzer.
//!
//! - [`wire`]: packets; [`text`]: trace lines and what else is written; [`config`]: configuration
//! - [`event_stream`], [`supervisor`]: bytes as events into the two machines
//! - [`daemon`], [`scenario`]: what the runtimes read from outside
//! - [`journal`]: the ring of last inputs, its images and its text
//! - [`trail`]: what an input reached; [`mutate`]: inputs from inputs; [`shake`]: the search
#![forbid(unsafe_code)]

pub mod bytes;
pub mod config;
mod config_text;
pub mod daemon;
pub mod event_stream;
pub mod journal;
pub mod mutate;
pub mod scenario;
pub mod shake;
pub mod supervisor;
mod targets;
pub mod text;
pub mod trail;
pub mod wire;

use std::path::PathBuf;

pub use targets::TARGETS;

use mutate::Shape;
use trail::Trail;

/// A fuzz target.
#[derive(Copy, Clone, Debug)]
pub struct Target {
    /// Its name, which is also that of its corpus.
    pub name: &'static str,
    /// Takes any bytes.
    pub run: fn(&[u8], &mut Trail),
    /// How its inputs are changed sensibly.
    pub shape: Shape,
    /// Its share of the time of a whole run.
    pub weight: u32,
}

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Runs a target on one input; for mains that know no trail.
///
/// # Panics
/// If there is no such target, or if the input breaks what it promises.
pub fn run(name: &str, data: &[u8]) {
    let target = target(name).unwrap_or_else(|| panic!("no target is called {name:?}"));
    (target.run)(data, &mut Trail::new());
}

/// The folder of a target's inputs.
pub fn corpus_dir(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name)
}

/// The inputs of a target, in the order of their file names.
///
/// # Errors
/// If the folder or a file cannot be read.
pub fn corpus(name: &str) -> std::io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(corpus_dir(name))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.sort();
    paths
        .into_iter()
        .map(|path| Ok((path.clone(), std::fs::read(path)?)))
        .collect()
}
