//! `merestone demo`: the whole walk on this machine, against fake vendors that
//! are labelled as such. Nothing leaves the machine.

mod client;
mod script;
mod story;
mod told;

use std::{
    fs::{OpenOptions, Permissions},
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    process::ExitCode,
};

use anyhow::Context;
use doubles::{Api, FAKE_KEY, FakeVendor};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::up;
use crate::{
    config::{self, VendorKeys},
    present,
};

pub(super) fn run(exit: bool) -> anyhow::Result<ExitCode> {
    // Goes on every way out: after a failure, too, and when the reader left.
    let folder = folder()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let told = runtime.block_on(demo(folder.path(), exit));
    // Nothing may write into the folder any more when it goes.
    drop(runtime);
    let gone = folder.close();
    told?;
    gone.context("the demo's folder cannot be removed")?;
    Ok(ExitCode::SUCCESS)
}

/// A folder that was not there before, under a name that nobody can guess and
/// for its owner only: many share the folder for temporary files.
fn folder() -> anyhow::Result<TempDir> {
    tempfile::Builder::new()
        .prefix("merestone-demo-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
        .context("no folder for the demo can be made")
}

/// Writes a file that was not there before; a link is not followed.
fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("{} cannot be written", path.display()))
}

async fn demo(folder: &Path, exit: bool) -> anyhow::Result<()> {
    // From here on, so that a signal in mid-story is a way out like any other.
    let asked = tokio::spawn(asked_to_end());
    let openai = FakeVendor::start(Api::OpenAi).await?;
    let anthropic = FakeVendor::start(Api::Anthropic).await?;
    let path = folder.join(config::DEFAULT_PATH);
    write_new(&folder.join("vendor.key"), FAKE_KEY)?;
    write_new(
        &path,
        &configuration(&openai.addr().to_string(), &anthropic.addr().to_string()),
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
    let story = async {
        let gate = address
            .await
            .map_err(|_| anyhow::anyhow!("the gate did not get ready"))?;
        let cast = story::Cast {
            gate,
            openai: &openai,
            anthropic: &anthropic,
            state: &state,
        };
        show(&cast, &path, exit).await
    };
    let told = tokio::select! {
        told = story => told,
        _ = asked => Ok(()),
    };
    drop(stop);
    gate.await??;
    openai.stop().await;
    anthropic.stop().await;
    told?;
    present::say!("\nNext: merestone init, merestone up, merestone matrix, merestone ledger tail.")
}

/// Tells the story, and stays for those who want to try it themselves.
async fn show(cast: &story::Cast<'_>, path: &Path, exit: bool) -> anyhow::Result<()> {
    cast.tell(path).await?;
    story::evidence(cast.state)?;
    if exit {
        return Ok(());
    }
    cast.invite().await?;
    std::future::pending().await
}

/// Resolves when the demo is asked to end; a terminal that closes asks, too.
async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        return;
    };
    let Ok(stop) = up::stop_signal() else {
        return;
    };
    tokio::select! {
        _ = hangup.recv() => {}
        () = stop => {}
    }
}

fn configuration(openai: &str, anthropic: &str) -> String {
    format!(
        "[gate]\nlisten = \"127.0.0.1:0\"\nstate = \"data\"\n\n\
         [vendors.openai]\napi = \"openai\"\nbase_url = \"http://{openai}\"\nkey = \"file:vendor.key\"\n\n\
         [vendors.anthropic]\napi = \"anthropic\"\nbase_url = \"http://{anthropic}\"\nkey = \"file:vendor.key\"\n\n\
         [evidence]\nfree_bytes_min = 1048576\n"
    )
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::{folder, write_new};

    #[test]
    fn its_folder_is_new_and_for_its_owner_only() {
        let (one, two) = (folder().unwrap(), folder().unwrap());
        assert_ne!(one.path(), two.path());
        let mode = fs::metadata(one.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let path = one.path().to_path_buf();
        write_new(&path.join("a"), "text").unwrap();
        drop(one);
        assert!(!path.exists());
    }

    #[test]
    fn it_writes_through_no_link_and_over_no_file() {
        let folder = folder().unwrap();
        let (victim, link) = (folder.path().join("victim"), folder.path().join("link"));
        write_new(&victim, "mine").unwrap();
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        assert!(write_new(&link, "yours").is_err());
        assert!(write_new(&victim, "yours").is_err());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
    }
}
