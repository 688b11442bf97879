//! Which capabilities this process has.

use std::fs;
use std::io;

/// A capability that address failover cannot do without.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Capability {
    NetAdmin,
    NetRaw,
}

impl Capability {
    /// Its name in capabilities(7).
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::NetRaw => "CAP_NET_RAW",
        }
    }

    const fn bit(self) -> u64 {
        match self {
            Self::NetAdmin => 1 << 12,
            Self::NetRaw => 1 << 13,
        }
    }
}

/// Those that are missing from the effective set.
pub(crate) fn missing() -> io::Result<Vec<Capability>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let effective = effective(&status)
        .ok_or_else(|| io::Error::other("no line CapEff in /proc/self/status"))?;
    let needed = [Capability::NetAdmin, Capability::NetRaw];
    Ok(needed
        .into_iter()
        .filter(|capability| effective & capability.bit() == 0)
        .collect())
}

/// The effective set as /proc/self/status tells it.
pub(crate) fn effective(status: &str) -> Option<u64> {
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(value.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_set_is_read() {
        let status = "Name:\tx\nCapPrm:\t0\nCapEff:\t0000000000001000\nCapBnd:\t0\n";
        let set = effective(status).unwrap_or_default();
        assert_ne!(set & Capability::NetAdmin.bit(), 0);
        assert_eq!(set & Capability::NetRaw.bit(), 0);
        assert_eq!(effective("CapEff:\tnonsense\n"), None);
        assert_eq!(effective(""), None);
    }
}
