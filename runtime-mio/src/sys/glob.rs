//! The names that a pattern stands for.

use std::ffi::{CStr, CString, OsString};
use std::mem;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The paths that match a pattern of `*`, `?` and `[...]`, sorted; for one without these the path
/// itself if there is such a file. What cannot be looked at does not match.
pub(crate) fn glob(pattern: &Path) -> Vec<PathBuf> {
    let pattern = pattern.as_os_str().to_owned().into_vec();
    let Ok(pattern) = CString::new(pattern) else {
        return Vec::new();
    };
    // SAFETY: all zeros is a glob_t that holds nothing, which is what `glob` fills in.
    let mut found: libc::glob_t = unsafe { mem::zeroed() };
    // SAFETY: the pattern ends with a zero and outlives the call; `found` is ours alone, and is freed
    // below whatever the call returns.
    let code = unsafe { libc::glob(pattern.as_ptr(), 0, None, &raw mut found) };
    let mut paths = Vec::new();
    if code == 0 && !found.gl_pathv.is_null() {
        for place in 0..found.gl_pathc {
            // SAFETY: `glob` succeeded, so `gl_pathv` holds `gl_pathc` pointers.
            let name = unsafe { *found.gl_pathv.add(place) };
            // SAFETY: each of them is a text that ends with a zero and lives until `globfree`.
            let name = unsafe { CStr::from_ptr(name) };
            paths.push(PathBuf::from(OsString::from_vec(name.to_bytes().to_vec())));
        }
    }
    // SAFETY: filled by `glob` above, and not used any more.
    unsafe { libc::globfree(&raw mut found) };
    paths
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_are_found_and_sorted() {
        let directory = std::env::temp_dir().join(format!("relevo-glob-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        for name in ["b.conf", "a.conf", "c.txt"] {
            fs::write(directory.join(name), "").expect("a file");
        }
        let names = |pattern: &str| -> Vec<String> {
            let found = glob(&directory.join(pattern));
            let name =
                |path: &PathBuf| path.file_name().map(|it| it.to_string_lossy().into_owned());
            found.iter().filter_map(name).collect()
        };
        assert_eq!(names("*.conf"), ["a.conf", "b.conf"]);
        assert_eq!(names("c.txt"), ["c.txt"]);
        assert_eq!(names("[bc].*"), ["b.conf", "c.txt"]);
        assert!(names("none").is_empty() && names("none*").is_empty());
        assert!(glob(Path::new("a\0b")).is_empty());
        fs::remove_dir_all(&directory).expect("ours");
    }
}
