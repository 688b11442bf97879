//! Executors: each carries out what one kind of machine asks for and brings it what happens.

pub(crate) mod supervisor;
pub(crate) mod talk;
pub(crate) mod vrrp;
