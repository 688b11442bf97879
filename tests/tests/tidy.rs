#![forbid(unsafe_code)]
//! The tree keeps its own rules: what the core may use, how long a function may be, where unsafe may
//! stand, which files lie at the top. Each checker is shown to be able to fail.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Longest function, counted from the line of `fn` to that of the closing brace.
const FUNCTION_LINES: usize = 70;
/// Longest file.
const FILE_LINES: usize = 1000;
/// What the core may depend on: pure packages only.
const CORE_PACKAGES: [&str; 4] = ["byteorder", "log", "relevo-core", "smallvec"];
/// The only place for unsafe code.
const UNSAFE_HOME: &str = "runtime-mio/src/sys";
/// What must always lie at the top of the repository.
const TOP: [&str; 16] = [
    ".ci",
    ".gitignore",
    "ARCHITECTURE.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "Makefile",
    "README.md",
    "conf-examples",
    "core",
    "fuzz",
    "runtime-mio",
    "runtime-sim",
    "rust-toolchain.toml",
    "tests",
];
/// What may lie there besides.
const TOP_OPTIONAL: [&str; 2] = ["clippy.toml", "rustfmt.toml"];
/// Words that give a part of the core away that reads a clock, a file, a socket or chance.
const IMPURE: [&str; 14] = [
    "std::net::Tcp",
    "std::net::Udp",
    "std::net::ToSocketAddrs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "SystemTime",
    "std::time::Instant",
    "HashMap",
    "HashSet",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn output(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .output();
    let done = done.unwrap_or_else(|error| panic!("{program}: {error}"));
    let complaint = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(
        done.status.success(),
        "{program} {arguments:?}: {complaint}"
    );
    String::from_utf8(done.stdout).unwrap()
}

/// Tracked files, and those that are about to be.
fn files() -> Vec<String> {
    let listed = output(
        "git",
        &["ls-files", "--cached", "--others", "--exclude-standard"],
    );
    let present = listed.lines().filter(|path| root().join(path).is_file());
    let unique: BTreeSet<String> = present.map(str::to_owned).collect();
    unique.into_iter().collect()
}

fn sources() -> Vec<(String, String)> {
    let read = |path: String| {
        let text = fs::read_to_string(root().join(&path)).unwrap();
        (path, text)
    };
    let found: Vec<_> = files()
        .into_iter()
        .filter(|path| path.ends_with(".rs"))
        .map(read)
        .collect();
    assert!(found.len() > 10, "only {} sources found", found.len());
    found
}

/// Replaces what is no code (comments, the inside of strings, characters) by blanks; lines stay.
fn code_only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match non_code(&chars, at) {
            Some(end) => end.min(chars.len()),
            None => {
                code.push(chars[at]);
                at += 1;
                continue;
            }
        };
        code.extend(
            chars[at..end]
                .iter()
                .map(|&c| if c == '\n' { c } else { ' ' }),
        );
        at = end;
    }
    code
}

/// The end of the comment, string or character that begins at `at`, if one does.
fn non_code(chars: &[char], at: usize) -> Option<usize> {
    let is = |offset: usize, c: char| chars.get(at + offset) == Some(&c);
    let in_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match chars[at] {
        '/' if is(1, '/') => Some(find(chars, at, |c| c == '\n')),
        '/' if is(1, '*') => Some(block_comment_end(chars, at)),
        '"' => Some(string_end(chars, at + 1)),
        'r' | 'b' | 'c' if !in_word => raw_string_end(chars, at),
        '\'' if is(1, '\\') => Some(find(chars, at + 3, |c| c == '\'') + 1),
        '\'' if is(2, '\'') => Some(at + 3),
        _ => None,
    }
}

fn find(chars: &[char], from: usize, wanted: impl Fn(char) -> bool) -> usize {
    (from..chars.len())
        .find(|&at| wanted(chars[at]))
        .unwrap_or(chars.len())
}

fn block_comment_end(chars: &[char], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

fn string_end(chars: &[char], start: usize) -> usize {
    let mut at = start;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

/// The end of `r".."`, `r#".."#`, `br".."` and the like, if that is what begins at `start`.
fn raw_string_end(chars: &[char], start: usize) -> Option<usize> {
    let mut at = start;
    if matches!(chars[at], 'b' | 'c') {
        at += 1;
    }
    if chars.get(at) != Some(&'r') {
        return None;
    }
    let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
    at += 1 + hashes;
    if chars.get(at) != Some(&'"') {
        return None;
    }
    let closes = |at: usize| {
        chars[at] == '"'
            && chars[at + 1..]
                .iter()
                .take(hashes)
                .filter(|&&c| c == '#')
                .count()
                == hashes
    };
    let end = (at + 1..chars.len()).find(|&at| closes(at))?;
    Some(end + 1 + hashes)
}

/// Every function that is longer than allowed, as `file:line: name has n lines`.
fn long_functions(path: &str, text: &str) -> Vec<String> {
    let code = code_only(text);
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else {
            continue;
        };
        let length = body_end(&lines[start..]).map_or(0, |end| end + 1);
        if length > FUNCTION_LINES {
            found.push(format!("{path}:{}: {name} has {length} lines", start + 1));
        }
    }
    found
}

/// The name of the function that a line of code begins, if it does.
fn function_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let mut before = "";
    loop {
        let word = words.next()?;
        if word == "fn" {
            let name = words.next()?;
            let end = name.find(['(', '<']).unwrap_or(name.len());
            return Some(&name[..end]);
        }
        let modifier = matches!(word, "pub" | "const" | "async" | "unsafe" | "extern")
            || word.starts_with("pub(")
            || before.starts_with("pub(")
            || before == "extern";
        if !modifier {
            return None;
        }
        before = word;
    }
}

/// Index of the line where the function that begins at the first line ends; `None` without a body.
fn body_end(lines: &[&str]) -> Option<usize> {
    let (mut depth, mut inside) = (0_usize, 0_usize);
    for (number, line) in lines.iter().enumerate() {
        for c in line.chars() {
            match c {
                '(' | '[' => inside += 1,
                ')' | ']' => inside = inside.saturating_sub(1),
                ';' if depth == 0 && inside == 0 => return None,
                '{' => depth += 1,
                '}' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return Some(number);
                    }
                }
                _ => {}
            }
        }
    }
    None
}

fn long_file(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > FILE_LINES).then(|| format!("{path} has {lines} lines"))
}

fn not_ascii(path: &str, text: &str) -> Option<String> {
    let number = text.lines().position(|line| !line.is_ascii())?;
    Some(format!("{path}:{}: a character outside ASCII", number + 1))
}

/// Whether a word stands in code as a word of its own.
fn has_word(code: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back().is_none_or(|c| !part(c));
        before
            && code[at + word.len()..]
                .chars()
                .next()
                .is_none_or(|c| !part(c))
    })
}

fn stray_unsafe(path: &str, text: &str) -> Option<String> {
    let code = code_only(text);
    let at_home = path.starts_with(UNSAFE_HOME);
    (!at_home && has_word(&code, "unsafe")).then(|| format!("{path}: unsafe outside {UNSAFE_HOME}"))
}

fn impurities(path: &str, text: &str) -> Vec<String> {
    let code = code_only(text);
    let mut found: Vec<String> = Vec::new();
    for word in IMPURE.iter().filter(|word| code.contains(**word)) {
        found.push(format!("{path}: {word}"));
    }
    // Grouped imports: `use std::{fs, net::UdpSocket}`.
    for import in code.split(';').filter(|part| part.contains("use std::{")) {
        for word in ["fs", "thread", "process", "env"] {
            if has_word(import, word) {
                found.push(format!("{path}: std::{{{word}}}"));
            }
        }
    }
    found
}

/// Files that lack `#![forbid(unsafe_code)]` although they are the root of a crate outside the daemon.
fn not_forbidding(path: &str, text: &str) -> Option<String> {
    let is_root = path.ends_with("src/lib.rs") || path.ends_with("src/main.rs");
    let bound = is_root && !path.starts_with("runtime-mio/") && !path.contains("cargo-fuzz");
    (bound && !text.contains("#![forbid(unsafe_code)]"))
        .then(|| format!("{path}: does not forbid unsafe code"))
}

/// Packages of a `cargo tree --prefix none` listing that are not on the allow list.
fn foreign_packages(tree: &str) -> Vec<String> {
    let names = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| !CORE_PACKAGES.contains(name))
        .map(str::to_owned)
        .collect()
}

/// What is missing at the top of the repository, and what does not belong there.
fn top_level<'a>(files: impl Iterator<Item = &'a str>) -> Vec<String> {
    let present: BTreeSet<&str> = files.filter_map(|path| path.split('/').next()).collect();
    let missing = TOP.iter().filter(|name| !present.contains(**name));
    let strange = present
        .iter()
        .filter(|name| !TOP.contains(name) && !TOP_OPTIONAL.contains(name));
    let missing = missing.map(|name| format!("{name} is missing"));
    missing
        .chain(strange.map(|name| format!("{name} does not belong at the top")))
        .collect()
}

fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn the_core_depends_on_pure_packages_only() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let words = [
        "tree",
        "-p",
        "relevo-core",
        "-e",
        "normal",
        "--prefix",
        "none",
        "--offline",
    ];
    let tree = output(&cargo, &words);
    assert!(tree.contains("relevo-core"), "{tree}");
    assert_none(&foreign_packages(&tree));
}

#[test]
fn functions_and_files_are_short() {
    let mut complaints = Vec::new();
    for (path, text) in sources() {
        complaints.extend(long_functions(&path, &text));
        complaints.extend(long_file(&path, &text));
    }
    assert_none(&complaints);
}

#[test]
fn sources_are_ascii() {
    let complaints: Vec<_> = sources()
        .iter()
        .filter_map(|(path, text)| not_ascii(path, text))
        .collect();
    assert_none(&complaints);
}

#[test]
fn unsafe_stays_at_home() {
    let mut complaints = Vec::new();
    for (path, text) in sources() {
        complaints.extend(stray_unsafe(&path, &text));
        complaints.extend(not_forbidding(&path, &text));
    }
    assert_none(&complaints);
}

#[test]
fn the_core_is_pure() {
    let mut complaints = Vec::new();
    for (path, text) in sources()
        .iter()
        .filter(|(path, _)| path.starts_with("core/src/"))
    {
        complaints.extend(impurities(path, text));
    }
    assert_none(&complaints);
}

/// Who tells people the time of day: the log, the dumps, the answers to `relevo status`, `reload_time_file`.
const STAMPS: [&str; 5] = [
    "runtime-mio/src/logger.rs",
    "runtime-mio/src/dump/mod.rs",
    "runtime-mio/src/exec/desk.rs",
    "runtime-mio/src/exec/report.rs",
    "runtime-mio/src/reload_time.rs",
];

/// Code of the daemon that reads the wall clock.
fn wall_clocks(path: &str, text: &str) -> Vec<String> {
    let reads = |line: &&str| {
        [
            "SystemTime",
            "CLOCK_REALTIME",
            "gettimeofday",
            "libc::time(",
        ]
        .iter()
        .any(|word| line.contains(word))
    };
    let code = code_only(text);
    let found = code.lines().filter(reads);
    found
        .map(|line| format!("{path}: {}", line.trim()))
        .collect()
}

#[test]
fn the_wall_clock_is_for_stamps_only() {
    let mut complaints = Vec::new();
    for (path, text) in sources() {
        let own = path.starts_with("runtime-mio/src/") || path.starts_with("core/src/");
        if own && !STAMPS.contains(&path.as_str()) {
            complaints.extend(wall_clocks(&path, &text));
        }
    }
    assert_none(&complaints);
}

#[test]
fn checker_wall_clock_can_fail() {
    let bad = "let now = SystemTime::now(); // CLOCK_REALTIME";
    assert_eq!(wall_clocks("x.rs", bad).len(), 1);
    assert_eq!(
        wall_clocks("x.rs", "fn f() {} // SystemTime"),
        Vec::<String>::new()
    );
}

#[test]
fn the_top_is_what_it_should_be() {
    let tracked = output("git", &["ls-files"]);
    assert_none(&top_level(tracked.lines()));
}

#[test]
fn checker_packages_can_fail() {
    let tree = "relevo-core v0.1.0 (/x)\nlog v0.4.1\nmio v1.0.0\n";
    assert_eq!(foreign_packages(tree), ["mio"]);
}

#[test]
fn checker_lengths_can_fail() {
    let body = "    let a = \"}\"; // }\n".repeat(FUNCTION_LINES - 2);
    let fits = format!("pub(crate) fn fits<'a>(x: [u8; 2]) {{\n{body}}}\n");
    assert_none(&long_functions("f.rs", &fits));
    let long = format!("fn a();\n\n    async fn long()\n    where\n{{\n{body}}}\nfn next() {{}}\n");
    assert_eq!(long_functions("f.rs", &long), ["f.rs:3: long has 72 lines"]);
    assert_eq!(long_file("f.rs", &"\n".repeat(FILE_LINES)), None);
    assert!(long_file("f.rs", &"\n".repeat(FILE_LINES + 1)).is_some());
}

#[test]
fn checker_ascii_can_fail() {
    assert_eq!(not_ascii("f.rs", "a\nb"), None);
    assert_eq!(
        not_ascii("f.rs", "a\n\u{e9}").unwrap(),
        "f.rs:2: a character outside ASCII"
    );
}

#[test]
fn checker_unsafe_can_fail() {
    let bad = "fn f() { unsafe { g() } }";
    assert!(stray_unsafe("core/src/f.rs", bad).is_some());
    assert!(stray_unsafe("runtime-mio/src/sys/f.rs", bad).is_none());
    assert!(
        stray_unsafe(
            "f.rs",
            "#![forbid(unsafe_code)] // unsafe\nlet a = r#\"unsafe \" \"#;"
        )
        .is_none()
    );
    assert!(not_forbidding("core/src/lib.rs", "").is_some());
    assert!(not_forbidding("core/src/lib.rs", "#![forbid(unsafe_code)]").is_none());
}

#[test]
fn checker_purity_can_fail() {
    for bad in [
        "use std::fs;",
        "let a: HashMap<u8, u8>;",
        "use std::{fmt, fs::File};",
        "std::time::Instant::now()",
    ] {
        assert!(!impurities("f.rs", bad).is_empty(), "{bad}");
    }
    assert_none(&impurities(
        "f.rs",
        "// HashMap\nuse std::{fmt, net::IpAddr};\nlet a = \"std::fs\";",
    ));
}

#[test]
fn checker_top_can_fail() {
    let all = || TOP.iter().copied();
    assert_none(&top_level(all()));
    assert_eq!(
        top_level(all().chain(["notes.txt"])),
        ["notes.txt does not belong at the top"]
    );
    assert_eq!(top_level(all().skip(1)), [".ci is missing"]);
}

#[test]
fn the_scanner_knows_strings_characters_and_comments() {
    let text =
        r##"let a = '{'; let b = "\"}"; /* { /* } */ */ let c = r#"}"#; let d = b'}'; 'x: loop {"##;
    let code = code_only(text);
    assert_eq!(code.matches(['{', '}']).collect::<String>(), "{");
    assert_eq!(code.len(), text.len());
}
