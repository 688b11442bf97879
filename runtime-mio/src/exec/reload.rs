//! A new configuration on its way into the child: read, checked and compared on a thread of its
//! own, so that the loop never waits for it, and then handed to the machine.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use mio::{Registry, Token, Waker};
use relevo_core::config::bound::Bound;
use relevo_core::config::start_exit_code;
use relevo_core::vrrp::plan::{Plan, plan};

use crate::configuration;
use crate::sys::scheduling;

/// Lines of the log about what a new configuration changes; more are summed up.
const LINES_MAX: usize = 16;

/// So many virtual routers take long enough to free that a thread does it.
const MANY: usize = 64;

/// A configuration that is to be taken now.
pub(crate) struct Fresh {
    /// The number of the reload.
    pub(crate) n: u64,
    /// The configuration, or why it cannot be used.
    pub(crate) result: Result<Arc<Bound>, String>,
    /// What it changes, for the log.
    pub(crate) lines: Vec<String>,
}

/// What a thread has made of a text.
struct Made {
    result: Result<Arc<Bound>, String>,
    lines: Vec<String>,
}

/// A text that a thread reads or has read.
struct Job {
    /// Which thread it is.
    thread: u64,
    /// The number of the text.
    text: u64,
    /// The number of the reload that wants it; none while the parent has not decided.
    wanted: Option<u64>,
    made: Option<Made>,
}

/// Reloads that were asked for, one at a time.
///
/// The parent shows a text while it is still checking it, and this process reads it meanwhile; it
/// is taken when the parent says so.
pub(crate) struct Reloads {
    /// What the text is called in what is told of it.
    config_file: PathBuf,
    waker: Option<Arc<Waker>>,
    sender: Sender<(u64, Made)>,
    receiver: Receiver<(u64, Made)>,
    threads: u64,
    /// What is asked for while another one is under way: numbers of the reload and of its text.
    queue: VecDeque<(u64, u64, OwnedFd)>,
    /// The one under way, from its reading to its answer.
    current: Option<Job>,
    /// The machine has it.
    applying: bool,
    /// The configuration that it replaces.
    retired: Option<Arc<Bound>>,
}

impl Reloads {
    /// Nothing is asked for yet.
    pub(crate) fn new(config_file: &Path) -> Self {
        let (sender, receiver) = channel();
        Self {
            config_file: config_file.to_owned(),
            waker: None,
            sender,
            receiver,
            threads: 0,
            queue: VecDeque::new(),
            current: None,
            applying: false,
            retired: None,
        }
    }

    /// `token` will become readable when a configuration is ready to be taken.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.waker = Some(Arc::new(Waker::new(registry, token)?));
        Ok(())
    }

    /// Begins to read a text that may be wanted soon; `running` is what is in force now. While
    /// another one is under way nothing is prepared: the order will bring the text again.
    pub(crate) fn prepare(&mut self, n: u64, text: OwnedFd, running: &Arc<Bound>) {
        if self.current.is_none() {
            self.begin(n, None, text, running);
        }
    }

    /// The text of this number will not be wanted.
    pub(crate) fn forget(&mut self, n: u64, running: &Arc<Bound>) {
        if self.undecided() == Some(n) {
            self.dismiss();
            self.begin_next(running);
        }
    }

    /// Takes an order in. Afterwards [`take`](Self::take) is to be asked: the text may have been
    /// prepared.
    pub(crate) fn ask(&mut self, n: u64, text: u64, file: OwnedFd, running: &Arc<Bound>) {
        match (self.undecided(), &mut self.current) {
            (Some(prepared), Some(job)) if prepared == text => job.wanted = Some(n),
            (undecided, _) => {
                if undecided.is_some() {
                    self.dismiss();
                }
                self.queue.push_back((n, text, file));
                self.begin_next(running);
            }
        }
    }

    /// The number of the text that is prepared and not wanted yet.
    fn undecided(&self) -> Option<u64> {
        let job = self.current.as_ref()?;
        job.wanted.is_none().then_some(job.text)
    }

    /// Gives up what was prepared; if its thread has not answered yet, it will be ignored.
    fn dismiss(&mut self) {
        if let Some(Made {
            result: Ok(bound), ..
        }) = self.current.take().and_then(|job| job.made)
        {
            discard(bound);
        }
    }

    fn begin_next(&mut self, running: &Arc<Bound>) {
        if self.current.is_none()
            && let Some((n, text, file)) = self.queue.pop_front()
        {
            self.begin(text, Some(n), file, running);
        }
    }

    fn begin(&mut self, text: u64, wanted: Option<u64>, file: OwnedFd, running: &Arc<Bound>) {
        self.threads += 1;
        let thread = self.threads;
        self.current = Some(Job {
            thread,
            text,
            wanted,
            made: None,
        });
        let (path, running) = (self.config_file.clone(), Arc::clone(running));
        let (sender, waker) = (self.sender.clone(), self.waker.clone());
        let read = move || {
            scheduling::give_way();
            let result = read(&path, file, &running).map(Arc::new);
            let plan = result.as_ref().map(|bound| plan(&running, bound));
            let lines = plan.as_ref().map(lines).unwrap_or_default();
            // Nobody is left to be told when the executor is gone.
            _ = sender.send((thread, Made { result, lines }));
            if let Some(waker) = waker
                && let Err(error) = waker.wake()
            {
                log::error!("the new configuration cannot be handed over: {error}");
            }
        };
        let spawned = thread::Builder::new().name("reload".into()).spawn(read);
        if let Err(error) = spawned {
            let made = Made {
                result: Err(format!("no thread for it: {error}")),
                lines: Vec::new(),
            };
            _ = self.sender.send((thread, made));
            if let Some(waker) = &self.waker {
                _ = waker.wake();
            }
        }
    }

    /// The next configuration that is ready. If it can be used, it goes to the machine now, and
    /// [`finished`](Self::finished) is asked at the end of each turn; if not, the caller answers.
    pub(crate) fn take(&mut self, running: &Arc<Bound>) -> Option<Fresh> {
        while let Ok((thread, made)) = self.receiver.try_recv() {
            match &mut self.current {
                Some(job) if job.thread == thread => job.made = Some(made),
                Some(_) | None => {
                    if let Ok(bound) = made.result {
                        discard(bound);
                    }
                }
            }
        }
        let job = self.current.as_mut()?;
        let n = job.wanted?;
        let Made { result, lines } = job.made.take()?;
        if result.is_ok() {
            self.applying = true;
            self.retired = Some(Arc::clone(running));
        } else {
            self.current = None;
            self.begin_next(running);
        }
        Some(Fresh { n, result, lines })
    }

    /// The number of the reload that the machine was given and has carried out.
    pub(crate) fn finished(&mut self, is_reloading: bool, running: &Arc<Bound>) -> Option<u64> {
        if !self.applying || is_reloading {
            return None;
        }
        self.applying = false;
        let n = self.current.take().and_then(|job| job.wanted);
        if let Some(retired) = self.retired.take() {
            discard(retired);
        }
        self.begin_next(running);
        n
    }
}

/// Frees thousands of names and addresses on a thread; without one the loop has to do it.
fn discard(bound: Arc<Bound>) {
    if bound.instances.len() >= MANY {
        _ = thread::Builder::new().spawn(move || drop(bound));
    }
}

fn read(path: &Path, text: OwnedFd, running: &Bound) -> Result<Bound, String> {
    let mut bytes = Vec::new();
    let mut file = File::from(text);
    let loaded = file
        .read_to_end(&mut bytes)
        .and_then(|_| configuration::from_bytes(path, &bytes)?.bind_again())
        .map_err(|error| error.to_string())?;
    // The parent has told everything already, unless the host has changed since.
    if start_exit_code(&loaded.diagnostics).is_some() {
        let fatal = loaded.diagnostics.iter().max_by_key(|it| it.severity);
        return Err(fatal.map_or_else(String::new, ToString::to_string));
    }
    let mut bound = loaded.bound;
    // The start is over.
    bound.global.startup_delay = running.global.startup_delay;
    bound.global.release_vips = running.global.release_vips;
    bound.global.keep_vips = running.global.keep_vips;
    Ok(bound)
}

/// What a new configuration changes, in a few lines.
fn lines(plan: &Plan) -> Vec<String> {
    if plan.is_empty() {
        return vec!["The configuration is the same as before".to_owned()];
    }
    let mut lines = vec![format!("The new configuration: {}", plan.summary())];
    let mut all = plan.lines();
    lines.extend(all.by_ref().take(LINES_MAX));
    let more = all.count();
    if more > 0 {
        lines.push(format!("and {more} more changes"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use mio::{Events, Poll};

    use relevo_core::config::source::Bundle;

    use super::*;
    use crate::sys::memfd;

    fn text(text: &str) -> OwnedFd {
        let bundle = Bundle::single("/etc/x.conf", text);
        memfd::sealed(&bundle.encode())
            .expect("a file in memory")
            .into()
    }

    fn wait(poll: &mut Poll) {
        let mut events = Events::with_capacity(4);
        let limit = Some(Duration::from_secs(20));
        poll.poll(&mut events, limit).expect("a wait");
        assert!(!events.is_empty(), "nothing came");
    }

    #[test]
    fn texts_are_read_one_after_the_other_and_answered_when_carried_out() {
        let mut poll = Poll::new().expect("a poll");
        let mut reloads = Reloads::new(Path::new("/etc/x.conf"));
        reloads
            .register(poll.registry(), Token(1))
            .expect("registered");
        let mut running = Arc::new(Bound::default());
        reloads.ask(7, 1, text("global_defs {\n router_id one\n}\n"), &running);
        reloads.ask(8, 2, text("global_defs {\n router_id two\n}\n"), &running);
        for (n, name) in [(7, "one"), (8, "two")] {
            wait(&mut poll);
            let fresh = reloads.take(&running).expect("one is ready");
            assert_eq!(fresh.n, n);
            assert!(reloads.take(&running).is_none(), "one at a time");
            let bound = fresh.result.expect("it can be used");
            assert_eq!(bound.global.router_id, name);
            assert_eq!(reloads.finished(true, &running), None);
            running = bound;
            assert_eq!(reloads.finished(false, &running), Some(n));
            assert_eq!(reloads.finished(false, &running), None, "once");
        }
    }

    #[test]
    fn what_cannot_be_used_says_why_and_holds_nothing_up() {
        let mut poll = Poll::new().expect("a poll");
        let mut reloads = Reloads::new(Path::new("/etc/x.conf"));
        reloads
            .register(poll.registry(), Token(1))
            .expect("registered");
        let running = Arc::new(Bound::default());
        let bad = "vrrp_instance A {\n interface lo\n virtual_router_id 1\n \
                   virtual_ipaddress {\n 10.0.0.1\n }\n}\n";
        reloads.ask(1, 1, text(bad), &running);
        reloads.ask(2, 2, text(""), &running);
        wait(&mut poll);
        let fresh = reloads.take(&running).expect("one is ready");
        let why = fresh.result.expect_err("nobody hears us there");
        assert!(fresh.n == 1 && why.contains("`lo`"), "{why}");
        assert_eq!(reloads.finished(false, &running), None);
        wait(&mut poll);
        let fresh = reloads.take(&running).expect("the next");
        assert!(fresh.n == 2 && fresh.result.is_ok());
    }
    #[test]
    fn what_was_prepared_is_taken_when_it_is_wanted_and_not_before() {
        let mut poll = Poll::new().expect("a poll");
        let mut reloads = Reloads::new(Path::new("/etc/x.conf"));
        reloads
            .register(poll.registry(), Token(1))
            .expect("registered");
        let running = Arc::new(Bound::default());
        let one = "global_defs {\n router_id one\n}\n";
        reloads.prepare(5, text(one), &running);
        wait(&mut poll);
        assert!(reloads.take(&running).is_none(), "nobody wants it yet");
        // The text itself was read before.
        reloads.ask(1, 5, text(""), &running);
        let fresh = reloads.take(&running).expect("it is ready");
        assert_eq!(fresh.result.expect("usable").global.router_id, "one");
        assert_eq!(fresh.lines.len(), 2, "{:?}", fresh.lines);
        assert_eq!(reloads.finished(false, &running), Some(1));

        // One that is forgotten is read in vain, one that is replaced too.
        reloads.prepare(6, text(one), &running);
        reloads.forget(5, &running);
        reloads.forget(6, &running);
        reloads.prepare(7, text(one), &running);
        reloads.ask(2, 8, text("global_defs {\n router_id two\n}\n"), &running);
        let fresh = loop {
            wait(&mut poll);
            if let Some(fresh) = reloads.take(&running) {
                break fresh;
            }
        };
        assert_eq!(fresh.n, 2);
        assert_eq!(fresh.result.expect("usable").global.router_id, "two");
        assert_eq!(reloads.finished(false, &running), Some(2));
        assert!(reloads.take(&running).is_none());
    }

    #[test]
    fn nothing_is_prepared_while_a_reload_is_under_way() {
        let mut poll = Poll::new().expect("a poll");
        let mut reloads = Reloads::new(Path::new("/etc/x.conf"));
        reloads
            .register(poll.registry(), Token(1))
            .expect("registered");
        let running = Arc::new(Bound::default());
        reloads.ask(1, 1, text(""), &running);
        reloads.prepare(2, text("global_defs {\n router_id one\n}\n"), &running);
        reloads.ask(2, 2, text("global_defs {\n router_id two\n}\n"), &running);
        wait(&mut poll);
        assert_eq!(reloads.take(&running).map(|fresh| fresh.n), Some(1));
        assert!(reloads.take(&running).is_none(), "one at a time");
        assert_eq!(reloads.finished(false, &running), Some(1));
        wait(&mut poll);
        let fresh = reloads.take(&running).expect("the second");
        assert_eq!(fresh.result.expect("usable").global.router_id, "two");
    }
}
