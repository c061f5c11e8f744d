//! Subscriptions with names: who found what stands on the status and on Freight, also where the repository is the same.

use anyhow::{Context as _, Result};
use resources::names::annotation;
use resources::{Warehouse, WarehouseStatus, condition};
use serde_json::{Value, json};
use testkit::servers::{Access, ChartRepository, GitServer, Image, Registry};

use crate::warehouses::{create, freight_of, says};
use scenarios::{Clock, Harbour, Surroundings};

const INDEX: &str = "apiVersion: v1\nentries:\n  web:\n  - version: 1.0.0\n";
const REPOSITORY: &str = "acme/config";

/// Lists a field of every entry of a list.
fn field(list: &Value, name: &str) -> Vec<String> {
    let entries = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let fields = entries.iter().map(|it| it[name].as_str());
    fields.map(|it| it.unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_a_subscription_stands_by_what_it_found_of_every_kind() -> Result<()> {
    let (harbour, registry) = (Harbour::open().await?, Registry::start(Access::Open)?);
    let git = GitServer::start(Access::Open)?;
    let charts = ChartRepository::start(Access::Open)?;
    registry.push(&Image::new("acme/web", "1.0.0"))?;
    registry.push_chart("acme/charts/worker", "0.3.0")?;
    charts.publish(INDEX)?;
    git.create(REPOSITORY, &[("README.md", "hello")])?;
    let tags = format!("oci://{}", registry.repository("acme/charts/worker"));
    let subscriptions = json!([
        {"name": "front", "image": {"repoURL": registry.repository("acme/web")}},
        {"name": "settings", "git": {"repoURL": git.url(REPOSITORY)}},
        {"name": "listed", "chart": {"repoURL": charts.url(), "name": "web"}},
        {"name": "tagged", "chart": {"repoURL": tags}},
    ]);
    create(&harbour, "named", json!({"subscriptions": subscriptions})).await?;
    let warehouse = says(&harbour, "named", "Ready", "True", "ArtifactsDiscovered").await?;
    let status = warehouse.status.context("it was looked at")?;
    let found = serde_json::to_value(&status.discovered_artifacts)?;
    let freight = freight_of(&harbour, "named").await?;
    let freight = serde_json::to_value(freight.first().context("it was made")?)?;
    for (kind, on_freight, expected) in [
        ("images", "images", &["front"][..]),
        ("git", "commits", &["settings"]),
        ("charts", "charts", &["listed", "tagged"]),
    ] {
        assert_eq!(field(&found[kind], "subscriptionName"), expected, "{kind}");
        let names = field(&freight[on_freight], "subscriptionName");
        assert_eq!(names, expected, "{on_freight}");
    }
    Ok(())
}

/// A repository of two applications that one Warehouse watches by two subscriptions, which have these names.
struct Two {
    harbour: Harbour,
    git: GitServer,
    names: [&'static str; 2],
    refreshes: usize,
}

impl Two {
    async fn open(names: [&'static str; 2]) -> Result<Self> {
        // Webhooks refuse two subscriptions to one repository; a Warehouse may be older than they are.
        let surroundings = Surroundings {
            unchecked: &["warehouses"],
            ..Surroundings::default()
        };
        let harbour = Harbour::open_in(Clock::start(), surroundings).await?;
        let git = GitServer::start(Access::Open)?;
        git.create(REPOSITORY, &[("README.md", "hello")])?;
        git.commit(REPOSITORY, &[("apps/web/a.yaml", "one")], "Web one")?;
        git.commit(REPOSITORY, &[("apps/api/a.yaml", "one")], "Api one")?;
        let url = git.url(REPOSITORY);
        let subscription = |name: &str, path: &str| {
            let mut it = json!({"git": {"repoURL": url, "includePaths": [path]}});
            if !name.is_empty() {
                it["name"] = json!(name);
            }
            it
        };
        let subscriptions = [
            subscription(names[0], "apps/web"),
            subscription(names[1], "apps/api"),
        ];
        let spec = json!({"subscriptions": subscriptions, "freightCreationPolicy": "Manual"});
        create(&harbour, "two", spec).await?;
        says(&harbour, "two", "Ready", "True", "ArtifactsDiscovered").await?;
        Ok(Self {
            harbour,
            git,
            names,
            refreshes: 0,
        })
    }

    /// Asks for another look and waits until it has been.
    async fn refreshed(&mut self) -> Result<WarehouseStatus> {
        self.refreshes += 1;
        let asked = self.refreshes.to_string();
        self.harbour
            .annotate::<Warehouse>("two", annotation::REFRESH, &asked)
            .await?;
        self.harbour
            .until("it was looked again", async || {
                let it: Warehouse = self.harbour.api().get("two").await?;
                let status = it.status.unwrap_or_default();
                Ok(Some(status).filter(|it| it.last_handled_refresh == asked))
            })
            .await
    }

    /// Checks what each of the subscriptions takes first.
    #[track_caller]
    fn check(&self, status: &WarehouseStatus, expected: [&str; 2]) {
        let found = status.discovered_artifacts.as_ref().expect("artifacts");
        let found = found.git.iter().map(|it| {
            let best = it.commits.first().map(|it| it.subject.as_str());
            (it.subscription_name.as_str(), best.unwrap_or_default())
        });
        let expected: Vec<_> = self.names.into_iter().zip(expected).collect();
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }
}

/// Gives what is said of the last look's cost.
fn cost(status: &WarehouseStatus) -> String {
    let cost = condition::find(&status.conditions, condition::DISCOVERY_COST);
    cost.map(|it| it.message.clone()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_subscriptions_to_one_repository_are_told_apart_by_their_names() -> Result<()> {
    let mut two = Two::open(["web", "api"]).await?;
    let status = two.refreshed().await?;
    two.check(&status, ["Web one", "Api one"]);
    // Each knows what was its own before, so that nothing is read.
    let told = cost(&status);
    assert!(told.contains(", 2 answers remembered;"), "{told}");
    // What is new for the one is not new for the other, which goes on from where it was itself.
    two.git
        .commit(REPOSITORY, &[("apps/api/b.yaml", "two")], "Api two")?;
    let status = two.refreshed().await?;
    two.check(&status, ["Web one", "Api two"]);
    let found = status.discovered_artifacts.context("artifacts")?;
    let subjects = found.git.iter().map(|it| {
        let subjects = it.commits.iter().map(|it| it.subject.as_str());
        subjects.collect::<Vec<_>>()
    });
    let expected = [vec!["Web one"], vec!["Api two", "Api one"]];
    assert_eq!(subjects.collect::<Vec<_>>(), expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_subscriptions_to_one_repository_without_names_are_not_mixed_up() -> Result<()> {
    let mut two = Two::open(["", ""]).await?;
    let status = two.refreshed().await?;
    two.check(&status, ["Web one", "Api one"]);
    // Nothing tells which of the results of before was whose, so both are read anew.
    let told = cost(&status);
    assert!(!told.contains("remembered"), "{told}");
    Ok(())
}
