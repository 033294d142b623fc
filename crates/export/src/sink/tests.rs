use prost::Message as _;
use serde_json::{Value, json};

use super::{Fate, Fault, FileSink, Sink, elastic, http::status_fault, otlp};
use crate::{
    Format,
    event::samples::{made, unclean},
    format::otlp::proto::{ExportLogsServiceResponse, PartialSuccess},
};

fn answer(items: &[(&str, u16)]) -> Vec<u8> {
    let items: Vec<Value> = items
        .iter()
        .map(|(id, status)| json!({ "create": { "_id": id, "status": status, "error": { "type": "x_y", "reason": "quotes the document" } } }))
        .collect();
    json!({ "errors": true, "items": items })
        .to_string()
        .into_bytes()
}

#[test]
fn each_item_of_a_bulk_has_its_own_fate() {
    let events = made(&[unclean(), unclean(), unclean(), unclean()]);
    let ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
    let told = answer(&[(ids[0], 201), (ids[1], 409), (ids[2], 429), (ids[3], 400)]);
    let fates = elastic::judge(&told, &events).unwrap();
    assert_eq!(fates[..3], [Fate::Confirmed, Fate::Confirmed, Fate::Again]);
    let Fate::Refused(why) = &fates[3] else {
        panic!("{fates:?}")
    };
    assert!(why.contains("x_y") && !why.contains("quotes"));
}

#[test]
fn an_answer_to_something_else_confirms_nothing() {
    let events = made(&[unclean(), unclean()]);
    let (first, second) = (events[0].id.as_str(), events[1].id.as_str());
    for told in [
        answer(&[(first, 201)]),
        answer(&[(second, 201), (first, 201)]),
        b"{}".to_vec(),
        b"<html>".to_vec(),
        Vec::new(),
    ] {
        assert!(matches!(
            elastic::judge(&told, &events),
            Err(Fault::Down(_))
        ));
    }
    assert!(matches!(
        otlp::judge(b"<html>", &events),
        Err(Fault::Down(_))
    ));
}

#[test]
fn a_partial_success_leaves_each_in_doubt() {
    let events = made(&[unclean(), unclean()]);
    let told = |rejected| {
        let partial_success = Some(PartialSuccess {
            rejected_log_records: rejected,
            error_message: "quotes a record".to_owned(),
        });
        ExportLogsServiceResponse { partial_success }.encode_to_vec()
    };
    let sure = vec![Fate::Confirmed; 2];
    assert_eq!(otlp::judge(&[], &events), Ok(sure.clone()));
    // A warning without a rejection is none.
    assert_eq!(otlp::judge(&told(0), &events), Ok(sure));
    let fates = otlp::judge(&told(1), &events).unwrap();
    assert!(fates.iter().all(|fate| matches!(fate, Fate::Refused(why) if why.contains("1 of these 2") && !why.contains("quotes"))));
}

#[test]
fn a_status_is_the_batch_or_the_sink() {
    for status in [400, 413, 422] {
        assert!(matches!(status_fault(status), Fault::Unfit(_)));
    }
    // A credential that is refused sets nothing aside.
    for status in [301, 401, 403, 404, 429, 500, 503] {
        assert!(matches!(status_fault(status), Fault::Down(_)));
    }
}

#[test]
fn a_torn_line_is_cut_off_before_more_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    let events = made(&[unclean()]);
    let line = format!("{}\n", Format::Record.line(&events[0]));
    for (before, kept) in [("", ""), ("a\n", "a\n"), ("a\n{\"b", "a\n"), ("{\"b", "")] {
        std::fs::write(&path, before).unwrap();
        FileSink::new(&path, Format::Record)
            .deliver(&events)
            .unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            format!("{kept}{line}")
        );
    }
}
