//! The names of the files that were read, and the places in definitions that text came from.

use std::sync::Arc;

use super::diag::{Diagnostic, Related, Span, quoted};
use super::improve;
use crate::limits;

/// What the numbers in a [`Span`] stand for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Places {
    /// Names of files, for display, by [`Span::file`].
    pub files: Vec<String>,
    /// Places in definitions, by [`Span::origin`] less one.
    origins: Vec<(Arc<str>, Span)>,
    /// The texts of the files, by [`Span::file`].
    texts: Vec<Arc<str>>,
}

impl Places {
    /// One file.
    pub(super) fn of(file: &str) -> Self {
        Self {
            files: vec![file.to_owned()],
            origins: Vec::new(),
            texts: Vec::new(),
        }
    }

    /// The number of a file; a new one if it has none yet, `None` if there are too many.
    pub(super) fn file(&mut self, name: &str) -> Option<u16> {
        let known = self.files.iter().position(|file| file == name);
        let number = known.unwrap_or(self.files.len());
        if known.is_none() {
            if number >= limits::CONFIG_FILES {
                return None;
            }
            self.files.push(name.to_owned());
        }
        u16::try_from(number).ok()
    }

    /// Remembers the text of a file.
    pub(super) fn set_text(&mut self, file: u16, text: &Arc<str>) {
        let file = usize::from(file);
        if self.texts.len() <= file {
            self.texts.resize(file + 1, Arc::default());
        }
        if let Some(slot) = self.texts.get_mut(file) {
            *slot = Arc::clone(text);
        }
    }

    /// The number of a new place in the definition of `name`.
    pub(super) fn origin(&mut self, name: &Arc<str>, place: Span) -> u32 {
        self.origins.push((Arc::clone(name), place));
        u32::try_from(self.origins.len()).unwrap_or_default()
    }

    /// The name of a file; that of the first one if there is no such number.
    pub fn name(&self, file: u16) -> &str {
        let name = self.files.get(usize::from(file)).or(self.files.first());
        name.map_or("", String::as_str)
    }

    /// The other places that have to do with a place.
    pub(super) fn related(&self, span: Span) -> Vec<Related> {
        let origin = (span.origin as usize).checked_sub(1);
        let Some((name, place)) = origin.and_then(|number| self.origins.get(number)) else {
            return Vec::new();
        };
        vec![Related {
            file: self.name(place.file).to_owned(),
            span: place.bytes(),
            line: place.line,
            column: u32::from(place.column),
            text: format!("this is where {} has it from", quoted(&format!("${name}"))),
        }]
    }

    /// Findings of which those that are about one mistake are joined, as far as the text is at hand.
    pub(super) fn improved(&self, found: Vec<Diagnostic>) -> Vec<Diagnostic> {
        improve::improve(found, |file| {
            let number = self.files.iter().position(|name| name == file)?;
            self.texts.get(number).map(|text| &**text)
        })
    }

    /// Puts findings into the order of the files, and within each of its text.
    pub(super) fn sort(&self, found: &mut [Diagnostic]) {
        if self.files.len() <= 1 {
            found.sort_by_key(|it| (it.span.start, it.span.end));
            return;
        }
        found.sort_by_cached_key(|it| {
            let file = self.files.iter().position(|file| *file == it.file);
            (file, it.span.start, it.span.end)
        });
    }
}
