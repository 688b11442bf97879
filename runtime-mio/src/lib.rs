//! The daemon `relevo`: carries the core's actions out on Linux.
//!
//! - `cli`, `options`, `usage`, `version`, `exit`: the command line, keepalived's
//! - `parent`, `child`, `pidfile`, `sd_notify`: the processes; `places`, `namespace`, `schedule`,
//!   `core_dump`: how they are called and how they run; `memory`: what outlives them
//! - `daemon`: the loop that each of them runs; `exec`: an executor for each machine
//! - `netlink`, `vrrp_io`, `arp_io`: the kernel and the wire; `sys`: system calls
//! - `configuration`, `sources`, `host_facts`, `diagnose`, `check`: the files, and what is wrong with
//!   them
//! - `logger`, `syslog`: lines to whoever reads them, off the loop
//!
//! A library only so that the decoders can be fuzzed; its one entry is [`main`].

mod arp_io;
mod check;
mod child;
mod cli;
mod clock;
mod command;
mod configuration;
mod control;
mod core_dump;
mod daemon;
mod diagnose;
mod dump;
mod exec;
mod exit;
#[doc(hidden)]
pub mod fuzzing;
mod host_facts;
mod later;
mod leftovers;
mod logger;
mod memory;
mod namespace;
mod netlink;
mod options;
mod parent;
mod pidfile;
mod places;
mod recorder;
mod reload_files;
mod reload_time;
mod schedule;
mod sd_notify;
mod sources;
mod sys;
mod syslog;
#[cfg(test)]
mod testnet;
mod usage;
mod version;
mod voice;
mod vrrp_io;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use cli::{CommandLine, Invocation};

/// The whole program: what the command line asks for.
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    exit::code(match child::summons() {
        // The words are the parent's, so that both look alike to whoever lists processes.
        Some((inheritance, files)) => match cli::parse(words).invocation {
            Invocation::Run(mut options) => {
                files.apply(&mut options);
                child::run(inheritance, &options)
            }
            _ => exit::FATAL,
        },
        None => match command::run(&words) {
            Some(code) => code,
            None => act(cli::parse(words.iter().cloned()), words),
        },
    })
}

/// What the command line asks for; returns the exit code.
fn act(line: CommandLine, words: Vec<OsString>) -> u8 {
    for mistake in &line.mistakes {
        to_stderr(&format!("{mistake}\n"));
    }
    if !line.unexpected.is_empty() {
        let mut text = "Unexpected argument(s):".to_owned();
        for word in &line.unexpected {
            text.push(' ');
            text.push_str(&word.to_string_lossy());
        }
        text.push('\n');
        to_stderr(&text);
    }
    match line.invocation {
        Invocation::Help => {
            to_stderr(&usage::help());
            exit::NORMAL
        }
        Invocation::Version => {
            to_stderr(&version::text());
            exit::NORMAL
        }
        Invocation::SignalNumber(name) => signal_number(&name),
        Invocation::Genhash => {
            to_stderr("genhash is not built yet\n");
            exit::FATAL
        }
        Invocation::Misused => exit::FATAL,
        Invocation::Run(options) => match &options.config_test {
            Some(report) => parent::test_configuration(&options, report),
            None => parent::run(*options, words),
        },
    }
}

fn signal_number(name: &str) -> u8 {
    match cli::signal_number(name) {
        Some(number) => {
            _ = writeln!(io::stdout(), "{number}");
            exit::NORMAL
        }
        None => {
            to_stderr(&format!("Unknown signal name {name}\n"));
            exit::FATAL
        }
    }
}

/// Nobody can be told if stderr is closed, and the exit code says the same.
fn to_stderr(text: &str) {
    _ = io::stderr().write_all(text.as_bytes());
}
