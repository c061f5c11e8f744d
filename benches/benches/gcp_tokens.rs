//! Tokens of Google's: what a cached one costs, and what a thousand callers at once cost.
//!
//! `cargo bench -p benches --bench gcp_tokens`

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use benches::{compare, median};
use gcp::{Clock, Endpoints, Identities, Observer, Scope, Settings};
use jiff::Timestamp;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const CALLERS: usize = 1_000;
const PROJECTS: usize = 1_000;
const ROUNDS: usize = 9;
const HITS: u32 = 200_000;

#[tokio::main]
async fn main() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let observer: Observer = Arc::new(move |call| {
        if call.service == "iam-credentials" {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let mut endpoints = Endpoints::default().with_metadata_host(&address.to_string())?;
    endpoints.iam_credentials = format!("http://{address}").parse()?;
    let settings = Settings::new(endpoints);
    let clock: Clock = Arc::new(Timestamp::now);
    let identities = Identities::new(settings, &clock, &observer);

    let callers = (0..CALLERS).map(|_| {
        let identities = identities.clone();
        tokio::spawn(async move { identities.own("p0", Scope::ReadOnly).await })
    });
    let callers: Vec<_> = callers.collect();
    for caller in callers {
        caller.await??;
    }
    let asked = u32::try_from(calls.load(Ordering::Relaxed))?;
    compare(
        "requests for 1,000 callers at once",
        asked.into(),
        "calls",
        "one",
        1.0,
    );
    ensure!(asked == 1, "{asked} requests");

    let names: Vec<String> = (0..PROJECTS).map(|index| format!("p{index}")).collect();
    for name in &names {
        identities.own(name, Scope::ReadOnly).await?;
    }
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        for name in names.iter().cycle().take(HITS as usize) {
            black_box(identities.own(black_box(name), Scope::ReadOnly).await?);
        }
        times.push(started.elapsed() / HITS);
    }
    let ours = nanoseconds(median(&mut times));
    compare(
        "cached token, one of 1,000 Projects",
        ours,
        "ns",
        "the bound of a microsecond",
        1_000.0,
    );
    ensure!(ours < 1_000.0, "{ours} ns");
    Ok(())
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// Answers as metadata server and as IAM Credentials, a request after the other.
async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1_024];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        let request = String::from_utf8_lossy(&buffer[..length]);
        let path = request.split(' ').nth(1).unwrap_or_default();
        let expires = Timestamp::now() + Duration::from_hours(1);
        let body = match path {
            _ if path.contains("generateAccessToken") => {
                format!(r#"{{"accessToken":"ya29.sim-own","expireTime":"{expires}"}}"#)
            }
            _ if path.contains("token") => {
                r#"{"access_token":"ya29.sim-base","expires_in":3600}"#.to_owned()
            }
            _ if path.contains("email") => "acme-gke.svc.id.goog".to_owned(),
            _ => "acme-gke".to_owned(),
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await?;
    }
}
