//! Warehouses that follow charts: a repository with an index and a registry make Freight together.

use anyhow::Result;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, PostParams};
use resources::names::annotation;
use resources::{Warehouse, WarehouseStatus, condition};
use serde_json::{Value, json};
use testkit::servers::{Access, ChartRepository, GitServer, PASSWORD, Registry, USER};

use crate::warehouses::{create, freight_of, says};
use scenarios::{Harbour, PROJECT};

const INDEX: &str = "apiVersion: v1\nentries:\n  web:\n  - version: 1.0.0\n  - version: 1.1.0\n  - version: 2.0.0\n";

fn message(status: &WarehouseStatus, kind: &str) -> String {
    let found = condition::find(&status.conditions, kind);
    found.map(|it| it.message.clone()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn charts_of_an_index_and_of_a_registry_become_freight() -> Result<()> {
    let (harbour, registry) = (Harbour::open().await?, Registry::start(Access::Open)?);
    let repository = ChartRepository::start(Access::Open)?;
    repository.publish(INDEX)?;
    registry.push_chart("acme/charts/worker", "0.3.0+build.1")?;
    let (index, tags) = (
        repository.url(),
        format!("oci://{}", registry.repository("acme/charts/worker")),
    );
    let version = format!(
        "${{{{ chartFrom('{index}', 'web', warehouse('charts')).Version }}}} ${{{{ chartFrom('{tags}', warehouse('charts')).Version }}}}"
    );
    let steps = json!([{"uses": "compose-output", "as": "note", "config": {"version": version}}]);
    harbour.auto_promote(&["test"]).await?;
    harbour
        .stage_of("test", "charts", json!({"direct": true}), steps)
        .await?;
    let spec = json!({
        "subscriptions": [
            {"chart": {"repoURL": index, "name": "web", "semverConstraint": "^1.0.0"}, "name": "front"},
            {"chart": {"repoURL": tags}},
        ],
        "freightCreationCriteria": {"expression": format!("chartFrom('{index}', 'web').Version == '1.1.0'")},
    });
    create(&harbour, "charts", spec).await?;

    // What kubectl shows.
    let warehouse = says(&harbour, "charts", "Ready", "True", "ArtifactsDiscovered").await?;
    let status = warehouse.status.expect("it was looked at");
    let shown: Value = serde_json::to_value(&status)?;
    assert_eq!(
        shown["discoveredArtifacts"]["charts"],
        json!([
            {"repoURL": index, "name": "web", "semverConstraint": "^1.0.0", "versions": ["1.1.0", "1.0.0"], "subscriptionName": "front"},
            {"repoURL": tags, "versions": ["0.3.0+build.1"]},
        ])
    );
    assert_eq!(
        condition::find(&status.conditions, "SelectionRemarks"),
        None
    );
    assert!(message(&status, "DiscoveryCost").contains("requests (127.0.0.1:"));
    let freight = freight_of(&harbour, "charts").await?;
    assert_eq!(
        serde_json::to_value(&freight[0].charts)?,
        json!([
            {"repoURL": index, "name": "web", "version": "1.1.0", "subscriptionName": "front"},
            {"repoURL": tags, "version": "0.3.0+build.1"},
        ])
    );
    let stage = harbour.holds("test", freight[0].name()).await?;
    let last = stage.status.and_then(|it| it.last_promotion);
    let state = last.and_then(|it| it.status).and_then(|it| it.state);
    assert_eq!(
        state.map(|it| it["note"]["version"].clone()),
        Some(json!("1.1.0 0.3.0+build.1"))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_that_is_not_there_yet_is_told_and_taken_once_it_is() -> Result<()> {
    let (harbour, repository) = (
        Harbour::open().await?,
        ChartRepository::start(Access::Open)?,
    );
    repository.publish(INDEX)?;
    let url = repository.url();
    let spec = json!({"subscriptions": [{"chart": {"repoURL": url, "name": "api"}}]});
    create(&harbour, "charts", spec).await?;
    let warehouse = says(
        &harbour,
        "charts",
        "Healthy",
        "False",
        "NoChartVersionsDiscovered",
    )
    .await?;
    let status = warehouse.status.expect("it was looked at");
    assert_eq!(
        message(&status, "SelectionRemarks"),
        format!(
            "chart api of {url}: the index has no chart \"api\"; next: helm show chart api --repo {url}"
        )
    );
    assert!(freight_of(&harbour, "charts").await?.is_empty());

    repository.publish(&format!("{INDEX}  api:\n  - version: 0.1.0\n"))?;
    harbour
        .annotate::<Warehouse>("charts", annotation::REFRESH, "1")
        .await?;
    says(&harbour, "charts", "Ready", "True", "ArtifactsDiscovered").await?;
    let freight = freight_of(&harbour, "charts").await?;
    assert_eq!(
        (freight.len(), freight[0].charts[0].version.as_str()),
        (1, "0.1.0")
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_repository_opens_with_a_secret_for_charts() -> Result<()> {
    let (harbour, repository) = (
        Harbour::open().await?,
        ChartRepository::start(Access::Password)?,
    );
    repository.publish(INDEX)?;
    let url = repository.url();
    let spec = json!({"subscriptions": [{"chart": {"repoURL": url, "name": "web"}}]});
    create(&harbour, "charts", spec).await?;
    let warehouse = says(&harbour, "charts", "Healthy", "False", "DiscoveryFailed").await?;
    let told = message(&warehouse.status.expect("it was looked at"), "Healthy");
    let start = format!("chart web of {url}: GET 127.0.0.1:");
    let next = format!(
        "the server answered 401 Unauthorized; next: create a Secret with label kargo.akuity.io/cred-type=helm in the project's namespace, \
         holding username, password and repoURL {url}"
    );
    assert!(told.starts_with(&start) && told.ends_with(&next), "{told}");

    let secret = json!({
        "metadata": {"name": "charts", "labels": {"kargo.akuity.io/cred-type": "helm"}},
        "stringData": {"repoURL": url, "username": USER, "password": PASSWORD},
    });
    let secrets: Api<k8s_openapi::api::core::v1::Secret> =
        Api::namespaced(harbour.client(), PROJECT);
    secrets
        .create(&PostParams::default(), &serde_json::from_value(secret)?)
        .await?;
    harbour
        .annotate::<Warehouse>("charts", annotation::REFRESH, "1")
        .await?;
    says(&harbour, "charts", "Ready", "True", "ArtifactsDiscovered").await?;
    assert_eq!(
        freight_of(&harbour, "charts").await?[0].charts[0].version,
        "2.0.0"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_writes_versions_of_charts_into_git() -> Result<()> {
    let (harbour, registry) = (Harbour::open().await?, Registry::start(Access::Open)?);
    let (repository, git) = (
        ChartRepository::start(Access::Password)?,
        GitServer::start(Access::Open)?,
    );
    repository.publish(INDEX)?;
    registry.push_chart("acme/charts/worker", "0.3.0")?;
    let chart = "name: umbrella\ndependencies:\n- name: web\n  version: 0.0.0\n- name: worker\n  version: 0.0.0\n";
    git.create("acme/deploy", &[("charts/umbrella/Chart.yaml", chart)])?;

    let example = include_str!("../../../../examples/charts/pipeline.yaml")
        .replace("https://charts.example.com", &repository.url())
        .replace(
            "oci://registry.example.com/",
            &format!("oci://{}/", registry.host()),
        )
        .replace(
            "https://git.example.com/acme/deploy.git",
            &git.url("acme/deploy"),
        );
    for document in serde_saphyr::from_multiple::<DynamicObject>(&example)? {
        let types = document.types.clone().expect("a kind");
        // The project of the test takes the place of the example's.
        if types.kind == "Project" {
            continue;
        }
        let mut object = document;
        object.metadata.namespace = None;
        if types.kind == "ProjectConfig" {
            object.metadata.name = Some(PROJECT.to_owned());
        }
        let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(&types)?);
        let api: Api<DynamicObject> = Api::namespaced_with(harbour.client(), PROJECT, &resource);
        api.create(&PostParams::default(), &object).await?;
    }
    let pinned = harbour
        .until("the versions are in Git", async || {
            let file = git.git("acme/deploy", &["show", "main:charts/umbrella/Chart.yaml"])?;
            Ok(Some(file).filter(|it| it != chart))
        })
        .await?;
    let expected = chart
        .replacen("0.0.0", "1.1.0", 1)
        .replacen("0.0.0", "0.3.0", 1);
    assert_eq!(pinned, expected);
    Ok(())
}
