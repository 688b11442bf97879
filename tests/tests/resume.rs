#![forbid(unsafe_code)]
//! What a new process makes of what the former one left, case by case, without a network.

use std::net::IpAddr;
use std::sync::Arc;

use relevo_core::config::bound::{Bound, InstanceConfig, VirtualAddress};
use relevo_core::ids::{IfIndex, InstanceId, SocketId, Version};
use relevo_core::kernel::{AddressKey, KernelEvent, KernelOp, Link, ROUTE_PROTOCOL};
use relevo_core::machine::{Machine, Out};
use relevo_core::status::{Picture, Wall, Wish, brief};
use relevo_core::time::{Duration, Instant};
use relevo_core::vrrp::snapshot::Records;
use relevo_core::vrrp::{Command, Note, StateName, VrrpAction, VrrpEvent, VrrpNode};
use relevo_sim::memory::Memory;

const ETH0: IfIndex = IfIndex(3);
const ONE: InstanceId = InstanceId(0);
const TWO: InstanceId = InstanceId(1);

/// A host whose kernel does what it is asked, and a machine that may be replaced.
struct Stage {
    bound: Arc<Bound>,
    node: VrrpNode,
    memory: Memory,
    now: Instant,
    /// Virtual addresses that are there, with their mark.
    present: Vec<(AddressKey, u8)>,
    /// What was done since the last look.
    done: Vec<String>,
    forgotten: Vec<u32>,
    /// The kernel does nothing that it is asked, and does not answer.
    mute: bool,
    dead: bool,
}

fn instance(name: &str, vrid: u8, last: u8) -> InstanceConfig {
    let address = VirtualAddress::new([10, 0, 0, last].into(), 24);
    InstanceConfig::new(name, "eth0", Version::V3, vrid, vec![address])
}

fn bound(instances: &[InstanceConfig]) -> Arc<Bound> {
    Arc::new(Bound {
        instances: instances.to_vec(),
        ..Bound::default()
    })
}

fn two() -> Arc<Bound> {
    bound(&[instance("VI_1", 51, 101), instance("VI_2", 52, 102)])
}

fn key(last: u8) -> AddressKey {
    AddressKey {
        ifindex: ETH0,
        addr: [10, 0, 0, last].into(),
        prefix: 24,
    }
}

impl Stage {
    /// Every virtual router of `bound` has become master, and has said so once more.
    fn mastered(bound: Arc<Bound>) -> Self {
        let now = Instant::from_micros(1_000_000);
        let mut stage = Self {
            node: VrrpNode::new(Arc::clone(&bound), 1, now),
            bound,
            memory: Memory::default(),
            now,
            present: Vec::new(),
            done: Vec::new(),
            forgotten: Vec::new(),
            mute: false,
            dead: false,
        };
        stage.picture();
        stage.pass(Duration::from_secs(5));
        for (id, _) in Arc::clone(&stage.bound).iter() {
            assert_eq!(stage.node.state(id), StateName::Master);
        }
        stage.done.clear();
        stage
    }

    fn event(&mut self, event: VrrpEvent<'_>) {
        let mut out = Out::new();
        self.node.handle(event, self.now, &mut out);
        self.carry_out(&out);
        while self.node.more() && !self.dead {
            out.clear();
            self.node.handle(VrrpEvent::Continue, self.now, &mut out);
            self.carry_out(&out);
        }
    }

    fn carry_out(&mut self, out: &Out<VrrpAction>) {
        for action in out.actions() {
            match action {
                VrrpAction::Remember {
                    instance,
                    slot,
                    record,
                } => self.memory.remember(*instance, *slot, out.bytes(*record)),
                VrrpAction::Forget { slot } => {
                    self.memory.forget(*slot);
                    self.forgotten.push(*slot);
                }
                VrrpAction::SendAdvert { instance, .. } => {
                    self.memory.stamp(*instance, self.now);
                    self.done.push(format!("advert {}", instance.0));
                }
                VrrpAction::Kernel { .. } if self.mute => {}
                VrrpAction::Kernel { op, change } => {
                    let (what, key) = match change {
                        KernelOp::AddAddress { key, .. } => ("add", *key),
                        KernelOp::DelAddress { key } => ("delete", *key),
                    };
                    self.done.push(format!("{what} {}", key.addr));
                    self.present.retain(|(there, _)| *there != key);
                    if what == "add" {
                        self.present.push((key, ROUTE_PROTOCOL));
                    }
                    let op = *op;
                    self.event(VrrpEvent::Done { op, result: Ok(()) });
                }
                VrrpAction::OpenSocket { socket, .. } => {
                    let socket: SocketId = *socket;
                    let result = Ok(());
                    self.event(VrrpEvent::Socket { socket, result });
                }
                VrrpAction::SendGarp { addr, .. } => self.done.push(format!("announce {addr}")),
                VrrpAction::Note(Note::Resumed {
                    instance, state, ..
                }) => {
                    self.done
                        .push(format!("{} resumes as {state:?}", instance.0));
                }
                VrrpAction::Note(Note::ResumedTooLate { instance, .. }) => {
                    self.done.push(format!("{} starts anew", instance.0));
                }
                VrrpAction::Note(Note::RecordRefused { slot, .. }) => {
                    self.done.push(format!("slot {slot} refused"));
                }
                VrrpAction::Note(Note::Entering {
                    instance, state, ..
                }) => {
                    self.done.push(format!("{} enters {state:?}", instance.0));
                }
                VrrpAction::Exit(_) => self.dead = true,
                _ => {}
            }
        }
    }

    fn picture(&mut self) {
        self.event(VrrpEvent::Kernel(KernelEvent::DumpStart));
        self.event(VrrpEvent::Kernel(KernelEvent::Link(Link {
            ifindex: ETH0,
            name: "eth0",
            mac: &[2, 0, 0, 0, 0, 1],
            admin_up: true,
            running: true,
            loopback: false,
            no_arp: false,
            multicast: true,
            forwarding: false,
            mtu: 1_500,
        })));
        let own = (key(1), 0);
        for (key, protocol) in [own].into_iter().chain(self.present.clone()) {
            self.event(VrrpEvent::Kernel(KernelEvent::Address {
                key,
                tentative: false,
                dad_failed: false,
                secondary: key.addr != own.0.addr,
                protocol,
            }));
        }
        self.event(VrrpEvent::Kernel(KernelEvent::DumpEnd));
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some((at, _)) = self.node.next_timeout().filter(|(at, _)| *at <= end) {
            self.now = at;
            let mut out = Out::new();
            self.node.handle_timeout(at, &mut out);
            self.carry_out(&out);
            self.event(VrrpEvent::Continue);
        }
        self.now = end;
    }

    /// The process dies, and another one sees its first picture of the kernel after `pause`.
    fn replace(&mut self, bound: Arc<Bound>, records: &Records, pause: Duration) {
        self.now += pause;
        self.node = VrrpNode::resume(Arc::clone(&bound), records, 2, self.now);
        self.bound = bound;
        self.done.clear();
        self.picture();
    }

    fn succeed(&mut self, bound: Arc<Bound>, pause: Duration) {
        let records = self.memory.records();
        self.replace(bound, &records, pause);
    }

    fn there(&self) -> Vec<IpAddr> {
        let mut there: Vec<_> = self.present.iter().map(|(key, _)| key.addr).collect();
        there.sort_unstable();
        there
    }
}

const SOON: Duration = Duration::from_millis(300);

#[test]
fn masters_go_on_and_nothing_is_done() {
    let mut stage = Stage::mastered(two());
    stage.succeed(two(), SOON);
    assert_eq!(stage.done, ["0 resumes as Master", "1 resumes as Master"]);
    assert_eq!(stage.there(), [key(101).addr, key(102).addr]);
    let before = stage.now;
    stage.pass(Duration::from_secs(1));
    let adverts = stage.done.iter().filter(|what| what.starts_with("advert"));
    assert_eq!(adverts.count(), 2, "one interval after {before:?}");
}

/// When they became masters is known still, and that the reason is not is said.
#[test]
fn what_is_told_of_a_successor_goes_back_to_its_predecessor() {
    let mut stage = Stage::mastered(two());
    let view = |stage: &Stage| {
        let picture = Picture::of(&stage.node, Wish::default());
        let text = brief::brief(&stage.node, &wall(stage.now));
        (picture.instances[0].transition, text)
    };
    let (before, _) = view(&stage);
    let since = before.map(|(since, _)| since);
    assert!(before.is_some_and(|(_, cause)| cause.is_some()));
    stage.succeed(two(), SOON);
    let (after, text) = view(&stage);
    assert_eq!(after, since.map(|since| (since, None)));
    assert!(text.contains("took over from its predecessor"), "{text}");
}

fn wall(at: Instant) -> Wall {
    Wall {
        at,
        unix_us: 1_795_384_858_500_000,
        east_of_utc: |_| 0,
    }
}

#[test]
fn a_second_successor_goes_on_like_the_first() {
    let mut stage = Stage::mastered(two());
    for _ in 0..4 {
        stage.succeed(two(), SOON);
        assert_eq!(stage.node.state(TWO), StateName::Master);
    }
    assert!(!stage.done.iter().any(|what| what.starts_with("announce")));
}

#[test]
fn the_order_in_the_file_does_not_matter() {
    let mut stage = Stage::mastered(two());
    let turned = bound(&[instance("VI_2", 52, 102), instance("VI_1", 51, 101)]);
    stage.succeed(Arc::clone(&turned), SOON);
    stage.done.sort_unstable();
    assert_eq!(stage.done, ["0 resumes as Master", "1 resumes as Master"]);
    stage.pass(Duration::from_secs(2));
    stage.succeed(turned, SOON);
    stage.done.sort_unstable();
    assert_eq!(stage.done, ["0 resumes as Master", "1 resumes as Master"]);
}

#[test]
fn what_is_not_configured_any_more_is_removed_and_forgotten() {
    let mut stage = Stage::mastered(two());
    // Of another daemon, with the same mark.
    stage.present.push((key(200), ROUTE_PROTOCOL));
    stage.succeed(bound(&[instance("VI_1", 51, 101)]), SOON);
    assert_eq!(stage.done, ["0 resumes as Master", "delete 10.0.0.102"]);
    assert_eq!(stage.there(), [key(101).addr, key(200).addr]);
    assert_eq!(stage.forgotten, [1], "once its address is gone");
}

#[test]
fn without_our_mark_it_may_be_the_host_s_own_by_now() {
    let mut stage = Stage::mastered(two());
    for (_, protocol) in &mut stage.present {
        *protocol = 0;
    }
    stage.succeed(bound(&[instance("VI_1", 51, 101)]), SOON);
    assert_eq!(stage.done, ["0 resumes as Master"]);
    assert_eq!(stage.there(), [key(101).addr, key(102).addr]);
}

#[test]
fn a_renamed_one_goes_on() {
    let mut stage = Stage::mastered(two());
    let renamed = bound(&[instance("VI_1", 51, 101), instance("other", 52, 102)]);
    stage.succeed(renamed, SOON);
    assert_eq!(stage.done, ["0 resumes as Master", "1 resumes as Master"]);
    // Each other's names do not mislead.
    let mut stage = Stage::mastered(two());
    let swapped = bound(&[instance("VI_2", 51, 101), instance("VI_1", 52, 102)]);
    stage.succeed(swapped, SOON);
    assert_eq!(stage.done, ["0 resumes as Master", "1 resumes as Master"]);
}

#[test]
fn what_a_reload_has_not_come_to_remove_is_removed() {
    let mut stage = Stage::mastered(bound(&[instance("VI_1", 51, 101)]));
    let moved = bound(&[instance("VI_1", 51, 103)]);
    stage.succeed(moved, SOON);
    stage.done.sort_unstable();
    stage.done.dedup();
    let expected = [
        "0 resumes as Master",
        "add 10.0.0.103",
        "announce 10.0.0.103",
        "delete 10.0.0.101",
    ];
    assert_eq!(stage.done, expected);
}

#[test]
fn another_virtual_router_of_that_name_starts_anew() {
    let mut stage = Stage::mastered(two());
    let other = bound(&[instance("VI_1", 51, 101), instance("VI_2", 99, 102)]);
    stage.succeed(other, SOON);
    assert_eq!(stage.node.state(ONE), StateName::Master);
    assert_eq!(stage.node.state(TWO), StateName::Backup);
    assert_eq!(stage.there(), [key(101).addr]);
}

#[test]
fn a_mastership_that_is_too_old_is_none() {
    let mut stage = Stage::mastered(two());
    // The adverts of both left 0.39 s ago.
    stage.succeed(two(), Duration::from_millis(2_650));
    let expected = [
        "0 starts anew",
        "1 starts anew",
        "delete 10.0.0.101",
        "delete 10.0.0.102",
    ];
    assert!(
        expected
            .iter()
            .all(|what| stage.done.iter().any(|done| done == what))
    );
    assert_eq!(stage.there(), [] as [IpAddr; 0]);
    assert_eq!(stage.node.state(ONE), StateName::Backup);
}

#[test]
fn after_the_end_of_the_whole_daemon_masters_go_on_without_a_delay() {
    let mut stage = Stage::mastered(two());
    let mut records = stage.memory.records();
    records.daemon_since = stage.now + Duration::from_millis(1);
    let mut delayed = (*two()).clone();
    delayed.global.startup_delay = Duration::from_secs(10);
    stage.replace(Arc::new(delayed), &records, SOON);
    assert_eq!(stage.done, ["0 resumes as Master", "1 resumes as Master"]);
}

#[test]
fn a_backup_of_another_daemon_starts_like_any_other() {
    let mut stage = Stage::mastered(two());
    // As backups, since they were too late once.
    stage.succeed(two(), Duration::from_secs(10));
    assert_eq!(stage.node.state(ONE), StateName::Backup);
    stage.succeed(two(), SOON);
    assert_eq!(stage.done, ["0 resumes as Backup", "1 resumes as Backup"]);
    let mut records = stage.memory.records();
    records.daemon_since = stage.now + Duration::from_millis(1);
    let mut delayed = (*two()).clone();
    delayed.global.startup_delay = Duration::from_secs(10);
    stage.replace(Arc::new(delayed), &records, SOON);
    assert_eq!(stage.done, ["0 enters Backup", "1 enters Backup"]);
    stage.pass(Duration::from_secs(9));
    assert_eq!(stage.node.state(ONE), StateName::Backup, "it is delayed");
}

#[test]
fn a_stop_leaves_nothing_to_know_and_nothing_behind() {
    let mut stage = Stage::mastered(two());
    stage.event(VrrpEvent::Command(Command::Stop));
    assert!(stage.dead && stage.memory.records().is_empty());
    assert_eq!(stage.there(), [] as [IpAddr; 0]);
}

#[test]
fn a_stop_before_anything_is_known_removes_what_was_left() {
    let mut stage = Stage::mastered(two());
    let records = stage.memory.records();
    stage.now += SOON;
    stage.node = VrrpNode::resume(two(), &records, 2, stage.now);
    stage.event(VrrpEvent::Command(Command::Stop));
    stage.picture();
    assert!(stage.dead && stage.memory.records().is_empty());
    assert_eq!(stage.there(), [] as [IpAddr; 0]);
}

/// Those that go on as master say farewell first, and nobody else begins anything.
#[test]
fn a_stop_before_anything_is_known_says_farewell() {
    let stopped_after = |pause| {
        let mut stage = Stage::mastered(two());
        let mut owner = instance("owner", 53, 103);
        owner.priority = 255;
        let three = bound(&[instance("VI_1", 51, 101), instance("VI_2", 52, 102), owner]);
        let records = stage.memory.records();
        stage.now += pause;
        stage.node = VrrpNode::resume(three, &records, 2, stage.now);
        stage.done.clear();
        stage.event(VrrpEvent::Command(Command::Stop));
        stage.picture();
        assert!(stage.dead && stage.memory.records().is_empty());
        assert_eq!(stage.there(), [] as [IpAddr; 0]);
        stage.done
    };
    let resumed = [
        "0 resumes as Master",
        "1 resumes as Master",
        "advert 0",
        "advert 1",
        "delete 10.0.0.101",
        "delete 10.0.0.102",
    ];
    assert_eq!(stopped_after(SOON), resumed);
    let too_late = [
        "0 starts anew",
        "1 starts anew",
        "delete 10.0.0.101",
        "delete 10.0.0.102",
    ];
    assert_eq!(stopped_after(Duration::from_secs(4)), too_late);
}

#[test]
fn what_was_left_is_remembered_until_it_is_gone() {
    let mut stage = Stage::mastered(bound(&[instance("VI_1", 51, 101)]));
    let moved = bound(&[instance("VI_1", 51, 103)]);
    let left = stage.present.clone();
    stage.succeed(Arc::clone(&moved), SOON);
    assert_eq!(stage.there(), [key(103).addr]);
    let tidy = stage.memory.clone();
    // The same, but this one dies when it has written its record and before it has removed anything.
    let mut stage = Stage::mastered(bound(&[instance("VI_1", 51, 101)]));
    stage.mute = true;
    stage.succeed(Arc::clone(&moved), SOON);
    assert_eq!(stage.present, left);
    stage.mute = false;
    stage.succeed(Arc::clone(&moved), SOON);
    assert_eq!(stage.there(), [key(103).addr]);
    // What is gone is not remembered: it may be anybody's afterwards.
    for mut stage in [
        stage,
        Stage {
            memory: tidy,
            ..Stage::mastered(Arc::clone(&moved))
        },
    ] {
        stage.present.push((key(101), ROUTE_PROTOCOL));
        stage.succeed(Arc::clone(&moved), SOON);
        assert!(stage.there().contains(&key(101).addr), "{:?}", stage.done);
    }
}

#[test]
fn records_that_are_given_up_still_tell_what_was_left() {
    let mut stage = Stage::mastered(two());
    let mut records = stage.memory.records();
    records.give_up();
    stage.replace(bound(&[instance("VI_1", 51, 101)]), &records, SOON);
    assert_eq!(stage.there(), [] as [IpAddr; 0]);
    assert_eq!(stage.node.state(ONE), StateName::Backup);
}

#[test]
fn an_unreadable_record_is_told_and_no_more() {
    let mut stage = Stage::mastered(bound(&[instance("VI_1", 51, 101)]));
    let mut records = stage.memory.records();
    records.add(7, b"nonsense", None, 0);
    stage.replace(two(), &records, SOON);
    let expected = ["slot 7 refused", "0 resumes as Master", "1 enters Backup"];
    assert_eq!(stage.done, expected);
}

#[test]
fn a_crash_after_any_action_of_a_takeover_lets_it_be_carried_on() {
    for count in 1..12 {
        let bound = bound(&[instance("VI_1", 51, 101)]);
        let mut stage = Stage::mastered(Arc::clone(&bound));
        stage.node = VrrpNode::new(Arc::clone(&bound), 1, stage.now + Duration::from_secs(9));
        stage.now += Duration::from_secs(9);
        (stage.memory, stage.present) = (Memory::default(), Vec::new());
        stage.picture();
        let (at, _) = stage.node.next_timeout().expect("a master-down timer");
        stage.now = at;
        let mut out = Out::new();
        stage.node.handle_timeout(at, &mut out);
        for action in out.actions().iter().take(count) {
            match action {
                VrrpAction::Remember {
                    instance,
                    slot,
                    record,
                } => stage.memory.remember(*instance, *slot, out.bytes(*record)),
                VrrpAction::SendAdvert { instance, .. } => stage.memory.stamp(*instance, at),
                VrrpAction::Kernel {
                    change: KernelOp::AddAddress { key, .. },
                    ..
                } => stage.present.push((*key, ROUTE_PROTOCOL)),
                _ => {}
            }
        }
        stage.succeed(Arc::clone(&bound), SOON);
        assert_eq!(stage.node.state(ONE), StateName::Master, "after {count}");
        assert_eq!(stage.there(), [key(101).addr], "after {count}");
        let announced = |what: &&String| what.starts_with("announce");
        let announced = stage.done.iter().filter(announced).count();
        assert!(announced >= 5, "after {count}: {:?}", stage.done);
    }
}
