//! Text to [`bound::Bound`], with diagnostics, without I/O.

pub mod bound;
