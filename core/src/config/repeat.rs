//! `~SEQ(...)`, `~SEQx(...)` and `~LST(...)`: the rest of a line once for each value.

use super::definition::is_name;
use super::diag::quoted;
use crate::limits;

/// The values that a prefix of a line walks through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Values {
    /// `~SEQ` and `~SEQx`.
    Range {
        name: String,
        next: i64,
        step: i64,
        left: u64,
        hex: bool,
    },
    /// `~LST`: for each name its value, value by value.
    List {
        names: Vec<String>,
        values: Vec<Vec<String>>,
        next: usize,
    },
}

/// A prefix was read: its values, and the octet behind it.
pub(super) type Prefix = (Values, usize);

/// True if `line` begins with a repetition.
pub(super) fn begins(line: &str) -> bool {
    line.starts_with("~SEQ") || line.starts_with("~LST")
}

/// Reads the prefix at the beginning of `line`; the error says what is wrong with it.
pub(super) fn read(line: &str) -> Result<Prefix, String> {
    let shape = |form: &str| Err(format!("this repetition cannot be read; write {form}"));
    let (head, rest) = line.split_once('(').unwrap_or((line, ""));
    let list = head == "~LST";
    let hex = head == "~SEQx";
    if !list && !hex && head != "~SEQ" {
        return shape("`~SEQ(NAME, START, STEP, END)` or `~LST(NAME, VALUE, VALUE...)`");
    }
    let Some((inside, _)) = rest.split_once(')') else {
        return shape("it with a `)` at its end");
    };
    let end = head.len() + inside.len() + 2;
    let values = if list {
        self::list(inside)?
    } else {
        range(inside, hex)?
    };
    Ok((values, end))
}

fn range(inside: &str, hex: bool) -> Result<Values, String> {
    let mut parts = inside.split(',').map(str::trim);
    let name = parts.next().unwrap_or_default();
    if !is_name(name) {
        return Err(format!("{} cannot be the name of a value", quoted(name)));
    }
    let numbers: Vec<i64> = parts.map(number).collect::<Result<_, _>>()?;
    let (start, step, end) = match numbers[..] {
        [end] => (if end < 0 { -1 } else { 1 }, None, end),
        [start, end] => (start, None, end),
        [start, step, end] => (start, Some(step), end),
        _ => return Err("a range has one to three numbers: START, STEP, END".to_owned()),
    };
    let step = step.unwrap_or(if end < start { -1 } else { 1 });
    if step == 0 || (step > 0) != (end >= start) && end != start {
        return Err(format!("steps of {step} never lead from {start} to {end}"));
    }
    if hex && (start < 0 || end < 0) {
        return Err("hexadecimal ranges begin at 0 or above".to_owned());
    }
    let left = start.abs_diff(end) / step.unsigned_abs() + 1;
    let name = name.to_owned();
    Ok(Values::Range {
        name,
        next: start,
        step,
        left,
        hex,
    })
}

/// A number as `strtol` with base 0 reads it, of 32 bits.
fn number(text: &str) -> Result<i64, String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let hex = digits.strip_prefix("0x").or(digits.strip_prefix("0X"));
    let (digits, radix) = match hex {
        Some(hex) => (hex, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    let plain = digits.bytes().all(|c| c.is_ascii_alphanumeric());
    let value = i32::from_str_radix(digits, radix).ok().filter(|_| plain);
    let value = value.ok_or_else(|| format!("{} is not a number for a range", quoted(text)))?;
    Ok(i64::from(value) * sign)
}

fn list(inside: &str) -> Result<Values, String> {
    let mut items = items(inside)?.into_iter();
    let names = items.next().unwrap_or_default();
    if let Some(bad) = names.iter().find(|name| !is_name(name)) {
        return Err(format!("{} cannot be the name of a value", quoted(bad)));
    }
    let values: Vec<Vec<String>> = items.collect();
    if names.is_empty() || values.is_empty() {
        return Err("a list has a name and one or more values: `~LST(NAME, VALUE...)`".to_owned());
    }
    if values.iter().any(|value| value.len() > names.len()) {
        return Err(format!(
            "{} names have more values than that in this list",
            names.len()
        ));
    }
    let next = 0;
    Ok(Values::List {
        names,
        values,
        next,
    })
}

/// `a, b, {c, d}`: each as a list.
fn items(inside: &str) -> Result<Vec<Vec<String>>, String> {
    let one = |text: &str| {
        let text = text.trim();
        if text.contains([' ', '\t', '{', '}', '"']) {
            return Err(format!("{} cannot stand in a list", quoted(text)));
        }
        Ok(text.to_owned())
    };
    let mut items = Vec::new();
    let mut rest = inside.trim();
    loop {
        let behind = if let Some(group) = rest.strip_prefix('{') {
            let Some((group, behind)) = group.split_once('}') else {
                return Err("a `{` in this list has no `}`".to_owned());
            };
            items.push(group.split(',').map(one).collect::<Result<_, _>>()?);
            behind.trim_start()
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (item, behind) = rest.split_at(end);
            items.push(vec![one(item)?]);
            behind
        };
        if behind.is_empty() {
            return Ok(items);
        }
        let Some(next) = behind.strip_prefix(',') else {
            return Err("the items of a list have commas between them".to_owned());
        };
        rest = next.trim_start();
    }
}

impl Values {
    /// So many times.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Range { left, .. } => *left,
            Self::List { values, next, .. } => (values.len() - next) as u64,
        }
    }

    /// True if there are more than is sensible.
    pub(super) fn is_endless(&self) -> bool {
        self.count() > limits::REPETITIONS
    }

    /// The names and their values for the next time.
    pub(super) fn step(&mut self) -> Option<Vec<(String, String)>> {
        match self {
            Self::Range {
                name,
                next,
                step,
                left,
                hex,
            } => {
                *left = left.checked_sub(1)?;
                let value = if *hex {
                    format!("{next:x}")
                } else {
                    next.to_string()
                };
                *next = next.saturating_add(*step);
                Some(vec![(name.clone(), value)])
            }
            Self::List {
                names,
                values,
                next,
            } => {
                let set = values.get(*next)?;
                *next += 1;
                let values = set.iter().cloned().chain(std::iter::repeat(String::new()));
                Some(names.iter().cloned().zip(values).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values joined by blanks, those of one time by `/`; `-` if it is refused.
    fn walked(line: &str) -> String {
        let Ok((mut values, end)) = read(line) else {
            return "-".to_owned();
        };
        let mut all = Vec::new();
        while let Some(step) = values.step() {
            let step: Vec<String> = step.into_iter().map(|(_, value)| value).collect();
            all.push(step.join("/"));
        }
        format!("{} |{}", all.join(" "), &line[end..])
    }

    /// What 2.2.7 makes of the same line.
    #[test]
    fn ranges_and_lists_are_walked_as_by_the_original() {
        let table = [
            ("~SEQ(i,3) x", "1 2 3 | x"),
            ("~SEQ(i,-2)", "-1 -2 |"),
            ("~SEQ(i,0)", "1 0 |"),
            ("~SEQ(i,2,4)", "2 3 4 |"),
            ("~SEQ(i,4,2)", "4 3 2 |"),
            ("~SEQ(i,2,2,6)", "2 4 6 |"),
            ("~SEQ(i,6,-2,1)", "6 4 2 |"),
            ("~SEQ(i,1,-1,3)", "-"),
            ("~SEQ(i,1,0,3)", "-"),
            ("~SEQx(i,0x8,0x1,12)", "8 9 a b c |"),
            ("~SEQ(i,0x8,0xa)", "8 9 10 |"),
            ("~SEQ( i , 1 , 2 )", "1 2 |"),
            ("~SEQ(i,1,x)", "-"),
            ("~SEQ(i)", "-"),
            ("~SEQ i", "-"),
            ("~SEQ(i,1,2)zz", "1 2 |zz"),
            ("~SEQ(i,1,3,2,4)", "-"),
            ("~SEQ(i,-0x2,1)", "-2 -1 0 1 |"),
            ("~SEQ(i,010)", "1 2 3 4 5 6 7 8 |"),
            ("~SEQx(i,-2,2)", "-"),
            ("~SEQ(1x,2)", "-"),
            ("~SEQ(i,2", "-"),
            ("~LST(v,a,b) x", "a b | x"),
            ("~LST(v, a b , c)", "-"),
            ("~LST({v,w},{a,1},{b,2})", "a/1 b/2 |"),
            ("~LST({v,w}, {a}, {b,2})", "a/ b/2 |"),
            ("~LST({v,w},{a},{b,2,3})", "-"),
            ("~LST({v,w},a,b)", "a/ b/ |"),
            ("~LST(v)", "-"),
            ("~LSTx(v,a)", "-"),
        ];
        for (line, expected) in table {
            assert_eq!(walked(line), expected, "{line}");
        }
    }

    #[test]
    fn a_range_of_a_billion_is_known_before_it_is_walked() {
        let (values, _) = read("~SEQ(i,1,1000000000)").expect("a range");
        assert!(values.is_endless() && values.count() == 1_000_000_000);
        assert!(read("~SEQ(i,1,99999999999999999999)").is_err());
        let (values, _) = read("~SEQ(i,-2147483647,2147483647)").expect("a range");
        assert_eq!(values.count(), 4_294_967_295);
    }
}
