//! The stable name of each finding, which `relevo explain` takes.

use std::fmt;

use super::diag::Class;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $slug:literal;)*) => {
        /// What a finding is about. Its name is stable: people search for it, and scripts filter by it.
        #[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name: lower case, words joined by hyphens.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $slug,)*
                }
            }
        }
    };
}

codes! {
    /// A file that is missing or cannot be read.
    MissingFile = "missing-file";
    /// An interface that does not exist or cannot be used.
    BadInterface = "bad-interface";
    /// A word that is not known where it stands.
    UnknownWord = "unknown-word";
    /// Braces that do not match.
    StrayBrace = "stray-brace";
    /// A double quote without its partner.
    UnmatchedQuote = "unmatched-quote";
    /// A word without its value.
    MissingValue = "missing-value";
    /// A number that is none, or out of range.
    BadNumber = "bad-number";
    /// A value that is not understood.
    BadValue = "bad-value";
    /// Something that works but is probably not meant.
    Doubtful = "doubtful";
    /// Something that will stop working one day.
    Deprecated = "deprecated";
    /// A script that others could change.
    UnsafeScript = "unsafe-script";
    /// A word that has a newer name.
    Renamed = "renamed";
    /// A part of the language that this version does not build.
    NotBuilt = "not-built";
}

impl Code {
    /// The code of findings that were given none of their own.
    pub(super) const fn of(class: Class) -> Self {
        match class {
            Class::FileNotFound | Class::MultipleFiles => Self::MissingFile,
            Class::BadInterface => Self::BadInterface,
            Class::UnknownKeyword => Self::UnknownWord,
            Class::UnexpectedBraceOpen
            | Class::MissingBraceOpen
            | Class::UnexpectedBraceClose
            | Class::MissingBraceClose => Self::StrayBrace,
            Class::UnmatchedQuote => Self::UnmatchedQuote,
            Class::MissingParameter => Self::MissingValue,
            Class::InvalidNumber => Self::BadNumber,
            Class::Fatal | Class::General => Self::BadValue,
            Class::Ok | Class::Warning => Self::Doubtful,
            Class::Deprecated => Self::Deprecated,
            Class::Security => Self::UnsafeScript,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
