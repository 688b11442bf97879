//! `HTTP_GET` and `SSL_GET`: pages that are fetched, and what they must be like.

use std::net::IpAddr;

use super::super::block::Statement;
use super::super::code::Code;
use super::super::diag::{Class, Severity, Sink, quoted};
use super::super::global::IGNORED;
use super::super::page::Page;
use super::super::row::{Field, Head, Kind, Row, Rows, plain_fields, read_lines};
use super::super::scalar::Scalar;
use super::super::statement::{optional, value};
use super::checkers::{Check, needs};
use super::probe::{Probe, probe_rows};
use super::script::Pattern;
use super::{Blank, Rare, quiet_error, quietly_missing, show_one, sorted_rows, text_of};

/// `HTTP_GET`, or `SSL_GET` if `TLS`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Get<const TLS: bool> {
    /// The common words.
    pub probe: Probe,
    /// `url` blocks, in the order of the file. At least one.
    pub urls: Vec<Url<TLS>>,
    /// `virtualhost`.
    pub virtualhost: Option<Box<str>>,
    /// `sni_name`.
    pub sni_name: Option<Box<str>>,
    /// `http_protocol`; 1.0 if not written.
    pub http_protocol: Option<HttpVersion>,
    /// `enable_sni`; off if not written.
    pub enable_sni: Option<bool>,
    /// `fast_recovery`; off if not written.
    pub fast_recovery: Option<bool>,
    /// `tls_compliant`; off if not written. Only with TLS.
    pub tls_compliant: Option<bool>,
}

macro_rules! get_rows {
    ($tls:literal, $($rows:tt)*) => {
        probe_rows! { Get<$tls>, "1", "3",
            "enable_sni" => enable_sni: Kind::Bool, Built, "off",
                "Names the host when TLS begins.";
            "fast_recovery" => fast_recovery: Kind::Bool, Built, "off",
                "After a failure the pages are fetched one after the other without delay_loop between.";
            "http_protocol" => http_protocol: Kind::Soft(&Kind::Choice(&["1.0", "1.0C", "1.1"])),
                Built, "1.0",
                "The version of the request; C adds `Connection: close`.";
            "nb_get_retry" = "retry" => (read_old_retry, |_, _, _| {}):
                Kind::number(0, 4_294_967_295), Built, "",
                "The old name of retry.";
            "sni_name" => sni_name: Kind::Soft(&Kind::Text), Built, "",
                "The name for enable_sni, which it switches on; else a virtualhost.";
            "url" => (read_url, show_urls): Kind::Block(""), Built, "",
                "A page; several are checked in turn.";
            "virtualhost" => virtualhost: Kind::Soft(&Kind::Text), Built, "",
                "The host of the request; else that of the real or virtual server, else its address.";
            $($rows)*
        }
    };
}

impl Rows for Get<false> {
    fn rows() -> &'static [Row<Self>] {
        get_rows! { false, }
    }
}

impl Rows for Get<true> {
    fn rows() -> &'static [Row<Self>] {
        get_rows! { true,
            "tls_compliant" => tls_compliant: Kind::Bool, Built, "off",
                "A connection that ends without a proper end of TLS is a failure.";
        }
    }
}

impl<const TLS: bool> Check for Get<TLS>
where
    Self: Rows,
{
    fn end(&mut self, server: IpAddr, found: &Statement, sink: &mut Sink) -> bool {
        needs(!self.urls.is_empty(), "url", "{ path /... }", found, sink)
            && self.probe.end(server, found, sink)
    }
}

fn read_old_retry<const TLS: bool>(
    block: &mut Get<TLS>,
    head: &Head,
    found: &Statement,
    sink: &mut Sink,
) {
    if found.arguments().is_empty() {
        sink.missing_parameter(found.span(), found.keyword());
        return;
    }
    let before = sink.weight();
    block.probe.pace.retry.read(head, found, sink);
    if sink.weight() == before {
        let message = "`nb_get_retry` has a newer name, `retry`";
        sink.report(
            Severity::Deprecated,
            Class::Deprecated,
            found.span(),
            message,
        )
        .code(Code::Renamed)
        .suggest("retry");
    }
}

fn read_url<const TLS: bool>(block: &mut Get<TLS>, head: &Head, found: &Statement, sink: &mut Sink)
where
    Url<TLS>: Rows,
{
    let mut url = Url::default();
    read_lines(&mut url, head.word, found, sink);
    if sink.stopped() {
        return;
    }
    if url.path.is_some() {
        block.urls.push(url);
    } else {
        let message = "this `url` has no `path`; it is left out";
        sink.error(found.span(), message)
            .code(Code::IncompleteBlock)
            .help("write `path /...` in it");
    }
}

fn show_urls<const TLS: bool>(block: &Get<TLS>, head: &Head, page: &mut Page)
where
    Url<TLS>: Rows,
{
    for url in &block.urls {
        show_one(url, &[head.word], page);
    }
}

/// What begins the request.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum HttpVersion {
    /// HTTP/1.0.
    V1_0,
    /// HTTP/1.0 with `Connection: close`.
    V1_0Close,
    /// HTTP/1.1, with `Connection: close`.
    V1_1,
}

const HTTP_VERSIONS: &[(&str, HttpVersion)] = &[
    ("1.0", HttpVersion::V1_0),
    ("1.0C", HttpVersion::V1_0Close),
    ("1.1", HttpVersion::V1_1),
];

impl Scalar for HttpVersion {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        super::word_of(HTTP_VERSIONS, false, found, sink)
    }

    fn show(&self, head: &Head, page: &mut Page) {
        page.line(&[head.word, text_of(HTTP_VERSIONS, self)]);
    }
}

/// `url`: one page.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Url<const TLS: bool> {
    /// `path`.
    pub path: Option<Box<str>>,
    /// `digest` of the body.
    pub digest: Option<Digest>,
    /// `status_code`; 200 to 299 if empty.
    pub status_codes: StatusCodes,
    /// `virtualhost`.
    pub virtualhost: Option<Box<str>>,
    /// `tls_compliant`; that of the checker if not written. Only with TLS.
    pub tls_compliant: Option<bool>,
    /// The words `regex..`.
    pub regex: Rare<RegexWords>,
}

macro_rules! url_rows {
    ($tls:literal, $($rows:tt)*) => {
        sorted_rows! { Url<$tls>:
            "digest" => digest: Kind::Other("HEX (32 digits)"), Built, "",
                "The MD5 sum that the body must have.";
            "path" => path: Kind::Text, Built, "",
                "The path that is asked for.";
            "regex" => regex.pattern: Kind::Text, Built, "",
                "A regular expression (PCRE2) that the body must match.";
            "regex_max_offset" => regex.max_offset: Kind::Other("BYTES"), Built, "",
                "A match begins before this octet of the body.";
            "regex_min_offset" => regex.min_offset: Kind::Other("BYTES"), Built, "0",
                "Where in the body matching begins.";
            "regex_no_match" => regex.no_match: Kind::Flag, Built, "",
                "The body must not match.";
            "regex_options" => regex.options: Kind::Other("OPTION..."), Built, "",
                "Options of the regular expression, as PCRE2 names them in lower case.";
            "regex_stack" => regex.stack: Kind::Other("START MAX"), Built, "",
                "Octets of the stack that matching begins with, and has at most.";
            "status_code" => status_codes: Kind::Other("CODE[-CODE]..."), Built, "200-299",
                "The status codes that are good.";
            "virtualhost" => virtualhost: Kind::Soft(&Kind::Text), Built, "",
                "The host of this request; else that of the checker.";
            $($rows)*
        }
    };
}

impl Rows for Url<false> {
    fn rows() -> &'static [Row<Self>] {
        url_rows! { false, }
    }
}

impl Rows for Url<true> {
    fn rows() -> &'static [Row<Self>] {
        url_rows! { true,
            "tls_compliant" => tls_compliant: Kind::Bool, Built, "",
                "As in SSL_GET, for this page.";
        }
    }
}

/// An MD5 sum.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Digest(pub [u8; 16]);

impl Scalar for Digest {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let word = value(found, sink)?;
        let mut sum = [0; 16];
        let digits = word.text.as_bytes();
        let mut good = digits.len() == 2 * sum.len();
        for (octet, pair) in sum.iter_mut().zip(digits.chunks(2)) {
            for digit in pair {
                let value = char::from(*digit).to_digit(16);
                good &= value.is_some();
                *octet = *octet << 4 | value.unwrap_or_default() as u8;
            }
        }
        if !good {
            let message = format!("{} is no MD5 sum; {IGNORED}", quoted(&word.text));
            sink.error(word.span, message)
                .code(Code::BadValue)
                .help("write its 32 hexadecimal digits");
        }
        good.then_some(Self(sum))
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let digits: String = self.0.iter().map(|octet| format!("{octet:02x}")).collect();
        page.line(&[head.word, &digits]);
    }
}

/// Status codes that are good: from and to, both included and within 100..=599.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StatusCodes(pub Vec<(u16, u16)>);

fn status(text: &str) -> Option<(u16, u16)> {
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let code = text.parse().ok().filter(|_| digits);
        code.filter(|code| (100..=599).contains(code))
    };
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (number(from)?, number(to)?);
    (from <= to).then_some((from, to))
}

/// Several lines add up.
impl Field for StatusCodes {
    fn read(&mut self, _head: &Head, found: &Statement, sink: &mut Sink) {
        for word in found.arguments() {
            if let Some(codes) = status(&word.text) {
                self.0.push(codes);
                continue;
            }
            let message = format!("{} is no status code; it is ignored", quoted(&word.text));
            sink.error(word.span, message)
                .code(Code::BadNumber)
                .help("write codes from 100 to 599, as `200 204 300-399`");
        }
    }

    fn show(&self, head: &Head, page: &mut Page) {
        if self.0.is_empty() {
            page.default(head.word, head.default);
        }
        // A line has room for hundreds.
        for line in self.0.chunks(64) {
            let codes = line.iter().map(|(from, to)| match from == to {
                true => from.to_string(),
                false => format!("{from}-{to}"),
            });
            let codes: Vec<String> = codes.collect();
            let mut words = vec![head.word];
            words.extend(codes.iter().map(String::as_str));
            page.line(&words);
        }
    }
}

/// The regular expression for a body.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RegexWords {
    /// `regex`.
    pub pattern: Option<Pattern>,
    /// `regex_no_match`: the body must not match.
    pub no_match: bool,
    /// `regex_options`.
    pub options: Option<RegexOptions>,
    /// `regex_min_offset`, in octets.
    pub min_offset: Option<Offset>,
    /// `regex_max_offset`, in octets.
    pub max_offset: Option<Offset>,
    /// `regex_stack`.
    pub stack: Option<RegexStack>,
}

impl Blank for RegexWords {
    fn blank() -> &'static Self {
        static BLANK: RegexWords = RegexWords {
            pattern: None,
            no_match: false,
            options: None,
            min_offset: None,
            max_offset: None,
            stack: None,
        };
        &BLANK
    }
}

/// Octets of a body.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Offset(pub u64);

/// A number that the original would take whatever it is.
fn octets(word: &super::super::lexer::Word, sink: &mut Sink) -> Option<u64> {
    let parsed = word.text.parse().ok();
    if parsed.is_none() {
        let message = format!("{} is no number of octets; {IGNORED}", quoted(&word.text));
        quiet_error(word, message, sink).help("write a whole number from 0");
    }
    parsed
}

impl Scalar for Offset {
    fn read(head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        if quietly_missing(head, found, sink) {
            return None;
        }
        octets(value(found, sink)?, sink).map(Self)
    }

    fn show(&self, head: &Head, page: &mut Page) {
        page.line(&[head.word, &self.0.to_string()]);
    }
}

/// Sizes of the stack of a regular expression, in octets.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct RegexStack {
    /// At first.
    pub start: u64,
    /// At most; not less.
    pub max: u64,
}

impl Scalar for RegexStack {
    fn read(head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        if quietly_missing(head, found, sink) {
            return None;
        }
        let [start, max, ..] = found.arguments() else {
            let word = optional(found, sink)?;
            let message = format!("`regex_stack` needs two sizes; {IGNORED}");
            quiet_error(word, message, sink).help("write `regex_stack START MAX`, in octets");
            return None;
        };
        let stack = Self {
            start: octets(start, sink)?,
            max: octets(max, sink)?,
        };
        if stack.start > stack.max {
            let message = format!(
                "a stack of {} octets at first cannot have {} at most; {IGNORED}",
                stack.start, stack.max
            );
            quiet_error(max, message, sink).help("write the larger size last");
            return None;
        }
        Some(stack)
    }

    fn show(&self, head: &Head, page: &mut Page) {
        page.line(&[head.word, &self.start.to_string(), &self.max.to_string()]);
    }
}

/// Options of a regular expression: bit N for the Nth of [`RegexOptions::NAMES`].
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct RegexOptions(pub u32);

impl RegexOptions {
    /// Their names: those of PCRE2 in lower case, without their beginning.
    pub const NAMES: [&'static str; 24] = [
        "allow_empty_class",
        "alt_bsux",
        "auto_callout",
        "caseless",
        "dollar_endonly",
        "dotall",
        "dupnames",
        "extended",
        "firstline",
        "match_unset_backref",
        "multiline",
        "never_ucp",
        "never_utf",
        "no_auto_capture",
        "no_auto_possess",
        "no_dotstar_anchor",
        "no_start_optimize",
        "ucp",
        "ungreedy",
        "utf",
        "never_backslash_c",
        "alt_circumflex",
        "alt_verbnames",
        "use_offset_limit",
    ];
}

impl Scalar for RegexOptions {
    fn read(head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        if quietly_missing(head, found, sink) {
            return None;
        }
        let mut options = 0;
        for word in found.arguments() {
            if let Some(bit) = Self::NAMES.iter().position(|name| *name == word.text) {
                options |= 1 << bit;
                continue;
            }
            let message = format!(
                "{} is no option of a regular expression; it is ignored",
                quoted(&word.text)
            );
            let near = super::super::keywords::nearest_of(Self::NAMES.into_iter(), &word.text);
            let report = quiet_error(word, message, sink);
            match near {
                Some(near) => report.suggest(near),
                None => report.help(format!("write some of {}", Self::NAMES.join(", "))),
            };
        }
        (options != 0).then_some(Self(options))
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let mut words = vec![head.word];
        let names = Self::NAMES.into_iter().enumerate();
        words.extend(names.filter_map(|(bit, name)| (self.0 >> bit & 1 != 0).then_some(name)));
        page.line(&words);
    }
}

plain_fields!(HttpVersion, Digest, Offset, RegexStack, RegexOptions);
