//! The daemon `relevo`.

use std::process::ExitCode;

fn main() -> ExitCode {
    relevo_daemon::main()
}
