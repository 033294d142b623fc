//! The balance: each day and model on both sides, and where they differ, the
//! reasons one after the other until nothing is left of the difference.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Day, Difference, Exporter, Measure, Reason, Reconciliation, Reconciling, Remark, Totals,
    side::{ALL_MODELS, Aliases, Amounts, Room, Side},
};

const TOKENS: [Measure; 4] = [
    Measure::InputTokens,
    Measure::OutputTokens,
    Measure::CachedTokens,
    Measure::CacheWrittenTokens,
];
/// LIMIT: names of models in one remark.
const NAMES_MAX: usize = 8;

pub(super) fn balance(work: Reconciling) -> Reconciliation {
    let (counted, bypassed) = work.counted();
    let tells_models = work.by_model();
    let (mut sides, aliases) = work.sides.by_model(tells_models);
    let counted = under_our_names(counted, &sides, &aliases);
    let places: BTreeSet<(Day, String)> = counted.keys().chain(sides.keys()).cloned().collect();
    let measures: Vec<Measure> = work
        .counts_requests()
        .then_some(Measure::Requests)
        .into_iter()
        .chain(TOKENS)
        .collect();
    let mut differences = Vec::new();
    let mut rooms: BTreeMap<Day, Room> = BTreeMap::new();
    for place in places {
        let vendor = counted.get(&place).copied().unwrap_or_default();
        let side = sides.entry(place.clone()).or_default();
        let shared = rooms
            .entry(place.0)
            .or_insert_with(|| work.sides.day(place.0));
        for measure in &measures {
            differences.extend(differ(&place, *measure, &vendor, side, shared));
        }
    }
    shifted(&mut differences, &sides);
    before_ledger(&mut differences, &work);
    let remarks = remarks(&work, &counted, &aliases);
    let explained = bypassed.is_empty()
        && differences
            .iter()
            .all(|difference| difference.unexplained == 0);
    Reconciliation {
        days: (work.calendar.first, work.calendar.last),
        days_begin_seconds: work.calendar.begin_seconds,
        vendor: totals(counted.values(), &work),
        ledger: totals(sides.values().map(|side| &side.certain), &work),
        differences,
        bypassed,
        remarks,
        explained,
    }
}

fn totals<'a>(all: impl Iterator<Item = &'a Amounts>, work: &Reconciling) -> Totals {
    let mut sum = Amounts::default();
    all.for_each(|amounts| sum.add(amounts));
    Totals {
        requests: work.counts_requests().then_some(sum.requests),
        input_tokens: sum.input,
        output_tokens: sum.output,
        cached_tokens: sum.cached,
        cache_written_tokens: sum.cache_written,
    }
}

/// Some exports name the model as it was asked for.
fn under_our_names(
    counted: BTreeMap<(Day, String), Amounts>,
    sides: &BTreeMap<(Day, String), Side>,
    aliases: &Aliases,
) -> BTreeMap<(Day, String), Amounts> {
    let known: BTreeSet<&String> = sides.keys().map(|(_, model)| model).collect();
    let mut renamed: BTreeMap<(Day, String), Amounts> = BTreeMap::new();
    for ((day, model), amounts) in counted {
        let only = aliases.get(&model).filter(|models| models.len() == 1);
        let name = match only.and_then(BTreeSet::first) {
            Some(answered) if !known.contains(&model) => answered.clone(),
            Some(_) | None => model,
        };
        renamed.entry((day, name)).or_default().add(&amounts);
    }
    renamed
}

/// Takes reasons until the difference is covered.
fn differ(
    place: &(Day, String),
    measure: Measure,
    vendor: &Amounts,
    side: &mut Side,
    shared: &mut Room,
) -> Option<Difference> {
    let (vendor, ledger) = (vendor.of(measure), side.certain.of(measure));
    if vendor == ledger {
        return None;
    }
    let mut left = vendor.abs_diff(ledger);
    let mut explained: Vec<(Reason, u64)> = Vec::new();
    let mut use_up = |room: &mut Room| {
        for (reason, amounts) in room.iter_mut() {
            let slot = amounts.slot(measure);
            let taken = left.min(*slot);
            if taken > 0 {
                *slot -= taken;
                left -= taken;
                explained.push((*reason, taken));
            }
        }
    };
    let named = if vendor > ledger {
        use_up(&mut side.more);
        use_up(shared);
        Reason::VendorOnly
    } else {
        use_up(&mut side.less);
        Reason::LedgerOnly
    };
    Some(Difference {
        day: place.0,
        model: place.1.clone(),
        measure,
        vendor,
        ledger,
        explained,
        unexplained: left,
        named: (left > 0).then_some(named),
    })
}

/// Where the differences of neighbouring days make up for each other to the
/// last token, and none is larger than what passed in those days, the days are
/// only cut at another time.
fn shifted(differences: &mut [Difference], sides: &BTreeMap<(Day, String), Side>) {
    let groups: BTreeSet<(String, Measure)> = differences
        .iter()
        .filter(|difference| difference.unexplained > 0)
        .map(|difference| (difference.model.clone(), difference.measure))
        .collect();
    for (model, measure) in groups {
        let passed = |day: Day| {
            let side = sides.get(&(day, model.clone()));
            side.map_or(0, |side| side.certain.of(measure))
        };
        let mut carried = 0_i128;
        let mut fits = true;
        let mut days = 0;
        for difference in differences.iter() {
            if difference.model != model || difference.measure != measure {
                continue;
            }
            let unexplained = i128::from(difference.unexplained);
            let sign = if difference.vendor > difference.ledger {
                1
            } else {
                -1
            };
            carried += sign * unexplained;
            days += u32::from(unexplained > 0);
            let most = passed(difference.day).max(passed(difference.day.next()));
            fits &= carried.unsigned_abs() <= u128::from(most);
        }
        if !fits || carried != 0 || days < 2 {
            continue;
        }
        for difference in differences.iter_mut() {
            if difference.model == model && difference.measure == measure {
                let left = std::mem::take(&mut difference.unexplained);
                if left > 0 {
                    difference.explained.push((Reason::TimeZone, left));
                }
                difference.named = None;
            }
        }
    }
}

/// What the vendor counted before the first entry is named so; it is still
/// not explained.
fn before_ledger(differences: &mut [Difference], work: &Reconciling) {
    let first = work.first_ms.map(|at_ms| work.calendar.day(at_ms));
    for difference in differences {
        let is_before = first.is_none_or(|first| difference.day < first)
            && !work.from_head_counts.contains(&difference.day);
        if is_before && difference.named == Some(Reason::VendorOnly) {
            difference.named = Some(Reason::BeforeLedger);
        }
    }
}

fn remarks(
    work: &Reconciling,
    counted: &BTreeMap<(Day, String), Amounts>,
    aliases: &Aliases,
) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let mut remark = |reason, says| remarks.push(Remark { reason, says });
    for (asked, answered) in aliases.iter().take(NAMES_MAX) {
        let names = answered.iter().map(String::as_str).take(NAMES_MAX);
        let names: Vec<&str> = names.collect();
        remark(
            Reason::ModelAlias,
            format!("{asked} was asked for and {} answered", names.join(", ")),
        );
    }
    let cached = counted
        .values()
        .fold(0_u64, |sum, amounts| sum.saturating_add(amounts.cached));
    if cached > 0 {
        let how = match work.exporter {
            Exporter::OpenAi => "in its input tokens",
            Exporter::Anthropic => "beside its input tokens",
        };
        remark(
            Reason::CachedApart,
            format!("the vendor counts {cached} cached tokens {how}, and so does the ledger"),
        );
    }
    let sides = &work.sides;
    for (reason, count) in [
        (Reason::Retry, sides.retries),
        (Reason::VendorRefused, sides.vendor_refused),
        (Reason::Counting, sides.counting),
        (Reason::HeadCount, work.from_head_counts.len() as u64),
    ] {
        if count > 0 {
            remark(reason, format!("{count} {}", reason.says()));
        }
    }
    if work.calendar.begin_seconds > 0 {
        let (hours, minutes) = (
            work.calendar.begin_seconds / 3_600,
            work.calendar.begin_seconds / 60 % 60,
        );
        remark(
            Reason::TimeZone,
            format!(
                "the export's days begin at {hours:02}:{minutes:02} UTC; the ledger was counted by the same days"
            ),
        );
    }
    if sides.outside > 0 {
        remark(
            Reason::DayEdge,
            format!(
                "{} exchanges are of days that are not compared",
                sides.outside
            ),
        );
    }
    if !work.by_model() {
        remark(
            Reason::ModelAlias,
            format!("the export does not tell models apart ({ALL_MODELS})"),
        );
    }
    remarks
}
