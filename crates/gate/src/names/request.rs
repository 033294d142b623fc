//! The texts of a request, as the service for names is asked about them.

use std::borrow::Cow;

use terms::{Code, Finding, Refusal};
use wire::Walk;

use super::{ask, in_force, is_prose, unanswered};
use crate::{
    Ruling,
    running::Cut,
    seams::{self, Part},
};

/// What the service found in a request.
#[derive(Debug, Default)]
pub(crate) struct Named {
    /// For each unit of the walk, by bytes of its joined text.
    units: Vec<Vec<Finding>>,
    /// Texts that were looked at.
    texts: u32,
    /// Texts that were not, as the policy lets them.
    pub(crate) unseen: u32,
}

impl Named {
    /// What was found in a unit; nothing the second time.
    pub(crate) fn take(&mut self, unit: usize) -> Vec<Finding> {
        self.units
            .get_mut(unit)
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// What the record says of it.
    pub(crate) fn note(&self) -> Option<String> {
        match (self.texts, self.unseen) {
            (0, 0) => None,
            (texts, 0) => Some(format!("the service for names looked at {texts} texts")),
            (_, unseen) => Some(format!(
                "{unseen} texts passed that the service for names did not look at, as the policy lets them for a time"
            )),
        }
    }
}

/// One text of the question.
struct Asked<'w> {
    unit: usize,
    /// Where it begins in the unit's joined text.
    start: usize,
    text: Cow<'w, str>,
    /// The parts, if it is all of them joined.
    run: Option<&'w [Part<'w>]>,
}

/// Asks about the texts of a request: each alone, and neighbouring parts of
/// one message joined. `None` where no service is in force.
///
/// # Errors
/// When its word is needed and did not come; when the exchange must end.
pub(crate) async fn ask_request(
    ruling: &Ruling,
    walk: &Walk,
    (stream, at_ms): (bool, u64),
    cut: &Cut,
) -> Result<Named, Refusal> {
    let Some((service, needed)) = in_force(ruling, at_ms) else {
        return Ok(Named::default());
    };
    if stream && needed && service.at().replies {
        // It would be cut off later on.
        return Err(Refusal::new(Code::NamesStream));
    }
    let units = seams::units(&walk.leaves);
    let asked: Vec<Asked<'_>> = units
        .iter()
        .enumerate()
        .flat_map(|(number, unit)| texts(number, unit))
        .collect();
    let all: Vec<&str> = asked.iter().map(|each| &*each.text).collect();
    let texts = u32::try_from(all.len()).unwrap_or(u32::MAX);
    let mut named = Named {
        units: vec![Vec::new(); units.len()],
        ..Named::default()
    };
    match ask(ruling, service, cut, &all).await? {
        Ok(found) => {
            named.texts = texts;
            for (asked, findings) in asked.iter().zip(found) {
                asked.put(findings, &mut named.units);
            }
            Ok(named)
        }
        Err(_) if needed => Err(Refusal::new(unanswered(false))),
        Err(_) => {
            named.unseen = texts;
            Ok(named)
        }
    }
}

/// What is asked about a unit.
fn texts<'w>(unit: usize, run: &'w [Part<'w>]) -> Vec<Asked<'w>> {
    let prose = run.iter().filter(|part| is_prose(part.leaf));
    let mut asked: Vec<Asked<'_>> = prose
        .map(|part| Asked {
            unit,
            start: part.start,
            text: Cow::Borrowed(part.leaf.text.as_str()),
            run: None,
        })
        .collect();
    if asked.len() > 1 {
        let joined: String = run.iter().map(|part| part.leaf.text.as_str()).collect();
        asked.push(Asked {
            unit,
            start: 0,
            text: Cow::Owned(joined),
            run: Some(run),
        });
    }
    asked
}

impl Asked<'_> {
    /// Puts what was found where its unit finds it; of the joined text only
    /// what runs over a seam.
    fn put(&self, findings: Vec<Finding>, units: &mut [Vec<Finding>]) {
        let Some(own) = units.get_mut(self.unit) else {
            return;
        };
        let counts = |finding: &Finding| {
            self.run
                .is_none_or(|run| seams::crosses(&finding.span, run))
        };
        own.extend(
            findings
                .into_iter()
                .filter(counts)
                .map(|finding| seams::shifted(finding, self.start)),
        );
    }
}
