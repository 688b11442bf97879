//! A private network for one test: a thread moves into a network namespace of its own, which is
//! gone when the thread ends.

use std::process::Command;
use std::time::{Duration, Instant};

/// Runs `test` in a new network namespace, or says that it is skipped where that is not allowed.
pub(crate) fn in_namespace(test: impl FnOnce() + Send + 'static) {
    let name = std::thread::current().name().unwrap_or("test").to_owned();
    let thread = std::thread::Builder::new().name(name.clone());
    let thread = thread.spawn(move || {
        if let Err(error) = crate::sys::netns::leave_network() {
            eprintln!("skipped: {name} needs a network namespace of its own: {error}");
            return;
        }
        test();
    });
    if let Err(panic) = thread.expect("a thread").join() {
        std::panic::resume_unwind(panic);
    }
}

/// Runs `ip` with these words in the thread's namespace.
pub(crate) fn ip(words: &str) {
    let output = Command::new("ip").args(words.split(' ')).output();
    let output = output.expect("ip runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {words}: {complaint}");
}

/// A pair of interfaces, `va` and `vb`, joined by a cable; addresses are usable at once.
pub(crate) fn cable() {
    for (file, value) in [
        ("ipv6/conf/all/accept_dad", "0"),
        ("ipv6/conf/default/accept_dad", "0"),
        // Both ends are on one host here: let it hear itself.
        ("ipv4/conf/all/accept_local", "1"),
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/default/rp_filter", "0"),
    ] {
        let path = format!("/proc/sys/net/{file}");
        std::fs::write(&path, value).expect("a setting of the namespace");
    }
    ip("link set lo up");
    ip("link add va address 02:00:00:00:00:0a type veth peer name vb address 02:00:00:00:00:0b");
    ip("link set va up");
    ip("link set vb up");
    // The kernel gives these addresses a little later, by itself.
    await_local("fe80::ff:fe00:a", "va");
    await_local("fe80::ff:fe00:b", "vb");
}

/// Waits until an IPv6 address of an interface is in use, its route included.
pub(crate) fn await_local(addr: &str, interface: &str) {
    let words = ["-6", "route", "show", "table", "local", "dev", interface];
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let output = Command::new("ip").args(words).output().expect("ip runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let local = format!("local {addr} ");
        if text.lines().any(|line| line.starts_with(&local)) {
            return;
        }
        assert!(Instant::now() < end, "{addr} in {text}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The number of an interface.
pub(crate) fn index_of(name: &str) -> u32 {
    let output = Command::new("ip")
        .args(["-o", "link", "show", name])
        .output();
    let output = output.expect("ip runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let number = text.split(':').next().and_then(|word| word.parse().ok());
    number.expect("an interface")
}
