//! A whole chain passes; a broken link is named, and what rests on it is not guessed at.

use anyhow::{Context as _, Result};
use gcp_sim::{Google, ResourceName, World as GoogleWorld};
use serde_json::Value;

use super::{ACCOUNT, CONTROLLER, Place, REPOSITORY, apps, status, text};

fn account() -> ResourceName {
    ResourceName::service_account("acme-prod", ACCOUNT)
}

#[tokio::test]
async fn a_whole_chain_passes_from_the_pod_to_the_tags() -> Result<()> {
    let place = Place::whole().await?;
    let (code, report) = place.json(&["doctor", "-o", "json"]).await?;
    let bad: Vec<_> = report["results"]
        .as_array()
        .context("no results")?
        .iter()
        .filter(|it| it["status"] == "fail" || it["status"] == "unknown")
        .collect();
    assert_eq!(code, 0, "{bad:#?}");
    for id in [
        "MDS-EMAIL",
        "API-PROBE",
        "GSA-BINDING",
        "GSA-MINT",
        "AR-READER",
        "AR-PULL",
        "AR-REST",
        "CLUSTER-WIF",
        "EGRESS",
        "GSA-PROJECT",
        "GSA-ROLES",
        "GSA-ORPHAN",
        "DENY-POLICY",
        "VPCSC",
    ] {
        assert_eq!(status(&report, id)?, "pass", "{id}");
    }
    // The API of the test has no Pods, so no policy can hold for one.
    assert_eq!(status(&report, "K8S-NETPOL")?, "skip");
    let mint = report["results"]
        .as_array()
        .and_then(|it| it.iter().find(|it| it["id"] == "GSA-MINT"));
    let mint = mint.context("no GSA-MINT")?;
    assert_eq!(mint["subject"], "web");
    assert_eq!(mint["vantage"], "pod");
    assert_eq!(mint["documentation"], "gcp-checks.md#gsa-mint");
    assert!(
        mint["evidence"][0]["request"]
            .as_str()
            .is_some_and(|it| it.starts_with("POST https://iamcredentials."))
    );
    Ok(())
}

#[tokio::test]
async fn the_link_that_is_broken_fails_and_what_rests_on_it_is_skipped() -> Result<()> {
    type Break = fn(&Google) -> Result<()>;
    let cases: [(&str, &[&str], Break); 6] = [
        (
            "GSA-EXISTS",
            &["GSA-BINDING", "GSA-MINT", "AR-PULL"],
            |google| Ok(google.delete_account(ACCOUNT)?),
        ),
        ("GSA-ENABLED", &["GSA-MINT", "AR-PULL"], |google| {
            Ok(google.disable_account(ACCOUNT)?)
        }),
        ("GSA-BINDING", &["GSA-MINT", "AR-PULL"], |google| {
            Ok(google.revoke("roles/iam.workloadIdentityUser", CONTROLLER, &account())?)
        }),
        ("AR-READER", &["AR-PULL"], |google| {
            Ok(google.revoke(
                "roles/artifactregistry.reader",
                &format!("serviceAccount:{ACCOUNT}"),
                &apps(),
            )?)
        }),
        (
            "API-IAMCREDENTIALS",
            &["API-PROBE", "GSA-MINT", "AR-PULL"],
            |google| Ok(google.disable_api("acme-prod", "iamcredentials.googleapis.com")?),
        ),
        ("AR-REPO", &["AR-READER", "AR-PULL"], |google| {
            google.change(|world| {
                world.projects[0]
                    .repositories
                    .retain(|it| it.name != "apps");
            });
            Ok(())
        }),
    ];
    for (broken, skipped, break_it) in cases {
        let place = Place::whole().await?;
        break_it(place.google())?;
        let (code, report) = place.json(&["doctor", "-o", "json"]).await?;
        assert_eq!(
            (code, status(&report, broken)?),
            (1, "fail"),
            "{broken}: {report:#}"
        );
        for id in skipped {
            assert_eq!(status(&report, id)?, "skip", "{broken} -> {id}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_annotated_account_is_not_judged_as_the_controller() -> Result<()> {
    let place = Place::whole().await?;
    let google = place.google();
    google.create_account("acme-prod", "builds")?;
    let email = "builds@acme-prod.iam.gserviceaccount.com";
    let account = ResourceName::service_account("acme-prod", email);
    google.grant("roles/iam.workloadIdentityUser", CONTROLLER, &account)?;
    google.change(|world| world.pods[0].gcp_service_account = Some(email.to_owned()));
    let (code, report) = place.json(&["doctor", "-o", "json"]).await?;
    assert_eq!(
        (code, status(&report, "MDS-EMAIL")?),
        (1, "fail"),
        "{report:#}"
    );
    assert_eq!(status(&report, "GSA-BINDING")?, "pass");
    for id in [
        "API-PROBE",
        "GSA-MINT",
        "GSA-MINT-OTHERS",
        "KSA-DIRECT",
        "AR-PULL",
    ] {
        assert_eq!(status(&report, id)?, "skip", "{id}: {report:#}");
    }
    // Told as a principal it is the same as told by its pool.
    google.change(|world| {
        world.pods[0].gcp_service_account = None;
        world.pods[0].return_principal_id_as_email = true;
    });
    let (code, report) = place.json(&["doctor", "-o", "json"]).await?;
    assert_eq!(code, 0, "{report:#}");
    Ok(())
}

#[tokio::test]
async fn a_role_on_what_no_project_uses_is_found_by_search() -> Result<()> {
    let place = Place::whole().await?;
    let unused = ResourceName::repository("acme-prod", "europe-west1", "others");
    let member = format!("serviceAccount:{ACCOUNT}");
    let google = place.google();
    google.grant("roles/artifactregistry.writer", &member, &unused)?;
    let (code, report) = place.json(&["doctor", "-o", "json"]).await?;
    assert_eq!(
        (code, status(&report, "GSA-ROLES")?),
        (1, "fail"),
        "{report:#}"
    );
    let results = report["results"].as_array().context("no results")?;
    let roles = results.iter().find(|it| it["id"] == "GSA-ROLES");
    let roles = roles.context("no GSA-ROLES")?.to_string();
    for part in [
        "repositories/others",
        "https://cloudasset.googleapis.com/v1/organizations/7:searchAllIamPolicies",
        "gcloud artifacts repositories remove-iam-policy-binding others",
    ] {
        assert!(roles.contains(part), "no {part:?}: {roles}");
    }
    // A role that was read itself is not found twice, by the project's number as well.
    let (_, report) = place.json(&["audit", "-o", "json"]).await?;
    google.grant("roles/viewer", &member, &ResourceName::project("acme-prod"))?;
    let (_, more) = place.json(&["audit", "-o", "json"]).await?;
    let count = |report: &Value| report["findings"].as_array().map_or(0, Vec::len);
    assert_eq!(count(&more), count(&report) + 1, "{more:#}");
    Ok(())
}

#[tokio::test]
async fn what_may_not_be_searched_is_unknown_and_named() -> Result<()> {
    type Change = fn(&mut GoogleWorld);
    let cases: [(Change, &[&str]); 3] = [
        // Below an organisation of which the operator may read nothing.
        (
            |world| world.organizations[0].policy.bindings.clear(),
            &[
                "roles outside of projects/acme-prod",
                "organizations/7 could not be searched",
            ],
        ),
        // Other projects of somebody who has no organisation are in no search.
        (
            stands_alone,
            &[
                "roles outside of projects/acme-prod",
                "no organisation is above it",
            ],
        ),
        (
            |world| {
                stands_alone(world);
                let services = &mut world.projects[0].services;
                services.retain(|it| it != "cloudasset.googleapis.com");
            },
            &["cloudasset.googleapis.com is off"],
        ),
    ];
    for (change, parts) in cases {
        let place = Place::whole().await?;
        place.google().change(change);
        let (code, report) = place.json(&["doctor", "-o", "json"]).await?;
        assert_eq!(
            (code, status(&report, "GSA-ROLES")?),
            (2, "unknown"),
            "{report:#}"
        );
        let results = report["results"].as_array().context("no results")?;
        let roles = results.iter().find(|it| it["id"] == "GSA-ROLES");
        let says = roles.context("no GSA-ROLES")?["says"].to_string();
        for part in parts {
            assert!(says.contains(part), "no {part:?}: {says}");
        }
    }
    Ok(())
}

fn stands_alone(world: &mut GoogleWorld) {
    world.organizations.clear();
    world.projects[0].parent = None;
}

/// A project of images alone, in a folder that denies reading them.
const OF_IMAGES: &str = r#"
organizations: [{number: '7', displayName: acme.example}]
folders:
- number: '9'
  displayName: images
  parent: organizations/7
  deny:
  - deniedPrincipals: ["principalSet://goog/public:all"]
    deniedPermissions: [artifactregistry.googleapis.com/repositories.downloadArtifacts]
projects:
- id: acme-art
  number: 210987654321
  parent: folders/9
  services: [artifactregistry.googleapis.com, cloudresourcemanager.googleapis.com, iam.googleapis.com]
  repositories: [{name: apps, location: europe-west1}]
"#;

#[tokio::test]
async fn what_is_denied_around_a_repository_of_another_project_is_found() -> Result<()> {
    let place = Place::whole().await?;
    let images = GoogleWorld::from_yaml("world.yaml", OF_IMAGES)?;
    place.google().change(|world| {
        world.folders.extend(images.folders);
        world.projects.extend(images.projects);
    });
    let arguments = [
        "doctor",
        "-o",
        "json",
        "--project=web",
        "--repo=europe-west1-docker.pkg.dev/acme-art/apps/web",
    ];
    let (code, report) = place.json(&arguments).await?;
    assert_eq!(code, 1, "{report:#}");
    let results = report["results"].as_array().context("no results")?;
    let of = |place: &str| {
        let mut all = results.iter().filter(|it| it["id"] == "DENY-POLICY");
        all.find(|it| it["subject"] == place)
            .map(|it| &it["status"])
    };
    assert_eq!(of("folders/9"), Some(&"fail".into()), "{report:#}");
    for fine in ["projects/acme-prod", "projects/acme-art", "organizations/7"] {
        assert_eq!(of(fine), Some(&"pass".into()), "{fine}: {report:#}");
    }
    Ok(())
}

#[tokio::test]
async fn an_annotation_that_denies_leaves_nobody_to_fall_back() -> Result<()> {
    let place = Place::whole().await?;
    place.google().delete_account(ACCOUNT)?;
    let (_, report) = place.json(&["doctor", "-o", "json"]).await?;
    assert_eq!(status(&report, "FALLBACK-MODE")?, "warn", "{report:#}");
    let project = "{apiVersion: kargo.akuity.io/v1alpha1, kind: Project, \
        metadata: {name: web, annotations: {argosy.dev/gcp-identity-fallback: deny}}}";
    place.cluster.apply(project).await?;
    let (_, report) = place.json(&["doctor", "-o", "json"]).await?;
    assert_eq!(status(&report, "FALLBACK-MODE")?, "pass", "{report:#}");
    Ok(())
}

#[tokio::test]
async fn a_person_reads_what_is_wrong_and_a_command_that_mends_it() -> Result<()> {
    let place = Place::whole().await?;
    place
        .google()
        .revoke("roles/iam.workloadIdentityUser", CONTROLLER, &account())?;
    let output = place.run(&["doctor"]).await?;
    let table = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{table}");
    assert!(table.contains("fail     GSA-BINDING"), "{table}");
    assert!(
        table.contains("gcloud iam service-accounts add-iam-policy-binding"),
        "{table}"
    );
    assert!(table.contains("depends on GSA-BINDING"), "{table}");
    assert!(
        !table.contains('\u{1b}'),
        "no colours outside of a terminal"
    );
    let token = std::fs::read_to_string(place.file("token"))?;
    assert!(!table.contains(&token) && !text(&output.stderr).contains(&token));
    Ok(())
}

#[tokio::test]
async fn who_may_read_nothing_gets_unknowns_and_the_exit_code_two() -> Result<()> {
    let place = Place::whole().await?;
    let stranger = place
        .simulator
        .token_of("user:eve@acme.example")
        .context("a token")?;
    std::fs::write(place.file("token"), stranger)?;
    let (code, report) = place
        .json(&[
            "doctor",
            "-o",
            "json",
            "--project=web",
            "--repo=europe-west1-docker.pkg.dev/acme-prod/apps/web",
        ])
        .await?;
    assert_eq!(
        (code, status(&report, "AR-REPO")?),
        (2, "unknown"),
        "{report:#}"
    );
    Ok(())
}

#[tokio::test]
async fn the_pod_alone_sees_what_the_controller_sees_and_skips_the_rest() -> Result<()> {
    let place = Place::whole().await?;
    let output = place
        .bare(&["doctor", "-o", "json", "--project=web"])
        .arg(format!("--repo={REPOSITORY}"))
        .env("HOME", place.folder.path())
        .output()
        .await?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    assert_eq!(status(&report, "AR-PULL")?, "pass");
    assert_eq!(status(&report, "GSA-BINDING")?, "skip");
    Ok(())
}

#[tokio::test]
async fn nobody_to_ask_is_an_error_that_says_how_to_become_somebody() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let output = tokio::process::Command::new(crate::binary())
        .args(["gcp", "doctor", "--project=web"])
        .env_clear()
        .env("HOME", folder.path())
        .output()
        .await?;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("gcloud auth print-access-token"), "{said}");
    Ok(())
}
