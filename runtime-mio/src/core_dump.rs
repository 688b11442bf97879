//! Core dumps: none, unless `-m` or `-M` asks for them.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::cli::Options;
use crate::sys::limits;

/// Where the kernel keeps the pattern of the names; it is the host's, not ours.
const PATTERN: &str = "/proc/sys/kernel/core_pattern";

/// Sets the limit for this process and its children to come, and the kernel's pattern if one was
/// asked for. Nothing depends on it, so what cannot be done is only told.
pub(crate) fn prepare(options: &Options) -> Option<ForeignPattern> {
    if let Err(error) = limits::set_core_dumps(options.core_dump) {
        log::warn!("The limit of core dumps cannot be set: {error}");
    }
    let pattern = options.core_pattern.as_ref()?;
    match replace(Path::new(PATTERN), pattern) {
        Ok(before) => Some(ForeignPattern { before }),
        Err(error) => {
            log::warn!("{PATTERN} cannot be set: {error}");
            None
        }
    }
}

/// The pattern that was there; it comes back at the end.
#[derive(Debug)]
pub(crate) struct ForeignPattern {
    before: String,
}

impl Drop for ForeignPattern {
    fn drop(&mut self) {
        if let Err(error) = write(Path::new(PATTERN), &self.before) {
            log::warn!("{PATTERN} cannot be set back: {error}");
        }
    }
}

/// Returns what was there.
fn replace(path: &Path, pattern: &str) -> io::Result<String> {
    let before = fs::read_to_string(path)?;
    write(path, pattern)?;
    Ok(before.trim_end_matches('\n').to_owned())
}

/// In one piece: the kernel takes each write for the whole value.
fn write(path: &Path, pattern: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(path)?;
    file.write_all(format!("{pattern}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_is_returned_without_its_line_end() {
        let path = std::env::temp_dir().join(format!("relevo-pattern-{}", std::process::id()));
        fs::write(&path, "|/usr/lib/collect %p %s and more\n").expect("a file of our own");
        let before = replace(&path, "core").expect("possible");
        assert_eq!(before, "|/usr/lib/collect %p %s and more");
        assert_eq!(fs::read_to_string(&path).expect("readable"), "core\n");
        write(&path, &before).expect("possible");
        let after = fs::read_to_string(&path).expect("readable");
        assert_eq!(after, "|/usr/lib/collect %p %s and more\n");
        _ = fs::remove_file(&path);
    }
}
