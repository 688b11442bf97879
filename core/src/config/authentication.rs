//! `authentication` and `auth_hmac`: how an instance proves where its adverts come from.

use super::block::Statement;
use super::code::Code;
use super::diag::{Sink, Span, Spanned, quoted};
use super::global::IGNORED;
use super::page::Page;
use super::row::{Begin, Head, Kind, Row, Rows, rows};
use super::scalar::{Choice, Scalar};
use super::statement::{self, value};
use super::units::{self, Garbage};
use crate::limits;
use crate::time::Duration;

/// `authentication`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Authentication {
    /// `auth_type`.
    pub kind: Option<Spanned<AuthKind>>,
    /// `auth_pass`.
    pub password: Option<Spanned<Password>>,
}

impl Authentication {
    /// Where `auth_type PASS` stands.
    pub fn pass(&self) -> Option<Span> {
        let kind = self.kind.as_ref()?;
        (kind.value == AuthKind::Pass).then_some(kind.span)
    }
}

impl Rows for Authentication {
    fn rows() -> &'static [Row<Self>] {
        rows! { Authentication:
            "auth_pass" => password: Kind::Text, Built, "",
                "The password that all routers share; the first eight octets count.";
            "auth_type" => kind: Kind::Choice(&["PASS", "AH"]), Built, "",
                "PASS for a password in clear text; AH, the other kind of RFC 2338, is not built yet.";
        }
    }
}

impl Begin for Authentication {
    fn begin(_found: &Statement, _sink: &mut Sink) -> Option<Self> {
        Some(Self::default())
    }

    fn heading(&self) -> Vec<&str> {
        Vec::new()
    }
}

/// What `auth_type` says.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum AuthKind {
    /// A password (RFC 2338 section 5.3.6, type 1).
    Pass,
    /// IPSEC-AH (type 2).
    Ah,
}

impl Scalar for AuthKind {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let word = value(found, sink)?;
        match word.text.as_str() {
            "PASS" => Some(Self::Pass),
            "AH" => {
                sink.refuse(word.span, "`auth_type AH`");
                Some(Self::Ah)
            }
            "NONE" => {
                let message =
                    "keepalived does not know `auth_type NONE`; no authentication is used";
                sink.error(word.span, message)
                    .code(Code::BadChoice)
                    .help("remove the block `authentication`");
                None
            }
            other => {
                let shown = quoted(other);
                let message = format!("{shown} is not a kind of authentication; {IGNORED}");
                let upper = other.to_uppercase();
                let report = sink
                    .error(word.span, message)
                    .code(Code::BadChoice)
                    .help("write PASS");
                if upper == "PASS" {
                    report.suggest(upper);
                }
                None
            }
        }
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let word = match self {
            Self::Pass => "PASS",
            Self::Ah => "AH",
        };
        page.line(&[head.word, word]);
    }
}

/// The first eight octets of `auth_pass`, filled with zeros.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Password(pub [u8; limits::PASSWORD]);

impl Scalar for Password {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let word = value(found, sink)?;
        let octets = word.text.as_bytes();
        if octets.len() > limits::PASSWORD {
            let message = format!(
                "the password has {} octets; only the first {} count",
                octets.len(),
                limits::PASSWORD
            );
            sink.error(word.span, message)
                .code(Code::LongPassword)
                .help("cut it to eight, which also fits every other router");
        }
        let mut password = [0; limits::PASSWORD];
        for (to, from) in password.iter_mut().zip(octets) {
            *to = *from;
        }
        Some(Self(password))
    }

    /// Without what the cut has left of a character, which no text can show.
    fn show(&self, head: &Head, page: &mut Page) {
        let text = self
            .0
            .utf8_chunks()
            .next()
            .map_or("", |chunk| chunk.valid());
        page.line(&[head.word, text.trim_end_matches('\0')]);
    }
}

/// `auth_hmac`: adverts are signed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuthHmac {
    /// Where it begins.
    pub span: Span,
    /// `key`.
    pub keys: Vec<Spanned<HmacKey>>,
    /// `active_key`: the number of the key that signs.
    pub active_key: Option<Spanned<u8>>,
    /// `time_window`: how old an advert may be.
    pub time_window: Option<Spanned<Duration>>,
    /// `anti_replay`.
    pub anti_replay: Option<Spanned<AntiReplay>>,
    /// `mode`.
    pub mode: Option<Spanned<HmacMode>>,
}

impl Rows for AuthHmac {
    fn rows() -> &'static [Row<Self>] {
        rows! { AuthHmac:
            "active_key" => active_key: Kind::number(1, 255), Built, "",
                "The number of the key that signs adverts.";
            "anti_replay" => anti_replay: Kind::Choice(&["time", "monotonic"]), Built, "time",
                "How an advert that is sent once more is told: by its time, or by its number alone.";
            "key" => keys: Kind::Other("1..255 KEY"), Built, "",
                "A key of 32 to 64 octets: in plain text, behind hex: as digits, or behind file: in a file.";
            "mode" => mode: Kind::Choice(&["enforce", "permissive", "receive-only"]), Built, "enforce",
                "What becomes of adverts that are not signed, and whether our own are.";
            "time_window" => time_window: Kind::WholeSeconds { min: 1, max: 300 }, Built, "",
                "How old an advert may be; three intervals and at least five seconds by default.";
        }
    }
}

impl Begin for AuthHmac {
    fn begin(found: &Statement, _sink: &mut Sink) -> Option<Self> {
        let span = found.span();
        Some(Self {
            span,
            ..Self::default()
        })
    }

    fn heading(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl AuthHmac {
    /// Says what keeps it from working.
    pub(super) fn check(&self, sink: &mut Sink) {
        let Some(active) = &self.active_key else {
            let message = "`auth_hmac` has no `active_key` and is left out";
            sink.error(self.span, message)
                .code(Code::IncompleteBlock)
                .help("write `active_key ID`, the number of one of its keys");
            return;
        };
        if !self.keys.iter().any(|key| key.value.id == active.value) {
            let message = format!(
                "there is no `key {}`; `auth_hmac` is left out",
                active.value
            );
            sink.error(active.span, message)
                .code(Code::UnknownName)
                .help("add the key, or name one that is there");
        }
    }
}

/// One `key` of `auth_hmac`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HmacKey {
    /// Its number, 1..=255.
    pub id: u8,
    /// The key as written: plain, or with `hex:` or `file:` before it.
    pub text: String,
}

impl Scalar for HmacKey {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let (Some(id), Some(key)) = (found.arguments().first(), found.arguments().get(1)) else {
            sink.missing_parameter(found.span(), found.keyword());
            return None;
        };
        statement::surplus(found, 2, sink);
        let id = units::number(id, 1..=255, Garbage::Refuse, IGNORED, sink)?;
        let octets = match key.text.split_once(':') {
            Some(("file", _)) => None,
            Some(("hex", digits)) => {
                let all = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                Some(if all { digits.len() / 2 } else { 0 })
            }
            _ => Some(key.text.len()),
        };
        if octets.is_some_and(|octets| !(32..=64).contains(&octets)) {
            // A part of a key must not get into a log.
            let message = format!("a key has 32 to 64 octets; {IGNORED}");
            sink.error(key.span, message)
                .code(Code::BadValue)
                .help("write 32 to 64 characters, or hex: and 64 to 128 digits");
            return None;
        }
        Some(Self {
            id: u8::try_from(id).ok()?,
            text: key.text.clone(),
        })
    }

    fn show(&self, head: &Head, page: &mut Page) {
        page.line(&[head.word, &self.id.to_string(), &self.text]);
    }
}

/// How an advert that is sent once more is told.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum AntiReplay {
    /// By its time.
    Time,
    /// By its number alone.
    Monotonic,
}

impl Choice for AntiReplay {
    const WORDS: &'static [(&'static str, Self)] =
        &[("time", Self::Time), ("monotonic", Self::Monotonic)];
}

/// What becomes of adverts that are not signed.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum HmacMode {
    /// They are discarded.
    Enforce,
    /// They are accepted; our own are signed.
    Permissive,
    /// They are accepted, and our own are not signed.
    ReceiveOnly,
}

impl Choice for HmacMode {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("enforce", Self::Enforce),
        ("permissive", Self::Permissive),
        ("receive-only", Self::ReceiveOnly),
    ];
}
