//! Every number: one that is drawn until it fits, and what is near it.

use proptest::prelude::*;

use super::Number;
use crate::template::Filler;

/// A form of each number, and whether its sum refuses every changed digit.
const FORMS: &[(Number, &str, bool)] = &[
    (Number::UsItin, "9##-##-####", false),
    (Number::UsEin, "##-#######", false),
    (Number::UsRouting, "9", true),
    (Number::UsNpi, "1#########", true),
    (Number::UsDea, "A@#######", false),
    (Number::UsMbi, "1@*#@*#@@##", false),
    (Number::CaSin, "### ### ###", true),
    (Number::CaHealth, "####-###-###", true),
    // A rest of 1 gives 0 as a rest of 0 does: few changes of a digit pass.
    (Number::BrCpf, "###.###.###-##", false),
    (Number::BrCnpj, "##.###.###/0001-##", false),
    (Number::MxCurp, "@@@@80####HDF@@@0#", false),
    (Number::MxRfc, "@@@@80####***", false),
    (Number::MxClabe, "18", true),
    (Number::ArCuit, "20-########-#", false),
    (Number::ClRut, "##.###.###-#", true),
    (Number::GbNhs, "### ### ####", true),
    (Number::GbNino, "@@ ## ## ## A", false),
    (Number::GbUtr, "10", false),
    (Number::GbLicence, "@@@99######@@*@@", false),
    (Number::DeTaxId, "11", true),
    (Number::DeIdCard, "L#########", true),
    (Number::DePension, "##0101##@###", false),
    (Number::DeHealth, "@#########", false),
    (Number::DeDoctor, "9", false),
    (Number::DeVat, "DE#########", true),
    (Number::DeLicence, "@##@@@@@@#@", false),
    (Number::EsNif, "########@", true),
    (Number::FrNir, "1##05##########", true),
    (Number::ItFiscal, "@@@@@@##A##@###@", false),
    (Number::ItVat, "#######001#", true),
    (Number::NlBsn, "9", true),
    (Number::BeNational, "##.##.##-###.##", false),
    (Number::ChAhv, "756.####.####.##", true),
    (Number::AtSvnr, "####0101##", true),
    (Number::PtNif, "2########", false),
    (Number::IePps, "#######@", true),
    (Number::GrAmka, "##01#######", true),
    (Number::GrAfm, "9", false),
    (Number::SePerson, "##01##-####", true),
    (Number::SeOrg, "##6###-####", true),
    (Number::FiHetu, "##01##-###@", true),
    (Number::NoFnr, "##01#######", true),
    (Number::DkCpr, "##01##-####", false),
    // The last digit is the century, which the sum leaves out.
    (Number::IsKennitala, "##01##-###9", false),
    (Number::Baltic, "3##01######", false),
    (Number::LvPerson, "##01##-1####", false),
    (Number::PlPesel, "##01#######", true),
    (Number::PlNip, "###-###-##-##", true),
    (Number::PlRegon, "9", false),
    (Number::PlIdCard, "@@@######", false),
    (Number::RoCnp, "1##01##01####", false),
    // A rest of ten counts as nought, so some changes pass.
    (Number::CzBirth, "##01##/####", false),
    (Number::BgEgn, "##01######", false),
    (Number::HuTax, "8#########", true),
    (Number::HuTaj, "9", true),
    (Number::HrOib, "11", true),
    (Number::YuJmbg, "##019########", false),
    (Number::TrTckn, "11", true),
    (Number::TrPlate, "34 @@@ ###", false),
    (Number::IlId, "9", true),
    (Number::InAadhaar, "#### #### ####", true),
    (Number::InPan, "@@@P@####@", false),
    (Number::InGstin, "27@@@P@####@1Z*", false),
    (Number::InVoter, "@@@#######", true),
    (Number::InPlate, "KA 01 AB ####", false),
    (Number::SgNric, "S#######@", true),
    (Number::SgUen, "########@", false),
    (Number::KrRrn, "##01##-1######", false),
    (Number::KrBrn, "###-##-#####", false),
    (Number::KrLicence, "11-##-######-##", false),
    (Number::ThTnin, "1-####-#####-##-#", false),
    (Number::CnResident, "11010119##01#####*", true),
    (Number::JpIndividual, "12", false),
    (Number::TwId, "A1########", false),
    (Number::HkId, "@######(#)", true),
    (Number::MyNric, "##01##-01-####", false),
    (Number::PhTin, "###-###-###-###", false),
    (Number::IdNik, "3171##01########", false),
    (Number::AuAbn, "11", true),
    (Number::AuAcn, "9", false),
    (Number::AuTfn, "9", true),
    (Number::AuMedicare, "2#########", false),
    (Number::NzIrd, "##-###-###", false),
    (Number::ZaId, "##01##5###08#", true),
    (Number::NgNin, "11", false),
    (Number::Bic, "@@@@DE@@", false),
    (Number::Account, "12", false),
    (Number::Numbered, "@#######", false),
    (Number::LetteredPassport, "@#######", false),
    (Number::Vin, "1@@@@##*#@@##5678", false),
    (Number::VinForm, "@@@@@###*@@##5678", false),
    (Number::Imei, "15", true),
];

/// Numbers that no digits drawn at random make.
const OTHERS: &[(Number, &str)] = &[
    (Number::Base58Check, "{base58:00}"),
    (Number::Segwit, "{segwit:bc}"),
    (Number::Ripple, "{ripple}"),
    (Number::Cardano, "{bech32:addr:57}"),
    (Number::Ethereum, "{ethereum}"),
    (Number::Track, "%B{luhn:4:16}^"),
];

/// A name as the detectors write it.
fn name(number: Number) -> String {
    let mut out = String::new();
    for char in format!("{number:?}").chars() {
        if char.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(char.to_ascii_lowercase());
    }
    out
}

fn drawn(number: Number, form: &str, seed: u64) -> String {
    let template = format!("{{valid:{}:{form}}}", name(number));
    let text = Filler::new(seed).fill(&template);
    assert_ne!(text, template, "nothing fits {template}");
    text
}

#[test]
fn every_number_can_be_drawn_and_is_then_accepted() {
    for number in Number::ALL {
        let form = FORMS.iter().find(|(known, ..)| known == number);
        let other = OTHERS.iter().find(|(known, _)| known == number);
        match (form, other) {
            (Some((_, form, _)), _) => {
                for seed in 0..5 {
                    let text = drawn(*number, form, seed);
                    assert!(number.fits(&text), "{number:?}");
                    assert!(
                        !number.fits(&text[1..])
                            || matches!(
                                number,
                                Number::ClRut
                                    | Number::Account
                                    | Number::Numbered
                                    | Number::DeVat
                                    | Number::CaHealth
                                    | Number::InPlate
                                    | Number::NzIrd
                                    | Number::AuTfn
                            ),
                        "{number:?} shorter: {text}"
                    );
                }
            }
            (None, Some((_, template))) => {
                assert!(number.fits(&Filler::new(3).fill(template)), "{number:?}")
            }
            (None, None) => panic!("{number:?} has no form"),
        }
    }
}

#[test]
fn other_texts_are_none_of_them() {
    for number in Number::ALL {
        for text in [
            "",
            "0",
            "000000000",
            "0000000000",
            "00000000000",
            "000000000000",
            "0000000000000",
            "abcdefghi",
            "ＡＢ１２",
            "é",
            "12345678901234567890123456789012345678901234567890",
        ] {
            assert!(
                !number.fits(text) || matches!(number, Number::Account),
                "{number:?} {text}"
            );
        }
    }
}

#[test]
fn an_address_with_a_wrong_sum_is_none() {
    for (number, template) in OTHERS.iter().take(5) {
        for seed in 0..20 {
            let text = Filler::new(seed).fill(template);
            let at = text.len() - 3;
            let other = if text.as_bytes()[at].is_ascii_digit() {
                "a"
            } else {
                "7"
            };
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            // Ethereum's sum is in the case of the letters alone.
            let weak = *number == Number::Ethereum;
            assert!(weak || !number.fits(&changed), "{changed}");
        }
    }
    let address = Filler::new(9).fill("{ethereum}");
    let turned: String = address
        .chars()
        .map(|char| match char {
            'x' => char,
            char if char.is_ascii_lowercase() => char.to_ascii_uppercase(),
            char => char.to_ascii_lowercase(),
        })
        .collect();
    assert!(!Number::Ethereum.fits(&turned));
    assert!(Number::Ethereum.fits(&address.to_ascii_lowercase()));
}

#[test]
fn hardly_a_changed_digit_passes_where_two_rests_are_one() {
    for (number, form, _) in FORMS {
        if !matches!(number, Number::BrCpf | Number::BrCnpj) {
            continue;
        }
        let (mut passed, mut all) = (0, 0);
        for seed in 0..1_000 {
            let text = drawn(*number, form, seed);
            for (at, by) in (0..text.len()).flat_map(|at| (1..10).map(move |by| (at, by))) {
                let mut bytes = text.clone().into_bytes();
                if bytes[at].is_ascii_digit() {
                    bytes[at] = (bytes[at] - b'0' + by) % 10 + b'0';
                    all += 1;
                    passed += u32::from(number.fits(&String::from_utf8(bytes).unwrap()));
                }
            }
        }
        // Both sums would have to give such rests: 2 of 11, and 2 of 11 again.
        assert!(
            passed > 0 && passed * 300 < all,
            "{number:?}: {passed} of {all}"
        );
    }
}

proptest! {
    #[test]
    fn a_changed_digit_is_refused_where_the_sum_says_so(which in 0_usize..1_000, seed in 0_u64..1_000, place in 0_usize..64, by in 1_u8..10) {
        let strict: Vec<_> = FORMS.iter().filter(|(.., strict)| *strict).collect();
        let (number, form, _) = strict[which % strict.len()];
        let text = drawn(*number, form, seed);
        let places: Vec<usize> = text.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_digit()).map(|(at, _)| at).collect();
        let at = places[place % places.len()];
        let mut bytes = text.into_bytes();
        bytes[at] = (bytes[at] - b'0' + by) % 10 + b'0';
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert!(!number.fits(&changed), "{number:?} {form}");
    }

    #[test]
    fn no_text_makes_a_check_fail(text in "\\PC{0,40}") {
        for number in Number::ALL {
            let _ = number.fits(&text);
        }
    }
}

/// Lines of `number valid name`, made by `tests/oracle/stdnum_cases.py` from
/// the public library python-stdnum.
#[test]
#[ignore = "needs ORACLE_CASES, a file that tests/oracle/stdnum_cases.py writes"]
fn the_oracle_agrees() {
    let path = std::env::var("ORACLE_CASES").unwrap();
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let number: Number = serde_json::from_value(case["type"].clone()).unwrap();
        let text = case["number"].as_str().unwrap();
        count += 1;
        if number.fits(text) != case["valid"].as_bool().unwrap() {
            wrong.push(line.to_owned());
        }
    }
    assert!(
        count > 1_000 && wrong.is_empty(),
        "{} of {count}: {:#?}",
        wrong.len(),
        wrong.iter().take(400).collect::<Vec<_>>()
    );
}
