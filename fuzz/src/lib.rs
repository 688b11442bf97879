//! Fuzz targets for every decoder of the core, for configuration text, and for whole event streams
//! into the VRRP machine with its promises as the oracle.
//!
//! A target is a plain function that must neither panic nor hang, whatever the bytes. The corpora
//! under `corpus/TARGET/` are replayed by `cargo test`; the binary mutates them on stable Rust.
#![forbid(unsafe_code)]

pub mod decoders;
pub mod event_stream;
pub mod mutate;

use std::path::PathBuf;

/// A fuzz target: takes any bytes.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("ethernet", decoders::ethernet),
    ("ipv4", decoders::ipv4),
    ("ipv6", decoders::ipv6),
    ("vrrp", decoders::vrrp),
    ("arp", decoders::arp),
    ("ndisc", decoders::ndisc),
    ("netlink", relevo_daemon::fuzzing::netlink),
    ("trace", decoders::trace),
    ("config", decoders::config),
    ("event_stream", event_stream::run),
];

/// The function of a target.
pub fn target(name: &str) -> Option<Target> {
    TARGETS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, run)| *run)
}

/// The folder of a target's inputs.
pub fn corpus_dir(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name)
}

/// The inputs of a target, in the order of their file names.
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
