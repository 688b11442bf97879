//! From the configuration file to what the machines use.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use relevo_core::config::bound::Bound;
use relevo_core::config::{self, Diagnostic, HostFacts};

use crate::host_facts;

/// A configuration that was read, whatever is wrong with it.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The text as it was understood: what is not UTF-8 in old files is replaced, so that places in
    /// the diagnostics fit.
    pub(crate) text: String,
    pub(crate) bound: Bound,
    /// What was found, in the order of the text.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Reads, parses and binds a file.
pub(crate) fn load(path: &Path) -> io::Result<Loaded> {
    from_text(path, read(path)?)
}

/// Reads a file. A pipe would be waited for, a device might never end.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    let data = file.metadata()?;
    if !data.is_file() && !data.is_dir() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(to_text(bytes))
}

/// Parses and binds what stands, or stood, in the file `path`.
pub(crate) fn from_bytes(path: &Path, bytes: Vec<u8>) -> io::Result<Loaded> {
    from_text(path, to_text(bytes))
}

fn to_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The same for a text that a parent has checked: an interface that is missing by now may come back,
/// and is no reason for a child to give up what it has to do elsewhere.
pub(crate) fn checked_before(path: &Path, bytes: Vec<u8>) -> io::Result<Loaded> {
    with(config::load_again, path, to_text(bytes))
}

/// The same for a text.
pub(crate) fn from_text(path: &Path, text: String) -> io::Result<Loaded> {
    with(config::load, path, text)
}

type Load = fn(&str, &str, &HostFacts) -> (Bound, Vec<Diagnostic>);

fn with(load: Load, path: &Path, text: String) -> io::Result<Loaded> {
    let facts = host_facts::gather()?;
    let (bound, diagnostics) = load(&path.to_string_lossy(), &text, &facts);
    Ok(Loaded {
        text,
        bound,
        diagnostics,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_read() {
        let path = std::env::temp_dir().join(format!("relevo-read-{}", std::process::id()));
        _ = std::fs::remove_file(&path);
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.is_ok_and(|status| status.success()));
        for place in [path.as_path(), Path::new("/dev/zero")] {
            let error = read(place).expect_err("no file");
            assert_eq!(error.to_string(), "it is no regular file");
        }
        std::fs::remove_file(&path).expect("ours");
        std::fs::write(&path, "x").expect("a file of our own");
        assert_eq!(read(&path).ok().as_deref(), Some("x"));
        std::fs::remove_file(&path).expect("ours");
    }
}
