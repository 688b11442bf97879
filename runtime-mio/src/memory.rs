//! The memory that outlives a VRRP child: a file of slots, one for each virtual router.
//!
//! The parent opens it and hands it to each child; the child maps it and keeps the machine's
//! records in it ([`relevo_core::vrrp::snapshot`] has the rule of what a successor makes of them).
//! So it outlives the child, and as a file under /run it outlives the parent too, but not the
//! host: a header names the boot that its moments belong to.
//!
//! A slot has two places for a record, which are written in turn, each with a sequence number that
//! is stored last: a process that is killed while it writes leaves the older record. Beside them
//! stand the moment of the last advert and the number of adverts since the record, stored by whoever
//! sends them; one word each, so they are never half written.
//!
//! The file is for its owner alone. One that is somebody else's, that others may write, that has a
//! second name, that is a symbolic link or that another daemon has locked is refused and left alone;
//! the daemon then works with a file in memory that ends with it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::sync::atomic::{Ordering, compiler_fence};

use relevo_core::ids::InstanceId;
use relevo_core::machine::Out;
use relevo_core::time::{Duration, Instant};
use relevo_core::vrrp::VrrpAction;
use relevo_core::vrrp::snapshot::{RECORD_LEN, Records};

use crate::clock;
use crate::places::{self, make_directory};
use crate::sys::process::user;
use crate::sys::shared::{SharedWords, anonymous_file};
use crate::sys::{self, lock};

/// The first word of the file: its kind and the version of its layout.
const MAGIC: u64 = u64::from_le_bytes(*b"RELEVO\x00\x01");

/// Words of the header: kind, two of the boot, the beginning of the daemon.
const HEADER: usize = 8;
const BOOT: usize = 1;
const SINCE: usize = 3;

/// Words of a record, of one of its two places (its sequence number first), and of a slot.
const RECORD: usize = RECORD_LEN / 8;
const PLACE: usize = 1 + RECORD;
const STAMPS: usize = 2 * PLACE;
const SLOT: usize = STAMPS + 2;

/// Octets of a page: the file grows by whole ones.
const PAGE: usize = 4_096;

/// A child whose parent was killed has the lock until it has left, and so long a new daemon waits. It
/// leaves within a few hundredths of a second.
const LOCK_WAIT: Duration = Duration::from_secs(1);
const LOCK_NAP: Duration = Duration::from_millis(10);

/// More slots than any configuration has: the file does not grow for ever.
const SLOTS_MAX: usize = 1 << 20;

/// The parent's hold on the file.
#[derive(Debug)]
pub(crate) struct MemoryFile {
    file: File,
    /// Its name; none for a file in memory.
    path: Option<PathBuf>,
}

impl MemoryFile {
    /// Opens the file of this daemon, or takes one in memory, and tells why.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        match Self::try_open(path) {
            Ok(memory) => Ok(memory),
            Err(error) => {
                log::warn!(
                    "{}: {error}: what virtual routers do is remembered until this process ends, \
                     not beyond",
                    path.display()
                );
                let file = anonymous_file()?;
                let memory = Self { file, path: None };
                memory.begin()?;
                Ok(memory)
            }
        }
    }

    fn try_open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) {
            make_directory(folder)?;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path)?;
        let data = file.metadata()?;
        let refuse = |why| Err(io::Error::other(why));
        if !data.is_file() {
            return refuse("it is not a regular file");
        }
        if data.uid() != user() {
            return refuse("it belongs to another user");
        }
        if data.mode() & 0o077 != 0 {
            return refuse("other users may use it");
        }
        if data.nlink() != 1 {
            return refuse("it has more than one name");
        }
        let limit = clock::now() + LOCK_WAIT;
        while !lock::try_lock(&file)? {
            if clock::now() >= limit {
                return refuse("another daemon uses it");
            }
            sys::nap(LOCK_NAP);
        }
        let path = Some(path.to_owned());
        let memory = Self { file, path };
        memory.begin()?;
        Ok(memory)
    }

    /// Empties a file of another boot or layout, and notes that this daemon begins.
    fn begin(&self) -> io::Result<()> {
        let boot = boot_id()?;
        let header = SharedWords::map(&self.file, HEADER)?;
        let is = |place: usize, word: u64| header.words()[place].load(Relaxed) == word;
        let known = is(0, MAGIC) && is(BOOT, boot[0]) && is(BOOT + 1, boot[1]);
        if !known {
            self.file.set_len(0)?;
            self.file.set_len((HEADER * 8) as u64)?;
        }
        let words = [MAGIC, boot[0], boot[1], clock::now().as_micros()];
        for (place, word) in header.words().iter().zip(words) {
            place.store(word, Relaxed);
        }
        Ok(())
    }

    /// For a child to inherit.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The daemon ends in order: nothing is left to know.
    pub(crate) fn remove(self) {
        if let Some(path) = &self.path
            && let Err(error) = self.file.set_len(0).and_then(|()| fs::remove_file(path))
        {
            log::debug!("{}: {error}", path.display());
        }
    }
}

/// Where the file is: beside the child's pid file, if that has a place of its own, since whoever
/// runs several daemons on a host gives each its own.
pub(crate) fn path(vrrp_pid_file: Option<&Path>) -> PathBuf {
    match vrrp_pid_file {
        Some(file) if file.extension() == Some("pid".as_ref()) => file.with_extension("memory"),
        Some(file) => {
            let mut name = file.as_os_str().to_owned();
            name.push(".memory");
            name.into()
        }
        None => Path::new(places::OWN).join("relevo_vrrp.memory"),
    }
}

/// The number of this boot of the host.
fn boot_id() -> io::Result<[u64; 2]> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let number = u128::from_str_radix(&digits, 16);
    let number = number.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok([(number >> 64) as u64, number as u64])
}

/// The child's hold on the file: the slots.
#[derive(Debug)]
pub(crate) struct Memory {
    file: File,
    shared: SharedWords,
    slots: usize,
}

impl Memory {
    /// Maps what the parent has opened, with room for at least so many slots.
    pub(crate) fn map(file: File, slots: usize) -> io::Result<Self> {
        let kept = (file.metadata()?.len() / 8).saturating_sub(HEADER as u64) / SLOT as u64;
        let slots = slots.max(usize::try_from(kept).unwrap_or(SLOTS_MAX));
        let (shared, slots) = map_slots(&file, slots)?;
        Ok(Self {
            file,
            shared,
            slots,
        })
    }

    /// A memory that ends with the process.
    #[cfg(test)]
    pub(crate) fn in_memory(slots: usize) -> io::Result<Self> {
        Self::map(anonymous_file()?, slots)
    }

    /// Everything that a predecessor has left.
    pub(crate) fn records(&self) -> Records {
        let since = self.shared.words()[SINCE].load(Relaxed);
        let mut records = Records::new(Instant::from_micros(since));
        for slot in 0..self.slots {
            let words = self.slot(slot);
            // The latest that is whole; if that is damaged, the other one.
            let mut places = [0, 1].map(|place| place * PLACE);
            places.sort_by_key(|place| std::cmp::Reverse(words[*place].load(Relaxed)));
            let written = places.map(|place| {
                let sequence = words[place].load(Relaxed);
                (sequence > 0).then(|| octets(&words[place + 1..place + PLACE]))
            });
            let stamped = match words[STAMPS].load(Relaxed) {
                0 => None,
                micros => Some(Instant::from_micros(micros)),
            };
            let adverts = words[STAMPS + 1].load(Relaxed);
            let readable = |octets: &&Vec<u8>| Records::is_readable(octets);
            let latest = written.iter().flatten().find(readable);
            if let Some(octets) = latest.or(written.iter().flatten().next()) {
                records.add(slot as u32, octets, stamped, adverts);
            }
        }
        records
    }

    /// Keeps a record; an empty one is none.
    pub(crate) fn remember(&mut self, slot: u32, record: &[u8]) {
        let Some(words) = self.room_for(slot) else {
            return;
        };
        if record.is_empty() {
            return forget(words);
        }
        let sequences = [0, PLACE].map(|place| words[place].load(Relaxed));
        let place = if sequences[0] <= sequences[1] {
            0
        } else {
            PLACE
        };
        let next = sequences[0].max(sequences[1]).wrapping_add(1);
        words[place].store(0, Relaxed);
        compiler_fence(Ordering::SeqCst);
        for (word, octets) in words[place + 1..].iter().zip(record.chunks_exact(8)) {
            let octets = octets.try_into().unwrap_or_default();
            word.store(u64::from_le_bytes(octets), Relaxed);
        }
        words[STAMPS + 1].store(0, Relaxed);
        words[place].store(next, Release);
        compiler_fence(Ordering::SeqCst);
    }

    /// Keeps nothing in a slot any more.
    pub(crate) fn forget(&mut self, slot: u32) {
        if (slot as usize) < self.slots {
            forget(self.slot(slot as usize));
        }
    }

    /// Adverts have left.
    pub(crate) fn stamp(&self, slot: u32, now: Instant, adverts: u64) {
        if (slot as usize) < self.slots {
            let words = self.slot(slot as usize);
            words[STAMPS].store(now.as_micros(), Relaxed);
            let count = words[STAMPS + 1].load(Relaxed);
            words[STAMPS + 1].store(count.wrapping_add(adverts), Relaxed);
        }
    }

    fn slot(&self, slot: usize) -> &[AtomicU64] {
        let start = HEADER + slot * SLOT;
        &self.shared.words()[start..start + SLOT]
    }

    fn room_for(&mut self, slot: u32) -> Option<&[AtomicU64]> {
        let slot = slot as usize;
        if slot >= self.slots {
            match map_slots(&self.file, slot + 1) {
                Ok((shared, slots)) => (self.shared, self.slots) = (shared, slots),
                Err(error) => {
                    log::warn!("The memory of virtual routers cannot grow: {error}");
                    return None;
                }
            }
        }
        Some(self.slot(slot))
    }
}

/// The executor's side: which slot is whose, and whose adverts have been handed to the kernel.
#[derive(Debug)]
pub(crate) struct Remembrance {
    memory: Option<Memory>,
    /// By number of the instance.
    slots: Vec<u32>,
    /// Whose adverts were collected since the last stamp, one entry each, with the slot of then.
    collected: Vec<(InstanceId, u32)>,
}

impl Remembrance {
    /// Without a memory nothing is kept.
    pub(crate) fn new(memory: Option<Memory>) -> Self {
        Self {
            memory,
            slots: Vec::new(),
            collected: Vec::new(),
        }
    }

    /// Does what a machine wants kept or forgotten.
    pub(crate) fn carry_out(&mut self, action: &VrrpAction, out: &Out<VrrpAction>) {
        match action {
            VrrpAction::Remember {
                instance,
                slot,
                record,
            } => self.remember(*instance, *slot, out.bytes(*record)),
            VrrpAction::Forget { slot } => self.forget(*slot),
            _ => {}
        }
    }

    /// Keeps the record of `instance` in `slot`, which its adverts are stamped in from now on.
    fn remember(&mut self, instance: InstanceId, slot: u32, record: &[u8]) {
        let index = instance.0 as usize;
        if self.slots.len() <= index {
            self.slots.resize(index + 1, NOWHERE);
        }
        self.slots[index] = slot;
        if let Some(memory) = &mut self.memory {
            memory.remember(slot, record);
        }
    }

    fn forget(&mut self, slot: u32) {
        if let Some(memory) = &mut self.memory {
            memory.forget(slot);
        }
    }

    /// An advert is going to be sent.
    pub(crate) fn on_collected(&mut self, instance: InstanceId) {
        if let Some(slot) = self.slots.get(instance.0 as usize) {
            self.collected.push((instance, *slot));
        }
    }

    /// It was not.
    pub(crate) fn on_unsent(&mut self, instance: InstanceId) {
        let sent = self
            .collected
            .iter()
            .rposition(|(sent, _)| *sent == instance);
        if let Some(index) = sent {
            self.collected.swap_remove(index);
        }
    }

    /// What was collected has been sent.
    pub(crate) fn stamp(&mut self) {
        if self.collected.is_empty() {
            return;
        }
        let now = clock::now();
        for (_, slot) in self.collected.drain(..) {
            if let Some(memory) = &self.memory {
                memory.stamp(slot, now, 1);
            }
        }
    }
}

/// The slot of an instance that has none yet.
const NOWHERE: u32 = u32::MAX;

fn forget(words: &[AtomicU64]) {
    // The latest last: until then it counts.
    let older = usize::from(words[0].load(Relaxed) > words[PLACE].load(Relaxed)) * PLACE;
    for place in [older, PLACE - older] {
        words[place].store(0, Relaxed);
        compiler_fence(Ordering::SeqCst);
    }
    words[STAMPS].store(0, Relaxed);
    words[STAMPS + 1].store(0, Relaxed);
}

/// Whole pages, and as many slots as they hold.
fn map_slots(file: &File, slots: usize) -> io::Result<(SharedWords, usize)> {
    if slots > SLOTS_MAX {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let octets = (HEADER + slots * SLOT) * 8;
    let words = octets.next_multiple_of(PAGE) / 8;
    let shared = SharedWords::map(file, words)?;
    Ok((shared, (words - HEADER) / SLOT))
}

fn octets(words: &[AtomicU64]) -> Vec<u8> {
    let words = words.iter().map(|word| word.load(Relaxed));
    words.flat_map(u64::to_le_bytes).collect()
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
