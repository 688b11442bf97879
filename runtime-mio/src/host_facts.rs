//! What the configuration needs to know about this host.

use std::fs;
use std::io;

use relevo_core::config::{HostFacts, InterfaceFact};

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
        interfaces,
    })
}
