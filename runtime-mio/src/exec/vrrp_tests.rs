//! The executor under the real loop with the real machine, on both ends of a cable between two
//! network namespaces.

use std::io::Write;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use relevo_core::config::bound::{Bound, InstanceConfig, VirtualAddress};
use relevo_core::ids::{Family, IfIndex, SocketId, Version};
use relevo_core::machine::{Machine, Out};
use relevo_core::time::Duration as Span;
use relevo_core::vrrp::{SocketSpec, VrrpAction, VrrpEvent, VrrpNode, VrrpTimer};

use super::{SIGNAL_INFO, Setup, VrrpExecutor, VrrpMachine};
use crate::daemon::Executor;
use crate::exec::talk::Talk;
use crate::sys::socket::set_int;
use crate::testnet::{cable, in_namespace, index_of, ip};
use crate::{clock, daemon};

const VIP_V4: &str = "10.9.0.100";
const VIP_V6: &str = "2001:db8::64";

fn instance(name: &str, interface: &str, family: Family, priority: u8) -> InstanceConfig {
    let vip = match family {
        Family::V4 => VIP_V4,
        Family::V6 => VIP_V6,
    };
    let addr = vip.parse().expect("an address");
    let addresses = vec![VirtualAddress::new(addr, family.prefix_max())];
    InstanceConfig {
        priority,
        advert_interval: Span::from_centis(5),
        ..InstanceConfig::new(name, interface, Version::V3, 51, addresses)
    }
}

fn both_families(interface: &str, priority: u8) -> Bound {
    Bound {
        instances: vec![
            instance("four", interface, Family::V4, priority),
            instance("six", interface, Family::V6, priority),
        ],
        ..Bound::default()
    }
}

/// A daemon on a thread of its own, in the namespace of the thread that starts it.
struct Daemon {
    thread: JoinHandle<u8>,
    parent: UnixStream,
}

fn start(bound: Bound) -> Daemon {
    start_after(bound, |_| ())
}

fn start_after(bound: Bound, prepare: impl FnOnce(&VrrpExecutor) + Send + 'static) -> Daemon {
    let (parent, child) = UnixStream::pair().expect("a pair of sockets");
    let thread = std::thread::spawn(move || {
        let bound = Arc::new(bound);
        let setup = Setup {
            memory: None,
            ignore_sigint: false,
            bound: Arc::clone(&bound),
            signals: None,
            parent: Some(Talk::new(OwnedFd::from(child))),
        };
        let mut executor = VrrpExecutor::new(setup).expect("opens");
        prepare(&executor);
        let mut machine = VrrpNode::new(bound, 1, clock::now());
        daemon::run(&mut machine, &mut executor).expect("runs")
    });
    Daemon { thread, parent }
}

impl Daemon {
    /// Hangs up as a dying parent does; gives the exit code and the time it took to leave.
    fn stop(self) -> (u8, Duration) {
        let begin = Instant::now();
        drop(self.parent);
        let code = self.thread.join().expect("does not panic");
        (code, begin.elapsed())
    }
}

/// The addresses of an interface as `ip` shows them.
fn shown(interface: &str) -> String {
    let output = Command::new("ip")
        .args(["-o", "address", "show", "dev", interface])
        .output();
    String::from_utf8_lossy(&output.expect("ip runs").stdout).into_owned()
}

fn holds(interface: &str) -> (bool, bool) {
    let shown = shown(interface);
    let has = |vip: &str, prefix| shown.contains(&format!(" {vip}/{prefix} "));
    (has(VIP_V4, 32), has(VIP_V6, 128))
}

/// Waits until the interface holds both virtual addresses, or neither.
#[track_caller]
fn expect(interface: &str, both: bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while holds(interface) != (both, both) {
        assert!(Instant::now() < end, "{}", shown(interface));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_lonely_router_becomes_master_and_leaves_in_order() {
    in_namespace(|| {
        cable();
        ip("address add 10.9.0.1/24 dev va");
        let daemon = start(both_families("va", 100));
        expect("va", true);
        let (code, took) = daemon.stop();
        assert_eq!(code, 0);
        assert_eq!(holds("va"), (false, false));
        assert!(took < Duration::from_millis(500), "{took:?}");
    });
}

#[test]
fn an_address_that_another_program_deletes_comes_back_after_an_election() {
    in_namespace(|| {
        cable();
        ip("address add 10.9.0.1/24 dev va");
        let daemon = start(both_families("va", 100));
        expect("va", true);
        ip(&format!("address del {VIP_V4}/32 dev va"));
        expect("va", true);
        assert_eq!(daemon.stop().0, 0);
    });
}

#[test]
fn a_fault_of_the_link_takes_the_addresses_and_its_end_gives_them_back() {
    in_namespace(|| {
        cable();
        ip("address add 10.9.0.1/24 dev va");
        let daemon = start(both_families("va", 100));
        expect("va", true);
        ip("link set vb down");
        expect("va", false);
        ip("link set vb up");
        expect("va", true);
        assert_eq!(daemon.stop().0, 0);
    });
}

#[test]
fn an_interface_may_go_and_come_again() {
    in_namespace(|| {
        cable();
        ip("address add 10.9.0.1/24 dev va");
        let daemon = start(both_families("va", 100));
        expect("va", true);
        ip("link del va");
        std::thread::sleep(Duration::from_millis(100));
        cable();
        ip("address add 10.9.0.1/24 dev va");
        expect("va", true);
        assert_eq!(daemon.stop().0, 0);
    });
}

#[test]
fn a_signal_to_stop_is_obeyed_and_others_do_no_harm() {
    in_namespace(|| {
        cable();
        ip("address add 10.9.0.1/24 dev va");
        let (mut kernel, signals) = UnixStream::pair().expect("a pair of sockets");
        signals.set_nonblocking(true).expect("does not wait");
        let thread = std::thread::spawn(move || {
            let bound = Arc::new(both_families("va", 100));
            let setup = Setup {
                memory: None,
                ignore_sigint: false,
                bound: Arc::clone(&bound),
                signals: Some(OwnedFd::from(signals)),
                parent: None,
            };
            let mut executor = VrrpExecutor::new(setup).expect("opens");
            let mut machine = VrrpNode::new(bound, 1, clock::now());
            daemon::run(&mut machine, &mut executor).expect("runs")
        });
        let mut raise = |signal: i32| {
            let mut info = [0; SIGNAL_INFO];
            info[..4].copy_from_slice(&signal.to_ne_bytes());
            kernel.write_all(&info).expect("is read");
        };
        expect("va", true);
        for signal in [libc::SIGHUP, libc::SIGHUP, libc::SIGUSR1, 36, 63, 64, -1] {
            raise(signal);
        }
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(holds("va"), (true, true));
        raise(libc::SIGTERM);
        assert_eq!(thread.join().expect("does not panic"), 0);
        assert_eq!(holds("va"), (false, false));
    });
}

/// The shortest buffer that the kernel gives: one or two messages.
fn shorten_buffer(fd: i32) {
    set_int(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, 1).expect("a shorter buffer");
}

#[test]
fn lost_answers_and_lost_news_change_nothing() {
    in_namespace(|| {
        cable();
        ip("address add 10.9.0.1/24 dev va");
        let mut bound = both_families("va", 100);
        let addresses = &mut bound.instances[0].addresses;
        let first = addresses[0].clone();
        for last in 101..200 {
            let addr = IpAddr::from([10, 9, 0, last]);
            let first = first.clone();
            addresses.push(VirtualAddress { addr, ..first });
        }
        let count = || shown("va").matches(" 10.9.0.").count();
        let daemon = start_after(bound, |executor| {
            shorten_buffer(executor.hands.commands.raw());
            shorten_buffer(executor.monitor.raw());
        });
        expect("va", true);
        assert_eq!(count(), 101);
        // Still master, once everything that was lost has been found out.
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(count(), 101);
        // A deletion by another program is noticed all the same.
        ip(&format!("address del {VIP_V4}/32 dev va"));
        std::thread::sleep(Duration::from_millis(20));
        expect("va", true);
        assert_eq!(daemon.stop().0, 0);
        assert_eq!(count(), 1);
    });
}

/// What the thread at the other end of the cable is told to do.
enum Order {
    Start(u8),
    Expect(bool),
    Stop,
}

/// The other end: a thread in a namespace of its own.
fn other_end(orders: &Receiver<Order>, done: &Sender<String>) {
    crate::sys::netns::leave_network().expect("a namespace");
    let id = std::fs::read_link("/proc/thread-self").expect("the thread's number");
    let id = id
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    done.send(id.expect("a number")).expect("is heard");
    let mut daemon = None;
    for order in orders {
        match order {
            Order::Start(priority) => {
                ip("link set vb up");
                ip("address replace 10.9.0.2/24 dev vb");
                daemon = Some(start(both_families("vb", priority)));
            }
            Order::Expect(both) => expect("vb", both),
            Order::Stop => {
                let code = daemon.take().map(|daemon| daemon.stop().0);
                assert_eq!(code, Some(0));
                assert_eq!(holds("vb"), (false, false));
            }
        }
        done.send(String::new()).expect("is heard");
    }
}

#[test]
fn two_routers_elect_one_and_hand_over() {
    in_namespace(|| {
        cable();
        ip("address add 10.9.0.1/24 dev va");
        let (tell, orders) = channel();
        let (done, wait) = channel();
        let other = std::thread::spawn(move || other_end(&orders, &done));
        let there = wait.recv().expect("its number");
        ip(&format!("link set vb netns {there}"));
        let order = |order| {
            tell.send(order).expect("is heard");
            wait.recv().expect("is done");
        };

        let daemon = start(both_families("va", 100));
        order(Order::Start(200));
        order(Order::Expect(true));
        expect("va", false);
        // Handed over by priority 0.
        order(Order::Stop);
        expect("va", true);
        // Taken back by the higher priority.
        order(Order::Start(200));
        order(Order::Expect(true));
        expect("va", false);
        assert_eq!(daemon.stop().0, 0);
        order(Order::Stop);
        drop(tell);
        other.join().expect("does not panic");
    });
}

/// Takes note of the times at which it is told.
#[derive(Default)]
struct Witness(Vec<relevo_core::time::Instant>);

impl Machine for Witness {
    type Event<'a> = VrrpEvent<'a>;
    type Action = VrrpAction;
    type Timer = VrrpTimer;
    fn handle(
        &mut self,
        event: VrrpEvent<'_>,
        now: relevo_core::time::Instant,
        _: &mut Out<VrrpAction>,
    ) {
        assert!(matches!(event, VrrpEvent::Socket { result: Ok(()), .. }));
        self.0.push(now);
    }
    fn handle_timeout(&mut self, _: relevo_core::time::Instant, _: &mut Out<VrrpAction>) {}
    fn next_timeout(&self) -> Option<(relevo_core::time::Instant, VrrpTimer)> {
        None
    }
    fn snapshot(&self, _: &mut Vec<u8>) {}
}

impl VrrpMachine for Witness {}

/// Opening it may have taken a second, and another host may be master by now.
#[test]
fn a_socket_is_told_to_be_open_at_the_time_when_it_is() {
    in_namespace(|| {
        cable();
        let mut executor = VrrpExecutor::new(Setup {
            memory: None,
            ignore_sigint: false,
            bound: Arc::new(Bound::default()),
            signals: None,
            parent: None,
        })
        .expect("opens");
        let poll = mio::Poll::new().expect("a poll");
        Executor::<Witness>::register(&mut executor, poll.registry()).expect("registers");
        let spec = SocketSpec {
            ifindex: IfIndex(index_of("va")),
            family: Family::V4,
            group: Some([224, 0, 0, 18].into()),
        };
        let mut out = Out::new();
        out.push(VrrpAction::OpenSocket {
            socket: SocketId(0),
            spec,
            receive_buffer: 65_536,
        });
        let before = clock::now();
        let stale = relevo_core::time::Instant::from_micros(before.as_micros() - 1_000_000);
        let mut witness = Witness::default();
        executor
            .execute(&mut witness, &mut out, stale)
            .expect("works");
        assert!(
            witness.0.len() == 1 && witness.0[0] >= before,
            "{:?}",
            witness.0
        );
    });
}
