//! The quiet path, counted: a thousand masters and their thousand backups over real sockets ask
//! nothing of the allocator, and little of the kernel.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use relevo_core::config::bound::{Bound, GarpConfig, InstanceConfig, VirtualAddress};
use relevo_core::ids::Version;
use relevo_core::journal::Secrets;
use relevo_core::machine::{Machine, Out};
use relevo_core::time::{Duration as Span, Instant};
use relevo_core::vrrp::VrrpNode;
use relevo_core::vrrp::event::{VrrpAction, VrrpEvent, VrrpTimer};

use super::{Setup, VrrpExecutor, VrrpMachine};
use crate::exec::talk::Talk;
use crate::memory::Memory;
use crate::recorder::Recorder;
use crate::sys::counting::Counts;
use crate::testnet::{in_namespace, ip};
use crate::{clock, daemon};

const CABLES: u32 = 4;
const EACH: u8 = 250;
const ADVERTS: u64 = 10_000;
/// Two whole rounds of warming up.
const WARM_UP: u64 = 2 * CABLES as u64 * EACH as u64;

/// The machine, with an eye on how many adverts it has sent and received.
struct Watched {
    node: Recorder<VrrpNode>,
    adverts: u64,
    begin: Option<Counts>,
    report: Sender<Counts>,
}

impl Watched {
    /// Something else than adverts: not the quiet path, for instance a transition on a machine so
    /// busy that one was missed.
    fn start_over(&mut self) {
        self.begin = None;
        self.adverts = 0;
    }

    fn saw(&mut self, adverts: u64) {
        self.adverts += adverts;
        match self.begin {
            None if self.adverts >= WARM_UP => {
                self.adverts = 0;
                self.begin = Some(Counts::now());
            }
            Some(begin) if self.adverts >= ADVERTS => {
                // Once; whoever has gone home does not listen any more.
                let _ = self.report.send(Counts::now().since(begin));
                self.start_over();
            }
            None | Some(_) => {}
        }
    }
}

impl VrrpMachine for Watched {}

impl Machine for Watched {
    type Event<'a> = VrrpEvent<'a>;
    type Action = VrrpAction;
    type Timer = VrrpTimer;

    fn handle(&mut self, event: VrrpEvent<'_>, now: Instant, out: &mut Out<VrrpAction>) {
        let packet = matches!(event, VrrpEvent::Packet { .. });
        let news = matches!(event, VrrpEvent::Kernel(_));
        self.node.handle(event, now, out);
        if news || !out.is_empty() {
            self.start_over();
        } else {
            self.saw(u64::from(packet));
        }
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Out<VrrpAction>) {
        self.node.handle_timeout(now, out);
        let is_advert = |action: &&VrrpAction| matches!(action, VrrpAction::SendAdvert { .. });
        if out.actions().iter().all(|action| is_advert(&action)) {
            self.saw(out.len() as u64);
        } else {
            self.start_over();
        }
    }

    fn next_timeout(&self) -> Option<(Instant, VrrpTimer)> {
        self.node.next_timeout()
    }

    fn packets_first(&self, now: Instant) -> bool {
        self.node.packets_first(now)
    }

    fn more(&self) -> bool {
        self.node.more()
    }

    fn snapshot(&self, into: &mut Vec<u8>) {
        self.node.snapshot(into);
    }
}

fn bound(side: char, priority: u8) -> Bound {
    let instance = |cable: u32, vrid: u8| {
        let addr = [10, 20 + cable as u8, 1, vrid].into();
        let name = format!("VI_{cable}_{vrid}");
        let interface = format!("v{cable}{side}");
        let addresses = vec![VirtualAddress::new(addr, 32)];
        InstanceConfig {
            priority,
            advert_interval: Span::from_centis(50),
            garp: GarpConfig {
                master_delay: Span::ZERO,
                ..GarpConfig::default()
            },
            ..InstanceConfig::new(&name, &interface, Version::V3, vrid, addresses)
        }
    };
    let all = (0..CABLES).flat_map(|cable| (1..=EACH).map(move |vrid| (cable, vrid)));
    Bound {
        instances: all.map(|(cable, vrid)| instance(cable, vrid)).collect(),
        ..Bound::default()
    }
}

/// A daemon on a thread of its own; it leaves when the socket is dropped.
fn start(bound: Bound, report: Sender<Counts>) -> (UnixStream, std::thread::JoinHandle<u8>) {
    let (parent, child) = UnixStream::pair().expect("a pair of sockets");
    let thread = std::thread::spawn(move || {
        let bound = Arc::new(bound);
        let setup = Setup {
            ignore_sigint: false,
            bound: Arc::clone(&bound),
            signals: None,
            parent: Some(Talk::new(OwnedFd::from(child))),
            memory: Memory::in_memory(bound.instances.len()).ok(),
        };
        let mut executor = VrrpExecutor::new(setup).expect("opens");
        // As in the daemon: what comes in is kept.
        let (secrets, now) = (Secrets::of(&bound), clock::now());
        let node = VrrpNode::new(bound, 1, now);
        let mut machine = Watched {
            node: Recorder::new(node, secrets, 1, now),
            adverts: 0,
            begin: None,
            report,
        };
        daemon::run(&mut machine, &mut executor).expect("runs")
    });
    (parent, thread)
}

#[test]
fn ten_thousand_adverts_of_a_thousand_routers_allocate_nothing() {
    in_namespace(|| {
        for file in ["all/accept_local", "all/rp_filter", "default/rp_filter"] {
            let path = format!("/proc/sys/net/ipv4/conf/{file}");
            let value = if file.ends_with("local") { "1" } else { "0" };
            std::fs::write(path, value).expect("a setting of the namespace");
        }
        ip("link set lo up");
        for cable in 0..CABLES {
            ip(&format!("link add v{cable}a type veth peer name v{cable}b"));
            for (side, last) in [('a', 1), ('b', 2)] {
                let net = 20 + cable;
                ip(&format!(
                    "address add 10.{net}.0.{last}/24 dev v{cable}{side}"
                ));
                ip(&format!("link set v{cable}{side} up"));
            }
        }
        let (sent, masters) = channel();
        let (received, backups) = channel();
        let (a, master) = start(bound('a', 200), sent);
        let (b, backup) = start(bound('b', 100), received);
        let patience = Duration::from_secs(60);
        let sent = masters.recv_timeout(patience).expect("10,000 adverts");
        let received = backups.recv_timeout(patience).expect("10,000 adverts");
        drop((a, b));
        let codes = (master.join(), backup.join());
        assert!(matches!(codes, (Ok(0), Ok(0))), "{codes:?}");

        eprintln!("sent: {sent:?}\nreceived: {received:?}");
        assert_eq!(sent.allocations, 0, "to send {ADVERTS} adverts");
        assert_eq!(received.allocations, 0, "to receive {ADVERTS} adverts");
        // One wait, at most one arming of the timer, and one call for each socket with work.
        let waits = sent.calls("epoll_wait");
        assert!(sent.calls("timerfd_settime") <= waits, "{sent:?}");
        assert!(
            sent.calls("sendmmsg") <= waits * u64::from(CABLES),
            "{sent:?}"
        );
        assert_eq!(sent.calls("recvmmsg"), 0, "{sent:?}");
        let waits = received.calls("epoll_wait");
        assert!(received.calls("timerfd_settime") <= waits, "{received:?}");
        assert_eq!(received.calls("sendmmsg"), 0, "{received:?}");
        let batches = ADVERTS / 32 + waits * u64::from(CABLES);
        assert!(received.calls("recvmmsg") <= batches, "{received:?}");
        assert_eq!((sent.calls("recvfrom"), received.calls("recvfrom")), (0, 0));
    });
}
