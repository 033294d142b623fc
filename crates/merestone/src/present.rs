//! How things look on a terminal: tables for people, colour only where one watches.

use std::{
    fmt,
    io::{self, ErrorKind, IsTerminal, Write},
};

use comfy_table::{ContentArrangement, Table, presets};

/// Whether colour is wanted on standard output.
pub fn colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Whether colour is wanted on standard error.
pub fn colour_of_notes() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// What stands before an error.
pub fn error_mark() -> &'static str {
    if colour_of_notes() {
        "\u{1b}[31merror:\u{1b}[0m"
    } else {
        "error:"
    }
}

/// A table with these headings.
pub fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(headings);
    table
}

/// A time as people write it, UTC, always to the millisecond: so columns stay.
pub fn time(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map_or_else(|| ms.to_string(), |time| format!("{time:.3}"))
}

/// A text that others chose, with nothing in it that steers a terminal: what
/// is no visible character, and what turns the direction of writing, becomes �.
pub fn plain(text: &str) -> String {
    let steers = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let shown = |letter| {
        if steers(letter) {
            char::REPLACEMENT_CHARACTER
        } else {
            letter
        }
    };
    text.chars().map(shown).collect()
}

/// An error and its causes in one line. What an error and its cause both say
/// is told once, by the one that says more.
pub fn told(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let says = cause.to_string();
        if parts.iter().any(|part| part.contains(&says)) {
            continue;
        }
        parts.retain(|part| !says.contains(part.as_str()));
        parts.push(says);
    }
    parts.join(": ")
}

/// How many columns the terminal has.
pub fn width() -> usize {
    table(&[]).width().map_or(100, usize::from)
}

/// Whoever read standard output reads no more, as `head` does after ten lines.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads standard output any more")]
pub struct ReaderGone;

/// What a shell reports for a program that ended so: 128 and SIGPIPE.
pub const READER_GONE_STATUS: u8 = 141;

/// Writes to standard output what [`say!`] was given.
pub fn out(text: fmt::Arguments<'_>) -> anyhow::Result<()> {
    match io::stdout().lock().write_fmt(text) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        Err(error) => Err(anyhow::Error::new(error).context("standard output cannot be written")),
    }
}

/// A line on standard output.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::present::out(format_args!("{}\n", format_args!($($text)*)))
    };
}
pub(crate) use say;

/// A line on standard error. That nobody reads it stops nothing.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::{plain, time, told};

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(plain("Zoë, 東京 – \u{1f980}"), "Zoë, 東京 – \u{1f980}");
        let bad = "a\u{1b}[2J\nb\rc\td\u{9b}e\u{202e}f\u{2028}g\u{7f}";
        assert_eq!(plain(bad), "a�[2J�b�c�d�e�f�g�");
    }

    #[test]
    fn times_are_of_one_length() {
        assert_eq!(time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(1_700_000_000_120), "2023-11-14T22:13:20.120Z");
        assert_eq!(time(u64::MAX), u64::MAX.to_string());
    }

    #[derive(Debug, thiserror::Error)]
    #[error("the ledger is not sound: {0}. See the manual")]
    struct NamesItsCause(#[source] std::fmt::Error);

    #[test]
    fn no_cause_is_told_twice() {
        let cause = std::fmt::Error.to_string();
        let error = anyhow::Error::new(NamesItsCause(std::fmt::Error)).context("it cannot start");
        assert_eq!(
            told(&error),
            format!("it cannot start: the ledger is not sound: {cause}. See the manual")
        );
        let error = anyhow::Error::new(std::fmt::Error)
            .context("one")
            .context("two");
        assert_eq!(told(&error), format!("two: one: {cause}"));
    }
}
