//! rtnetlink: what the core asks of the kernel and what the kernel tells, as bytes and over sockets.
//!
//! - [`route`]: messages, as bytes and as meaning; no socket, so that they can be fuzzed
//! - [`pace`]: when whole tables may be asked for, and what is told of losses
//! - [`picture`]: from tables to a picture of the whole that can be trusted
//! - [`socket`]: the socket for changes and the socket for news

mod pace;
mod picture;
pub(crate) mod route;
pub(crate) mod socket;

#[cfg(test)]
mod route_tests;
#[cfg(test)]
mod socket_tests;
#[cfg(all(test, target_endian = "little"))]
mod testdata;
