#![forbid(unsafe_code)]
//! Library half of the tests.

pub mod one_host;
