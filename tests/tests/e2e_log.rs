#![forbid(unsafe_code)]
//! Nobody reads the log: stderr is a pipe that is full, or /dev/log a socket whose owner sleeps. A master of 500
//! addresses sends its adverts as if nothing were, obeys SIGTERM, and says what it had to drop when the
//! reader comes back. (keepalived falls silent here, and keeps its addresses.)

use std::fs;
use std::io::{PipeReader, PipeWriter, Read as _, pipe};
use std::net::IpAddr;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use relevo_tests::lab::{
    Attack, Capture, Daemon, Elsewhere, Flavour, Options, Pair, Program, Result, Rhythm, Who, need,
    now_ns, output, output_with, soak, spoil, wait_until,
};
use relevo_tests::skip;

const FLAVOUR: Flavour = Flavour::V3;
/// Addresses beside that of the flavour: as many in the advert as fit, and the rest.
const ADVERTISED: usize = 250;
const EXCLUDED: usize = 250;
/// What a busy machine may add to an interval.
const SLACK: Duration = Duration::from_millis(400);
/// What a busy machine may need for an orderly end, with 500 addresses to remove.
const END: Duration = Duration::from_secs(3);

/// What came of a run with a log that nobody reads.
struct Outcome {
    rhythm: Rhythm,
    watched: Duration,
    /// Addresses that the daemon had put up.
    held: usize,
    /// From SIGTERM to the end, if it came.
    ended: Option<Duration>,
    code: i32,
    /// Addresses that the daemon has left behind.
    left: usize,
}

fn many() -> Vec<String> {
    let address = |i: usize| format!("10.9.{}.{}/32", i / 250, i % 250 + 1);
    (0..ADVERTISED - 1 + EXCLUDED).map(address).collect()
}

/// The flavour's configuration with the many addresses.
fn crowded(plain: &str) -> String {
    let many = many();
    let (shown, hidden) = many.split_at(ADVERTISED - 1);
    let shown = format!("virtual_ipaddress {{\n{}\n", shown.join("\n"));
    let hidden = format!(
        "virtual_ipaddress_excluded {{\n{}\n}}\n}}\n",
        hidden.join("\n")
    );
    let text = plain.replace("virtual_ipaddress {\n", &shown);
    let end = text.trim_end().len() - 1;
    format!("{}{hidden}", &text[..end])
}

/// A pair whose configurations are crowded; the first side runs `program`.
fn pair(program: &Program) -> Result<Pair> {
    let relevo = Program::relevo()?;
    let mut pair = Pair::new(FLAVOUR, program, &relevo)?;
    pair.capture = Capture::start_without(&pair.lab, spoil::MAC)?;
    for side in [&mut pair.a, &mut pair.b] {
        side.configuration = crowded(&side.configuration);
    }
    Ok(pair)
}

/// A pipe that is full.
fn full_pipe() -> Result<(PipeReader, PipeWriter)> {
    let fail = |error: std::io::Error| format!("a pipe: {error}");
    let (reader, writer) = pipe().map_err(fail)?;
    let stuffing = writer.try_clone().map_err(fail)?;
    // Blocks when the pipe is full, and is ended then.
    let mut stuffer = Command::new("timeout");
    stuffer
        .args(["0.5", "cat", "/dev/zero"])
        .stdin(Stdio::null())
        .stdout(stuffing);
    stuffer.status().map_err(fail)?;
    Ok((reader, writer))
}

/// How many addresses a host has, of ours.
fn held(pair: &Pair, who: Who) -> Result<usize> {
    let ours = |address: &&IpAddr| match address {
        IpAddr::V4(address) => {
            let [ten, second, third, last] = address.octets();
            ten == 10 && (second == 9 || (second == 0 && third == 0 && last == 100))
        }
        IpAddr::V6(_) => false,
    };
    let present = pair.side(who).host.addresses()?;
    Ok(present.iter().filter(ours).count())
}

fn wait_held(pair: &Pair, who: Who, count: usize, limit: Duration) -> Result<()> {
    wait_until(&format!("{count} addresses at {who:?}"), limit, || {
        Ok((held(pair, who)? == count).then_some(()))
    })
}

/// Starts the first side with a log that nobody reads.
fn start_unread(pair: &mut Pair, options: Options<'_>, log: Elsewhere) -> Result<()> {
    let side = &mut pair.a;
    let (host, program, text) = (&side.host, &side.program, &side.configuration);
    side.daemon = Some(Daemon::start_logging(
        host,
        program,
        text,
        options,
        Some(log),
    )?);
    Ok(())
}

/// Watches a master that runs since a moment, then ends it. What is not as it should be is told by `judge`.
fn watch_and_end(pair: &mut Pair, started: i64) -> Result<Outcome> {
    let time = soak::time(Duration::from_secs(4)).min(Duration::from_secs(15));
    let limit = Duration::from_secs(8);
    let first = pair.wait_advert(Who::A, started, limit, |advert| advert.priority > 0)?;
    sleep(time);
    let until = now_ns();
    let times = pair.adverts_of(Who::A, first).into_iter();
    let times: Vec<i64> = times.map(|(at, _)| at).filter(|at| *at <= until).collect();
    let held_before = held(pair, Who::A)?;
    let mut daemon = pair.a.daemon.take().ok_or("no daemon")?;
    let asked = Instant::now();
    daemon.signal("TERM")?;
    let code = daemon.wait(Duration::from_secs(10));
    let ended = code.is_ok().then(|| asked.elapsed());
    let left = held(pair, Who::A)?;
    Ok(Outcome {
        rhythm: Rhythm::of(&times),
        watched: Duration::from_nanos(u64::try_from(until - first).unwrap_or(0)),
        held: held_before,
        ended,
        code: code.unwrap_or(-1),
        left,
    })
}

fn report(test: &str, program: &Program, outcome: &Outcome) {
    let who = if program.keepalived {
        "keepalived"
    } else {
        "relevo"
    };
    let row = |what: &str, value: &str| soak::row(test, who, what, value);
    let seconds = outcome.watched.as_secs_f64();
    row("adverts", &format!("in {seconds:.1} s: {}", outcome.rhythm));
    let ended = outcome
        .ended
        .map_or("not within 10 s".to_owned(), |time| format!("{time:.0?}"));
    row("end after SIGTERM", &ended);
    row("addresses held", &outcome.held.to_string());
    row("addresses left behind", &outcome.left.to_string());
}

fn judge(outcome: &Outcome) -> Result<()> {
    outcome
        .rhythm
        .judge(FLAVOUR.interval(), SLACK, outcome.watched)?;
    match outcome.ended {
        Some(time) if time <= END && outcome.code == 0 => {}
        other => return Err(format!("SIGTERM: {other:?}, code {}", outcome.code)),
    }
    if outcome.held != ADVERTISED + EXCLUDED {
        return Err(format!("{} addresses were held", outcome.held));
    }
    if outcome.left > 0 {
        return Err(format!("{} addresses were left behind", outcome.left));
    }
    Ok(())
}

/// Plays `story` with Relevo, judged, and in the long run with keepalived, told.
fn play(test: &str, story: fn(&mut Pair) -> Result<Outcome>) {
    if let Some(reason) = need::end_to_end() {
        skip!("{reason}");
    }
    let mut programs = vec![Program::relevo().unwrap()];
    if soak::on() && need::keepalived().is_none() {
        programs.push(Program::keepalived().unwrap());
    }
    for program in programs {
        let mut pair = pair(&program).unwrap();
        let end = story(&mut pair).and_then(|outcome| {
            report(test, &program, &outcome);
            if program.keepalived {
                return Ok(());
            }
            judge(&outcome)?;
            wait_held(
                &pair,
                Who::B,
                ADVERTISED + EXCLUDED,
                FLAVOUR.interval() * 4 + SLACK * 3,
            )
        });
        match end {
            Err(error) if program.keepalived => soak::row(test, "keepalived", "failed", &error),
            Err(error) => panic!("{error}\n{}", pair.report()),
            Ok(()) => {}
        }
    }
}

#[test]
fn a_full_pipe_for_a_log_holds_nothing_up() {
    play("log: stderr is a full pipe", |pair| {
        // keepalived would not even start: its pipe is empty at first, and it fills it by itself.
        let (reader, writer) = if pair.a.program.keepalived {
            pipe().map_err(|error| format!("a pipe: {error}"))?
        } else {
            full_pipe()?
        };
        let started = now_ns();
        start_unread(pair, Options::default(), Elsewhere::Pipe(writer))?;
        pair.b.start()?;
        let outcome = watch_and_end(pair, started)?;
        drop(reader);
        Ok(outcome)
    });
}

/// Puts a /dev in place that has what a daemon needs and a /dev/log of ours.
const OWN_DEV: &str = r#"
for n in null zero full random urandom; do : >"$1/$n"; mount -n --bind "/dev/$n" "$1/$n"; done
mount -n --rbind "$1" /dev && shift && exec "$@"
"#;

/// A /dev/log that somebody has bound and does not read, with room for one line, and the folder it is in.
fn stuck_syslog(pair: &Pair) -> Result<(UnixDatagram, PathBuf)> {
    let dev = pair.a.host.dir.join("dev");
    let fail = |error: std::io::Error| format!("{}: {error}", dev.display());
    fs::create_dir_all(&dev).map_err(fail)?;
    let path = dev.join("log");
    let socket = UnixDatagram::bind(&path).map_err(fail)?;
    let stuffing = UnixDatagram::unbound().map_err(fail)?;
    stuffing.set_nonblocking(true).map_err(fail)?;
    let mut stuffed = 0;
    // keepalived would not even start.
    while !pair.a.program.keepalived && stuffing.send_to(b"stuffing", &path).is_ok() {
        stuffed += 1;
        if stuffed > 1_000_000 {
            return Err("the socket is never full".to_owned());
        }
    }
    socket.set_nonblocking(true).map_err(fail)?;
    let _ = socket.recv(&mut [0; 64]);
    Ok((socket, dev))
}

/// The lines that a daemon has sent to a socket.
fn lines_in(socket: &UnixDatagram) -> Vec<String> {
    let mut buffer = [0; 4_096];
    let mut lines = Vec::new();
    while let Ok(length) = socket.recv(&mut buffer) {
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text != "stuffing" {
            lines.push(text);
        }
    }
    lines
}

#[test]
fn a_stuck_syslog_holds_nothing_up() {
    play("log: syslog is stuck", |pair| {
        let (socket, dev) = stuck_syslog(pair)?;
        let dev = dev.to_string_lossy().into_owned();
        let wrap = ["sh", "-c", OWN_DEV, "sh", &dev];
        let started = now_ns();
        let options = Options {
            extra: &[],
            wrap: &wrap,
        };
        start_unread(pair, options, Elsewhere::Syslog)?;
        pair.b.start()?;
        let outcome = watch_and_end(pair, started)?;
        // It did try, and then found no room.
        let lines = lines_in(&socket);
        let one = lines.len() == 1 && lines.iter().all(|line| line.contains("Keepalived"));
        if !one && !pair.a.program.keepalived {
            return Err(format!("syslog should have one line: {lines:?}"));
        }
        Ok(outcome)
    });
}

/// Reads a pipe to its end in a thread.
fn read_on(mut reader: PipeReader) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let shared = Arc::clone(&text);
    std::thread::spawn(move || {
        let mut buffer = [0; 4_096];
        while let Ok(length @ 1..) = reader.read(&mut buffer) {
            let piece = String::from_utf8_lossy(&buffer[..length]).replace('\0', "");
            shared
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_str(&piece);
        }
    });
    text
}

/// A master whose reader is gone is deposed again and again by a forged claim, and each time finds its
/// addresses there already, which is worth a line for each: more lines than are kept.
fn dropped_lines(pair: &mut Pair) -> Result<u64> {
    let (reader, writer) = full_pipe()?;
    start_unread(pair, Options::default(), Elsewhere::Pipe(writer))?;
    wait_held(pair, Who::A, ADVERTISED + EXCLUDED, Duration::from_secs(8))?;
    let other = pair.lab.host("other").clone();
    let claim = spoil::believable(FLAVOUR, FLAVOUR.source(&other), 254, None).frame();
    let depose = |count: u32| {
        let attack = Attack::start(
            &other,
            std::slice::from_ref(&claim),
            10,
            Duration::from_millis(200),
        );
        attack?.finish()?;
        wait_held(pair, Who::A, count as usize, Duration::from_secs(4))
    };
    depose(0)?;
    let batch: String = many()
        .iter()
        .map(|address| format!("addr add {address} dev eth0\n"))
        .collect();
    output_with(
        pair.a.host.command("ip").args(["-force", "-batch", "-"]),
        &batch,
    )?;
    for _ in 0..4 {
        wait_held(pair, Who::A, ADVERTISED + EXCLUDED, Duration::from_secs(4))?;
        sleep(FLAVOUR.interval());
        depose(u32::try_from(many().len()).unwrap_or(0))?;
    }
    let text = read_on(reader);
    let told = wait_until(
        "the report of dropped lines",
        Duration::from_secs(5),
        || {
            let text = text.lock().unwrap_or_else(PoisonError::into_inner);
            let line = text
                .lines()
                .find(|line| line.contains(" log lines were dropped"));
            Ok(line.map(str::to_owned))
        },
    )?;
    let mut words = told
        .split(' ')
        .rev()
        .skip_while(|word| *word != "log")
        .skip(1);
    let count = words.next().and_then(|word| word.parse().ok());
    let count = count.ok_or_else(|| format!("no number in {told:?}"))?;
    // Afterwards the log works as ever.
    let mut daemon = pair.a.daemon.take().ok_or("no daemon")?;
    let code = daemon.stop(Duration::from_secs(5))?;
    if code != 0 {
        return Err(format!("code {code}"));
    }
    wait_until("the last line of the log", Duration::from_secs(5), || {
        let text = text.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(text.trim_end().contains("Stopped").then_some(()))
    })?;
    Ok(count)
}

#[test]
fn lines_that_found_no_room_are_counted_and_told() {
    if let Some(reason) = need::end_to_end() {
        skip!("{reason}");
    }
    let mut pair = pair(&Program::relevo().unwrap()).unwrap();
    match dropped_lines(&mut pair) {
        Ok(count) => {
            soak::row(
                "log: the reader comes back",
                "relevo",
                "lines dropped, and told",
                &count.to_string(),
            );
            assert!(count > 100, "{count}");
        }
        Err(error) => panic!("{error}\n{}", pair.report()),
    }
    // Whatever is there now was put there by the test.
    let left = output(
        pair.a
            .host
            .command("ip")
            .args(["-o", "addr", "show", "to", "10.0.0.100"]),
    );
    assert_eq!(left.as_deref().map(str::trim), Ok(""));
}
