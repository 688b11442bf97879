//! `SSL`: what SSL_GET shows of itself.

use super::super::Config;
use super::super::block::Statement;
use super::super::code::Code;
use super::super::diag::{Sink, quoted};
use super::super::page::Page;
use super::super::row::{Field, Head, Kind, Row, Rows, read_lines, rows};
use super::show_one;

/// `SSL`: the certificates of SSL_GET.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ssl {
    /// `password` of the key.
    pub password: Once,
    /// `ca`: a file of certificates of authorities.
    pub ca: Once,
    /// `certificate`: a file.
    pub certificate: Once,
    /// `key`: a file.
    pub key: Once,
}

impl Rows for Ssl {
    fn rows() -> &'static [Row<Self>] {
        rows! { Ssl:
            "ca" => ca: Kind::Soft(&Kind::Text), Built, "",
                "A file with certificates of authorities.";
            "certificate" => certificate: Kind::Soft(&Kind::Text), Built, "",
                "A file with the certificate that is shown to servers.";
            "key" => key: Kind::Soft(&Kind::Text), Built, "",
                "A file with the key of the certificate.";
            "password" => password: Kind::Soft(&Kind::Text), Built, "",
                "The pass phrase of the key.";
        }
    }
}

/// A word that should stand once; the last counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Once(pub Option<Box<str>>);

impl Field for Once {
    fn read(&mut self, _head: &Head, found: &Statement, sink: &mut Sink) {
        if self.0.is_some() {
            second(found, sink);
        }
        // What stands behind it may be part of a password, so it is not shown.
        if let Some(extra) = found.arguments().get(1) {
            let message = "what stands behind the value on this line is ignored";
            sink.note(extra.span, message)
                .code(Code::SurplusValue)
                .help("put a value with blanks into double quotes");
        }
        self.0 = found
            .arguments()
            .first()
            .map(|word| word.text.as_str().into());
    }

    fn show(&self, head: &Head, page: &mut Page) {
        if let Some(value) = &self.0 {
            page.line(&[head.word, value]);
        }
    }
}

fn second(found: &Statement, sink: &mut Sink) {
    let message = format!(
        "a second {}; it replaces the first",
        quoted(found.keyword())
    );
    sink.error(found.span(), message)
        .code(Code::NameTaken)
        .help("remove one of the two");
}

/// `SSL` at the top level: the last counts.
pub(in crate::config) fn read_ssl(
    config: &mut Config,
    head: &Head,
    found: &Statement,
    sink: &mut Sink,
) {
    if config.lvs.ssl.is_some() {
        second(found, sink);
    }
    let mut ssl = Box::<Ssl>::default();
    read_lines(ssl.as_mut(), head.word, found, sink);
    config.lvs.ssl = Some(ssl);
}

/// Writes it.
pub(in crate::config) fn show_ssl(config: &Config, head: &Head, page: &mut Page) {
    if let Some(ssl) = &config.lvs.ssl {
        show_one(ssl.as_ref(), &[head.word], page);
    }
}
