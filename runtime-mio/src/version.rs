//! What `-v` prints.
//!
//! Package managers, monitoring and configuration tools look for `Keepalived v` at the beginning
//! of the first line and for words in the lines `Config options:` and `System options:`. So the
//! first line has the original's shape and names the version whose behaviour is followed; who
//! really runs stands in the brackets in which the original has its date. The lists hold only
//! what this version can do.

/// The version of keepalived whose command line, files and log lines are followed.
const FOLLOWS: &str = "2.2.7";

/// Who runs, for one line of the log.
pub(crate) const SELF: &str = concat!("relevo ", env!("CARGO_PKG_VERSION"));

/// The text of `-v`.
pub(crate) fn text() -> String {
    format!(
        "Keepalived v{FOLLOWS} ({SELF})\n\
         \n\
         {SELF}: takes keepalived's place, from the same configuration and command line\n\
         Licence: MIT OR Apache-2.0\n\
         \n\
         Config options:  VRRP VRRP_AUTH\n\
         \n\
         System options:  VSYSLOG MEMFD_CREATE IFA_FLAGS\n"
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_first_line_can_be_found_and_compared_by_tools() {
        let text = super::text();
        let first = text.lines().next().unwrap_or_default();
        let version = first.strip_prefix("Keepalived v").unwrap_or_default();
        let numbers: Vec<u32> = version
            .split(' ')
            .next()
            .into_iter()
            .flat_map(|word| word.split('.'))
            .filter_map(|part| part.parse().ok())
            .collect();
        assert_eq!(numbers, [2, 2, 7]);
        assert!(text.lines().any(|line| line.starts_with("Config options:")));
        assert!(text.lines().any(|line| line.starts_with("System options:")));
    }
}
