#![forbid(unsafe_code)]
//! Library half of the tests.
