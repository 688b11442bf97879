//! The table of command line options: one place for their names, arguments and help.

/// Whether an option takes an argument, in getopt's terms.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Takes {
    /// No argument.
    Nothing,
    /// An argument, glued or as the next word.
    Required(&'static str),
    /// An argument only if it is glued: `-tFILE`, `--config-test=FILE`.
    Optional(&'static str),
}

/// Which option.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Name {
    UseFile,
    Vrrp,
    Check,
    NoBfd,
    All,
    LogConsole,
    LogDetail,
    LogFacility,
    NoSyslog,
    LogFile,
    FlushLogFile,
    Umask,
    ReleaseVips,
    DontReleaseVrrp,
    DontReleaseIpvs,
    DontRespawn,
    DontFork,
    DumpConf,
    Pid,
    VrrpPid,
    CheckersPid,
    BfdPid,
    Genhash,
    AddressMonitoring,
    Snmp,
    SnmpAgentSocket,
    Namespace,
    CoreDump,
    CoreDumpPattern,
    AllConfig,
    ConfigId,
    Signum,
    ConfigTest,
    ConfigFd,
    IgnoreSigint,
    Perf,
    Debug,
    Version,
    Help,
}

/// One row of the table.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: Name,
    pub(crate) short: Option<char>,
    pub(crate) long: &'static str,
    pub(crate) takes: Takes,
    /// False for options that the original has only in special builds, or for itself: they must be
    /// written out, so that they take no abbreviation away from the ordinary ones.
    pub(crate) ordinary: bool,
    /// What it does; empty for options that nobody should need to know.
    pub(crate) help: &'static str,
}

const fn row(name: Name, short: char, long: &'static str, takes: Takes, help: &'static str) -> Row {
    Row {
        name,
        short: Some(short),
        long,
        takes,
        ordinary: true,
        help,
    }
}

impl Row {
    const fn no_short(mut self) -> Self {
        self.short = None;
        self
    }

    const fn in_full(mut self) -> Self {
        self.ordinary = false;
        self
    }
}

use Takes::{Nothing, Optional, Required};

/// Every option, in the order of the help text.
pub(crate) const TABLE: [Row; 39] = [
    row(
        Name::UseFile,
        'f',
        "use-file",
        Required("FILE"),
        "read the configuration from FILE",
    ),
    row(
        Name::Vrrp,
        'P',
        "vrrp",
        Nothing,
        "address failover (and BFD) only, no health checks",
    ),
    row(
        Name::Check,
        'C',
        "check",
        Nothing,
        "health checks (and BFD) only, no address failover",
    ),
    row(Name::NoBfd, 'B', "no_bfd", Nothing, "no BFD"),
    row(
        Name::All,
        ' ',
        "all",
        Nothing,
        "start every child process, even one with nothing to do",
    )
    .no_short(),
    row(
        Name::LogConsole,
        'l',
        "log-console",
        Nothing,
        "log to stderr as well",
    ),
    row(
        Name::LogDetail,
        'D',
        "log-detail",
        Nothing,
        "log more; twice: everything",
    ),
    row(
        Name::LogFacility,
        'S',
        "log-facility",
        Required("FACILITY"),
        "syslog facility: 0-7 or local0-local7, user, daemon (default)",
    ),
    row(
        Name::NoSyslog,
        'G',
        "no-syslog",
        Nothing,
        "do not log to syslog",
    ),
    row(
        Name::LogFile,
        'g',
        "log-file",
        Optional("FILE"),
        "log to FILE as well (default /tmp/keepalived.log)",
    )
    .in_full(),
    row(
        Name::FlushLogFile,
        ' ',
        "flush-log-file",
        Nothing,
        "(the log file is always flushed)",
    )
    .no_short()
    .in_full(),
    row(
        Name::Umask,
        'u',
        "umask",
        Required("MASK"),
        "umask for created files, as a number",
    ),
    row(
        Name::ReleaseVips,
        'X',
        "release-vips",
        Nothing,
        "as backup, drop virtual addresses that others added too",
    ),
    row(
        Name::DontReleaseVrrp,
        'V',
        "dont-release-vrrp",
        Nothing,
        "leave virtual addresses, routes and rules in place at exit",
    ),
    row(
        Name::DontReleaseIpvs,
        'I',
        "dont-release-ipvs",
        Nothing,
        "leave the IPVS table in place at exit",
    ),
    row(
        Name::DontRespawn,
        'R',
        "dont-respawn",
        Nothing,
        "end when a child process dies",
    ),
    row(
        Name::DontFork,
        'n',
        "dont-fork",
        Nothing,
        "stay in the foreground",
    ),
    row(
        Name::DumpConf,
        'd',
        "dump-conf",
        Nothing,
        "log the configuration at start",
    ),
    row(
        Name::Pid,
        'p',
        "pid",
        Required("FILE"),
        "pid file of the parent process",
    ),
    row(
        Name::VrrpPid,
        'r',
        "vrrp_pid",
        Required("FILE"),
        "pid file of the VRRP child",
    ),
    row(
        Name::CheckersPid,
        'c',
        "checkers_pid",
        Required("FILE"),
        "pid file of the checker child",
    ),
    row(
        Name::BfdPid,
        'b',
        "bfd_pid",
        Required("FILE"),
        "pid file of the BFD child",
    ),
    row(
        Name::Genhash,
        'T',
        "genhash",
        Nothing,
        "compute the digest of a web page (first option)",
    ),
    row(
        Name::AddressMonitoring,
        'a',
        "address-monitoring",
        Nothing,
        "log every change of an address of this host",
    ),
    row(Name::Snmp, 'x', "snmp", Nothing, "offer everything by SNMP"),
    row(
        Name::SnmpAgentSocket,
        'A',
        "snmp-agent-socket",
        Required("ADDRESS"),
        "where the SNMP master agent listens",
    ),
    row(
        Name::Namespace,
        's',
        "namespace",
        Required("NAME"),
        "run in this network namespace",
    ),
    row(
        Name::CoreDump,
        'm',
        "core-dump",
        Nothing,
        "allow core dumps",
    ),
    row(
        Name::CoreDumpPattern,
        'M',
        "core-dump-pattern",
        Optional("PATTERN"),
        "set the kernel's core pattern (default core); implies -m",
    ),
    row(
        Name::AllConfig,
        'e',
        "all-config",
        Nothing,
        "an included file that cannot be read is an error",
    ),
    row(
        Name::ConfigId,
        'i',
        "config-id",
        Required("ID"),
        "ID that lines with @ are for (default: the node's name)",
    ),
    row(
        Name::Signum,
        ' ',
        "signum",
        Required("NAME"),
        "print the number of STOP, RELOAD, DATA, STATS, STATS_CLEAR or JSON",
    )
    .no_short(),
    row(
        Name::ConfigTest,
        't',
        "config-test",
        Optional("FILE"),
        "check the configuration; findings to stderr or to the end of FILE",
    ),
    row(Name::ConfigFd, ' ', "config-fd", Required("FD"), "")
        .no_short()
        .in_full(),
    row(
        Name::IgnoreSigint,
        ' ',
        "ignore-sigint",
        Nothing,
        "do not heed SIGINT (for debuggers)",
    )
    .no_short()
    .in_full(),
    row(Name::Perf, ' ', "perf", Optional("WHAT"), "")
        .no_short()
        .in_full(),
    row(Name::Debug, ' ', "debug", Optional("WHAT"), "")
        .no_short()
        .in_full(),
    row(
        Name::Version,
        'v',
        "version",
        Nothing,
        "print version and build options",
    ),
    row(Name::Help, 'h', "help", Nothing, "print this text"),
];

/// The option with this letter.
pub(crate) fn by_short(letter: char) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.short == Some(letter))
}

/// The option with this name or unambiguous beginning of a name, as getopt_long finds it.
pub(crate) fn by_long(word: &str) -> Result<&'static Row, Unknown> {
    if let Some(row) = TABLE.iter().find(|row| row.long == word) {
        return Ok(row);
    }
    let mut candidates = TABLE
        .iter()
        .filter(|row| row.ordinary && row.long.starts_with(word));
    match (candidates.next(), candidates.next()) {
        (Some(row), None) => Ok(row),
        (None, _) => Err(Unknown::NoSuch),
        (Some(first), Some(second)) => Err(Unknown::Ambiguous(first.long, second.long)),
    }
}

/// Why a long option was not found.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Unknown {
    /// No option is called so.
    NoSuch,
    /// At least these two begin so.
    Ambiguous(&'static str, &'static str),
}

impl Row {
    /// True if this version does what the option says.
    pub(crate) fn is_built(&self) -> bool {
        self.left_undone().is_none() && !matches!(self.name, Name::Genhash)
    }

    /// What this version leaves undone; `None` if the option works.
    pub(crate) const fn left_undone(&self) -> Option<&'static str> {
        Some(match self.name {
            Name::DontReleaseIpvs => "leave the IPVS table in place at exit",
            Name::Snmp => "start SNMP",
            Name::SnmpAgentSocket => "choose the SNMP master agent",
            Name::ConfigFd => "read the configuration from a descriptor",
            Name::Perf => "measure the processes",
            Name::Debug => "switch debugging on",
            Name::UseFile
            | Name::Vrrp
            | Name::Check
            | Name::NoBfd
            | Name::All
            | Name::LogConsole
            | Name::LogDetail
            | Name::LogFacility
            | Name::NoSyslog
            | Name::LogFile
            | Name::FlushLogFile
            | Name::Umask
            | Name::DontReleaseVrrp
            | Name::DumpConf
            | Name::DontRespawn
            | Name::AllConfig
            | Name::ConfigId
            | Name::DontFork
            | Name::Pid
            | Name::VrrpPid
            | Name::CheckersPid
            | Name::BfdPid
            | Name::Genhash
            | Name::Namespace
            | Name::ReleaseVips
            | Name::AddressMonitoring
            | Name::CoreDump
            | Name::CoreDumpPattern
            | Name::Signum
            | Name::ConfigTest
            | Name::IgnoreSigint
            | Name::Version
            | Name::Help => return None,
        })
    }
}
