use proptest::prelude::*;
use prost::Message as _;
use serde_json::Value;
use terms::Act;

use super::{Format, cef, ocsf, otlp, syslog};
use crate::event::samples::*;

/// A reader of CEF: header fields and extension, by its escapes.
fn read_cef(line: &str) -> (Vec<String>, Vec<(String, String)>) {
    let mut fields = vec![String::new()];
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => fields.last_mut().unwrap().push(letters.next().unwrap()),
            '|' if fields.len() < 8 => fields.push(String::new()),
            letter => fields.last_mut().unwrap().push(letter),
        }
        if fields.len() == 8 && fields.last().unwrap().is_empty() {
            break;
        }
    }
    let rest: String = letters.collect();
    // A key is a word before an equals sign that is not escaped.
    let mut pairs: Vec<(String, String)> = Vec::new();
    for piece in split_unescaped(&rest) {
        pairs.push(piece);
    }
    (fields, pairs)
}

fn split_unescaped(text: &str) -> Vec<(String, String)> {
    let chars: Vec<char> = text.chars().collect();
    let mut equals = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 1,
            '=' => equals.push(at),
            _ => {}
        }
        at += 1;
    }
    let start = |equal: usize| {
        let before = &chars[..equal];
        before
            .iter()
            .rposition(|c| *c == ' ')
            .map_or(0, |at| at + 1)
    };
    let mut out = Vec::new();
    for (number, equal) in equals.iter().enumerate() {
        let end = equals
            .get(number + 1)
            .map_or(chars.len(), |next| start(*next).saturating_sub(1));
        let key: String = chars[start(*equal)..*equal].iter().collect();
        let raw: String = chars[equal + 1..end.max(equal + 1)].iter().collect();
        out.push((key, raw));
    }
    out
}

proptest! {
    #[test]
    fn cef_is_one_line_whose_fields_read_back(leaf in any_leaf()) {
        for event in made(&[leaf]) {
            let line = cef::line(&event);
            prop_assert!(!line.chars().any(char::is_control), "{line:?}");
            let (header, pairs) = read_cef(&line);
            prop_assert_eq!(&header[0], "CEF:0");
            prop_assert_eq!(header.len(), 8);
            let value = |key: &str| pairs.iter().find(|(name, _)| name == key).map(|(_, v)| v.clone());
            prop_assert_eq!(value("externalId"), Some(event.id.clone()));
            prop_assert_eq!(value("cn1"), Some(event.sequence.to_string()));
        }
    }

    #[test]
    fn every_format_is_one_line_and_json_reads_back(leaf in any_leaf()) {
        for event in made(&[leaf]) {
            for format in Format::ALL {
                prop_assert!(!format.line(&event).contains('\n'));
            }
            for format in [Format::Ocsf, Format::Record] {
                let read: Value = serde_json::from_str(&format.line(&event)).unwrap();
                prop_assert_eq!(read, format.value(&event));
            }
        }
    }

    #[test]
    fn syslog_frames_count_their_bytes(leaf in any_leaf(), host in "\\PC{0,20}") {
        for event in made(&[leaf]) {
            let frame = syslog::frame(&event, &host, Format::Ocsf);
            let space = frame.iter().position(|byte| *byte == b' ').unwrap();
            let count: usize = std::str::from_utf8(&frame[..space]).unwrap().parse().unwrap();
            prop_assert_eq!(frame.len() - space - 1, count);
            let message = String::from_utf8(frame[space + 1..].to_vec()).unwrap();
            let fields: Vec<&str> = message.splitn(7, ' ').collect();
            prop_assert!(fields[0].ends_with(">1"));
            prop_assert!(fields[1].ends_with('Z') || fields[1] == "-");
            prop_assert!(fields[2].is_ascii() && !fields[2].is_empty());
            prop_assert_eq!(fields[3], "merestone");
        }
    }

    #[test]
    fn otlp_reads_back(leaves in prop::collection::vec(any_leaf(), 1..6)) {
        let events = made(&leaves);
        let request = otlp::request(&events, "node");
        let bytes = request.encode_to_vec();
        let read = otlp::proto::ExportLogsServiceRequest::decode(bytes.as_slice()).unwrap();
        prop_assert_eq!(&read, &request);
        prop_assert_eq!(read.resource_logs[0].scope_logs[0].log_records.len(), events.len());
    }
}

#[test]
fn a_call_is_an_ai_operation() {
    let events = made(&[
        admitted(1, "gpt-asked", &[]),
        closed(1, "complete", 200, &[]),
    ]);
    let value = ocsf::value(&events[1]);
    assert_eq!(value["class_uid"], 6003);
    assert_eq!(value["type_uid"], 600_301);
    assert_eq!(value["metadata"]["profiles"][0], "ai_operation");
    assert_eq!(value["metadata"]["version"], "1.8.0");
    assert_eq!(value["ai_model"]["name"], "gpt-seen");
    assert_eq!(value["ai_model"]["ai_provider"], "openai");
    assert_eq!(value["message_context"]["total_tokens"], 12);
    assert_eq!(value["actor"]["app_uid"], "mk-0123456789ab");
    assert_eq!(value["unmapped"]["merestone"]["model"], "gpt-asked");
}

#[test]
fn findings_are_lists_that_rules_can_ask() {
    let events = made(&[admitted(1, "gpt", &[finding("redact"), finding("allow")])]);
    let value = ocsf::value(&events[1]);
    assert_eq!(value["class_uid"], 2004);
    let own = &value["unmapped"]["merestone"];
    // The sample's control is in shadow: nothing was done.
    assert_eq!(own["found"][0], "card@tool-result:shadow-redact");
    assert_eq!(own["actions"], serde_json::json!(["shadow-redact"]));
    assert_eq!(value["action_id"], 1);
    assert_eq!(own["direction"], "request");
    let events = made(&[closed(1, "complete", 200, &[finding("redact")])]);
    let value = ocsf::value(&events[1]);
    assert_eq!(
        value["unmapped"]["merestone"]["found"][0],
        "card@tool-result:redact"
    );
    assert_eq!(value["action_id"], 4);
}

#[test]
fn incidents_are_opened_and_closed() {
    let status = |act_: Act| ocsf::value(&made(&[act(act_, "all", &[])])[0])["status_id"].clone();
    assert_eq!(status(Act::SwitchedOff), 1);
    assert_eq!(status(Act::SwitchedOn), 4);
    assert_eq!(status(Act::Degraded), 1);
    assert_eq!(status(Act::Recovered), 4);
}

#[test]
fn a_test_says_that_it_is_one_in_every_format() {
    let log = std::sync::Arc::new(crate::LogName::new("test.example"));
    let event = super::test_event(&log, 5);
    assert_eq!(ocsf::value(&event)["metadata"]["labels"][0], "test");
    assert!(cef::line(&event).contains("cs6=true"));
    assert!(syslog::message(&event, "h", Format::Cef).contains("test=\"true\""));
    assert_eq!(super::record::value(&event)["test"], true);
    let keys: Vec<String> = otlp::record(&event)
        .attributes
        .into_iter()
        .map(|pair| pair.key)
        .collect();
    assert!(keys.contains(&"merestone.test".to_owned()));
}

/// LIMIT of the guide: what a syslog receiver is told to take.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

#[test]
fn the_largest_record_fits_into_one_syslog_message() {
    // Short places and long: many findings, and few that are large.
    for place in [1, 40, 400] {
        let mut findings = Vec::new();
        let mut bytes = 0;
        while bytes < 30 << 10 {
            let number = findings.len();
            let mut note = finding("redact");
            note["detector"] = format!("detector-{number}").into();
            note["kind"] = format!("kind-{number}").into();
            note["place"] = "\\".repeat(place).into();
            bytes += note.to_string().len() + 1;
            findings.push(note);
        }
        let leaf = admitted(1, "gpt", &findings);
        for event in made(&[leaf]) {
            for format in Format::ALL {
                let length = syslog::frame(&event, "node", format).len();
                assert!(
                    length <= MESSAGE_BYTES_MAX,
                    "{length} bytes of {}",
                    format.word()
                );
            }
        }
    }
}

#[test]
fn refusals_that_were_counted_name_their_key_in_each_format() {
    let key = "mk-0123456789ab";
    let named = |leaf| {
        let [event] = &made(&[leaf])[..] else {
            panic!("one entry, one event");
        };
        let record = otlp::request(std::slice::from_ref(event), "node").encode_to_vec();
        [
            ocsf::value(event).to_string(),
            cef::line(event),
            String::from_utf8_lossy(&record).into_owned(),
        ]
        .map(|said| said.contains(key))
    };
    assert_eq!(named(summary_of_key("MS-ARRIVE-006", key)), [true; 3]);
    assert_eq!(named(summary("MS-ARRIVE-006")), [false; 3]);
}
