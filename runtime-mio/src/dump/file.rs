//! A file written whole, where others may write too.
//!
//! The text goes to a new file of a name that nobody can foresee, which must not exist and is not
//! followed if it is a link; then that file takes the place of the old one. Readers see a whole
//! file, and whatever stood at the name, a link or somebody's own file, is replaced and never
//! written into.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::writer::Text;

/// Owner only: addresses and names are nobody else's business.
const MODE: u32 = 0o600;

/// New names tried if one is taken.
const TRIES: usize = 16;

/// Letters in the end of a temporary name.
const LETTERS: usize = 6;

const ALPHABET: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

/// Writes `text` to `path`; what was there before stays if anything goes wrong.
pub(super) fn write(path: &Path, text: Text) -> io::Result<()> {
    let (file, temporary) = create(path)?;
    let written = fill(file, text).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        _ = fs::remove_file(&temporary);
    }
    written
}

fn fill(file: File, text: Text) -> io::Result<()> {
    // Whatever the umask made of it.
    file.set_permissions(Permissions::from_mode(MODE))?;
    let mut out = Output {
        file: BufWriter::with_capacity(32 * 1_024, file),
        error: None,
    };
    if text(&mut out).is_err() {
        let unknown = || io::Error::other("the text could not be made");
        return Err(out.error.unwrap_or_else(unknown));
    }
    out.file.flush()
}

/// A new file beside `path`.
fn create(path: &Path) -> io::Result<(File, PathBuf)> {
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    for _ in 0..TRIES {
        let mut name: OsString = name.to_owned();
        name.push(letters()?);
        let temporary = path.with_file_name(name);
        let opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(MODE)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&temporary);
        match opened {
            Ok(file) => return Ok((file, temporary)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Letters that nobody can foresee.
fn letters() -> io::Result<String> {
    let mut random = [0; LETTERS];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let letter = |octet: &u8| char::from(ALPHABET[usize::from(octet & 63)]);
    Ok(random.iter().map(letter).collect())
}

/// Text on its way to a file, with the reason why it cannot go on.
struct Output {
    file: BufWriter<File>,
    error: Option<io::Error>,
}

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.file.write_all(text.as_bytes()).map_err(|error| {
            self.error = Some(error);
            fmt::Error
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A directory of its own for each test.
    fn directory(name: &str) -> PathBuf {
        let name = format!("relevo-dump-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a directory");
        path
    }

    fn hello() -> Text {
        Box::new(|out| out.write_str("hello\n"))
    }

    fn entries(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("readable");
        let mut names: Vec<_> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_link_at_the_name_is_replaced_and_its_target_is_not_touched() {
        let directory = directory("link");
        let (target, path) = (directory.join("target"), directory.join("x.data"));
        fs::write(&target, "precious").expect("written");
        symlink(&target, &path).expect("linked");
        write(&path, hello()).expect("written");
        assert_eq!(fs::read_to_string(&target).expect("is there"), "precious");
        assert_eq!(fs::read_to_string(&path).expect("is there"), "hello\n");
        let metadata = fs::symlink_metadata(&path).expect("is there");
        assert!(metadata.is_file());
        assert_eq!(metadata.permissions().mode() & 0o7777, MODE);
        assert_eq!(entries(&directory), ["target", "x.data"]);
        fs::remove_dir_all(&directory).expect("is ours");
    }

    #[test]
    fn a_file_of_somebody_else_is_not_written_into() {
        let directory = directory("own");
        let path = directory.join("x.data");
        fs::write(&path, "theirs").expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o666)).expect("ours");
        let mut theirs = File::open(&path).expect("opened before");
        write(&path, hello()).expect("written");
        let mut text = String::new();
        theirs.read_to_string(&mut text).expect("readable");
        assert_eq!(text, "theirs", "whoever had it open sees nothing of ours");
        assert_eq!(
            fs::metadata(&path).expect("is there").permissions().mode() & 0o7777,
            MODE
        );
        fs::remove_dir_all(&directory).expect("is ours");
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing_behind() {
        let directory = directory("fail");
        let path = directory.join("x.data");
        fs::create_dir(&path).expect("a directory in the way");
        assert!(write(&path, hello()).is_err());
        assert!(write(&directory.join("absent/x.data"), hello()).is_err());
        fs::remove_dir(&path).expect("is ours");
        fs::write(&path, "old").expect("written");
        let error = write(&path, Box::new(|_| Err(fmt::Error))).expect_err("no text");
        assert_eq!(error.kind(), io::ErrorKind::Other);
        assert_eq!(fs::read_to_string(&path).expect("is there"), "old");
        assert_eq!(entries(&directory), ["x.data"]);
        fs::remove_dir_all(&directory).expect("is ours");
    }
}
