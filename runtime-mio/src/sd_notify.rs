//! Tells systemd how far the service is, where systemd wants to know.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

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
