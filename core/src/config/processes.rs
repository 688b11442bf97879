//! The words about the daemon's processes: names, places of files, scheduling, limits.
//!
//! None of them changes what is sent or who is master; the runtime applies them. Each child process
//! has the same five words with its own beginning (`vrrp_`, `checker_`, `bfd_`), so they are read by
//! one function.

use super::block::Statement;
use super::diag::{Class, Severity, Sink, Span, quoted};
use super::global::{IGNORED, set};
use super::lexer::Word;
use super::statement::{flag, optional, value};
use super::units::{self, Garbage};
use crate::time::Duration;

/// Octets of a process name that the kernel keeps (TASK_COMM_LEN without its zero).
const NAME_MAX: usize = 15;
/// Octets of a name that becomes a part of file names.
const FILE_NAME_MAX: usize = 200;
/// CPUs that a mask of the system call holds (CPU_SETSIZE).
const CPUS: u64 = 1024;
/// keepalived's 10 ms end a child that takes over for a thousand virtual routers at once. What computes
/// without end is found just as well after a second.
const RTTIME_DEFAULT: Duration = Duration::from_secs(1);
/// The highest real-time priority (sched_get_priority_max).
const RT_MAX: u8 = 99;

/// What the configuration says about the daemon's processes, defaults filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Processes {
    /// `use_pid_dir`: pid files stand in a directory of their own.
    pub use_pid_dir: bool,
    /// `instance`: the name of this daemon among several of the host; a part of file names.
    pub instance: Option<String>,
    /// `net_namespace`: the network namespace that all processes run in.
    pub net_namespace: Option<String>,
    /// `net_namespace_ipvs`: where load balancing is set up; without a name the host's own. Nothing
    /// is balanced yet, so it is only shown.
    pub net_namespace_ipvs: Option<Option<String>>,
    /// `umask`, unless the command line has one; permission bits only.
    pub umask: Option<u16>,
    /// `random_seed`: the seed of the machine's generator; unpredictable where there is none.
    pub random_seed: Option<u32>,
    /// `tmp_config_directory`: where the text that the children read is kept; none for memory.
    pub tmp_config_directory: Option<String>,
    /// `process_name` or `process_names`: the name of the parent, 1 to 15 octets.
    pub name: Option<String>,
    /// `max_auto_priority`: the highest real-time priority that a process which runs late gives to
    /// itself, 1..=99; none leaves it as it is.
    pub max_auto_priority: Option<u8>,
    /// `min_auto_priority_delay`: so late it must be for that.
    pub min_auto_priority_delay: Duration,
    /// The words `vrrp_..`.
    pub vrrp: ChildProcess,
    /// The words `checker_..`.
    pub checkers: ChildProcess,
    /// The words `bfd_..`.
    pub bfd: ChildProcess,
}

impl Default for Processes {
    fn default() -> Self {
        Self {
            use_pid_dir: false,
            instance: None,
            net_namespace: None,
            net_namespace_ipvs: None,
            umask: None,
            random_seed: None,
            tmp_config_directory: None,
            name: None,
            max_auto_priority: None,
            min_auto_priority_delay: Duration::from_secs(1),
            vrrp: ChildProcess::default(),
            checkers: ChildProcess::default(),
            bfd: ChildProcess::default(),
        }
    }
}

/// How one child process runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChildProcess {
    /// `.._process_name`: 1 to 15 octets.
    pub name: Option<String>,
    /// `.._priority`: the nice value, -20..=19.
    pub nice: Option<i8>,
    /// `.._no_swap`: its memory is locked.
    pub no_swap: bool,
    /// `.._rt_priority`: its real-time priority, 1..=99.
    pub rt_priority: Option<u8>,
    /// `.._rlimit_rttime`: how long it may compute without a pause while it has a real-time
    /// priority; at least two microseconds.
    pub rlimit_rttime: Duration,
    /// `.._cpu_affinity`: numbers below 1024 of the CPUs that it may use; empty for all.
    pub cpus: Vec<u16>,
}

impl Default for ChildProcess {
    fn default() -> Self {
        Self {
            name: None,
            nice: None,
            no_swap: false,
            rt_priority: None,
            rlimit_rttime: RTTIME_DEFAULT,
            cpus: Vec::new(),
        }
    }
}

impl Processes {
    /// The word whose change a running daemon cannot follow: what a process has entered or opened by
    /// its name cannot be left. The original refuses such a reload too.
    pub fn fixed_word_that_differs(&self, new: &Self) -> Option<&'static str> {
        if self.net_namespace != new.net_namespace {
            Some("net_namespace")
        } else if self.instance != new.instance {
            Some("instance")
        } else if self.use_pid_dir != new.use_pid_dir {
            Some("use_pid_dir")
        } else if self.tmp_config_directory != new.tmp_config_directory {
            Some("tmp_config_directory")
        } else {
            None
        }
    }

    /// A word of the top level; false if it is none of these.
    pub(super) fn set_top(&mut self, found: &Statement, sink: &mut Sink) -> bool {
        match found.keyword() {
            "instance" => self.instance(found, sink),
            "net_namespace" => self.net_namespace(found, sink),
            "net_namespace_ipvs" => {
                let name = optional(found, sink);
                match (&self.net_namespace_ipvs, name) {
                    (None, name) => {
                        self.net_namespace_ipvs = Some(name.map(|word| word.text.clone()));
                    }
                    (Some(_), Some(word)) => second(word, found, sink),
                    (Some(_), None) => {}
                }
            }
            // No version of the kernel that this runs on needs it: ipsets know namespaces.
            "namespace_with_ipsets" => flag(found, sink),
            "use_pid_dir" => {
                flag(found, sink);
                self.use_pid_dir = true;
            }
            _ => return false,
        }
        true
    }

    /// A word of `global_defs`; false if it is none of these.
    pub(super) fn set(&mut self, found: &Statement, sink: &mut Sink) -> bool {
        match found.keyword() {
            "process_names" => {
                flag(found, sink);
                self.all_names();
            }
            "process_name" => set(&mut self.name, process_name(found, sink)),
            "lvs_process_name" => {
                let message = "`lvs_process_name` has a newer name";
                sink.note(found.span(), message)
                    .suggest("checker_process_name");
                set(&mut self.checkers.name, process_name(found, sink));
            }
            "max_auto_priority" => self.max_auto_priority(found, sink),
            "min_auto_priority_delay" => {
                if let Some(micros) = needed(found, "a number of microseconds", sink)
                    .and_then(|word| number(word, 1..=10_000_000, sink))
                {
                    self.min_auto_priority_delay = Duration::from_micros(micros);
                }
            }
            "random_seed" => {
                let seed = whole(found, 0..=u64::from(u32::MAX), sink);
                set(&mut self.random_seed, seed.map(|seed| seed as u32));
            }
            "tmp_config_directory" => {
                let path = needed(found, "a directory", sink).map(|word| word.text.clone());
                set(&mut self.tmp_config_directory, path);
            }
            "umask" => set(&mut self.umask, umask(found, sink)),
            word => {
                let Some((child, word)) = self.child(word) else {
                    return false;
                };
                return child.set(word, found, sink);
            }
        }
        true
    }

    /// The child that `word` is about, and what is left of it.
    fn child<'w>(&mut self, word: &'w str) -> Option<(&mut ChildProcess, &'w str)> {
        let (kind, rest) = word.split_once('_')?;
        match kind {
            "vrrp" => Some((&mut self.vrrp, rest)),
            "checker" => Some((&mut self.checkers, rest)),
            "bfd" => Some((&mut self.bfd, rest)),
            _ => None,
        }
    }

    /// A name that was written for one process stays.
    fn all_names(&mut self) {
        for (name, usual) in [
            (&mut self.name, "keepalived"),
            (&mut self.vrrp.name, "keepalived_vrrp"),
            (&mut self.checkers.name, "keepalived_lvs"),
            (&mut self.bfd.name, "keepalived_bfd"),
        ] {
            name.get_or_insert_with(|| usual.to_owned());
        }
    }

    fn instance(&mut self, found: &Statement, sink: &mut Sink) {
        let Some(word) = needed(found, "a name", sink) else {
            return;
        };
        if self.instance.is_some() {
            second(word, found, sink);
        } else if is_file_name(&word.text) {
            self.instance = Some(word.text.clone());
        } else {
            let message = format!(
                "{} cannot be a part of file names; {IGNORED}",
                quoted(&word.text)
            );
            sink.error(word.span, message)
                .help("write a short name without a slash");
        }
    }

    fn net_namespace(&mut self, found: &Statement, sink: &mut Sink) {
        let Some(word) = needed(found, "a name", sink) else {
            return;
        };
        if self.net_namespace.is_some() {
            second(word, found, sink);
        } else if is_file_name(&word.text) {
            self.net_namespace = Some(word.text.clone());
        } else {
            // To run in another network than was asked for is not an option.
            let message = format!("{} is not the name of a namespace", quoted(&word.text));
            sink.fatal(word.span, message)
                .help("write a name that `ip netns list` shows");
        }
    }

    fn max_auto_priority(&mut self, found: &Statement, sink: &mut Sink) {
        let Some(word) = optional(found, sink) else {
            self.max_auto_priority = Some(RT_MAX);
            return;
        };
        if let Some(highest) = signed(word, -1, i64::from(RT_MAX), IGNORED, sink) {
            let highest = u8::try_from(highest).unwrap_or(0);
            self.max_auto_priority = (highest > 0).then_some(highest);
        }
    }
}

impl ChildProcess {
    /// `word` without the child's own beginning; false if it is none of these.
    fn set(&mut self, word: &str, found: &Statement, sink: &mut Sink) -> bool {
        match word {
            "process_name" => set(&mut self.name, process_name(found, sink)),
            "priority" => {
                let nice = needed(found, "a nice value", sink)
                    .and_then(|word| signed(word, -20, 19, IGNORED, sink));
                set(
                    &mut self.nice,
                    nice.and_then(|nice| i8::try_from(nice).ok()),
                );
            }
            "no_swap" => {
                flag(found, sink);
                self.no_swap = true;
            }
            "rt_priority" => set(&mut self.rt_priority, rt_priority(found, sink)),
            "rlimit_rttime" | "rlimit_rtime" => {
                if word == "rlimit_rtime" {
                    let newer = found.keyword().replace("_rtime", "_rttime");
                    let message = format!("{} has a newer name", quoted(found.keyword()));
                    sink.note(found.span(), message).suggest(newer);
                }
                if let Some(micros) = whole(found, 2..=u64::from(u32::MAX), sink) {
                    self.rlimit_rttime = Duration::from_micros(micros);
                }
            }
            "cpu_affinity" => self.cpu_affinity(found, sink),
            _ => return false,
        }
        true
    }

    fn cpu_affinity(&mut self, found: &Statement, sink: &mut Sink) {
        if found.arguments().is_empty() {
            missing(found, "numbers of CPUs", sink);
            return;
        }
        for word in found.arguments() {
            let outcome = "this number is ignored";
            let cpu = units::number(word, 0..=CPUS - 1, Garbage::Refuse, outcome, sink);
            if let Some(cpu) = cpu.and_then(|cpu| u16::try_from(cpu).ok())
                && !self.cpus.contains(&cpu)
            {
                self.cpus.push(cpu);
            }
        }
    }
}

/// The value behind a word that keepalived reports but does not stop for when it stands alone.
fn needed<'s>(found: &'s Statement, what: &str, sink: &mut Sink) -> Option<&'s Word> {
    let word = optional(found, sink);
    if word.is_none() {
        missing(found, what, sink);
    }
    word
}

fn missing(found: &Statement, what: &str, sink: &mut Sink) {
    let message = format!("{} needs {what}; {IGNORED}", quoted(found.keyword()));
    sink.error(found.span(), message);
}

/// The original keeps the first, too.
fn second(word: &Word, found: &Statement, sink: &mut Sink) {
    let message = format!(
        "a second {}; {} is ignored",
        quoted(found.keyword()),
        quoted(&word.text)
    );
    sink.error(word.span, message);
}

/// The number behind a word that the original stops for when it has none.
fn whole(found: &Statement, range: std::ops::RangeInclusive<u64>, sink: &mut Sink) -> Option<u64> {
    let word = value(found, sink)?;
    number(word, range, sink)
}

fn number(word: &Word, range: std::ops::RangeInclusive<u64>, sink: &mut Sink) -> Option<u64> {
    units::number(word, range, Garbage::Refuse, IGNORED, sink)
}

/// A whole number that may be negative.
fn signed(word: &Word, min: i64, max: i64, outcome: &str, sink: &mut Sink) -> Option<i64> {
    let parsed = word.text.trim_start().parse::<i64>();
    let usable = parsed
        .as_ref()
        .ok()
        .copied()
        .filter(|value| (min..=max).contains(value));
    if usable.is_none() {
        let wrong = if parsed.is_ok() {
            "is out of range"
        } else {
            "is not a whole number"
        };
        let message = format!("{} {wrong}; {outcome}", quoted(&word.text));
        sink.number(word.span, message)
            .help(format!("write a whole number from {min} to {max}"));
    }
    usable
}

/// Out of range it is the nearest that is in range, as in the original.
fn rt_priority(found: &Statement, sink: &mut Sink) -> Option<u8> {
    let word = needed(found, "a real-time priority", sink)?;
    let written = signed(
        word,
        i64::from(i32::MIN),
        i64::from(i32::MAX),
        IGNORED,
        sink,
    )?;
    let used = written.clamp(1, i64::from(RT_MAX));
    if used != written {
        let message = format!("{} is out of range; {used} is used", quoted(&word.text));
        sink.number(word.span, message)
            .help(format!("write a whole number from 1 to {RT_MAX}"));
    }
    u8::try_from(used).ok()
}

/// What the kernel keeps of a name; it must be the beginning of whole characters.
fn process_name(found: &Statement, sink: &mut Sink) -> Option<String> {
    let word = value(found, sink)?;
    let mut kept = String::new();
    for letter in word.text.chars() {
        if letter.is_control() || kept.len() + letter.len_utf8() > NAME_MAX {
            break;
        }
        kept.push(letter);
    }
    if kept.is_empty() {
        let message = format!("{} is no name of a process; {IGNORED}", quoted(&word.text));
        sink.error(word.span, message);
        return None;
    }
    if kept.len() < word.text.len() {
        let message = format!(
            "{} is longer than {NAME_MAX} characters; {} is used",
            quoted(&word.text),
            quoted(&kept)
        );
        sink.error(word.span, message).suggest(kept.clone());
    }
    Some(kept)
}

/// True if `text` can be the name of a file in a directory.
pub fn is_file_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= FILE_NAME_MAX
        && text != "."
        && text != ".."
        && !text.chars().any(|c| c == '/' || c.is_control())
}

/// A number as C writes it, or names of permission bits joined by `|`.
fn umask(found: &Statement, sink: &mut Sink) -> Option<u16> {
    let first = found.arguments().first();
    let Some(first) = first else {
        sink.missing_parameter(found.span(), found.keyword());
        return None;
    };
    let text: String = found
        .arguments()
        .iter()
        .map(|word| word.text.as_str())
        .collect();
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        let mask = mask(&text);
        if mask.is_none() {
            refuse_mask(first.span, &text, sink);
        }
        return mask;
    }
    let mut mask = 0;
    for name in text.split('|') {
        let Some(bit) = permission(name) else {
            refuse_mask(first.span, name, sink);
            return None;
        };
        mask |= bit;
    }
    Some(mask)
}

fn refuse_mask(span: Span, text: &str, sink: &mut Sink) {
    let message = format!("{} is no umask; {IGNORED}", quoted(text));
    sink.report(Severity::Error, Class::InvalidNumber, span, message)
        .help("write a number up to 0777, or names such as IWGRP|IWOTH");
}

/// A number as C writes it, 0x1f, 022 (octal) or decimal; no bits beyond the permissions.
pub fn mask(text: &str) -> Option<u16> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (text.get(2..)?, 16),
        [b'0', _, ..] => (text.get(1..)?, 8),
        _ => (text, 10),
    };
    if !digits.bytes().all(|digit| digit.is_ascii_alphanumeric()) {
        return None;
    }
    let mask = u16::from_str_radix(digits, radix).ok()?;
    (mask <= 0o777).then_some(mask)
}

/// `IRUSR` and its kin (chmod(2) without the S).
fn permission(name: &str) -> Option<u16> {
    let rest = name.strip_prefix('I')?;
    let mut letters = rest.chars();
    let bit = match letters.next()? {
        'R' => 4,
        'W' => 2,
        'X' => 1,
        _ => return None,
    };
    Some(match letters.as_str() {
        "USR" => bit << 6,
        "GRP" => bit << 3,
        "OTH" => bit,
        _ => return None,
    })
}
