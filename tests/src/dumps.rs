//! Dump files taken apart, and what of two of them may differ.

/// A value that is not compared, and why.
#[derive(Copy, Clone, Debug)]
pub struct Apart {
    /// What stands before the value, blanks left out.
    pub key: &'static str,
    /// Why it differs.
    pub why: &'static str,
}

/// Lines of keepalived's that are not there in ours.
pub const LEFT_OUT: [Apart; 2] = [
    Apart {
        key: "libnftnl version",
        why: "a library that is not used",
    },
    Apart {
        key: "rp_filter",
        why: "appears in the original when an interface has changed",
    },
];

/// Values that differ.
pub const VALUES: [Apart; 11] = [
    Apart {
        key: "Password =",
        why: "hidden, as in later releases",
    },
    Apart {
        key: "VRRP realtime limit =",
        why: "the default, which is longer here",
    },
    Apart {
        key: "Checker realtime limit =",
        why: "the same",
    },
    Apart {
        key: "BFD realtime limit =",
        why: "the same",
    },
    Apart {
        key: "fd_in",
        why: "the numbers of descriptors, of which a socket has one here and two there",
    },
    Apart {
        key: "Last transition =",
        why: "time",
    },
    Apart {
        key: "Read timeout = 1",
        why: "time",
    },
    Apart {
        key: "GARP next time",
        why: "time",
    },
    Apart {
        key: "Not IPv6 forwarding. Last checked",
        why: "time",
    },
    Apart {
        key: "IPv6 forwarding. Last checked",
        why: "time",
    },
    Apart {
        key: "\"last_transition\":",
        why: "time",
    },
];

/// The lines of a data dump or of counters, without values that differ.
pub fn lines(text: &str) -> Vec<String> {
    let is_kept = |line: &&str| {
        !LEFT_OUT
            .iter()
            .any(|it| line.trim_start().starts_with(it.key))
    };
    text.lines().filter(is_kept).map(without_value).collect()
}

/// The pairs of a JSON file in their order, one on each line, without values that differ.
pub fn pairs(text: &str) -> Vec<String> {
    let text = text.replace(",\"", ",\n\"").replace('{', "{\n");
    text.lines()
        .map(without_value)
        .map(|line| {
            if line.starts_with("\"auth_data\":") {
                "\"auth_data\":".to_owned()
            } else {
                line
            }
        })
        .collect()
}

fn without_value(line: &str) -> String {
    let trimmed = line.trim_start();
    let indent = &line[..line.len() - trimmed.len()];
    match VALUES.iter().find(|it| trimmed.starts_with(it.key)) {
        Some(apart) => format!("{indent}{} ...", apart.key),
        None => line.to_owned(),
    }
}

/// What stands before the value of a line: its key with its indent.
pub fn key(line: &str) -> &str {
    let end = line.find(" = ").or_else(|| line.find(": "));
    end.map_or(line, |end| &line[..end])
}

/// The first lines that differ, with their numbers; none if the texts are equal.
pub fn difference(expected: &[String], found: &[String]) -> Option<String> {
    let longest = expected.len().max(found.len());
    let at = (0..longest).find(|at| expected.get(*at) != found.get(*at))?;
    let show = |lines: &[String]| {
        let here = lines.iter().skip(at.saturating_sub(2)).take(5);
        here.map(|line| format!("    {line}\n")).collect::<String>()
    };
    let (expected, found) = (show(expected), show(found));
    Some(format!(
        "line {}:\n  expected\n{expected}  found\n{found}",
        at + 1
    ))
}
