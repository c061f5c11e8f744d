//! Warehouses: what a real registry and a real Git host have becomes Freight, once.

use anyhow::Result;
use k8s_openapi::api::core::v1::Event;
use kube::api::{Api, ListParams, PostParams};
use resources::names::annotation;
use resources::{Freight, Warehouse, condition};
use serde_json::{Value, json};
use testkit::servers::{Access, GitServer, Image, Registry};

use scenarios::{Harbour, harmless_with};

pub(crate) async fn create(harbour: &Harbour, name: &str, spec: Value) -> Result<()> {
    let warehouse: Warehouse =
        serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec}))?;
    harbour
        .api()
        .create(&PostParams::default(), &warehouse)
        .await?;
    Ok(())
}

/// Waits until a Warehouse has a condition with this status and reason.
pub(crate) async fn says(
    harbour: &Harbour,
    name: &str,
    kind: &str,
    status: &str,
    reason: &str,
) -> Result<Warehouse> {
    let what = format!("Warehouse {name:?} says {kind}={status}/{reason}");
    harbour
        .until(&what, async || {
            let it: Warehouse = harbour.api().get(name).await?;
            let conditions = it.status.as_ref().map_or(&[][..], |it| &it.conditions);
            let found = condition::find(conditions, kind)
                .is_some_and(|it| it.status == status && it.reason == reason);
            Ok(found.then_some(it))
        })
        .await
}

pub(crate) async fn freight_of(harbour: &Harbour, warehouse: &str) -> Result<Vec<Freight>> {
    let mut found: Vec<Freight> = harbour
        .api::<Freight>()
        .list(&ListParams::default())
        .await?
        .items;
    found.retain(|it| it.origin.name == warehouse);
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_becomes_freight_and_reaches_a_stage() -> Result<()> {
    let (harbour, registry) = (Harbour::open().await?, Registry::start(Access::Open)?);
    registry.push(&Image::new("acme/web", "1.0.0"))?;
    harbour.auto_promote(&["test"]).await?;
    let repository = registry.repository("acme/web");
    harbour
        .stage_of(
            "test",
            "images",
            json!({"direct": true}),
            harmless_with(&repository, "images"),
        )
        .await?;
    create(
        &harbour,
        "images",
        json!({"subscriptions": [{"image": {"repoURL": repository, "constraint": "^1.0.0"}}]}),
    )
    .await?;

    let warehouse = says(&harbour, "images", "Ready", "True", "ArtifactsDiscovered").await?;
    let made = freight_of(&harbour, "images").await?;
    assert_eq!((made.len(), made[0].images[0].tag.as_str()), (1, "1.0.0"));
    assert_eq!(
        warehouse.status.expect("it was looked at").last_freight_id,
        made[0].name()
    );
    assert!(
        !made[0].alias.is_empty(),
        "it has a name that people can say"
    );
    harbour.holds("test", made[0].name()).await?;

    // What is found in the same second is ordered by name.
    harbour.clock.advance(1);
    registry.push(&Image::new("acme/web", "2.0.0"))?;
    registry.push(&Image::new("acme/web", "1.1.0"))?;
    harbour
        .annotate::<Warehouse>("images", annotation::REFRESH, "1")
        .await?;
    let newer = harbour
        .until("the new image is Freight", async || {
            Ok(freight_of(&harbour, "images")
                .await?
                .into_iter()
                .find(|it| it.images[0].tag == "1.1.0"))
        })
        .await?;
    harbour.holds("test", newer.name()).await?;
    assert_eq!(
        freight_of(&harbour, "images").await?.len(),
        2,
        "what does not satisfy the constraint is left alone"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_combination_is_made_once_and_told_once() -> Result<()> {
    let (harbour, registry) = (Harbour::open().await?, Registry::start(Access::Open)?);
    registry.push(&Image::new("acme/web", "1.0.0"))?;
    create(
        &harbour,
        "images",
        json!({"subscriptions": [{"image": {"repoURL": registry.repository("acme/web")}}]}),
    )
    .await?;
    says(&harbour, "images", "FreightCreated", "True", "NewFreight").await?;
    harbour
        .annotate::<Warehouse>("images", annotation::REFRESH, "again")
        .await?;
    let warehouse = says(
        &harbour,
        "images",
        "FreightCreated",
        "False",
        "AlreadyExists",
    )
    .await?;
    let status = warehouse.status.expect("it was looked at");
    let made = freight_of(&harbour, "images").await?;
    assert_eq!(
        (made.len(), made[0].name()),
        (1, status.last_freight_id.as_str())
    );
    assert_eq!(status.last_handled_refresh, "again");

    let events = harbour
        .api::<Event>()
        .list(&ListParams::default())
        .await?
        .items;
    let told: Vec<_> = events
        .iter()
        .filter(|it| it.reason.as_deref() == Some("FreightCreated"))
        .collect();
    assert_eq!(told.len(), 1);
    let annotations = told[0].metadata.annotations.clone().unwrap_or_default();
    assert_eq!(
        annotations["event.kargo.akuity.io/freight-warehouse-name"],
        "images"
    );
    assert_eq!(
        annotations["event.kargo.akuity.io/actor"],
        "controller:warehouse-controller"
    );
    assert_eq!(
        told[0].involved_object.name.as_deref(),
        Some(made[0].name())
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_subscription_that_fails_is_named_and_the_others_are_seen() -> Result<()> {
    let (harbour, registry) = (Harbour::open().await?, Registry::start(Access::Open)?);
    registry.push(&Image::new("acme/web", "1.0.0"))?;
    let missing = registry.repository("acme/missing");
    let subscriptions = json!([{"image": {"repoURL": missing}}, {"image": {"repoURL": registry.repository("acme/web")}}]);
    create(&harbour, "images", json!({"subscriptions": subscriptions})).await?;
    let warehouse = says(&harbour, "images", "Healthy", "False", "DiscoveryFailed").await?;
    let status = warehouse.status.expect("it was looked at");
    let message = &condition::find(&status.conditions, "Healthy")
        .expect("it is set")
        .message;
    assert!(
        message.contains(&missing) && !message.contains("acme/web:"),
        "{message}"
    );
    let request = format!(": GET {}/v2/acme/missing/tags/list for ", registry.host());
    let next = format!("skopeo list-tags docker://{missing}");
    let (told, advice) = message.split_once("; next: ").expect("a next step");
    assert!(told.contains(&request), "{told}");
    assert!(advice.ends_with(&next), "{advice}");
    assert_eq!(
        status
            .discovered_artifacts
            .expect("the other one was found")
            .images
            .len(),
        1
    );
    assert!(freight_of(&harbour, "images").await?.is_empty());

    registry.push(&Image::new("acme/missing", "1.0.0"))?;
    harbour
        .annotate::<Warehouse>("images", annotation::REFRESH, "1")
        .await?;
    says(&harbour, "images", "Ready", "True", "ArtifactsDiscovered").await?;
    assert_eq!(freight_of(&harbour, "images").await?[0].images.len(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_has_answered_is_not_read_again_while_another_never_has() -> Result<()> {
    let (harbour, registry) = (Harbour::open().await?, Registry::start(Access::Open)?);
    let git = GitServer::start(Access::Open)?;
    git.create("acme/config", &[("README.md", "hello")])?;
    let subscriptions = json!([
        {"image": {"repoURL": registry.repository("acme/missing")}},
        {"git": {"repoURL": git.url("acme/config")}},
    ]);
    create(&harbour, "both", json!({"subscriptions": subscriptions})).await?;
    says(&harbour, "both", "Healthy", "False", "DiscoveryFailed").await?;
    harbour
        .annotate::<Warehouse>("both", annotation::REFRESH, "1")
        .await?;
    let what = "the second look remembers what the first one found";
    let status = harbour
        .until(what, async || {
            let it: Warehouse = harbour.api().get("both").await?;
            let status = it.status.unwrap_or_default();
            let cost = condition::find(&status.conditions, condition::DISCOVERY_COST);
            let is_told = cost.is_some_and(|it| it.message.contains("1 answer remembered"));
            Ok(is_told.then_some(status))
        })
        .await?;
    assert!(condition::is_false(&status.conditions, condition::HEALTHY));
    let found = status.discovered_artifacts.expect("commits were found");
    assert_eq!(found.git[0].commits.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn criteria_hold_freight_back_until_they_are_satisfied() -> Result<()> {
    let (harbour, registry) = (Harbour::open().await?, Registry::start(Access::Open)?);
    registry.push(&Image::new("acme/web", "1.1.0"))?;
    registry.push(&Image::new("acme/api", "1.0.0"))?;
    let (web, api) = (
        registry.repository("acme/web"),
        registry.repository("acme/api"),
    );
    let spec = json!({
        "subscriptions": [{"image": {"repoURL": web}}, {"image": {"repoURL": api}}],
        "freightCreationCriteria": {"expression": format!("imageFrom('{web}').Tag == imageFrom('{api}').Tag")},
    });
    create(&harbour, "images", spec).await?;
    says(
        &harbour,
        "images",
        "FreightCreationCriteriaSatisfied",
        "False",
        "CriteriaNotSatisfied",
    )
    .await?;
    assert!(freight_of(&harbour, "images").await?.is_empty());
    registry.push(&Image::new("acme/api", "1.1.0"))?;
    harbour
        .annotate::<Warehouse>("images", annotation::REFRESH, "1")
        .await?;
    says(&harbour, "images", "FreightCreated", "True", "NewFreight").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_and_images_move_as_one() -> Result<()> {
    let (harbour, registry) = (Harbour::open().await?, Registry::start(Access::Open)?);
    let git = GitServer::start(Access::Open)?;
    registry.push(&Image::new("acme/web", "1.0.0"))?;
    git.create("acme/config", &[("README.md", "hello")])?;
    let subscriptions = json!([
        {"image": {"repoURL": registry.repository("acme/web")}},
        {"git": {"repoURL": git.url("acme/config"), "branch": "main"}},
    ]);
    create(&harbour, "both", json!({"subscriptions": subscriptions})).await?;
    says(&harbour, "both", "Ready", "True", "ArtifactsDiscovered").await?;
    let made = freight_of(&harbour, "both").await?;
    assert_eq!(
        (made.len(), made[0].images.len(), made[0].commits.len()),
        (1, 1, 1)
    );
    assert_eq!(made[0].commits[0].id.len(), 40);
    assert_eq!(made[0].name(), made[0].generate_name());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_a_tag_names_becomes_freight_and_the_same_tags_cost_one_request() -> Result<()>
{
    let harbour = Harbour::open().await?;
    let git = GitServer::start(Access::Open)?;
    git.create("acme/config", &[("README.md", "hello")])?;
    git.git("acme/config", &["tag", "-a", "-m", "One", "v1.0.0", "main"])?;
    let subscriptions = json!([
        {"name": "releases", "git": {"repoURL": git.url("acme/config"), "commitSelectionStrategy": "SemVer"}},
    ]);
    create(&harbour, "tags", json!({"subscriptions": subscriptions})).await?;
    says(&harbour, "tags", "FreightCreated", "True", "NewFreight").await?;
    let made = freight_of(&harbour, "tags").await?;
    let head = git.git("acme/config", &["rev-parse", "main"])?;
    assert_eq!(
        (
            made[0].commits[0].tag.as_str(),
            made[0].commits[0].id.as_str()
        ),
        ("v1.0.0", head.trim())
    );

    harbour
        .annotate::<Warehouse>("tags", annotation::REFRESH, "1")
        .await?;
    let warehouse = says(&harbour, "tags", "FreightCreated", "False", "AlreadyExists").await?;
    let status = warehouse.status.expect("it was looked at");
    let cost = condition::find(&status.conditions, condition::DISCOVERY_COST);
    let cost = &cost.expect("it is told").message;
    let told = "1), 1 answer remembered; it took";
    assert!(
        cost.starts_with("1 request (127.0.0.1") && cost.contains(told),
        "{cost}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warehouse_looks_again_when_its_interval_has_passed() -> Result<()> {
    let (mut harbour, registry) = (Harbour::open().await?, Registry::start(Access::Open)?);
    registry.push(&Image::new("acme/web", "1.0.0"))?;
    let spec = json!({"interval": "10m0s", "subscriptions": [{"image": {"repoURL": registry.repository("acme/web")}}]});
    create(&harbour, "images", spec).await?;
    says(&harbour, "images", "Ready", "True", "ArtifactsDiscovered").await?;
    registry.push(&Image::new("acme/web", "1.1.0"))?;
    harbour.stop().await?;
    harbour.clock.advance(599);
    harbour.start().await?;
    harbour.settle().await?;
    assert_eq!(freight_of(&harbour, "images").await?.len(), 1);
    harbour.stop().await?;
    harbour.clock.advance(61);
    harbour.start().await?;
    harbour
        .until("the new image is Freight", async || {
            Ok((freight_of(&harbour, "images").await?.len() == 2).then_some(()))
        })
        .await?;
    let projects = Api::<resources::Project>::all(harbour.client())
        .list(&ListParams::default())
        .await?;
    assert_eq!(projects.items.len(), 1);
    Ok(())
}
