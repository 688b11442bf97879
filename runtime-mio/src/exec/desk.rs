//! The parent's desk: what clients of the control socket ask, and how it is answered.
//!
//! The desk never waits. What a child must be asked is sent off, and answered when the child has
//! told or when it has taken too long; a plan is made on a thread of its own.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use mio::{Interest, Registry, Token, unix::SourceFd};
use relevo_core::ids::ChildId;
use relevo_core::journal;
use relevo_core::supervisor::{Kind, SupervisorNote};
use relevo_core::time::{Duration, Instant};

use super::answer;
use super::report::{ChildFacts, Facts, Report};
use crate::control::protocol::{BODY_MAX, Request};
use crate::control::{self, ClientId, Control};
use crate::daemon::Drained;
use crate::sys::timerfd::TimerFd;
use crate::{dump, version};

/// How long a child may take to answer a client's question.
const PATIENCE: Duration = Duration::from_secs(2);

/// Tokens that the desk takes: the control socket's, a timer's, a plan's.
pub(crate) const TOKENS: usize = control::TOKENS + 2;

/// Makes a plan: what a reload would change, or why there would be none. Sent to another thread.
pub(crate) type MakePlan = Box<dyn FnOnce() -> Result<String, String> + Send>;

/// What the desk wants of the executor.
pub(crate) enum Wish {
    /// Ask every VRRP child that runs.
    Ask { n: u64, what: &'static [u8] },
    /// As SIGHUP.
    Reload,
    /// Start making a plan and [`Desk::begin_plan`] with it.
    Plan(ClientId),
}

/// A client that waits for children.
#[derive(Debug)]
struct Question {
    n: u64,
    client: ClientId,
    request: Request,
    since: Instant,
}

/// A client that waits for a plan.
#[derive(Debug)]
struct Planned {
    client: ClientId,
    /// The text, behind `+` or `-`, and then its end.
    pipe: UnixStream,
    text: Vec<u8>,
}

/// See above.
#[derive(Debug)]
pub(crate) struct Desk {
    control: Option<Control>,
    registry: Option<Registry>,
    timer: TimerFd,
    armed: Option<Instant>,
    first: usize,
    next_question: u64,
    questions: Vec<Question>,
    plan: Option<Planned>,
    /// Who waits for the reload that is under way, and for the next one.
    reloading: Vec<ClientId>,
    queued: Vec<ClientId>,
    facts: Facts,
    requests: Vec<(ClientId, Request)>,
}

impl Desk {
    /// A desk with or without clients; tokens are numbered from `first`.
    pub(crate) fn new(control: Option<Control>, facts: Facts, first: usize) -> io::Result<Self> {
        Ok(Self {
            control,
            registry: None,
            timer: TimerFd::new()?,
            armed: None,
            first,
            next_question: 1,
            questions: Vec::new(),
            plan: None,
            reloading: Vec::new(),
            queued: Vec::new(),
            facts,
            requests: Vec::new(),
        })
    }

    const fn timer_token(&self) -> Token {
        Token(self.first + control::TOKENS)
    }

    const fn plan_token(&self) -> Token {
        Token(self.first + control::TOKENS + 1)
    }

    /// Registers what exists from the start.
    pub(crate) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        let timer = self.timer.raw();
        registry.register(
            &mut SourceFd(&timer),
            self.timer_token(),
            Interest::READABLE,
        )?;
        if let Some(control) = &self.control {
            control.register(registry)?;
        }
        self.registry = Some(registry.try_clone()?);
        Ok(())
    }

    /// True if `token` is one of the desk's.
    pub(crate) const fn has(&self, token: Token) -> bool {
        token.0 >= self.first && token.0 < self.first + TOKENS
    }

    /// Does what `token` is ready for; what it wants done is returned.
    pub(crate) fn read(&mut self, token: Token, now: Instant) -> (Drained, Vec<Wish>) {
        let mut drained = Drained::Yes;
        if token == self.timer_token() {
            self.armed = None;
            self.on_time(now);
        } else if token == self.plan_token() {
            self.on_plan(now);
        } else if let (Some(control), Some(registry)) = (&mut self.control, &self.registry) {
            drained = control.read(token, registry, now, &mut self.requests);
        }
        let requests = std::mem::take(&mut self.requests);
        let wishes = requests
            .into_iter()
            .filter_map(|(client, request)| self.on_request(client, request, now));
        let wishes = wishes.collect();
        self.arm();
        (drained, wishes)
    }

    fn on_request(&mut self, client: ClientId, request: Request, now: Instant) -> Option<Wish> {
        match request {
            Request::Version => {
                self.answer(client, Ok(format!("{}\n", version::SELF)), now);
                None
            }
            Request::Reload => {
                self.queued.push(client);
                Some(Wish::Reload)
            }
            Request::Plan => Some(Wish::Plan(client)),
            Request::Status | Request::StatusJson | Request::Journal => {
                let n = self.next_question;
                self.next_question += 1;
                self.questions.push(Question {
                    n,
                    client,
                    request,
                    since: now,
                });
                let what = match request {
                    Request::Status => answer::STATUS,
                    Request::StatusJson => answer::STATUS_JSON,
                    _ => answer::JOURNAL,
                };
                Some(Wish::Ask { n, what })
            }
        }
    }

    /// Nobody could be asked: there is no VRRP child that listens.
    pub(crate) fn on_nobody(&mut self, n: u64, now: Instant) {
        self.settle(n, None, now);
    }

    /// A child has told. What does not fit into a message is in `rest`.
    pub(crate) fn on_told(&mut self, n: u64, head: &[u8], rest: Option<OwnedFd>, now: Instant) {
        let mut told = head.to_vec();
        if let Some(rest) = rest {
            let limit = (BODY_MAX - told.len()) as u64;
            if let Err(error) = File::from(rest).take(limit).read_to_end(&mut told) {
                log::warn!("the rest of a child's answer: {error}");
            }
        }
        self.settle(n, Some(told), now);
    }

    /// Answers a question with what there is.
    fn settle(&mut self, n: u64, told: Option<Vec<u8>>, now: Instant) {
        let Some(index) = self.questions.iter().position(|question| question.n == n) else {
            return;
        };
        let question = self.questions.swap_remove(index);
        let report = Report {
            facts: &self.facts,
            now,
            wall: dump::wall(),
            told: told.as_deref(),
            asked: question.since,
        };
        let answer = match question.request {
            Request::Journal => match told.as_deref().filter(|told| !told.is_empty()) {
                Some(image) => Ok(journal::text(image)),
                None => Err(report.silence()),
            },
            Request::StatusJson if report.is_whole() => Ok(report.json()),
            Request::StatusJson => Err(report.json()),
            _ if report.is_whole() => Ok(report.text()),
            _ => Err(report.text()),
        };
        self.answer(question.client, answer, now);
    }

    fn on_time(&mut self, now: Instant) {
        let late = |question: &&Question| question.since + PATIENCE <= now;
        while let Some(n) = self.questions.iter().find(late).map(|question| question.n) {
            self.settle(n, None, now);
        }
    }

    fn arm(&mut self) {
        let next = self
            .questions
            .iter()
            .map(|question| question.since + PATIENCE)
            .min();
        if let Some(at) = next
            && self.armed.is_none_or(|armed| at < armed)
        {
            match self.timer.arm(next) {
                Ok(()) => self.armed = next,
                Err(error) => log::debug!("the timer of the control desk: {error}"),
            }
        }
    }

    /// Makes a plan on a thread. One at a time: it may need as much memory as the configuration.
    pub(crate) fn begin_plan(&mut self, client: ClientId, make: MakePlan, now: Instant) {
        let begun = if self.plan.is_some() {
            Err("another plan is being made\n".to_owned())
        } else {
            self.try_plan(client, make)
                .map_err(|error| format!("no plan: {error}\n"))
        };
        if let Err(text) = begun {
            self.answer(client, Err(text), now);
        }
    }

    fn try_plan(&mut self, client: ClientId, make: MakePlan) -> io::Result<()> {
        let (pipe, theirs) = UnixStream::pair()?;
        pipe.set_nonblocking(true)?;
        if let Some(registry) = &self.registry {
            let fd = pipe.as_raw_fd();
            registry.register(&mut SourceFd(&fd), self.plan_token(), Interest::READABLE)?;
        }
        std::thread::Builder::new()
            .name("plan".to_owned())
            .spawn(move || {
                let (sign, text) = match make() {
                    Ok(text) => ("+", text),
                    Err(text) => ("-", text),
                };
                let mut pipe = theirs;
                // Nobody waits any more if this fails.
                _ = io::Write::write_all(&mut pipe, format!("{sign}{text}").as_bytes());
            })?;
        let text = Vec::new();
        self.plan = Some(Planned { client, pipe, text });
        Ok(())
    }

    fn on_plan(&mut self, now: Instant) {
        let Some(plan) = &mut self.plan else { return };
        let limit = (BODY_MAX + 1 - plan.text.len()) as u64;
        match (&plan.pipe).take(limit).read_to_end(&mut plan.text) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Ok(_) | Err(_) => {}
        }
        let Some(plan) = self.plan.take() else { return };
        let text = String::from_utf8_lossy(plan.text.get(1..).unwrap_or_default()).into_owned();
        let answer = match plan.text.first() {
            Some(b'+') => Ok(text),
            Some(_) => Err(text),
            None => Err("the plan came to no end\n".to_owned()),
        };
        self.answer(plan.client, answer, now);
    }

    /// The supervisor's news, for those who wait for a reload and for the next report.
    pub(crate) fn on_note(&mut self, note: &SupervisorNote, now: Instant) {
        match note {
            SupervisorNote::Reloading => self.reloading.append(&mut self.queued),
            SupervisorNote::ReloadComplete => {
                self.facts.on_reloaded(true, now);
                let text = self.facts.reload_text();
                self.end_reload(&Ok(text), now);
            }
            SupervisorNote::ReloadRefused => {
                self.facts.on_reloaded(false, now);
                let text = self.facts.reload_text();
                self.end_reload(&Err(text), now);
            }
            SupervisorNote::ReloadIncomplete => {
                self.facts.on_reloaded(false, now);
                let text = self.facts.reload_text();
                self.end_reload(&Err(text), now);
            }
            SupervisorNote::Stopping => {
                self.reloading.append(&mut self.queued);
                self.end_reload(&Err("the daemon is stopping\n".to_owned()), now);
            }
            SupervisorNote::Died { kind, .. } => self.facts.on_died(*kind),
            _ => {}
        }
    }

    /// A child has kept its old configuration, and says why.
    pub(crate) fn on_kept(&mut self, kind: Kind, why: &str) {
        let line = format!("{} process: {why}\n", kind.title());
        self.facts.findings.borrow_mut().push_str(&line);
    }

    fn end_reload(&mut self, answer: &Result<String, String>, now: Instant) {
        for client in std::mem::take(&mut self.reloading) {
            self.answer(client, answer.clone(), now);
        }
    }

    fn answer(&mut self, client: ClientId, answer: Result<String, String>, now: Instant) {
        if let Some(control) = &mut self.control {
            let answer = answer.as_ref().map(String::as_bytes);
            control.answer(client, answer.map_err(String::as_bytes), now);
        }
    }

    /// A child runs.
    pub(crate) fn on_started(&mut self, id: ChildId, kind: Kind, pid: u32, now: Instant) {
        self.facts.children.push(ChildFacts {
            id,
            kind,
            pid,
            since: now,
            ready: false,
            heard: None,
        });
    }

    /// A child has said something: that it is ready, or that it is there.
    pub(crate) fn on_heard(&mut self, id: ChildId, now: Instant) {
        let child = self.facts.children.iter_mut().find(|child| child.id == id);
        if let Some(child) = child {
            child.ready = true;
            child.heard = Some(now);
        }
    }

    /// A child has ended; it will not tell any more.
    pub(crate) fn on_ended(&mut self, id: ChildId, now: Instant) {
        self.facts.children.retain(|child| child.id != id);
        let has_vrrp = |child: &ChildFacts| child.kind == Kind::Vrrp;
        if !self.facts.children.iter().any(has_vrrp) {
            while let Some(n) = self.questions.first().map(|question| question.n) {
                self.settle(n, None, now);
            }
        }
    }
}
