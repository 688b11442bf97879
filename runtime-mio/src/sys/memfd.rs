//! Files in memory, for handing text to a child.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::syscall;

/// A file in memory that holds `content`, can be read from its beginning, and can never change.
pub(crate) fn sealed(content: &[u8]) -> io::Result<File> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    let fd = syscall!(memfd_create(c"relevo-config".as_ptr(), flags))?;
    // SAFETY: the kernel has just given us this descriptor and nobody else owns it.
    let mut file = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    file.write_all(content)?;
    let seals = libc::F_SEAL_WRITE | libc::F_SEAL_GROW | libc::F_SEAL_SHRINK | libc::F_SEAL_SEAL;
    syscall!(fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals))?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// A file without a name in `directory` that holds `content` and can be read from its beginning.
pub(crate) fn unnamed(directory: &Path, content: &[u8]) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(libc::O_TMPFILE)
        .open(directory)?;
    file.write_all(content)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_content_is_there_and_stays() {
        let mut file = sealed(b"vrrp_instance").expect("a file in memory");
        let mut text = String::new();
        file.read_to_string(&mut text).expect("readable");
        assert_eq!(text, "vrrp_instance");
        assert!(file.write(b"x").is_err());
        assert!(file.set_len(0).is_err());
    }
}
