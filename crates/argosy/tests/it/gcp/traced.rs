//! The log at its most talkative, with what all libraries say of themselves: no token is in it, whole or in part.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use testkit::google::TOKEN_PREFIX;

use super::Place;
use super::fallback::{reader, up, wait_for_warehouse};

/// How much of a token is enough to know it by.
const PIECE: usize = 12;

/// Google's APIs as a proxy passes them on, which reads along.
struct Wire {
    address: SocketAddr,
    read: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    fn to(apis: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, read) = (listener.local_addr()?, Arc::default());
        let noted = Arc::clone(&read);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(apis) else {
                    return;
                };
                if let (Ok(back), Ok(forth)) = (near.try_clone(), far.try_clone()) {
                    for (from, to) in [(near, far), (forth, back)] {
                        let noted = Arc::clone(&noted);
                        std::thread::spawn(move || pass(from, to, &noted));
                    }
                }
            }
        });
        Ok(Self { address, read })
    }

    /// Gives what follows [`TOKEN_PREFIX`] in all tokens that went by.
    fn tokens(&self) -> BTreeSet<String> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&read);
        let is_part = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
        let tokens = text.split(TOKEN_PREFIX).skip(1);
        tokens
            .filter_map(|it| it.split(|it| !is_part(it)).next())
            .map(str::to_owned)
            .collect()
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, noted: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let mut all = noted.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend_from_slice(&buffer[..count]);
        drop(all);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    to.shutdown(Shutdown::Both).ok();
}

/// Lists the pieces of a text, plain and in base64 at any place of a longer one.
fn pieces(text: &str) -> impl Iterator<Item = String> {
    let plain = text.as_bytes().windows(PIECE).step_by(PIECE / 2);
    let plain: Vec<_> = plain.map(String::from_utf8_lossy).collect();
    let wrapped = (0..3).map(|before| {
        let encoded = BASE64_STANDARD.encode(format!("{}{text}", "-".repeat(before)));
        let from = (before * 8).div_ceil(6);
        encoded[from..from + PIECE].to_owned()
    });
    let plain = plain.into_iter().map(std::borrow::Cow::into_owned);
    plain.chain(wrapped.collect::<Vec<_>>())
}

/// Discovers once, and gives all that was logged and the secrets that were at hand.
fn logged(place: &Place, format: &str) -> Result<(String, Vec<String>)> {
    let folder = tempfile::tempdir()?;
    let wire = Wire::to(place.simulator.apis)?;
    let mut command = up(place, folder.path())?;
    command
        .args(["--log-level=trace", "--log-format", format])
        .arg(format!("--gcp-endpoint=all=http://{}", wire.address))
        .arg(&place.endpoint_flags()[1]);
    let found = wait_for_warehouse(command, folder.path(), |warehouse| {
        let images = &warehouse["status"]["discoveredArtifacts"]["images"];
        let tag = images[0]["references"][0]["tag"].as_str()?.to_owned();
        Some((tag, reader(warehouse)?))
    });
    let (tag, reader): (String, Value) = found?;
    ensure!(
        (&*tag, &reader["reason"]) == ("1.0.0", &"OwnServiceAccount".into()),
        "{tag}: {reader}"
    );
    let mut secrets: Vec<_> = wire.tokens().into_iter().collect();
    // That of the metadata server, and that of the Project's account.
    ensure!(secrets.len() >= 2, "{} tokens went by", secrets.len());
    secrets.push(
        fs::read_to_string(folder.path().join("data/token"))?
            .trim()
            .to_owned(),
    );
    Ok((
        fs::read_to_string(folder.path().join("argosy.log"))?,
        secrets,
    ))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_is_logged_at_any_level() -> Result<()> {
    let place = Place::whole().await?;
    for format in ["text", "json"] {
        let (log, secrets) = tokio::task::block_in_place(|| logged(&place, format))?;
        let lines = log.lines().count();
        ensure!(lines > 1_000, "{format}: only {lines} lines");
        // Which a library says by the crate `log`.
        ensure!(log.contains("starting new connection"), "{format}: {log}");
        let known = [TOKEN_PREFIX, "eyJ", "PRIVATE KEY-----"].map(str::to_owned);
        let pieces = secrets.iter().flat_map(|it| pieces(it)).chain(known);
        let mut shown = pieces.filter(|it| log.contains(it.as_str()));
        if let Some(piece) = shown.next() {
            let line = log
                .lines()
                .find(|it| it.contains(&piece))
                .context("a line")?;
            anyhow::bail!("{format}: {piece} of a secret is in: {line}");
        }
    }
    Ok(())
}

#[test]
fn a_token_is_known_by_a_part_of_it_and_in_base64() {
    let token = "0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P";
    let is_known = |text: &str| pieces(token).any(|it| text.contains(&it));
    assert!(is_known(token) && is_known(&token[6..20]));
    for before in ["", "u:", "ab:", "oauth2accesstoken:ya29.sim-"] {
        let header = BASE64_STANDARD.encode(format!("{before}{token}"));
        assert!(is_known(&header), "{before}");
    }
    assert!(!is_known("serviceAccount:kargo-project-web@acme-prod"));
}
