//! The parent lets go of addresses by itself, in the rare case that no child is there to do it: the one
//! that held them is dead, and its successor too or not in time. One call, without the loop: nobody else
//! is waiting for the parent then, and a peer may be about to take over.

use std::io;

use relevo_core::config::bound::{Bound, ReceiveBuffer};
use relevo_core::ids::OpId;
use relevo_core::kernel::KernelOp;
use relevo_core::time::Duration;
use relevo_core::vrrp::leftovers::Leftovers;
use relevo_core::vrrp::snapshot::Records;

use crate::clock;
use crate::daemon::Drained;
use crate::netlink::socket::{Commands, Done, Monitor};
use crate::sys;

/// How long the kernel may take to tell its tables; what is known by then is acted on.
const LIMIT: Duration = Duration::from_secs(1);

/// Between two looks at a table that the kernel could not tell at once.
const NAP: Duration = Duration::from_millis(1);

/// How many addresses were there, and how many of them are gone.
pub(crate) struct LetGo {
    pub(crate) found: usize,
    pub(crate) removed: usize,
}

/// Removes what a daemon with this configuration has left, by what it remembers.
pub(crate) fn let_go(bound: &Bound, records: &Records) -> io::Result<LetGo> {
    let left = picture()?.of(bound, records);
    let mut commands = Commands::new(ReceiveBuffer::default())?;
    let mut failed = 0;
    // Somebody else may have been quicker: what is not there is gone.
    let gone = [libc::EADDRNOTAVAIL, libc::ENODEV];
    let mut done = |done: Done| {
        failed += usize::from(done.result.is_err_and(|errno| !gone.contains(&errno.0)));
    };
    for (op, key) in (0..).zip(&left) {
        let change = KernelOp::DelAddress { key: *key };
        commands.push(OpId(op), &change, &mut done);
        if commands.is_full() {
            finish(&mut commands, &mut done)?;
        }
    }
    finish(&mut commands, &mut done)?;
    Ok(LetGo {
        found: left.len(),
        removed: left.len() - failed,
    })
}

fn finish(commands: &mut Commands, done: &mut impl FnMut(Done)) -> io::Result<()> {
    commands.flush(done);
    // When the sending has returned, every answer is waiting.
    while commands.read(done)? == Drained::No {}
    Ok(())
}

fn picture() -> io::Result<Leftovers> {
    let mut left = Leftovers::default();
    let mut monitor = Monitor::new(ReceiveBuffer::default())?;
    monitor.want_table();
    let end = clock::now() + LIMIT;
    loop {
        let now = clock::now();
        if monitor.table_is_due(now) {
            monitor.begin_table(now, &mut |event| left.observe(&event))?;
        }
        while monitor.read(&mut |event| left.observe(&event))? == Drained::No {}
        if monitor.is_at_rest() || clock::now() >= end {
            return Ok(left);
        }
        sys::nap(NAP);
        monitor.on_time(clock::now());
    }
}

#[cfg(test)]
#[path = "leftovers_tests.rs"]
mod tests;
