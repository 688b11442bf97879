//! Dump files: which are asked for, and where they go.
//!
//! The machine is looked at a little in each turn of the loop; what has been seen goes to a thread,
//! which makes the text and writes the file. No advert waits for a dump, and none for a slow disk.

mod file;
mod writer;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use relevo_core::config::bound::Global;
use relevo_core::config::dumps::Dumps;
use relevo_core::ids::{InstanceId, SocketId};
use relevo_core::status::data::{self, Facts};
use relevo_core::status::json::{self, Layout};
use relevo_core::status::{Picture, Wall, Wish, stats};
use relevo_core::vrrp::VrrpNode;

use crate::clock;
use crate::sys::{localtime, process};
use writer::{Job, Writer};

/// How much is looked at in one turn, in addresses: some tens of microseconds.
const SLICE: usize = 128;

/// Lines logged in one go, and the pause behind them: the log takes a thousand before it is written.
const LINES_AT_ONCE: usize = 64;
const LINES_PAUSE: Duration = Duration::from_millis(5);

/// A file that somebody asks for.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    /// SIGUSR1.
    Data,
    /// SIGUSR2.
    Stats,
    /// SIGRTMAX-1: the counters begin afresh.
    StatsClear,
    /// SIGRTMIN+2.
    Json,
}

impl Kind {
    /// What `signal` asks for.
    pub(crate) fn of_signal(signal: i32) -> Option<Self> {
        match signal {
            libc::SIGUSR1 => Some(Self::Data),
            libc::SIGUSR2 => Some(Self::Stats),
            other if other == libc::SIGRTMAX() - 1 => Some(Self::StatsClear),
            other if other == libc::SIGRTMIN() + 2 => Some(Self::Json),
            _ => None,
        }
    }

    fn wish(self) -> Wish {
        Wish {
            links: self == Self::Data,
            clear: self == Self::StatsClear,
        }
    }
}

/// Virtual routers whose counters have been read and shall begin afresh.
pub(crate) type Clear = Option<(InstanceId, u32)>;

/// The dumps of the VRRP process.
#[derive(Default)]
pub(crate) struct NodeDumps {
    /// What nobody has begun with, in the order in which it was asked for.
    asked: VecDeque<Kind>,
    looking: Option<(Kind, Picture)>,
    facts: Facts,
    writer: Writer,
}

impl NodeDumps {
    /// Takes note of what the process knows of itself.
    pub(crate) fn set_facts(&mut self, facts: Facts) {
        self.facts = facts;
    }

    /// A file is wanted. Asked for twice before it was begun, it is written once.
    pub(crate) fn ask(&mut self, kind: Kind) {
        if !self.asked.contains(&kind) {
            self.asked.push_back(kind);
        }
    }

    /// There is nothing to look at: nothing is written.
    pub(crate) fn forget(&mut self) {
        self.asked.clear();
        self.looking = None;
    }

    /// True while something is left to look at.
    pub(crate) fn has_work(&self) -> bool {
        self.looking.is_some() || !self.asked.is_empty()
    }

    /// Looks at a little of `node`. Returns whose counters must be cleared before anything else
    /// happens to them.
    pub(crate) fn step(
        &mut self,
        node: &VrrpNode,
        descriptor: impl Fn(SocketId) -> Option<i32>,
    ) -> Clear {
        let (kind, mut picture) = match self.looking.take() {
            Some(looking) => looking,
            None => {
                let kind = self.asked.pop_front()?;
                (kind, Picture::begin(node, kind.wish()))
            }
        };
        let slice = picture.step(node, SLICE, descriptor);
        if slice.complete {
            self.write(kind, picture);
        } else {
            self.looking = Some((kind, picture));
        }
        let (_, count) = slice.finished;
        (kind == Kind::StatsClear && count > 0).then_some(slice.finished)
    }

    /// Dumps the data of now into a file of its own. All of `node` is looked at in this turn: what
    /// comes next changes it.
    pub(crate) fn save(
        &self,
        node: &VrrpNode,
        descriptor: impl Fn(SocketId) -> Option<i32>,
        path: PathBuf,
    ) {
        let mut picture = Picture::begin(node, Kind::Data.wish());
        picture.step(node, usize::MAX, descriptor);
        let (wall, facts) = (wall(), self.facts.clone());
        self.writer.push(Job {
            path,
            text: Box::new(move |out| data::write(&picture, &wall, &facts, out)),
        });
    }

    /// Logs the data of now. All of `node` is looked at in this turn; the lines come from a thread
    /// that leaves the writer of the log its time.
    pub(crate) fn log(&self, node: &VrrpNode, descriptor: impl Fn(SocketId) -> Option<i32>) {
        let mut picture = Picture::begin(node, Kind::Data.wish());
        picture.step(node, usize::MAX, descriptor);
        let (wall, facts) = (wall(), self.facts.clone());
        let work = move || {
            process::yield_to_others();
            let mut text = String::new();
            // Writing to a String cannot fail.
            _ = data::write(&picture, &wall, &facts, &mut text);
            for (number, line) in text.lines().enumerate() {
                if number % LINES_AT_ONCE == LINES_AT_ONCE - 1 {
                    std::thread::sleep(LINES_PAUSE);
                }
                log::info!("{line}");
            }
        };
        let thread = std::thread::Builder::new().name("show".to_owned());
        if let Err(error) = thread.spawn(work) {
            log::error!("The configuration is not logged, no thread: {error}");
        }
    }

    fn write(&self, kind: Kind, picture: Picture) {
        let dumps = &picture.bound.global.dumps;
        if kind == Kind::Json && picture.instances.is_empty() {
            log::info!("No JSON is written: there is no virtual router");
            return;
        }
        let (file, default) = match kind {
            Kind::Data => (&dumps.state_file, "keepalived.data"),
            Kind::Stats | Kind::StatsClear => (&dumps.stats_file, "keepalived.stats"),
            Kind::Json => (&dumps.json_file, "keepalived.json"),
        };
        let suffix = match kind {
            Kind::Data => suffix(dumps, &self.facts),
            Kind::Stats | Kind::StatsClear | Kind::Json => String::new(),
        };
        let path = place(file.as_deref(), default, &suffix);
        let layout = if dumps.json_two {
            Layout::Two
        } else {
            Layout::One
        };
        let (wall, facts) = (wall(), self.facts.clone());
        self.writer.push(Job {
            path,
            text: Box::new(move |out| match kind {
                Kind::Data => data::write(&picture, &wall, &facts, out),
                Kind::Stats | Kind::StatsClear => stats::write(&picture, out),
                Kind::Json => json::write(&picture, &wall, layout, out),
            }),
        });
    }
}

/// The dump of the parent process.
pub(crate) struct ParentDump {
    facts: Facts,
    writer: Writer,
}

impl ParentDump {
    /// `facts` are what the process knows of itself.
    pub(crate) fn new(facts: Facts) -> Self {
        let facts = Facts {
            parent: true,
            ..facts
        };
        let writer = Writer::default();
        Self { facts, writer }
    }

    /// Writes keepalived_parent.data.
    pub(crate) fn write(&self, global: &Global) {
        let suffix = format!("_parent{}", suffix(&global.dumps, &self.facts));
        let file = global.dumps.state_file.as_deref();
        let path = place(file, "keepalived.data", &suffix);
        let (global, facts) = (global.clone(), self.facts.clone());
        self.writer.push(Job {
            path,
            text: Box::new(move |out| data::write_parent(&global, &facts, out)),
        });
    }
}

/// What `data_use_instance` puts into a name: `.NAMESPACE_INSTANCE`, or the one that there is.
fn suffix(dumps: &Dumps, facts: &Facts) -> String {
    let names = [&facts.namespace, &facts.instance];
    let names: Vec<_> = names.into_iter().flatten().map(String::as_str).collect();
    if dumps.use_instance && !names.is_empty() {
        format!(".{}", names.join("_"))
    } else {
        String::new()
    }
}

/// Where a dump goes: `suffix` stands before the last dot of its name.
fn place(file: Option<&str>, default: &str, suffix: &str) -> PathBuf {
    let path = match file {
        None => temporary_directory().join(default),
        Some(directory) if directory.ends_with('/') => {
            temporary_directory().join(directory).join(default)
        }
        // An absolute name replaces the directory.
        Some(name) => temporary_directory().join(name),
    };
    if suffix.is_empty() {
        return path;
    }
    let mut name: OsString = path.file_stem().unwrap_or_default().to_owned();
    name.push(suffix);
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// $TMPDIR, if that is the absolute name of a directory.
fn temporary_directory() -> PathBuf {
    std::env::var_os("TMPDIR")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute() && path.is_dir())
        .unwrap_or_else(|| Path::new("/tmp").to_owned())
}

/// Writes a text into the directory for dumps; says where it is.
pub(crate) fn write_text(name: &str, text: String) -> io::Result<PathBuf> {
    let path = temporary_directory().join(name);
    file::write(&path, Box::new(move |out| out.write_str(&text)))?;
    Ok(path)
}

/// The wall clock as it is now.
pub(crate) fn wall() -> Wall {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = since_1970.map_or(0, |span| span.as_micros());
    Wall {
        at: clock::now(),
        unix_us: i64::try_from(micros).unwrap_or(i64::MAX),
        east_of_utc: localtime::east_of_utc,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_takes_its_suffix_before_the_last_dot() {
        let place = |file, suffix| place(Some(file), "keepalived.data", suffix);
        let is = |path: PathBuf, name: &str| assert_eq!(path, Path::new(name));
        is(place("/var/x.dump", "_parent"), "/var/x_parent.dump");
        is(
            place("/var/x.y.dump", "_parent.N_I"),
            "/var/x.y_parent.N_I.dump",
        );
        is(place("/var/x", "_parent"), "/var/x_parent");
        is(place("/var/d/", ""), "/var/d/keepalived.data");
        is(place("/var/d/", ".I"), "/var/d/keepalived.I.data");
        let relative = place("sub/x.data", "");
        is(
            relative.clone(),
            &format!("{}/sub/x.data", temporary_directory().display()),
        );
        assert!(relative.is_absolute());
    }

    #[test]
    fn names_of_instance_and_namespace_are_there_if_they_are_wanted() {
        let mut dumps = Dumps::default();
        let mut facts = Facts {
            instance: Some("I".to_owned()),
            ..Facts::default()
        };
        assert_eq!(suffix(&dumps, &facts), "");
        dumps.use_instance = true;
        assert_eq!(suffix(&dumps, &facts), ".I");
        facts.namespace = Some("N".to_owned());
        assert_eq!(suffix(&dumps, &facts), ".N_I");
        facts.instance = None;
        assert_eq!(suffix(&dumps, &facts), ".N");
    }

    #[test]
    fn what_is_asked_for_twice_is_written_once_and_nothing_is_lost() {
        let mut dumps = NodeDumps::default();
        for kind in [
            Kind::Data,
            Kind::Stats,
            Kind::Data,
            Kind::StatsClear,
            Kind::Stats,
        ] {
            dumps.ask(kind);
        }
        assert_eq!(dumps.asked, [Kind::Data, Kind::Stats, Kind::StatsClear]);
    }
}
