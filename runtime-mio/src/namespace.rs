//! Runs the daemon in the network namespace that `-s` or `net_namespace` names.
//!
//! Daemons of several namespaces share a file system, and the names of their files would collide.
//! So this one gets mounts of its own, and in them `/run/keepalived` is a directory of that
//! namespace alone, as in the original.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use relevo_core::config::{Config, is_file_name};

use crate::cli::Options;
use crate::places::{self, OWN};
use crate::sys::namespaces;

/// Where `ip netns` keeps the names.
const NAMES: &str = "/run/netns";

/// The namespace to run in: what the command line names, or else the configuration, which can be
/// bound only inside.
pub(crate) fn wanted(options: &Options, config: &Config) -> io::Result<Option<String>> {
    if let Some(name) = &options.namespace {
        let name = name.to_string_lossy().into_owned();
        if is_file_name(&name) {
            return Ok(Some(name));
        }
        return Err(io::Error::other("not the name of a network namespace"));
    }
    Ok(config.global.processes.net_namespace.clone())
}

/// Enters the network of `name`.
pub(crate) fn enter_network(name: &str) -> io::Result<()> {
    namespaces::enter_network(&File::open(Path::new(NAMES).join(name))?)
}

/// Gives this process a directory for its files that belongs to the namespace. To be called once,
/// before any file of the daemon is opened.
pub(crate) fn enter_files(name: &str) -> io::Result<OwnFiles> {
    let own = Path::new(OWN);
    let inner = own.join(name);
    places::make_directory(own)?;
    places::make_directory(&inner)?;
    namespaces::own_mounts()?;
    namespaces::bind(&inner, own)?;
    Ok(OwnFiles { inner })
}

/// The directory of the namespace; removed at the end if nothing is left in it.
#[derive(Debug)]
pub(crate) struct OwnFiles {
    inner: PathBuf,
}

impl Drop for OwnFiles {
    fn drop(&mut self) {
        if namespaces::unbind(Path::new(OWN)).is_ok() && fs::remove_dir(&self.inner).is_ok() {
            // The directories of other namespaces may be in it.
            _ = fs::remove_dir(OWN);
        }
    }
}

#[cfg(test)]
mod tests {
    use relevo_core::config;

    use super::*;

    #[test]
    fn the_command_line_wins_and_paths_are_no_names() {
        let mut options = Options::default();
        let config = |text| config::parse("f", text).0;
        let text = &config("net_namespace blue\nvrrp_instance A {\n}\n");
        assert_eq!(
            wanted(&options, text).expect("a name").as_deref(),
            Some("blue")
        );
        assert_eq!(wanted(&options, &config("# nothing")).expect("none"), None);
        assert_eq!(
            wanted(&options, &config("# net_namespace x")).expect("none"),
            None
        );
        options.namespace = Some("red".into());
        assert_eq!(
            wanted(&options, text).expect("a name").as_deref(),
            Some("red")
        );
        options.namespace = Some("../red".into());
        assert!(wanted(&options, text).is_err());
    }
}
