//! The daemon `relevo`.

mod clock;
mod daemon;
mod sys;

fn main() {}
