//! The 83 rows as they ship, and files that are no matrix.

use std::collections::BTreeMap;

use regex::Regex;

use super::{FILES, Matrix, MatrixFault, ROWS};
use crate::{Framework, Layer, Owner, Proof, State, sample::Sample};

#[test]
fn every_duty_has_its_row() {
    let matrix = Matrix::embedded().unwrap();
    let ids: Vec<u16> = matrix.rows().map(|row| row.id).collect();
    assert_eq!(ids, (1..=ROWS).collect::<Vec<_>>());
    for row in matrix.rows() {
        assert!(
            row.statement.len() >= 40 && row.statement.len() <= 240,
            "row {}: {}",
            row.id,
            row.statement
        );
        assert!(row.statement.ends_with('.'), "row {}", row.id);
        assert!(row.title.len() <= 60, "row {}", row.id);
    }
    let lines: Vec<u16> = matrix.rows().map(|row| row.guide_line).collect();
    assert!(lines.is_sorted(), "rows follow the guide");
    for owner in Owner::ALL {
        assert!(matrix.rows().any(|row| row.owner == *owner));
    }
    for layer in Layer::ALL {
        assert!(matrix.rows().any(|row| row.layer == *layer));
    }
}

#[test]
fn every_computation_belongs_to_a_row() {
    let matrix = Matrix::embedded().unwrap();
    for proof in Proof::ALL {
        assert!(
            matrix.rows().any(|row| row.proof == Some(*proof)),
            "{proof}"
        );
        assert!(!proof.query().is_empty());
    }
    let computed: Vec<u16> = matrix
        .rows()
        .filter(|row| row.proof.is_some())
        .map(|row| row.id)
        .collect();
    assert_eq!(computed, [8, 9, 19, 22, 23, 25, 40, 41, 46, 47, 57, 58]);
}

fn pattern(framework: Framework) -> &'static str {
    match framework {
        Framework::NistCsf => r"^(GV|ID|PR|DE|RS|RC)\.[A-Z]{2}-\d{2}$",
        Framework::Nist80053 => r"^[A-Z]{2}-\d{1,2}(\(\d{1,2}\))?$",
        Framework::PciDss => r"^(A1|\d{1,2})(\.\d{1,2}){2,3}$",
        Framework::Asvs4 => r"^\d{1,2}\.\d{1,2}\.\d{1,2}$",
        Framework::Asvs5 => r"^\d{1,2}\.\d{1,2}(\.\d{1,2})?$",
        Framework::LlmTop10 => r"^LLM(0[1-9]|10):2025$",
        Framework::Atlas => r"^AML\.T\d{4}(\.\d{3})?$",
        Framework::Iso27001 => r"^A\.[5-8]\.\d{1,2}$",
        Framework::Iso42001 => r"^A\.\d{1,2}\.\d{1,2}(\.\d{1,2})?$",
        Framework::Soc2 => r"^(CC\d|A1|C1|P\d)\.\d$",
        Framework::Aicm => r"^[A-Z]{3}-\d{2}$",
        Framework::Finos => r"^mi-\d{1,2}$",
        Framework::Oscal => r"^[a-z]+(-[a-z]+)*$",
        Framework::Cuad => r"^[A-Z][A-Za-z ]+$",
        Framework::Gdpr | Framework::Nis2 | Framework::Dora => {
            r"^\d{1,2}\(\d\)(\([a-z]\)(\([ivx]+\))?)?$"
        }
        Framework::SecForm8k => r"^Item \d\.\d{2}$",
        Framework::Hipaa => r"^164\.\d{3}$",
    }
}

#[test]
fn identifiers_have_the_form_of_their_framework() {
    let patterns: BTreeMap<Framework, Regex> = Framework::ALL
        .iter()
        .map(|framework| (*framework, Regex::new(pattern(*framework)).unwrap()))
        .collect();
    let matrix = Matrix::embedded().unwrap();
    for row in matrix.rows() {
        for reference in &row.references {
            assert!(
                patterns[&reference.framework].is_match(&reference.id),
                "row {}: {} {}",
                row.id,
                reference.framework,
                reference.id
            );
        }
        let mut unique = row.references.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(
            unique.len(),
            row.references.len(),
            "row {} names a requirement twice",
            row.id
        );
    }
    assert!(Framework::ALL.iter().all(|f| {
        matrix
            .rows()
            .any(|row| row.references.iter().any(|r| r.framework == *f))
    }));
}

/// Identifiers that the guide cites and that are wrong where it cites them.
#[test]
fn the_guides_errors_are_explained_and_not_repeated() {
    let matrix = Matrix::embedded().unwrap();
    for (id, wrong, right) in [
        (21, "PR.AC", "PR.AA-05"),
        (22, "5.1", "LLM01:2025"),
        (25, "3.3", "3.5.1"),
        (63, "4.2", "12.8.1"),
        (75, "5.2.1", "SI-15"),
        (76, "8.3", "8.3.4"),
        (79, "PR.PT-4", "PR.IR-04"),
        (80, "PR.PT-4", "SC-5"),
    ] {
        let row = matrix.row(id).unwrap();
        let note = row.guide.as_ref().unwrap();
        assert!(note.cites.contains(wrong), "row {id}");
        assert!(row.references.iter().any(|r| r.id == right), "row {id}");
        assert!(row.references.iter().all(|r| r.id != wrong), "row {id}");
    }
    let explained: Vec<u16> = matrix
        .rows()
        .filter(|row| row.guide.is_some())
        .map(|row| row.id)
        .collect();
    assert_eq!(
        explained,
        [21, 22, 25, 27, 31, 38, 46, 63, 73, 75, 76, 78, 79, 80]
    );
}

fn with_first_file(change: impl Fn(&str) -> String) -> Result<Matrix, MatrixFault> {
    let changed: Vec<(&str, String)> = FILES
        .iter()
        .enumerate()
        .map(|(index, (name, text))| {
            (
                *name,
                if index == 0 {
                    change(text)
                } else {
                    (*text).to_owned()
                },
            )
        })
        .collect();
    let files: Vec<(&str, &str)> = changed
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    Matrix::from_files(&files)
}

fn fault(change: impl Fn(&str) -> String) -> String {
    with_first_file(change).unwrap_err().to_string()
}

#[test]
fn a_state_cannot_be_typed_in() {
    for field in [
        "state = \"enforced\"",
        "grade = \"E3\"",
        "reason = \"because\"",
        "population = 1",
    ] {
        let says = fault(|text| text.replacen("id = 1\n", &format!("id = 1\n{field}\n"), 1));
        assert!(
            says.starts_with("catalogue/matrix/01-scope.toml:6: unknown field"),
            "{says}"
        );
    }
}

#[test]
fn faults_name_file_and_line() {
    let cases: &[(&str, &str, &str)] = &[
        (
            "owner = \"shared\"",
            "owner = \"nobody\"",
            "01-scope.toml:7: unknown variant `nobody`",
        ),
        (
            "title = \"Every control has an owner\"",
            "title = \" \"",
            "01-scope.toml:5: row 1: `section` and `title`",
        ),
        (
            "needs = \"a signed",
            "needles = \"a signed",
            "unknown field `needles`",
        ),
        (
            "id = 2",
            "id = 1",
            "01-scope.toml:20: row 1: this number is taken",
        ),
        ("id = 1\n", "id = 84\n", "row 84: numbers go from 1 to 83"),
        (
            "\"NIST OSCAL\"",
            "\"OSCALATOR\"",
            "01-scope.toml:29: unknown variant `OSCALATOR`",
        ),
        ("guide_line = 3", "guide_line = 100", "row 1: `guide_line`"),
    ];
    for (from, to, says) in cases {
        let fault = fault(|text| text.replacen(from, to, 1));
        assert!(fault.contains(says), "{says:?} is not in {fault:?}");
    }
    let without = fault(|text| {
        text.split("[[row]]")
            .take(5)
            .collect::<Vec<_>>()
            .join("[[row]]")
    });
    assert_eq!(without, "catalogue/matrix: row 5 of 83 is missing");
}

#[test]
fn a_row_needs_a_proof_or_something_missing() {
    let says = fault(|text| {
        text.lines()
            .filter(|line| !line.starts_with("needs = "))
            .collect::<Vec<_>>()
            .join("\n")
    });
    assert!(says.contains("a row has a `proof`, or `needs`"), "{says}");
    let says = fault(|text| {
        text.replacen(
            "\"NIST OSCAL\" = [\"mapping-collection\"]",
            "\"NIST OSCAL\" = [\"\"]",
            1,
        )
    });
    assert!(says.contains("row 2: `refs` needs"), "{says}");
}

#[test]
fn without_a_ledger_every_row_is_a_gap_and_says_why() {
    let matrix = Matrix::embedded().unwrap();
    for state in matrix.compute(&Sample::new().facts()) {
        assert_eq!(state.state(), State::Gap, "row {}", state.id());
        assert!(
            state.reason().len() > 20 && state.reason().ends_with('.'),
            "row {}: {}",
            state.id(),
            state.reason()
        );
        assert_eq!(state.population(), 0);
        assert!(!state.missing().is_empty(), "row {}", state.id());
        assert_eq!(
            state.coverage().traffic_share,
            "unknown: traffic past the gate is not visible"
        );
    }
}

/// No installation, however busy, moves a row that nothing computes.
#[test]
fn rows_without_a_proof_stay_gaps() {
    let matrix = Matrix::embedded().unwrap();
    let mut sample = Sample::running();
    sample.refused(terms::Code::ModelDenied, |_| {});
    for (row, state) in matrix.rows().zip(matrix.compute(&sample.facts())) {
        assert_eq!(row.id, state.id());
        assert!(
            row.proof.is_some() || state.state() == State::Gap,
            "row {}",
            row.id
        );
    }
}
