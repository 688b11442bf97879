#![forbid(unsafe_code)]
//! Plays whole clusters of the production machines in memory, from one seed.
