//! What the configuration needs to know about this host.

use std::fs;
use std::io;

use relevo_core::config::{HostFacts, InterfaceFact};
use relevo_core::time::Duration;

use crate::sys::interfaces;

/// Looks around.
pub(crate) fn gather() -> io::Result<HostFacts> {
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname")?;
    let interfaces = interfaces::interfaces()?
        .into_iter()
        .map(|interface| InterfaceFact {
            name: interface.name,
            loopback: interface.loopback,
            multicast: interface.multicast,
            mtu: interface.mtu,
        })
        .collect();
    Ok(HostFacts {
        hostname: hostname.trim_end().to_owned(),
        uptime: uptime(&fs::read_to_string("/proc/uptime")?),
        interfaces,
    })
}

/// The first number of /proc/uptime: seconds since boot, time asleep included, with two decimals.
/// What cannot be read counts as long ago: nothing waits for it.
fn uptime(text: &str) -> Duration {
    let first = text.split_whitespace().next().unwrap_or_default();
    let (seconds, fraction) = first.split_once('.').unwrap_or((first, "0"));
    let centis = match fraction.len() {
        2 => fraction.parse().unwrap_or(0),
        _ => 0,
    };
    let Ok(seconds) = seconds.parse::<u32>() else {
        return Duration::from_secs(u64::from(u32::MAX));
    };
    Duration::from_secs(u64::from(seconds)) + Duration::from_centis(centis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_is_the_first_number() {
        let micros = |text| uptime(text).as_micros();
        assert_eq!(micros("12.34 99.00\n"), 12_340_000);
        assert_eq!(micros("7 1\n"), 7_000_000);
        assert_eq!(micros("7.5"), 7_000_000);
        assert_eq!(micros("7.-5"), 7_000_000);
        assert_eq!(micros(""), 4_294_967_295_000_000);
        assert_eq!(micros("-1.00 2"), 4_294_967_295_000_000);
    }
}
