//! Memory that several processes share through a file.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use super::syscall;

/// The beginning of a file as words of memory. What is stored is in the file at once, and stays
/// there however the process ends.
#[derive(Debug)]
pub(crate) struct SharedWords {
    start: NonNull<AtomicU64>,
    words: usize,
}

impl SharedWords {
    /// Maps the first `words` words of `file`, which is made longer if it is shorter.
    pub(crate) fn map(file: &File, words: usize) -> io::Result<Self> {
        let octets = words.checked_mul(8).filter(|octets| *octets > 0);
        let octets = octets.ok_or(io::ErrorKind::InvalidInput)?;
        if file.metadata()?.len() < octets as u64 {
            file.set_len(octets as u64)?;
        }
        let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: a new mapping at a place of the kernel's choice touches nothing of ours.
        let start = unsafe {
            let none = std::ptr::null_mut();
            libc::mmap(none, octets, access, flags, file.as_raw_fd(), 0)
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, words })
    }

    /// The words. Other processes may change them at any time.
    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping begins at a page, has so many words, and lasts as long as `self`;
        // all bits make valid words, and whoever shares them stores whole words.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours alone, and nothing borrows from it any more.
        let unmapped = unsafe { libc::munmap(self.start.as_ptr().cast(), self.words * 8) };
        debug_assert_eq!(unmapped, 0);
    }
}

/// A file in memory without a name.
pub(crate) fn anonymous_file() -> io::Result<File> {
    let fd = syscall!(memfd_create(c"relevo-memory".as_ptr(), libc::MFD_CLOEXEC))?;
    // SAFETY: the kernel has just given us this descriptor and nobody else owns it.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(fd) }))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    #[test]
    fn what_is_stored_is_in_the_file() {
        let file = anonymous_file().expect("a file in memory");
        let shared = SharedWords::map(&file, 1_000).expect("mapped");
        assert_eq!(shared.words().len(), 1_000);
        shared.words()[999].store(0x0102_0304, Relaxed);
        let mut octets = [0; 8];
        file.read_exact_at(&mut octets, 999 * 8)
            .expect("long enough");
        assert_eq!(u64::from_ne_bytes(octets), 0x0102_0304);
        drop(shared);
        let again = SharedWords::map(&file, 1_000).expect("mapped");
        assert_eq!(again.words()[999].load(Relaxed), 0x0102_0304);
        assert!(SharedWords::map(&file, 0).is_err());
    }
}
