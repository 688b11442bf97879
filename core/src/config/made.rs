//! Text that definitions have been put into, and where each part of it was written.
//!
//! A line may be made of parts of several places: of the line itself, of definitions, of ranges. The
//! place of a word is on the line that uses the definition, for that is where the file is read; the
//! second place, in the definition, comes along as [`Span::origin`].

use std::sync::Arc;

use super::diag::{Sink, Span};

/// Part of a text from one place.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// Octet of the text behind it.
    pub(super) end: usize,
    /// Where it is used.
    pub(super) place: Span,
    /// Its octets stand at `place` one by one; otherwise all of it stands for all of `place`.
    pub(super) literal: bool,
    /// The definition that it came from.
    pub(super) definition: Option<Within>,
    /// So many definitions were put into each other for it.
    pub(super) depth: usize,
}

/// A part of a definition.
#[derive(Clone, Debug)]
pub(super) struct Within {
    /// What is defined.
    pub(super) name: Arc<str>,
    /// Where the part stands.
    pub(super) place: Span,
    /// As [`Piece::literal`].
    pub(super) literal: bool,
}

/// A line, or the rest of one.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) text: String,
    /// In order; the last ends with the text.
    pub(super) pieces: Vec<Piece>,
}

/// `place` from its octet `from` on, up to its octet `to`, in `text` which stands there literally.
fn part(place: Span, text: &str, from: usize, to: usize) -> Span {
    let before = text.get(..from).unwrap_or_default();
    let columns = u16::try_from(before.chars().count()).unwrap_or(u16::MAX);
    let octets = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Span {
        start: place.start.saturating_add(octets(from)),
        end: place.start.saturating_add(octets(to)),
        column: place.column.saturating_add(columns),
        ..place
    }
}

impl Made {
    /// A text that stands at `place` octet by octet.
    pub(super) fn literal(text: &str, place: Span) -> Self {
        Self::of(
            text.to_owned(),
            Piece {
                end: text.len(),
                place,
                literal: true,
                definition: None,
                depth: 0,
            },
        )
    }

    /// A text of one piece.
    pub(super) fn of(text: String, piece: Piece) -> Self {
        let pieces = vec![piece];
        Self { text, pieces }
    }

    /// The number and the first octet of the piece that octet `at` is in.
    fn piece(&self, at: usize) -> (usize, usize) {
        let found = self.pieces.partition_point(|piece| piece.end <= at);
        let number = found.min(self.pieces.len().saturating_sub(1));
        let start = match number.checked_sub(1) {
            Some(before) => self.pieces.get(before).map_or(0, |piece| piece.end),
            None => 0,
        };
        (number, start)
    }

    /// The piece that octet `at` is in.
    pub(super) fn piece_at(&self, at: usize) -> Option<&Piece> {
        self.pieces.get(self.piece(at).0)
    }

    /// The place of the octets `from..to`, without its origin.
    pub(super) fn place(&self, from: usize, to: usize) -> Span {
        let edge = |at: usize| {
            let (number, start) = self.piece(at);
            let Some(piece) = self.pieces.get(number) else {
                return Span::default();
            };
            if piece.literal {
                let text = self.text.get(start..piece.end).unwrap_or_default();
                let within = at - start;
                part(piece.place, text, within, (within + 1).min(text.len()))
            } else {
                piece.place
            }
        };
        let first = edge(from);
        if to <= from {
            return Span {
                end: first.start,
                ..first
            };
        }
        let last = edge(to - 1);
        Span {
            end: last.end.max(first.end),
            ..first
        }
    }

    /// Where the octets `from..to` were defined, if they came from a definition.
    pub(super) fn defined(&self, from: usize, to: usize) -> Option<(Arc<str>, Span)> {
        let mut at = from;
        loop {
            let (number, start) = self.piece(at);
            let piece = self.pieces.get(number)?;
            if let Some(within) = &piece.definition {
                let text = self.text.get(start..piece.end).unwrap_or_default();
                let place = if within.literal {
                    part(within.place, text, at - start, to.min(piece.end) - start)
                } else {
                    within.place
                };
                return Some((Arc::clone(&within.name), place));
            }
            if piece.end >= to {
                return None;
            }
            at = piece.end;
        }
    }

    /// The place of the octets `from..to`, with its origin.
    pub(super) fn span(&self, from: usize, to: usize, sink: &mut Sink) -> Span {
        let place = self.place(from, to);
        let origin = match self.defined(from, to) {
            Some((name, defined)) => sink.origin(&name, defined),
            None => place.origin,
        };
        Span { origin, ..place }
    }

    /// Puts `text`, which is what `piece` says, in place of the octets `from..to`.
    pub(super) fn splice(&mut self, (from, to): (usize, usize), text: &str, piece: Piece) {
        let (first, start) = self.piece(from);
        let (last, last_start) = self.piece(to.saturating_sub(1).max(from));
        let mut between = Vec::with_capacity(3);
        if let Some(before) = self.pieces.get(first).filter(|_| from > start) {
            between.push(Piece {
                end: from,
                ..before.clone()
            });
        }
        if !text.is_empty() {
            between.push(Piece {
                end: from + text.len(),
                ..piece
            });
        }
        let shift = |at: usize| at - (to - from) + text.len();
        if let Some(behind) = self.pieces.get(last).filter(|behind| behind.end > to) {
            between.push(Self::behind(
                &self.text,
                behind,
                last_start,
                to,
                shift(behind.end),
            ));
        }
        self.text.replace_range(from..to, text);
        for piece in self.pieces.iter_mut().skip(last + 1) {
            piece.end = shift(piece.end);
        }
        let end = (last + 1).min(self.pieces.len());
        self.pieces.splice(first.min(end)..end, between);
    }

    /// What is left of a piece behind octet `from`.
    fn behind(text: &str, piece: &Piece, start: usize, from: usize, end: usize) -> Piece {
        let text = text.get(start..piece.end).unwrap_or_default();
        let (within, whole) = (from.saturating_sub(start), text.len());
        let mut rest = Piece {
            end,
            ..piece.clone()
        };
        if rest.literal {
            rest.place = part(rest.place, text, within, whole);
        }
        if let Some(definition) = &mut rest.definition
            && definition.literal
        {
            definition.place = part(definition.place, text, within, whole);
        }
        rest
    }

    /// The text from octet `from` on.
    pub(super) fn rest(&self, from: usize) -> Self {
        let mut rest = self.clone();
        rest.cut_before(from);
        rest
    }

    /// Drops what stands before octet `from`.
    pub(super) fn cut_before(&mut self, from: usize) {
        if from > 0
            && let Some(piece) = self.pieces.first().cloned()
        {
            self.splice((0, from), "", piece);
        }
    }

    /// Drops what stands from octet `to` on.
    pub(super) fn cut_behind(&mut self, to: usize) {
        let end = self.text.len();
        if to < end
            && let Some(piece) = self.pieces.last().cloned()
        {
            self.splice((to, end), "", piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: u32, end: u32) -> Span {
        Span {
            file: 0,
            line: 1,
            column: start as u16 + 1,
            start,
            end,
            origin: 0,
        }
    }

    fn used(place: Span, defined: u32) -> Piece {
        let within = Within {
            name: "X".into(),
            place: Span {
                line: 9,
                ..at(defined, defined + 9)
            },
            literal: true,
        };
        Piece {
            end: 0,
            place,
            literal: false,
            definition: Some(within),
            depth: 1,
        }
    }

    #[test]
    fn every_part_knows_its_place() {
        // `ab $X cd`, with X = "one two", defined at octet 50.
        let mut made = Made::literal("ab $X cd", at(10, 18));
        made.splice((3, 5), "one two", used(at(13, 15), 50));
        assert_eq!(made.text, "ab one two cd");
        assert_eq!(made.place(0, 2), at(10, 12));
        assert_eq!(made.place(7, 10), at(13, 15));
        assert_eq!(made.place(11, 13), at(16, 18));
        assert_eq!(made.place(1, 12), at(11, 17));
        let defined = |from, to| {
            made.defined(from, to)
                .map(|(_, place)| (place.line, place.start, place.end))
        };
        assert_eq!(defined(0, 2), None);
        assert_eq!(defined(7, 10), Some((9, 54, 57)));
        assert_eq!(defined(1, 12), Some((9, 50, 57)));
        assert_eq!(defined(11, 13), None);
    }

    #[test]
    fn parts_may_be_cut_and_replaced_again() {
        let mut made = Made::literal("ab $X cd", at(10, 18));
        made.splice((3, 5), "one two", used(at(13, 15), 50));
        made.splice((4, 9), "-", used(at(13, 15), 70));
        assert_eq!(made.text, "ab o-o cd");
        assert_eq!(made.defined(5, 6).map(|(_, place)| place.start), Some(56));
        assert_eq!(made.place(7, 9), at(16, 18));
        made.cut_before(4);
        assert_eq!(
            (made.text.as_str(), made.place(0, 1)),
            ("-o cd", at(13, 15))
        );
        assert_eq!(made.place(3, 5), at(16, 18));
        made.cut_behind(2);
        assert_eq!((made.text.as_str(), made.pieces.len()), ("-o", 2));
        made.splice((0, 2), "", used(at(0, 0), 0));
        assert_eq!((made.text.as_str(), made.pieces.len()), ("", 0));
        assert_eq!(made.place(0, 0), Span::default());
    }
}
