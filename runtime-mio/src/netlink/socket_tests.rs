//! The two sockets against the kernel, each test in a network namespace of its own.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use relevo_core::config::bound::ReceiveBuffer;
use relevo_core::ids::{Errno, IfIndex, OpId};
use relevo_core::kernel::{AddressAttrs, AddressKey, KernelEvent, KernelOp};
use relevo_core::rng::Rng;

use super::socket::{Commands, Done, Monitor};
use crate::clock;
use crate::daemon::Drained;
use crate::sys::socket::set_int;
use crate::testnet::{cable, in_namespace, index_of, ip};

fn key(ifindex: u32, last: u16) -> AddressKey {
    let [high, low] = last.to_be_bytes();
    AddressKey {
        ifindex: IfIndex(ifindex),
        addr: [10, 9, high, low].into(),
        prefix: 32,
    }
}

fn add(key: AddressKey) -> KernelOp {
    KernelOp::AddAddress {
        key,
        attrs: AddressAttrs::default(),
    }
}

/// Reads until the socket is dry.
fn answers(commands: &mut Commands) -> Vec<Done> {
    let mut all = Vec::new();
    while commands.read(&mut |done| all.push(done)).expect("reads") == Drained::No {}
    all
}

/// Reads until the socket is dry and no table is wanted; one line for each event.
fn news(monitor: &mut Monitor) -> Vec<String> {
    let mut all = Vec::new();
    read_all(monitor, |event| all.push(line(event)));
    all
}

/// Reads until this line has come: the kernel tells some things a little later.
#[track_caller]
fn await_news(monitor: &mut Monitor, expected: &str) {
    let end = Instant::now() + Duration::from_secs(10);
    let mut all = Vec::new();
    while !all.iter().any(|line| line == expected) {
        assert!(Instant::now() < end, "{expected} in {all:?}");
        all.extend(news(monitor));
    }
}

fn read_all(monitor: &mut Monitor, mut take: impl FnMut(KernelEvent<'_>)) {
    loop {
        while monitor.read(&mut take).expect("reads") == Drained::No {}
        let now = clock::now();
        if monitor.table_is_due(now) {
            monitor.begin_table(now, &mut take).expect("asks");
        } else if monitor.is_at_rest() {
            return;
        } else {
            // As the loop does when the timer fires.
            std::thread::sleep(Duration::from_millis(1));
            while monitor.read(&mut take).expect("reads") == Drained::No {}
            monitor.on_time(clock::now());
        }
    }
}

fn line(event: KernelEvent<'_>) -> String {
    match event {
        KernelEvent::DumpStart => "start".to_owned(),
        KernelEvent::DumpEnd => "end".to_owned(),
        KernelEvent::Link(link) => format!(
            "link {} {}{}",
            link.name,
            if link.admin_up { "up" } else { "down" },
            match (link.running, link.forwarding) {
                (true, true) => " running forwarding",
                (true, false) => " running",
                (false, _) => "",
            },
        ),
        KernelEvent::LinkGone { ifindex } => format!("link {} gone", ifindex.0),
        KernelEvent::Address { key, protocol, .. } => {
            format!("address {}/{} by {protocol}", key.addr, key.prefix)
        }
        KernelEvent::AddressGone { key } => {
            format!("address {}/{} gone", key.addr, key.prefix)
        }
    }
}

#[test]
fn a_batch_is_answered_one_by_one() {
    in_namespace(|| {
        cable();
        let va = index_of("va");
        let mut commands = Commands::new(ReceiveBuffer::default()).expect("opens");
        let mut early = Vec::new();
        for number in 0..150 {
            commands.push(OpId(number), &add(key(va, number as u16)), &mut |done| {
                early.push(done);
            });
        }
        // Again, and where there is no interface.
        let again = [
            (OpId(150), add(key(va, 7))),
            (OpId(151), add(key(9_999, 7))),
            (OpId(152), KernelOp::DelAddress { key: key(va, 7) }),
            (OpId(153), KernelOp::DelAddress { key: key(va, 7) }),
        ];
        for (op, change) in &again {
            commands.push(*op, change, &mut |done| early.push(done));
        }
        commands.flush(&mut |done| early.push(done));
        assert_eq!(early, []);
        let all = answers(&mut commands);
        let expected = (0..154).map(|number| Done {
            op: OpId(number),
            result: match number {
                150 => Err(Errno::EEXIST),
                151 => Err(Errno::ENODEV),
                153 => Err(Errno::EADDRNOTAVAIL),
                _ => Ok(()),
            },
        });
        assert_eq!(all, expected.collect::<Vec<_>>());
    });
}

#[test]
fn more_changes_than_there_is_room_for_answers_are_all_answered() {
    in_namespace(|| {
        cable();
        let lo = index_of("lo");
        let mut commands = Commands::new(ReceiveBuffer::default()).expect("opens");
        let mut all = Vec::new();
        for number in 0..9_000 {
            if commands.is_full() {
                commands.flush(&mut |done| all.push(done));
            }
            commands.push(OpId(number), &add(key(lo, number as u16)), &mut |done| {
                all.push(done);
            });
        }
        commands.flush(&mut |done| all.push(done));
        assert!(all.len() >= 4_000, "answers are read to make room");
        all.extend(answers(&mut commands));
        let expected = (0..9_000).map(|number| Done {
            op: OpId(number),
            result: Ok(()),
        });
        assert_eq!(all, expected.collect::<Vec<_>>());
    });
}

#[test]
fn attributes_reach_the_kernel() {
    in_namespace(|| {
        cable();
        let va = index_of("va");
        let mut commands = Commands::new(ReceiveBuffer::default()).expect("opens");
        let v4 = KernelOp::AddAddress {
            key: AddressKey {
                ifindex: IfIndex(va),
                addr: [192, 0, 2, 1].into(),
                prefix: 24,
            },
            attrs: AddressAttrs {
                scope: 253,
                broadcast: Some([192, 0, 2, 255].into()),
                label: Some("va:1".to_owned()),
                no_prefix_route: true,
                ..AddressAttrs::default()
            },
        };
        let v6 = KernelOp::AddAddress {
            key: AddressKey {
                ifindex: IfIndex(va),
                addr: "2001:db8::64".parse().expect("an address"),
                prefix: 128,
            },
            attrs: AddressAttrs {
                nodad: true,
                deprecated: true,
                ..AddressAttrs::default()
            },
        };
        for (op, change) in [(OpId(1), &v4), (OpId(2), &v6)] {
            commands.push(op, change, &mut |done| panic!("{done:?}"));
        }
        commands.flush(&mut |done| panic!("{done:?}"));
        let results: Vec<_> = answers(&mut commands)
            .iter()
            .map(|done| done.result)
            .collect();
        assert_eq!(results, [Ok(()), Ok(())]);
        let shown = std::process::Command::new("ip")
            .args(["-o", "address", "show", "dev", "va"])
            .output()
            .expect("ip runs");
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        for part in [
            "192.0.2.1/24 brd 192.0.2.255 scope link noprefixroute va:1",
            "2001:db8::64/128 scope global nodad deprecated",
            "preferred_lft 0sec",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    });
}

#[test]
fn the_monitor_tells_whole_tables_and_then_news() {
    in_namespace(|| {
        cable();
        ip("address add 10.9.0.1/24 dev va");
        std::fs::write("/proc/sys/net/ipv6/conf/vb/forwarding", "1").expect("a setting");
        let va = index_of("va");
        let mut monitor = Monitor::new(ReceiveBuffer::default()).expect("opens");
        monitor.want_table();
        let table = news(&mut monitor);
        assert_eq!(table.first().map(String::as_str), Some("start"));
        assert_eq!(table.last().map(String::as_str), Some("end"));
        for row in [
            "link lo up running",
            "link va up running",
            "link vb up running forwarding",
            "address 10.9.0.1/24 by 0",
        ] {
            assert!(table.iter().any(|line| line == row), "{row} in {table:?}");
        }

        let mut commands = Commands::new(ReceiveBuffer::default()).expect("opens");
        commands.push(OpId(1), &add(key(va, 2)), &mut |done| panic!("{done:?}"));
        commands.flush(&mut |done| panic!("{done:?}"));
        await_news(&mut monitor, "address 10.9.0.2/32 by 18");
        ip("address del 10.9.0.2/32 dev va");
        await_news(&mut monitor, "address 10.9.0.2/32 gone");
        ip("link set vb down");
        await_news(&mut monitor, "link va up");
        ip("link del va");
        await_news(&mut monitor, &format!("link {va} gone"));
    });
}

#[test]
fn after_an_overrun_the_monitor_tells_whole_tables() {
    in_namespace(|| {
        cable();
        let va = index_of("va");
        let mut monitor = Monitor::new(ReceiveBuffer::default()).expect("opens");
        monitor.want_table();
        news(&mut monitor);
        set_int(monitor.raw(), libc::SOL_SOCKET, libc::SO_RCVBUF, 1).expect("smaller");
        let mut commands = Commands::new(ReceiveBuffer::default()).expect("opens");
        for number in 0..100 {
            commands.push(OpId(number), &add(key(va, number as u16)), &mut |_| {});
        }
        commands.flush(&mut |done| panic!("{done:?}"));
        let lines = news(&mut monitor);
        let start = lines.iter().position(|line| line == "start");
        let start = start.expect("a whole table follows");
        assert_eq!(lines.last().map(String::as_str), Some("end"));
        let told = lines[start..]
            .iter()
            .filter(|line| line.starts_with("address 10.9.0."));
        assert_eq!(told.count(), 100);
        // The buffer is large again: the next burst is told as it happens.
        for number in 0..100 {
            let change = KernelOp::DelAddress {
                key: key(va, number),
            };
            commands.push(OpId(u64::from(number)), &change, &mut |_| {});
        }
        commands.flush(&mut |done| panic!("{done:?}"));
        let lines = news(&mut monitor);
        let gone = lines.iter().filter(|line| line.ends_with(" gone"));
        assert_eq!(gone.count(), 100, "{lines:?}");
        assert!(!lines.contains(&"start".to_owned()), "{lines:?}");
    });
}

#[test]
fn lost_answers_are_settled_by_a_whole_table() {
    in_namespace(|| {
        cable();
        let va = index_of("va");
        let mut commands = Commands::new(ReceiveBuffer::default()).expect("opens");
        let mut monitor = Monitor::new(ReceiveBuffer::default()).expect("opens");
        set_int(commands.raw(), libc::SOL_SOCKET, libc::SO_RCVBUF, 1).expect("smaller");
        for number in 0..100 {
            commands.push(OpId(number), &add(key(va, number as u16)), &mut |_| {});
        }
        // These are refused, and there is no room for so many refusals.
        for number in 100..199 {
            commands.push(OpId(number), &add(key(9_999, 1)), &mut |_| {});
        }
        commands.push(OpId(199), &add(key(va, 199)), &mut |_| {});
        commands.flush(&mut |done| panic!("{done:?}"));
        let early = answers(&mut commands);
        assert!(early.len() < 199);
        assert!(commands.take_table_wanted());
        assert!(!commands.take_table_wanted());

        monitor.want_table();
        let mut late = Vec::new();
        read_all(&mut monitor, |event| {
            commands.observe(&event);
            if event == KernelEvent::DumpEnd && commands.can_settle_unknown() {
                commands.settle_unknown(&mut |done| late.push(done));
            }
        });
        let told: Vec<OpId> = early.iter().map(|done| done.op).collect();
        let mut all = early;
        all.extend(late);
        all.sort_unstable_by_key(|done| done.op);
        let expected = (0..200).map(|number| Done {
            op: OpId(number),
            result: match number {
                100..199 if told.contains(&OpId(number)) => Err(Errno::ENODEV),
                // The table cannot say why.
                100..199 => Err(Errno(libc::ENOBUFS)),
                _ => Ok(()),
            },
        });
        assert_eq!(all, expected.collect::<Vec<_>>());
    });
}

/// Only the last change of a datagram asks for an answer; the others are judged by what is refused.
/// Several datagrams under way, refusals anywhere, answers read now and then, or lost for want of
/// room: each change is answered once, and nothing is said to be done that is not.
#[test]
fn whatever_is_refused_or_lost_each_change_has_one_true_answer() {
    for seed in 0..24 {
        in_namespace(move || {
            cable();
            let va = index_of("va");
            let mut rng = Rng::new(seed);
            let mut commands = Commands::new(ReceiveBuffer::default()).expect("opens");
            let mut monitor = Monitor::new(ReceiveBuffer::default()).expect("opens");
            let cramped = seed % 2 == 1;
            if cramped {
                set_int(commands.raw(), libc::SOL_SOCKET, libc::SO_RCVBUF, 1).expect("smaller");
            }
            let mut all = Vec::new();
            let mut good = Vec::new();
            for number in 0..1_500 {
                good.push(rng.chance(1, 2));
                let ifindex = if good[number as usize] { va } else { 9_999 };
                let change = add(key(ifindex, number as u16));
                commands.push(OpId(number), &change, &mut |done| all.push(done));
                if commands.is_full() || rng.chance(1, 40) {
                    commands.flush(&mut |done| all.push(done));
                }
                if rng.chance(1, 90) {
                    commands.read(&mut |done| all.push(done)).expect("reads");
                }
            }
            commands.flush(&mut |done| all.push(done));
            all.extend(answers(&mut commands));
            if commands.take_table_wanted() {
                monitor.want_table();
            }
            read_all(&mut monitor, |event| {
                commands.observe(&event);
                if event == KernelEvent::DumpEnd && commands.can_settle_unknown() {
                    commands.settle_unknown(&mut |done| all.push(done));
                }
            });
            all.sort_unstable_by_key(|done| done.op);
            let ops: Vec<OpId> = all.iter().map(|done| done.op).collect();
            assert_eq!(ops, (0..1_500).map(OpId).collect::<Vec<_>>(), "seed {seed}");
            let lost = all.iter().any(|done| done.result == Err(Errno::ENOBUFS));
            assert_eq!(lost, cramped, "seed {seed}");
            for (done, good) in all.iter().zip(good) {
                assert_eq!(done.result.is_ok(), good, "seed {seed}: {done:?}");
            }
        });
    }
}

#[test]
fn a_batch_that_cannot_be_sent_fails_as_a_whole() {
    in_namespace(|| {
        let mut commands = Commands::new(ReceiveBuffer::default()).expect("opens");
        set_int(commands.raw(), libc::SOL_SOCKET, libc::SO_SNDBUF, 1).expect("smaller");
        let mut failed = Vec::new();
        for number in 0..200 {
            commands.push(OpId(number), &add(key(1, number as u16)), &mut |done| {
                failed.push(done);
            });
        }
        commands.flush(&mut |done| failed.push(done));
        let expected = (0..200).map(|number| Done {
            op: OpId(number),
            result: Err(Errno(libc::EMSGSIZE)),
        });
        assert_eq!(failed, expected.collect::<Vec<_>>());
        assert_eq!(answers(&mut commands), []);
    });
}

/// The least that the kernel grants.
const TINY: ReceiveBuffer = ReceiveBuffer {
    octets: Some(1),
    force: false,
};

#[test]
fn a_tiny_buffer_for_answers_makes_small_batches_and_loses_nothing() {
    in_namespace(|| {
        let lo = index_of("lo");
        let mut commands = Commands::new(TINY).expect("opens");
        let mut all = Vec::new();
        for number in 0..300 {
            commands.push(OpId(number), &add(key(lo, number as u16)), &mut |done| {
                all.push(done);
            });
            if commands.is_full() {
                commands.flush(&mut |done| all.push(done));
            }
        }
        commands.flush(&mut |done| all.push(done));
        all.extend(answers(&mut commands));
        let expected = (0..300).map(|number| Done {
            op: OpId(number),
            result: Ok(()),
        });
        assert_eq!(all, expected.collect::<Vec<_>>());
        assert!(!commands.take_table_wanted());
    });
}

/// The last picture's addresses of 10.9.0.0/16, given that nothing has changed since.
fn last_picture(lines: &[String]) -> Vec<&String> {
    let start = lines.iter().rposition(|line| line == "start");
    let end = lines.iter().rposition(|line| line == "end");
    let (start, end) = (start.expect("a start"), end.expect("an end"));
    assert!(start < end, "{lines:?}");
    let rows = lines[start..end].iter();
    rows.filter(|line| line.starts_with("address 10.9."))
        .collect()
}

/// The addresses of 10.9.0.0/16 that somebody knows who has followed all of it.
fn followed(lines: &[String]) -> BTreeMap<&str, u32> {
    let (mut known, mut picture) = (BTreeMap::new(), 0);
    for line in lines {
        let mut words = line.split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some("start"), ..) => picture += 1,
            (Some("end"), ..) => known.retain(|_, last| *last == picture),
            (Some("address"), Some(addr), Some("gone")) => drop(known.remove(addr)),
            (Some("address"), Some(addr), _) if addr.starts_with("10.9.") => {
                known.insert(addr, picture);
            }
            _ => {}
        }
    }
    known
}

/// The kernel refuses to begin a table when there is no room, or begins it and does not go on.
#[test]
fn a_table_that_is_asked_for_without_room_is_told_all_the_same() {
    in_namespace(|| {
        let lo = index_of("lo");
        let mut commands = Commands::new(ReceiveBuffer::default()).expect("opens");
        for number in 0..100 {
            commands.push(OpId(number), &add(key(lo, number as u16)), &mut |_| {});
        }
        commands.flush(&mut |done| panic!("{done:?}"));
        for _ in 0..3 {
            let mut monitor = Monitor::new(TINY).expect("opens");
            // Until there is no room for another message.
            for number in 0..50 {
                let change = KernelOp::DelAddress {
                    key: key(lo, number),
                };
                commands.push(OpId(0), &change, &mut |_| {});
                commands.push(OpId(0), &add(key(lo, number)), &mut |_| {});
            }
            commands.flush(&mut |_| {});
            answers(&mut commands);
            monitor.want_table();
            let mut lines = Vec::new();
            monitor
                .begin_table(clock::now(), &mut |event| lines.push(line(event)))
                .expect("asks");
            lines.extend(news(&mut monitor));
            assert_eq!(last_picture(&lines).len(), 100);
        }
    });
}

#[test]
fn a_table_that_is_never_told_is_asked_for_again() {
    in_namespace(|| {
        cable();
        let mut monitor = Monitor::new(ReceiveBuffer::default()).expect("opens");
        monitor.pretend_to_be_told();
        assert_eq!(news(&mut monitor).last().map(String::as_str), Some("end"));
    });
}

#[test]
fn while_news_overrun_tables_are_told_slowly_and_then_the_last_is_right() {
    in_namespace(|| {
        let lo = index_of("lo");
        let begin = Instant::now();
        let storm = std::thread::spawn(move || {
            let mut commands = Commands::new(ReceiveBuffer::default()).expect("opens");
            while begin.elapsed() < Duration::from_secs(3) {
                for number in 0..200 {
                    commands.push(OpId(0), &add(key(lo, number)), &mut |_| {});
                }
                commands.flush(&mut |_| {});
                answers(&mut commands);
                for number in 0..190 {
                    let key = key(lo, number);
                    commands.push(OpId(0), &KernelOp::DelAddress { key }, &mut |_| {});
                }
                commands.flush(&mut |_| {});
                answers(&mut commands);
            }
        });
        let mut monitor = Monitor::new(TINY).expect("opens");
        monitor.want_table();
        let mut lines = Vec::new();
        let (mut asked, mut first) = (0, None);
        while !storm.is_finished() {
            while monitor
                .read(&mut |event| lines.push(line(event)))
                .expect("reads")
                == Drained::No
            {}
            let now = clock::now();
            monitor.on_time(now);
            if monitor.table_is_due(now) {
                asked += 1;
                monitor
                    .begin_table(now, &mut |event| lines.push(line(event)))
                    .expect("asks");
            }
            if first.is_none() && lines.iter().any(|line| line == "end") {
                first = Some(begin.elapsed());
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        storm.join().expect("does not panic");
        assert!(first.is_some(), "no picture during the storm");
        assert!((2..=16).contains(&asked), "{asked} tables in three seconds");
        lines.extend(news(&mut monitor));
        assert_eq!(followed(&lines).len(), 10, "asked {asked} times");
    });
}
