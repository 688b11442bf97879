#![forbid(unsafe_code)]
//! Library half of the tests: hosts in namespaces, real daemons and captures.

pub mod lab;
pub mod skip;
