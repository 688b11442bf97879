//! One host of the lab: a namespace with one interface and its own /run and /tmp.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::command::{Result, output, output_with};

/// The interface that every host has.
pub(super) const INTERFACE: &str = "eth0";

/// A host: cheap to clone, does not own what it names (the lab does).
#[derive(Clone, Debug)]
pub struct Host {
    /// Short name within the lab, such as `a`.
    pub name: String,
    /// Name of its network namespace.
    pub namespace: String,
    /// Folder of its files: `run` and `tmp` are bound over /run and /tmp.
    pub dir: PathBuf,
    /// Number from 1, the last byte of its addresses.
    pub index: u8,
}

impl Host {
    /// Its IPv4 address, in a /24.
    pub fn ipv4(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, self.index)
    }

    /// Its global IPv6 address, in a /64.
    pub fn ipv6(&self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, u16::from(self.index))
    }

    /// The link-local IPv6 address that the kernel makes from its MAC.
    pub fn link_local(&self) -> Ipv6Addr {
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x00ff, 0xfe00, u16::from(self.index))
    }

    /// The MAC address of its interface.
    pub fn mac(&self) -> [u8; 6] {
        [2, 0, 0, 0, 0, self.index]
    }

    /// The MAC address as text.
    pub fn mac_text(&self) -> String {
        format!("02:00:00:00:00:{:02x}", self.index)
    }

    /// A command that will run in the host's network, but with the machine's files.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/run/netns/{}", self.namespace))
            .arg(program);
        command
    }

    /// A command that will run as one does on the host: its network, its own /run and /tmp, and its end
    /// when the thread that starts it ends. `wrap` are words to put before the program.
    pub fn inside(&self, wrap: &[&str], program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "nsenter"])
            .arg(format!("--net=/run/netns/{}", self.namespace))
            .args(["unshare", "--mount", "sh", "-c"])
            .arg(
                r#"mount -n --bind "$1/run" /run && mount -n --bind "$1/tmp" /tmp && shift && exec "$@""#,
            )
            .arg("sh")
            .arg(&self.dir)
            .args(wrap)
            .arg(program);
        command
    }

    /// Runs `ip` with these words on the host.
    ///
    /// # Errors
    /// It failed.
    pub fn ip(&self, words: &str) -> Result<String> {
        output(self.command("ip").args(words.split(' ')))
    }

    /// Runs lines of `ip`, one after the other, in one process.
    ///
    /// # Errors
    /// One of them failed; those after it did not run.
    pub fn ip_batch(&self, lines: &str) -> Result<()> {
        output_with(self.command("ip").args(["-batch", "-"]), lines).map(|_| ())
    }

    /// The addresses of the interface, without their prefix lengths.
    ///
    /// # Errors
    /// The kernel could not be asked.
    pub fn addresses(&self) -> Result<Vec<IpAddr>> {
        let text = output(
            self.command("ip")
                .args(["-o", "addr", "show", "dev", INTERFACE]),
        )?;
        Ok(parse_addresses(&text))
    }

    /// Whether the interface has an address.
    ///
    /// # Errors
    /// The kernel could not be asked.
    pub fn holds(&self, address: IpAddr) -> Result<bool> {
        Ok(self.addresses()?.contains(&address))
    }

    /// Everything that a daemon might have changed and must not: addresses, links, routes, rules, files.
    ///
    /// # Errors
    /// The kernel could not be asked.
    pub fn fingerprint(&self) -> Result<String> {
        let script = "ip -o addr; ip -o link; ip route show table all; ip rule; ip -6 rule; \
                      nft list ruleset 2>/dev/null; find \"$0/run\" \"$0/tmp\" -mindepth 1";
        let text = output(self.command("sh").args(["-c", script]).arg(&self.dir))?;
        // Lifetimes count down by themselves.
        let kept = text
            .lines()
            .map(|line| line.split("valid_lft").next().unwrap_or(line));
        Ok(kept.collect::<Vec<_>>().join("\n"))
    }
}

/// Addresses of `ip -o addr` lines: `2: eth0    inet 10.0.0.1/24 scope ...`.
fn parse_addresses(text: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut words = line
            .split_whitespace()
            .skip_while(|word| !word.starts_with("inet"));
        let address = words.nth(1).and_then(|word| word.split('/').next());
        if let Some(Ok(address)) = address.map(str::parse) {
            found.push(address);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_the_one_line_form() {
        let text = "2: eth0    inet 10.0.0.1/24 scope global eth0\\       valid_lft forever\n\
                    2: eth0    inet6 fe80::1/64 scope link \\       valid_lft forever\n";
        let expected: Vec<IpAddr> = vec!["10.0.0.1".parse().unwrap(), "fe80::1".parse().unwrap()];
        assert_eq!(parse_addresses(text), expected);
        assert_eq!(
            parse_addresses("1: lo no address here\n"),
            Vec::<IpAddr>::new()
        );
    }

    #[test]
    fn the_link_local_address_is_that_of_the_mac() {
        let host = Host {
            name: "a".into(),
            namespace: "n".into(),
            dir: PathBuf::new(),
            index: 7,
        };
        assert_eq!(host.link_local().to_string(), "fe80::ff:fe00:7");
    }
}
