//! Addresses of people: what makes a row of words and numbers one.

use std::ops::Range;

use super::{Valid, cue};

/// Codes of the states, districts and territories of the USA (USPS, Pub. 28).
const STATES: &str = "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC PR VI GU AS MP AA AE AP";
/// Words before a code that name it.
static CODE_CUES: cue::Cues = cue::Cues::new(&[
    "postcode",
    "post code",
    "postal code",
    "zip",
    "zip code",
    "zipcode",
    "plz",
    "postleitzahl",
    "code postal",
    "código postal",
    "codigo postal",
    "cep",
]);
/// Words before a place that a code with letters may stand behind.
static PLACE_CUES: cue::Cues = cue::Cues::new(&["address", "adresse", "lives at", "live at"]);
/// Bytes between such a word and the code.
const CODE_GAP_BYTES_MAX: usize = 8;
const PLACE_GAP_BYTES_MAX: usize = 48;

/// Where the Free Software Foundation was or is: its licences print it, and
/// nobody lives there.
const PRINTED: &[&str] = &[
    "51 Franklin",
    "59 Temple Place",
    "675 Mass Ave",
    "31 Milk Street",
    "MA 02110-1301",
    "MA 02110-1335",
    "MA 02111-1307",
    "MA 02139",
];

fn printed(found: &str) -> bool {
    PRINTED.iter().any(|known| found.starts_with(known))
}

/// A street that is no part of a printed licence, and no year before a name:
/// `1991-1997, Thomas Lane`.
pub(super) fn street(found: &str) -> Option<usize> {
    let year = (found.starts_with("19") || found.starts_with("20"))
        && found.as_bytes().get(4) == Some(&b',');
    (!printed(found) && !year).then_some(found.len())
}

/// State and ZIP code behind the name of a place: `Springfield, IL 62701`.
pub(super) fn us_zip(text: &str, span: &Range<usize>) -> Option<Valid> {
    let found = text.get(span.clone())?;
    let before = text.get(..span.start)?.trim_end_matches([' ', '\n']);
    let place = before.trim_end_matches(',');
    let named = place.len() < before.len() && place.ends_with(|char: char| char.is_alphabetic());
    let state = found.get(..2)?;
    let known = STATES.split(' ').any(|known| known == state);
    (named && known && !printed(found)).then_some(Valid {
        end: span.end,
        looked: span.end,
    })
}

/// A code that a word before it names as a postal one, or an address.
pub(super) fn post_code(text: &str, span: &Range<usize>) -> Option<Valid> {
    let before = text.get(..span.start)?;
    let found = text.get(span.clone())?;
    let plain = |gap: &str| !gap.contains(['{', '}', ';', '(', '#', '.']);
    let lettered = found.bytes().any(|byte| byte.is_ascii_alphabetic());
    let named = cue::gap_is(before, &CODE_CUES, CODE_GAP_BYTES_MAX, plain)
        || (lettered && cue::gap_is(before, &PLACE_CUES, PLACE_GAP_BYTES_MAX, plain));
    named.then_some(Valid {
        end: span.end,
        looked: span.end,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_and_years_are_no_streets() {
        assert!(street("10 Downing Street").is_some());
        for none in ["51 Franklin Street", "1997, Thomas Q. Lane"] {
            assert_eq!(street(none), None, "{none}");
        }
    }

    #[test]
    fn a_code_has_its_word_right_before_it() {
        let fits = |before: &str, code: &str| {
            let text = format!("{before}{code}");
            post_code(&text, &(before.len()..text.len())).is_some()
        };
        assert!(fits("PLZ: ", "10115") && fits("zip code is ", "62701"));
        assert!(fits("my address is 1 Any Road, London ", "SW1A 9ZZ"));
        assert!(
            !fits("", "10115") && !fits("address ", "10115") && !fits("zip of all the ", "10115")
        );
    }

    #[test]
    fn a_state_and_a_code_stand_behind_a_place() {
        let fits = |before: &str, code: &str| {
            let text = format!("{before}{code}");
            us_zip(&text, &(before.len()..text.len())).is_some()
        };
        assert!(fits("Springfield, ", "IL 62701") && fits("Springfield,\n", "IL 62701-1234"));
        assert!(
            !fits("Springfield, ", "QQ 62701")
                && !fits("error ", "IL 62701")
                && !fits("12, ", "IL 62701")
        );
    }
}
