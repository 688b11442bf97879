#![forbid(unsafe_code)]
//! The demonstration: two routers, a client, three mishaps, and what the client noticed of each.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use relevo_tests::lab::{
    Client, Daemon, Flavour, Host, Lab, Program, Result, need, now_ns, run, wait_until,
};

const HIGH: u8 = 150;
const LOW: u8 = 100;
const FLAVOUR: Flavour = Flavour::V2;
/// How often the client pings.
const PING: Duration = Duration::from_millis(20);
/// How often it is looked who holds the address; also the width of one mark of the picture.
const LOOK: Duration = Duration::from_millis(250);
/// What a busy machine may add to a theoretical time.
const SLACK: Duration = Duration::from_secs(1);
/// Set in the process that runs inside the user namespace.
const INSIDE: &str = "RELEVO_DEMO_INSIDE";

/// Who holds the address at each look.
#[derive(Debug)]
struct Watch {
    marks: Arc<Mutex<Vec<char>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    fn start(a: Host, b: Host) -> Self {
        let marks = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, ended) = (Arc::clone(&marks), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            let address = FLAVOUR.service();
            while !ended.load(Ordering::Relaxed) {
                let begun = now_ns();
                let has = |host: &Host| host.holds(address).unwrap_or(false);
                let mark = match (has(&a), has(&b)) {
                    (true, false) => 'a',
                    (false, true) => 'b',
                    (false, false) => '.',
                    (true, true) => '!',
                };
                if let Ok(mut marks) = seen.lock() {
                    marks.push(mark);
                }
                let spent = Duration::from_nanos((now_ns() - begun).unsigned_abs());
                sleep(LOOK.saturating_sub(spent));
            }
        });
        Self {
            marks,
            stop,
            thread: Some(thread),
        }
    }

    fn marks(&self) -> String {
        self.marks
            .lock()
            .map_or_else(|_| String::new(), |marks| marks.iter().collect())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The stage and the story told so far. Fields are dropped in this order: the network last.
#[derive(Debug)]
struct Demo {
    program: Program,
    a: Host,
    b: Host,
    daemon_a: Option<Daemon>,
    daemon_b: Option<Daemon>,
    client: Client,
    watch: Watch,
    begun_ns: i64,
    /// What happened when, as the number of a mark and a caption.
    captions: Vec<(usize, &'static str)>,
    outages: Vec<(&'static str, Duration, String)>,
    _lab: Lab,
}

impl Demo {
    fn new() -> Result<Self> {
        let lab = Lab::new(&["a", "b", "client"])?;
        let (a, b) = (lab.host("a").clone(), lab.host("b").clone());
        Ok(Self {
            program: Program::at(daemon_path()?),
            client: Client::start(lab.host("client"), FLAVOUR.service(), PING)?,
            watch: Watch::start(a.clone(), b.clone()),
            a,
            b,
            daemon_a: None,
            daemon_b: None,
            begun_ns: now_ns(),
            captions: Vec::new(),
            outages: Vec::new(),
            _lab: lab,
        })
    }

    /// One line of the timeline, now.
    fn tell(&self, what: &str) {
        let since = (now_ns() - self.begun_ns) / 10_000_000;
        println!("{:>4}.{:02} s  {what}", since / 100, since % 100);
    }

    fn begin(&mut self, caption: &'static str, what: &str) -> i64 {
        self.captions
            .push((self.watch.marks().chars().count(), caption));
        self.tell(what);
        now_ns()
    }

    fn launch(&self, host: &Host, peer: &Host, priority: u8) -> Result<Daemon> {
        let text = FLAVOUR.configuration(host, peer, priority);
        Daemon::start(host, &self.program, &text)
    }

    /// Waits until one router has the address and the other not.
    fn wait_holder(&self, a: bool, limit: Duration) -> Result<()> {
        let address = FLAVOUR.service();
        let name = if a { "a" } else { "b" };
        wait_until(&format!("{name} alone holds {address}"), limit, || {
            let so = self.a.holds(address)? == a && self.b.holds(address)? != a;
            Ok(so.then_some(()))
        })
    }

    /// Ends a step: the client is answered again, and its outage is not longer than it may be.
    fn measure(&mut self, caption: &'static str, since: i64, theory: Duration) -> Result<()> {
        let resumed = now_ns();
        self.client.wait_answer(resumed, SLACK)?;
        sleep(Duration::from_millis(300));
        let outage = self.client.outage(since).length;
        self.tell(&format!(
            "         the client was without an answer for {} ms",
            outage.as_millis()
        ));
        self.outages
            .push((caption, outage, format!("{} ms", theory.as_millis())));
        if outage > theory + SLACK {
            return Err(format!(
                "that is much more than the {} ms of theory",
                theory.as_millis()
            ));
        }
        sleep(Duration::from_millis(1500));
        Ok(())
    }

    fn start(&mut self) -> Result<()> {
        self.begin(
            "start",
            "both daemons start: a with priority 150, b with 100",
        );
        self.daemon_a = Some(self.launch(&self.a, &self.b, HIGH)?);
        self.daemon_b = Some(self.launch(&self.b, &self.a, LOW)?);
        self.wait_holder(true, FLAVOUR.master_down(HIGH) + SLACK * 2)?;
        self.tell("         a is elected and holds the address");
        self.client.wait_answer(now_ns(), SLACK)?;
        sleep(Duration::from_millis(1500));
        Ok(())
    }

    fn kill(&mut self) -> Result<()> {
        let since = self.begin("power cut", "a loses its power: nobody there says goodbye");
        self.daemon_a.take().ok_or("a does not run")?.cut_power()?;
        let theory = FLAVOUR.master_down(LOW);
        self.wait_holder(false, theory + SLACK)?;
        self.tell("         b has missed three adverts and takes the address");
        self.measure("a loses its power", since, theory)
    }

    fn come_back(&mut self) -> Result<()> {
        let since = self.begin(
            "back",
            "a is back: it listens for as long as a backup waits",
        );
        self.daemon_a = Some(self.launch(&self.a, &self.b, HIGH)?);
        self.wait_holder(true, FLAVOUR.master_down(HIGH) + SLACK * 2)?;
        self.tell("         a has the higher priority and takes the address back");
        self.measure("a comes back and preempts", since, Duration::ZERO)
    }

    fn stop(&mut self) -> Result<()> {
        let since = self.begin(
            "stop",
            "a is told to stop (SIGTERM): it says goodbye with priority 0",
        );
        let mut daemon = self.daemon_a.take().ok_or("a does not run")?;
        let code = daemon.stop(Duration::from_secs(5))?;
        if code != 0 {
            return Err(format!("a ended with code {code}"));
        }
        self.tell("         a has removed the address and ended with code 0");
        let theory = FLAVOUR.skew(LOW);
        self.wait_holder(false, theory + SLACK)?;
        self.tell("         b takes the address");
        self.measure("a stops politely", since, theory)
    }

    /// The picture and the table.
    fn summarize(&self) {
        let marks = self.watch.marks();
        println!(
            "\nWho held {}, one mark for each {} ms",
            FLAVOUR.service(),
            LOOK.as_millis()
        );
        println!("(a, b: that router; '.': nobody; '!': both):\n\n  {marks}");
        let mut line = String::from("  ");
        for (at, caption) in &self.captions {
            while line.len() < at + 2 {
                line.push(' ');
            }
            line += &format!("^{caption} ");
        }
        println!(
            "{line}\n\n{:<28} {:>12}   {:>13}",
            "", "outage", "theory: up to"
        );
        for (what, outage, theory) in &self.outages {
            println!("{what:<28} {:>9} ms   {theory:>13}", outage.as_millis());
        }
        println!(
            "\n(The client pings every {} ms; that much of an outage is the measure itself.)",
            PING.as_millis()
        );
    }

    /// What an operator would look at after a failure.
    fn logs(&self) -> String {
        let mut text = String::new();
        for (name, daemon) in [("a", &self.daemon_a), ("b", &self.daemon_b)] {
            if let Some(daemon) = daemon {
                text += &format!("--- log of {name}\n{}", daemon.log());
            }
        }
        text
    }
}

/// The daemon to show: `RELEVO_BIN`, or the one that cargo put beside this program.
fn daemon_path() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("RELEVO_BIN") {
        return Ok(PathBuf::from(path));
    }
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let path = own.with_file_name("relevo");
    if path.exists() {
        Ok(path)
    } else {
        Err(format!("{} is not built", path.display()))
    }
}

/// Runs this program again as root of a user namespace of its own. Returns only when that is impossible.
fn enter_user_namespace() -> String {
    let unshare = ["--user", "--map-root-user", "--net", "--mount"];
    let trial = "mount -t tmpfs tmpfs /run && ip link add x type veth peer name y";
    let attempt = Command::new("unshare")
        .args(unshare)
        .args(["sh", "-c", trial])
        .output();
    match attempt {
        Ok(done) if done.status.success() => {}
        Ok(done) => return forbidden(String::from_utf8_lossy(&done.stderr).trim()),
        Err(error) => return format!("unshare (package util-linux): {error}"),
    }
    let Ok(own) = std::env::current_exe() else {
        return "cannot find this program's own file".to_owned();
    };
    let user = run(&["id", "-u"]).unwrap_or_default();
    let error = Command::new("unshare")
        .args(unshare)
        .args([
            "sh",
            "-c",
            r#"mount -t tmpfs tmpfs /run && mkdir /run/netns && exec "$0""#,
        ])
        .arg(own)
        .env(INSIDE, "1")
        .env(
            "RELEVO_LAB_DIR",
            format!("/var/tmp/relevo-lab-{}", user.trim()),
        )
        .exec();
    format!("unshare: {error}")
}

/// Which setting of the machine keeps an ordinary user from private networks.
fn forbidden(complaint: &str) -> String {
    let settings = [
        ("kernel.unprivileged_userns_clone", "0"),
        ("user.max_user_namespaces", "0"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1"),
    ];
    for (name, value) in settings {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        let found = std::fs::read_to_string(path).unwrap_or_default();
        if found.trim() == value {
            return format!(
                "an ordinary user may not make private networks here: {name} is {value}. \
                 Run it as root, or have that setting changed."
            );
        }
    }
    format!("an ordinary user may not make private networks here ({complaint}). Run it as root.")
}

fn show() -> Result<()> {
    let address = FLAVOUR.service();
    println!(
        "Two routers, a and b, share {address}; a client pings it every {} ms.",
        PING.as_millis()
    );
    println!("VRRP version 2, one advert a second.\n");
    let mut demo = Demo::new()?;
    let steps = [Demo::start, Demo::kill, Demo::come_back, Demo::stop];
    for step in steps {
        if let Err(error) = step(&mut demo) {
            return Err(format!("{error}\n{}", demo.logs()));
        }
    }
    demo.summarize();
    Ok(())
}

fn main() -> ExitCode {
    let inside = std::env::var_os(INSIDE).is_some();
    if !inside && !need::is_root() {
        println!("Not root: using a user namespace.");
        eprintln!("demo: {}", enter_user_namespace());
        return ExitCode::FAILURE;
    }
    let result = match need::lab() {
        Some(reason) => Err(reason),
        None => show(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}
