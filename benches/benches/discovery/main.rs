//! Discovery, from 20 ms away: cold, unchanged, and after one push, beside the straightforward ways.
//!
//! `cargo bench -p benches --bench discovery`; `ARGOSY_BENCH_TAGS` and `ARGOSY_BENCH_COMMITS` make it smaller.
#![expect(clippy::print_stdout, reason = "benchmarks print")]

mod git;
mod google;
mod plain;
mod scripts;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use artifacts::egress::Policy;
use artifacts::image::{self, Asked};
use artifacts::registry::Registries;
use artifacts::{Boundless, Caller, Cost, Limits, Spent};
use benches::compare;
use credentials::Login;
use domain::selection::NewestBuildBy;
use jiff::Timestamp;
use resources::ImageSubscription;
use resources::subscription::ImageSelectionStrategy;

/// How far away every server is.
const AWAY: Duration = Duration::from_millis(20);
/// Upstream asks any one registry so often in a second at most.
const UPSTREAM_RATE: f64 = 20.0;
const PROJECT: &str = "acme";

#[tokio::main]
async fn main() -> Result<()> {
    plain::measure().await?;
    google::measure().await?;
    git::measure().await
}

fn number(variable: &str, otherwise: usize) -> usize {
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads its settings")]
    let set = std::env::var(variable).ok();
    set.and_then(|it| it.parse().ok()).unwrap_or(otherwise)
}

/// Says how many tags the registries hold.
fn tags() -> usize {
    number("ARGOSY_BENCH_TAGS", 10_000)
}

fn limits() -> Limits {
    Limits::default()
}

fn policy() -> Arc<Policy> {
    Arc::new(Policy::new().with_loopback())
}

fn by(strategy: ImageSelectionStrategy, repo_url: &str) -> ImageSubscription {
    ImageSubscription {
        repo_url: repo_url.to_owned(),
        image_selection_strategy: strategy,
        ..ImageSubscription::default()
    }
}

/// What a look came to.
struct Looked {
    best: String,
    spent: Spent,
    took: Duration,
}

async fn look(
    registries: &Registries,
    subscription: &ImageSubscription,
    login: Option<&Login>,
) -> Result<Looked> {
    let (cost, started) = (Cost::default(), Instant::now());
    let caller = Caller {
        project: PROJECT,
        login,
        cost: &cost,
        room: &Boundless,
    };
    let asked = Asked {
        newest_build_by: NewestBuildBy::Built,
        now: Timestamp::now(),
    };
    let selected = image::select(registries, caller, subscription, asked).await?;
    let best = selected.taken.first().context("an image")?.tag.clone();
    Ok(Looked {
        best,
        spent: cost.spent(),
        took: started.elapsed(),
    })
}

fn as_float(count: impl TryInto<u32>) -> f64 {
    count.try_into().map_or(f64::MAX, f64::from)
}

/// What something is compared with.
struct Peer<'a> {
    name: &'a str,
    requests: f64,
    seconds: f64,
}

impl Looked {
    /// Prints requests and seconds beside those of the straightforward way.
    fn tell(&self, what: &str, peer: &Peer<'_>) {
        let requests = as_float(self.spent.total());
        compare(
            &format!("{what}: requests"),
            requests,
            "",
            peer.name,
            peer.requests,
        );
        compare(
            &format!("{what}: seconds"),
            self.took.as_secs_f64(),
            "s",
            peer.name,
            peer.seconds,
        );
    }
}
