//! How texts are handed to a model: long ones in pieces, many at once.

use std::fmt;

use terms::Finding;

use super::{NamesFault, SPOT_BYTES_MAX, answer};

/// LIMIT: texts of one question.
pub const BATCH_TEXTS_MAX: usize = 256;
/// LIMIT: bytes of the texts of one question.
pub const BATCH_BYTES_MAX: usize = 256 << 10;
/// LIMIT: bytes of one text; a longer one comes in pieces.
const PIECE_BYTES_MAX: usize = 64 << 10;
/// What two pieces of one text have in common: a span lies whole in one.
const OVERLAP_BYTES: usize = 2 * SPOT_BYTES_MAX;

/// A piece of one of the texts.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Piece<'t> {
    /// Which text.
    text: usize,
    /// Where it begins there.
    start: usize,
    part: &'t str,
}

/// Texts that are handed over at once.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Batch<'t> {
    pieces: Vec<Piece<'t>>,
    bytes: usize,
}

impl fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Batch({} texts, {} bytes)",
            self.pieces.len(),
            self.bytes
        )
    }
}

/// What a model found in some texts, batch by batch.
#[derive(Debug)]
pub struct BatchEnd {
    found: Vec<Vec<Finding>>,
}

/// The questions for these texts. Texts in which no letter or digit stands are
/// in none: there is no name in them.
#[must_use]
pub fn batches<'t>(texts: &[&'t str]) -> Vec<Batch<'t>> {
    let mut batches: Vec<Batch<'t>> = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        if !text.chars().any(char::is_alphanumeric) {
            continue;
        }
        for piece in cut(index, text) {
            let fits = |batch: &&mut Batch<'_>| {
                batch.pieces.len() < BATCH_TEXTS_MAX
                    && batch.bytes + piece.part.len() <= BATCH_BYTES_MAX
            };
            match batches.last_mut().filter(fits) {
                Some(batch) => batch.add(piece),
                None => {
                    let mut batch = Batch::default();
                    batch.add(piece);
                    batches.push(batch);
                }
            }
        }
    }
    batches
}

fn cut<'t>(text: usize, whole: &'t str) -> impl Iterator<Item = Piece<'t>> {
    let mut next = Some(0_usize);
    std::iter::from_fn(move || {
        let start = next?;
        let end = whole.floor_char_boundary(start.saturating_add(PIECE_BYTES_MAX));
        next = (end < whole.len()).then(|| whole.floor_char_boundary(end - OVERLAP_BYTES));
        let part = whole.get(start..end)?;
        Some(Piece { text, start, part })
    })
}

impl<'t> Batch<'t> {
    fn add(&mut self, piece: Piece<'t>) {
        self.bytes += piece.part.len();
        self.pieces.push(piece);
    }

    fn texts(&self) -> Vec<&'t str> {
        self.pieces.iter().map(|piece| piece.part).collect()
    }

    /// The question, as JSON.
    #[must_use]
    pub fn question(&self) -> Vec<u8> {
        answer::question(&self.texts())
    }
}

impl BatchEnd {
    /// Nothing found yet, in so many texts.
    #[must_use]
    pub fn new(texts: usize) -> Self {
        Self {
            found: vec![Vec::new(); texts],
        }
    }

    /// Takes the answer to a batch's question; `score_min` is 1 to 100.
    ///
    /// # Errors
    /// When the answer does not fit.
    pub fn take(
        &mut self,
        batch: &Batch<'_>,
        said: &[u8],
        score_min: u8,
    ) -> Result<(), NamesFault> {
        let found = answer::read(said, &batch.texts(), score_min)?;
        for (piece, findings) in batch.pieces.iter().zip(found) {
            let Some(own) = self.found.get_mut(piece.text) else {
                continue;
            };
            own.extend(findings.into_iter().map(|finding| Finding {
                span: finding.span.start + piece.start..finding.span.end + piece.start,
                ..finding
            }));
        }
        Ok(())
    }

    /// What was found in each text, in order of place.
    #[must_use]
    pub fn finish(mut self) -> Vec<Vec<Finding>> {
        for found in &mut self.found {
            answer::sort(found);
        }
        self.found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Says that each `Ada` is a person.
    fn says(batch: &Batch<'_>) -> Vec<u8> {
        let spots: Vec<Vec<_>> = batch
            .texts()
            .iter()
            .map(|text| {
                let all = text.match_indices("Ada");
                all.map(|(at, name)| json!({"start": at, "end": at + name.len(), "kind": "person", "score": 90}))
                    .collect()
            })
            .collect();
        json!({ "spots": spots }).to_string().into_bytes()
    }

    fn found(texts: &[&str]) -> Vec<Vec<(usize, usize)>> {
        let mut end = BatchEnd::new(texts.len());
        for batch in batches(texts) {
            assert!(batch.bytes <= BATCH_BYTES_MAX && batch.pieces.len() <= BATCH_TEXTS_MAX);
            assert!(
                batch
                    .texts()
                    .iter()
                    .all(|text| text.len() <= PIECE_BYTES_MAX)
            );
            let said = says(&batch);
            end.take(&batch, &said, 1).unwrap();
        }
        let spans = |found: Vec<Finding>| {
            let each = found.into_iter();
            each.map(|each| (each.span.start, each.span.end)).collect()
        };
        end.finish().into_iter().map(spans).collect()
    }

    #[test]
    fn what_holds_no_letter_is_not_asked() {
        assert!(batches(&["", " \n", "-- !?"]).is_empty());
        assert_eq!(batches(&["a", "", "1"])[0].texts(), ["a", "1"]);
    }

    #[test]
    fn many_texts_take_several_questions() {
        let many = vec!["Ada"; 3 * BATCH_TEXTS_MAX + 1];
        assert_eq!(batches(&many).len(), 4);
        let first = vec![(0, 3)];
        assert!(found(&many).iter().all(|spans| *spans == first));
        let large = "Ada ".repeat(50_000);
        assert_eq!(batches(&[&large, &large, &large]).len(), 3);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_name_is_found_wherever_a_text_is_cut(
            fill in prop::sample::select(vec!["x", "é", "€", "😀"]),
            near in 0_usize..4_000,
            times in 1_usize..3,
        ) {
            let before = fill.repeat((times * (PIECE_BYTES_MAX - 2_000) + near) / fill.len());
            let text = format!("{before}Ada{}", fill.repeat(40_000));
            let spans = found(&["none", &text]);
            prop_assert!(spans[0].is_empty());
            prop_assert_eq!(&spans[1], &[(before.len(), before.len() + 3)]);
        }
    }
}
