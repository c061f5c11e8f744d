//! What doctor says while something is wrong at Google, and that it passes once that was mended.

use anyhow::{Context as _, Result};
use gcp_sim::{Effect, Fault, NotReady, PathPattern};

use super::Place;
use super::status;

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
async fn the_metadata_server_of_the_node_is_told_from_that_of_pods() -> Result<()> {
    let fault = Effect::MetadataWrongIdentity.on("metadata");
    check(fault, "MDS-FLAVOR", "the node's own", &["MDS-EMAIL"]).await
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
