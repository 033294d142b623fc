//! Numbers of banks and accounts.

use super::digits::{chars, digits, dot, mixed, shaped, two};

/// US routing number: a range that is given, weights 3 7 1 (ABA).
pub(super) fn us_routing(text: &str) -> bool {
    digits::<9>(text).is_some_and(|d| {
        let given = matches!(two(d[0], d[1]), 0..=12 | 21..=32 | 61..=72 | 80);
        given && mixed(&d) && dot(&d, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
    })
}

/// Business identifier code: bank, country, place, branch (ISO 9362).
pub(super) fn bic(text: &str) -> bool {
    const COUNTRIES: &[u8] = b"ADAEAFAGAIALAMAOARATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBWBYBZCACDCFCGCHCICKCLCMCNCOCRCUCVCWCYCZDEDJDKDMDODZECEEEGERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGTGUGWGYHKHNHRHTHUIDIEILIMINIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISKSLSMSNSOSRSSSTSVSXSYSZTCTDTGTHTJTLTMTNTOTRTTTVTWTZUAUGUSUYUZVAVCVEVGVIVNVUWFWSXKYEYTZAZMZW";
    let country = |c: &[u8]| {
        c.get(4..6)
            .is_some_and(|two| COUNTRIES.chunks_exact(2).any(|known| known == two))
    };
    chars::<8>(text).is_some_and(|c| shaped(&c, b"AAAAAA**") && country(&c))
        || chars::<11>(text).is_some_and(|c| shaped(&c, b"AAAAAA*****") && country(&c))
}

/// An account number: no run of one digit.
pub(super) fn account(text: &str) -> bool {
    let mut numbers = text.bytes().filter(u8::is_ascii_digit);
    let first = numbers.next();
    numbers.any(|digit| Some(digit) != first)
}
