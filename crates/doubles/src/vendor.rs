//! The fake vendor itself: its state, its listener and the way of one request.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::{
    Method, Request, body::Incoming, header::AUTHORIZATION, http::request::Parts,
    server::conn::http1, service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use crate::{
    Api, Behaviour, FAKE_KEY, Script, Seen, anthropic,
    body::{Tally, UnderWay},
    control,
    echo::Asked,
    line::{Line, Reset},
    load, openai,
    reply::{self, Answer, Reply},
    script::Scripts,
    seen::SeenStore,
};

/// LIMIT: bytes read at once. More in one go keeps a processor that others
/// want, where all run on one machine.
const READ_BYTES_MAX: usize = 64 << 10;
/// LIMIT: bytes of one request's body.
const BODY_BYTES_MAX: usize = 512 << 20;

/// How a fake vendor is started.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Which vendor it plays.
    pub api: Api,
    /// Where it listens; a loopback address, port 0 for any free one.
    pub listen: SocketAddr,
    /// Answers everything with a canned reply and remembers nothing: for
    /// load, where the fake must not be what is measured.
    pub quiet_load: bool,
}

impl Options {
    /// An echo on a free port of the loopback interface.
    #[must_use]
    pub fn new(api: Api) -> Self {
        Self {
            api,
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            quiet_load: false,
        }
    }
}

/// A vendor that is none.
#[derive(Debug)]
pub struct FakeVendor {
    options: Options,
    behaviour: Mutex<Behaviour>,
    scripts: Mutex<Scripts>,
    seen: Mutex<SeenStore>,
    tally: Arc<Tally>,
}

/// A fake vendor that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    vendor: Arc<FakeVendor>,
    task: JoinHandle<()>,
}

impl FakeVendor {
    /// Starts an echo on a free loopback port, on the current tokio runtime.
    ///
    /// # Errors
    /// If no port can be bound.
    pub async fn start(api: Api) -> io::Result<Running> {
        Self::start_with(Options::new(api)).await
    }

    /// Starts a fake vendor, on the current tokio runtime.
    ///
    /// # Errors
    /// If the address is not a loopback one or cannot be bound.
    pub async fn start_with(options: Options) -> io::Result<Running> {
        if !options.listen.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a fake vendor listens on the loopback interface only",
            ));
        }
        let listener = TcpListener::bind(options.listen).await?;
        let addr = listener.local_addr()?;
        let vendor = Arc::new(Self {
            options,
            behaviour: Mutex::default(),
            scripts: Mutex::default(),
            seen: Mutex::default(),
            tally: Arc::default(),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&vendor)));
        Ok(Running { addr, vendor, task })
    }

    pub(crate) fn script(&self, script: Script) -> Result<(), &'static str> {
        lock(&self.scripts).add(script)
    }

    pub(crate) fn clear_scripts(&self) {
        lock(&self.scripts).clear();
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        *lock(&self.behaviour) = behaviour;
    }

    pub(crate) fn forget(&self) {
        lock(&self.seen).clear();
    }

    /// Requests, how many were forgotten, replies open and abandoned.
    pub(crate) fn tell(&self) -> (Vec<Value>, u64, u64, u64) {
        let (requests, forgotten) = lock(&self.seen).json();
        let tally = &self.tally;
        (requests, forgotten, tally.open(), tally.abandoned())
    }

    async fn serve(&self, request: Request<Incoming>, reset: Reset) -> Reply {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
            let error = serde_json::json!({"error": "the request's body broke off"});
            return reply::told(400, &error);
        };
        let body = body.to_bytes();
        if head.uri.path().starts_with(control::PREFIX) {
            return control::answer(self, &head.method, head.uri.path(), &body);
        }
        if self.options.quiet_load {
            return load::reply(self.options.api, &body);
        }
        let under_way = UnderWay::new(&self.tally);
        lock(&self.seen).add(Seen::new(&head, body.clone()));
        let reply = match self.next_script(&body) {
            Some(script) => {
                tokio::time::sleep(Duration::from_millis(script.head_delay_ms)).await;
                reply::scripted(script, reset)
            }
            None => self.echo(&head, &body),
        };
        reply.map(|body| body.counted(under_way))
    }

    fn next_script(&self, body: &Bytes) -> Option<Script> {
        let mut scripts = lock(&self.scripts);
        let request = scripts
            .by_model()
            .then(|| serde_json::from_slice::<Value>(body).ok())
            .flatten();
        let model = request.as_ref().and_then(|r| r.get("model"));
        scripts.next(model.and_then(Value::as_str))
    }

    fn echo(&self, head: &Parts, body: &Bytes) -> Reply {
        let behaviour = *lock(&self.behaviour);
        let asked = serde_json::from_slice(body)
            .map_err(|_| "we could not parse the JSON body of your request")
            .and_then(|request: Value| Asked::read(body, &request));
        let id = match &asked {
            Ok(asked) => format!("req_{}", asked.id),
            Err(_) => "req_fake".to_owned(),
        };
        let answer = match self.options.api {
            Api::OpenAi => answer_openai(head, asked, behaviour),
            Api::Anthropic => answer_anthropic(head, asked, behaviour, &id),
        };
        reply::answered(self.options.api, &answer, behaviour, &id)
    }
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Queues a scripted reply.
    ///
    /// # Errors
    /// If too many wait already.
    pub fn script(&self, script: Script) -> Result<(), &'static str> {
        self.vendor.script(script)
    }

    /// Sets how the echo behaves.
    pub fn behave(&self, behaviour: Behaviour) {
        self.vendor.behave(behaviour);
    }

    /// All requests received since the last [`forget`](Self::forget).
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.vendor.seen).all()
    }

    /// Forgets the requests received.
    pub fn forget(&self) {
        self.vendor.forget();
    }

    /// Stops listening and drops every connection where it stands.
    pub async fn stop(mut self) {
        self.task.abort();
        // The task was aborted, so its result says nothing.
        let _ = (&mut self.task).await;
    }

    /// Runs until the process ends.
    pub async fn wait(mut self) {
        // A listener that fails ends the wait, whatever the cause.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, vendor: Arc<FakeVendor>) {
    let mut lines = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    lines.spawn(talk(stream, Arc::clone(&vendor)));
                }
            }
            Some(_) = lines.join_next() => {}
        }
    }
}

async fn talk(stream: TcpStream, vendor: Arc<FakeVendor>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let reset = Reset::default();
    let line = Line::new(stream, reset.clone());
    let service = service_fn(|request| {
        let (vendor, reset) = (Arc::clone(&vendor), reset.clone());
        async move { Ok::<_, Infallible>(vendor.serve(request, reset).await) }
    });
    // How a connection ends is between the caller and the script.
    let _ = http1::Builder::new()
        .max_buf_size(READ_BYTES_MAX)
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(line), service)
        .await;
}

fn answer_openai(head: &Parts, asked: Result<Asked, &str>, behaviour: Behaviour) -> Answer {
    let kind = "invalid_request_error";
    if !key_is_right(head) {
        let message = "Incorrect API key provided. This is a fake vendor; its key is no secret.";
        return openai::error(401, kind, Some("invalid_api_key"), message);
    }
    if (&head.method, head.uri.path()) != (&Method::POST, openai::PATH) {
        return openai::error(404, kind, Some("unknown_url"), "Invalid URL.");
    }
    match asked {
        Ok(asked) => openai::answer(&asked, behaviour.deltas),
        Err(message) => openai::error(400, kind, None, message),
    }
}

fn answer_anthropic(
    head: &Parts,
    asked: Result<Asked, &str>,
    behaviour: Behaviour,
    id: &str,
) -> Answer {
    if !key_is_right(head) {
        return anthropic::error(401, "authentication_error", "invalid x-api-key", id);
    }
    let counts = head.uri.path() == anthropic::COUNT_PATH;
    if head.method != Method::POST || !(counts || head.uri.path() == anthropic::PATH) {
        return anthropic::error(404, "not_found_error", "Not found", id);
    }
    match asked {
        Ok(asked) if counts => anthropic::count(&asked),
        Ok(asked) => anthropic::answer(&asked, behaviour.deltas),
        Err(message) => anthropic::error(400, "invalid_request_error", message, id),
    }
}

fn key_is_right(head: &Parts) -> bool {
    let bearer = head
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let api_key = head.headers.get("x-api-key").map(|value| value.as_bytes());
    bearer.or(api_key) == Some(FAKE_KEY.as_bytes())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
