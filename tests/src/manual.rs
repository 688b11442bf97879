//! The parts of the manual and of the README that list words, written from the rows that read them.

use std::collections::BTreeSet;
use std::fmt::Write;

use relevo_core::config::catalogue::{self, BlockEntry};
use relevo_core::config::{Head, Standing};

/// relevo.conf(5): `template` with the words of every block in place of `@WORDS@`.
pub fn conf_page(template: &str) -> String {
    let mut words = String::new();
    for entry in entries() {
        write_block(entry, &mut words);
    }
    template.replace("@WORDS@\n", &words)
}

fn entries() -> impl Iterator<Item = &'static BlockEntry> {
    catalogue::blocks().iter().chain(catalogue::line_words())
}

fn write_block(entry: &BlockEntry, out: &mut String) {
    let title = match entry.path {
        "" if (entry.heads)().iter().any(|head| head.word == "include") => "Anywhere".to_owned(),
        "" => "Outside all blocks".to_owned(),
        path => path.replace('/', " / "),
    };
    _ = writeln!(out, ".SS {}", roff(&title));
    for head in (entry.heads)() {
        _ = writeln!(out, ".TP");
        let synopsis = head.kind.synopsis();
        _ = match synopsis.as_str() {
            "" => writeln!(out, ".B {}", roff(head.word)),
            _ => writeln!(out, "\\fB{}\\fR {}", roff(head.word), roff(&synopsis)),
        };
        _ = writeln!(out, "{}", roff(head.text));
        if !head.default.is_empty() {
            _ = writeln!(out, "Default: {}.", roff(head.default));
        }
        match head.standing {
            Standing::Built => {}
            Standing::Harmless => _ = writeln!(out, ".I Not carried out yet."),
            Standing::Refused => _ = writeln!(out, ".I Not built yet."),
        }
    }
}

/// Text that roff shows as it is.
fn roff(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    let escaped = escaped.replace('~', "\\(ti").replace('^', "\\(ha");
    match escaped.starts_with(['.', '\'']) {
        true => format!("\\&{escaped}"),
        false => escaped,
    }
}

/// The README's table of the words that are not carried out: a row for each block that has some.
pub fn readme_table() -> String {
    let mut table = String::from(
        "| block | warned about, the daemon runs without it | refused, the daemon does not start |\n\
         |---|---|---|\n",
    );
    for entry in entries() {
        let harmless = words(entry, Standing::Harmless);
        let refused = words(entry, Standing::Refused);
        if harmless.is_empty() && refused.is_empty() {
            continue;
        }
        let block = match entry.path {
            "" => "outside all blocks".to_owned(),
            path => format!("`{path}`"),
        };
        _ = writeln!(table, "| {block} | {harmless} | {refused} |");
    }
    table
}

fn words(entry: &BlockEntry, standing: Standing) -> String {
    let heads = (entry.heads)().into_iter();
    let of = |head: &Head| head.standing == standing;
    let words: BTreeSet<String> = heads
        .filter(of)
        .map(|head| format!("`{}`", head.word))
        .collect();
    Vec::from_iter(words).join(" ")
}

/// `text` with `new` between the lines `begin` and `end`; `None` if it lacks them.
pub fn put_between(text: &str, begin: &str, end: &str, new: &str) -> Option<String> {
    let (before, rest) = text.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n{new}{end}{after}"))
}
