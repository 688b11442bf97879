//! A machine that keeps a journal of what goes into it.
//!
//! The journal belongs to the thread that runs the loop: there the hook that sees a panic finds it
//! too. It is written on request, on a signal and after a panic.

use std::cell::RefCell;

use relevo_core::journal::{self, Journal, Secrets};
use relevo_core::machine::{Machine, Out};
use relevo_core::time::Instant;
use relevo_core::vrrp::VrrpNode;
use relevo_core::vrrp::event::{VrrpAction, VrrpEvent, VrrpTimer};

use crate::dump;
use crate::exec::vrrp::VrrpMachine;
use crate::sys::process;

/// The file's name, in the directory for dumps.
const FILE: &str = "keepalived_vrrp.journal";

thread_local! {
    static JOURNAL: RefCell<Option<Journal>> = const { RefCell::new(None) };
}

/// The machine inside sees what it would see without.
pub(crate) struct Recorder<M> {
    machine: M,
    secrets: Secrets,
}

impl<M> Recorder<M> {
    /// Begins this thread's journal, for `machine`, which was made at `began` with `seed`.
    pub(crate) fn new(machine: M, secrets: Secrets, seed: u64, began: Instant) -> Self {
        JOURNAL.set(Some(Journal::new(began, seed)));
        Self { machine, secrets }
    }
}

fn note(write: impl FnOnce(&mut Journal)) {
    JOURNAL.with_borrow_mut(|journal| journal.as_mut().map(write));
}

impl<M: VrrpMachine> Machine for Recorder<M> {
    type Event<'a> = VrrpEvent<'a>;
    type Action = VrrpAction;
    type Timer = VrrpTimer;

    fn handle(&mut self, event: VrrpEvent<'_>, now: Instant, out: &mut Out<VrrpAction>) {
        // Before: what the machine does not survive is the most interesting.
        note(|journal| journal.on_event(&event, &self.secrets, now));
        if let VrrpEvent::Reload { bound, .. } = &event {
            self.secrets = Secrets::of(bound);
        }
        self.machine.handle(event, now, out);
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Out<VrrpAction>) {
        note(|journal| journal.on_timeout(now));
        self.machine.handle_timeout(now, out);
    }

    fn next_timeout(&self) -> Option<(Instant, VrrpTimer)> {
        self.machine.next_timeout()
    }

    fn packets_first(&self, now: Instant) -> bool {
        self.machine.packets_first(now)
    }

    fn more(&self) -> bool {
        self.machine.more()
    }

    fn is_reloading(&self) -> bool {
        self.machine.is_reloading()
    }

    fn snapshot(&self, into: &mut Vec<u8>) {
        self.machine.snapshot(into);
    }
}

impl<M: VrrpMachine> VrrpMachine for Recorder<M> {
    fn node(&self) -> Option<&VrrpNode> {
        self.machine.node()
    }
}

/// Notes whether this thread's machine goes on from the records of a predecessor. From now on a
/// panic on this thread leaves its journal behind.
pub(crate) fn begin(resumed: bool) {
    if resumed {
        note(Journal::on_resumed);
    }
    write_after_panic();
}

/// An image of this thread's journal; empty if it has none.
pub(crate) fn image() -> Vec<u8> {
    let mut image = Vec::new();
    // In the middle of a record nothing can be read; the only way there is a panic in its making.
    JOURNAL.with(|journal| {
        if let Ok(journal) = journal.try_borrow()
            && let Some(journal) = &*journal
        {
            image.reserve_exact(journal::IMAGE_MAX);
            journal.copy_into(&mut image);
        }
    });
    image
}

/// From now on a panic on this thread leaves its journal behind in a file.
fn write_after_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        let image = image();
        if !image.is_empty() {
            _ = dump::write_text(FILE, journal::text(&image));
        }
    }));
}

/// Writes the journal on a thread of its own; the result is told in the log.
pub(crate) fn write_aside() {
    let image = image();
    let written = std::thread::Builder::new()
        .name("journal".to_owned())
        .spawn(move || {
            process::yield_to_others();
            match dump::write_text(FILE, journal::text(&image)) {
                Ok(path) => log::info!("Written: {}", path.display()),
                Err(error) => log::error!("{FILE}: cannot be written: {error}"),
            }
        });
    if let Err(error) = written {
        log::error!("no thread to write the journal: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use relevo_core::config::bound::Bound;
    use relevo_core::vrrp::Command;

    use super::*;

    fn recorder() -> Recorder<VrrpNode> {
        let now = Instant::from_micros(5);
        let node = VrrpNode::new(Arc::new(Bound::default()), 1, now);
        Recorder::new(node, Secrets::default(), 1, now)
    }

    #[test]
    fn what_goes_in_is_kept() {
        let mut machine = recorder();
        let mut out = Out::new();
        let event = VrrpEvent::Command(Command::Stop);
        machine.handle(event, Instant::from_micros(7), &mut out);
        machine.handle_timeout(Instant::from_micros(9), &mut out);
        let text = journal::text(&image());
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(lines, ["# began at 5, seed 1", "7 stop", "9 timeout"]);
    }

    /// A machine with a mistake in it.
    struct Fragile(VrrpNode);

    impl Machine for Fragile {
        type Event<'a> = VrrpEvent<'a>;
        type Action = VrrpAction;
        type Timer = VrrpTimer;
        fn handle(&mut self, _: VrrpEvent<'_>, _: Instant, _: &mut Out<VrrpAction>) {
            panic!("a mistake");
        }
        fn handle_timeout(&mut self, _: Instant, _: &mut Out<VrrpAction>) {}
        fn next_timeout(&self) -> Option<(Instant, VrrpTimer)> {
            self.0.next_timeout()
        }
        fn snapshot(&self, _: &mut Vec<u8>) {}
    }

    impl VrrpMachine for Fragile {}

    const WORD: &str = "RELEVO_TEST_PANICS";

    /// In a process of its own, for the hook is of the whole process, and so is $TMPDIR.
    #[test]
    fn a_panic_leaves_the_last_input_behind() {
        let now = Instant::from_micros(5);
        if std::env::var_os(WORD).is_some() {
            write_after_panic();
            let node = VrrpNode::new(Arc::new(Bound::default()), 1, now);
            let mut machine = Recorder::new(Fragile(node), Secrets::default(), 1, now);
            return machine.handle(VrrpEvent::Continue, now, &mut Out::new());
        }
        let place = std::env::temp_dir().join(format!("relevo-panic-{}", std::process::id()));
        std::fs::create_dir_all(&place).expect("a directory of our own");
        // Who gets there first plants a link.
        let victim = place.join("victim");
        std::fs::write(&victim, "precious").expect("ours");
        std::os::unix::fs::symlink(&victim, place.join(FILE)).expect("ours");
        let name = "recorder::tests::a_panic_leaves_the_last_input_behind";
        let done = std::process::Command::new(std::env::current_exe().expect("a path"))
            .args(["--exact", name])
            .env(WORD, "1")
            .env("TMPDIR", &place)
            .output()
            .expect("it runs");
        assert!(!done.status.success());
        let text = std::fs::read_to_string(place.join(FILE)).expect("it was written");
        assert_eq!(
            text,
            "# relevo journal 1\n# began at 5, seed 1\n5 continue\n"
        );
        assert_eq!(std::fs::read_to_string(&victim).expect("there"), "precious");
        std::fs::remove_dir_all(&place).expect("ours");
    }
}
