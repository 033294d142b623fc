use std::{io, time::Duration};

use prost::Message as _;
use serde_json::{Value, json};

use super::{
    Fate, Fault, FileSink, Sink, elastic,
    http::{self, status_fault},
    lines, otlp,
    splunk::{self, Judged},
};
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
        br#"{"items":[{"create":{"status":201}},{"create":{"status":201}}]}"#.to_vec(),
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
        let told = http::answer(status, "5", "", b"");
        assert!(matches!(status_fault(&told), Fault::Unfit(_)));
    }
    // A credential that is refused sets nothing aside.
    for status in [301, 401, 403, 404, 429, 500, 503] {
        let told = http::answer(status, "", "", b"");
        assert!(matches!(status_fault(&told), Fault::Down(_)));
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

#[test]
fn a_busy_sink_is_left_alone_for_as_long_as_it_says() {
    let wait = |status, said: &str| match status_fault(&http::answer(status, said, "", b"")) {
        Fault::Busy(_, wait) => Some(wait),
        _ => None,
    };
    assert_eq!(wait(503, "7"), Some(Duration::from_secs(7)));
    assert_eq!(wait(429, "0"), Some(Duration::ZERO));
    assert_eq!(wait(429, "999999999"), Some(Duration::from_mins(10)));
    for odd in ["", "-1", "soon", "Wed, 21 Oct 2026 07:28:00 GMT"] {
        assert_eq!(wait(503, odd), None);
    }
    assert_eq!(wait(500, "7"), None);
}

#[test]
fn an_index_that_is_at_fault_sets_no_event_aside() {
    let events = made(&[unclean()]);
    let id = events[0].id.as_str();
    for (kind, fate) in [
        ("index_closed_exception", Fate::Again),
        ("validation_exception", Fate::Again),
    ] {
        let told = json!({ "items": [{ "create": { "_id": id, "status": 400, "error": { "type": kind } } }] });
        let told = elastic::judge(told.to_string().as_bytes(), &events);
        assert_eq!(told, Ok(vec![fate]), "{kind}");
    }
}

#[test]
fn any_page_with_status_200_is_no_collector() {
    let ours = "application/x-protobuf";
    for (media_type, body, good) in [
        ("", &b""[..], true),
        (ours, b"", true),
        (ours, b"x", true),
        // A message of OTLP in which nothing is known, and a page of somebody.
        ("text/plain", b"Hi", false),
        ("text/html", b"", false),
        ("application/json", b"{}", false),
        ("", b"Hi", false),
    ] {
        let told = otlp::check_type(&http::answer(200, "", media_type, body));
        assert_eq!(told.is_ok(), good, "{media_type} {body:?}");
    }
    let events = made(&[unclean()]);
    let partial_success = Some(PartialSuccess {
        rejected_log_records: -1,
        error_message: String::new(),
    });
    let odd = ExportLogsServiceResponse { partial_success }.encode_to_vec();
    assert!(matches!(otlp::judge(&odd, &events), Err(Fault::Down(_))));
    for body in [&b"<html>welcome</html>"[..], b"", b"{}", br#"{"code":9}"#] {
        let told = splunk::judge(&http::answer(200, "", "", body), &events);
        assert!(matches!(told, Err(Fault::Down(_))), "{body:?}");
    }
}

#[test]
fn splunk_settings_that_are_wrong_set_no_event_aside() {
    let events = made(&[unclean(), unclean()]);
    let told =
        |status, body: &str| splunk::judge(&http::answer(status, "", "", body.as_bytes()), &events);
    assert_eq!(
        told(200, r#"{"code":0,"ackId":7}"#),
        Ok(Judged::Taken(Some(7)))
    );
    assert_eq!(told(200, r#"{"code":0}"#), Ok(Judged::Taken(None)));
    // The index, the channel, acknowledgements that are off: not the event.
    for code in [7, 10, 11, 14] {
        let body = format!(r#"{{"code":{code},"invalid-event-number":0}}"#);
        assert!(matches!(told(400, &body), Err(Fault::Down(_))), "{code}");
    }
    for code in [6, 12, 13, 15] {
        let body = format!(r#"{{"code":{code},"invalid-event-number":1}}"#);
        let Ok(Judged::Fates(fates)) = told(400, &body) else {
            panic!("{code}")
        };
        assert!(fates[0] == Fate::Again && matches!(fates[1], Fate::Refused(_)));
        let body = format!(r#"{{"code":{code},"invalid-event-number":2}}"#);
        assert!(matches!(told(400, &body), Err(Fault::Unfit(_))));
    }
    assert!(matches!(told(400, "<html>"), Err(Fault::Unfit(_))));
}

/// A pipe that takes so many bytes before it fails.
struct Pipe(Vec<u8>, usize);

impl io::Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.1);
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.1 -= count;
        self.0.extend(&bytes[..count]);
        Ok(count)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn no_line_is_glued_to_half_of_another() {
    let events = made(&[unclean()]);
    let (mut pipe, mut torn) = (Pipe(Vec::new(), 10), false);
    assert!(lines::write(&mut pipe, &events, Format::Record, &mut torn).is_err());
    pipe.1 = 1 << 20;
    for _ in 0..2 {
        lines::write(&mut pipe, &events, Format::Record, &mut torn).unwrap();
    }
    let text = String::from_utf8(pipe.0).unwrap();
    let whole = Format::Record.line(&events[0]);
    let read: Vec<&str> = text.lines().collect();
    let half = whole.get(..10).unwrap();
    assert_eq!(read, [half, whole.as_str(), whole.as_str()]);
}
