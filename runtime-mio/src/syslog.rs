//! Syslog by datagrams to /dev/log.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where syslog daemons listen.
pub(crate) const SOCKET: &str = "/dev/log";

/// How long one line may wait for a daemon that is behind.
const PATIENCE: Duration = Duration::from_millis(50);

/// RFC 3164's severity of a warning.
const WARNING: u8 = 4;

/// A syslog facility.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Facility(u8);

impl Facility {
    /// The default.
    pub(crate) const DAEMON: Self = Self(3);
    const USER: Self = Self(1);

    /// `0`-`7` and `local0`-`local7` are the local facilities; `user` and `daemon` are themselves.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "daemon" => return Some(Self::DAEMON),
            "user" => return Some(Self::USER),
            _ => {}
        }
        match text.strip_prefix("local").unwrap_or(text).as_bytes() {
            [digit @ b'0'..=b'7'] => Some(Self(16 + digit - b'0')),
            _ => None,
        }
    }

    /// The number in front of a datagram: facility and severity in one (RFC 3164 section 4.1.1).
    fn priority(self, severity: u8) -> u8 {
        self.0 * 8 + severity
    }
}

/// The connection to the syslog daemon; made when first needed, and again when it is lost.
#[derive(Debug)]
pub(crate) struct Syslog {
    path: PathBuf,
    facility: Facility,
    identity: String,
    pid: u32,
    socket: Option<UnixDatagram>,
    /// The last line had to be given up: do not wait for the next one.
    behind: bool,
    /// Lines given up since the last one that was taken.
    lost: u64,
}

impl Syslog {
    pub(crate) fn new(path: &Path, facility: Facility, identity: &str, pid: u32) -> Self {
        Self {
            path: path.to_owned(),
            facility,
            identity: identity.to_owned(),
            pid,
            socket: None,
            behind: false,
            lost: 0,
        }
    }

    /// Sends one line; false if it had to be given up. `stamp` is `Mmm dd hh:mm:ss`. When lines were
    /// given up before this one, their number follows it.
    pub(crate) fn send(&mut self, severity: u8, stamp: &str, text: &str) -> bool {
        if !self.send_line(severity, stamp, text) {
            self.lost += 1;
            return false;
        }
        if self.lost > 0 {
            let lost = self.lost;
            let report = format!(
                "{lost} log lines before the last one were dropped: syslog did not take them"
            );
            if self.send_line(WARNING, stamp, &report) {
                self.lost = 0;
            }
        }
        true
    }

    fn send_line(&mut self, severity: u8, stamp: &str, text: &str) -> bool {
        let priority = self.facility.priority(severity);
        let (identity, pid) = (&self.identity, self.pid);
        let line = format!("<{priority}>{stamp} {identity}[{pid}]: {text}");
        // A daemon that was restarted has a new socket at the same path: try once more.
        for _ in 0..2 {
            match self.try_send(line.as_bytes()) {
                Ok(()) => {
                    self.behind = false;
                    return true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.behind = true;
                    return false;
                }
                Err(_) => self.socket = None,
            }
        }
        false
    }

    fn try_send(&mut self, line: &[u8]) -> io::Result<()> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(&self.path)?;
                socket.set_write_timeout(Some(PATIENCE))?;
                socket
            }
        };
        let socket = self.socket.insert(socket);
        socket.set_nonblocking(self.behind)?;
        socket.send(line)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facilities_by_number_and_name() {
        assert_eq!(Facility::parse("3"), Some(Facility(19)));
        assert_eq!(Facility::parse("local7"), Some(Facility(23)));
        assert_eq!(Facility::parse("user"), Some(Facility(1)));
        assert_eq!(Facility::parse("daemon"), Some(Facility(3)));
        for wrong in ["8", "-1", "", "local", "local8", "33", "mail", "local07"] {
            assert_eq!(Facility::parse(wrong), None, "{wrong}");
        }
    }

    fn socket(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("relevo-{name}-{}", std::process::id()));
        _ = std::fs::remove_file(&path);
        path
    }

    #[test]
    fn lines_survive_a_restart_of_the_daemon() {
        let path = socket("syslog-restart");
        let listen = || {
            _ = std::fs::remove_file(&path);
            UnixDatagram::bind(&path).expect("a socket of our own")
        };
        let mut syslog = Syslog::new(&path, Facility::DAEMON, "Keepalived", 7);
        assert!(!syslog.send(6, "Nov  2 01:02:03", "nobody listens"));
        let mut buffer = [0; 200];
        for text in ["first", "second"] {
            let daemon = listen();
            assert!(syslog.send(6, "Nov  2 01:02:03", text));
            let length = daemon.recv(&mut buffer).expect("a line");
            let expected = format!("<30>Nov  2 01:02:03 Keepalived[7]: {text}");
            assert_eq!(&buffer[..length], expected.as_bytes());
        }
        _ = std::fs::remove_file(&path);
    }

    #[test]
    fn a_daemon_that_does_not_read_costs_one_wait_and_no_more() {
        let path = socket("syslog-hung");
        let daemon = UnixDatagram::bind(&path).expect("a socket of our own");
        let mut syslog = Syslog::new(&path, Facility::DAEMON, "Keepalived", 7);
        let long = "x".repeat(1000);
        let mut sent = 0;
        while syslog.send(6, "Nov  2 01:02:03", &long) {
            sent += 1;
            assert!(sent < 100_000, "the queue never fills");
        }
        let before = std::time::Instant::now();
        for _ in 0..100 {
            assert!(!syslog.send(6, "Nov  2 01:02:03", &long));
        }
        assert!(before.elapsed() < PATIENCE * 10, "{:?}", before.elapsed());
        // It reads again: the next line gets through, and behind it how many did not.
        daemon.set_nonblocking(true).expect("no other reader");
        let mut buffer = [0; 2_000];
        while daemon.recv(&mut buffer).is_ok() {}
        assert!(syslog.send(6, "Nov  2 01:02:03", "back"));
        let mut lines = Vec::new();
        while let Ok(length) = daemon.recv(&mut buffer) {
            lines.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        let [line, report] = &lines[..] else {
            panic!("{lines:?}");
        };
        assert!(
            line.ends_with(": back") && report.contains(": 101 log lines"),
            "{lines:?}"
        );
        _ = std::fs::remove_file(&path);
    }
}
