//! Every host that Artifact Registry has, and what is there beside images: read by workload identity alike.

use std::collections::BTreeSet;
use std::fs;

use anyhow::Result;
use gcp_sim::{Repository, ResourceName, SeedImage};
use serde_json::{Value, json};

use super::fallback::{reader, up, wait_for_warehouse};
use super::{ACCOUNT, Place};

/// Repositories by location and name, and the host that an image of theirs is written with.
const FORMER: [(&str, &str); 3] = [
    ("us", "gcr.io"),
    ("europe", "eu.gcr.io"),
    ("asia", "asia.gcr.io"),
];

const MANIFESTS: &str = "
apiVersion: kargo.akuity.io/v1alpha1
kind: Project
metadata: {name: web}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: web, namespace: web}
spec:
  subscriptions:
    - image: {repoURL: gcr.io/acme-prod/team/web}
    - image: {repoURL: eu.gcr.io/acme-prod/team/web}
    - image: {repoURL: asia.gcr.io/acme-prod/team/web}
    - chart: {repoURL: 'oci://europe-west1-docker.pkg.dev/acme-prod/apps/charts/web'}
    - chart: {repoURL: 'oci://gcr.io/acme-prod/charts/web'}
";

fn image(name: &str, tag: &str) -> Result<SeedImage> {
    let image = json!({"name": name, "tags": [tag], "platforms": ["linux/amd64"]});
    Ok(serde_json::from_value(image)?)
}

/// Gives the Project's account the repositories of the former hosts to read, and fills all.
fn fill(place: &Place) -> Result<()> {
    let member = format!("serviceAccount:{ACCOUNT}");
    for (location, name) in FORMER {
        let made: Repository = serde_json::from_value(json!({"name": name, "location": location}))?;
        place
            .google()
            .change(|world| world.projects[0].repositories.push(made));
        let repository = ResourceName::repository("acme-prod", location, name);
        place
            .google()
            .grant("roles/artifactregistry.reader", &member, &repository)?;
        let at = ("acme-prod", location, name);
        place.simulator.push(at, &image("team/web", "1.2.3")?);
    }
    let charts = [("europe-west1", "apps"), ("us", "gcr.io")];
    for (location, name) in charts {
        let at = ("acme-prod", location, name);
        place
            .simulator
            .push(at, &image("charts/web", "4.5.6_build.7")?);
    }
    Ok(())
}

/// Finds what a Warehouse has discovered once it has all: tags by image, and versions by chart.
fn discovered(warehouse: &Value) -> Option<(Vec<String>, Vec<String>)> {
    let found = &warehouse["status"]["discoveredArtifacts"];
    let text = |it: &Value| it.as_str().map(str::to_owned);
    let images = found["images"].as_array()?.iter();
    let images = images.map(|it| text(&it["references"][0]["tag"]));
    let charts = found["charts"].as_array()?.iter();
    let charts = charts.map(|it| text(&it["versions"][0]));
    let (images, charts): (Vec<_>, Vec<_>) = (
        images.collect::<Option<_>>()?,
        charts.collect::<Option<_>>()?,
    );
    (images.len() == 3 && charts.len() == 2).then_some((images, charts))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn former_hosts_and_charts_are_read_by_workload_identity() -> Result<()> {
    let place = Place::whole().await?;
    fill(&place)?;
    place.google().take_asked();
    let folder = tempfile::tempdir()?;
    let mut command = up(&place, folder.path())?;
    fs::write(folder.path().join("web.yaml"), MANIFESTS)?;
    command.args(place.endpoint_flags());
    for (_, host) in FORMER {
        command.arg(format!(
            "--registry-endpoint={host}=http://{}",
            place.simulator.registry
        ));
    }
    let found = tokio::task::block_in_place(|| {
        wait_for_warehouse(command, folder.path(), |it| {
            Some((discovered(it)?, reader(it)?))
        })
    });
    let ((tags, versions), reader) = found?;
    assert_eq!(tags, ["1.2.3"; 3]);
    assert_eq!(versions, ["4.5.6+build.7"; 2]);
    assert_eq!(reader["reason"], "OwnServiceAccount", "{reader}");
    let asked = place.google().take_asked();
    let registry = asked.iter().filter(|it| it.path.starts_with("/v2/"));
    let who: BTreeSet<_> = registry.map(|it| it.principal.as_deref()).collect();
    let own = format!("serviceAccount:{ACCOUNT}");
    assert_eq!(
        who,
        BTreeSet::from([Some(&*own)]),
        "nobody else, and not nobody"
    );
    Ok(())
}
