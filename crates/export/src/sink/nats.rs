//! NATS JetStream. An event is confirmed by the stream's acknowledgement; its
//! name goes along as `Nats-Msg-Id`, by which the stream knows one that comes
//! twice within its window.

use std::time::Duration;

use async_nats::{
    ConnectOptions,
    jetstream::{
        self, ErrorCode,
        context::{PublishError, PublishErrorKind},
        message::PublishMessage,
    },
};
use terms::Secret;
use tokio::runtime::Runtime;

use super::{Fate, Fault, Sink, tls::Tls};
use crate::{Event, Format};

/// For a connection to be made, and for one acknowledgement.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// For a whole delivery: a server that takes nothing in must not hold it for ever.
const DELIVERY_TIME: Duration = Duration::from_secs(60);
/// LIMIT: events whose acknowledgements are out at once.
const UNACKNOWLEDGED_MAX: usize = 256;
/// LIMIT: bytes of an event; servers take 1 MiB at most unless told otherwise.
const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// How it is spoken to.
#[derive(Debug)]
pub struct NatsSettings {
    /// The server, as `tls://nats.example:4222`.
    pub url: String,
    /// The subject that a stream listens to; the topic is put behind it.
    pub subject: String,
    /// A token, or a user and password with a colon between.
    pub credential: Option<Secret<String>>,
    /// How TLS is spoken, if the URL asks for it.
    pub tls: Tls,
    /// How events are written.
    pub format: Format,
}

/// A stream.
pub struct NatsSink {
    settings: NatsSettings,
    runtime: Option<Runtime>,
    stream: Option<jetstream::Context>,
}

impl std::fmt::Debug for NatsSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NatsSink(..)")
    }
}

impl NatsSink {
    /// A stream that is connected to when something is delivered.
    #[must_use]
    pub const fn new(settings: NatsSettings) -> Self {
        Self {
            settings,
            runtime: None,
            stream: None,
        }
    }

    fn runtime(&mut self) -> Result<Runtime, Fault> {
        match self.runtime.take() {
            Some(runtime) => Ok(runtime),
            None => tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|_| Fault::Down("the system has no room for a connection".to_owned())),
        }
    }
}

impl Sink for NatsSink {
    fn deliver(&mut self, events: &[Event]) -> Result<Vec<Fate>, Fault> {
        let runtime = self.runtime()?;
        // The timer needs the runtime around it.
        let publishing = async { tokio::time::timeout(DELIVERY_TIME, self.publish(events)).await };
        let delivered = runtime.block_on(publishing).unwrap_or_else(|_| {
            Err(Fault::Down(
                "the NATS server did not take the events in time".to_owned(),
            ))
        });
        self.runtime = Some(runtime);
        if delivered.is_err() {
            // The next try begins with a new connection.
            self.stream = None;
        }
        delivered
    }
}

impl NatsSink {
    async fn connected(&self) -> Result<jetstream::Context, Fault> {
        if let Some(stream) = &self.stream {
            return Ok(stream.clone());
        }
        let down = |why: &str| Fault::Down(why.to_owned());
        let mut options = ConnectOptions::new()
            .name("merestone")
            .connection_timeout(ANSWER_TIME)
            // Credentials go to the server that is configured, and to no other
            // that it names.
            .ignore_discovered_servers()
            .max_reconnects(Some(1));
        if let Some(secret) = &self.settings.credential {
            options = match secret.reveal().split_once(':') {
                Some((user, password)) => {
                    options.user_and_password(user.to_owned(), password.to_owned())
                }
                None => options.token(secret.reveal().clone()),
            };
        }
        if self.settings.url.starts_with("tls:") {
            let tls = self.settings.tls.client();
            let tls = tls.map_err(|fault| down(&fault.to_string()))?;
            options = options.require_tls(true).tls_client_config(tls);
        }
        let connecting = options.connect(self.settings.url.as_str());
        let client = tokio::time::timeout(ANSWER_TIME, connecting)
            .await
            .map_err(|_| down("the NATS server did not answer in time"))?
            .map_err(|error| {
                down(match error.kind() {
                    async_nats::ConnectErrorKind::Authentication
                    | async_nats::ConnectErrorKind::AuthorizationViolation => {
                        "the NATS server refuses the credential"
                    }
                    async_nats::ConnectErrorKind::Tls => {
                        "the NATS server's certificate or TLS is not accepted"
                    }
                    _ => "the NATS server cannot be reached",
                })
            })?;
        let mut stream = jetstream::new(client);
        stream.set_timeout(ANSWER_TIME);
        Ok(stream)
    }

    async fn publish(&mut self, events: &[Event]) -> Result<Vec<Fate>, Fault> {
        let stream = self.connected().await?;
        let mut fates = Vec::with_capacity(events.len());
        for some in events.chunks(UNACKNOWLEDGED_MAX) {
            // One acknowledgement that does not come is waited for, not each.
            if fates.contains(&Fate::Again) {
                fates.extend(some.iter().map(|_| Fate::Again));
            } else {
                fates.extend(self.publish_some(&stream, some).await?);
            }
        }
        if fates.iter().all(|fate| *fate == Fate::Again) {
            return Err(Fault::Down(
                "the stream acknowledged none of the events".to_owned(),
            ));
        }
        self.stream = Some(stream);
        Ok(fates)
    }

    async fn publish_some(
        &self,
        stream: &jetstream::Context,
        events: &[Event],
    ) -> Result<Vec<Fate>, Fault> {
        let mut waiting = Vec::with_capacity(events.len());
        for event in events {
            let payload = self.settings.format.line(event).into_bytes();
            if payload.len() > PAYLOAD_BYTES_MAX {
                waiting.push(Err(Fate::Refused("it is larger than 1 MiB".to_owned())));
                continue;
            }
            let subject = format!("{}.{}", self.settings.subject, event.topic.word());
            let message = PublishMessage::build()
                .payload(payload.into())
                .message_id(&event.id);
            let sent = stream.send_publish(subject, message).await;
            waiting.push(sent.map_err(|error| fate(&error)));
        }
        let mut fates = Vec::with_capacity(events.len());
        let mut silent = false;
        for sent in waiting {
            fates.push(match sent {
                Ok(_) if silent => Fate::Again,
                Ok(acknowledgement) => match acknowledgement.await {
                    Ok(_) => Fate::Confirmed,
                    Err(error) if error.kind() == PublishErrorKind::StreamNotFound => {
                        return Err(Fault::Down(
                            "no stream of the NATS server listens to the subject".to_owned(),
                        ));
                    }
                    Err(error) => {
                        let fate = fate(&error);
                        silent = fate == Fate::Again;
                        fate
                    }
                },
                Err(fate) => fate,
            });
        }
        Ok(fates)
    }
}

fn fate(error: &PublishError) -> Fate {
    let source = std::error::Error::source(error);
    let said = source.and_then(|source| source.downcast_ref::<jetstream::Error>());
    match (error.kind(), said.map(jetstream::Error::error_code)) {
        (PublishErrorKind::MaxPayloadExceeded, _) => {
            Fate::Refused("it is larger than the NATS server takes".to_owned())
        }
        (
            _,
            Some(
                ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM
                | ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM,
            ),
        ) => Fate::Refused("it is larger than the stream takes".to_owned()),
        _ => Fate::Again,
    }
}
