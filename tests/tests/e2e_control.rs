#![forbid(unsafe_code)]
//! Asking a running daemon: status, reload, plan, journal, beside a real keepalived.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use relevo_tests::lab::{
    Flavour, Pair, Program, Result, Rhythm, Side, Who, need, now_ns, run, wait_until,
};
use relevo_tests::skip;

const SLACK: Duration = Duration::from_secs(2);

/// What a program printed, and its exit code.
struct Printed {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Printed {
    /// Fails unless it ended with `code`.
    fn with(self, code: i32) -> Result<Self> {
        let Self { out, err, .. } = &self;
        match self.code == Some(code) {
            true => Ok(self),
            false => Err(format!("exit status {:?}:\n{out}{err}", self.code)),
        }
    }
}

/// Runs `relevo WORDS` as somebody on the host of `side` would, under the command `wrap`.
fn ask_under(side: &Side, wrap: &[&str], words: &[&str]) -> Result<Printed> {
    let relevo = Program::relevo()?.path;
    let mut command = side.host.inside(wrap, &relevo);
    let done = command.args(words).output();
    let done = done.map_err(|error| error.to_string())?;
    Ok(Printed {
        code: done.status.code(),
        out: String::from_utf8_lossy(&done.stdout).into_owned(),
        err: String::from_utf8_lossy(&done.stderr).into_owned(),
    })
}

fn ask(side: &Side, words: &[&str]) -> Result<Printed> {
    ask_under(side, &[], words)
}

fn contains(text: &str, parts: &[&str]) -> Result<()> {
    match parts.iter().find(|part| !text.contains(**part)) {
        None => Ok(()),
        Some(part) => Err(format!("no {part:?} in\n{text}")),
    }
}

fn socket(side: &Side) -> PathBuf {
    side.host.dir.join("run/keepalived/relevo.sock")
}

/// Starts both; `a`, of the higher priority, becomes master; then `story`.
fn play(flavour: Flavour, programs: [Program; 2], story: fn(&mut Pair) -> Result<()>) {
    let mut pair = Pair::new(flavour, &programs[0], &programs[1]).unwrap();
    let limit = flavour.master_down(Pair::HIGH) + SLACK;
    let told = (|| {
        pair.a.start()?;
        pair.b.start()?;
        pair.wait_holders(true, false, limit)?;
        story(&mut pair)
    })();
    if let Err(error) = told {
        panic!("{error}\n{}", pair.report());
    }
}

fn with_keepalived(flavour: Flavour, relevo_is: Who, story: fn(&mut Pair) -> Result<()>) {
    if let Some(reason) = need::keepalived() {
        skip!("{reason}");
    }
    let (relevo, other) = (Program::relevo().unwrap(), Program::keepalived().unwrap());
    let programs = match relevo_is {
        Who::A => [relevo, other],
        Who::B => [other, relevo],
    };
    play(flavour, programs, story);
}

fn alone(flavour: Flavour, story: fn(&mut Pair) -> Result<()>) {
    if let Some(reason) = need::end_to_end() {
        skip!("{reason}");
    }
    let relevo = Program::relevo().unwrap();
    play(flavour, [relevo.clone(), relevo], story);
}

/// A master: role, addresses, since when and why.
fn master_is_told(pair: &mut Pair) -> Result<()> {
    let status = ask(&pair.a, &["status"])?.with(0)?.out;
    let parts = [
        "relevo 0.",
        "/daemon.conf, read at start",
        "VRRP process: pid ",
        "1 virtual router: 1 MASTER",
        "this host",
        "master-down timer expired",
        "10.0.0.100 held here",
    ];
    contains(&status, &parts)?;
    let json = ask(&pair.a, &["status", "--json"])?.with(0)?.out;
    let parts = ["\"children\":[{\"kind\":\"VRRP\"", "\"iname\":\"VI_1\""];
    contains(&json, &parts)
}

/// A backup: its master, and what it waits for; and after the master's end why it is master.
fn backup_is_told(pair: &mut Pair) -> Result<()> {
    let status = ask(&pair.b, &["status"])?.with(0)?.out;
    let master = pair.a.source.to_string();
    let wait = format!(" s if {master} ");
    contains(
        &status,
        &[
            "1 BACKUP",
            &master,
            "not here",
            "waits: takes over in ",
            &wait,
        ],
    )?;
    pair.a.stop()?;
    pair.wait_holders(false, true, pair.flavour.skew(Pair::LOW) + SLACK)?;
    let status = ask(&pair.b, &["status"])?.with(0)?.out;
    contains(&status, &["1 MASTER", "priority 0", "held here"])
}

#[test]
fn the_status_of_a_master_beside_keepalived() {
    with_keepalived(Flavour::V3, Who::A, master_is_told);
}

#[test]
fn the_status_of_a_backup_beside_keepalived() {
    with_keepalived(Flavour::V2, Who::B, backup_is_told);
}

/// Nobody but root may ask: neither through the mode of the socket nor past it.
fn strangers_are_turned_away(pair: &mut Pair) -> Result<()> {
    let path = socket(&pair.a);
    let mode = |path: &PathBuf| {
        let data = fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok::<u32, String>(data.permissions().mode() & 0o777)
    };
    let directory = path.parent().map(PathBuf::from).unwrap_or_default();
    let modes = (mode(&path)?, mode(&directory)?);
    if modes != (0o600, 0o755) {
        return Err(format!("modes {:o} and {:o}", modes.0, modes.1));
    }
    let stranger = ["setpriv", "--reuid", "65534", "--clear-groups"];
    let refused = ask_under(&pair.a, &stranger, &["status"])?.with(1)?;
    contains(&refused.err, &["only root may ask"])?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666))
        .map_err(|error| error.to_string())?;
    let refused = ask_under(&pair.a, &stranger, &["status"])?.with(1)?;
    contains(&refused.err, &["does not listen to this user"])?;
    ask(&pair.a, &["status"])?.with(0)?;
    let daemon = pair.a.daemon.as_ref().ok_or("a does not run")?;
    contains(&daemon.log(), &["user 65534 was turned away"])?;
    // In the end nothing is left, and nobody answers.
    pair.a.stop()?;
    if directory.exists() {
        return Err(format!("{} was left behind", directory.display()));
    }
    let nobody = ask(&pair.a, &["status"])?.with(1)?;
    contains(&nobody.err, &["no daemon is running"])
}

#[test]
fn only_root_may_ask() {
    alone(Flavour::V3, strangers_are_turned_away);
}

/// Clients that say nothing, say half of something, or do not read.
fn bad_clients_disturb_nothing(pair: &mut Pair) -> Result<()> {
    use std::io::Write as _;
    let path = socket(&pair.a);
    let since = now_ns();
    let mut clients = Vec::new();
    for number in 0..50 {
        let mut client = UnixStream::connect(&path).map_err(|error| error.to_string())?;
        let said: &[u8] = match number % 4 {
            0 => b"",
            1 => b"stat",
            2 => b"journal\n",
            _ => &[0xff; 4_096],
        };
        // Whoever was turned away meanwhile cannot speak.
        drop(client.write_all(said));
        clients.push(client);
    }
    for _ in 0..10 {
        let before = Instant::now();
        ask(&pair.a, &["status"])?.with(0)?;
        if before.elapsed() > Duration::from_secs(1) {
            return Err(format!("an answer took {:?}", before.elapsed()));
        }
        std::thread::sleep(pair.flavour.interval());
    }
    let times: Vec<i64> = pair
        .adverts_of(Who::A, since)
        .iter()
        .map(|(at, _)| *at)
        .collect();
    let time = Duration::from_nanos((now_ns() - since).unsigned_abs());
    Rhythm::of(&times).judge(pair.flavour.interval(), Duration::from_millis(150), time)?;
    drop(clients);
    Ok(())
}

#[test]
fn silent_and_rude_clients_disturb_nothing() {
    alone(Flavour::V3, bad_clients_disturb_nothing);
}

/// A plan changes nothing; a good file comes into force; a bad one does not, and is told with its
/// place. The command returns when that is so.
fn reloads_are_waited_for(pair: &mut Pair) -> Result<()> {
    let conf = pair.a.host.dir.join("daemon.conf");
    let write = |text: &str| fs::write(&conf, text).map_err(|error| error.to_string());
    let good = pair.a.configuration.replace("priority 150", "priority 200");
    let since = now_ns();
    write(&good)?;
    let plan = ask(&pair.a, &["reload", "--plan"])?.with(0)?.out;
    contains(&plan, &["VI_1: priority 150 -> 200", "1 changed"])?;
    let same = ask(&pair.a, &["status"])?.with(0)?.out;
    contains(&same, &["150", "read at start"])?;
    let told = ask(&pair.a, &["reload"])?.with(0)?.out;
    contains(&told, &["daemon.conf: in force"])?;
    let status = ask(&pair.a, &["status"])?.with(0)?.out;
    contains(&status, &["MASTER", "200", ", reloaded "])?;
    pair.wait_advert(Who::A, since, SLACK, |advert| advert.priority == 200)?;

    write(&good.replace(
        "virtual_router_id 51",
        "virtual_router_id 51\n    intrface eth0",
    ))?;
    for words in [&["reload"][..], &["reload", "--plan"]] {
        let refused = ask(&pair.a, words)?.with(1)?;
        contains(
            &refused.err,
            &["daemon.conf:9:5: error: `intrface`", "refused"],
        )?;
    }
    let status = ask(&pair.a, &["status"])?.with(0)?.out;
    contains(&status, &["THE LAST RELOAD WAS REFUSED", "intrface", "200"])?;
    let absent = conf.with_extension("away");
    fs::rename(&conf, &absent).map_err(|error| error.to_string())?;
    let refused = ask(&pair.a, &["reload"])?.with(1)?;
    contains(&refused.err, &["No such file", "refused"])?;
    write(&good)?;
    ask(&pair.a, &["reload"])?.with(0)?;
    let status = ask(&pair.a, &["status"])?.with(0)?.out;
    if status.contains("REFUSED") {
        return Err(status);
    }
    // Through all of it the master was the same.
    if pair.adverts_of(Who::B, since).is_empty() {
        return pair.wait_holders(true, false, Duration::ZERO);
    }
    Err("b became master".to_owned())
}

#[test]
fn a_reload_is_waited_for_and_a_bad_file_refused() {
    alone(Flavour::V3, reloads_are_waited_for);
}

/// What the backup has heard, without the password; from the command and on the signal.
fn journal_is_told(pair: &mut Pair) -> Result<()> {
    std::thread::sleep(pair.flavour.interval() * 2);
    let journal = ask(&pair.b, &["journal"])?.with(0)?.out;
    let parts = [
        "# relevo journal 1\n# began at ",
        " dump-end\n",
        " packet4 0 45c0",
        // Version 2, virtual router 51, priority 150, one address, password, one second.
        "2133960101",
    ];
    contains(&journal, &parts)?;
    let heard = journal.lines().filter(|line| line.contains(" packet4 "));
    let mut adverts = 0;
    for line in heard {
        adverts += 1;
        // Where the password was.
        if !line.ends_with("0a00006400000000000000 00".replace(' ', "").as_str()) {
            return Err(format!("no blank password: {line}"));
        }
    }
    let sent = pair.adverts_of(Who::A, 0).len();
    if adverts + 2 < sent || adverts > sent + 1 {
        return Err(format!("{adverts} of {sent} adverts in\n{journal}"));
    }
    let daemon = pair.b.daemon.as_ref().ok_or("b does not run")?;
    daemon.signal("RTMAX")?;
    let file = pair.b.host.dir.join("tmp/keepalived_vrrp.journal");
    let text = wait_until("the journal's file", SLACK, || {
        Ok(fs::read_to_string(&file).ok())
    })?;
    contains(&text, &parts)?;
    let mode = fs::metadata(&file).map_err(|error| error.to_string())?;
    if mode.permissions().mode() & 0o777 != 0o600 {
        return Err(format!("mode {:o}", mode.permissions().mode()));
    }
    let secret = pair.flavour.password.unwrap_or_default();
    let hex: String = secret.bytes().map(|octet| format!("{octet:02x}")).collect();
    let status = ask(&pair.b, &["status"])?.with(0)?.out;
    let json = ask(&pair.b, &["status", "--json"])?.with(0)?.out;
    for (name, text) in [
        ("journal", journal),
        ("file", text),
        ("status", status),
        ("json", json),
    ] {
        if text.contains(secret) || text.contains(hex.get(..8).unwrap_or(&hex)) {
            return Err(format!("the password is in the {name}: {text}"));
        }
    }
    Ok(())
}

#[test]
fn the_journal_has_the_adverts_of_keepalived_and_no_password() {
    with_keepalived(Flavour::V2_PASS, Who::B, journal_is_told);
}

/// A child that hangs is told of as such; the parent still says what it knows.
fn a_hung_child_is_told(pair: &mut Pair) -> Result<()> {
    let child = pair.a.daemon.as_ref().ok_or("a does not run")?.vrrp_pid()?;
    let signal = |name: &str| run(&["kill", name, &child.to_string()]);
    signal("-STOP")?;
    let before = Instant::now();
    let told = ask(&pair.a, &["status"]);
    signal("-CONT")?;
    let told = told?.with(1)?.out;
    contains(&told, &["VRRP process: pid ", "HAS NOT ANSWERED for 2."])?;
    if before.elapsed() > Duration::from_secs(4) {
        return Err(format!("told after {:?}", before.elapsed()));
    }
    ask(&pair.a, &["status"])?.with(0).map(drop)
}

#[test]
fn a_child_that_hangs_does_not_hang_the_status() {
    alone(Flavour::V2, a_hung_child_is_told);
}
