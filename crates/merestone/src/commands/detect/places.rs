//! Lines and columns of places in a text that goes by.

/// A place: line and column from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) column: u64,
}

/// Follows a text, byte by byte. What counts as a character is a byte that
/// does not continue one, so that bytes that are no text count as one each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    place: Place,
    at: usize,
}

impl Places {
    pub(super) const fn start() -> Self {
        Self {
            place: Place { line: 1, column: 1 },
            at: 0,
        }
    }

    /// The place of a byte, which is not before the last one asked for.
    pub(super) fn of(&mut self, text: &str, at: usize) -> Place {
        let passed = text.as_bytes().get(self.at..at).unwrap_or_default();
        for byte in passed {
            if *byte == b'\n' {
                self.place.line += 1;
                self.place.column = 1;
            } else if byte & 0xc0 != 0x80 {
                self.place.column += 1;
            }
        }
        self.at = self.at.max(at);
        self.place
    }

    /// Goes on with a text that begins where this one was last asked.
    pub(super) const fn go_on(self) -> Self {
        Self { at: 0, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Places};

    #[test]
    fn lines_and_columns_count_from_one_in_characters() {
        let text = "aé\n東b\n";
        let mut places = Places::start();
        let all: Vec<(u64, u64)> = [0, 1, 3, 4, 7, 8, 9]
            .into_iter()
            .map(|at| {
                let Place { line, column } = places.of(text, at);
                (line, column)
            })
            .collect();
        assert_eq!(
            all,
            [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (3, 1)]
        );
        assert_eq!(places.go_on().of("xy", 1), Place { line: 3, column: 2 });
    }
}
