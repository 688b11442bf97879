//! Which word was meant, and where it belongs.

use super::catalogue;

/// True if `word`, inside the block that `outer` opened (empty at the top level), opens a block.
pub(super) fn takes_block(outer: &str, word: &str) -> bool {
    catalogue::takes_block(outer, word)
}

/// True if `word` opens a block of the top level and has no other meaning further in, as `track_file`
/// has.
pub(super) fn begins_top_block(word: &str) -> bool {
    catalogue::takes_block("", word) && !matches!(word, "track_file" | "SSL")
}

/// The one of `candidates` that `word` was probably meant to be: at most a third of it is wrong.
pub(super) fn nearest_of(
    candidates: impl Iterator<Item = &'static str>,
    word: &str,
) -> Option<&'static str> {
    nearest(candidates, word)
}

/// The same with names that the file gives.
pub(super) fn nearest<'n>(
    candidates: impl Iterator<Item = &'n str>,
    word: &str,
) -> Option<&'n str> {
    /// Longer words are nobody's misprint, and would take long to compare.
    const LONGEST: usize = 40;
    if word.len() > LONGEST {
        return None;
    }
    let limit = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= limit)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(wrong, _)| (1..=limit).contains(wrong))
        .min()
        .map(|(_, candidate)| candidate)
}

/// A block in which `word` is known.
pub(super) fn elsewhere(word: &str) -> Option<String> {
    catalogue::elsewhere(word)
}

/// Every word, for the fuzz targets.
pub(super) fn all() -> Vec<&'static str> {
    let entries = catalogue::blocks().iter().chain(catalogue::line_words());
    let heads = entries.flat_map(|entry| (entry.heads)());
    heads.map(|head| head.word).collect()
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let width = b.len() + 1;
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..width).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1; width];
        for (j, y) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(x != y);
            row[j + 1] = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            let swapped = i > 0 && j > 0 && a[i - 1] == *y && b[j - 1] == *x;
            if swapped {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misprints_find_their_word() {
        assert_eq!(
            nearest_of(catalogue::words("vrrp_instance"), "prority"),
            Some("priority")
        );
        assert_eq!(
            nearest_of(catalogue::words("vrrp_instance"), "virtual_routerid"),
            Some("virtual_router_id")
        );
        assert_eq!(
            nearest_of(catalogue::words("vrrp_instance"), "unicast_peers"),
            Some("unicast_peer")
        );
        assert_eq!(
            nearest_of(catalogue::words(""), "vrrp_instnace"),
            Some("vrrp_instance")
        );
        assert_eq!(
            nearest_of(catalogue::words("vrrp_instance"), "frobnicate"),
            None
        );
        assert_eq!(
            nearest_of(catalogue::words("vrrp_instance"), &"x".repeat(10_000)),
            None
        );
    }

    #[test]
    fn misplaced_words_find_their_block() {
        assert_eq!(elsewhere("priority").as_deref(), Some("in `vrrp_instance`"));
        assert_eq!(
            elsewhere("quorum_up").as_deref(),
            Some("in `virtual_server`")
        );
        assert_eq!(elsewhere("router_id").as_deref(), Some("in `global_defs`"));
        assert_eq!(elsewhere("frobnicate"), None);
    }
}
