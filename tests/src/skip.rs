//! Tests that cannot run here say so in one place, so that a run can list them and CI can refuse them.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

/// Where the reasons are collected: `target/skips.txt`, or the file named by `RELEVO_SKIPS`.
pub fn file() -> PathBuf {
    match std::env::var_os("RELEVO_SKIPS") {
        Some(path) => PathBuf::from(path),
        None => crate::lab::target_dir().join("skips.txt"),
    }
}

/// Adds one line `test: reason` to [`file`]. Use the macro [`crate::skip!`], which also returns.
pub fn record(place: &str, reason: &str) {
    // The test harness names the thread; nextest, which may run a test on the main one, the environment.
    let thread = std::thread::current();
    let told = std::env::var("NEXTEST_TEST_NAME").unwrap_or_default();
    let test = thread
        .name()
        .filter(|name| *name != "main")
        .unwrap_or(&told);
    let line = format!("{place}::{test}: {}\n", reason.replace('\n', " "));
    eprint!("SKIPPED {line}");
    let path = file();
    if let Some(parent) = path.parent() {
        let _ = fs::create_dir_all(parent);
    }
    // One write of one line: appends of several test processes do not mix.
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(line.as_bytes()));
    if let Err(error) = written {
        panic!("cannot note a skipped test in {}: {error}", path.display());
    }
}

/// Ends the running test as skipped, with a reason in the words of `format!`.
#[macro_export]
macro_rules! skip {
    ($($words:tt)*) => {{
        $crate::skip::record(module_path!(), &format!($($words)*));
        return;
    }};
}
