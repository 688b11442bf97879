//! What configurations are read from on this host.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use relevo_core::config::source::{FileText, Sources, Unreadable};

use crate::child;
use crate::cli::Options;
use crate::sys::glob;

/// The files, the environment and the chance of this host.
#[derive(Debug)]
pub(crate) struct Host {
    config_id: String,
    directory: String,
    seed: u64,
    check_all: bool,
}

impl Host {
    /// As the command line wants it.
    pub(crate) fn new(options: &Options) -> Self {
        let own_id = || {
            let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            name.trim_end()
                .split('.')
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let directory = std::env::current_dir();
        Self {
            config_id: options.config_id.clone().unwrap_or_else(own_id),
            directory: directory.map_or("/".into(), |path| path.to_string_lossy().into_owned()),
            // Without chance the numbers are the same each time, which is better than no daemon.
            seed: child::seed().unwrap_or_default(),
            check_all: options.all_config,
        }
    }
}

impl Sources for Host {
    fn read(&mut self, path: &str) -> Result<FileText, Unreadable> {
        let data = fs::metadata(path).map_err(|error| Unreadable::Error(error.to_string()))?;
        if data.is_dir() {
            return Err(Unreadable::Directory);
        }
        if !data.is_file() || data.mode() & 0o111 != 0 {
            return Err(Unreadable::NotText);
        }
        read(Path::new(path))
            .map(FileText::of)
            .map_err(|error| Unreadable::Error(error.to_string()))
    }

    fn glob(&mut self, pattern: &str) -> Vec<String> {
        let names = glob::glob(Path::new(pattern)).into_iter();
        let name = |path: PathBuf| path.into_os_string().into_string().ok();
        names.filter_map(name).collect()
    }

    fn environment(&mut self, name: &str) -> Option<String> {
        let value = std::env::var_os(name)?;
        Some(value.to_string_lossy().into_owned())
    }

    fn directory(&mut self) -> String {
        self.directory.clone()
    }

    fn seed(&mut self) -> u64 {
        self.seed
    }

    fn config_id(&mut self) -> String {
        self.config_id.clone()
    }

    fn check_all(&mut self) -> bool {
        self.check_all
    }
}

/// Reads a file. A pipe would be waited for, a device might never end.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
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
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("relevo-{name}-{}", std::process::id()));
        _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory of our own");
        path
    }

    #[test]
    fn only_regular_files_are_read() {
        let place = directory("read");
        let pipe = place.join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.is_ok_and(|status| status.success()));
        for path in [pipe.as_path(), Path::new("/dev/zero")] {
            let error = read(path).expect_err("no file");
            assert_eq!(error.to_string(), "it is no regular file");
        }
        let file = place.join("file");
        fs::write(&file, "x").expect("a file of our own");
        assert_eq!(read(&file).ok().as_deref(), Some(&b"x"[..]));
        fs::remove_dir_all(&place).expect("ours");
    }

    #[test]
    fn directories_programs_and_pipes_are_not_included() {
        let place = directory("sources");
        let path = |name: &str| place.join(name).to_string_lossy().into_owned();
        let mut host = Host::new(&Options::default());
        fs::write(path("file"), b"a\xff").expect("a file");
        let file = host.read(&path("file")).expect("text");
        assert_eq!((&*file.text, file.replaced), ("a\u{fffd}", Some(1)));
        fs::set_permissions(
            path("file"),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .expect("a program");
        assert_eq!(host.read(&path("file")), Err(Unreadable::NotText));
        assert_eq!(host.read(&path("")), Err(Unreadable::Directory));
        assert!(matches!(
            host.read(&path("none")),
            Err(Unreadable::Error(_))
        ));
        assert_eq!(host.read("/dev/zero"), Err(Unreadable::NotText));
        assert_eq!(host.glob(&path("f*")), [path("file")]);
        fs::remove_dir_all(&place).expect("ours");
    }
}
