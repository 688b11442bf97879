//! Commands, regular expressions and the like: words split by richer rules than those of ordinary
//! lines.
//!
//! As in the original both `'` and `"` group, what stands side by side is one word, and a backslash
//! says a character: `\a \b \E \f \n \r \t \v`, octal `\nnn`, `\xHH`, `\cC` (also within quotes);
//! before any other it stands for that one. A command is one word of its line, which is split by
//! the same rules once more: hence `script "/bin/check 'two words' three"`. What stands behind it on
//! the line is something else (`notify "/bin/x y" USER GROUP`).

use super::block::Statement;
use super::code::Code;
use super::diag::{Class, Severity, Sink, Span, Spanned, quoted};
use super::page::Page;
use super::row::Head;
use super::scalar::Scalar;

/// A program and its arguments.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Command {
    /// The program, then what it is given. At least one.
    pub argv: Vec<String>,
}

/// Why a text has no words.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum BadWords {
    /// This quote has no partner.
    Unmatched(char),
    /// A backslash says an octet 0, which nothing can be given.
    Zero,
    /// What the backslashes say is not UTF-8.
    NotUtf8,
}

impl BadWords {
    fn message(self) -> String {
        match self {
            Self::Unmatched(quote) => format!("a quote {quote} begins here and does not end"),
            Self::Zero => "a backslash says an octet 0 here, which ends a text".to_owned(),
            Self::NotUtf8 => "what the backslashes say here is not UTF-8".to_owned(),
        }
    }
}

/// Splits a text by the richer rules.
pub fn split(text: &str) -> Result<Vec<String>, BadWords> {
    let mut words = Vec::new();
    let mut rest = text.trim_start_matches(is_blank);
    while !rest.is_empty() {
        let (word, behind) = take_word(rest)?;
        words.push(word);
        rest = behind.trim_start_matches(is_blank);
    }
    Ok(words)
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// The word at the beginning of `text`, and what follows it.
fn take_word(text: &str) -> Result<(String, &str), BadWords> {
    let mut word = Vec::new();
    let mut quote = None;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let behind = &rest[c.len_utf8()..];
        if quote.is_none() && is_blank(c) {
            break;
        }
        rest = behind;
        if quote == Some(c) {
            quote = None;
        } else if quote.is_none() && matches!(c, '\'' | '"') {
            quote = Some(c);
        } else if c == '\\' && !behind.is_empty() {
            rest = escape(behind, &mut word);
        } else {
            word.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    if let Some(quote) = quote {
        return Err(BadWords::Unmatched(quote));
    }
    if word.contains(&0) {
        return Err(BadWords::Zero);
    }
    let word = String::from_utf8(word).map_err(|_| BadWords::NotUtf8)?;
    Ok((word, rest))
}

/// What stands behind a backslash; returns what follows that.
fn escape<'t>(text: &'t str, word: &mut Vec<u8>) -> &'t str {
    let mut chars = text.chars();
    let Some(first) = chars.next() else {
        return text;
    };
    let rest = chars.as_str();
    let simple = match first {
        'a' => 0x07,
        'b' => 0x08,
        'E' => 0x1b,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '0'..='7' => return digits(text, 8, 3, word),
        'x' if rest.starts_with(|c: char| c.is_ascii_hexdigit()) => {
            return digits(rest, 16, usize::MAX, word);
        }
        'c' if rest.starts_with(|c: char| c.is_ascii()) => {
            let control = rest.as_bytes().first().copied().unwrap_or_default();
            word.push(control & 0x1f);
            return rest.get(1..).unwrap_or_default();
        }
        other => {
            word.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
            return rest;
        }
    };
    word.push(simple);
    rest
}

/// A number of at most `most` digits, of which the low eight bits count.
fn digits<'t>(text: &'t str, radix: u32, most: usize, word: &mut Vec<u8>) -> &'t str {
    let mut value = 0_u8;
    let mut rest = text;
    for c in text.chars().take(most) {
        let Some(digit) = c.to_digit(radix) else {
            break;
        };
        // What is shifted out is what the original drops.
        value = (u32::from(value) * radix + digit) as u8;
        rest = &rest[1..];
    }
    word.push(value);
    rest
}

/// The words behind the keyword by the richer rules; `None`, and reported, if there are none or they
/// cannot be read. Reading stops where there are none.
pub(super) fn words(found: &Statement, sink: &mut Sink) -> Option<Vec<Spanned<String>>> {
    let arguments = found.arguments();
    let (Some(first), Some(last)) = (arguments.first(), arguments.last()) else {
        sink.missing_parameter(found.span(), found.keyword());
        return None;
    };
    let Some(raw) = found.raw() else {
        let words = arguments.iter();
        return Some(
            words
                .map(|word| Spanned::new(word.text.clone(), word.span))
                .collect(),
        );
    };
    let span = Span {
        end: last.span.end.max(first.span.end),
        ..first.span
    };
    // The keyword itself.
    let words = checked(split(raw), span, sink)?.into_iter().skip(1);
    Some(words.map(|word| Spanned::new(word, span)).collect())
}

fn checked(
    words: Result<Vec<String>, BadWords>,
    span: Span,
    sink: &mut Sink,
) -> Option<Vec<String>> {
    match words {
        Ok(words) => Some(words),
        Err(why) => {
            let class = match why {
                BadWords::Unmatched(_) => Class::UnmatchedQuote,
                BadWords::Zero | BadWords::NotUtf8 => Class::General,
            };
            let message = format!("{}; the line is ignored", why.message());
            sink.report(Severity::Error, class, span, message);
            None
        }
    }
}

impl Command {
    /// The command of the line `found`, and the words behind it; `None`, and reported, if it cannot
    /// be read.
    pub(super) fn with_rest(
        found: &Statement,
        sink: &mut Sink,
    ) -> Option<(Spanned<Self>, Vec<Spanned<String>>)> {
        let mut words = words(found, sink)?.into_iter();
        let first = words.next()?;
        let argv = checked(split(&first.value), first.span, sink)?;
        if argv.first().is_none_or(String::is_empty) {
            let message = format!("{} names no program", quoted(found.keyword()));
            sink.error(first.span, message)
                .code(Code::MissingValue)
                .help("write the path of a program, and its arguments, in double quotes");
            return None;
        }
        let command = Spanned::new(Self { argv }, first.span);
        Some((command, words.collect()))
    }

    /// One word, in double quotes, that reads back to this command.
    pub fn written(&self) -> String {
        let mut text = String::from("\"");
        for (place, word) in self.argv.iter().enumerate() {
            if place > 0 {
                text.push(' ');
            }
            write_word(word, &mut text);
        }
        text.push('"');
        text
    }
}

/// A word so that two splits leave it as it is, and that no lexer stumbles over.
fn write_word(word: &str, text: &mut String) {
    let special = |c: char| c.is_control() || matches!(c, '\'' | '"' | '\\' | '$');
    let blank = |c: char| is_blank(c) || c == '\u{feff}';
    if !word.contains(special) {
        let quote = if word.is_empty() || word.contains(blank) {
            "'"
        } else {
            ""
        };
        text.extend([quote, word, quote]);
        return;
    }
    for c in word.chars() {
        if special(c) || blank(c) {
            for octet in c.encode_utf8(&mut [0; 4]).bytes() {
                text.push_str(&format!("\\\\{octet:03o}"));
            }
        } else {
            text.push(c);
        }
    }
}

/// One word; what stands behind it is ignored with a message.
impl Scalar for Command {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let (command, rest) = Self::with_rest(found, sink)?;
        if let Some(surplus) = rest.first() {
            let message = format!(
                "{} and what follows it is not part of the command, and ignored",
                quoted(&surplus.value)
            );
            sink.error(surplus.span, message)
                .code(Code::SurplusValue)
                .help("put the program and its arguments into one pair of double quotes");
        }
        Some(command.value)
    }

    fn show(&self, head: &Head, page: &mut Page) {
        page.raw(&format!("{} {}", head.word, self.written()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(text: &str) -> String {
        match split(text) {
            Ok(words) => words.join("|").escape_debug().to_string(),
            Err(why) => format!("{why:?}"),
        }
    }

    /// The right column is what 2.2.7 makes of the left one, except for the three errors, on which it
    /// crashes or cuts the word.
    #[test]
    fn words_are_split_as_by_the_original() {
        let table = [
            ("a  b\tc", "a|b|c"),
            ("'a b' \"c d\"", "a b|c d"),
            ("a\"b c\"d'e f'g", "ab cde fg"),
            ("a'b'\"c\"", "abc"),
            ("\"\" ''", "|"),
            (r"a\ b e\'f \\ \q", r"a b|e\'f|\\|q"),
            (r"\x41 '\x41' ", "A|A"),
            (r#""\x41""#, "A"),
            (r"\x4g \x412 \xg", r"\u{4}g|\u{12}|xg"),
            (r"\1a \123a \1234 \101777 \9a", r"\u{1}a|Sa|S4|A777|9a"),
            (
                r"\cAa \caa \c1a \c[a a\cxb",
                r"\u{1}a|\u{1}a|\u{11}a|\u{1b}a|a\u{18}b",
            ),
            (r"\a\b\E\f\n\r\t\v", r"\u{7}\u{8}\u{1b}\u{c}\n\r\t\u{b}"),
            ("\"a'b\" 'a{2,3}b'", r"a\'b|a{2,3}b"),
            ("'a", "Unmatched('\\'')"),
            (r#"a\"b"c"#, "Unmatched('\"')"),
            (r"a\0", "Zero"),
            (r"a\xff", "NotUtf8"),
            (r"\xc3\xa9", "\u{e9}"),
            (r"a\", r"a\\"),
        ];
        for (text, words) in table {
            assert_eq!(joined(text), words, "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let argv = [
            "/bin/x",
            "",
            "a b",
            "it's",
            "\"",
            "\\",
            "$",
            "${_PWD}",
            "#!{}",
            "\n\t\u{1}",
            "\u{e9} \u{feff}",
            "@a",
            "~SEQ",
            "\u{a0}",
            "\u{85}",
        ];
        let command = Command {
            argv: argv.map(str::to_owned).to_vec(),
        };
        let text = command.written();
        assert!(!text.contains(char::is_control), "{text}");
        assert_eq!(text.matches('"').count(), 2, "{text}");
        let once = split(&text).expect("one word");
        assert_eq!(once.len(), 1, "{text}");
        assert_eq!(split(&once[0]), Ok(command.argv), "{text}");
    }
}
