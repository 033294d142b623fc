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

/// What stands before an error.
pub fn error_mark() -> &'static str {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if colour {
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

/// A time as people write it, UTC.
pub fn time(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map_or_else(|| ms.to_string(), |time| time.to_string())
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
