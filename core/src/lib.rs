//! The pure half of Relevo: events in, actions out.
//!
//! This crate has no socket, clock, file, thread or random source of its own, and no `unsafe`.
//! Time, packets and the kernel's answers come in as arguments; what shall be done goes out as
//! plain data. The same events always give the same actions, so every decision can be replayed.
//!
//! - [`machine`]: the shape of every machine, and the buffer its actions go into
//! - [`time`], [`timers`], [`ids`], [`rng`], [`limits`]: the vocabulary
//! - [`wire`]: packets, as bytes and as meaning
//! - [`config`]: text to [`config::bound::Bound`], with diagnostics
//! - [`kernel`]: what we ask of the kernel, what it tells us, and the ledger between the two
//! - [`vrrp`]: address failover
//! - [`supervisor`]: the parent that watches over the children
//! - [`notify`]: what people and programs read
//! - [`status`]: what they ask for: dumps, counters, a short table
//! - [`trace`]: one line of text for each event and action
//! - [`journal`]: the last inputs of a machine in a ring, to be read and played again
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod config;
pub mod ids;
pub mod journal;
pub mod kernel;
pub mod limits;
pub mod machine;
pub mod notify;
pub mod rng;
pub mod status;
pub mod supervisor;
pub mod time;
pub mod timers;
pub mod trace;
pub mod vrrp;
pub mod wire;
