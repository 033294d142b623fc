//! Settings of the exports: a table for each destination.

use super::{Setting, setting};

/// The table of one destination; there may be several.
const TABLE: &str = "[export]";

pub(super) const SETTINGS: &[Setting] = &[
    setting(
        TABLE,
        "name",
        "\"siem\"",
        false,
        "Where the ledger's events go, a table [[export]] for each destination. Its name stands in metrics and names its cursor: another destination takes another name. Changes take a restart, and so does a new token.",
    ),
    setting(
        TABLE,
        "to",
        "\"syslog\"",
        false,
        "What it is: file, stdout, syslog (RFC 5424 over TLS), splunk (HTTP event collector), elastic (_bulk; OpenSearch as well), otlp (logs over HTTP), nats (JetStream).",
    ),
    setting(
        TABLE,
        "url",
        "\"tls://siem.example:6514\"",
        false,
        "Where it is: https:// for splunk, elastic and otlp, tls:// for syslog and nats. http:// and nats:// for this machine only.",
    ),
    setting(
        TABLE,
        "path",
        "\"events.jsonl\"",
        false,
        "The file, for `to = \"file\"`. It may be rotated.",
    ),
    setting(
        TABLE,
        "format",
        "\"ocsf\"",
        false,
        "How events are written to files, stdout, syslog and NATS: ocsf (1.8, JSON), record (the log's own), cef. Splunk and Elastic get ocsf.",
    ),
    setting(
        TABLE,
        "token",
        "\"file:siem.token\"",
        false,
        "The credential, as env:NAME, file:path or vault:path#field: Splunk's HEC token; Elastic's API key, or user:password; a bearer token for otlp; a token, or user:password, for NATS.",
    ),
    setting(
        TABLE,
        "authority",
        "\"siem-ca.pem\"",
        false,
        "The certificate authority (PEM) that its certificate must come from; the well-known ones if not given.",
    ),
    setting(
        TABLE,
        "certificate",
        "\"client.pem\"",
        false,
        "The gate's own certificate (PEM), with `key`, for a destination over TLS that asks for one.",
    ),
    setting(
        TABLE,
        "key",
        "\"client.key\"",
        false,
        "Its private key (PEM).",
    ),
    setting(
        TABLE,
        "index",
        "\"ai-gate\"",
        false,
        "Index or data stream of Elastic; index of Splunk, that of the token if not given.",
    ),
    setting(
        TABLE,
        "subject",
        "\"merestone.events\"",
        false,
        "Subject of NATS; the topic is put behind it, as merestone.events.api-activity.",
    ),
    setting(
        TABLE,
        "acknowledged",
        "true",
        false,
        "Splunk: whether indexers acknowledge. false takes the collector's 200, which does not say that an indexer has the event.",
    ),
    setting(
        TABLE,
        "begin",
        "\"oldest\"",
        false,
        "Where a new destination begins: oldest with the oldest entry that is there, now with what comes.",
    ),
    setting(
        TABLE,
        "batch_entries_max",
        "256",
        false,
        "LIMIT: entries that go out at once, 1 to 4096. At most 1 MiB of the log goes out at once, too.",
    ),
    setting(
        TABLE,
        "lag_minutes_max",
        "15",
        false,
        "When the oldest entry that is not delivered is older, it alarms: in the logs, as a metric, and once in the record.",
    ),
];
