//! From the configuration file to what the machines use.

use std::io;
use std::path::Path;

use relevo_core::config::bound::Bound;
use relevo_core::config::source::{Bundle, FileText, Recorder};
use relevo_core::config::{self, Config, Diagnostic};

use crate::cli::Options;
use crate::host_facts;
use crate::sources::{self, Host};

/// A configuration whose words were read, before this host is asked whether it has what they name.
#[derive(Debug)]
pub(crate) struct Read {
    /// Everything that it was read from, for whoever must read the same again. What is not UTF-8 in
    /// old files is replaced there, so that places in the diagnostics fit.
    pub(crate) bundle: Bundle,
    pub(crate) config: Config,
    pub(crate) found: Vec<Diagnostic>,
}

/// A configuration that was read, whatever is wrong with it.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) bundle: Bundle,
    pub(crate) bound: Bound,
    /// What was found, in the order of the files and their texts.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Reads and parses the configuration file and what it includes. It is an error if there is no such
/// file; whatever else is missing is among what was found.
pub(crate) fn read(options: &Options) -> io::Result<Read> {
    read_at(options, &options.config_file)
}

/// The same for another file.
pub(crate) fn read_at(options: &Options, path: &Path) -> io::Result<Read> {
    let name = path.to_string_lossy().into_owned();
    let main = FileText::of(sources::read(path)?);
    let mut recorder = Recorder::new(Host::new(options));
    recorder.bundle.files.insert(name.clone(), Ok(main));
    let (config, found) = config::parse_sources(&name, &mut recorder);
    let bundle = recorder.bundle;
    Ok(Read {
        bundle,
        config,
        found,
    })
}

/// Reads, parses and binds the configuration file.
pub(crate) fn load(options: &Options) -> io::Result<Loaded> {
    read(options)?.bind()
}

/// Parses what another process has read from the file `path` and encoded.
pub(crate) fn from_bytes(path: &Path, bytes: &[u8]) -> io::Result<Read> {
    let bundle = Bundle::decode(bytes);
    let mut bundle = bundle.map_err(|error| io::Error::other(error.to_string()))?;
    let (config, found) = config::parse_sources(&path.to_string_lossy(), &mut bundle);
    Ok(Read {
        bundle,
        config,
        found,
    })
}

impl Read {
    /// Asks this host about it.
    pub(crate) fn bind(self) -> io::Result<Loaded> {
        self.bind_with(false)
    }

    /// The same for what a parent has checked: an interface that is missing by now may come back,
    /// and is no reason for a child to give up what it has to do elsewhere.
    pub(crate) fn bind_again(self) -> io::Result<Loaded> {
        self.bind_with(true)
    }

    fn bind_with(self, again: bool) -> io::Result<Loaded> {
        let facts = host_facts::gather()?;
        let (bound, diagnostics) = config::bind_parsed((self.config, self.found), &facts, again);
        Ok(Loaded {
            bundle: self.bundle,
            bound,
            diagnostics,
        })
    }
}
