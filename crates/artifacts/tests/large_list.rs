//! A chart with a million tags, listed in little memory. Alone in its program, whose memory is measured.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use artifacts::chart::{self, Repositories};
use artifacts::egress::Policy;
use artifacts::registry::Registries;
use artifacts::{Boundless, Caller, Cost, Limits};
use axum::Router;
use axum::http::Uri;
use axum::response::Response;
use resources::ChartSubscription;
use tokio::net::TcpListener;

const PAGES: usize = 100;
const TAGS: usize = 10_000;
/// What may be held beside what the process held before, the pages that are sent included.
const MEMORY_BOUND: usize = 16 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_with_a_million_tags_is_listed_in_less_than_16_megabytes() {
    let host = serve().await;
    let policy = Arc::new(Policy::new().with_loopback());
    // Unoptimised and beside other tests, reading may take a while.
    let limits = Limits {
        timeout: Duration::from_mins(2),
        ..Limits::default()
    };
    let repositories = Repositories::new(Arc::clone(&policy), limits.clone());
    let registries = Registries::new(policy, limits);
    let cost = Cost::default();
    let find = async |name: &str| {
        let subscription = ChartSubscription {
            repo_url: format!("oci://{host}/{name}"),
            // Half of all fit, so that those that fit are many and so are the others.
            semver_constraint: format!("<{}", PAGES / 2),
            ..ChartSubscription::default()
        };
        let caller = Caller {
            project: "acme",
            login: None,
            cost: &cost,
            room: &Boundless,
        };
        let found = chart::discover(&repositories, &registries, caller, &subscription).await;
        found.expect("versions").selected
    };
    // What everything else takes is there before it is measured.
    assert_eq!(find("small").await.taken.len(), 20);
    let before = memory("VmRSS").max(memory("VmHWM"));

    let started = Instant::now();
    let selected = find("large").await;
    let took = started.elapsed();
    let held = memory("VmHWM").saturating_sub(before);
    println!(
        "{} tags listed in {took:.1?}, at most {} kB held",
        PAGES * TAGS,
        held >> 10
    );
    let best = format!("{}.0.{}", PAGES / 2 - 1, TAGS - 1);
    assert_eq!((selected.taken.len(), &selected.taken[0]), (20, &best));
    let left = selected.ruled_out.iter().map(|it| it.count);
    assert_eq!(left.sum::<usize>(), PAGES * TAGS - 20);
    assert!(held < MEMORY_BOUND, "{held} bytes");
}

/// Serves a chart with one page of tags and one with many, each linked to the next.
async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let app = Router::new().fallback(|uri: Uri| {
        let query = uri.query().unwrap_or_default();
        let page = query.split('&').find_map(|it| it.strip_prefix("page="));
        let page: usize = page.unwrap_or("0").parse().expect("a number");
        // After a full page without a link there may be another, and is none.
        let count = if query.contains("last=") { 0 } else { TAGS };
        let mut tags = String::new();
        for number in 0..count {
            let comma = if number == 0 { "" } else { "," };
            write!(tags, "{comma}\"{page}.0.{number}\"").expect("written");
        }
        let mut answer = Response::builder();
        if count > 0 && uri.path().starts_with("/v2/large/") && page + 1 < PAGES {
            let path = uri.path();
            let next = format!("<{path}?page={}>; rel=\"next\"", page + 1);
            answer = answer.header("link", next);
        }
        let body = format!("{{\"name\":\"chart\",\"tags\":[{tags}]}}");
        std::future::ready(answer.body(body).expect("an answer"))
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    address.to_string()
}

/// Reads a line of what Linux says of our memory, in bytes.
fn memory(line: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let value = status
        .lines()
        .find_map(|it| it.strip_prefix(line)?.strip_prefix(':'));
    let digits = value
        .expect("the line is there")
        .trim()
        .trim_end_matches(" kB");
    digits.parse::<usize>().expect("a number") << 10
}
