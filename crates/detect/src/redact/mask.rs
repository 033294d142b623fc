//! Masks: what of a card may be shown.

/// Digits that a mask hides at least.
const HIDDEN_DIGITS_MIN: usize = 4;
/// Digits at the end that a mask shows.
const LAST_DIGITS: usize = 4;
/// Length of a bank's number that begins a card's (ISO/IEC 7812-1:2017).
const LONG_BIN_DIGITS: usize = 8;
const SHORT_BIN_DIGITS: usize = 6;
/// Cards of so many digits have a bank's number of eight.
const LONG_CARD_DIGITS_MIN: usize = 16;
const MASK: char = '*';

/// A card's number as it may be shown: the bank's number and the last four
/// digits (PCI DSS 4.0.1, 3.4.1; PCI SSC FAQ 1091). The bank's number has eight
/// digits on cards of sixteen and more whose brand gives out eight, else six.
/// Of a shorter or other text nothing is shown but its length.
#[must_use]
pub fn mask(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    let other = |char: char| !char.is_ascii_digit() && !matches!(char, ' ' | '-' | '.');
    let count = digits.len();
    if number.contains(other) || !(12..=19).contains(&count) {
        return MASK.to_string().repeat(number.chars().count().min(19));
    }
    // Visa and Mastercard moved to eight digits in April 2022.
    let long = count >= LONG_CARD_DIGITS_MIN && matches!(digits.first(), Some('2' | '4' | '5'));
    let bin = if long {
        LONG_BIN_DIGITS
    } else {
        SHORT_BIN_DIGITS
    };
    let shown = bin.min(count - LAST_DIGITS - HIDDEN_DIGITS_MIN);
    let hidden = shown..count - LAST_DIGITS;
    digits
        .iter()
        .enumerate()
        .map(|(at, digit)| if hidden.contains(&at) { MASK } else { *digit })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::mask;

    #[test]
    fn the_bank_and_the_last_four_are_shown() {
        assert_eq!(mask("4000 0000 0000 0001"), "40000000****0001");
        assert_eq!(mask("6000-0000-0000-0001"), "600000******0001");
        assert_eq!(mask("300000000000001"), "300000*****0001");
        assert_eq!(mask("30000000000001"), "300000****0001");
        assert_eq!(mask("500000000001"), "5000****0001");
        assert_eq!(mask("4000000000000000001"), "40000000*******0001");
        assert_eq!(mask("123"), "***");
        assert_eq!(mask("4000 0000 0000 000x"), "*******************");
    }

    proptest! {
        #[test]
        fn at_least_four_digits_are_hidden_and_never_more_than_twelve_shown(number in "[0-9]{1,25}") {
            let shown = mask(&number).chars().filter(char::is_ascii_digit).count();
            prop_assert!(shown == 0 || (number.len() - shown >= 4 && shown <= 12));
        }
    }
}
