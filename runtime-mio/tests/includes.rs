//! A configuration of several files, as the built binary reads it from a real file system.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

/// A directory of this test's own, removed at its end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("relevo-includes-{name}-{}", std::process::id()));
        _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("conf.d")).expect("a directory of our own");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file of our own");
        path.to_string_lossy().into_owned()
    }

    /// `-t` for a text that stands in `main` of this directory, from the directory itself.
    fn test(&self, text: &str, more: &[&str]) -> (Option<i32>, String) {
        self.write("main", text);
        let Output { status, stderr, .. } = Command::new(env!("CARGO_BIN_EXE_relevo"))
            .args(["-t", "-f", "main"])
            .args(more)
            .env("WORD", "use_pid_dir")
            .current_dir(&self.0)
            .output()
            .expect("the binary runs");
        (status.code(), String::from_utf8_lossy(&stderr).into_owned())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn findings_in_included_files_have_their_names_and_lines() {
    let place = Place::new("names");
    place.write("conf.d/a.conf", "use_pid_dir\ninclude ../other\n");
    place.write("conf.d/b.conf", "\nuse_pid_dri\n");
    place.write("other", "frobnicate\n");
    let (code, text) = place.test("include conf.d/*.conf\n", &[]);
    assert_eq!(code, Some(5), "{text}");
    for part in [
        "conf.d/b.conf:2:1: error",
        "other:1:1: error",
        "use_pid_dri",
    ] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    let (code, text) = place.test("${_ENV WORD}\n$D=conf.d\ninclude $D/c{1,2}.conf\n", &[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("main:3:9: warning"), "{text}");
}

#[test]
fn checks_of_includes_and_options_decide_the_exit_code() {
    let place = Place::new("codes");
    place.write("good", "use_pid_dir\n");
    let table: [(&str, &[&str], i32); 8] = [
        ("include none", &[], 0),
        ("includem none", &[], 6),
        ("include none*", &[], 0),
        ("include none*", &["-e"], 6),
        ("includer conf.d", &[], 6),
        ("include good", &["-e"], 0),
        ("@me nonsense", &[], 0),
        ("@me nonsense", &["-i", "me"], 5),
    ];
    for (text, more, expected) in table {
        let (code, report) = place.test(text, more);
        assert_eq!(code, Some(expected), "{text} {more:?}\n{report}");
    }
}

#[test]
fn a_file_that_includes_itself_is_told_once() {
    let place = Place::new("itself");
    let (code, text) = place.test("use_pid_dir\ninclude ./main\ninclude main\n", &[]);
    assert_eq!(code, Some(5), "{text}");
    assert!(text.matches("includes itself").count() >= 1, "{text}");
}
