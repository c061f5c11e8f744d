//! go-containerregistry, with the keychain that asks the metadata server: tokens, pulls, pushes, lists and refusals.

use anyhow::Result;
use gcp_sim::{Options, Simulator, World};
use serde_json::{Value, json};

use super::run;

const WORLD: &str = "
projects:
- id: acme
  number: 4711
  services: [artifactregistry.googleapis.com, container.googleapis.com]
  clusters: [{name: main, location: europe-west1}]
  repositories:
  - name: apps
    location: europe-west1
    bindings:
    - role: roles/artifactregistry.reader
      members: ['principal://iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/acme.svc.id.goog/subject/ns/argosy/sa/reader']
    - role: roles/artifactregistry.writer
      members: ['principal://iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/acme.svc.id.goog/subject/ns/argosy/sa/writer']
    images:
    - {name: team/web, tags: [v1, latest], platforms: [linux/amd64, linux/arm64], built: 2026-01-01T00:00:00Z, uploaded: 2026-01-02T00:00:00Z}
    - {name: team/web/front, tags: [v1]}
    - {name: many, generate: {tags: 2500}}
pods:
- {name: reader, cluster: acme/europe-west1/main, namespace: argosy, serviceAccount: reader}
- {name: writer, cluster: acme/europe-west1/main, namespace: argosy, serviceAccount: writer}
- {name: stranger, cluster: acme/europe-west1/main, namespace: argosy, serviceAccount: stranger}
";

const APPS: &str = "europe-west1-docker.pkg.dev/acme/apps";

async fn start() -> Result<Simulator> {
    let world = World::from_yaml("world.yaml", WORLD)?;
    Ok(Simulator::start(world, Options::default()).await?)
}

/// Runs a scenario about an image, given with its tag.
async fn with_image(
    simulator: &Simulator,
    pod: &str,
    scenario: &str,
    image: &str,
) -> Result<Value> {
    let image = format!("{APPS}/{image}");
    run(simulator, pod, scenario, &[("IMAGE", &image)]).await
}

/// Runs a scenario about the tags of an image, or of all images where it is empty.
async fn with_tags(simulator: &Simulator, pod: &str, scenario: &str, image: &str) -> Result<Value> {
    let repository = format!("{APPS}/{image}");
    let repository = repository.trim_end_matches('/');
    run(simulator, pod, scenario, &[("REPOSITORY", repository)]).await
}

/// What a pod asked the registry, and as whom: its own account, or nobody.
fn asked(simulator: &Simulator, pod: &str) -> Vec<String> {
    let itself = format!("/sa/{pod}");
    let asked = simulator.google().take_asked().into_iter();
    let registry = asked.filter(|it| it.path.starts_with("/v2/"));
    let lines = registry.map(|it| {
        let who = match it.principal {
            Some(principal) if principal.ends_with(&itself) => "itself".to_owned(),
            Some(other) => other,
            None => "nobody".to_owned(),
        };
        format!("{} {} as {who}", it.method, it.path)
    });
    lines.collect()
}

fn denied(permission: &str) -> Value {
    let message = format!(
        "Permission \"artifactregistry.repositories.{permission}\" denied on resource \
         \"projects/acme/locations/europe-west1/repositories/apps\" (or it may not exist)"
    );
    json!({"status": 403, "code": "DENIED", "message": message})
}

#[tokio::test]
async fn an_image_is_pulled_with_the_pods_own_token() -> Result<()> {
    let simulator = start().await?;
    let seen = with_image(&simulator, "reader", "pull", "team/web:v1").await?;
    assert_eq!(seen["same"], true);
    assert_eq!(seen["platforms"], json!(["linux/amd64", "linux/arm64"]));
    assert!(seen["bytes"].as_i64() > Some(0), "{seen}");
    Ok(())
}

#[tokio::test]
async fn tags_are_followed_from_page_to_page_with_one_registry_token() -> Result<()> {
    let simulator = start().await?;
    let seen = with_tags(&simulator, "reader", "pages", "many").await?;
    assert_eq!(seen, json!({"tags": 2500, "different": 2500}));
    let page = "GET /v2/acme/apps/many/tags/list as itself";
    let expected = [
        "GET /v2/ as nobody",
        "GET /v2/token as itself",
        page,
        page,
        page,
    ];
    assert_eq!(asked(&simulator, "reader"), expected);
    Ok(())
}

#[tokio::test]
async fn googles_list_has_manifests_and_the_images_below() -> Result<()> {
    let simulator = start().await?;
    let seen = with_tags(&simulator, "reader", "list", "team/web").await?;
    assert_eq!(seen["name"], "acme/apps/team/web");
    assert_eq!(seen["tags"], json!(["latest", "v1"]));
    assert_eq!(seen["children"], json!(["front"]));
    let manifests: Vec<&Value> = seen["manifests"].as_array().into_iter().flatten().collect();
    let (tagged, others): (Vec<&Value>, Vec<&Value>) = manifests
        .into_iter()
        .partition(|it| it["tags"] != json!([]));
    let expected = json!({
        "created": "1970-01-01T00:00:00Z",
        "uploaded": "2026-01-02T00:00:00Z",
        "type": "application/vnd.oci.image.index.v1+json",
        "sized": true,
        "tags": ["latest", "v1"],
    });
    assert_eq!(tagged, [&expected]);
    let built: Vec<&Value> = others.iter().map(|it| &it["created"]).collect();
    assert_eq!(built, ["2026-01-01T00:00:00Z"; 2], "one for each platform");
    Ok(())
}

#[tokio::test]
async fn a_walk_finds_every_image_of_a_repository() -> Result<()> {
    let simulator = start().await?;
    let seen = with_tags(&simulator, "reader", "walk", "").await?;
    let expected = json!({
        "acme/apps": 0,
        "acme/apps/many": 2500,
        "acme/apps/team": 0,
        "acme/apps/team/web": 2,
        "acme/apps/team/web/front": 1,
    });
    assert_eq!(seen["images"], expected);
    Ok(())
}

#[tokio::test]
async fn a_writer_pushes_and_a_reader_is_told_what_it_takes() -> Result<()> {
    let simulator = start().await?;
    let pushed = with_image(&simulator, "writer", "push", "new:v1").await?;
    assert_eq!(pushed, json!({ "same": true }));
    let refused = with_image(&simulator, "reader", "push", "new:v2").await?;
    assert_eq!(refused, denied("uploadArtifacts"));
    Ok(())
}

#[tokio::test]
async fn an_account_without_a_binding_is_denied() -> Result<()> {
    let simulator = start().await?;
    for scenario in ["list", "pages", "walk"] {
        let refused = with_tags(&simulator, "stranger", scenario, "team/web").await?;
        assert_eq!(refused, denied("downloadArtifacts"), "{scenario}");
    }
    assert!(
        asked(&simulator, "stranger").contains(&"GET /v2/token as itself".to_owned()),
        "a token is had all the same: it says who, not what for"
    );
    Ok(())
}
