//! Pid files, locked for the life of their process.
//!
//! The lock, not the number in the file, says whether somebody is running: a file that was left
//! behind by a crash never stops a start. keepalived 2.2.7 takes no lock, so a file without one
//! counts as well while the process that it names is a keepalived.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::places::is_own_file;
use crate::sys::lock;

/// Files that may be swapped under our hands before it looks deliberate.
const ATTEMPTS: usize = 16;

/// A pid file that this process has locked.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    file: File,
}

/// Why a pid file could not be had.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Another daemon runs; its number if the file tells.
    Running(Option<u32>),
    /// The file cannot be opened, locked or written.
    Failed(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl PidFile {
    /// Locks `path`, which is created if need be. The content stays as it is until
    /// [`write`](Self::write).
    pub(crate) fn acquire(path: &Path) -> Result<Self, Refused> {
        for _ in 0..ATTEMPTS {
            let mut file = open(path)?;
            if !is_own_file(&file)? {
                let what = "the file is not a plain one of our own";
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, what).into());
            }
            let pid = read(&mut file)?;
            if !lock::try_lock(&file)? {
                return Err(Refused::Running(pid));
            }
            // A predecessor may have removed the file between our opening and our locking it.
            if !is_at(&file, path) {
                continue;
            }
            if let Some(pid) = pid.filter(|&pid| is_original(pid)) {
                return Err(Refused::Running(Some(pid)));
            }
            let path = path.to_owned();
            return Ok(Self { path, file });
        }
        Err(Refused::Failed(io::ErrorKind::ResourceBusy.into()))
    }

    /// Writes the number of the process, readable for everybody.
    pub(crate) fn write(&mut self, pid: u32) -> io::Result<()> {
        self.file
            .set_permissions(fs::Permissions::from_mode(0o644))?;
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(format!("{pid}\n").as_bytes())
    }
}

/// The file goes with its process, unless another one stands in its place by now.
impl Drop for PidFile {
    fn drop(&mut self) {
        if is_at(&self.file, &self.path) {
            _ = fs::remove_file(&self.path);
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
}

fn read(file: &mut File) -> io::Result<Option<u32>> {
    let mut text = String::new();
    match file.take(32).read_to_string(&mut text) {
        Ok(_) => Ok(number_in(&text)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(error),
    }
}

/// The process number that the text of a pid file tells.
pub(crate) fn number_in(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|&pid| pid > 0)
}

/// True if `path` still names the open `file`.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |data: fs::Metadata| (data.dev(), data.ino());
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(ours), Ok(there)) => identity(ours) == identity(there),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

/// True if the process is the original: by its program, as its name is also ours.
fn is_original(pid: u32) -> bool {
    let program = fs::read_link(format!("/proc/{pid}/exe"));
    program.is_ok_and(|path| {
        // An updated package leaves `/usr/sbin/keepalived (deleted)` behind.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.trim_end_matches(" (deleted)") == "keepalived"
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process;

    fn path(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("relevo-{name}-{}.pid", std::process::id()));
        _ = fs::remove_file(&path);
        path
    }

    #[test]
    fn a_stale_file_is_taken_over_and_removed_at_the_end() {
        let path = path("stale");
        // Our own number: alive, but no keepalived.
        fs::write(&path, format!("{}\n", std::process::id())).expect("a file of our own");
        let mut pid_file = PidFile::acquire(&path).expect("nobody has the lock");
        pid_file.write(42).expect("writable");
        assert_eq!(fs::read_to_string(&path).expect("readable"), "42\n");
        drop(pid_file);
        assert!(!path.exists());
    }

    #[test]
    fn nonsense_in_the_file_does_not_stop_a_start() {
        let path = path("nonsense");
        for content in [
            &b""[..],
            b"-1",
            b"0",
            b"\xff\xfe",
            b"99999999999999999999",
            &[b'1'; 5000],
        ] {
            fs::write(&path, content).expect("a file of our own");
            let mut pid_file = PidFile::acquire(&path).expect("nobody has the lock");
            pid_file.write(7).expect("writable");
            assert_eq!(fs::read_to_string(&path).expect("readable"), "7\n");
            drop(pid_file);
        }
    }

    #[test]
    fn a_locked_file_means_that_somebody_runs() {
        let path = path("locked");
        let mut first = PidFile::acquire(&path).expect("nobody has the lock");
        first.write(42).expect("writable");
        let second = PidFile::acquire(&path);
        assert!(
            matches!(second, Err(Refused::Running(Some(42)))),
            "{second:?}"
        );
        // The loser must not have touched the file.
        assert_eq!(fs::read_to_string(&path).expect("readable"), "42\n");
        drop(first);
        let third = PidFile::acquire(&path).expect("the lock is free again");
        drop(third);
    }

    #[test]
    fn a_file_that_another_one_replaced_is_left_alone() {
        let path = path("replaced");
        let pid_file = PidFile::acquire(&path).expect("nobody has the lock");
        fs::remove_file(&path).expect("removable");
        fs::write(&path, "1\n").expect("a file of our own");
        drop(pid_file);
        assert_eq!(fs::read_to_string(&path).expect("readable"), "1\n");
        _ = fs::remove_file(&path);
    }

    #[test]
    fn a_file_of_others_is_not_written() {
        let path = path("hard-link");
        let other = path.with_extension("other");
        fs::write(&other, "precious").expect("a file of our own");
        _ = fs::remove_file(&path);
        fs::hard_link(&other, &path).expect("a link of our own");
        assert!(matches!(PidFile::acquire(&path), Err(Refused::Failed(_))));
        assert_eq!(fs::read_to_string(&other).expect("readable"), "precious");
        _ = fs::remove_file(&path);
        _ = fs::remove_file(&other);
        // A directory, a device and a pipe are no pid files either.
        for special in ["/dev/null", "/tmp"] {
            let refused = PidFile::acquire(Path::new(special));
            assert!(matches!(refused, Err(Refused::Failed(_))), "{special}");
        }
        if process::user() == 0 {
            fs::write(&path, "1\n").expect("a file of our own");
            std::os::unix::fs::chown(&path, Some(65_534), None).expect("we are root");
            assert!(matches!(PidFile::acquire(&path), Err(Refused::Failed(_))));
            assert_eq!(fs::read_to_string(&path).expect("readable"), "1\n");
            _ = fs::remove_file(&path);
        }
    }

    #[test]
    fn a_symbolic_link_is_refused() {
        let path = path("link");
        let target = path.with_extension("target");
        std::os::unix::fs::symlink(&target, &path).expect("a link of our own");
        assert!(matches!(PidFile::acquire(&path), Err(Refused::Failed(_))));
        assert!(!target.exists());
        _ = fs::remove_file(&path);
    }
}
