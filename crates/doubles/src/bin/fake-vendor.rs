//! Runs one fake vendor until it is killed:
//! `fake-vendor --api openai|anthropic [--listen 127.0.0.1:0] [--quiet-load]`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what it prints is read by the test that started it"
)]

use std::{net::SocketAddr, process::ExitCode};

use doubles::{Api, FakeVendor, Options};

const USAGE: &str =
    "usage: fake-vendor --api openai|anthropic [--listen 127.0.0.1:0] [--quiet-load]
A fake vendor for tests: an echo in a vendor's wire format. No model answers.";

fn main() -> ExitCode {
    let Some(options) = read_options(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fake-vendor: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let running = FakeVendor::start_with(options).await?;
        println!("fake-vendor listening on http://{}", running.addr());
        running.wait().await;
        Ok(())
    })
}

fn read_options(mut words: impl Iterator<Item = String>) -> Option<Options> {
    let mut api = None;
    let mut listen: Option<SocketAddr> = None;
    let mut quiet_load = false;
    while let Some(word) = words.next() {
        match word.as_str() {
            "--api" => api = Some(Api::from_word(&words.next()?)?),
            "--listen" => listen = Some(words.next()?.parse().ok()?),
            "--quiet-load" => quiet_load = true,
            _ => return None,
        }
    }
    let mut options = Options::new(api?);
    options.listen = listen.unwrap_or(options.listen);
    options.quiet_load = quiet_load;
    Some(options)
}
