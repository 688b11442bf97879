//! tshark's judgement of a capture: an implementation of the formats that is neither ours nor the peer's.

use std::collections::BTreeMap;
use std::path::Path;

use super::command::{Result, run};

/// One packet: field name to value, all occurrences joined by commas.
pub type Row = BTreeMap<String, String>;

/// Decodes the packets of a capture file that match a display filter.
///
/// # Errors
/// tshark failed.
pub fn decode(file: &Path, filter: &str, fields: &[&str]) -> Result<Vec<Row>> {
    let path = file.to_string_lossy();
    let mut words = vec!["tshark", "-n", "-r", &path, "-o", "ip.check_checksum:TRUE"];
    words.extend([
        "-Y",
        filter,
        "-T",
        "fields",
        "-E",
        "separator=|",
        "-E",
        "occurrence=a",
    ]);
    for field in fields {
        words.extend(["-e", field]);
    }
    let text = run(&words)?;
    Ok(text.lines().map(|line| row(line, fields)).collect())
}

fn row(line: &str, fields: &[&str]) -> Row {
    let values = line.split('|').map(str::to_owned);
    fields
        .iter()
        .map(|field| (*field).to_owned())
        .zip(values)
        .collect()
}

/// The value of a field; empty when the packet has none.
pub fn field<'a>(row: &'a Row, name: &str) -> &'a str {
    row.get(name).map_or("", String::as_str)
}
