//! Words of a new text that a running process does not follow: they are applied once, before the
//! first thread or as the last thing of a start.

use relevo_core::config::{ChildProcess, Processes};

/// The words whose value in `new` is another one than in `running` and counts from the next start.
/// What the command line says about the umask (`umask_is_fixed`) counts anyway.
pub(crate) fn words(running: &Processes, new: &Processes, umask_is_fixed: bool) -> Vec<String> {
    let own = [
        ("process_name", running.name != new.name),
        ("umask", running.umask != new.umask && !umask_is_fixed),
        ("random_seed", running.random_seed != new.random_seed),
        (
            "max_auto_priority",
            running.max_auto_priority != new.max_auto_priority,
        ),
        (
            "min_auto_priority_delay",
            running.min_auto_priority_delay != new.min_auto_priority_delay,
        ),
    ];
    let differing = own.into_iter().filter(|(_, differs)| *differs);
    let mut words: Vec<String> = differing.map(|(word, _)| word.to_owned()).collect();
    for (kind, running, new) in [
        ("vrrp", &running.vrrp, &new.vrrp),
        ("checker", &running.checkers, &new.checkers),
        ("bfd", &running.bfd, &new.bfd),
    ] {
        let differing = of_child(running, new).filter(|(_, differs)| *differs);
        words.extend(differing.map(|(word, _)| format!("{kind}_{word}")));
    }
    words
}

fn of_child(
    running: &ChildProcess,
    new: &ChildProcess,
) -> impl Iterator<Item = (&'static str, bool)> {
    [
        ("process_name", running.name != new.name),
        ("priority", running.nice != new.nice),
        ("no_swap", running.no_swap != new.no_swap),
        ("rt_priority", running.rt_priority != new.rt_priority),
        ("rlimit_rttime", running.rlimit_rttime != new.rlimit_rttime),
        ("cpu_affinity", running.cpus != new.cpus),
    ]
    .into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_and_nothing_else() {
        let running = Processes::default();
        assert_eq!(words(&running, &running, false), [""; 0]);
        let mut new = running.clone();
        new.umask = Some(0o22);
        new.vrrp.nice = Some(-5);
        new.checkers.no_swap = true;
        let all = ["umask", "vrrp_priority", "checker_no_swap"];
        assert_eq!(words(&running, &new, false), all);
        assert_eq!(words(&running, &new, true), all[1..]);
    }
}
