#![forbid(unsafe_code)]
//! Library half of the tests: one machine alone, and hosts in namespaces with real daemons.

pub mod dumps;
pub mod lab;
pub mod manual;
pub mod one_host;
pub mod skip;
pub mod storm;
