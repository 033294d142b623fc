use super::*;
use crate::template::Filler;

#[test]
fn nobody_reads_a_long_line_back() {
    let long = format!("{}: ", "word ".repeat(40));
    assert_eq!(line_before(&long, long.len()), None);
    assert_eq!(line_before("é a\n  b c", 8), Some("b"));
    assert_eq!(line_before("export ", 7), Some("export"));
    let indented = format!("x\n{}export ", " ".repeat(200));
    assert_eq!(line_before(&indented, indented.len()), Some("export"));
    assert_eq!(
        line_before(&format!("{long}\nset "), long.len() + 5),
        Some("set")
    );
}

#[test]
fn ibans_of_every_country_check() {
    let mut filler = Filler::new(2);
    for country in ["DE", "NO", "GB", "MT", "FR"] {
        let iban_text = filler.fill(&format!("{{iban:{country}}}"));
        assert_eq!(iban(&iban_text), Some(iban_text.len()));
        let spaced: String = iban_text
            .as_bytes()
            .chunks(4)
            .map(|chunk| format!("{} ", std::str::from_utf8(chunk).unwrap()))
            .collect();
        assert_eq!(iban(&spaced), Some(spaced.trim_end().len()));
        assert_eq!(iban(&iban_text.replacen(country, "XX", 1)), None);
    }
}

#[test]
fn numbers_that_nobody_has_are_no_ssn() {
    assert!(ssn("123-45-6789") && ssn("123 45 6789"));
    for never in [
        "000-12-3456",
        "666-12-3456",
        "900-12-3456",
        "123-00-4567",
        "123-45-0000",
    ] {
        assert!(!ssn(never), "{never}");
    }
}

#[test]
fn what_is_glued_to_a_key_hides_nothing() {
    let key = Filler::new(3).fill("ghp_{alnum:36}");
    let long = ["a".repeat(200), "ab".repeat(100)];
    for glue in ["example", "-EXAMPLE", "invalid"]
        .into_iter()
        .chain(long.iter().map(String::as_str))
    {
        assert!(varied(&format!("{key}{glue}")), "{glue}");
    }
    for dull in [
        "a".repeat(40),
        "ab".repeat(40),
        "ghp_".to_owned() + &"0".repeat(36),
    ] {
        assert!(!varied(&dull), "{dull}");
    }
}
