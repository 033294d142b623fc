//! Any entry in any format, and any bytes as a sink's answer: written on one
//! line, read or refused.
#![no_main]

use std::sync::Arc;

use export::{Format, LogName, event, format, sink};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let log = Arc::new(LogName::new("log.example/a"));
    let test = [format::test_event(&log, 1)];
    let _ = sink::elastic::judge(data, &test);
    let _ = sink::otlp::judge(data, &test);
    let Ok(leaf) = serde_json::from_slice(data) else {
        return;
    };
    for event in event::events(&log, 7, &Arc::new(leaf), None) {
        for format in Format::ALL {
            assert!(!format.line(&event).contains(['\n', '\r']));
        }
        let _ = format::otlp::request(std::slice::from_ref(&event), "node");
        let framed = format::syslog::frame(&event, "node", Format::Cef);
        assert!(framed.len() > 50);
    }
});
