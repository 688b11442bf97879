//! Files around a reload: the marker that is there while the new text is read, the report of what
//! was found in it, and the file that holds the time of the next reload.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use relevo_core::config::reloading::{Marker, Reloading};

use crate::places::is_own_file;

/// A file that is there as long as this value.
pub(crate) struct Marked {
    path: PathBuf,
}

impl Marked {
    /// Puts the marker that is configured in its place; `usual` is where it is without a name.
    pub(crate) fn set(marker: &Marker, usual: &Path) -> Option<Self> {
        let path = match marker {
            Marker::Absent => return None,
            Marker::Usual => usual.to_owned(),
            Marker::At(path) => PathBuf::from(path),
        };
        match plain_file(OpenOptions::new().write(true).create(true), &path) {
            Ok(_) => Some(Self { path }),
            Err(error) => {
                log::warn!("{}: cannot mark the reload: {error}", path.display());
                None
            }
        }
    }
}

impl Drop for Marked {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            log::warn!("{}: cannot be removed: {error}", self.path.display());
        }
    }
}

/// Appends what was found in a new text to the file that is configured for it.
pub(crate) fn report(reloading: &Reloading, text: &str) {
    let Some(path) = &reloading.check_log else {
        return;
    };
    let file = plain_file(
        OpenOptions::new().append(true).create(true),
        Path::new(path),
    );
    if let Err(error) = file.and_then(|mut file| file.write_all(text.as_bytes())) {
        log::warn!("{path}: cannot be written: {error}");
    }
}

/// Never through a link, never something that would wait for a reader, and never a file of somebody
/// else's, who could read what is written there.
fn plain_file(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = options.mode(0o600).custom_flags(flags).open(path)?;
    if is_own_file(&file)? {
        Ok(file)
    } else {
        Err(io::Error::other("it is not a plain file of our own"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("relevo-reload-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory");
        path
    }

    #[test]
    fn the_marker_is_there_while_it_is_meant_to_be() {
        let here = directory("marker");
        let usual = here.join("usual");
        let named = here.join("named");
        let at = Marker::At(named.display().to_string());
        for (marker, path) in [(Marker::Usual, &usual), (at, &named)] {
            let marked = Marked::set(&marker, &usual).expect("set");
            assert!(path.exists());
            drop(marked);
            assert!(!path.exists());
        }
        assert!(Marked::set(&Marker::Absent, &usual).is_none());
        fs::remove_dir_all(here).expect("removed");
    }

    #[test]
    fn nothing_goes_through_a_link() {
        let here = directory("link");
        let (target, link) = (here.join("target"), here.join("link"));
        fs::write(&target, "mine").expect("written");
        symlink(&target, &link).expect("a link");
        let reloading = Reloading {
            check_log: Some(link.display().to_string()),
            ..Reloading::default()
        };
        report(&reloading, "x");
        assert!(Marked::set(&Marker::Usual, &link).is_none());
        assert_eq!(fs::read_to_string(&target).expect("read"), "mine");
        // Nor into what somebody else has put there, or calls by another name.
        let other = here.join("other");
        fs::hard_link(&target, &other).expect("another name");
        let reloading = Reloading {
            check_log: Some(other.display().to_string()),
            ..Reloading::default()
        };
        report(&reloading, "x");
        fs::remove_file(&other).expect("removed");
        if crate::sys::process::user() == 0 {
            std::os::unix::fs::chown(&target, Some(65_534), None).expect("we are root");
            let reloading = Reloading {
                check_log: Some(target.display().to_string()),
                ..Reloading::default()
            };
            report(&reloading, "x");
        }
        assert_eq!(fs::read_to_string(&target).expect("read"), "mine");
        let log = here.join("log");
        let reloading = Reloading {
            check_log: Some(log.display().to_string()),
            ..Reloading::default()
        };
        report(&reloading, "one\n");
        report(&reloading, "two\n");
        assert_eq!(fs::read_to_string(&log).expect("read"), "one\ntwo\n");
        fs::remove_dir_all(here).expect("removed");
    }
}
