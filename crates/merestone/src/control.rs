//! The local control socket: one JSON line in, one JSON line out. Only the
//! account that runs the gate can open it.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream as BlockingStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader as AsyncReader},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
};

use crate::admin::{Answer, Request};

/// LIMIT: bytes of one request.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// LIMIT: requests at once.
const AT_ONCE_MAX: usize = 8;
/// For a request to arrive, and for an answer to be taken.
const LINE_TIME: Duration = Duration::from_secs(10);
/// For a running gate to answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// Carries requests out.
pub trait Serve: Send + Sync + 'static {
    /// Does what is asked; `by` is the account that asks.
    fn serve(self: Arc<Self>, request: Request, by: String) -> impl Future<Output = Answer> + Send;
}

/// Opens the socket. A stale one of a process that is gone is replaced; the
/// ledger's lock has already shown that there is no other.
pub fn listen(path: &Path) -> anyhow::Result<UnixListener> {
    let _ = std::fs::remove_file(path);
    let listener = UnixListener::bind(path)
        .with_context(|| format!("the control socket {} cannot be made", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers requests until it is dropped.
pub async fn answer<S: Serve>(listener: UnixListener, serve: Arc<S>) {
    let room = Arc::new(Semaphore::new(AT_ONCE_MAX));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let serve = Arc::clone(&serve);
        tokio::spawn(async move {
            let _ = one(stream, serve).await;
            drop(permit);
        });
    }
}

async fn one<S: Serve>(stream: UnixStream, serve: Arc<S>) -> std::io::Result<()> {
    let by = stream.peer_cred().map_or_else(
        |_| "uid:unknown".to_owned(),
        |peer| format!("uid:{}", peer.uid()),
    );
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    let mut lines = AsyncReader::new(reader.take(LINE_BYTES_MAX));
    tokio::time::timeout(LINE_TIME, lines.read_line(&mut line)).await??;
    let answer = match serde_json::from_str(&line) {
        Ok(request) => serve.serve(request, by).await,
        Err(_) => Answer::Refused("this is not a request that this version knows".to_owned()),
    };
    let mut text = serde_json::to_string(&answer).unwrap_or_default();
    text.push('\n');
    tokio::time::timeout(LINE_TIME, writer.write_all(text.as_bytes())).await?
}

/// Asks a running gate; `None` when none is running.
pub fn ask(path: &Path, request: &Request) -> anyhow::Result<Option<Answer>> {
    let Ok(mut stream) = BlockingStream::connect(path) else {
        return Ok(None);
    };
    stream.set_read_timeout(Some(ANSWER_TIME))?;
    let mut text = serde_json::to_string(request)?;
    text.push('\n');
    stream
        .write_all(text.as_bytes())
        .context("the running gate does not listen")?;
    let mut line = String::new();
    BufReader::new(stream)
        .read_line(&mut line)
        .context("the running gate does not answer")?;
    Ok(Some(serde_json::from_str(&line).context(
        "the running gate answers in a way that this version does not know",
    )?))
}
