//! Addresses, routes and rules: what becomes of each line, beside what the original makes of it.
//!
//! `lines/readings.tsv` has the block (`a`ddress, `r`oute or r`u`le), the line, the exit code of
//! `keepalived -t` for it (2.2.7), what the dump shows (`-` if the line is dropped), and, where this
//! differs from the original, why.

use super::super::dump;
use super::*;

fn block(kind: &str) -> &'static str {
    match kind {
        "a" => "static_ipaddress",
        "r" => "static_routes",
        _ => "static_rules",
    }
}

/// The exit code of a check without what this version does not build, and the line of the dump.
fn reading(kind: &str, line: &str) -> (u8, String) {
    let text = format!("{} {{\n{line}\n}}\n", block(kind));
    let (config, mut found) = parse("f", &text);
    found.retain(|it| it.code != Code::NotBuilt);
    let shown = dump(&config, false);
    let shown = shown.lines().nth(1).map_or("-", str::trim);
    (check_exit_code(&found), shown.to_owned())
}

#[test]
fn each_line_is_read_as_the_original_reads_it() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in include_str!("lines/readings.tsv")
        .lines()
        .filter(|it| !it.starts_with('#'))
    {
        let columns: Vec<&str> = line.split('\t').collect();
        let &[kind, line, exit, shown, why] = columns.as_slice() else {
            panic!("{line:?}: {} columns, not 5", columns.len());
        };
        count += 1;
        let read = reading(kind, line);
        let exit: u8 = exit.parse().expect("an exit code");
        let same = read.0 == exit;
        if read.1 != shown || (!same && why.is_empty()) {
            wrong.push(format!(
                "{kind}\t{line}\t{}\t{}\t(not {exit} {shown})",
                read.0, read.1
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(count > 300, "{count}");
}
