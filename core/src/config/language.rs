//! The words that make text of other text: for the manual and for whoever walks all words. They stand
//! anywhere, so no block has rows for them; [`super::lines`] and [`super::include`] read them.

use super::row::{Head, Kind, Standing};

const fn head(word: &'static str, shape: &'static str, text: &'static str) -> Head {
    Head {
        word,
        kind: Kind::Other(shape),
        standing: Standing::Built,
        synonym_of: "",
        default: "",
        text,
    }
}

/// The words.
pub(super) const HEADS: &[Head] = &[
    head(
        "$NAME=VALUE",
        "",
        "Defines NAME: ${NAME}, or $NAME before a blank, stands for VALUE; of several lines all but \
         the last end with a backslash.",
    ),
    head(
        "${_BANG}",
        "",
        "Stands for an exclamation mark that begins no comment.",
    ),
    head(
        "${_ENV NAME}",
        "",
        "Stands for a variable of the daemon's environment.",
    ),
    head(
        "${_HASH}",
        "",
        "Stands for a number sign that begins no comment.",
    ),
    head(
        "${_INSTANCE}",
        "",
        "Stands for the name that option -i gives, else the host's name.",
    ),
    head(
        "${_PWD}",
        "",
        "Stands for the directory of the file that is being read.",
    ),
    head(
        "${_RANDOM [MIN [MAX]]}",
        "",
        "Stands for a random number from MIN (0) to MAX (32767).",
    ),
    head(
        "@ID",
        "",
        "Keeps what follows it on the line for the host with this name, `@^ID` for all others.",
    ),
    head(
        "include",
        "PATTERN...",
        "Reads other files in the place of the line.",
    ),
    head(
        "includea",
        "PATTERN...",
        "The same, with every check of `include_check`.",
    ),
    head(
        "includeb",
        "PATTERN...",
        "The same; each alternative in braces must match a file.",
    ),
    head(
        "includem",
        "PATTERN...",
        "The same; a name without wildcards must exist.",
    ),
    head(
        "includer",
        "PATTERN...",
        "The same; what matches must be readable.",
    ),
    head(
        "includew",
        "PATTERN...",
        "The same; a pattern must match a file.",
    ),
    head(
        "~LST(VAR, V1, V2...) or ~LST({A,B}, {1,2}, {3,4})",
        "",
        "Repeats the rest of the line for each value of VAR, or for each group of values.",
    ),
    head(
        "~SEQ(VAR, [START,[STEP,]]END)",
        "",
        "Repeats the rest of the line for each number; START is 1, or -1 when END is below 0.",
    ),
    head(
        "~SEQx(VAR, [START,[STEP,]]END)",
        "",
        "The same, with the numbers in hexadecimal.",
    ),
];
