//! What a Project pulls, image by image, and that it reads nothing of another's.

use anyhow::{Context as _, Result};
use gcp_sim::ResourceName;
use serde_json::Value;

use super::{ACCOUNT, Place, REPOSITORY};

/// Finds what was said of one subject.
fn said<'a>(report: &'a Value, id: &str, subject: &str) -> Result<&'a Value> {
    let results = report["results"].as_array().into_iter().flatten();
    let mut of_check = results.filter(|it| it["id"] == id);
    let found = of_check.find(|it| it["subject"] == subject);
    found.with_context(|| format!("no {id} of {subject}: {report:#}"))
}

#[tokio::test]
async fn each_image_of_a_repository_is_pulled_by_itself() -> Result<()> {
    let place = Place::whole().await?;
    let absent = REPOSITORY.replace("/web", "/absent");
    for order in [[REPOSITORY, &absent], [&absent, REPOSITORY]] {
        let images = order.map(|it| format!("--repo={it}"));
        let arguments = [
            "doctor",
            "-o",
            "json",
            "--project=web",
            &images[0],
            &images[1],
        ];
        let (code, report) = place.json(&arguments).await?;
        assert_eq!(code, 1, "{report:#}");
        let web = said(&report, "AR-PULL", &format!("web {REPOSITORY}"))?;
        assert_eq!(web["status"], "pass", "{web}");
        let missing = said(&report, "AR-PULL", &format!("web {absent}"))?;
        assert_eq!(missing["status"], "fail", "{missing}");
        let says = missing["says"].as_str().unwrap_or_default();
        assert!(says.contains("no image absent"), "{says}");
    }
    Ok(())
}

/// A second Project with a repository of its own.
const SHOP: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Project
metadata: {name: shop}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: shop, namespace: shop}
spec:
  subscriptions:
    - image: {repoURL: europe-west1-docker.pkg.dev/acme-prod/others/shop}
";

#[tokio::test]
async fn what_a_project_reads_of_another_is_found_by_trying() -> Result<()> {
    let place = Place::whole().await?;
    let report = async || place.json(&["doctor", "-o", "json"]).await;
    let (_, alone) = report().await?;
    let isolation = said(&alone, "AR-ISOLATION", "web")?;
    assert_eq!(
        isolation["status"], "skip",
        "there is no other: {isolation}"
    );
    place.cluster.apply(SHOP).await?;
    let (_, apart) = report().await?;
    let isolation = said(&apart, "AR-ISOLATION", "web")?;
    assert_eq!(isolation["status"], "pass", "{isolation}");
    let asked = isolation["evidence"][0]["request"].as_str();
    let asked = asked.unwrap_or_default();
    assert!(asked.ends_with("/others:testIamPermissions"), "{asked}");
    let others = ResourceName::repository("acme-prod", "europe-west1", "others");
    let member = format!("serviceAccount:{ACCOUNT}");
    let google = place.google();
    google.grant("roles/artifactregistry.reader", &member, &others)?;
    let (_, leaking) = report().await?;
    let isolation = said(&leaking, "AR-ISOLATION", "web")?;
    assert_eq!(isolation["status"], "warn", "{isolation}");
    let says = isolation["says"].as_str().unwrap_or_default();
    assert!(says.contains("repositories/others"), "{says}");
    Ok(())
}
