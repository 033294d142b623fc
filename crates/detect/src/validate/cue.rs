//! What the words right before a text say that it is: a name, a birthday.

use std::{ops::Range, sync::OnceLock};

use aho_corasick::AhoCorasick;

use super::{Valid, digits, line_before};

/// Bytes before a match in which its cue may stand: fewer than half of what a
/// stream keeps as context, so that an escaped text is seen as far.
const CUE_BYTES_MAX: usize = 60;
/// Bytes between a cue and the day that it names.
const BIRTH_GAP_BYTES_MAX: usize = 24;
/// Characters between a cue and the name behind it.
const NAME_GAP_CHARS_MAX: usize = 6;

/// Phrases that a name follows.
static NAME_CUES: Cues = Cues::new(&[
    "my name is",
    "his name is",
    "her name is",
    "name's",
    "full name",
    "first name",
    "last name",
    "given name",
    "family name",
    "surname",
    "maiden name",
    "customer name",
    "client name",
    "patient name",
    "employee name",
    "contact name",
    "contact person",
    "cardholder",
    "cardholder name",
    "account holder",
    "beneficiary",
    "patient",
    "dear",
    "mein name ist",
    "ich heiße",
    "vorname",
    "nachname",
    "familienname",
    "karteninhaber",
    "kontoinhaber",
    "ansprechpartner",
    "je m'appelle",
    "je m’appelle",
    "mon nom est",
    "prénom",
    "nom de famille",
    "titulaire",
    "me llamo",
    "mi nombre es",
    "apellido",
    "apellidos",
    "titular",
    "mi chiamo",
    "il mio nome è",
    "cognome",
    "intestatario",
    "meu nome é",
    "me chamo",
    "sobrenome",
    "ik heet",
    "mijn naam is",
    "achternaam",
    "nazywam się",
    "mam na imię",
    "nazwisko",
    "jag heter",
    "mitt namn är",
    "jeg heter",
    "jeg hedder",
    "mit navn er",
    "nimeni on",
]);
/// Ends of letters; a name stands on the next line or behind a comma.
static ENDINGS: Cues = Cues::new(&[
    "signed",
    "sincerely",
    "regards",
    "yours truly",
    "mit freundlichen grüßen",
    "cordialement",
    "atentamente",
    "cordiali saluti",
    "met vriendelijke groet",
]);
/// Cues that a line must begin with: elsewhere they are words like others.
const LINE_CUES: &[&str] = &[
    "Name:",
    "Name :",
    "Contact:",
    "Patient:",
    "Attn:",
    "Client:",
    "Customer:",
    "Employee:",
    "Kunde:",
    "Nom :",
    "Nombre:",
    "Nome:",
    "Naam:",
];
/// Titles, as they are written.
const TITLES: &[&str] = &[
    "Mr", "Mrs", "Ms", "Miss", "Mx", "Dr", "Prof", "Sir", "Herr", "Herrn", "Frau", "Monsieur",
    "Madame", "Mme", "Mlle", "Señor", "Señora", "Sr", "Sra", "Signor", "Signora", "Sig", "Dott",
    "Senhor", "Senhora", "Pan", "Pani", "Dhr", "Mevr",
];
/// What is greeted and is no person.
const NO_NAMES: &[&str] = &[
    "all",
    "it",
    "its",
    "if",
    "but",
    "this",
    "that",
    "these",
    "i",
    "we",
    "you",
    "he",
    "she",
    "they",
    "in",
    "on",
    "option",
    "select",
    "please",
    "thank",
    "thanks",
    "sir",
    "sirs",
    "madam",
    "customer",
    "customers",
    "team",
    "hiring",
    "colleague",
    "colleagues",
    "friend",
    "friends",
    "valued",
    "user",
    "users",
    "god",
    "diary",
    "reader",
    "readers",
    "santa",
    "everyone",
    "manager",
    "support",
    "not",
    "the",
    "a",
    "an",
    "your",
    "and",
    "to",
    "is",
    "name",
    "claude",
    "chatgpt",
    "assistant",
    "gpt",
    "admin",
    "damen",
    "herren",
    "kunde",
    "kunden",
    "client",
    "candidate",
    "applicant",
    "member",
    "members",
    "parents",
    "students",
    "professor",
    "doctor",
    "committee",
    "board",
    "editor",
    "null",
    "none",
    "true",
    "false",
    "unknown",
    "string",
    "editors",
    "lord",
    "mr",
    "mrs",
    "ms",
    "miss",
    "dr",
    "prof",
];

static BIRTH_CUES: Cues = Cues::new(&[
    "date of birth",
    "birth date",
    "birthdate",
    "birthday",
    "dob",
    "d.o.b",
    "born on",
    "born",
    "birth",
    "geboren am",
    "geboren",
    "geburtsdatum",
    "geb",
    "né le",
    "née le",
    "date de naissance",
    "fecha de nacimiento",
    "nacido el",
    "nacida el",
    "data di nascita",
    "nato il",
    "nata il",
    "data de nascimento",
    "geboortedatum",
    "geboren op",
    "data urodzenia",
    "födelsedatum",
    "fødselsdato",
    "syntymäaika",
    "datum narození",
    "生年月日",
    "出生日期",
    "생년월일",
]);

/// Whether a character beside a word makes it a part of another. Scripts
/// without blanks between words begin a word anywhere.
fn wide(char: char) -> bool {
    char.is_alphanumeric() && char < '\u{600}'
}

/// Where the last bytes of a text begin, whole characters only.
fn tail_start(before: &str) -> usize {
    let mut from = before.len().saturating_sub(CUE_BYTES_MAX);
    while !before.is_char_boundary(from) {
        from += 1;
    }
    from
}

/// Words and phrases, looked for at once.
#[derive(Debug)]
pub(super) struct Cues {
    words: &'static [&'static str],
    automaton: OnceLock<Option<AhoCorasick>>,
}

impl Cues {
    pub(super) const fn new(words: &'static [&'static str]) -> Self {
        Self {
            words,
            automaton: OnceLock::new(),
        }
    }

    /// Every one in a text in small letters, and where it begins.
    fn ends<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (usize, &'static str)> + 'a {
        let automaton = self
            .automaton
            .get_or_init(|| AhoCorasick::new(self.words).ok());
        automaton
            .iter()
            .flat_map(move |automaton| automaton.find_overlapping_iter(text))
            .filter_map(|found| {
                let word = self.words.get(found.pattern().as_usize())?;
                Some((found.start(), *word))
            })
    }
}

/// Whether what stands between one of the cues and the end of a text
/// fits, and is short enough.
pub(super) fn gap_is(
    before: &str,
    cues: &Cues,
    bytes_max: usize,
    fits: impl Fn(&str) -> bool,
) -> bool {
    let from = tail_start(before);
    let (far, near) = before.split_at_checked(from).unwrap_or(("", before));
    let near = near.to_lowercase();
    let whole = |at: usize, cue: &str| {
        let wide = |char: char| wide(char) && cue.is_ascii();
        let left = near.get(..at).and_then(|text| text.chars().next_back());
        // A cue at the cut may be the rest of a word.
        let left = left.or_else(|| far.chars().next_back());
        let right = near
            .get(at + cue.len()..)
            .and_then(|text| text.chars().next());
        let joined = left == Some('_') && bytes_max == CUE_BYTES_MAX;
        !joined && !left.is_some_and(wide) && !right.is_some_and(wide)
    };
    cues.ends(&near).any(|(at, cue)| {
        let gap = near.get(at + cue.len()..).unwrap_or_default();
        gap.len() <= bytes_max && whole(at, cue) && fits(gap)
    })
}

/// A name that a phrase or a title introduces.
pub(super) fn person(text: &str, span: &Range<usize>) -> bool {
    let found = text.get(span.clone()).unwrap_or_default();
    let before = text.get(..span.start).unwrap_or_default();
    let parts = |char: char| {
        char.is_whitespace() || matches!(char, ':' | '=' | ',' | '"' | '\'' | '*' | '-')
    };
    // A cue, a title and a line end with a letter and what parts it from the
    // name; most words in capitals stand behind something else.
    let near = before.get(tail_start(before)..).unwrap_or_default();
    let led = near.trim_end_matches(|char| parts(char) || char == '.');
    if led.len() == near.len() || !(led.is_empty() || led.ends_with(char::is_alphabetic)) {
        return false;
    }
    let first = found
        .split([' ', '-'])
        .next()
        .unwrap_or_default()
        .to_lowercase();
    // One word in capitals is an abbreviation.
    let short = !found.contains([' ', '-']) && !found.contains(char::is_lowercase);
    if short || NO_NAMES.contains(&first.as_str()) {
        return false;
    }
    let plain = |gap: &str| {
        gap.chars().count() <= NAME_GAP_CHARS_MAX && gap.chars().all(parts) && !gap.is_empty()
    };
    let ending = |gap: &str| plain(gap) && gap.contains([',', '\n', ':']);
    let untitled = before.trim_end_matches([' ', '.']);
    let title = TITLES.iter().find_map(|title| {
        let rest = untitled.strip_suffix(title)?;
        let alone = !rest.chars().next_back().is_some_and(wide);
        (alone && untitled.len() < before.len()).then_some(rest)
    });
    let line = || {
        let line = line_before(text, span.start);
        line.is_some_and(|line| LINE_CUES.contains(&line.trim())) && found.contains(' ')
    };
    title.is_some()
        || line()
        || gap_is(before, &NAME_CUES, CUE_BYTES_MAX, plain)
        || gap_is(before, &ENDINGS, CUE_BYTES_MAX, ending)
}

/// A day that a phrase names as somebody's birthday.
pub(super) fn birth(text: &str, span: &Range<usize>) -> Option<Valid> {
    let found = text.get(span.clone())?;
    let before = text.get(..span.start)?;
    let named = gap_is(before, &BIRTH_CUES, BIRTH_GAP_BYTES_MAX, |gap| {
        !gap.contains(|char: char| char.is_ascii_digit())
    });
    (named && is_day(found)).then_some(Valid {
        end: span.end,
        looked: span.end,
    })
}

/// A day in numbers, in the order of any country, or with the month's name.
fn is_day(text: &str) -> bool {
    if text.contains(char::is_alphabetic) {
        return true;
    }
    let mut parts = text
        .split(|char: char| !char.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .filter_map(|part| part.parse::<u32>().ok());
    let (Some(a), Some(b), Some(c)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let year = |year: u32| year < 100 || (1880..2100).contains(&year);
    parts.next().is_none()
        && ((year(c) && (digits::date(c, b, a) || digits::date(c, a, b)))
            || (year(a) && digits::date(a, b, c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person_in(before: &str, name: &str) -> bool {
        let text = format!("{before}{name}");
        person(&text, &(before.len()..text.len()))
    }

    #[test]
    fn a_name_stands_right_behind_its_cue() {
        for before in [
            "my name is ",
            "Hello. My name is: ",
            "Dear ",
            "x\nName: ",
            "met Mr. ",
            "met Dr ",
            "je m'appelle ",
            "Full name = \"",
            "Sehr geehrte Frau ",
            "Best regards,\n",
        ] {
            assert!(person_in(before, "Ada Byron"), "{before}");
        }
        for before in [
            "",
            "the ",
            "my name is not ",
            "dearest ",
            "name: ",
            "filename is ",
            "12 ms ",
            "step Name: x ",
            "XMr. ",
            "DrX ",
        ] {
            assert!(!person_in(before, "Ada Byron"), "{before}");
        }
        assert!(!person_in("Dear ", "Customer") && !person_in("Dear ", "Hiring Manager"));
        assert!(!person_in("\nName: ", "Build") && !person_in("full name. ", "Ada"));
        assert!(!person_in("is signed ", "Ada") && !person_in("is_signed: ", "Ada"));
        assert!(!person_in("my name is ", "JWT") && person_in("my name is ", "ADA BYRON"));
    }

    #[test]
    fn a_birthday_needs_its_cue_and_a_day() {
        let fits = |before: &str, day: &str| {
            let text = format!("{before}{day}");
            birth(&text, &(before.len()..text.len())).is_some()
        };
        for (before, day) in [
            ("DOB: ", "12/31/1980"),
            ("born on ", "31.12.1980"),
            ("date of birth is ", "1980-12-31"),
            ("geboren am ", "3. Mai 1980"),
            ("生年月日:", "1980/12/31"),
        ] {
            assert!(fits(before, day), "{before}{day}");
        }
        for (before, day) in [
            ("on ", "31.12.1980"),
            ("dob: ", "32.13.1980"),
            ("dob 1, then ", "31.12.1980"),
            ("reborn ", "31.12.1980"),
            ("born ", "1980-12"),
        ] {
            assert!(!fits(before, day), "{before}{day}");
        }
    }
}
