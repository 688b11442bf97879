//! `relevo check` and `relevo explain`: what is wrong with configurations, on any machine and without
//! privileges.

mod json;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use relevo_core::config::cluster::{self, Node};
use relevo_core::config::{self, Checked, Code, Diagnostic, HostFacts, Severity};

use crate::cli::Options;
use crate::diagnose::{self, Style};
use crate::{configuration, exit, host_facts};

pub(crate) const USAGE: &str = "\
Usage: relevo check [OPTION...] FILE...
       relevo check [OPTION...] NAME=FILE NAME=FILE...
       relevo explain [CODE...]

Checks configurations without running anything, on any machine and as any user. FILEs are checked each
for itself. NAME=FILE is the configuration of the node NAME of a cluster: all of them are checked, and
then compared. Interfaces that this machine does not have are taken for granted, and named.

  --format text    the place in the file, what was expected and a correction (the usual way)
  --format line    one line for each finding
  --format json    one JSON object for each finding, on a line of its own
  --here           this is the host that the file is for: an interface that is missing is missing
  --strict         warnings count as errors
  --dump           also print the effective configuration
  --defaults       with --dump: and the defaults as comments

Exit status: 0 nothing worse than warnings; 1 a wrong command line, or a file that cannot be read;
2 the daemon would not start; 3 mistakes with which it would run; 4 warnings, with --strict.

explain prints what a code means and how to mend it; without CODE it lists all of them.
";

/// The daemon would not start.
const REFUSED: u8 = 2;
/// Mistakes with which it would run.
const MISTAKES: u8 = 3;
/// Warnings, where they count.
const WARNINGS: u8 = 4;

/// How findings are printed.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
enum Format {
    #[default]
    Text,
    Line,
    Json,
}

/// What the command line asks for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Wish {
    format: Format,
    here: bool,
    strict: bool,
    dump: bool,
    defaults: bool,
    help: bool,
    /// Files, and the names of their nodes.
    files: Vec<(Option<String>, PathBuf)>,
}

/// Reads the words behind `check`; an error is what to complain about.
pub(crate) fn read(words: &[OsString]) -> Result<Wish, String> {
    let mut wish = Wish::default();
    let mut parser = lexopt::Parser::from_args(words);
    while let Some(word) = parser.next().map_err(|error| error.to_string())? {
        match word {
            lexopt::Arg::Long("format") => {
                let value = parser.value().map_err(|error| error.to_string())?;
                wish.format = match value.to_string_lossy().as_ref() {
                    "text" => Format::Text,
                    "line" => Format::Line,
                    "json" => Format::Json,
                    other => return Err(format!("check knows no format {other}")),
                };
            }
            lexopt::Arg::Long("here") => wish.here = true,
            lexopt::Arg::Long("strict") => wish.strict = true,
            lexopt::Arg::Long("dump") => wish.dump = true,
            lexopt::Arg::Long("defaults") => wish.defaults = true,
            lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => wish.help = true,
            lexopt::Arg::Value(file) => wish.files.push(file_of(file)),
            other => return Err(format!("check: {}", other.unexpected())),
        }
    }
    if wish.help {
        return Ok(wish);
    }
    let named = wish.files.iter().filter(|(name, _)| name.is_some()).count();
    match (wish.files.len(), named) {
        (0, _) => Err("check wants a file".to_owned()),
        (_, 1) => Err("check wants several NAME=FILE: nodes are compared".to_owned()),
        (all, named) if named > 0 && named < all => {
            Err("check wants a NAME= for each FILE, or for none".to_owned())
        }
        _ if wish.defaults && !wish.dump => Err("check: --defaults goes with --dump".to_owned()),
        _ => Ok(wish),
    }
}

/// A file, and its node if a name stands before it. A name holds no slash, a path may hold anything.
fn file_of(word: OsString) -> (Option<String>, PathBuf) {
    let text = word.to_string_lossy();
    if let Some((name, path)) = text.split_once('=')
        && !name.is_empty()
        && !name.contains('/')
        && !path.is_empty()
        && !Path::new(&word).exists()
    {
        return (Some(name.to_owned()), path.into());
    }
    (None, word.into())
}

/// Texts by the names of their files.
type Texts = BTreeMap<String, Arc<str>>;

/// Everything that is to be printed.
#[derive(Debug, Default)]
struct Report {
    texts: Texts,
    found: Vec<Diagnostic>,
    dumps: String,
}

/// Checks; returns the exit code.
pub(crate) fn run(wish: &Wish) -> u8 {
    if wish.help {
        _ = io::stdout().write_all(USAGE.as_bytes());
        return exit::NORMAL;
    }
    match look(wish) {
        Ok(report) => tell(wish, &report),
        Err(text) => {
            _ = io::stderr().write_all(format!("relevo: {text}\n").as_bytes());
            exit::FATAL
        }
    }
}

fn look(wish: &Wish) -> Result<Report, String> {
    let is_cluster = wish.files.iter().any(|(name, _)| name.is_some());
    let facts = facts(wish, is_cluster)?;
    let mut report = Report::default();
    let mut nodes = Vec::new();
    for (name, path) in &wish.files {
        let shown = path.display().to_string();
        let read = configuration::read_at(&Options::default(), path);
        let read = read.map_err(|error| format!("{shown}: {error}"))?;
        let checked = if wish.here {
            let config = read.config.clone();
            let (bound, found) = config::bind_parsed((read.config, read.found), &facts, false);
            Checked {
                config,
                bound,
                found,
            }
        } else {
            config::check_parsed((read.config, read.found), &facts)
        };
        report.found.extend(checked.found.iter().cloned());
        if wish.dump {
            if wish.files.len() > 1 {
                _ = writeln!(report.dumps, "# {shown}");
            }
            report.dumps += &config::dump(&checked.config, wish.defaults);
        }
        let texts = read.bundle.files.into_iter();
        let texts = texts.filter_map(|(name, file)| Some((name, file.ok()?.text)));
        report.texts.extend(texts);
        if let Some(name) = name {
            nodes.push((name, checked));
        }
    }
    let nodes: Vec<Node<'_>> = nodes
        .iter()
        .map(|(name, checked)| Node {
            name: name.as_str(),
            config: &checked.config,
            bound: &checked.bound,
        })
        .collect();
    report.found.extend(cluster::compare(&nodes));
    Ok(report)
}

/// What is known of the host; of the hosts of a cluster nothing is.
fn facts(wish: &Wish, is_cluster: bool) -> Result<HostFacts, String> {
    if is_cluster && !wish.here {
        return Ok(HostFacts::default());
    }
    match host_facts::gather() {
        Ok(facts) => Ok(facts),
        Err(error) if wish.here => Err(format!("this host does not tell its interfaces: {error}")),
        Err(_) => Ok(HostFacts::default()),
    }
}

fn tell(wish: &Wish, report: &Report) -> u8 {
    let code = exit_code(&report.found, wish.strict);
    let text = match wish.format {
        Format::Json => report.found.iter().map(json::object).collect(),
        Format::Line => lines(&report.found),
        Format::Text => people(wish, report, code),
    };
    // With a dump the findings must not get into it.
    if wish.dump {
        _ = io::stderr().write_all(text.as_bytes());
        _ = io::stdout().write_all(report.dumps.as_bytes());
    } else {
        _ = io::stdout().write_all(text.as_bytes());
    }
    code
}

fn lines(found: &[Diagnostic]) -> String {
    let mut text = String::new();
    for finding in found {
        _ = writeln!(text, "{finding} [{}]", finding.code);
    }
    text
}

fn people(wish: &Wish, report: &Report, code: u8) -> String {
    let style = if wish.dump {
        Style::of(&io::stderr())
    } else {
        Style::of(&io::stdout())
    };
    let text_of = |name: &str| report.texts.get(name).map(|text| &**text);
    let mut text = diagnose::render_all(&text_of, &report.found, style);
    let names: Vec<&str> = report.texts.keys().map(String::as_str).collect();
    if report.found.is_empty() {
        _ = writeln!(text, "{}: good", names.join(", "));
        return text;
    }
    let count = |least: Severity, most: Severity| {
        let range = least..=most;
        report
            .found
            .iter()
            .filter(|it| range.contains(&it.severity))
            .count()
    };
    let (fatal, errors, warnings) = (
        count(Severity::Refused, Severity::Fatal),
        count(Severity::Error, Severity::Error),
        count(Severity::Deprecated, Severity::Warning),
    );
    let verdict = match code {
        REFUSED => "the daemon would not start",
        MISTAKES => "the daemon would run with the rest",
        _ => "the daemon would run",
    };
    _ = writeln!(
        text,
        "{}: {fatal} fatal, {errors} errors, {warnings} warnings; {verdict}",
        names.join(", ")
    );
    _ = writeln!(
        text,
        "`relevo explain CODE` tells more about the code in brackets"
    );
    text
}

/// The worst finding decides.
fn exit_code(found: &[Diagnostic], strict: bool) -> u8 {
    match found.iter().map(|finding| finding.severity).max() {
        Some(Severity::Refused | Severity::Fatal) => REFUSED,
        Some(Severity::Error) => MISTAKES,
        Some(Severity::Deprecated | Severity::Warning) if strict => WARNINGS,
        Some(Severity::Deprecated | Severity::Warning) | None => exit::NORMAL,
    }
}

/// What the codes mean; all of them, in short, if none is named. Returns the exit code.
pub(crate) fn explain(names: &[OsString]) -> u8 {
    let (text, code) = explanation(names);
    let written = if code == exit::NORMAL {
        io::stdout().write_all(text.as_bytes())
    } else {
        io::stderr().write_all(text.as_bytes())
    };
    written.map_or(exit::FATAL, |()| code)
}

fn explanation(names: &[OsString]) -> (String, u8) {
    let mut text = String::new();
    if names.is_empty() {
        for code in Code::ALL {
            _ = writeln!(text, "{:<26} {}", code.name(), code.title());
        }
    }
    for (place, name) in names.iter().enumerate() {
        let name = name.to_string_lossy();
        if name == "--help" || name == "-h" {
            return (USAGE.to_owned(), exit::NORMAL);
        }
        let Some(code) = Code::named(&name) else {
            let near = Code::nearest(&name)
                .map_or_else(String::new, |near| format!("; did you mean {near}?"));
            return (
                format!("relevo: no finding has the code {name}{near}\n"),
                exit::FATAL,
            );
        };
        if place > 0 {
            text.push('\n');
        }
        _ = writeln!(text, "{code}: {}\n\n{}", code.title(), code.paragraph());
    }
    (text, exit::NORMAL)
}
