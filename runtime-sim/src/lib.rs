//! Plays whole clusters of the production machines in memory, from one seed.
//!
//! - [`world`]: a cluster and its future; [`spec`]: what it is made of
//! - [`host`], [`kernel`], [`clock`], [`client`], [`segment`], [`link`]: its parts
//! - [`faults`]: what goes wrong, in words
//! - [`invariant`], [`checker`]: what must hold always; [`reference`]: and in the end; [`marks`]: what
//!   a search must have seen
//! - [`scenario`], [`expect`], [`timeline`]: a cluster in a file, played and judged
//! - [`swarm`], [`explore`]: many clusters from many seeds
#![forbid(unsafe_code)]

mod act;
pub mod checker;
pub mod client;
pub mod clock;
pub mod cluster;
pub mod expect;
pub mod explore;
pub mod faults;
pub mod host;
pub mod invariant;
pub mod kernel;
pub mod link;
mod links;
pub mod marks;
pub mod memory;
pub mod noise;
pub mod numbers;
pub mod parent;
pub mod reference;
mod reload;
pub mod scenario;
pub mod segment;
pub mod spec;
mod strike;
pub mod swarm;
pub mod timeline;
pub mod trace;
mod turn;
mod variants;
pub mod world;
