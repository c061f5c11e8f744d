//! An index of charts as large as Bitnami's was, read in little memory. Alone in its program, whose memory is measured.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use artifacts::chart::{self, Repositories};
use artifacts::egress::Policy;
use artifacts::registry::Registries;
use artifacts::{Boundless, Caller, Cost, Limits};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::response::Response;
use resources::ChartSubscription;
use tokio::net::TcpListener;

const CHARTS: usize = 150;
const VERSIONS: usize = 100;
/// What may be held beside what the process held before.
const MEMORY_BOUND: usize = 16 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_20_megabytes_is_read_in_less_than_16() {
    let sent: Arc<AtomicUsize> = Arc::default();
    let repo_url = serve(Arc::clone(&sent)).await;
    let policy = Arc::new(Policy::new().with_loopback());
    // Unoptimised and beside other tests, reading may take a while.
    let limits = Limits {
        timeout: Duration::from_mins(2),
        ..Limits::default()
    };
    let repositories = Repositories::new(Arc::clone(&policy), limits.clone());
    let registries = Registries::new(policy, limits);
    let cost = Cost::default();
    let find = async |name: &str, path: &str| {
        let subscription = ChartSubscription {
            repo_url: format!("{repo_url}{path}"),
            name: name.to_owned(),
            semver_constraint: "^7".to_owned(),
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
    assert_eq!(find("chart000", "/small").await.taken, ["7.0.0"]);
    let before = memory("VmRSS").max(memory("VmHWM"));
    sent.store(0, Ordering::SeqCst);

    let started = Instant::now();
    let selected = find("chart007", "/large").await;
    let took = started.elapsed();
    let held = memory("VmHWM").saturating_sub(before);
    let length = sent.load(Ordering::SeqCst);
    println!(
        "{} MB with {} versions read in {took:.1?}, at most {} kB held",
        length / 1_000_000,
        CHARTS * VERSIONS,
        held >> 10
    );
    let left: usize = selected.ruled_out.iter().map(|it| it.count).sum();
    assert_eq!(
        (&selected.taken[..], left),
        (&["7.0.0".to_owned()][..], VERSIONS - 1)
    );
    assert!(length > 20_000_000, "{length}");
    assert!(held < MEMORY_BOUND, "{held} bytes");

    // Another chart of it costs a question, and no reading.
    assert_eq!(find("chart149", "/large").await.taken, ["7.0.0"]);
    assert_eq!(sent.load(Ordering::SeqCst), length);
    assert_eq!(cost.spent().total(), 3);
}

/// Serves an index that is made while it is sent, and counts its bytes.
async fn serve(sent: Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let app = Router::new().fallback(move |uri: axum::http::Uri, headers: HeaderMap| {
        let charts = if uri.path().starts_with("/large") {
            CHARTS
        } else {
            1
        };
        let status = if headers.contains_key("if-none-match") {
            304
        } else {
            200
        };
        let sent = Arc::clone(&sent);
        let chunks = (0..=charts).map(move |it| {
            let chunk = it
                .checked_sub(1)
                .map_or_else(|| "apiVersion: v1\nentries:\n".to_owned(), entries);
            sent.fetch_add(chunk.len(), Ordering::SeqCst);
            Ok::<_, Infallible>(Bytes::from(chunk))
        });
        let body = match status {
            200 => Body::from_stream(futures::stream::iter(chunks)),
            _ => Body::empty(),
        };
        let answer = Response::builder()
            .status(status)
            .header("etag", "\"1\"")
            .body(body);
        std::future::ready(answer.expect("an answer"))
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

/// Writes the entries of one chart.
fn entries(chart: usize) -> String {
    let mut text = format!("  chart{chart:03}:\n");
    let description =
        "A database that keeps what it is given, and gives it back when asked. ".repeat(6);
    for version in 0..VERSIONS {
        write!(
            text,
            "  - annotations:\n      category: Database\n      images: |\n        - name: app\n          image: docker.io/acme/app:1.2.{version}\n        \
             - name: exporter\n          image: docker.io/acme/exporter:0.9.{version}\n    apiVersion: v2\n    appVersion: 1.2.{version}\n    \
             created: \"2026-01-01T00:00:00.000000000Z\"\n    dependencies:\n    - name: common\n      repository: oci://registry.example.com/charts\n      \
             tags:\n      - acme-common\n      version: 2.x.x\n    description: {description}\n    digest: {chart:032x}{version:032x}\n    \
             home: https://example.com/charts/chart{chart}\n    icon: https://example.com/assets/stacks/chart{chart}/img/chart{chart}-stack-220x234.png\n    \
             keywords:\n    - database\n    - sql\n    - cluster\n    maintainers:\n    - name: Acme, Inc.\n      url: https://github.com/acme/charts\n    \
             name: chart{chart:03}\n    sources:\n    - https://github.com/acme/charts/tree/main/acme/chart{chart}\n    \
             urls:\n    - https://charts.example.com/acme/chart{chart:03}-{version}.0.0.tgz\n    version: {version}.0.0\n",
        )
        .expect("written");
    }
    text
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
