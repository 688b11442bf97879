//! The words about the daemon's processes: names, places of files, scheduling, limits.
//!
//! None of them changes what is sent or who is master; the runtime applies them. Each child process
//! has the same five words with its own beginning (`vrrp_`, `checker_`, `bfd_`), so they are read by
//! one function.

use super::block::Statement;
use super::code::Code;
use super::diag::{Class, Severity, Sink, Span, quoted};
use super::global::{IGNORED, set};
use super::lexer::Word;
use super::page::Page;
use super::row::{Field, Head};
use super::statement::{flag, optional, value};
use super::units::{self, Garbage};
use crate::time::Duration;

/// Octets of a process name that the kernel keeps (TASK_COMM_LEN without its zero).
pub(super) const NAME_MAX: usize = 15;
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
    /// `namespace_with_ipsets`; no version of the kernel that this runs on needs it.
    pub namespace_with_ipsets: bool,
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
            namespace_with_ipsets: false,
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

    /// `instance`.
    pub(super) fn read_instance(&mut self, found: &Statement, sink: &mut Sink) {
        let Some(word) = optional(found, sink) else {
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

    /// `net_namespace_ipvs`.
    pub(super) fn read_ipvs_namespace(&mut self, found: &Statement, sink: &mut Sink) {
        match (&self.net_namespace_ipvs, optional(found, sink)) {
            (None, name) => self.net_namespace_ipvs = Some(name.map(|word| word.text.clone())),
            (Some(_), Some(word)) => second(word, found, sink),
            (Some(_), None) => {}
        }
    }

    /// `net_namespace_ipvs`.
    pub(super) fn show_ipvs_namespace(&self, head: &Head, page: &mut Page) {
        if let Some(name) = &self.net_namespace_ipvs {
            let mut words = vec![head.word];
            words.extend(name.as_deref());
            page.line(&words);
        }
    }

    /// `net_namespace`.
    pub(super) fn read_net_namespace(&mut self, found: &Statement, sink: &mut Sink) {
        let Some(word) = optional(found, sink) else {
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
                .code(Code::BadValue)
                .help("write a name that `ip netns list` shows");
        }
    }
}

/// `process_names`. A name that was written for one process stays.
pub(super) fn all_names(all: &mut Processes, found: &Statement, sink: &mut Sink) {
    flag(found, sink);
    for (name, usual) in [
        (&mut all.name, "keepalived"),
        (&mut all.vrrp.name, "keepalived_vrrp"),
        (&mut all.checkers.name, "keepalived_lvs"),
        (&mut all.bfd.name, "keepalived_bfd"),
    ] {
        name.get_or_insert_with(|| usual.to_owned());
    }
}

/// `lvs_process_name`.
pub(super) fn read_old_name(all: &mut Processes, head: &Head, found: &Statement, sink: &mut Sink) {
    let message = format!("{} has a newer name", quoted(found.keyword()));
    sink.note(found.span(), message)
        .code(Code::Renamed)
        .suggest(head.synonym_of);
    Field::read(&mut all.checkers.name, head, found, sink);
}

/// What the word has set is shown by the words for each.
pub(super) const fn show_nothing<T>(_block: &T, _head: &Head, _page: &mut Page) {}

/// `max_auto_priority`.
pub(super) fn read_auto(all: &mut Processes, found: &Statement, sink: &mut Sink) {
    let Some(word) = optional(found, sink) else {
        all.max_auto_priority = Some(RT_MAX);
        return;
    };
    let range = -1..=i64::from(RT_MAX);
    if let Some(highest) = units::signed(word, range, Garbage::Refuse, IGNORED, sink) {
        let highest = u8::try_from(highest).unwrap_or(0);
        all.max_auto_priority = (highest > 0).then_some(highest);
    }
}

/// `min_auto_priority_delay`.
pub(super) fn read_delay(all: &mut Processes, _head: &Head, found: &Statement, sink: &mut Sink) {
    let micros = optional(found, sink).and_then(|word| number(word, 1..=10_000_000, sink));
    if let Some(micros) = micros {
        all.min_auto_priority_delay = Duration::from_micros(micros);
    }
}

/// `min_auto_priority_delay`.
pub(super) fn show_delay(all: &Processes, head: &Head, page: &mut Page) {
    let usual = Processes::default().min_auto_priority_delay;
    show_micros(all.min_auto_priority_delay, usual, head, page);
}

fn show_micros(time: Duration, usual: Duration, head: &Head, page: &mut Page) {
    if time == usual {
        page.default(head.word, head.default);
    } else {
        page.line(&[head.word, &time.as_micros().to_string()]);
    }
}

/// `.._rlimit_rttime` and its old name.
pub(super) fn read_rttime(child: &mut ChildProcess, found: &Statement, sink: &mut Sink) {
    if found.keyword().ends_with("_rlimit_rtime") {
        let newer = found.keyword().replace("_rtime", "_rttime");
        let message = format!("{} has a newer name", quoted(found.keyword()));
        sink.note(found.span(), message)
            .code(Code::Renamed)
            .suggest(newer);
    }
    if let Some(micros) = whole(found, 2..=u64::from(u32::MAX), sink) {
        child.rlimit_rttime = Duration::from_micros(micros);
    }
}

/// `.._rlimit_rttime`.
pub(super) fn show_rttime(child: &ChildProcess, head: &Head, page: &mut Page) {
    show_micros(child.rlimit_rttime, RTTIME_DEFAULT, head, page);
}

/// `.._cpu_affinity`.
pub(super) fn read_cpus(child: &mut ChildProcess, found: &Statement, sink: &mut Sink) {
    for word in found.arguments() {
        let outcome = "this number is ignored";
        let cpu = units::number(word, 0..=CPUS - 1, Garbage::Refuse, outcome, sink);
        if let Some(cpu) = cpu.and_then(|cpu| u16::try_from(cpu).ok())
            && !child.cpus.contains(&cpu)
        {
            child.cpus.push(cpu);
        }
    }
}

/// `.._cpu_affinity`.
pub(super) fn show_cpus(child: &ChildProcess, head: &Head, page: &mut Page) {
    if !child.cpus.is_empty() {
        let numbers: Vec<String> = child.cpus.iter().map(u16::to_string).collect();
        page.raw(&format!("{} {}", head.word, numbers.join(" ")));
    }
}

/// `umask`.
pub(super) fn read_umask(all: &mut Processes, found: &Statement, sink: &mut Sink) {
    set(&mut all.umask, umask(found, sink));
}

/// `umask`.
pub(super) fn show_umask(all: &Processes, head: &Head, page: &mut Page) {
    match all.umask {
        Some(mask) => page.line(&[head.word, &format!("{mask:#o}").replace("0o", "0")]),
        None => page.default(head.word, head.default),
    }
}

/// The original keeps the first, too.
fn second(word: &Word, found: &Statement, sink: &mut Sink) {
    let message = format!(
        "a second {}; {} is ignored",
        quoted(found.keyword()),
        quoted(&word.text)
    );
    sink.error(word.span, message).code(Code::NameTaken);
}

/// The number behind a word that the original stops for when it has none.
fn whole(found: &Statement, range: std::ops::RangeInclusive<u64>, sink: &mut Sink) -> Option<u64> {
    let word = value(found, sink)?;
    number(word, range, sink)
}

fn number(word: &Word, range: std::ops::RangeInclusive<u64>, sink: &mut Sink) -> Option<u64> {
    units::number(word, range, Garbage::Refuse, IGNORED, sink)
}

/// `.._rt_priority`: out of range it is the nearest that is in range, as in the original.
pub(super) fn read_rt(child: &mut ChildProcess, found: &Statement, sink: &mut Sink) {
    let Some(word) = optional(found, sink) else {
        return;
    };
    let range = i64::from(i32::MIN)..=i64::from(i32::MAX);
    let Some(written) = units::signed(word, range, Garbage::Refuse, IGNORED, sink) else {
        return;
    };
    let used = written.clamp(1, i64::from(RT_MAX));
    if used != written {
        let message = format!("{} is out of range; {used} is used", quoted(&word.text));
        sink.number(word.span, message)
            .help(format!("write a whole number from 1 to {RT_MAX}"));
    }
    set(&mut child.rt_priority, u8::try_from(used).ok());
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
        .code(Code::BadNumber)
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
