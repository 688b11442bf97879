//! A sender of frames made by hand.

use std::fs;
use std::io::Read as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use super::command::{Result, wait_until};
use super::host::{Host, INTERFACE};
use super::need::python;

/// Sends the frames of a file (one in hexadecimal on each line) in turn, at a rate, for some seconds, and
/// tells how many, in what time. Above a thousand a second it sends what is due in bursts.
const SENDER: &str = "
import socket, sys, time
frames = [bytes.fromhex(line) for line in open(sys.argv[1])]
rate, seconds = float(sys.argv[3]), float(sys.argv[4])
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((sys.argv[2], 0))
start = time.monotonic()
sent = 0
while True:
    passed = time.monotonic() - start
    if passed >= seconds:
        break
    due = int(passed * rate) + 1
    while sent < due:
        try:
            s.send(frames[sent % len(frames)])
        except OSError:
            pass
        sent += 1
    time.sleep(max(0.001, start + sent / rate - time.monotonic()))
print(sent, time.monotonic() - start)
";

/// What an attack has sent.
#[derive(Copy, Clone, PartialEq, Debug)]
pub struct Sent {
    /// Frames.
    pub frames: u64,
    /// In how many seconds.
    pub seconds: f64,
}

impl Sent {
    /// Frames a second.
    pub fn rate(self) -> f64 {
        #[expect(clippy::cast_precision_loss)]
        let frames = self.frames as f64;
        frames / self.seconds.max(0.001)
    }
}

/// Frames on their way.
#[derive(Debug)]
pub struct Attack {
    child: Child,
    seconds: f64,
}

impl Attack {
    /// Starts to send `frames` from `host` in turn, `rate` a second, for a time.
    ///
    /// # Errors
    /// The sender cannot be started.
    pub fn start(host: &Host, frames: &[Vec<u8>], rate: u32, time: Duration) -> Result<Self> {
        let mut text = String::new();
        for frame in frames {
            text.extend(frame.iter().map(|byte| format!("{byte:02x}")));
            text.push('\n');
        }
        let path = host.dir.join("frames");
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        let seconds = time.as_secs_f64();
        let child = host
            .command("setpriv")
            .args(["--pdeathsig", "KILL", python(), "-c", SENDER])
            .arg(&path)
            .args([INTERFACE, &rate.to_string(), &format!("{seconds:.3}")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the sender: {error}"))?;
        Ok(Self { child, seconds })
    }

    /// Waits until all is sent.
    ///
    /// # Errors
    /// The sender failed, or takes much too long.
    pub fn finish(mut self) -> Result<Sent> {
        let limit = Duration::from_secs_f64(self.seconds + 10.0);
        let status = wait_until("the end of the attack", limit, || {
            self.child.try_wait().map_err(|error| error.to_string())
        })?;
        if !status.success() {
            return Err(format!("the sender: {status}"));
        }
        let mut text = String::new();
        if let Some(mut told) = self.child.stdout.take() {
            told.read_to_string(&mut text)
                .map_err(|error| format!("the sender: {error}"))?;
        }
        let mut words = text.split_whitespace();
        let frames = words.next().and_then(|word| word.parse().ok());
        let seconds = words.next().and_then(|word| word.parse().ok());
        match (frames, seconds) {
            (Some(frames), Some(seconds)) => Ok(Sent { frames, seconds }),
            _ => Err(format!("the sender said {text:?}")),
        }
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
