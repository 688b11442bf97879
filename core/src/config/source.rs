//! Where texts come from: files, patterns, the environment and chance are asked for here, so that
//! reading a configuration is a function of what is answered.
//!
//! A [`Bundle`] holds all answers of one reading. Whoever reads from it reads the same again: the
//! processes of a daemon, which must agree on one version, the simulator, and the tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::limits;

/// One file as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileText {
    /// Its text; octets that are not UTF-8 are replaced.
    pub text: Arc<str>,
    /// The first octet of `text` that replaces some that are not UTF-8.
    pub replaced: Option<u32>,
}

impl FileText {
    /// The text of a file that holds `bytes`.
    pub fn of(bytes: Vec<u8>) -> Self {
        let replaced = match std::str::from_utf8(&bytes) {
            Ok(_) => None,
            Err(error) => Some(u32::try_from(error.valid_up_to()).unwrap_or(u32::MAX)),
        };
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
            .into();
        Self { text, replaced }
    }
}

/// Why a file is not read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// It is a directory.
    Directory,
    /// It may be executed, or it is a device: not what a configuration is.
    NotText,
    /// The system says so.
    Error(String),
}

/// What a configuration is made of besides its own words.
pub trait Sources {
    /// The file of this name. A relative name counts from [`directory`](Self::directory).
    fn read(&mut self, path: &str) -> Result<FileText, Unreadable>;
    /// The names that match a pattern of `*`, `?` and `[...]`, sorted; for one without these the
    /// name itself if there is such a file.
    fn glob(&mut self, pattern: &str) -> Vec<String>;
    /// The value of a variable of the environment.
    fn environment(&mut self, name: &str) -> Option<String>;
    /// Where relative names count from: an absolute path.
    fn directory(&mut self) -> String;
    /// What begins the random numbers of `${_RANDOM}`.
    fn seed(&mut self) -> u64;
    /// What `@ID` lines are compared with and `${_INSTANCE}` stands for.
    fn config_id(&mut self) -> String;
    /// True if whatever an `include` does not find is an error, whatever its own word is.
    fn check_all(&mut self) -> bool {
        false
    }
    /// Octets that definitions and repetitions may make.
    fn room(&self) -> usize {
        limits::EXPANDED
    }
}

/// Nothing: for a text that is read alone.
#[derive(Copy, Clone, Debug)]
pub struct Nothing;

impl Sources for Nothing {
    fn read(&mut self, _path: &str) -> Result<FileText, Unreadable> {
        Err(Unreadable::Error(
            "a single text includes nothing".to_owned(),
        ))
    }

    fn glob(&mut self, _pattern: &str) -> Vec<String> {
        Vec::new()
    }

    fn environment(&mut self, _name: &str) -> Option<String> {
        None
    }

    fn directory(&mut self) -> String {
        "/".to_owned()
    }

    fn seed(&mut self) -> u64 {
        0
    }

    fn config_id(&mut self) -> String {
        String::new()
    }

    fn room(&self) -> usize {
        limits::EXPANDED_ALONE
    }
}

/// Everything that one reading has asked for, with the answers; what it has not asked for is not
/// there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bundle {
    /// Files by name.
    pub files: BTreeMap<String, Result<FileText, Unreadable>>,
    /// The matches of patterns.
    pub globs: BTreeMap<String, Vec<String>>,
    /// Variables of the environment.
    pub environment: BTreeMap<String, Option<String>>,
    /// Where relative names count from.
    pub directory: String,
    /// What begins the random numbers.
    pub seed: u64,
    /// What `@ID` is compared with.
    pub config_id: String,
    /// See [`Sources::check_all`].
    pub check_all: bool,
    /// See [`Sources::room`]; 0 for as much as elsewhere. Not handed on.
    pub room: usize,
}

impl Bundle {
    /// A bundle of one file.
    pub fn single(path: &str, text: &str) -> Self {
        Self::default().with(path, text)
    }

    /// With one more file.
    #[must_use]
    pub fn with(mut self, path: &str, text: &str) -> Self {
        let text = FileText {
            text: text.into(),
            replaced: None,
        };
        self.files.insert(path.to_owned(), Ok(text));
        self
    }

    /// The text of a file that was read.
    pub fn text(&self, path: &str) -> Option<&str> {
        let file = self.files.get(path)?.as_ref().ok()?;
        Some(&file.text)
    }
}

impl Sources for Bundle {
    fn read(&mut self, path: &str) -> Result<FileText, Unreadable> {
        let unknown = || Err(Unreadable::Error("no such file".to_owned()));
        self.files.get(path).cloned().unwrap_or_else(unknown)
    }

    fn glob(&mut self, pattern: &str) -> Vec<String> {
        match self.globs.get(pattern) {
            Some(found) => found.clone(),
            // Where no answer was recorded, as in tests, the names of the files are the file system.
            None => {
                let names = self.files.keys();
                names
                    .filter(|name| matches(pattern, name))
                    .cloned()
                    .collect()
            }
        }
    }

    fn environment(&mut self, name: &str) -> Option<String> {
        self.environment.get(name).cloned().flatten()
    }

    fn directory(&mut self) -> String {
        self.directory.clone()
    }

    fn seed(&mut self) -> u64 {
        self.seed
    }

    fn config_id(&mut self) -> String {
        self.config_id.clone()
    }

    fn check_all(&mut self) -> bool {
        self.check_all
    }

    fn room(&self) -> usize {
        if self.room == 0 {
            limits::EXPANDED
        } else {
            self.room
        }
    }
}

/// True if `name` matches a pattern of `*` and `?`, neither of which stands for a `/`.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    // Place in both to go on from if a `*` shall stand for one character more.
    let mut again: Option<(usize, usize)> = None;
    let (mut p, mut n) = (0, 0);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                again = Some((p, n));
                p += 1;
            }
            Some('?') if name[n] != '/' => (p, n) = (p + 1, n + 1),
            Some(c) if *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match again {
                Some((star, at)) if name[at] != '/' => {
                    again = Some((star, at + 1));
                    (p, n) = (star + 1, at + 1);
                }
                _ => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Asks `S` and keeps every answer.
#[derive(Debug)]
pub struct Recorder<S> {
    sources: S,
    /// The answers.
    pub bundle: Bundle,
}

impl<S: Sources> Recorder<S> {
    /// Nothing is asked yet.
    pub fn new(mut sources: S) -> Self {
        let bundle = Bundle {
            directory: sources.directory(),
            seed: sources.seed(),
            config_id: sources.config_id(),
            check_all: sources.check_all(),
            ..Bundle::default()
        };
        Self { sources, bundle }
    }
}

impl<S: Sources> Sources for Recorder<S> {
    fn read(&mut self, path: &str) -> Result<FileText, Unreadable> {
        if let Some(known) = self.bundle.files.get(path) {
            return known.clone();
        }
        let file = self.sources.read(path);
        self.bundle.files.insert(path.to_owned(), file.clone());
        file
    }

    fn glob(&mut self, pattern: &str) -> Vec<String> {
        if let Some(known) = self.bundle.globs.get(pattern) {
            return known.clone();
        }
        let names = self.sources.glob(pattern);
        self.bundle.globs.insert(pattern.to_owned(), names.clone());
        names
    }

    fn environment(&mut self, name: &str) -> Option<String> {
        if let Some(known) = self.bundle.environment.get(name) {
            return known.clone();
        }
        let value = self.sources.environment(name);
        self.bundle
            .environment
            .insert(name.to_owned(), value.clone());
        value
    }

    fn directory(&mut self) -> String {
        self.bundle.directory.clone()
    }

    fn seed(&mut self) -> u64 {
        self.bundle.seed
    }

    fn config_id(&mut self) -> String {
        self.bundle.config_id.clone()
    }

    fn check_all(&mut self) -> bool {
        self.bundle.check_all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_within_directories() {
        let table = [
            ("/a/*.conf", "/a/x.conf", true),
            ("/a/*.conf", "/a/b/x.conf", false),
            ("/a/*", "/a/", true),
            ("/a/?", "/a/b", true),
            ("/a/?", "/a/bc", false),
            ("/*/x", "/abc/x", true),
            ("/*a*b", "/xaab", true),
            ("/*a*b", "/xaac", false),
            ("/a", "/a", true),
            ("/a", "/ab", false),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn what_was_recorded_is_answered_again() {
        let mut files = Bundle::single("/a.conf", "x").with("/b.conf", "y");
        files
            .environment
            .insert("HOME".into(), Some("/root".into()));
        files.seed = 7;
        let mut recorder = Recorder::new(files.clone());
        let mut first = (recorder.glob("/*.conf"), recorder.read("/b.conf"));
        assert_eq!(recorder.environment("HOME").as_deref(), Some("/root"));
        let mut bundle = recorder.bundle;
        assert_eq!(bundle.files.len(), 1, "only what was asked for");
        assert_eq!((bundle.glob("/*.conf"), bundle.read("/b.conf")), first);
        assert_eq!(
            (bundle.seed(), bundle.environment("HOME")),
            (7, Some("/root".into()))
        );
        first.1 = bundle.read("/a.conf");
        assert!(first.1.is_err());
    }

    #[test]
    fn what_is_not_utf_8_is_replaced_and_its_place_kept() {
        let file = FileText::of(b"ab\xffc".to_vec());
        assert_eq!((&*file.text, file.replaced), ("ab\u{fffd}c", Some(2)));
        assert_eq!(FileText::of(b"ab".to_vec()).replaced, None);
    }
}
