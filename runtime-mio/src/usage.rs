//! The help text, made from the table of options.

use std::fmt::Write;

use crate::cli::CONFIG_FILE;
use crate::options::{TABLE, Takes};

/// Column in which the descriptions begin.
const COLUMN: usize = 34;

/// What `-h` prints.
pub(crate) fn help() -> String {
    let mut text = String::from("Usage: relevo [OPTION...]\n");
    for row in TABLE.iter().filter(|row| !row.help.is_empty()) {
        let mut left = match row.short {
            Some(letter) => format!("  -{letter}, --{}", row.long),
            None => format!("      --{}", row.long),
        };
        match row.takes {
            Takes::Nothing => {}
            Takes::Required(what) => _ = write!(left, "={what}"),
            Takes::Optional(what) => _ = write!(left, "[={what}]"),
        }
        let mark = if row.is_built() { "" } else { " *" };
        _ = writeln!(
            text,
            "{left:<width$} {}{mark}",
            row.help,
            width = COLUMN - 1
        );
    }
    _ = writeln!(text, "\nWithout -f the configuration is {CONFIG_FILE}.");
    _ = writeln!(
        text,
        "* not built yet: told in the log and ignored; -T is refused"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_that_people_use_is_listed_once() {
        let text = help();
        for row in TABLE.iter().filter(|row| !row.help.is_empty()) {
            let name = format!("--{}", row.long);
            let listed = text
                .lines()
                .filter(|line| {
                    line.split_whitespace()
                        .any(|word| word.split(['=', '[']).next() == Some(&name))
                })
                .count();
            assert_eq!(listed, 1, "{name}");
        }
        assert!(text.lines().all(|line| line.len() <= 110), "{text}");
    }

    #[test]
    fn every_option_stands_in_the_manual() {
        let page = include_str!("../man/relevo.8").replace("\\-", "-");
        let options = page.split_once(".SH OPTIONS").expect("options").1;
        let options = options.split_once(".SH ").expect("an end").0;
        let listed: Vec<&str> = options
            .split([' ', '"', '\n', '=', '[', '\\'])
            .filter(|word| word.starts_with("--"))
            .collect();
        let rows = TABLE.iter().filter(|row| !row.help.is_empty());
        let known: Vec<String> = rows.map(|row| format!("--{}", row.long)).collect();
        assert_eq!(listed, known);
    }
}
