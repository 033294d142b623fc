//! `merestone demo`: the whole walk on this machine, against fake vendors that
//! are labelled as such. Nothing leaves the machine.

mod client;
mod script;
mod story;
mod told;

use std::{fs, path::Path, process::ExitCode};

use doubles::{Api, FAKE_KEY, FakeVendor};
use tokio::sync::oneshot;

use super::up;
use crate::{
    config::{self, VendorKeys},
    present,
};

pub(super) fn run(exit: bool) -> anyhow::Result<ExitCode> {
    let folder = std::env::temp_dir().join(format!("merestone-demo-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let told = runtime.block_on(demo(&folder, exit));
    // Kept after a failure, so that it can be looked into.
    if told.is_ok() {
        fs::remove_dir_all(&folder)?;
    }
    told.map(|()| ExitCode::SUCCESS)
}

async fn demo(folder: &Path, exit: bool) -> anyhow::Result<()> {
    let openai = FakeVendor::start(Api::OpenAi).await?;
    let anthropic = FakeVendor::start(Api::Anthropic).await?;
    let path = folder.join(config::DEFAULT_PATH);
    fs::write(folder.join("vendor.key"), FAKE_KEY)?;
    fs::write(
        &path,
        configuration(&openai.addr().to_string(), &anthropic.addr().to_string()),
    )?;
    let settled = config::load(&path, VendorKeys::Fetch)?;
    let state = settled.state.clone();
    let (stop, stopped) = oneshot::channel::<()>();
    let (ready, address) = oneshot::channel();
    let stopping = async {
        // A dropped sender is a stop as well.
        let _ = stopped.await;
    };
    let gate = tokio::spawn(up::up(settled, path.clone(), stopping, ready));
    let told = match address.await {
        Ok(gate) => {
            let cast = story::Cast {
                gate,
                openai: &openai,
                anthropic: &anthropic,
                state: &state,
            };
            show(&cast, &path, exit).await
        }
        Err(_) => Err(anyhow::anyhow!("the gate did not get ready")),
    };
    drop(stop);
    gate.await??;
    openai.stop().await;
    anthropic.stop().await;
    told
}

/// Tells the story, and stays for those who want to try it themselves.
async fn show(cast: &story::Cast<'_>, path: &Path, exit: bool) -> anyhow::Result<()> {
    cast.tell(path).await?;
    story::evidence(cast.state)?;
    if !exit {
        cast.invite().await?;
        up::stop_signal()?.await;
    }
    present::say!(
        "\nNext: merestone init, merestone up, merestone matrix, merestone ledger tail."
    )?;
    Ok(())
}

fn configuration(openai: &str, anthropic: &str) -> String {
    format!(
        "[gate]\nlisten = \"127.0.0.1:0\"\nstate = \"data\"\n\n\
         [vendors.openai]\napi = \"openai\"\nbase_url = \"http://{openai}\"\nkey = \"file:vendor.key\"\n\n\
         [vendors.anthropic]\napi = \"anthropic\"\nbase_url = \"http://{anthropic}\"\nkey = \"file:vendor.key\"\n\n\
         [evidence]\nfree_bytes_min = 1048576\n"
    )
}
