//! What tests with real processes share.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Long enough for a busy machine.
pub const LIMIT: Duration = Duration::from_secs(20);

/// A new directory of our own.
pub fn place(kind: &str, name: &str) -> PathBuf {
    let place = std::env::temp_dir().join(format!("relevo-{kind}-{name}-{}", std::process::id()));
    _ = fs::remove_dir_all(&place);
    fs::create_dir_all(&place).expect("a directory of our own");
    place
}

pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < until, "never: {what}");
        sleep(Duration::from_millis(2));
    }
}

/// Waits for the end of a process; fails with its log if that does not come.
pub fn wait_for_end(process: &mut Child, log: impl Fn() -> String) -> ExitStatus {
    let until = Instant::now() + LIMIT;
    loop {
        if let Some(status) = process.try_wait().expect("our child") {
            return status;
        }
        assert!(Instant::now() < until, "it does not end:\n{}", log());
        sleep(Duration::from_millis(1));
    }
}
