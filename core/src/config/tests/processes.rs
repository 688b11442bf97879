//! The words about processes: what they mean, and what is said about wrong ones.

use super::*;

fn processes(text: &str) -> Processes {
    let (bound, found) = read(text);
    assert_eq!(found, [], "{text}");
    bound.global.processes
}

fn global(lines: &str) -> Processes {
    processes(&format!("global_defs {{\n{lines}\n}}\n"))
}

#[test]
fn nothing_written_is_the_originals_default() {
    let none = processes("");
    assert_eq!(none, Processes::default());
    assert_eq!(none.min_auto_priority_delay, Duration::from_secs(1));
    assert_eq!(none.vrrp.rlimit_rttime, Duration::from_secs(1));
}

#[test]
fn words_of_the_top_level() {
    let all = processes("instance one\nuse_pid_dir\nnet_namespace blue\nnamespace_with_ipsets\n");
    assert_eq!(all.instance.as_deref(), Some("one"));
    assert_eq!(all.net_namespace.as_deref(), Some("blue"));
    assert!(all.use_pid_dir);
}

#[test]
fn each_child_has_words_of_its_own() {
    for (kind, of) in [
        ("vrrp", (|p| p.vrrp) as fn(Processes) -> ChildProcess),
        ("checker", |p| p.checkers),
        ("bfd", |p| p.bfd),
    ] {
        let text = [
            "process_name x",
            "priority -20",
            "no_swap",
            "rt_priority 99",
            "rlimit_rttime 2",
            "cpu_affinity 1 0 1 1023",
        ]
        .map(|line| format!("{kind}_{line}\n"))
        .concat();
        let expected = ChildProcess {
            name: Some("x".to_owned()),
            nice: Some(-20),
            no_swap: true,
            rt_priority: Some(99),
            rlimit_rttime: Duration::from_micros(2),
            cpus: vec![1, 0, 1023],
        };
        let all = global(&text);
        assert_eq!(of(all.clone()), expected);
        let others = [all.vrrp, all.checkers, all.bfd];
        let set = others.iter().filter(|other| **other == expected).count();
        assert_eq!(set, 1, "{kind}");
    }
}

#[test]
fn names_fit_the_kernel() {
    let all = global("process_names");
    assert_eq!(all.name.as_deref(), Some("keepalived"));
    assert_eq!(all.vrrp.name.as_deref(), Some("keepalived_vrrp"));
    // A name of its own counts before and behind the general word.
    for lines in [
        "process_names\nvrrp_process_name x",
        "vrrp_process_name x\nprocess_names",
    ] {
        let all = global(lines);
        assert_eq!(all.vrrp.name.as_deref(), Some("x"), "{lines}");
        assert_eq!(all.name.as_deref(), Some("keepalived"), "{lines}");
    }
    let (bound, found) = read("global_defs {\nprocess_name 12345678901234\u{e9}x\n}");
    assert_eq!(
        bound.global.processes.name.as_deref(),
        Some("12345678901234")
    );
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].suggestion.as_deref(), Some("12345678901234"));
}

#[test]
fn masks_are_numbers_or_names() {
    for (text, mask) in [
        ("022", 0o22),
        ("0x3f", 0o77),
        ("63", 0o77),
        ("0", 0),
        ("0777", 0o777),
        ("IWGRP|IWOTH", 0o22),
        ("IRUSR | IWUSR | IXUSR", 0o700),
        ("IXOTH", 1),
    ] {
        assert_eq!(global(&format!("umask {text}")).umask, Some(mask), "{text}");
    }
}

#[test]
fn the_highest_automatic_priority() {
    for (text, highest) in [
        ("", Some(99)),
        ("-1", None),
        ("0", None),
        ("1", Some(1)),
        ("99", Some(99)),
    ] {
        let read = global(&format!("max_auto_priority {text}")).max_auto_priority;
        assert_eq!(read, highest, "{text}");
    }
}

/// What is said of a line in `global_defs`, and the exit code of `-t`, which is keepalived's.
#[test]
fn wrong_values_are_told_and_left_out() {
    for (line, says, code) in [
        ("vrrp_priority 20", "out of range", 5),
        ("vrrp_priority -21", "out of range", 5),
        ("vrrp_priority x", "not a whole number", 5),
        ("vrrp_priority", "needs a value", 5),
        ("vrrp_rt_priority 0", "1 is used", 5),
        ("vrrp_rt_priority 100", "99 is used", 5),
        ("vrrp_rt_priority", "needs a value", 5),
        ("vrrp_rlimit_rttime 1", "out of range", 5),
        ("vrrp_rlimit_rttime", "needs a value", 2),
        ("vrrp_rlimit_rtime 5000", "newer name", 0),
        ("vrrp_no_swap on", "takes no value", 0),
        ("vrrp_cpu_affinity", "needs a value", 5),
        ("vrrp_cpu_affinity 1024", "out of range", 5),
        ("vrrp_cpu_affinity x", "not a whole number", 5),
        ("umask 01000", "no umask", 5),
        ("umask 999", "no umask", 5),
        ("umask 08", "no umask", 5),
        ("umask IRUSR|", "no umask", 5),
        ("umask ISUID", "no umask", 5),
        ("umask", "needs a value", 2),
        ("max_auto_priority -2", "out of range", 5),
        ("max_auto_priority 100", "out of range", 5),
        ("min_auto_priority_delay 0", "out of range", 5),
        ("min_auto_priority_delay 10000001", "out of range", 5),
        ("min_auto_priority_delay", "needs a value", 5),
        ("random_seed", "needs a value", 2),
        ("random_seed -1", "negative", 5),
        ("tmp_config_directory", "needs a value", 5),
        ("process_name", "needs a value", 2),
        ("process_name 1234567890123456", "15 characters", 5),
        ("process_name \"\"", "no name", 5),
        ("lvs_process_name x", "newer name", 0),
    ] {
        let (bound, found) = read(&format!("global_defs {{\n{line}\n}}\n"));
        let [finding] = &found[..] else {
            panic!("{line}: {found:?}");
        };
        assert!(finding.message.contains(says), "{line}: {finding}");
        assert_eq!(check_exit_code(&found), code, "{line}");
        let only_reported = code == 5
            && !["rt_priority 0", "rt_priority 100", "name 1"]
                .iter()
                .any(|used| line.contains(used));
        if only_reported {
            assert_eq!(bound.global.processes, Processes::default(), "{line}");
        }
    }
}

#[test]
fn names_that_become_paths_hold_no_slash() {
    for (text, says, code) in [
        ("instance", "needs a value", 5),
        ("instance a/b", "cannot be a part of file names", 5),
        ("instance ..", "cannot be a part of file names", 5),
        ("instance a\ninstance b", "a second `instance`", 5),
        ("net_namespace", "needs a value", 5),
        ("net_namespace a\nnet_namespace b", "a second", 5),
        ("net_namespace ../x", "not the name of a namespace", 5),
        ("child_wait_time", "needs a value", 2),
        ("child_wait_time -1", "negative", 5),
        ("child_wait_time 1.5", "not a whole number", 5),
        ("child_wait_time 99999999999", "out of range", 5),
    ] {
        let (_, found) = read(text);
        let [finding] = &found[..] else {
            panic!("{text}: {found:?}");
        };
        assert!(finding.message.contains(says), "{text}: {finding}");
        assert_eq!(check_exit_code(&found), code, "{text}");
    }
    let (_, found) = read("net_namespace a/b");
    assert_eq!(start_exit_code(&found), Some(2));
    assert!(!is_file_name(&"x".repeat(201)));
    assert!(is_file_name("...") && is_file_name("a b"));
}

#[test]
fn what_a_reload_cannot_change() {
    let old = processes("instance a\nnet_namespace n\n");
    assert_eq!(old.fixed_word_that_differs(&old), None);
    for (text, word) in [
        ("instance b\nnet_namespace n\n", Some("instance")),
        ("instance a\n", Some("net_namespace")),
        (
            "instance a\nnet_namespace n\nuse_pid_dir\n",
            Some("use_pid_dir"),
        ),
        ("instance a\nnet_namespace n\nchild_wait_time 1\n", None),
    ] {
        let new = processes(text);
        assert_eq!(old.fixed_word_that_differs(&new), word, "{text}");
    }
}
