//! How a virtual server chooses a real server: `lb_algo` and its flags.

use super::super::block::Statement;
use super::super::code::Code;
use super::super::diag::{Sink, quoted};
use super::super::page::Page;
use super::super::row::Head;
use super::super::statement::flag;
use super::{VirtualServer, text_of, word_of};

/// A scheduler of the kernel (ip_vs_*).
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "they are the names of the kernel's modules")]
pub enum Scheduler {
    Rr,
    Wrr,
    Lc,
    Wlc,
    Lblc,
    Lblcr,
    Sh,
    Mh,
    Dh,
    Fo,
    Ovf,
    Sed,
    Nq,
    Twos,
}

/// Their words.
pub(super) const SCHEDULERS: &[(&str, Scheduler)] = &[
    ("rr", Scheduler::Rr),
    ("wrr", Scheduler::Wrr),
    ("lc", Scheduler::Lc),
    ("wlc", Scheduler::Wlc),
    ("lblc", Scheduler::Lblc),
    ("lblcr", Scheduler::Lblcr),
    ("sh", Scheduler::Sh),
    ("mh", Scheduler::Mh),
    ("dh", Scheduler::Dh),
    ("fo", Scheduler::Fo),
    ("ovf", Scheduler::Ovf),
    ("sed", Scheduler::Sed),
    ("nq", Scheduler::Nq),
    ("twos", Scheduler::Twos),
];

/// The scheduler and what it is told.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Scheduling {
    /// `lb_algo`; wlc if not written.
    pub scheduler: Option<Scheduler>,
    /// `hashed`, which has no effect.
    pub hashed: bool,
    /// `flag-1` or, as the kernel sees it the same, `sh-fallback` and `mh-fallback`.
    pub flag_1: Named,
    /// `flag-2`, `sh-port`, `mh-port`.
    pub flag_2: Named,
    /// `flag-3`.
    pub flag_3: Named,
}

/// A flag and the word that has set it.
pub type Named = Option<&'static str>;

impl Scheduling {
    fn hashes(&self) -> bool {
        matches!(self.scheduler, Some(Scheduler::Sh | Scheduler::Mh))
    }

    fn flag(&mut self, word: &str) -> &mut Named {
        match word {
            "flag-1" | "sh-fallback" | "mh-fallback" => &mut self.flag_1,
            "flag-2" | "sh-port" | "mh-port" => &mut self.flag_2,
            _ => &mut self.flag_3,
        }
    }
}

/// `lb_algo`.
pub(super) fn read_scheduler(
    block: &mut VirtualServer,
    _head: &Head,
    found: &Statement,
    sink: &mut Sink,
) {
    if let Some(scheduler) = word_of(SCHEDULERS, true, found, sink) {
        block.scheduling.scheduler = Some(scheduler);
    }
}

/// The flags of sh and mh come behind it, and so does `hashed`: they mean something only there.
pub(super) fn show_scheduler(block: &VirtualServer, head: &Head, page: &mut Page) {
    let Some(scheduler) = block.scheduling.scheduler else {
        page.default(head.word, head.default);
        return;
    };
    page.line(&[head.word, text_of(SCHEDULERS, &scheduler)]);
    if block.scheduling.hashed && block.scheduling.hashes() {
        page.line(&["hashed"]);
    }
}

/// `hashed`, `sh-port` and the like: in the original they belong to a scheduler that stands before.
pub(super) fn read_flag(
    block: &mut VirtualServer,
    head: &Head,
    found: &Statement,
    sink: &mut Sink,
) {
    let scheduling = &mut block.scheduling;
    let any = head.word.starts_with("flag-");
    if !any && !scheduling.hashes() {
        let word = quoted(head.word);
        let message = format!(
            "{word} belongs to the schedulers sh and mh, and none of them stands before it; the line is ignored"
        );
        sink.error(found.span(), message)
            .code(Code::UnusedWord)
            .help("write `lb_algo sh` or `lb_algo mh` above it, or remove the line");
        return;
    }
    flag(found, sink);
    if head.word == "hashed" {
        scheduling.hashed = true;
    } else {
        *scheduling.flag(head.word) = Some(head.word);
    }
}

/// As the word that has set it.
pub(super) fn show_flag(block: &VirtualServer, head: &Head, page: &mut Page) {
    let mut scheduling = block.scheduling;
    if *scheduling.flag(head.word) == Some(head.word) {
        page.line(&[head.word]);
    }
}
