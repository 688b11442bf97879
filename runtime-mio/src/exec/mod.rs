//! Executors: each carries out what one kind of machine asks for and brings it what happens.

pub(crate) mod answer;
pub(crate) mod desk;
pub(crate) mod reload;
pub(crate) mod report;
pub(crate) mod supervisor;
pub(crate) mod talk;
pub(crate) mod vrrp;
