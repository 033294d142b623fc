//! The door: accepts connections, starts a walk for each request, and closes
//! in good order.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use crate::{Gate, ReplySlot, body::ReplyBody, walk};

/// How often the counts of refused strangers are written.
const STRANGERS_EVERY: Duration = Duration::from_secs(1);
/// Pause after the system refused a connection, so that a full table of files
/// does not become a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// LIMIT: headers of one request.
const HEADERS_MAX: usize = 100;

/// Why the gate stopped other than it was asked to.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Evidence can no longer be written. The process must end with a
    /// non-zero status; on restart the log is checked.
    #[error("the ledger failed; nothing is admitted any more")]
    LedgerFailed,
}

/// Serves until `stop` resolves or the ledger fails. Running exchanges get
/// the configured time to end; then they are cut, each with its record.
///
/// # Errors
/// When the ledger failed.
pub async fn serve(
    gate: Arc<Gate>,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(
        gate.limits()
            .connections_max
            .clamp(1, Semaphore::MAX_PERMITS),
    ));
    let mut failed = gate.ledger().failed();
    let mut every = tokio::time::interval(STRANGERS_EVERY);
    tokio::pin!(stop);
    let outcome = loop {
        tokio::select! {
            accepted = accept(&listener, &room) => {
                if let Some((stream, source, permit)) = accepted {
                    let connection = graceful.watch(connection(Arc::clone(&gate), stream, source));
                    tokio::spawn(async move {
                        // A broken connection is the caller's business; the
                        // walk has its own record.
                        let _ = connection.await;
                        drop(permit);
                    });
                }
            }
            _ = every.tick() => gate.write_strangers(false).await,
            () = &mut stop => break Ok(()),
            () = failed.wait() => break Err(ServeError::LedgerFailed),
        }
    };
    drop(listener);
    gate.stop_admitting();
    if outcome.is_err() {
        gate.cut_all();
    }
    finish(&gate, graceful).await;
    outcome
}

async fn finish(gate: &Gate, graceful: GracefulShutdown) {
    let tasks = gate.tasks();
    tasks.close();
    let orderly = async {
        tokio::join!(graceful.shutdown(), tasks.wait());
    };
    if tokio::time::timeout(gate.limits().shutdown_time, orderly)
        .await
        .is_err()
    {
        gate.cut_all();
        // Cut exchanges end at once, but for the disk.
        let _ = tokio::time::timeout(Duration::from_secs(5), tasks.wait()).await;
    }
    gate.write_strangers(true).await;
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, IpAddr, tokio::sync::OwnedSemaphorePermit)> {
    // Beyond the limit, connections wait in the system's own queue.
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    let accepted: io::Result<(TcpStream, SocketAddr)> = listener.accept().await;
    match accepted {
        Ok((stream, source)) => {
            let _ = stream.set_nodelay(true);
            Some((stream, source.ip(), permit))
        }
        Err(_) => {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

type Serving<S> = http1::Connection<TokioIo<TcpStream>, S>;

fn connection(
    gate: Arc<Gate>,
    stream: TcpStream,
    source: IpAddr,
) -> Serving<
    impl hyper::service::Service<
        Request<Incoming>,
        Response = Response<ReplyBody>,
        Error = Infallible,
        Future = impl Future<Output = Result<Response<ReplyBody>, Infallible>> + Send,
    > + Send,
> {
    let (header_time, header_bytes_max) =
        (gate.limits().header_time, gate.limits().header_bytes_max);
    let service = service_fn(move |request: Request<Incoming>| {
        let gate = Arc::clone(&gate);
        async move {
            let (slot, answer) = ReplySlot::new();
            let walking = Arc::clone(&gate);
            gate.tasks()
                .spawn(async move { walk::walk(walking, request, source, slot).await });
            Ok(answer
                .await
                .unwrap_or_else(|_| walk::silence().map(ReplyBody::whole)))
        }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_time)
        .max_headers(HEADERS_MAX)
        .max_buf_size(header_bytes_max.max(8_192))
        .keep_alive(true)
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service)
}
