//! One caller's connection: TLS if the gate has a certificate, then HTTP/1.1
//! or HTTP/2, each request its own walk.

mod counted;
mod framed;
mod line;
mod linger;
mod newcomer;

use std::{
    convert::Infallible,
    future::poll_fn,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    rt::Executor,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use self::{
    counted::Counted,
    framed::{Framed, Misframing},
    line::{Line, Protocol},
};
pub(crate) use self::{
    linger::Lingering,
    newcomer::{Newcomers, Standing},
};
use crate::{Gate, ReplySlot, body::ReplyBody, metrics::Cause, walk};

/// LIMIT: header lines of one request.
const HEADERS_MAX: usize = 100;
/// LIMIT: requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;
/// LIMIT: bytes that an HTTP/2 caller may send before they are read, a stream
/// and a connection.
const STREAM_WINDOW_BYTES: u32 = 128 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 256 << 10;
/// LIMIT: bytes of one HTTP/2 reply that wait for the caller.
const SEND_BYTES_MAX: usize = 64 << 10;
/// LIMIT: streams that a peer opened and reset before they were looked at,
/// and frames against the protocol that were answered with a reset, on one
/// connection; beyond, it ends (RFC 9113, 10.5).
const RESETS_UNSEEN_MAX: usize = 20;
const RESETS_FOR_ERRORS_MAX: usize = 256;
/// LIMIT: bytes of the table by which a peer's headers are unpacked.
const HEADER_TABLE_BYTES: u32 = 4_096;
/// How often a silent HTTP/2 peer is asked whether it is there, and how long
/// it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How much longer than its walk a connection waits for a caller that takes
/// nothing: the walk knows what was asked and has the first word.
const WALK_TIME: Duration = Duration::from_secs(10);
/// An HTTP/2 connection without a request for this long is closed.
const IDLE_TIME: Duration = Duration::from_secs(60);

/// Serves a connection until it ends, or until `closing` and its last request.
pub(crate) async fn serve(
    gate: Arc<Gate>,
    stream: TcpStream,
    source: IpAddr,
    closing: CancellationToken,
    standing: Standing,
) {
    let write_time = gate.limits().caller_idle_time.saturating_add(WALK_TIME);
    let opening = tokio::time::timeout(
        gate.limits().header_time,
        line::open(stream, gate.tls_config(), write_time),
    );
    let opened = tokio::select! {
        opened = opening => opened,
        () = closing.cancelled() => return,
    };
    // Whoever did not get this far said nothing that could be answered. A
    // connection that breaks is the caller's business: the walk has its record.
    let (line, protocol) = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(_)) => return gate.metrics().connection_ended(Cause::HandshakeFailed),
        Err(_) => return gate.metrics().connection_ended(Cause::HandshakeSlow),
    };
    let stalled = line.stalled();
    let too_many = match protocol {
        Protocol::Http1 => {
            http1(Arc::clone(&gate), line, source, closing, standing).await;
            false
        }
        Protocol::Http2 => {
            let counted = Counted::new(line);
            let ended = counted.ended();
            http2(Arc::clone(&gate), counted, source, closing, standing).await;
            ended.load(Ordering::Relaxed)
        }
    };
    if too_many {
        gate.metrics().connection_ended(Cause::TooManyFrames);
    } else if stalled.load(Ordering::Relaxed) {
        gate.metrics().connection_ended(Cause::PeerSlow);
    }
}

async fn http1(
    gate: Arc<Gate>,
    line: Line,
    source: IpAddr,
    closing: CancellationToken,
    standing: Standing,
) {
    let (header_time, header_bytes_max) =
        (gate.limits().header_time, gate.limits().header_bytes_max);
    let misframing = Arc::new(Misframing::default());
    let limits = wire::HeadLimits {
        bytes_max: header_bytes_max,
        lines_max: HEADERS_MAX,
    };
    let framed = Framed::new(line, limits, Arc::clone(&misframing));
    let serving = Arc::clone(&gate);
    let service = service_fn(move |request: Request<Incoming>| {
        let (gate, misframed) = (Arc::clone(&gate), misframing.next());
        let standing = standing.clone();
        // In a box, since only then is the connection given back at its end.
        Box::pin(async move {
            Ok::<_, Infallible>(match misframed {
                None => answer(gate, request, source, standing, ()).await,
                Some(code) => walk::misframed(&gate, code, source).map(ReplyBody::whole),
            })
        })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_time)
        .max_headers(HEADERS_MAX)
        .max_buf_size(header_bytes_max.max(8_192))
        .keep_alive(true)
        .half_close(false)
        .serve_connection(TokioIo::new(framed), service);
    let ended = tokio::select! {
        ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => ended,
        () = closing.cancelled() => {
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|cx| connection.poll_without_shutdown(cx)).await
        }
    };
    // One that broke is left as it is.
    if ended.is_ok() {
        let (line, framing) = connection.into_parts().io.into_inner().into_parts();
        serving.lingering().end(line, framing, &closing).await;
    }
}

async fn http2(
    gate: Arc<Gate>,
    line: Counted<Line>,
    source: IpAddr,
    closing: CancellationToken,
    standing: Standing,
) {
    let serving = Arc::clone(&gate);
    let header_bytes_max = u32::try_from(gate.limits().header_bytes_max).unwrap_or(u32::MAX);
    let used = Arc::new(Used::default());
    let streams = Streams(standing.clone());
    let counted = Arc::clone(&used);
    let service = service_fn(move |request: Request<Incoming>| {
        let gate = Arc::clone(&serving);
        counted.requests.fetch_add(1, Ordering::Relaxed);
        let (using, standing) = (Arc::clone(&counted), standing.clone());
        async move { Ok::<_, Infallible>(answer(gate, request, source, standing, using).await) }
    });
    let connection = http2::Builder::new(streams)
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(RESETS_UNSEEN_MAX)
        .max_local_error_reset_streams(RESETS_FOR_ERRORS_MAX)
        .header_table_size(HEADER_TABLE_BYTES)
        .max_header_list_size(header_bytes_max)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BYTES_MAX)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_EVERY)
        .serve_connection(TokioIo::new(line), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
            return;
        }
        () = idle(&used, IDLE_TIME) => connection.as_mut().graceful_shutdown(),
    }
    // A request that was on its way still walks. When none does, what is left
    // is replies that the caller does not fetch.
    let unfetched = idle(&used, gate.limits().caller_idle_time);
    tokio::select! {
        _ = connection.as_mut() => {}
        () = unfetched => gate.metrics().connection_ended(Cause::Undelivered),
    }
}

/// Runs the streams of an HTTP/2 connection, which are no more than it is.
#[derive(Debug, Clone)]
struct Streams(Standing);

impl<F> Executor<F> for Streams
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(self.0.clone().run(stream));
    }
}

/// What an HTTP/2 connection was used for. Each running walk holds it.
#[derive(Debug, Default)]
struct Used {
    requests: AtomicU64,
}

/// Resolves when a whole period went by without a request or a walk.
async fn idle(used: &Arc<Used>, period: Duration) {
    // This one, and the one of the service.
    const HOLDERS: usize = 2;
    let mut before = None;
    loop {
        let now = used.requests.load(Ordering::Relaxed);
        let free = Arc::strong_count(used) <= HOLDERS;
        if free && before == Some(now) {
            return;
        }
        // A walk that ends in this period leaves a whole one to fetch its reply.
        before = free.then_some(now);
        tokio::time::sleep(period).await;
    }
}

/// Walks a request apart from its connection. `using` is held until the walk's
/// end.
async fn answer(
    gate: Arc<Gate>,
    request: Request<Incoming>,
    source: IpAddr,
    standing: Standing,
    using: impl Send + 'static,
) -> Response<ReplyBody> {
    let (slot, answer) = ReplySlot::new();
    let walking = Arc::clone(&gate);
    let own = standing.clone();
    gate.tasks().spawn(standing.run(async move {
        walk::walk(walking, request, source, slot, &own).await;
        drop(using);
    }));
    answer
        .await
        .unwrap_or_else(|_| walk::silence().map(ReplyBody::whole))
}
