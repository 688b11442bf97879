//! A [`Bundle`] as octets, for handing it to another process.
//!
//! A line `relevo-config 1`, then the directory, the seed, the configuration's name, an octet (1 if
//! all includes are checked), the files, the patterns and the variables. Numbers are four octets (the seed eight) in network order; a text is
//! its length and its octets, a list its length and its items. An item of the files is its name, an
//! octet (`t` text, `r` text with replacements and the place of the first, `d` directory, `x` not
//! text, `e` error) and its text; of the patterns, the pattern and the list of names; of the
//! variables, the name, an octet (`+` or `-`) and, behind `+`, the value.

use super::source::{Bundle, FileText, Unreadable};

const HEADER: &[u8] = b"relevo-config 1\n";

/// Octets that are no bundle.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct BadBundle;

impl std::fmt::Display for BadBundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("this is no configuration as one process hands it to another")
    }
}

impl Bundle {
    /// As octets. What does not fit into four octets of length is left out, which no host holds.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        text(&self.directory, &mut bytes);
        bytes.extend(self.seed.to_be_bytes());
        text(&self.config_id, &mut bytes);
        bytes.push(u8::from(self.check_all));
        number(self.files.len(), &mut bytes);
        for (name, file) in &self.files {
            text(name, &mut bytes);
            write_file(file, &mut bytes);
        }
        number(self.globs.len(), &mut bytes);
        for (pattern, names) in &self.globs {
            text(pattern, &mut bytes);
            number(names.len(), &mut bytes);
            for name in names {
                text(name, &mut bytes);
            }
        }
        number(self.environment.len(), &mut bytes);
        for (name, value) in &self.environment {
            text(name, &mut bytes);
            bytes.push(if value.is_some() { b'+' } else { b'-' });
            if let Some(value) = value {
                text(value, &mut bytes);
            }
        }
        bytes
    }

    /// Reads what [`encode`](Self::encode) has written; anything else is an error.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadBundle> {
        let mut rest = Rest(bytes.strip_prefix(HEADER).ok_or(BadBundle)?);
        let mut bundle = Self {
            directory: rest.text()?.to_owned(),
            seed: u64::from_be_bytes(*rest.array()?),
            config_id: rest.text()?.to_owned(),
            check_all: match rest.octet()? {
                0 => false,
                1 => true,
                _ => return Err(BadBundle),
            },
            ..Self::default()
        };
        for _ in 0..rest.number()? {
            let name = rest.text()?.to_owned();
            let file = read_file(&mut rest)?;
            unique(bundle.files.insert(name, file))?;
        }
        for _ in 0..rest.number()? {
            let pattern = rest.text()?.to_owned();
            let mut names = Vec::new();
            for _ in 0..rest.number()? {
                names.push(rest.text()?.to_owned());
            }
            unique(bundle.globs.insert(pattern, names))?;
        }
        for _ in 0..rest.number()? {
            let name = rest.text()?.to_owned();
            let value = match rest.octet()? {
                b'+' => Some(rest.text()?.to_owned()),
                b'-' => None,
                _ => return Err(BadBundle),
            };
            unique(bundle.environment.insert(name, value))?;
        }
        if rest.0.is_empty() {
            Ok(bundle)
        } else {
            Err(BadBundle)
        }
    }
}

fn unique<T>(before: Option<T>) -> Result<(), BadBundle> {
    before.map_or(Ok(()), |_| Err(BadBundle))
}

fn number(value: usize, bytes: &mut Vec<u8>) {
    bytes.extend(u32::try_from(value).unwrap_or(u32::MAX).to_be_bytes());
}

fn text(text: &str, bytes: &mut Vec<u8>) {
    let text = if u32::try_from(text.len()).is_ok() {
        text
    } else {
        ""
    };
    number(text.len(), bytes);
    bytes.extend(text.as_bytes());
}

fn write_file(file: &Result<FileText, Unreadable>, bytes: &mut Vec<u8>) {
    match file {
        Ok(file) => {
            match file.replaced {
                None => bytes.push(b't'),
                Some(at) => {
                    bytes.push(b'r');
                    bytes.extend(at.to_be_bytes());
                }
            }
            text(&file.text, bytes);
        }
        Err(Unreadable::Directory) => bytes.push(b'd'),
        Err(Unreadable::NotText) => bytes.push(b'x'),
        Err(Unreadable::Error(why)) => {
            bytes.push(b'e');
            text(why, bytes);
        }
    }
}

fn read_file(rest: &mut Rest<'_>) -> Result<Result<FileText, Unreadable>, BadBundle> {
    let replaced = match rest.octet()? {
        b't' => None,
        b'r' => Some(u32::from_be_bytes(*rest.array()?)),
        b'd' => return Ok(Err(Unreadable::Directory)),
        b'x' => return Ok(Err(Unreadable::NotText)),
        b'e' => return Ok(Err(Unreadable::Error(rest.text()?.to_owned()))),
        _ => return Err(BadBundle),
    };
    let text = rest.text()?.into();
    Ok(Ok(FileText { text, replaced }))
}

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], BadBundle> {
        let (head, rest) = self.0.split_first_chunk().ok_or(BadBundle)?;
        self.0 = rest;
        Ok(head)
    }

    fn octet(&mut self) -> Result<u8, BadBundle> {
        self.array::<1>().map(|[octet]| *octet)
    }

    fn number(&mut self) -> Result<u32, BadBundle> {
        self.array().map(|bytes| u32::from_be_bytes(*bytes))
    }

    fn text(&mut self) -> Result<&'a str, BadBundle> {
        let length = self.number()? as usize;
        let (text, rest) = self.0.split_at_checked(length).ok_or(BadBundle)?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| BadBundle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> Bundle {
        let mut bundle = Bundle::single("/a", "text\u{e9}").with("/b", "");
        let files = &mut bundle.files;
        files.insert("/r".into(), Ok(FileText::of(b"x\xff".to_vec())));
        files.insert("/d".into(), Err(Unreadable::Directory));
        files.insert("/x".into(), Err(Unreadable::NotText));
        files.insert("/e".into(), Err(Unreadable::Error("why".into())));
        bundle
            .globs
            .insert("/*".into(), vec!["/a".into(), "/b".into()]);
        bundle.environment.insert("A".into(), Some("1".into()));
        bundle.environment.insert("B".into(), None);
        bundle.seed = u64::MAX - 1;
        bundle.directory = "/root".into();
        bundle.config_id = "host".into();
        bundle
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for bundle in [bundle(), Bundle::default()] {
            assert_eq!(Bundle::decode(&bundle.encode()), Ok(bundle));
        }
    }

    #[test]
    fn a_cut_or_longer_one_is_refused() {
        let whole = bundle().encode();
        for length in 0..whole.len() {
            assert_eq!(Bundle::decode(&whole[..length]), Err(BadBundle), "{length}");
        }
        assert_eq!(Bundle::decode(&[&whole[..], b"x"].concat()), Err(BadBundle));
    }
}
