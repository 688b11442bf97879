//! What is said on the control socket.
//!
//! The daemon begins with `relevo 1`, the version of all this. The client says one line, the daemon
//! answers with a line and a body, and closes:
//!
//! ```text
//! relevo 1
//!                     status
//! ok 1234
//! (1,234 octets)
//! ```
//!
//! or `error 24` and as many octets that say why not.

/// How the daemon begins, and what a client must see.
pub(crate) const GREETING: &str = "relevo 1\n";

/// Octets of the longest request with the end of its line.
pub(crate) const REQUEST_MAX: usize = 64;

/// Octets of the longest body.
pub(crate) const BODY_MAX: usize = 16 << 20;

/// Octets of the longest line before a body.
const HEAD_MAX: usize = 32;

/// What a client wants.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Request {
    /// How the daemon and its virtual routers are.
    Status,
    /// The same for programs.
    StatusJson,
    /// What a reload would change.
    Plan,
    /// Reload; answered when the new configuration is in force or refused.
    Reload,
    /// The last inputs of the VRRP child.
    Journal,
    /// The program's version.
    Version,
}

impl Request {
    /// Every request.
    pub(crate) const ALL: [Self; 6] = [
        Self::Status,
        Self::StatusJson,
        Self::Plan,
        Self::Reload,
        Self::Journal,
        Self::Version,
    ];

    /// Its line, without the end.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::StatusJson => "status json",
            Self::Plan => "plan",
            Self::Reload => "reload",
            Self::Journal => "journal",
            Self::Version => "version",
        }
    }
}

/// Why a line is no request.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Misread {
    /// No end of line where there must be one: nothing more can be understood.
    TooLong,
    /// A line that says nothing known.
    Unknown,
}

/// Takes the next line out of what was received; `None` if it is not complete yet.
pub(crate) fn take_request(received: &mut Vec<u8>) -> Option<Result<Request, Misread>> {
    let end = received
        .iter()
        .take(REQUEST_MAX)
        .position(|&octet| octet == b'\n');
    let Some(end) = end else {
        return (received.len() >= REQUEST_MAX).then_some(Err(Misread::TooLong));
    };
    let line = received.get(..end).unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let known = Request::ALL
        .into_iter()
        .find(|request| request.word().as_bytes() == line);
    received.drain(..=end);
    Some(known.ok_or(Misread::Unknown))
}

/// Appends an answer; a body that is too long is cut.
pub(crate) fn put_answer(into: &mut Vec<u8>, answer: Result<&[u8], &[u8]>) {
    let (word, body) = match answer {
        Ok(body) => ("ok", body),
        Err(body) => ("error", body),
    };
    let body = body.get(..BODY_MAX).unwrap_or(body);
    into.extend_from_slice(format!("{word} {}\n", body.len()).as_bytes());
    into.extend_from_slice(body);
}

/// The line before a body.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    /// `ok`, and not `error`.
    pub(crate) is_ok: bool,
    /// Octets of the line with its end.
    pub(crate) len: usize,
    /// Octets of the body.
    pub(crate) body: usize,
}

/// This is no answer.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct NoAnswer;

impl Head {
    /// Reads the first line of what was received; `None` if it is not complete yet.
    pub(crate) fn read(received: &[u8]) -> Result<Option<Self>, NoAnswer> {
        let end = received
            .iter()
            .take(HEAD_MAX)
            .position(|&octet| octet == b'\n');
        let Some(end) = end else {
            let is_cut = received.len() < HEAD_MAX;
            return is_cut.then_some(None).ok_or(NoAnswer);
        };
        let line = received
            .get(..end)
            .and_then(|line| std::str::from_utf8(line).ok());
        let (word, number) = line.and_then(|line| line.split_once(' ')).ok_or(NoAnswer)?;
        let is_ok = match word {
            "ok" => true,
            "error" => false,
            _ => return Err(NoAnswer),
        };
        let digits = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
        let body = number
            .parse()
            .ok()
            .filter(|&body| digits && body <= BODY_MAX);
        let len = end + 1;
        let body = body.ok_or(NoAnswer)?;
        Ok(Some(Self { is_ok, len, body }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_read_octet_by_octet() {
        for request in Request::ALL {
            for end in ["\n", "\r\n"] {
                let mut received = Vec::new();
                for octet in format!("{}{end}", request.word()).bytes() {
                    assert_eq!(take_request(&mut received), None);
                    received.push(octet);
                }
                assert_eq!(take_request(&mut received), Some(Ok(request)));
                assert!(received.is_empty());
            }
        }
    }

    #[test]
    fn what_is_no_request_is_told_from_what_is_too_long() {
        for line in [
            "", " status", "status ", "STATUS", "status\0", "\u{fc}", "\r",
        ] {
            let mut received = format!("{line}\nversion\n").into_bytes();
            assert_eq!(
                take_request(&mut received),
                Some(Err(Misread::Unknown)),
                "{line:?}"
            );
            assert_eq!(take_request(&mut received), Some(Ok(Request::Version)));
        }
        let mut received = vec![b'x'; REQUEST_MAX - 1];
        assert_eq!(take_request(&mut received), None);
        received.push(b'x');
        assert_eq!(take_request(&mut received), Some(Err(Misread::TooLong)));
    }

    #[test]
    fn an_answer_is_read_back() {
        let body = b"two\nlines";
        for (answer, is_ok) in [(Ok(&body[..]), true), (Err(&body[..]), false)] {
            let mut sent = Vec::new();
            put_answer(&mut sent, answer);
            let line = sent.len() - body.len();
            for cut in 0..line {
                assert_eq!(Head::read(&sent[..cut]), Ok(None));
            }
            let head = Head {
                is_ok,
                len: line,
                body: body.len(),
            };
            assert_eq!(Head::read(&sent), Ok(Some(head)));
            assert_eq!(&sent[head.len..], body);
        }
        for wrong in [
            "ok\n",
            "ok \n",
            "ok -1\n",
            "ok +1\n",
            "yes 1\n",
            "ok 99999999999\n",
            "\n",
        ] {
            assert_eq!(Head::read(wrong.as_bytes()), Err(NoAnswer), "{wrong:?}");
        }
        assert_eq!(Head::read(&[b'o'; HEAD_MAX]), Err(NoAnswer));
    }
}
