//! Tells systemd how far the service is, where systemd wants to know.

use std::ffi::{OsStr, OsString};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use relevo_core::time::Duration;

/// Sends `state`, such as `READY=1`. A lost message has no better place to be told of than the
/// service manager's own log.
pub(crate) fn notify(state: &str) {
    let Some(place) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    _ = send(&place, state.as_bytes());
}

fn send(place: &OsStr, state: &[u8]) -> std::io::Result<()> {
    let address = address(place)?;
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(state, &address)?;
    Ok(())
}

/// How often the service manager's watchdog shall hear `WATCHDOG=1`: twice in the time after which
/// it loses patience. `None` if there is none, or if it watches over another process.
pub(crate) fn watchdog_period() -> Option<Duration> {
    let of = |name: &str| std::env::var_os(name);
    of("NOTIFY_SOCKET")?;
    half_of(
        &of("WATCHDOG_USEC")?,
        of("WATCHDOG_PID"),
        std::process::id(),
    )
}

/// Half of the microseconds in `patience`, unless `whom` names another process.
pub(crate) fn half_of(patience: &OsStr, whom: Option<OsString>, own_pid: u32) -> Option<Duration> {
    if whom.is_some_and(|pid| pid.to_str() != Some(own_pid.to_string().as_str())) {
        return None;
    }
    let micros: u64 = patience.to_str()?.parse().ok()?;
    (micros > 0).then(|| Duration::from_micros(micros / 2))
}

/// Where `place` is: a path, or a name behind `@`.
pub(crate) fn address(place: &OsStr) -> std::io::Result<SocketAddr> {
    match place.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        path => SocketAddr::from_pathname(OsStr::from_bytes(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdogs_time_is_halved_if_it_is_ours() {
        let of = |patience: &str, whom: Option<&str>| {
            let period = half_of(OsStr::new(patience), whom.map(OsString::from), 77);
            period.map(Duration::as_micros)
        };
        assert_eq!(of("3000000", None), Some(1_500_000));
        assert_eq!(of("3000000", Some("77")), Some(1_500_000));
        assert_eq!(of("3000000", Some("78")), None);
        assert_eq!(of("3000000", Some("")), None);
        for wrong in ["", "0", "-1", "3s", "99999999999999999999999"] {
            assert_eq!(of(wrong, None), None, "{wrong:?}");
        }
    }

    #[test]
    fn both_kinds_of_sockets_are_reached() {
        let name = format!("relevo-notify-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(&name).expect("a name");
        let path = std::env::temp_dir().join(&name);
        _ = std::fs::remove_file(&path);
        let listeners = [
            (
                UnixDatagram::bind_addr(&abstract_name),
                OsStr::new(&format!("@{name}")).to_owned(),
            ),
            (UnixDatagram::bind(&path), path.clone().into_os_string()),
        ];
        for (listener, place) in listeners {
            let listener = listener.expect("a socket of our own");
            send(&place, b"READY=1").expect("somebody listens");
            let mut buffer = [0; 20];
            let length = listener.recv(&mut buffer).expect("a message");
            assert_eq!(&buffer[..length], b"READY=1");
        }
        _ = std::fs::remove_file(&path);
    }
}
