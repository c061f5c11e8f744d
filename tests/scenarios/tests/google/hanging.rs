//! An API that takes requests and never answers: it holds up nobody but who asks, for as long as time-outs are, and passes.

use std::time::Duration;

use anyhow::{Context as _, Result};
use credentials::google::Fallback;
use credentials::{Credentials, Error, Kind, Outcome};
use futures::future::join_all;
use kube::Api;
use kube::api::PostParams;
use resources::{Warehouse, condition};
use scenarios::{PROJECT, google};
use serde_json::json;
use testkit::google::{Effect, IAM_CREDENTIALS, account_of, image_of};
use tokio::time::Instant;

use crate::port::{OTHER, Port, WAREHOUSE};

/// A request is given ten seconds, and all tries together thirty.
const TRY: Duration = Duration::from_secs(10);
const BUDGET: Duration = Duration::from_secs(30);
/// What others may take who do not wait: much less than one try.
const AT_ONCE: Duration = Duration::from_secs(5);
/// How many ask for the same at the same time.
const CALLERS: usize = 20;

/// Opens with two Projects, each with an account of its own.
async fn open() -> Result<Port> {
    let port = Port::open(Fallback::Allow).await?;
    port.harbour.create_project(OTHER).await?;
    port.google.give_account(PROJECT)?;
    port.google.give_account(OTHER)?;
    Ok(port)
}

async fn outcome(credentials: &Credentials, project: &str) -> Result<Outcome, Error> {
    let access = credentials
        .find(project, Kind::Image, &image_of(project))
        .await?;
    Ok(access.identity.expect("an identity acts").outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_shares_one_request_and_its_time_out_and_nobody_weaker_acts() -> Result<()> {
    let port = open().await?;
    let (google, clock) = (&port.google, &port.harbour.clock);
    let client = port.harbour.client();
    let credentials =
        google::credentials(google, clock, client, Fallback::Allow, google::LIFETIME)?;
    google.inject(
        Effect::Hang
            .on(IAM_CREDENTIALS)
            .where_path_has(&account_of(PROJECT)),
    );
    let started = Instant::now();
    let waiting = join_all((0..CALLERS).map(|_| outcome(&credentials, PROJECT)));
    let other = async {
        // Begins while the others wait.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let asked = Instant::now();
        (outcome(&credentials, OTHER).await, asked.elapsed())
    };
    let (waited, (other, took)) = tokio::join!(waiting, other);
    let all = started.elapsed();
    assert!(matches!(other, Ok(Outcome::OwnServiceAccount)), "{other:?}");
    assert!(took < AT_ONCE, "another Project waited for {took:?}");
    for answer in waited {
        let error = answer.expect_err("Google is silent");
        let outcome = error.identity().map(|it| it.outcome);
        assert_eq!(outcome, Some(Outcome::Unavailable), "{error}");
        assert!(
            error.hint().contains("argosy gcp doctor"),
            "{}",
            error.hint()
        );
    }
    assert!(
        (2 * TRY..BUDGET + AT_ONCE).contains(&all),
        "it took {all:?}"
    );
    let asked = google.take_asked(IAM_CREDENTIALS).into_iter();
    let about_project = asked.filter(|it| it.path.contains(&account_of(PROJECT)));
    let tries = about_project.count();
    assert!(
        (2..=3).contains(&tries),
        "{CALLERS} callers made {tries} requests"
    );

    google.mend();
    let asked = Instant::now();
    let own = outcome(&credentials, PROJECT).await;
    assert!(matches!(own, Ok(Outcome::OwnServiceAccount)), "{own:?}");
    assert!(asked.elapsed() < AT_ONCE, "silence is not remembered");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warehouse_recovers_by_itself_and_does_not_hold_up_another() -> Result<()> {
    let port = open().await?;
    let hang = Effect::Hang.on(IAM_CREDENTIALS);
    let hang = hang.where_path_has(&account_of(PROJECT)).times(1);
    let started = Instant::now();
    port.google.inject(hang);
    port.subscribe_to(PROJECT).await?;
    let struck = async || Ok(port.google.google().faults().is_empty().then_some(()));
    port.harbour.until("the request hangs", struck).await?;

    let others: Api<Warehouse> = Api::namespaced(port.harbour.client(), OTHER);
    let warehouse = json!({
        "metadata": {"name": WAREHOUSE},
        "spec": {"subscriptions": [{"image": {"repoURL": image_of(OTHER)}}]},
    });
    let warehouse: Warehouse = serde_json::from_value(warehouse)?;
    others.create(&PostParams::default(), &warehouse).await?;
    let is_ready = |it: Warehouse| {
        let status = it.status.as_ref();
        status.is_some_and(|it| condition::is_true(&it.conditions, "Ready"))
    };
    let ready = async || Ok(is_ready(others.get(WAREHOUSE).await?).then_some(()));
    port.harbour.until("the other is ready", ready).await?;
    assert!(
        started.elapsed() < TRY,
        "the other waited for {:?}",
        started.elapsed()
    );
    let conditions = port.warehouse().await?.status.map(|it| it.conditions);
    let has_identity =
        conditions.is_some_and(|it| condition::find(&it, "RegistryIdentity").is_some());
    assert!(!has_identity, "it waits for Google meanwhile");

    port.identity("True", "OwnServiceAccount").await?;
    assert!(
        started.elapsed() >= TRY,
        "the first try was not given up before its time"
    );
    port.has_freight().await.context("after the time-out")?;
    assert_eq!(
        port.who_asked().len(),
        2,
        "each asked as itself and nobody for another"
    );
    Ok(())
}
