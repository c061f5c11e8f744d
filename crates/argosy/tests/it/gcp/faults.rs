//! What doctor says while something is wrong at Google, and that it passes once that was mended.

use anyhow::{Context as _, Result};
use gcp_sim::{Effect, Fault, NotReady, PathPattern, ResourceName};
use serde_json::Value;

use super::{ACCOUNT, Place, status};

/// Where doctor first looks whether there is a metadata server.
const FIRST: &str = "^/computeMetadata/v1/instance/$";

/// A fault of the metadata server that hits the first look only, so that nobody waits for the others.
fn at_first(effect: Effect) -> Result<Fault> {
    let mut fault = effect.on("metadata");
    fault.scope.path_pattern = Some(PathPattern::try_from(FIRST.to_owned())?);
    Ok(fault)
}

/// Checks what doctor says of a link while a fault is in force, what rests on it, and that nothing is left over.
async fn check(fault: Fault, broken: &str, says: &str, skipped: &[&str]) -> Result<()> {
    let place = Place::whole().await?;
    let case = format!("{:?}", fault.effect);
    let number = place.google().inject(fault);
    let (code, report) = place.json(&["doctor", "-o", "json"]).await?;
    assert_eq!(
        (code, status(&report, broken)?),
        (1, "fail"),
        "{case}: {report:#}"
    );
    let results = report["results"].as_array().context("no results")?;
    let found = results.iter().find(|it| it["id"] == broken);
    let said = found.context("no such check")?["says"].to_string();
    assert!(said.contains(says), "{case}: {said}");
    for id in skipped {
        assert_eq!(status(&report, id)?, "skip", "{case}: {id}");
    }
    place.google().mend(number);
    let (code, report) = place.json(&["doctor", "-o", "json"]).await?;
    assert_eq!(code, 0, "after {case}: {report:#}");
    for id in skipped.iter().chain([&broken]) {
        assert_ne!(status(&report, id)?, "skip", "after {case}: {id}");
    }
    Ok(())
}

#[tokio::test]
async fn a_metadata_server_that_gives_up_on_callers_is_crowded() -> Result<()> {
    let fault = at_first(Effect::MetadataOverload)?;
    let rests = ["MDS-FLAVOR", "MDS-EMAIL", "MDS-TOKEN", "AR-PULL"];
    check(fault, "MDS-REACH", "too many ask it at a time", &rests).await
}

#[tokio::test]
async fn a_metadata_server_that_keeps_silent_is_not_reached() -> Result<()> {
    let hold = Effect::MetadataNotReady {
        how: NotReady::Hold,
    };
    let rests = ["MDS-FLAVOR", "MDS-EMAIL", "MDS-TOKEN", "AR-PULL"];
    let says = "a time-out is mostly a network policy";
    check(at_first(hold)?, "MDS-REACH", says, &rests).await
}

#[tokio::test]
async fn a_metadata_server_that_is_late_is_waited_for() -> Result<()> {
    let place = Place::whole().await?;
    let refuse = Effect::MetadataNotReady {
        how: NotReady::Refuse,
    };
    let mut fault = at_first(refuse)?;
    fault.times = Some(4);
    place.google().inject(fault);
    let output = place
        .run(&["doctor", "-o", "json", "--wait", "30s"])
        .await?;
    let said = super::text(&output.stderr);
    assert_eq!(said.matches("does not answer yet").count(), 1, "{said}");
    assert!(said.contains("waiting for up to 30 s"), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    let results = report["results"].as_array().context("no results")?;
    let reach = results.iter().find(|it| it["id"] == "MDS-REACH");
    let says = reach.context("no MDS-REACH")?["says"].to_string();
    assert!(says.contains("it answers, after "), "{says}");
    Ok(())
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_the_slowest() -> Result<()> {
    let place = Place::whole().await?;
    let hold = Effect::MetadataNotReady {
        how: NotReady::Hold,
    };
    let mut fault = hold.on("metadata");
    let path = "^/computeMetadata/v1/instance/attributes/$".to_owned();
    fault.scope.path_pattern = Some(PathPattern::try_from(path)?);
    place.google().inject(fault);
    let (_, report) = place.json(&["doctor", "-o", "json"]).await?;
    let results = report["results"].as_array().context("no results")?;
    let latency = results.iter().find(|it| it["id"] == "MDS-LATENCY");
    let latency = latency.context("no MDS-LATENCY")?;
    assert_eq!(latency["status"], "warn", "{latency}");
    let says = latency["says"].to_string();
    assert!(says.contains("longer than callers wait"), "{says}");
    Ok(())
}

#[tokio::test]
async fn the_metadata_server_of_the_node_is_told_from_that_of_pods() -> Result<()> {
    let fault = Effect::MetadataWrongIdentity.on("metadata");
    // What the node's account may do says nothing about the controller.
    let rests = [
        "MDS-EMAIL",
        "API-PROBE",
        "GSA-MINT",
        "GSA-MINT-OTHERS",
        "KSA-DIRECT",
        "AR-PULL",
    ];
    check(fault, "MDS-FLAVOR", "the node's own", &rests).await
}

#[tokio::test]
async fn an_account_that_is_disabled_says_so_when_it_is_acted_as() -> Result<()> {
    let fault = Effect::GsaDisabled.on("iamcredentials.googleapis.com");
    check(fault, "GSA-MINT", "is disabled", &["AR-PULL"]).await
}

#[tokio::test]
async fn a_clock_that_differs_from_googles_is_off() -> Result<()> {
    let fault = Effect::ClockSkew { seconds: -300 }.everywhere();
    check(fault, "CLOCK", "ahead", &[]).await
}

/// What doctor found about the roles of accounts.
fn roles(report: &Value) -> Result<&Value> {
    let mut results = report["results"].as_array().into_iter().flatten();
    let found = results.find(|it| it["id"] == "GSA-ROLES");
    found.context("no GSA-ROLES")
}

#[tokio::test]
async fn a_policy_that_was_read_counts_for_more_than_a_search_that_lags_behind() -> Result<()> {
    let place = Place::whole().await?;
    let google = place.google();
    let member = format!("serviceAccount:{ACCOUNT}");
    let read = ResourceName::project("acme-prod");
    // No Project uses it, so its own policy is not read.
    let searched = ResourceName::repository("acme-prod", "europe-west1", "others");
    let writer = "roles/artifactregistry.writer";
    google.grant("roles/viewer", &member, &read)?;
    google.grant(writer, &member, &searched)?;
    let number = google.inject(Effect::AssetStale { seconds: 3_600 }.everywhere());
    google.revoke("roles/viewer", &member, &read)?;
    google.revoke(writer, &member, &searched)?;

    let (code, report) = place.json(&["doctor", "-o", "json"]).await?;
    let found = roles(&report)?;
    assert_eq!(
        (code, status(&report, "GSA-ROLES")?),
        (1, "fail"),
        "{found:#}"
    );
    let says = found["says"].to_string();
    assert!(says.contains("repositories/others"), "{says}");
    for gone in ["roles/viewer", " more: "] {
        assert!(!says.contains(gone), "it was read that it is gone: {says}");
    }
    // Only what was searched for says when, as it tells of some time before.
    let evidence = found["evidence"].as_array().context("no evidence")?;
    assert!(!evidence.is_empty(), "{found:#}");
    for source in evidence {
        let request = source["request"].as_str().unwrap_or_default();
        let is_search = request.ends_with(":searchAllIamPolicies");
        assert_eq!(source["at"].is_string(), is_search, "{source}");
    }
    assert!(evidence.iter().any(|it| it["at"].is_string()), "{found:#}");
    let table = place.run(&["doctor"]).await?.stdout;
    let table = super::text(&table);
    assert!(table.contains(", and lags behind"), "{table}");

    place.google().mend(number);
    let (code, report) = place.json(&["doctor", "-o", "json"]).await?;
    assert_eq!(
        (code, status(&report, "GSA-ROLES")?),
        (0, "pass"),
        "{report:#}"
    );
    Ok(())
}

#[tokio::test]
async fn who_may_not_read_one_policy_gets_one_unknown_and_the_exit_code_two() -> Result<()> {
    for (permission, unknown) in [
        ("iam.serviceAccounts.getIamPolicy", "GSA-BINDING"),
        ("artifactregistry.repositories.getIamPolicy", "AR-READER"),
    ] {
        let place = Place::whole().await?;
        let hidden = Effect::PartialPermissions {
            permissions: vec![permission.to_owned()],
        };
        let number = place.google().inject(hidden.everywhere());
        let (code, report) = place.json(&["doctor", "-o", "json"]).await?;
        assert_eq!(
            (code, status(&report, unknown)?),
            (2, "unknown"),
            "{permission}: {report:#}"
        );
        // What the Pod tries says more than a policy does.
        assert_eq!(status(&report, "AR-PULL")?, "pass", "{permission}");
        place.google().mend(number);
        let (code, _) = place.json(&["doctor", "-o", "json"]).await?;
        assert_eq!(code, 0, "after {permission}");
    }
    Ok(())
}
