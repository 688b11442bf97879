//! The command line of the built binary: texts, exit codes, and that nothing is touched when it
//! refuses to start. The exit codes are keepalived 2.2.7's for the same calls.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A directory of this test's own, removed at its end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("relevo-cli-{name}-{}", std::process::id()));
        _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a directory of our own");
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file of our own");
        path
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("readable");
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

fn relevo(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_relevo"))
        .args(words)
        .output()
        .expect("the binary runs")
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const GOOD: &str = "global_defs {\n    router_id somewhere\n}\n";
const UNKNOWN_WORD: &str = "global_defs {\n    router_idee somewhere\n}\n";
const NO_PARAMETER: &str = "vrrp_instance VI_1 {\n    interface\n}\n";
const NO_INTERFACE: &str = "vrrp_instance VI_1 {\n    interface nowhere0\n    \
    virtual_router_id 51\n    virtual_ipaddress {\n        192.0.2.1/32\n    }\n}\n";

#[test]
fn version_and_help_go_to_stderr() {
    for option in ["-v", "--version"] {
        let output = relevo(&[option]);
        assert_eq!((code(&output), stdout(&output).as_str()), (Some(0), ""));
        assert!(
            stderr(&output).starts_with("Keepalived v"),
            "{}",
            stderr(&output)
        );
    }
    let output = relevo(&["-h"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (Some(0), ""));
    assert!(stderr(&output).contains("--use-file=FILE"));
}

#[test]
fn numbers_of_signals_go_to_stdout() {
    let output = relevo(&["--signum=RELOAD"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (Some(0), "1\n"));
    let output = relevo(&["--signum", "STATS_CLEAR"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (Some(0), "63\n"));
    let output = relevo(&["--signum=reload"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (Some(1), ""));
    assert!(stderr(&output).contains("reload"));
}

#[test]
fn what_is_not_understood_ends_with_1() {
    for words in [
        &["--bogus"][..],
        &["-Z"],
        &["-n", "-f"],
        &["--vr"],
        &["--log-console=3"],
    ] {
        let output = relevo(words);
        assert_eq!(code(&output), Some(1), "{words:?}");
        assert_eq!(
            stderr(&output).lines().count(),
            1,
            "{words:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn a_good_configuration_passes_without_a_word() {
    let place = Place::new("good");
    let file = place.write("good.conf", GOOD);
    for words in [
        &["-t", "-f", &file][..],
        &["-tlog", "-f", &file],
        &["--config-test", "-nlf", &file],
    ] {
        let output = relevo(words);
        assert_eq!(code(&output), Some(0), "{words:?}: {}", stderr(&output));
        assert_eq!(stdout(&output) + &stderr(&output), "", "{words:?}");
    }
    let output = relevo(&["left", "-t", "-f", &file, "--", "over"]);
    assert_eq!(code(&output), Some(0));
    assert_eq!(stderr(&output), "Unexpected argument(s): left over\n");
}

#[test]
fn findings_have_the_place_in_their_first_line_and_the_originals_code() {
    let place = Place::new("bad");
    let cases = [
        ("unknown.conf", UNKNOWN_WORD, 5, ":2:5: "),
        ("parameter.conf", NO_PARAMETER, 2, ":2:5: "),
        ("interface.conf", NO_INTERFACE, 5, ":2:15: "),
    ];
    for (name, text, expected, at) in cases {
        let file = place.write(name, text);
        let output = relevo(&["-t", "-f", &file]);
        assert_eq!(code(&output), Some(expected), "{name}: {}", stderr(&output));
        let told = stderr(&output);
        let first = told.lines().next().unwrap_or_default();
        assert!(first.starts_with(&(file + at)), "{name}: {told}");
    }
}

#[test]
fn findings_are_appended_to_the_file_that_was_named() {
    let place = Place::new("append");
    let file = place.write("bad.conf", UNKNOWN_WORD);
    let log = place.write("log", "before\n");
    let output = relevo(&[&format!("-t{log}"), "-f", &file]);
    assert_eq!((code(&output), stderr(&output).as_str()), (Some(5), ""));
    let told = std::fs::read_to_string(&log).expect("readable");
    assert!(told.starts_with(&format!("before\n{file}:2:5: ")), "{told}");
    // If the file cannot be written the findings are not lost.
    let output = relevo(&["-t/nonexistent/log", "-f", &file]);
    assert_eq!(code(&output), Some(5));
    assert!(stderr(&output).starts_with(&format!("{file}:2:5: ")));
}

#[test]
fn a_test_of_a_missing_file_fails_and_says_that_it_is_none() {
    let place = Place::new("missing");
    for path in [place.path("missing.conf"), place.path("")] {
        let output = relevo(&["-t", "-f", &path]);
        assert_eq!(code(&output), Some(6));
        let told = stderr(&output);
        assert!(
            told.starts_with(&path) && told.contains("NOTHING WAS CHECKED"),
            "{told}"
        );
    }
}

/// Starts for real, in the foreground, with files of the test's own.
fn start(place: &Place, wrapper: &[&str], file: &str) -> Output {
    let (pid, vrrp_pid) = (place.path("parent.pid"), place.path("vrrp.pid"));
    let binary = env!("CARGO_BIN_EXE_relevo");
    let words = ["-n", "-G", "--all", "-f", file, "-p", &pid, "-r", &vrrp_pid];
    // A daemon that starts although it should not must not stay.
    Command::new("timeout")
        .args(["--kill-after=1", "10"])
        .args(wrapper)
        .arg(binary)
        .args(words)
        .output()
        .expect("the binary runs")
}

#[test]
fn a_start_without_a_configuration_ends_with_6_and_touches_nothing() {
    let place = Place::new("no-config");
    let output = start(&place, &[], &place.path("missing.conf"));
    assert_eq!(code(&output), Some(6));
    let told = stderr(&output);
    assert!(
        told.contains("missing.conf") && told.lines().count() == 1,
        "{told}"
    );
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn a_start_with_an_unusable_configuration_ends_with_2_and_touches_nothing() {
    let place = Place::new("unusable");
    for (name, text, at) in [
        ("parameter.conf", NO_PARAMETER, ":2:5: fatal: "),
        ("interface.conf", NO_INTERFACE, ":2:15: fatal: "),
    ] {
        let file = place.write(name, text);
        let output = start(&place, &[], &file);
        assert_eq!(code(&output), Some(2), "{}", stderr(&output));
        let told = stderr(&output);
        assert!(told.starts_with(&(file + at)), "{told}");
        assert_eq!(place.names(), [name]);
        std::fs::remove_file(Path::new(&place.path(name))).expect("removable");
    }
}

#[test]
fn a_start_without_capabilities_ends_with_4_and_touches_nothing() {
    let place = Place::new("capabilities");
    let file = place.write("good.conf", GOOD);
    // For an ordinary user there is nothing to take away; it does no harm either.
    let without = ["setpriv", "--inh-caps=-net_raw", "--bounding-set=-net_raw"];
    let wrapper = if is_root() { &without[..] } else { &[] };
    let output = start(&place, wrapper, &file);
    assert_eq!(code(&output), Some(4), "{}", stderr(&output));
    let told = stderr(&output);
    assert!(
        told.contains("CAP_NET_RAW") && told.lines().count() == 1,
        "{told}"
    );
    assert_eq!(place.names(), ["good.conf"]);
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").expect("readable");
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    uid.and_then(|ids| ids.split_whitespace().nth(1)) == Some("0")
}

#[test]
fn a_network_namespace_is_refused_rather_than_ignored() {
    let place = Place::new("namespace");
    let file = place.write("good.conf", GOOD);
    let output = relevo(&[
        "-n",
        "-G",
        "-s",
        "blue",
        "-f",
        &file,
        "-p",
        &place.path("pid"),
    ]);
    assert_eq!(code(&output), Some(1));
    assert!(stderr(&output).contains("blue"));
    assert_eq!(place.names(), ["good.conf"]);
}

#[test]
fn the_hidden_word_is_harmless_for_people() {
    for words in [
        &["--relevo-child=vrrp,3,4"][..],
        &["--relevo-child=vrrp,0,1", "x", "-n", "-G"],
    ] {
        let output = relevo(words);
        assert_eq!(code(&output), Some(1), "{words:?}: {}", stderr(&output));
    }
}
