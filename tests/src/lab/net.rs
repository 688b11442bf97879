//! The network: one switch, and hosts on cables.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use super::command::{Result, output, output_with, run, wait_until};
use super::host::{Host, INTERFACE};

/// Where the labs' files lie unless `RELEVO_LAB_DIR` says otherwise. Not under /tmp or /run, which every
/// host replaces by its own.
const ROOT: &str = "/var/tmp/relevo-lab";
/// What the names of our namespaces start with; the pid follows.
const MARK: &str = "rlv";

static SERIAL: AtomicU32 = AtomicU32::new(1);
static SWEPT: Once = Once::new();

/// A switch with hosts. Dropping it kills what runs in its namespaces and removes them.
#[derive(Debug)]
pub struct Lab {
    switch: String,
    dir: PathBuf,
    hosts: Vec<Host>,
}

impl Lab {
    /// Builds a switch and one host for each name; host `i` (from 1) has 10.0.0.i/24 and fd00::i/64.
    ///
    /// # Errors
    /// A namespace or a link could not be made; what was made is removed again.
    pub fn new(names: &[&str]) -> Result<Self> {
        SWEPT.call_once(sweep);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("{MARK}{}x{serial}", std::process::id());
        let dir = root().join(&prefix);
        let mut lab = Self {
            switch: format!("{prefix}-sw"),
            dir,
            hosts: Vec::new(),
        };
        fs::create_dir_all(&lab.dir).map_err(|error| format!("{}: {error}", lab.dir.display()))?;
        run(&["ip", "netns", "add", &lab.switch])?;
        lab.in_switch(
            "link set lo up\n\
             link add br0 type bridge mcast_snooping 0 forward_delay 0 stp_state 0\n",
        )?;
        let quiet = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6";
        output(enter(&lab.switch, "sh").args(["-c", quiet]))?;
        lab.in_switch("link set br0 up\n")?;
        for (name, index) in names.iter().zip(1_u8..) {
            let host = Host {
                name: (*name).to_owned(),
                namespace: format!("{prefix}-{name}"),
                dir: lab.dir.join(name),
                index,
            };
            lab.hosts.push(host.clone());
            lab.plug_in(&host)?;
        }
        Ok(lab)
    }

    /// Makes one host and its cable.
    fn plug_in(&self, host: &Host) -> Result<()> {
        for folder in ["run", "tmp"] {
            let path = host.dir.join(folder);
            fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        run(&["ip", "netns", "add", &host.namespace])?;
        // No duplicate address detection: it takes two seconds and makes addresses unusable meanwhile.
        let settings = "cd /proc/sys/net/ipv6/conf && for i in all default; do \
                        echo 0 > $i/accept_dad; echo 0 > $i/dad_transmits; done";
        output(host.command("sh").args(["-c", settings]))?;
        host.ip("link set lo up")?;
        self.make_interface(host)?;
        wait_until(
            "the link-local address",
            std::time::Duration::from_secs(5),
            || Ok(host.holds(host.link_local().into())?.then_some(())),
        )
    }

    /// Makes a host's interface, with its cable to the switch and its addresses. To take it away,
    /// delete it on the host.
    ///
    /// # Errors
    /// It is there already, or could not be made.
    pub fn make_interface(&self, host: &Host) -> Result<()> {
        self.make_cable(host, "")
    }

    /// As [`Lab::make_interface`], with a number of the caller's choice, which must be free.
    ///
    /// # Errors
    /// As there.
    pub fn make_interface_numbered(&self, host: &Host, number: &str) -> Result<()> {
        self.make_cable(host, &format!("index {number}"))
    }

    fn make_cable(&self, host: &Host, number: &str) -> Result<()> {
        let port = port(host);
        host.ip_batch(&format!(
            "link add {INTERFACE} {number} type veth peer name {port} netns {}\n",
            self.switch
        ))?;
        self.in_switch(&format!("link set {port} master br0 up\n"))?;
        let (mac, ipv4, ipv6) = (host.mac_text(), host.ipv4(), host.ipv6());
        host.ip_batch(&format!(
            "link set {INTERFACE} address {mac}\naddr add {ipv4}/24 dev {INTERFACE}\n\
             link set {INTERFACE} up\naddr add {ipv6}/64 dev {INTERFACE} nodad\n"
        ))
    }

    /// The host of that name.
    ///
    /// # Panics
    /// There is no such host: a mistake in the test.
    pub fn host(&self, name: &str) -> &Host {
        let found = self.hosts.iter().find(|host| host.name == name);
        found.unwrap_or_else(|| panic!("the lab has no host {name}"))
    }

    /// The folder of the lab's files.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A command that will run in the switch's network.
    pub fn switch_command(&self, program: &str) -> Command {
        enter(&self.switch, program)
    }

    /// Cuts the path between two hosts; both keep their carrier and reach every other host.
    ///
    /// # Errors
    /// The switch could not be told.
    pub fn cut(&self, a: &Host, b: &Host) -> Result<()> {
        self.isolate(a, b, "on")
    }

    /// Mends what [`Lab::cut`] did.
    ///
    /// # Errors
    /// The switch could not be told.
    pub fn heal(&self, a: &Host, b: &Host) -> Result<()> {
        self.isolate(a, b, "off")
    }

    fn isolate(&self, a: &Host, b: &Host, how: &str) -> Result<()> {
        let (a, b) = (port(a), port(b));
        self.in_switch(&format!(
            "link set {a} type bridge_slave isolated {how}\nlink set {b} type bridge_slave isolated {how}\n"
        ))
    }

    /// Pulls a host's cable: it sees its carrier go.
    ///
    /// # Errors
    /// The switch could not be told.
    pub fn pull(&self, host: &Host) -> Result<()> {
        self.in_switch(&format!("link set {} down\n", port(host)))
    }

    /// Plugs a host's cable in again.
    ///
    /// # Errors
    /// The switch could not be told.
    pub fn plug(&self, host: &Host) -> Result<()> {
        self.in_switch(&format!("link set {} up\n", port(host)))
    }

    fn in_switch(&self, batch: &str) -> Result<()> {
        output_with(enter(&self.switch, "ip").args(["-batch", "-"]), batch).map(|_| ())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for host in &self.hosts {
            remove_namespace(&host.namespace);
        }
        remove_namespace(&self.switch);
        if std::env::var_os("RELEVO_KEEP").is_some() {
            let _ = fs::write(self.dir.join("kept"), "");
            eprintln!("kept: {}", self.dir.display());
        } else {
            let _ = fs::remove_dir_all(&self.dir);
            // Goes only when it is empty.
            let _ = fs::remove_dir(root());
        }
    }
}

fn root() -> PathBuf {
    std::env::var_os("RELEVO_LAB_DIR").map_or_else(|| PathBuf::from(ROOT), PathBuf::from)
}

/// The switch's end of a host's cable.
fn port(host: &Host) -> String {
    format!("p{}", host.name)
}

fn enter(namespace: &str, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command
        .arg(format!("--net=/run/netns/{namespace}"))
        .arg(program);
    command
}

/// Kills what runs in a namespace, and removes it. Errors are of no use here: it may be half made.
fn remove_namespace(name: &str) {
    if !Path::new("/run/netns").join(name).exists() {
        return;
    }
    if let Ok(pids) = run(&["ip", "netns", "pids", name]) {
        let pids: Vec<&str> = pids.split_whitespace().collect();
        if !pids.is_empty() {
            let _ = Command::new("sh")
                .args(["-c", "kill -KILL \"$@\"", "sh"])
                .args(pids)
                .output();
        }
    }
    let _ = run(&["ip", "netns", "del", name]);
}

/// Removes what runs that were killed have left: namespaces and folders whose pid no longer lives.
fn sweep() {
    for entry in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if left_over(&name) {
            remove_namespace(&name);
        }
    }
    for entry in fs::read_dir(root()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if left_over(&name) && !entry.path().join("kept").exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether a name is one of ours, of a process that is gone.
fn left_over(name: &str) -> bool {
    let pid = name
        .strip_prefix(MARK)
        .and_then(|rest| rest.split_once('x'))
        .map(|(pid, _)| pid);
    pid.and_then(|pid| pid.parse::<u32>().ok())
        .is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_dead_names_are_left_overs() {
        assert!(left_over("rlv4294967295x1-a"));
        assert!(!left_over(&format!("rlv{}x1-a", std::process::id())));
        assert!(!left_over("rlvx1-a"));
        assert!(!left_over("other"));
        assert!(!left_over("rlv12"));
    }
}
