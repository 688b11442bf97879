//! The manual and the README list exactly the words that are read. `RELEVO_ACCEPT=1` writes them anew.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use relevo_tests::manual;

fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("a parent").to_owned()
}

fn read(path: &PathBuf) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The file holds `wanted`, or is made to.
fn holds(path: PathBuf, wanted: &str) {
    if std::env::var_os("RELEVO_ACCEPT").is_some() {
        fs::write(&path, wanted).expect("written");
    }
    let differs = read(&path) != wanted;
    let name = path.display();
    assert!(
        !differs,
        "{name} is out of date: RELEVO_ACCEPT=1 writes it anew"
    );
}

#[test]
fn the_manual_lists_the_words_that_are_read() {
    let pages = root().join("runtime-mio/man");
    let template = read(&pages.join("relevo.conf.5.in"));
    let page = manual::conf_page(&template);
    assert!(page.contains("\\fBvrrp_garp_interval\\fR SECONDS"));
    holds(pages.join("relevo.conf.5"), &page);
}

#[test]
fn the_readme_lists_the_words_that_are_not_carried_out() {
    let path = root().join("README.md");
    let text = read(&path);
    let (begin, end) = ("<!-- words -->", "<!-- end of words -->");
    let wanted = manual::put_between(&text, begin, end, &manual::readme_table());
    holds(path, &wanted.expect("the README has the two marks"));
}

#[test]
fn the_pages_are_without_fault() {
    for page in ["relevo.8", "relevo.conf.5"] {
        let path = root().join("runtime-mio/man").join(page);
        let run = Command::new("groff")
            .args(["-man", "-ww", "-z", "-Tutf8", "-K", "utf8"])
            .arg(&path)
            .stdin(Stdio::null())
            .output();
        let Ok(output) = run else {
            relevo_tests::skip!("groff is not installed");
        };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.is_empty() && output.status.success(), "{page}: {said}");
    }
}
