use std::os::unix::fs::{PermissionsExt, symlink};

use relevo_core::config::bound::{Bound, InstanceConfig, VirtualAddress};
use relevo_core::ids::Version;
use relevo_core::kernel::KernelEvent;
use relevo_core::machine::{Machine, Out};
use relevo_core::vrrp::{VrrpAction, VrrpEvent, VrrpNode};

use super::*;

/// A record, of a virtual router that waits for its interface.
fn record(vrid: u8) -> Vec<u8> {
    let address = VirtualAddress::new([192, 0, 2, vrid].into(), 32);
    let config = InstanceConfig::new("VI", "eth0", Version::V3, vrid, vec![address]);
    let bound = Bound {
        instances: vec![config],
        ..Bound::default()
    };
    let now = Instant::from_micros(1_000_000);
    let mut node = VrrpNode::new(bound.into(), 1, now);
    let (mut out, mut record) = (Out::new(), Vec::new());
    for event in [KernelEvent::DumpStart, KernelEvent::DumpEnd] {
        node.handle(VrrpEvent::Kernel(event), now, &mut out);
        for action in out.actions() {
            if let VrrpAction::Remember { record: range, .. } = action {
                record = out.bytes(*range).to_vec();
            }
        }
        out.clear();
    }
    assert_eq!(record.len(), RECORD_LEN);
    record
}

fn folder(name: &str) -> PathBuf {
    let name = format!("relevo-memory-{name}-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    _ = fs::remove_dir_all(&folder);
    folder
}

fn map(file: &MemoryFile, slots: usize) -> Memory {
    let file = file.file().try_clone().expect("a descriptor");
    Memory::map(file, slots).expect("mapped")
}

/// What `records` would be with these.
fn records(memory: &Memory, expected: &[(u32, &[u8], Option<u64>, u64)]) -> Records {
    let mut records = Records::new(memory.records().daemon_since);
    for (slot, record, stamped, adverts) in expected {
        records.add(*slot, record, stamped.map(Instant::from_micros), *adverts);
    }
    records
}

#[test]
fn a_successor_finds_what_was_kept() {
    let mut memory = Memory::in_memory(2).expect("memory");
    assert!(memory.records().is_empty());
    let (one, two) = (record(1), record(2));
    memory.remember(0, &one);
    memory.remember(1, &one);
    memory.remember(1, &two);
    let expected = [(0, &one[..], None, 0), (1, &two[..], None, 0)];
    assert_eq!(memory.records(), records(&memory, &expected));
    memory.forget(1);
    assert_eq!(memory.records(), records(&memory, &expected[..1]));
    memory.remember(0, &[]);
    assert!(memory.records().is_empty());
}

#[test]
fn a_process_that_dies_while_it_writes_leaves_the_older_record() {
    let mut memory = Memory::in_memory(1).expect("memory");
    let (one, two) = (record(1), record(2));
    memory.remember(0, &one);
    for _ in 0..3 {
        // Half of the next one, as after any number of its stores.
        for stores in 0..RECORD {
            let words = memory.slot(0);
            let newer = words[0].load(Relaxed) > words[PLACE].load(Relaxed);
            let older = usize::from(newer) * PLACE;
            words[older].store(0, Relaxed);
            let octets = two.chunks_exact(8).take(stores);
            for (word, octets) in words[older + 1..].iter().zip(octets) {
                let octets = octets.try_into().expect("eight octets");
                word.store(u64::from_le_bytes(octets), Relaxed);
            }
            let expected = [(0, &one[..], None, 0)];
            assert_eq!(memory.records(), records(&memory, &expected), "{stores}");
        }
        memory.remember(0, &one);
    }
}

#[test]
fn a_damaged_record_gives_way_to_the_older_one_and_is_told_when_it_is_the_only_one() {
    let mut memory = Memory::in_memory(1).expect("memory");
    let (one, two) = (record(1), record(2));
    memory.remember(0, &one);
    memory.remember(0, &two);
    memory.slot(0)[PLACE + 9].fetch_xor(1, Relaxed);
    let expected = [(0, &one[..], None, 0)];
    assert_eq!(memory.records(), records(&memory, &expected));
    memory.slot(0)[9].fetch_xor(1, Relaxed);
    assert_eq!(memory.records().to_string(), "0 records, 1 refused");
}

#[test]
fn the_file_grows_with_the_number_of_virtual_routers_and_is_small_for_a_few() {
    let mut memory = Memory::in_memory(2).expect("memory");
    let len = |memory: &Memory| memory.file.metadata().expect("metadata").len();
    assert_eq!(len(&memory), 4_096);
    let one = record(1);
    memory.remember(0, &one);
    memory.remember(1_999, &one);
    memory.remember(u32::MAX, &one);
    assert!(len(&memory) <= 3_500_000, "{}", len(&memory));
    let expected = [(0, &one[..], None, 0), (1_999, &one[..], None, 0)];
    assert_eq!(memory.records(), records(&memory, &expected));
}

#[test]
fn the_next_daemon_finds_the_file_and_a_clean_end_removes_it() {
    let folder = folder("next");
    let path = folder.join("relevo_vrrp.memory");
    let first = MemoryFile::open(&path).expect("opened");
    assert!(first.path.is_some(), "under its name");
    let data = fs::metadata(&path).expect("there");
    assert_eq!(data.mode() & 0o7777, 0o600);
    let one = record(1);
    map(&first, 1).remember(0, &one);
    let since = map(&first, 1).records().daemon_since;
    // While it runs, another one does not get it.
    let other = MemoryFile::open(&path).expect("something else");
    assert!(other.path.is_none() && map(&other, 1).records().is_empty());
    drop(first);
    let second = MemoryFile::open(&path).expect("opened");
    let memory = map(&second, 1);
    let expected = [(0, &one[..], None, 0)];
    assert_eq!(memory.records(), records(&memory, &expected));
    assert!(memory.records().daemon_since > since);
    drop(memory);
    second.remove();
    assert!(!path.exists());
    fs::remove_dir_all(&folder).expect("removable");
}

#[test]
fn a_file_of_another_boot_or_layout_is_emptied() {
    let folder = folder("boot");
    let path = folder.join("x.memory");
    for place in [0, BOOT, BOOT + 1] {
        let file = MemoryFile::open(&path).expect("opened");
        map(&file, 1).remember(0, &record(1));
        map(&file, 1).shared.words()[place].fetch_xor(1, Relaxed);
        drop(file);
        let again = MemoryFile::open(&path).expect("opened");
        assert!(map(&again, 1).records().is_empty(), "word {place}");
    }
    fs::write(&path, [0xff; 10_000]).expect("a file of our own");
    let again = MemoryFile::open(&path).expect("opened");
    assert!(again.path.is_some() && map(&again, 1).records().is_empty());
    fs::remove_dir_all(&folder).expect("removable");
}

#[test]
fn what_somebody_has_planted_is_refused_and_left_alone() {
    let folder = folder("planted");
    fs::create_dir(&folder).expect("a folder of our own");
    let target = folder.join("target");
    let own_only = |path: &Path| {
        fs::write(path, "precious").expect("a file");
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(path, mode).expect("its mode");
    };
    type Plant<'a> = (&'a str, &'a dyn Fn(&Path));
    let plant: [Plant<'_>; 5] = [
        ("a link", &|path| symlink(&target, path).expect("a link")),
        ("a second name", &|path| {
            fs::hard_link(&target, path).expect("a link");
        }),
        ("others may write", &|path| {
            own_only(path);
            let mode = fs::Permissions::from_mode(0o622);
            fs::set_permissions(path, mode).expect("its mode");
        }),
        ("another user's", &|path| {
            own_only(path);
            std::os::unix::fs::chown(path, Some(65_534), None).expect("its owner");
        }),
        ("no file", &|path| fs::create_dir(path).expect("a folder")),
    ];
    for (number, (what, plant)) in plant.into_iter().enumerate() {
        own_only(&target);
        let path = folder.join(number.to_string());
        plant(&path);
        let file = MemoryFile::open(&path).expect("something else");
        assert!(file.path.is_none(), "{what}");
        map(&file, 1).remember(0, &record(1));
        assert_eq!(fs::read(&target).expect("there"), b"precious", "{what}");
        file.remove();
        assert!(path.exists(), "{what}");
    }
    fs::remove_dir_all(&folder).expect("removable");
}

#[test]
fn the_file_stands_beside_the_pid_file_that_has_a_place_of_its_own() {
    let own = path(None);
    assert_eq!(own, Path::new("/run/keepalived/relevo_vrrp.memory"));
    let beside = path(Some(Path::new("/run/a/vrrp.pid")));
    assert_eq!(beside, Path::new("/run/a/vrrp.memory"));
}

#[test]
fn adverts_are_stamped_when_they_have_left() {
    let mut kept = Remembrance::new(Memory::in_memory(2).ok());
    let one = record(1);
    kept.remember(InstanceId(0), 1, &one);
    let stamps = |kept: &Remembrance| {
        let memory = kept.memory.as_ref().expect("a memory");
        let words = memory.slot(1);
        (words[STAMPS].load(Relaxed), words[STAMPS + 1].load(Relaxed))
    };
    kept.on_collected(InstanceId(0));
    assert_eq!(stamps(&kept), (0, 0), "not yet");
    kept.on_unsent(InstanceId(0));
    kept.stamp();
    assert_eq!(stamps(&kept), (0, 0), "it was not sent");
    let before = clock::now().as_micros();
    kept.on_collected(InstanceId(0));
    kept.on_collected(InstanceId(0));
    // Of one that has no slot.
    kept.on_collected(InstanceId(7));
    kept.stamp();
    let (at, adverts) = stamps(&kept);
    assert!(at >= before && adverts == 2, "{at} {adverts}");
}

#[test]
fn each_pid_file_has_a_memory_of_its_own() {
    let of = |file: &str| path(Some(Path::new(file)));
    assert_eq!(of("/run/vrrp.pid"), Path::new("/run/vrrp.memory"));
    assert_eq!(of("/run/vrrp.a"), Path::new("/run/vrrp.a.memory"));
    assert_eq!(of("/run/vrrp"), Path::new("/run/vrrp.memory"));
    assert_ne!(of("/run/vrrp.a"), of("/run/vrrp.b"));
}

/// The child of a killed parent holds the file while it says farewell.
#[test]
fn one_that_is_about_to_leave_is_waited_for() {
    let folder = folder("wait");
    let path = folder.join("x.memory");
    let before = MemoryFile::open(&path).expect("a file");
    let leaving = std::thread::spawn(move || {
        sys::nap(Duration::from_millis(100));
        drop(before);
    });
    let after = MemoryFile::open(&path).expect("a file");
    assert!(after.path.is_some(), "it is the one in memory");
    leaving.join().expect("it left");
    fs::remove_dir_all(&folder).expect("ours");
}
