//! The command line, taken exactly as getopt_long takes the original's.
//!
//! Words are read in their order: `-v`, `-h` and `--signum` act where they stand, whatever comes
//! behind them. A mistake is told and reading goes on, so that all mistakes are seen at once.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use lexopt::{Arg, Parser};

use crate::options::{self, Name, Row, Takes, Unknown};
use crate::syslog::Facility;

/// Where the original looks when `-f` is not given.
pub(crate) const CONFIG_FILE: &str = "/etc/keepalived/keepalived.conf";
/// Where `-g` without a file logs to.
const LOG_FILE: &str = "/tmp/keepalived.log";

/// The pattern of `-M` without one.
const CORE_PATTERN: &str = "core";

/// What the command line asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Invocation {
    /// Print the help text.
    Help,
    /// Print version and build options.
    Version,
    /// Print the number of the signal with this name.
    SignalNumber(String),
    /// Behave as genhash.
    Genhash,
    /// Nothing: it is not understood.
    Misused,
    /// Run, or check the configuration.
    Run(Box<Options>),
}

/// What a run is asked to do differently.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Options {
    pub(crate) config_file: PathBuf,
    /// `-P`, `-C`: only these; both or none mean both.
    pub(crate) only_vrrp: bool,
    pub(crate) only_check: bool,
    pub(crate) all: bool,
    pub(crate) console: bool,
    /// How often `-D` was given.
    pub(crate) detail: u8,
    pub(crate) facility: Facility,
    pub(crate) no_syslog: bool,
    pub(crate) log_file: Option<PathBuf>,
    pub(crate) umask: Option<u32>,
    pub(crate) dont_respawn: bool,
    pub(crate) dont_fork: bool,
    pub(crate) pid_file: Option<PathBuf>,
    pub(crate) vrrp_pid_file: Option<PathBuf>,
    pub(crate) namespace: Option<OsString>,
    pub(crate) config_test: Option<Report>,
    pub(crate) ignore_sigint: bool,
    /// `-X`: virtual addresses go with the mastership even if they were there before.
    pub(crate) release_vips: bool,
    /// `-V`: at the end nothing is said and nothing removed.
    pub(crate) keep_vips: bool,
    /// `-d`: the configuration is logged.
    pub(crate) dump_conf: bool,
    /// `-a`: the kernel's news about addresses are logged.
    pub(crate) address_monitoring: bool,
    /// `-e`: whatever an include does not find is an error.
    pub(crate) all_config: bool,
    /// `-i`: what `@ID` lines are compared with.
    pub(crate) config_id: Option<String>,
    /// `-m`, or `-M`.
    pub(crate) core_dump: bool,
    /// `-M`: the kernel's pattern.
    pub(crate) core_pattern: Option<String>,
    /// Options that were given and do nothing yet, in the order of the table.
    pub(crate) ignored: Vec<Name>,
    /// A wrong value of an option: fatal for nothing but the result of a configuration test.
    pub(crate) wrong_value: bool,
}

/// Where the findings of a configuration test go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Report {
    Stderr,
    AppendTo(PathBuf),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            config_file: PathBuf::from(CONFIG_FILE),
            only_vrrp: false,
            only_check: false,
            all: false,
            console: false,
            detail: 0,
            facility: Facility::DAEMON,
            no_syslog: false,
            log_file: None,
            umask: None,
            dont_respawn: false,
            dont_fork: false,
            pid_file: None,
            vrrp_pid_file: None,
            namespace: None,
            release_vips: false,
            keep_vips: false,
            dump_conf: false,
            address_monitoring: false,
            all_config: false,
            config_id: None,
            core_dump: false,
            core_pattern: None,
            config_test: None,
            ignore_sigint: false,
            ignored: Vec::new(),
            wrong_value: false,
        }
    }
}

/// A read command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CommandLine {
    pub(crate) invocation: Invocation,
    /// What is wrong with it, one line each.
    pub(crate) mistakes: Vec<String>,
    /// Words that are no options: told, otherwise harmless.
    pub(crate) unexpected: Vec<OsString>,
}

/// Reads the words behind the program's name.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> CommandLine {
    let mut parser = Parser::from_args(words);
    // getopt knows `-f=x` as the file `=x`.
    parser.set_short_equals(false);
    let mut reader = Reader::default();
    let invocation = loop {
        match reader.next(&mut parser) {
            Step::More => {}
            Step::Act(invocation) => break invocation,
            Step::End if reader.misused => break Invocation::Misused,
            Step::End => break Invocation::Run(Box::new(reader.options)),
        }
    };
    CommandLine {
        invocation,
        mistakes: reader.mistakes,
        unexpected: reader.unexpected,
    }
}

enum Step {
    More,
    Act(Invocation),
    End,
}

#[derive(Default)]
struct Reader {
    options: Options,
    misused: bool,
    mistakes: Vec<String>,
    unexpected: Vec<OsString>,
}

impl Reader {
    fn next(&mut self, parser: &mut Parser) -> Step {
        let (row, written) = match parser.next() {
            Ok(None) => return Step::End,
            Ok(Some(Arg::Value(word))) => {
                self.on_word(word, parser);
                return Step::More;
            }
            Ok(Some(Arg::Short(letter))) => match options::by_short(letter) {
                Some(row) => (row, format!("-{letter}")),
                None => return self.misuse(format!("Unknown option -{letter}")),
            },
            Ok(Some(Arg::Long(word))) => match options::by_long(word) {
                Ok(row) => (row, format!("--{word}")),
                Err(unknown) => {
                    let text = unknown_text(word, unknown);
                    // Its value, if one is glued to it, is part of what is not understood.
                    let _ = parser.optional_value();
                    return self.misuse(text);
                }
            },
            Err(lexopt::Error::UnexpectedValue { option, .. }) => {
                return self.misuse(format!("Option {option} takes no parameter"));
            }
            Err(error) => return self.misuse(error.to_string()),
        };
        let value = match row.takes {
            Takes::Nothing => None,
            Takes::Optional(_) => parser.optional_value(),
            Takes::Required(_) => match parser.value() {
                Ok(value) => Some(value),
                Err(_) => return self.misuse(format!("Missing parameter for option {written}")),
            },
        };
        self.apply(row, value)
    }

    fn misuse(&mut self, text: String) -> Step {
        self.misused = true;
        self.mistakes.push(text);
        Step::More
    }

    /// A word that is no option. POSIXLY_CORRECT makes getopt stop here.
    fn on_word(&mut self, word: OsString, parser: &mut Parser) {
        self.unexpected.push(word);
        if std::env::var_os("POSIXLY_CORRECT").is_some()
            && let Ok(rest) = parser.raw_args()
        {
            self.unexpected.extend(rest);
        }
    }

    fn apply(&mut self, row: &Row, value: Option<OsString>) -> Step {
        let path = |value: Option<OsString>| value.map(PathBuf::from);
        let options = &mut self.options;
        match row.name {
            Name::Help => return Step::Act(Invocation::Help),
            Name::Version => return Step::Act(Invocation::Version),
            Name::Genhash => return Step::Act(Invocation::Genhash),
            Name::Signum => {
                let name = value.unwrap_or_default().to_string_lossy().into_owned();
                return Step::Act(Invocation::SignalNumber(name));
            }
            Name::UseFile => options.config_file = path(value).unwrap_or_default(),
            Name::Vrrp => options.only_vrrp = true,
            Name::Check => options.only_check = true,
            Name::All => options.all = true,
            Name::LogConsole => options.console = true,
            Name::LogDetail => options.detail = options.detail.saturating_add(1),
            Name::LogFacility => self.facility(&value.unwrap_or_default()),
            Name::NoSyslog => options.no_syslog = true,
            Name::LogFile => options.log_file = path(value).or_else(|| Some(LOG_FILE.into())),
            Name::Umask => self.umask(&value.unwrap_or_default()),
            Name::DontRespawn => options.dont_respawn = true,
            Name::DontFork => options.dont_fork = true,
            Name::Pid => options.pid_file = path(value),
            Name::VrrpPid => options.vrrp_pid_file = path(value),
            Name::Namespace => options.namespace = value,
            Name::ReleaseVips => options.release_vips = true,
            Name::DontReleaseVrrp => options.keep_vips = true,
            Name::DumpConf => options.dump_conf = true,
            Name::AddressMonitoring => options.address_monitoring = true,
            Name::AllConfig => options.all_config = true,
            Name::ConfigId => {
                let id = value.unwrap_or_default();
                options.config_id = Some(id.to_string_lossy().into_owned());
            }
            Name::CoreDump => options.core_dump = true,
            Name::CoreDumpPattern => {
                options.core_dump = true;
                let pattern = value.map(|value| value.to_string_lossy().into_owned());
                options.core_pattern = Some(pattern.unwrap_or_else(|| CORE_PATTERN.to_owned()));
            }
            Name::ConfigTest => {
                options.config_test = Some(path(value).map_or(Report::Stderr, Report::AppendTo));
            }
            Name::IgnoreSigint => options.ignore_sigint = true,
            // The processes that these concern do not exist yet, and the log file needs no flush.
            Name::NoBfd | Name::CheckersPid | Name::BfdPid | Name::FlushLogFile => {}
            Name::DontReleaseIpvs
            | Name::Snmp
            | Name::SnmpAgentSocket
            | Name::ConfigFd
            | Name::Perf
            | Name::Debug => {
                if !options.ignored.contains(&row.name) {
                    options.ignored.push(row.name);
                }
            }
        }
        Step::More
    }

    fn facility(&mut self, value: &OsStr) {
        match value.to_str().and_then(Facility::parse) {
            Some(facility) => self.options.facility = facility,
            None => {
                self.options.wrong_value = true;
                let value = value.to_string_lossy();
                self.mistakes.push(format!(
                    "Invalid log facility '{value}': want 0-7, local0-local7, user or daemon"
                ));
            }
        }
    }

    fn umask(&mut self, value: &OsStr) {
        match value.to_str().and_then(mask) {
            Some(mask) => self.options.umask = Some(mask),
            None => self.mistakes.push(format!(
                "Invalid --umask option {}: want a number up to 0777",
                value.to_string_lossy()
            )),
        }
    }
}

/// A number as C writes it, no bits beyond the permissions.
pub(crate) fn mask(text: &str) -> Option<u32> {
    relevo_core::config::mask(text).map(u32::from)
}

fn unknown_text(word: &str, unknown: Unknown) -> String {
    match unknown {
        Unknown::NoSuch => format!("Unknown option --{word}"),
        Unknown::Ambiguous(first, second) => {
            format!("Unknown option --{word}: could be --{first} or --{second}")
        }
    }
}

/// The number of a control signal, by its name in `--signum`.
pub(crate) fn signal_number(name: &str) -> Option<i32> {
    Some(match name {
        "STOP" => libc::SIGTERM,
        "RELOAD" => libc::SIGHUP,
        "DATA" => libc::SIGUSR1,
        "STATS" => libc::SIGUSR2,
        "STATS_CLEAR" => libc::SIGRTMAX() - 1,
        "JSON" => libc::SIGRTMIN() + 2,
        "JOURNAL" => libc::SIGRTMAX(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
