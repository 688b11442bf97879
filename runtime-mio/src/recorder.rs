//! A machine that keeps a journal of what goes into it.
//!
//! The journal belongs to the thread that runs the loop: there the hook that sees a panic finds it
//! too. It is written on request, on a signal and after a panic.

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use relevo_core::journal::{self, Journal, Secrets};
use relevo_core::machine::{Machine, Out};
use relevo_core::time::Instant;
use relevo_core::vrrp::VrrpNode;
use relevo_core::vrrp::event::{VrrpAction, VrrpEvent, VrrpTimer};

use crate::exec::vrrp::VrrpMachine;

/// The file's name, in the directory for temporary files.
const FILE: &str = "keepalived_vrrp.journal";

/// Temporary names that may be taken before it looks deliberate.
const ATTEMPTS: u32 = 16;

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
pub(crate) fn write_after_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        let image = image();
        if !image.is_empty() {
            _ = write(&path(), &image);
        }
    }));
}

/// Writes the journal on a thread of its own; the result is told in the log.
pub(crate) fn write_aside() {
    let image = image();
    let written = std::thread::Builder::new()
        .name("journal".to_owned())
        .spawn(move || {
            let path = path();
            match write(&path, &image) {
                Ok(()) => log::info!("Journal written to {}", path.display()),
                Err(error) => log::error!("{}: {error}: no journal", path.display()),
            }
        });
    if let Err(error) = written {
        log::error!("no thread to write the journal: {error}");
    }
}

/// As the original's dumps: in `$TMPDIR` if that is a directory with an absolute name, else /tmp.
fn path() -> PathBuf {
    let wish = std::env::var_os("TMPDIR").map(PathBuf::from);
    let wish = wish.filter(|path| path.is_absolute() && path.is_dir());
    wish.unwrap_or_else(|| "/tmp".into()).join(FILE)
}

/// Puts the journal's text into the place of `path`, whole or not at all; nothing that lies there,
/// such as a link, is written through.
fn write(path: &Path, image: &[u8]) -> io::Result<()> {
    let text = journal::text(image);
    for attempt in 0..ATTEMPTS {
        let name = path.with_extension(format!("journal.{}-{attempt}", std::process::id()));
        let opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&name);
        let mut file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        };
        let done = file
            .write_all(text.as_bytes())
            .and_then(|()| std::fs::rename(&name, path));
        return done.inspect_err(|_| _ = std::fs::remove_file(&name));
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
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

    #[test]
    fn a_link_in_the_way_is_replaced_and_not_followed() {
        let place = std::env::temp_dir().join(format!("relevo-journal-{}", std::process::id()));
        fs::create_dir_all(&place).expect("a directory of our own");
        let (victim, path) = (place.join("victim"), place.join(FILE));
        fs::write(&victim, "precious").expect("a file of our own");
        symlink(&victim, &path).expect("a link of our own");
        // The first temporary name is taken.
        let taken = path.with_extension(format!("journal.{}-0", std::process::id()));
        symlink(&victim, &taken).expect("a link of our own");
        write(&path, b"").expect("writable");
        assert_eq!(fs::read_to_string(&victim).expect("there"), "precious");
        let there = fs::symlink_metadata(&path).expect("there");
        assert!(there.is_file());
        assert_eq!(there.permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).expect("readable");
        assert!(text.starts_with("# relevo journal 1\n"), "{text}");
        assert_eq!(fs::read_dir(&place).expect("ours").count(), 3);
        fs::remove_dir_all(&place).expect("ours");
    }

    /// The hook is of the whole process, so only its half is tried here: what it would write.
    #[test]
    fn a_machine_that_panics_leaves_its_last_input() {
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
        let now = Instant::from_micros(5);
        let node = VrrpNode::new(Arc::new(Bound::default()), 1, now);
        let mut machine = Recorder::new(Fragile(node), Secrets::default(), 1, now);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            machine.handle(VrrpEvent::Continue, now, &mut Out::new());
        }));
        assert!(outcome.is_err());
        assert!(journal::text(&image()).ends_with("\n5 continue\n"));
    }
}
