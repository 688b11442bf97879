#![forbid(unsafe_code)]
//! What a host does to a daemon besides: interfaces that are away, tables that are full, clients that leave.

use std::time::Duration;

use relevo_tests::lab::{
    Capture, Daemon, Host, Lab, Options, Program, Result, need, run, wait_until,
};
use relevo_tests::skip;

/// What a busy machine may add to anything.
const SLACK: Duration = Duration::from_secs(10);

fn check(condition: bool, what: impl FnOnce() -> String) -> Result<()> {
    if condition { Ok(()) } else { Err(what()) }
}

/// A virtual router on `interface` that speaks ten times a second.
fn instance(name: &str, interface: &str, address: &str) -> String {
    format!(
        "vrrp_instance {name} {{\n version 3\n interface {interface}\n virtual_router_id 51\n \
         priority 200\n advert_int 0.1\n virtual_ipaddress {{\n  {address}\n }}\n}}\n"
    )
}

/// A host alone runs `text`; then `story`.
fn play(text: &str, story: fn(&Host, &mut Daemon) -> Result<()>) {
    if let Some(reason) = need::end_to_end() {
        skip!("{reason}");
    }
    let lab = Lab::new(&["a"]).unwrap();
    let host = lab.host("a");
    host.ip_batch(
        "link add other type veth peer name rehto\nlink set other up\nlink set rehto up\n\
         addr add 10.9.0.1/24 dev other\n",
    )
    .unwrap();
    let mut daemon = Daemon::start(host, &Program::relevo().unwrap(), text).unwrap();
    if let Err(error) = story(host, &mut daemon) {
        panic!("{error}\n{}", daemon.log());
    }
}

fn wait_log(daemon: &Daemon, part: &str) -> Result<()> {
    wait_until(&format!("{part:?} in the log"), SLACK, || {
        Ok(daemon.log().contains(part).then_some(()))
    })
}

fn kill(pid: u32) -> Result<()> {
    run(&["kill", "-KILL", &pid.to_string()]).map(|_| ())
}

/// The configuration was good when it was read. An interface that is away by then ends a virtual
/// router's work and not the daemon's, whose other addresses would be left to nobody.
#[test]
fn a_child_dies_while_an_interface_is_away() {
    let one = instance("ONE", "eth0", "10.0.0.100/24");
    let two = instance("TWO", "other", "10.9.0.100/24");
    play(&(one + &two), |host, daemon| {
        let address = [10, 0, 0, 100].into();
        wait_log(daemon, "(TWO) Entering MASTER STATE")?;
        wait_until("the address", SLACK, || {
            Ok(host.holds(address)?.then_some(()))
        })?;
        // Settled, for a child that dies before that is started later.
        std::thread::sleep(Duration::from_millis(1_500));
        host.ip("link del other")?;
        wait_log(daemon, "(TWO) Entering FAULT STATE")?;
        let pid = daemon.vrrp_pid()?;
        kill(pid)?;
        wait_log(daemon, "(ONE) resumes as MASTER")?;
        check(daemon.vrrp_pid()? != pid, || "the same process".to_owned())?;
        check(host.holds(address)?, || "the address is gone".to_owned())?;
        host.ip_batch(
            "link add other type veth peer name rehto\nlink set other up\nlink set rehto up\n\
             addr add 10.9.0.1/24 dev other\n",
        )?;
        wait_until("the other address", SLACK, || {
            let there = host.ip("-o addr show dev other")?;
            Ok(there.contains(" 10.9.0.100/24 ").then_some(()))
        })?;
        let code = daemon.stop(SLACK)?;
        check(code == 0, || format!("exit code {code}"))
    });
}

/// The exit code of `relevo plan` on the host, and what it printed.
fn plan(host: &Host) -> Result<(Option<i32>, String)> {
    let mut command = host.inside(&[], &Program::relevo()?.path);
    let done = command.arg("plan").output();
    let done = done.map_err(|error| error.to_string())?;
    let text = [done.stdout, done.stderr].concat();
    Ok((
        done.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    ))
}

/// A daemon without room for one more open file refuses what a client asks, and goes on.
#[test]
fn a_client_asks_when_no_more_files_can_be_opened() {
    let text = instance("ONE", "eth0", "10.0.0.100/24");
    play(&text, |host, daemon| {
        wait_log(daemon, "Entering MASTER STATE")?;
        let parent = run(&["ps", "-o", "ppid=", &daemon.vrrp_pid()?.to_string()])?;
        let parent = parent.trim();
        let folder = format!("/proc/{parent}/fd");
        let open: Vec<u32> = std::fs::read_dir(&folder)
            .map_err(|error| error.to_string())?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
        // Room for the client, and for nothing else.
        let free = (0..).find(|number| !open.contains(number)).unwrap_or(0);
        let limit = format!("--nofile={}:", free + 1);
        run(&["prlimit", "--pid", parent, &limit])?;
        let (code, text) = plan(host)?;
        check(code == Some(1) && text.contains("no plan"), || {
            format!("{code:?}: {text}")
        })?;
        run(&["prlimit", "--pid", parent, "--nofile=1024:"])?;
        let (code, text) = plan(host)?;
        check(code == Some(0), || format!("{code:?}: {text}"))
    });
}

/// With `-V` the end of the daemon is silent and leaves everything, and the next start goes on with it.
#[test]
fn an_end_that_leaves_everything_and_a_start_that_goes_on() {
    if let Some(reason) = need::end_to_end() {
        skip!("{reason}");
    }
    let lab = Lab::new(&["a"]).unwrap();
    let capture = Capture::start(&lab).unwrap();
    let host = lab.host("a");
    let text = instance("ONE", "eth0", "10.0.0.100/24").replace("int 0.1", "int 0.5");
    let address = [10, 0, 0, 100].into();
    let options = || Options {
        extra: &["-V", "-d"],
        ..Options::default()
    };
    let relevo = Program::relevo().unwrap();
    let mut daemon = Daemon::start_with(host, &relevo, &text, options()).unwrap();
    let told = (|| {
        wait_log(&daemon, "(ONE) Entering MASTER STATE")?;
        // The data dump of 2.2.7, as it is in the log.
        for line in [
            "------< Global definitions >------",
            "   Virtual Router ID = 51",
            "------< Interfaces >------",
        ] {
            wait_log(&daemon, line)?;
        }
        let code = daemon.stop(SLACK)?;
        check(code == 0, || format!("exit code {code}"))?;
        check(host.holds(address)?, || "the address is gone".to_owned())?;
        daemon = Daemon::start_with(host, &relevo, &text, options())?;
        wait_log(&daemon, "(ONE) resumes as MASTER")?;
        check(host.holds(address)?, || "the address is gone".to_owned())?;
        let farewells = capture.adverts(0).into_iter();
        let farewells = farewells.filter(|(_, advert)| advert.priority == 0).count();
        check(farewells == 0, || format!("{farewells} farewells"))
    })();
    if let Err(error) = told {
        panic!("{error}\n{}", daemon.log());
    }
}
