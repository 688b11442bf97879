//! Renders a [`Note`] as one log line.

use std::fmt;

use crate::config::bound::Bound;
use crate::vrrp::note::Note;

/// A note with the configuration that gives its instances their names.
#[derive(Copy, Clone, Debug)]
pub struct Rendered<'a> {
    /// The configuration in force.
    pub bound: &'a Bound,
    /// What to tell.
    pub note: &'a Note,
}

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.note)
    }
}
