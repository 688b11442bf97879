//! `relevo status` and the other words by which the program asks a running daemon.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::control::place;
use crate::control::protocol::{GREETING, Head, Request};
use crate::{check, exit};

/// How long a daemon may take to say anything; it takes its time for a reload.
const PATIENCE: Duration = Duration::from_secs(30);

const USAGE: &str = "\
Usage: relevo status [--json]     how the daemon and its virtual routers are
       relevo reload [--plan]     read the configuration again, and wait for the result;
                                  with --plan say what would change, and change nothing
       relevo plan                the same as reload --plan
       relevo journal             the last inputs of the VRRP process, as a trace
       relevo check FILE...       what is wrong with configurations (see relevo check --help)
       relevo explain [CODE]      what a finding means and how to mend it
The first four with --instance NAME and --namespace NAME (as in the daemon's configuration) or --socket PATH
(or RELEVO_SOCKET=PATH in the environment) for another daemon than the usual one.
Exit status: 0 if all is well, 1 if not; of check see there.
";

/// What the words ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Command {
    Ask { request: Request, socket: PathBuf },
    Check(check::Wish),
    Explain(Vec<OsString>),
    Help,
}

/// Acts on the words if the first of them is a command; returns the exit code. Otherwise the
/// command line is keepalived's, whatever its words are.
pub(crate) fn run(words: &[OsString]) -> Option<u8> {
    let (first, rest) = words.split_first()?;
    let command = read(first, rest)?;
    Some(match command {
        Ok(Command::Ask { request, socket }) => match ask(&socket, request) {
            Ok(code) => code,
            Err(text) => complain(&text),
        },
        Ok(Command::Check(wish)) => check::run(&wish),
        Ok(Command::Explain(codes)) => check::explain(&codes),
        Ok(Command::Help) => {
            _ = io::stdout().write_all(USAGE.as_bytes());
            exit::NORMAL
        }
        Err(text) => complain(&format!("{text}\n\n{USAGE}")),
    })
}

fn complain(text: &str) -> u8 {
    _ = io::stderr().write_all(format!("relevo: {}\n", text.trim_end()).as_bytes());
    exit::FATAL
}

/// Reads a command; `None` if the first word is none.
fn read(first: &OsStr, rest: &[OsString]) -> Option<Result<Command, String>> {
    let mut request = match first.to_str()? {
        "status" => Request::Status,
        "reload" => Request::Reload,
        "plan" => Request::Plan,
        "journal" => Request::Journal,
        "check" => return Some(check::read(rest).map(Command::Check)),
        "explain" => return Some(Ok(Command::Explain(rest.to_vec()))),
        _ => return None,
    };
    let (mut socket, mut namespace, mut instance) = (None, None, None);
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        let text = word.to_str().unwrap_or_default();
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (text, None),
        };
        let mut value = || value.clone().or_else(|| words.next().cloned());
        match (name, request) {
            ("--help" | "-h", _) => return Some(Ok(Command::Help)),
            ("--json", Request::Status) => request = Request::StatusJson,
            ("--plan", Request::Reload) => request = Request::Plan,
            ("--socket" | "--namespace" | "--instance", _) => {
                let place = match name {
                    "--socket" => &mut socket,
                    "--namespace" => &mut namespace,
                    _ => &mut instance,
                };
                *place = value();
                if place.is_none() {
                    return Some(Err(format!("{name} wants a value")));
                }
            }
            _ => {
                let word = word.to_string_lossy();
                return Some(Err(format!("{} does not know {word}", first.display())));
            }
        }
    }
    let text = |word: Option<OsString>| word.map(|word| word.to_string_lossy().into_owned());
    let socket = match (socket, text(namespace), text(instance)) {
        (Some(path), _, _) => path.into(),
        (None, None, None) => place::wanted(None),
        (None, namespace, instance) => place::path(namespace.as_deref(), instance.as_deref()),
    };
    Some(Ok(Command::Ask { request, socket }))
}

/// Asks, prints the answer, and returns the exit code; an error is what to complain about.
fn ask(socket: &Path, request: Request) -> Result<u8, String> {
    let mut stream = UnixStream::connect(socket).map_err(|error| unreachable(socket, &error))?;
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::WouldBlock => "the daemon does not answer".to_owned(),
        _ => format!("the daemon cannot be heard: {error}"),
    };
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    let mut received = Vec::new();
    while received.len() < GREETING.len() {
        if fill(&mut stream, &mut received).map_err(failed)? == 0 {
            return Err("the daemon does not listen to this user, or to so many".to_owned());
        }
    }
    let received = received.strip_prefix(GREETING.as_bytes());
    let mut received = received
        .ok_or("whoever listens there is no daemon of this version")?
        .to_vec();
    let line = format!("{}\n", request.word());
    stream.write_all(line.as_bytes()).map_err(failed)?;
    if request == Request::Reload {
        stream.set_read_timeout(None).map_err(failed)?;
    }
    loop {
        let head = Head::read(&received).map_err(|_| "the daemon said something strange")?;
        if let Some(head) = head
            && let Some(body) = received.get(head.len..head.len + head.body)
        {
            return Ok(print(request, head.is_ok, body));
        }
        if fill(&mut stream, &mut received).map_err(failed)? == 0 {
            return Err("the daemon ended before it had answered".to_owned());
        }
    }
}

fn fill(stream: &mut UnixStream, received: &mut Vec<u8>) -> io::Result<usize> {
    let mut buffer = [0; 16 << 10];
    loop {
        match stream.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(0),
            Err(error) => return Err(error),
            Ok(count) => {
                received.extend_from_slice(buffer.get(..count).unwrap_or_default());
                return Ok(count);
            }
        }
    }
}

/// A reader that has seen enough is no failure of the daemon's, but it is one.
fn print(request: Request, is_ok: bool, body: &[u8]) -> u8 {
    // A report that something is wrong is a report.
    let is_report = matches!(request, Request::Status | Request::StatusJson);
    let written = if is_ok || is_report {
        io::stdout().write_all(body)
    } else {
        io::stderr().write_all(body)
    };
    match written {
        Ok(()) if is_ok => exit::NORMAL,
        Ok(()) | Err(_) => exit::FATAL,
    }
}

fn unreachable(socket: &Path, error: &io::Error) -> String {
    let path = socket.display();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            format!("no daemon is running: nobody listens at {path}")
        }
        io::ErrorKind::PermissionDenied => format!("{path}: only root may ask the daemon"),
        _ => format!("{path}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str]) -> Option<Result<Command, String>> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let (first, rest) = words.split_first()?;
        read(first, rest)
    }

    fn asks(words: &[&str]) -> (Request, PathBuf) {
        match command(words) {
            Some(Ok(Command::Ask { request, socket })) => (request, socket),
            other => panic!("{words:?}: {other:?}"),
        }
    }

    #[test]
    fn words_are_commands_only_in_the_first_place() {
        for words in [
            &["-n"][..],
            &["-f", "status"],
            &["--status"],
            &["Status"],
            &[""],
        ] {
            assert_eq!(command(words), None, "{words:?}");
        }
    }

    #[test]
    fn each_command_is_read() {
        let usual = PathBuf::from("/run/keepalived/relevo.sock");
        let plain = |request| (request, usual.clone());
        assert_eq!(asks(&["status"]), plain(Request::Status));
        assert_eq!(asks(&["status", "--json"]), plain(Request::StatusJson));
        assert_eq!(asks(&["reload"]), plain(Request::Reload));
        assert_eq!(asks(&["reload", "--plan"]), plain(Request::Plan));
        assert_eq!(asks(&["plan"]), plain(Request::Plan));
        assert_eq!(asks(&["journal"]), plain(Request::Journal));
        let other = (Request::Status, PathBuf::from("/x/y"));
        assert_eq!(asks(&["status", "--socket", "/x/y"]), other);
        assert_eq!(asks(&["status", "--socket=/x/y"]), other);
        let named = asks(&["reload", "--instance", "blue"]).1;
        assert_eq!(named, Path::new("/run/keepalived/relevo_blue.sock"));
        let named = asks(&["journal", "--namespace=red", "--instance=blue"]).1;
        assert_eq!(named, Path::new("/run/keepalived/red/relevo_blue.sock"));
        let checks = |words: &[&str]| matches!(command(words), Some(Ok(Command::Check(_))));
        assert!(checks(&["check", "a.conf"]) && checks(&["check", "--help"]));
        let codes = Command::Explain(vec!["a".into()]);
        assert_eq!(command(&["explain", "a"]), Some(Ok(codes)));
        assert_eq!(command(&["status", "--help"]), Some(Ok(Command::Help)));
    }

    #[test]
    fn what_a_command_does_not_know_is_told() {
        for words in [
            &["status", "--plan"][..],
            &["reload", "--json"],
            &["journal", "x"],
            &["status", "--socket"],
            &["status", "--instance"],
            &["check"],
            &["check", "a=b"],
        ] {
            assert!(matches!(command(words), Some(Err(_))), "{words:?}");
        }
    }

    #[test]
    fn nobody_is_told_from_somebody_strange() {
        let place = std::env::temp_dir().join(format!("relevo-ask-{}", std::process::id()));
        std::fs::create_dir_all(&place).expect("a directory of our own");
        let path = place.join("sock");
        let nobody = ask(&path, Request::Version).expect_err("nobody listens");
        assert!(nobody.starts_with("no daemon is running"), "{nobody}");
        let says = |text: &'static str| {
            _ = std::fs::remove_file(&path);
            let listener = std::os::unix::net::UnixListener::bind(&path).expect("free");
            let thread = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().expect("a client");
                stream.write_all(text.as_bytes()).expect("room");
                stream.shutdown(std::net::Shutdown::Write).expect("open");
                _ = stream.read_to_end(&mut Vec::new());
            });
            let outcome = ask(&path, Request::Version);
            thread.join().expect("done");
            outcome
        };
        assert_eq!(says("relevo 1\nok 0\n"), Ok(0));
        assert_eq!(says("relevo 1\nerror 0\n"), Ok(1));
        for (text, why) in [
            ("", "does not listen"),
            ("relevo 2\n", "version"),
            ("relevo 1\nmaybe\n", "strange"),
            ("relevo 1\nok 5\n1234", "ended before"),
        ] {
            let told = says(text).expect_err("no answer");
            assert!(told.contains(why), "{text:?}: {told}");
        }
        std::fs::remove_dir_all(&place).expect("ours");
    }
}
