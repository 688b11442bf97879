use std::process::Command;

use relevo_core::rng::Rng;

use super::*;
use crate::options::TABLE;

fn read(line: &str) -> CommandLine {
    parse(
        line.split(' ')
            .filter(|word| !word.is_empty())
            .map(OsString::from),
    )
}

/// The options of a line that is understood.
fn options(line: &str) -> Options {
    let read = read(line);
    match read.invocation {
        Invocation::Run(options) => *options,
        other => panic!("{line}: {other:?} {:?}", read.mistakes),
    }
}

fn path(text: &str) -> Option<PathBuf> {
    Some(PathBuf::from(text))
}

#[test]
fn every_option_is_taken_by_letter_and_by_name() {
    for row in &TABLE {
        let value = match row.takes {
            Takes::Nothing | Takes::Optional(_) => "",
            Takes::Required(_) => " 3",
        };
        let long = read(&format!("--{}{value}", row.long));
        assert_eq!(long.mistakes, [""; 0], "--{}", row.long);
        if let Some(letter) = row.short {
            assert_eq!(read(&format!("-{letter}{value}")), long, "-{letter}");
        }
    }
}

#[test]
fn letters_and_names_are_unique() {
    for (index, row) in TABLE.iter().enumerate() {
        for other in &TABLE[index + 1..] {
            assert_ne!(row.long, other.long);
            assert_ne!(row.name, other.name);
            assert!(
                row.short.is_none() || row.short != other.short,
                "{:?}",
                row.short
            );
        }
    }
}

#[test]
fn clusters_and_glued_values() {
    let cluster = options("-nlDD");
    assert!(cluster.dont_fork && cluster.console);
    assert_eq!(cluster.detail, 2);
    let glued = options("-nS3 -f/etc/x -t/tmp/log");
    assert_eq!(Some(glued.facility), Facility::parse("local3"));
    assert_eq!(glued.config_file, PathBuf::from("/etc/x"));
    assert_eq!(glued.config_test, Some(Report::AppendTo("/tmp/log".into())));
    assert!(glued.dont_fork);
    // Everything behind the letter is the value, whatever it looks like.
    assert_eq!(
        options("-tn").config_test,
        Some(Report::AppendTo("n".into()))
    );
    assert_eq!(options("-f=x").config_file, PathBuf::from("=x"));
}

#[test]
fn values_as_the_next_word_may_look_like_options() {
    let read = options("-f -n -p --pid");
    assert_eq!(read.config_file, PathBuf::from("-n"));
    assert_eq!(read.pid_file, path("--pid"));
    assert!(!read.dont_fork);
    assert_eq!(options("-r --").vrrp_pid_file, path("--"));
}

#[test]
fn optional_values_are_never_the_next_word() {
    let test = read("-t file");
    assert_eq!(test.unexpected, ["file"]);
    let Invocation::Run(run) = test.invocation else {
        panic!("a left-over word is not fatal");
    };
    assert_eq!(run.config_test, Some(Report::Stderr));
    let test = options("--config-test=/x");
    assert_eq!(test.config_test, Some(Report::AppendTo("/x".into())));
    assert_eq!(options("-g").log_file, path("/tmp/keepalived.log"));
    assert_eq!(options("-g/a").log_file, path("/a"));
}

#[test]
fn names_may_be_cut_while_they_are_unambiguous() {
    assert_eq!(options("--use x").config_file, PathBuf::from("x"));
    assert!(options("--dont-f").dont_fork);
    assert!(options("--dont-res").dont_respawn);
    assert_eq!(options("--vrrp_ x").vrrp_pid_file, path("x"));
    // A whole name is not ambiguous although another begins with it.
    assert!(options("--vrrp").only_vrrp);
    assert!(options("--check").only_check);
    for wrong in ["--vr", "--dont-re", "--c", "--no", "--", "--log"] {
        let wrong = format!("{wrong}=");
        assert_eq!(read(&wrong).invocation, Invocation::Misused, "{wrong}");
    }
    // What only special builds of the original know takes no abbreviation away and has none.
    assert_eq!(
        options("--log-f user").facility,
        Facility::parse("user").expect("known")
    );
    assert_eq!(read("--flush").invocation, Invocation::Misused);
    assert_eq!(
        options("--debug --perf=x").ignored,
        [Name::Debug, Name::Perf]
    );
}

#[test]
fn mistakes_are_told_together_and_end_in_misuse() {
    let wrong = read("-Z --bogus --log-console=3 -n -f");
    assert_eq!(wrong.invocation, Invocation::Misused);
    assert_eq!(
        wrong.mistakes,
        [
            "Unknown option -Z",
            "Unknown option --bogus",
            "Option --log-console takes no parameter",
            "Missing parameter for option -f",
        ]
    );
    // The original says nothing about these but crashes.
    assert_eq!(
        read("--use").mistakes,
        ["Missing parameter for option --use"]
    );
}

#[test]
fn some_options_act_where_they_stand() {
    assert_eq!(read("-n -v --bogus").invocation, Invocation::Version);
    assert_eq!(read("-hv").invocation, Invocation::Help);
    assert_eq!(
        read("--signum=STOP -Z").invocation,
        Invocation::SignalNumber("STOP".into())
    );
    assert_eq!(read("-T -s x -u y").invocation, Invocation::Genhash);
    let late = read("-Z -v");
    assert_eq!(late.invocation, Invocation::Version);
    assert_eq!(late.mistakes.len(), 1);
}

#[test]
fn words_behind_two_dashes_are_no_options() {
    let read = read("a -n b -- -l --bogus");
    assert_eq!(read.unexpected, ["a", "b", "-l", "--bogus"]);
    let Invocation::Run(run) = read.invocation else {
        panic!("left-over words are not fatal");
    };
    assert!(run.dont_fork && !run.console);
}

#[test]
fn wrong_values_are_told_and_harmless() {
    for wrong in ["-S8", "-Smail", "-S "] {
        let read = read(&format!("{wrong} -n"));
        let Invocation::Run(run) = read.invocation else {
            panic!("{wrong}");
        };
        assert!(run.wrong_value || wrong == "-S ", "{wrong}");
        assert_eq!(run.facility, Facility::DAEMON);
        assert_eq!(read.mistakes.len(), 1, "{wrong}");
    }
    for (text, mask) in [
        ("022", 0o22),
        ("0x1f", 0x1f),
        ("63", 63),
        ("0", 0),
        ("0777", 0o777),
    ] {
        assert_eq!(options(&format!("-u {text}")).umask, Some(mask), "{text}");
    }
    for wrong in ["xyz", "+1", "0x", "01000", "99999999999", "8a", "0x+1"] {
        let read = read(&format!("--umask={wrong}"));
        assert_eq!(read.mistakes.len(), 1, "{wrong}");
        assert!(matches!(read.invocation, Invocation::Run(run) if run.umask.is_none()));
    }
}

#[test]
fn what_does_nothing_yet_is_noted_once() {
    let run = options("-I -d -V -I --snmp -a -X -M -Mx");
    assert_eq!(run.ignored, [Name::DontReleaseIpvs, Name::Snmp]);
    assert!(run.keep_vips && run.dump_conf);
    for row in TABLE {
        let marked = row.left_undone().is_some();
        let value = if matches!(row.takes, Takes::Required(_)) {
            " 3"
        } else {
            ""
        };
        if let Invocation::Run(run) = read(&format!("--{}{value}", row.long)).invocation {
            assert_eq!(run.ignored.contains(&row.name), marked, "--{}", row.long);
        }
    }
}

#[test]
fn names_of_signals() {
    assert_eq!(signal_number("STOP"), Some(15));
    assert_eq!(signal_number("RELOAD"), Some(1));
    assert_eq!(signal_number("DATA"), Some(10));
    assert_eq!(signal_number("STATS"), Some(12));
    assert_eq!(signal_number("STATS_CLEAR"), Some(63));
    assert_eq!(signal_number("JSON"), Some(36));
    assert_eq!(signal_number("JOURNAL"), Some(64));
    for wrong in ["", "stop", "TDUMP", "STATS_"] {
        assert_eq!(signal_number(wrong), None, "{wrong}");
    }
}

/// What getopt_long makes of the words: each option by its full name or letter, its value apart,
/// the left-over words behind `--`; and whether it complained. By way of getopt(1) of util-linux,
/// an essential package, which calls getopt_long.
fn getopt(words: &[&str]) -> (Vec<OsString>, bool) {
    let colons = |row: &Row| match row.takes {
        Takes::Nothing => "",
        Takes::Required(_) => ":",
        Takes::Optional(_) => "::",
    };
    let ordinary = || TABLE.iter().filter(|row| row.ordinary);
    let letters: String = ordinary()
        .filter_map(|row| row.short.map(|letter| format!("{letter}{}", colons(row))))
        .collect();
    let names: Vec<String> = ordinary()
        .map(|row| format!("{}{}", row.long, colons(row)))
        .collect();
    let output = Command::new("getopt")
        .args([
            "--quiet",
            "--options",
            &letters,
            "--longoptions",
            &names.join(","),
            "--",
        ])
        .args(words)
        .output()
        .expect("getopt(1) is installed");
    let text = String::from_utf8(output.stdout).expect("text");
    (glue(text.trim()), !output.status.success())
}

/// getopt(1) writes ` -f 'x' -t '' -n -- 'rest'`; an optional value has to be glued again.
fn glue(text: &str) -> Vec<OsString> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let Some(value) = word
            .strip_prefix('\'')
            .and_then(|word| word.strip_suffix('\''))
        else {
            words.push(word.to_owned());
            continue;
        };
        let option = words.last().cloned().unwrap_or_default();
        let row = match option.strip_prefix("--") {
            Some(long) => TABLE.iter().find(|row| row.long == long),
            None => option.chars().nth(1).and_then(options::by_short),
        };
        let behind_options = words.iter().any(|word| word == "--");
        match row {
            Some(Row {
                takes: Takes::Optional(_),
                ..
            }) if !behind_options => {
                if let (Some(last), false) = (words.last_mut(), value.is_empty()) {
                    if option.starts_with("--") {
                        last.push('=');
                    }
                    last.push_str(value);
                }
            }
            _ => words.push(value.to_owned()),
        }
    }
    words.into_iter().map(OsString::from).collect()
}

#[test]
fn random_lines_are_read_as_getopt_long_reads_them() {
    const WORDS: [&str; 36] = [
        "-n",
        "-l",
        "-nlD",
        "-DD",
        "-S3",
        "-S",
        "3",
        "-t",
        "-t/tmp/log",
        "-tn",
        "-t=x",
        "-f",
        "-f=x",
        "x",
        "-nf",
        "-nZ",
        "-Z",
        "--",
        "-",
        "--vrrp",
        "--vr",
        "--vrrp_",
        "--dont-f",
        "--dont-re",
        "--all=1",
        "--al",
        "--config-test",
        "--config-t=x",
        "--use-file=a=b",
        "--use",
        "--pid=",
        "--bogus",
        "--bogus=1",
        "-xA",
        "-M",
        "-Mcore",
    ];
    let mut rng = Rng::new(20261122);
    let mut complaints = 0;
    for _ in 0..400 {
        let count = rng.within(1, 5);
        let words: Vec<&str> = (0..count)
            .map(|_| WORDS[rng.below(WORDS.len() as u64) as usize])
            .collect();
        let ours = parse(words.iter().map(OsString::from));
        let (canonical, complained) = getopt(&words);
        complaints += u32::from(complained);
        let misused = ours.invocation == Invocation::Misused;
        assert_eq!(misused, complained, "{words:?}: {:?}", ours.mistakes);
        if !complained {
            let theirs = parse(canonical.iter().cloned());
            assert_eq!(ours, theirs, "{words:?} is {canonical:?}");
        }
    }
    assert!((50..350).contains(&complaints), "one-sided: {complaints}");
}
