//! Where the daemon's files are and how its processes are called: one place for the names that
//! depend on `use_pid_dir`, `instance` and the network namespace.

use std::fs::File;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{fs, io::ErrorKind};

use relevo_core::config::Processes;
use relevo_core::status::data::Facts;
use relevo_core::supervisor::Kind;

use crate::sys::process;

/// Where files of running programs are.
const RUN: &str = "/run";
/// The directory of this daemon's own. In a network namespace another one, for that namespace
/// alone, is mounted over it.
pub(crate) const OWN: &str = "/run/keepalived";

/// One of the daemon's processes.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Process {
    Parent,
    Child(Kind),
}

/// The places and names of one daemon.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Places {
    /// Pid files stand in a directory of their own.
    own_directory: bool,
    /// The directory was there before this daemon, which keeps more than pid files in it.
    was_there: bool,
    namespace: Option<String>,
    instance: Option<String>,
}

impl Places {
    /// Those of a daemon that runs in `namespace` with these words in its configuration.
    pub(crate) fn new(processes: &Processes, namespace: Option<&str>) -> Self {
        Self {
            own_directory: processes.use_pid_dir
                || processes.instance.is_some()
                || namespace.is_some(),
            was_there: Path::new(OWN).exists(),
            namespace: namespace.map(str::to_owned),
            instance: processes.instance.clone(),
        }
    }

    /// The file for the number of `process`.
    pub(crate) fn pid_file(&self, process: Process) -> PathBuf {
        let name = match process {
            Process::Parent => "keepalived",
            Process::Child(Kind::Vrrp) => "vrrp",
            Process::Child(Kind::Checkers) => "checkers",
            Process::Child(Kind::Bfd) => "bfd",
        };
        let file = match &self.instance {
            Some(instance) => format!("{name}_{instance}.pid"),
            None => format!("{name}.pid"),
        };
        self.directory().join(file)
    }

    /// The same, if it is not the one that every daemon has by default.
    pub(crate) fn own_pid_file(&self, process: Process) -> Option<PathBuf> {
        self.own_directory.then(|| self.pid_file(process))
    }

    /// The file that is there while a new configuration is read, where it has no other name.
    pub(crate) fn reload_file(&self) -> PathBuf {
        let file = match &self.instance {
            Some(instance) => format!("keepalived_{instance}.reload"),
            None => "keepalived.reload".to_owned(),
        };
        self.directory().join(file)
    }

    /// The name of `process` in syslog.
    pub(crate) fn identity(&self, process: Process) -> String {
        let mut name = match process {
            Process::Parent => "Keepalived",
            Process::Child(Kind::Vrrp) => "Keepalived_vrrp",
            Process::Child(Kind::Checkers) => "Keepalived_healthcheckers",
            Process::Child(Kind::Bfd) => "Keepalived_bfd",
        }
        .to_owned();
        for part in [&self.namespace, &self.instance].into_iter().flatten() {
            name.push('_');
            name.push_str(part);
        }
        name
    }

    /// What a process with this umask knows of itself, for dumps.
    pub(crate) fn facts(&self, umask: u32) -> Facts {
        Facts {
            namespace: self.namespace.clone(),
            instance: self.instance.clone(),
            umask,
            parent: false,
        }
    }

    fn directory(&self) -> &'static Path {
        Path::new(if self.own_directory { OWN } else { RUN })
    }

    /// Makes the directory of the pid files if it is not there.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        if self.own_directory {
            make_directory(Path::new(OWN))?;
        }
        Ok(())
    }

    /// Removes the directory, if nothing is left in it.
    pub(crate) fn tidy_up(&self) {
        if self.own_directory || !self.was_there {
            // Another daemon may be using it, or a file may be worth keeping.
            _ = fs::remove_dir(OWN);
        }
    }
}

/// Makes a directory that everybody may look into, whatever the umask; one that is there stays as
/// it is.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o755).create(path) {
        Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(0o755)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if fs::symlink_metadata(path)?.is_dir() {
                Ok(())
            } else {
                Err(ErrorKind::NotADirectory.into())
            }
        }
        Err(error) => Err(error),
    }
}

/// True if writing into `file` can hurt nobody else: a plain file of this user, with one name.
pub(crate) fn is_own_file(file: &File) -> io::Result<bool> {
    let data = file.metadata()?;
    Ok(data.is_file() && data.nlink() <= 1 && data.uid() == process::user())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(instance: Option<&str>, namespace: Option<&str>, use_pid_dir: bool) -> Places {
        let processes = Processes {
            use_pid_dir,
            instance: instance.map(str::to_owned),
            ..Processes::default()
        };
        Places::new(&processes, namespace)
    }

    /// As keepalived 2.2.7 was seen to name them.
    #[test]
    fn names_are_the_originals() {
        let vrrp = Process::Child(Kind::Vrrp);
        for (places, parent, child, identities) in [
            (
                places(None, None, false),
                "/run/keepalived.pid",
                "/run/vrrp.pid",
                ["Keepalived", "Keepalived_vrrp"],
            ),
            (
                places(None, None, true),
                "/run/keepalived/keepalived.pid",
                "/run/keepalived/vrrp.pid",
                ["Keepalived", "Keepalived_vrrp"],
            ),
            (
                places(Some("one"), None, false),
                "/run/keepalived/keepalived_one.pid",
                "/run/keepalived/vrrp_one.pid",
                ["Keepalived_one", "Keepalived_vrrp_one"],
            ),
            (
                places(None, Some("blue"), false),
                "/run/keepalived/keepalived.pid",
                "/run/keepalived/vrrp.pid",
                ["Keepalived_blue", "Keepalived_vrrp_blue"],
            ),
            (
                places(Some("two"), Some("blue"), false),
                "/run/keepalived/keepalived_two.pid",
                "/run/keepalived/vrrp_two.pid",
                ["Keepalived_blue_two", "Keepalived_vrrp_blue_two"],
            ),
        ] {
            assert_eq!(places.pid_file(Process::Parent), Path::new(parent));
            assert_eq!(places.pid_file(vrrp), Path::new(child));
            let [of_parent, of_child] = identities;
            assert_eq!(places.identity(Process::Parent), of_parent);
            assert_eq!(places.identity(vrrp), of_child);
        }
    }

    #[test]
    fn a_directory_is_made_for_everybody_but_nothing_is_followed() {
        let base = std::env::temp_dir().join(format!("relevo-places-{}", std::process::id()));
        _ = fs::remove_dir_all(&base);
        fs::create_dir(&base).expect("a directory of our own");
        let path = base.join("made");
        for _ in 0..2 {
            make_directory(&path).expect("possible");
            let mode = fs::metadata(&path).expect("there").permissions().mode();
            assert_eq!(mode & 0o7777, 0o755);
        }
        let link = base.join("link");
        std::os::unix::fs::symlink(&path, &link).expect("a link of our own");
        assert!(make_directory(&link).is_err());
        _ = fs::remove_dir_all(&base);
    }
}
