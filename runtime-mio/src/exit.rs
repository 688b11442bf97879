//! Exit codes, as the original's.

use std::process::ExitCode;

/// Done as asked.
pub(crate) const NORMAL: u8 = 0;
/// Something without which nothing works failed.
pub(crate) const FATAL: u8 = 1;
/// A capability is missing.
pub(crate) const PERMISSION: u8 = 4;
/// There is no configuration file.
pub(crate) const NO_CONFIG: u8 = 6;

/// Something failed in the midst of the work; a child that ends with it is replaced.
pub(crate) const PROGRAM: u8 = 70;

/// A number that fits every process: 0..=255.
pub(crate) fn code(number: u8) -> ExitCode {
    ExitCode::from(number)
}
