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

/// Lines of the log about what a new configuration changes; more are summed up.
const LINES_MAX: usize = 16;

/// So many virtual routers take long enough to free that a thread does it.
const MANY: usize = 64;

/// What a thread has made of a text.
pub(crate) struct Fresh {
    /// The number of the reload.
    pub(crate) n: u64,
    /// The configuration, or why it cannot be used.
    pub(crate) result: Result<Arc<Bound>, String>,
}

/// Reloads that were asked for, one at a time.
pub(crate) struct Reloads {
    /// What the text is called in what is told of it.
    config_file: PathBuf,
    waker: Option<Arc<Waker>>,
    sender: Sender<Fresh>,
    receiver: Receiver<Fresh>,
    /// What is asked for while another one is under way.
    queue: VecDeque<(u64, OwnedFd)>,
    /// The one under way, from its reading to its answer.
    current: Option<u64>,
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

    /// Takes an order in; `running` is what is in force now.
    pub(crate) fn ask(&mut self, n: u64, text: OwnedFd, running: &Arc<Bound>) {
        self.queue.push_back((n, text));
        self.begin_next(running);
    }

    fn begin_next(&mut self, running: &Arc<Bound>) {
        if self.current.is_some() {
            return;
        }
        let Some((n, text)) = self.queue.pop_front() else {
            return;
        };
        self.current = Some(n);
        let (path, running) = (self.config_file.clone(), Arc::clone(running));
        let (sender, waker) = (self.sender.clone(), self.waker.clone());
        let read = move || {
            let result = read(&path, text, &running).map(Arc::new);
            if let Ok(bound) = &result {
                tell(&plan(&running, bound));
            }
            // Nobody is left to be told when the executor is gone.
            _ = sender.send(Fresh { n, result });
            if let Some(waker) = waker
                && let Err(error) = waker.wake()
            {
                log::error!("the new configuration cannot be handed over: {error}");
            }
        };
        let spawned = thread::Builder::new().name("reload".into()).spawn(read);
        if let Err(error) = spawned {
            let result = Err(format!("no thread for it: {error}"));
            _ = self.sender.send(Fresh { n, result });
            if let Some(waker) = &self.waker {
                _ = waker.wake();
            }
        }
    }

    /// The next configuration that is ready. If it can be used, it goes to the machine now, and
    /// [`finished`](Self::finished) is asked at the end of each turn; if not, the caller answers.
    pub(crate) fn take(&mut self, running: &Arc<Bound>) -> Option<Fresh> {
        let fresh = self.receiver.try_recv().ok()?;
        if fresh.result.is_ok() {
            self.applying = true;
            self.retired = Some(Arc::clone(running));
        } else {
            self.current = None;
            self.begin_next(running);
        }
        Some(fresh)
    }

    /// The number of the reload that the machine was given and has carried out.
    pub(crate) fn finished(&mut self, is_reloading: bool, running: &Arc<Bound>) -> Option<u64> {
        if !self.applying || is_reloading {
            return None;
        }
        self.applying = false;
        let n = self.current.take();
        if let Some(retired) = self.retired.take()
            && retired.instances.len() >= MANY
        {
            // Thousands of names and addresses; without a thread the loop has to do it.
            _ = thread::Builder::new().spawn(move || drop(retired));
        }
        self.begin_next(running);
        n
    }
}

fn read(path: &Path, text: OwnedFd, running: &Bound) -> Result<Bound, String> {
    let mut bytes = Vec::new();
    let mut file = File::from(text);
    let loaded = file
        .read_to_end(&mut bytes)
        .and_then(|_| configuration::checked_before(path, bytes))
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

/// Tells what a new configuration changes, in a few lines.
fn tell(plan: &Plan) {
    if plan.is_empty() {
        log::info!("The configuration is the same as before");
        return;
    }
    log::info!("The new configuration: {}", plan.summary());
    let mut lines = plan.lines();
    for line in lines.by_ref().take(LINES_MAX) {
        log::info!("{line}");
    }
    let more = lines.count();
    if more > 0 {
        log::info!("and {more} more changes");
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use mio::{Events, Poll};

    use super::*;
    use crate::sys::memfd;

    fn text(text: &str) -> OwnedFd {
        memfd::sealed(text.as_bytes())
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
        reloads.ask(7, text("global_defs {\n router_id one\n}\n"), &running);
        reloads.ask(8, text("global_defs {\n router_id two\n}\n"), &running);
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
        reloads.ask(1, text(bad), &running);
        reloads.ask(2, text(""), &running);
        wait(&mut poll);
        let fresh = reloads.take(&running).expect("one is ready");
        let why = fresh.result.expect_err("nobody hears us there");
        assert!(fresh.n == 1 && why.contains("`lo`"), "{why}");
        assert_eq!(reloads.finished(false, &running), None);
        wait(&mut poll);
        let fresh = reloads.take(&running).expect("the next");
        assert!(fresh.n == 2 && fresh.result.is_ok());
    }
}
