//! The door: accepts connections, lets each be served, and closes in good order.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

#[cfg(target_os = "linux")]
use socket2::SockRef;
use terms::Code;
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::coop::consume_budget,
    time::MissedTickBehavior,
};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};

use crate::{
    Gate,
    connection::{self, Newcomers},
    metrics::Cause,
    sources::Place,
};

/// How often the counts of refusals are written.
const SUMMARIES_EVERY: Duration = Duration::from_secs(1);
/// Pause after the system refused a connection, so that a full table of files
/// does not become a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Steps of its turn, of 128, that each connection costs who accepts them: a
/// flood of connections would keep everybody else waiting for them.
const ACCEPT_STEPS: usize = 128;

/// LIMIT: bytes of a reply that the system takes before it could send them.
/// With its own choice, megabytes, a caller that reads slowly and steadily
/// could not be told from one that does not read.
#[cfg(target_os = "linux")]
const UNSENT_BYTES_MAX: u32 = 128 << 10;

/// Why the gate stopped other than it was asked to.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Evidence can no longer be written. The process must end with a
    /// non-zero status; on restart the log is checked.
    #[error("the ledger failed; nothing is admitted any more")]
    LedgerFailed,
}

/// The connections that are open, and the word that they should close.
#[derive(Debug, Default)]
struct Open {
    connections: TaskTracker,
    closing: CancellationToken,
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
    let open = Open::default();
    let room = Arc::new(Semaphore::new(
        gate.limits()
            .connections_max
            .clamp(1, Semaphore::MAX_PERMITS),
    ));
    let newcomers = Newcomers::default();
    let rounds = newcomers.clone();
    let rounds = AbortOnDropHandle::new(tokio::spawn(async move { rounds.rounds().await }));
    let mut failed = gate.ledger().failed();
    let mut every = tokio::time::interval(SUMMARIES_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(stop);
    let outcome = loop {
        tokio::select! {
            accepted = accept(&listener, &room) => {
                if let Some((stream, source, permit)) = accepted
                    && let Some(place) = place(&gate, source)
                {
                    let (gate, closing) = (Arc::clone(&gate), open.closing.clone());
                    let standing = newcomers.one();
                    open.connections.spawn(standing.clone().run(async move {
                        connection::serve(gate, stream, source, closing, standing).await;
                        drop((permit, place));
                    }));
                }
                for _ in 0..ACCEPT_STEPS {
                    consume_budget().await;
                }
            }
            _ = every.tick() => gate.write_summaries(false).await,
            () = &mut stop => break Ok(()),
            () = failed.wait() => break Err(ServeError::LedgerFailed),
        }
    };
    drop(listener);
    gate.stop_admitting();
    if outcome.is_err() {
        gate.cut_all();
    }
    newcomers.let_pass();
    finish(&gate, &open).await;
    drop(rounds);
    outcome
}

/// A place among its source's connections. Without one it is closed at once:
/// nothing was said on it yet that could be answered, and a handshake for the
/// answer would cost what the limit is there to spare.
fn place(gate: &Gate, source: IpAddr) -> Option<Place> {
    let place = gate.sources().enter(source);
    if place.is_none() {
        gate.summaries()
            .count(Code::SourceConnections, source, None, gate.clock().now_ms());
        gate.metrics().refused(Code::SourceConnections);
        gate.metrics().connection_ended(Cause::SourceFull);
    }
    place
}

async fn finish(gate: &Gate, open: &Open) {
    let tasks = gate.tasks();
    tasks.close();
    open.connections.close();
    open.closing.cancel();
    let orderly = async {
        tokio::join!(open.connections.wait(), tasks.wait());
    };
    if tokio::time::timeout(gate.limits().shutdown_time, orderly)
        .await
        .is_err()
    {
        gate.cut_all();
        // Cut exchanges end at once, but for the disk.
        let _ = tokio::time::timeout(Duration::from_secs(5), tasks.wait()).await;
    }
    gate.write_summaries(true).await;
}

/// Waits for the next connection.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    // Beyond the limit, connections wait in the system's own queue.
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    let accepted: io::Result<(TcpStream, SocketAddr)> = listener.accept().await;
    match accepted {
        Ok((stream, source)) => {
            let _ = stream.set_nodelay(true);
            // Where a system does not know it, a slow caller is seen in
            // coarser steps.
            #[cfg(target_os = "linux")]
            let _ = SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES_MAX);
            Some((stream, source.ip(), permit))
        }
        Err(_) => {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}
