//! A sender of frames made by hand.

use std::fs;
use std::process::{Child, Stdio};
use std::time::Duration;

use super::command::{Result, wait_until};
use super::host::{Host, INTERFACE};
use super::need::python;

/// Sends the frames of a file (one in hexadecimal on each line) in turn, at a rate, for some seconds.
const SENDER: &str = "
import socket, sys, time
frames = [bytes.fromhex(line) for line in open(sys.argv[1])]
rate, seconds = float(sys.argv[3]), float(sys.argv[4])
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((sys.argv[2], 0))
start = time.monotonic()
sent = 0
while sent < rate * seconds:
    s.send(frames[sent % len(frames)])
    sent += 1
    rest = start + sent / rate - time.monotonic()
    if rest > 0:
        time.sleep(rest)
print(sent)
";

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
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("the sender: {error}"))?;
        Ok(Self { child, seconds })
    }

    /// Waits until all is sent.
    ///
    /// # Errors
    /// The sender failed, or takes much too long.
    pub fn finish(mut self) -> Result<()> {
        let limit = Duration::from_secs_f64(self.seconds + 10.0);
        let status = wait_until("the end of the attack", limit, || {
            self.child.try_wait().map_err(|error| error.to_string())
        })?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the sender: {status}"))
        }
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
