//! Where the control socket stands.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Its directory: keepalived's for what runs.
const DIRECTORY: &str = "/run/keepalived";

/// A path in the environment, of the daemon and its clients, comes before the usual one.
const VARIABLE: &str = "RELEVO_SOCKET";

/// The socket's path where no other is asked for: what the environment says, or the usual one of
/// a daemon of this instance (`instance` in its configuration).
pub(crate) fn wanted(instance: Option<&str>) -> PathBuf {
    let wish = std::env::var_os(VARIABLE).map(PathBuf::from);
    // In the background the working directory is another one.
    let wish = wish.filter(|wish| wish.is_absolute());
    wish.unwrap_or_else(|| path(None, instance))
}

/// The usual path. What a daemon in a network namespace has in its directory is seen from outside
/// in one of the namespace's name.
pub(crate) fn path(namespace: Option<&str>, instance: Option<&str>) -> PathBuf {
    let name = match instance {
        // A name is no path.
        Some(name) => format!("relevo_{}.sock", name.replace('/', "_")),
        None => "relevo.sock".to_owned(),
    };
    let directory = Path::new(DIRECTORY);
    match namespace {
        Some(namespace) => directory.join(namespace.replace('/', "_")).join(name),
        None => directory.join(name),
    }
}

/// A listening socket in its place. It goes with its owner.
#[derive(Debug)]
pub(crate) struct Place {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of what we put there.
    identity: (u64, u64),
    /// We made the directory.
    made_directory: bool,
}

impl Place {
    /// Listens at `path`, for root alone. What a daemon that is gone left there is replaced; the
    /// socket of one that lives is not, nor is anything that is no socket.
    pub(crate) fn take(path: &Path) -> io::Result<Self> {
        let made_directory = make_directory(path)?;
        match fs::symlink_metadata(path) {
            Ok(there) if !there.file_type().is_socket() => {
                return Err(io::Error::other("something else is in its place"));
            }
            Ok(_) if is_alive(path)? => {
                return Err(io::Error::other("another daemon listens there"));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // Under another name until it may be reached by root only, then in one step.
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}", std::process::id()));
        let fresh = path.with_file_name(name);
        _ = fs::remove_file(&fresh);
        let listener = UnixListener::bind(&fresh)?;
        let placed = (|| {
            fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600))?;
            listener.set_nonblocking(true)?;
            let there = fs::symlink_metadata(&fresh)?;
            fs::rename(&fresh, path)?;
            Ok((there.dev(), there.ino()))
        })();
        let identity = placed.inspect_err(|_: &io::Error| _ = fs::remove_file(&fresh))?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            identity,
            made_directory,
        })
    }

    /// The socket.
    pub(crate) const fn listener(&self) -> &UnixListener {
        &self.listener
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let there = fs::symlink_metadata(&self.path);
        if there.is_ok_and(|there| (there.dev(), there.ino()) == self.identity) {
            _ = fs::remove_file(&self.path);
        }
        if self.made_directory
            && let Some(directory) = self.path.parent()
        {
            // Only if nothing else is in it.
            _ = fs::remove_dir(directory);
        }
    }
}

/// Makes the directory, readable for everybody; true if it was not there.
fn make_directory(path: &Path) -> io::Result<bool> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    match DirBuilder::new().mode(0o755).create(directory) {
        // The mask takes rights away that it is to have.
        Ok(()) => {
            fs::set_permissions(directory, fs::Permissions::from_mode(0o755))?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// True if somebody listens at a socket.
fn is_alive(path: &Path) -> io::Result<bool> {
    match UnixStream::connect(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> PathBuf {
        let name = format!("relevo-place-{name}-{}", std::process::id());
        let place = std::env::temp_dir().join(name);
        _ = fs::remove_dir_all(&place);
        place.join("relevo.sock")
    }

    fn mode(path: &Path) -> u32 {
        let there = fs::symlink_metadata(path).expect("there");
        there.permissions().mode() & 0o777
    }

    #[test]
    fn it_is_for_its_owner_and_goes_with_it() {
        let path = place("owner");
        let directory = path.parent().expect("a directory");
        let taken = Place::take(&path).expect("free");
        assert_eq!((mode(&path), mode(directory)), (0o600, 0o755));
        assert_eq!(fs::read_dir(directory).expect("ours").count(), 1);
        let second = Place::take(&path).expect_err("taken");
        assert_eq!(second.to_string(), "another daemon listens there");
        UnixStream::connect(&path).expect("it still listens");
        drop(taken);
        assert!(!directory.exists());
    }

    #[test]
    fn what_was_left_behind_is_replaced() {
        let path = place("stale");
        fs::create_dir_all(path.parent().expect("a directory")).expect("ours");
        drop(UnixListener::bind(&path).expect("free"));
        assert!(path.exists());
        let taken = Place::take(&path).expect("nobody listens");
        UnixStream::connect(&path).expect("it listens");
        // What another one put there since is not ours.
        fs::remove_file(&path).expect("ours");
        fs::write(&path, "x").expect("ours");
        drop(taken);
        assert!(path.exists());
        assert!(Place::take(&path).is_err(), "no socket: not replaced");
        fs::remove_dir_all(path.parent().expect("a directory")).expect("ours");
    }

    #[test]
    fn instances_have_their_own() {
        assert_eq!(path(None, None), Path::new("/run/keepalived/relevo.sock"));
        let inside = path(Some("blue"), Some("x"));
        assert_eq!(inside, Path::new("/run/keepalived/blue/relevo_x.sock"));
        assert_eq!(
            path(None, Some("x/..")),
            Path::new("/run/keepalived/relevo_x_...sock")
        );
    }
}
