//! Talks to a running fake vendor over a plain socket.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{FakeVendor, Options, Running};
use crate::{Api, FAKE_KEY};

async fn send(running: &Running, head: &str, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(running.addr()).await?;
    let length = body.len();
    let request = format!(
        "{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         authorization: Bearer {FAKE_KEY}\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

async fn ask(running: &Running, path: &str, body: &str) -> String {
    send(running, &format!("POST {path}"), body).await.unwrap()
}

const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hello there"}]}"#;

#[tokio::test]
async fn it_echoes_and_says_what_it_is() {
    let running = FakeVendor::start(Api::OpenAi).await.unwrap();
    let reply = ask(&running, "/v1/chat/completions", CHAT).await;
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    assert!(reply.contains("server: merestone-fake-vendor"));
    assert!(reply.contains("x-ratelimit-limit-tokens"));
    assert!(reply.contains("You said: hello there"));
    assert_eq!(running.seen()[0].body, CHAT);
    running.stop().await;
}

#[tokio::test]
async fn a_stream_has_the_vendors_event_order() {
    let running = FakeVendor::start(Api::Anthropic).await.unwrap();
    let body = CHAT.replacen('{', r#"{"stream":true,"#, 1);
    let reply = ask(&running, "/v1/messages", &body).await;
    let order: Vec<_> = reply
        .lines()
        .filter_map(|line| line.strip_prefix("event: "))
        .collect();
    assert_eq!(order[..3], ["message_start", "content_block_start", "ping"]);
    assert_eq!(order[3..order.len() - 3].len(), 4, "a delta for each word");
    let end = ["content_block_stop", "message_delta", "message_stop"];
    assert_eq!(order[order.len() - 3..], end);
    let count = ask(&running, "/v1/messages/count_tokens", CHAT).await;
    assert!(count.ends_with(r#"{"input_tokens":2}"#), "{count}");
}

#[tokio::test]
async fn a_wrong_key_is_refused_in_the_vendors_shape() {
    let running = FakeVendor::start(Api::Anthropic).await.unwrap();
    let mut stream = TcpStream::connect(running.addr()).await.unwrap();
    stream
        .write_all(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: no\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        .await
        .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 401"), "{reply}");
    assert!(reply.contains("authentication_error"));
}

#[tokio::test]
async fn scripts_are_followed_to_their_end() {
    let running = FakeVendor::start(Api::OpenAi).await.unwrap();
    let scripts = r#"[
        {"status":429,"headers":{"retry-after":"1"},"chunks":[{"b64":"aGFsbG8="}]},
        {"chunks":[{"b64":"aGFsbG8="}],"end":"cut"},
        {"chunks":[{"b64":"aGFsbG8="}],"end":"reset"}]"#;
    let told = ask(&running, "/_double/script", scripts).await;
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");

    let limited = ask(&running, "/v1/chat/completions", CHAT).await;
    assert!(limited.starts_with("HTTP/1.1 429"), "{limited}");
    assert!(limited.contains("retry-after: 1"));
    assert!(limited.ends_with("5\r\nhallo\r\n0\r\n\r\n"));
    let cut = ask(&running, "/v1/chat/completions", CHAT).await;
    assert!(cut.ends_with("5\r\nhallo\r\n"), "{cut}");
    let reset = send(&running, "POST /v1/chat/completions", CHAT).await;
    assert_eq!(
        reset.unwrap_err().kind(),
        std::io::ErrorKind::ConnectionReset
    );
    let echo = ask(&running, "/v1/chat/completions", CHAT).await;
    assert!(echo.contains("You said"), "{echo}");

    let requests = send(&running, "GET /_double/requests", "").await.unwrap();
    assert_eq!(requests.matches(r#""method":"POST""#).count(), 4);
    send(&running, "DELETE /_double/requests", "")
        .await
        .unwrap();
    assert_eq!(running.seen(), []);
}

#[tokio::test]
async fn a_caller_that_leaves_is_noticed() {
    let running = FakeVendor::start(Api::OpenAi).await.unwrap();
    ask(
        &running,
        "/_double/script",
        r#"{"chunks":[{"b64":"aGFsbG8="}],"end":"hang"}"#,
    )
    .await;
    let mut stream = TcpStream::connect(running.addr()).await.unwrap();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut some = [0; 16];
    stream.read_exact(&mut some).await.unwrap();
    assert_eq!(running.vendor.tally.open(), 1);
    drop(stream);
    for _ in 0..200 {
        if running.vendor.tally.abandoned() == 1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("nobody noticed");
}

#[tokio::test]
async fn a_reply_that_was_read_to_its_end_is_not_abandoned() {
    let running = FakeVendor::start(Api::OpenAi).await.unwrap();
    ask(&running, "/v1/chat/completions", CHAT).await;
    let body = CHAT.replacen('{', r#"{"stream":true,"#, 1);
    ask(&running, "/v1/chat/completions", &body).await;
    assert_eq!(running.vendor.tally.open(), 0);
    assert_eq!(running.vendor.tally.abandoned(), 0);
}

#[tokio::test]
async fn under_load_it_remembers_nothing() {
    let options = Options {
        quiet_load: true,
        ..Options::new(Api::OpenAi)
    };
    let running = FakeVendor::start_with(options).await.unwrap();
    let reply = ask(&running, "/v1/chat/completions", CHAT).await;
    assert!(reply.contains("canned reply"), "{reply}");
    assert_eq!(running.seen(), []);
}

#[tokio::test]
async fn it_listens_on_loopback_only() {
    let mut options = Options::new(Api::OpenAi);
    options.listen = ([0, 0, 0, 0], 0).into();
    assert!(FakeVendor::start_with(options).await.is_err());
}
