//! The control endpoint, by which a test steers a fake vendor and reads back
//! what reached it:
//!
//! | call | does |
//! |---|---|
//! | `POST /_double/script` | queues one [`Script`] or an array of them |
//! | `DELETE /_double/script` | forgets all scripts |
//! | `GET /_double/requests` | all requests received, and replies open and abandoned |
//! | `DELETE /_double/requests` | forgets the requests |
//! | `POST /_double/behaviour` | sets the echo's [`Behaviour`](crate::Behaviour) |

use hyper::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    FakeVendor, Script,
    reply::{Reply, told},
};

/// Where the control endpoint begins.
pub(crate) const PREFIX: &str = "/_double/";

/// Answers a call of the control endpoint.
pub(crate) fn answer(vendor: &FakeVendor, method: &Method, path: &str, body: &[u8]) -> Reply {
    let done = match (method, path.strip_prefix(PREFIX)) {
        (&Method::POST, Some("script")) => add_scripts(vendor, body),
        (&Method::DELETE, Some("script")) => {
            vendor.clear_scripts();
            Ok(())
        }
        (&Method::GET, Some("requests")) => return told(200, &requests(vendor)),
        (&Method::DELETE, Some("requests")) => {
            vendor.forget();
            Ok(())
        }
        (&Method::POST, Some("behaviour")) => read(body).map(|wanted| vendor.behave(wanted)),
        _ => return told(404, &json!({"error": "no such control"})),
    };
    match done {
        Ok(()) => told(200, &json!({"ok": true})),
        Err(error) => told(400, &json!({ "error": error })),
    }
}

fn add_scripts(vendor: &FakeVendor, body: &[u8]) -> Result<(), String> {
    let scripts: Vec<Script> = if body.trim_ascii_start().starts_with(b"[") {
        read(body)?
    } else {
        vec![read(body)?]
    };
    scripts
        .into_iter()
        .try_for_each(|script| vendor.script(script))
        .map_err(str::to_owned)
}

fn requests(vendor: &FakeVendor) -> Value {
    let (requests, forgotten, open, abandoned) = vendor.tell();
    json!({"requests": requests, "forgotten": forgotten, "open": open, "abandoned": abandoned})
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}
