//! Operations: done at once, after a while, or never.

use anyhow::{Context as _, Result};
use gcp_sim::{Clock, Effect};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::talk::Talk;

const CONTAINER: &str = "container.googleapis.com";
const USAGE: &str = "serviceusage.googleapis.com";
const CLUSTERS: &str = "v1/projects/acme-prod/locations/europe-west1";
const SERVICES: &str = "v1/projects/acme-prod/services";

async fn start() -> Result<(Talk, String)> {
    let clock = Clock::standing_at("2026-03-01T10:00:00Z".parse()?);
    let talk = Talk::at(clock).await?;
    let ops = talk.operator()?;
    Ok((talk, ops))
}

/// Turns Workload Identity Federation of the cluster off, and gives the operation.
async fn turn_off(talk: &Talk, ops: &str) -> Result<Value> {
    let body = json!({"update": {"desiredWorkloadIdentityConfig": {"workloadPool": ""}}});
    let path = format!("{CLUSTERS}/clusters/main");
    talk.put(ops, &path, &body).await?.json()
}

/// Says whether it is on.
async fn is_on(talk: &Talk, ops: &str) -> Result<bool> {
    let cluster = talk.get(ops, &format!("{CLUSTERS}/clusters/main")).await?;
    Ok(cluster.json()?.get("workloadIdentityConfig").is_some())
}

async fn enable(talk: &Talk, ops: &str) -> Result<Value> {
    let body = json!({"serviceIds": ["pubsub.googleapis.com"]});
    let path = format!("{SERVICES}:batchEnable");
    talk.post(ops, &path, &body).await?.json()
}

async fn state(talk: &Talk, ops: &str) -> Result<Value> {
    let path = format!("{SERVICES}/pubsub.googleapis.com");
    Ok(talk.get(ops, &path).await?.json()?["state"].clone())
}

/// Asks for an operation anew.
async fn again(talk: &Talk, ops: &str, operation: &Value, place: &str) -> Result<Value> {
    let name = operation["name"].as_str().context("a name")?;
    talk.get(ops, &format!("{place}{name}")).await?.json()
}

#[tokio::test]
async fn operations_take_their_time_and_may_fail() -> Result<()> {
    let (talk, ops) = start().await?;
    let slow = || Effect::OperationSlow { seconds: 60 };
    let failed = || Effect::OperationFailed {
        code: 9,
        message: "the operation was cancelled".to_owned(),
    };
    let status = json!({"code": 9, "message": "the operation was cancelled"});
    let operations = format!("{CLUSTERS}/operations/");

    for service in [CONTAINER, USAGE] {
        talk.google().inject(slow().on(service).times(1));
        talk.google().inject(failed().on(service).times(1));
    }
    let (cluster, service) = (turn_off(&talk, &ops).await?, enable(&talk, &ops).await?);
    assert_eq!(
        (&cluster["status"], cluster.get("error")),
        (&json!("RUNNING"), None)
    );
    assert_eq!((service.get("done"), service.get("error")), (None, None));
    talk.google().clock().advance(SignedDuration::from_secs(60));
    let cluster = again(&talk, &ops, &cluster, &operations).await?;
    assert_eq!(
        (&cluster["status"], &cluster["error"]),
        (&json!("DONE"), &status)
    );
    let service = again(&talk, &ops, &service, "serviceusage.googleapis.com/v1/").await?;
    assert_eq!(
        (&service["done"], &service["error"]),
        (&json!(true), &status)
    );
    assert!(is_on(&talk, &ops).await?, "nothing has changed");
    assert_eq!(state(&talk, &ops).await?, "DISABLED");

    for service in [CONTAINER, USAGE] {
        talk.google().inject(slow().on(service).times(1));
    }
    let (cluster, service) = (turn_off(&talk, &ops).await?, enable(&talk, &ops).await?);
    talk.google().clock().advance(SignedDuration::from_secs(59));
    assert!(is_on(&talk, &ops).await?, "it is early");
    assert_eq!(state(&talk, &ops).await?, "DISABLED");
    talk.google().clock().advance(SignedDuration::from_secs(1));
    // Whether or not anybody asks for the operation.
    assert!(!is_on(&talk, &ops).await?);
    assert_eq!(state(&talk, &ops).await?, "ENABLED");
    let cluster = again(&talk, &ops, &cluster, &operations).await?;
    assert_eq!(
        (&cluster["status"], cluster.get("error")),
        (&json!("DONE"), None)
    );
    let service = again(&talk, &ops, &service, "serviceusage.googleapis.com/v1/").await?;
    assert_eq!(service["response"]["services"][0]["state"], "ENABLED");
    Ok(())
}

#[tokio::test]
async fn what_fails_at_once_has_changed_nothing() -> Result<()> {
    let (talk, ops) = start().await?;
    let failed = Effect::OperationFailed {
        code: 13,
        message: "internal".to_owned(),
    };
    let fault = talk.google().inject(failed.everywhere());
    assert_eq!(turn_off(&talk, &ops).await?["error"]["code"], 13);
    assert_eq!(enable(&talk, &ops).await?["error"]["message"], "internal");
    assert!(is_on(&talk, &ops).await?);
    assert_eq!(state(&talk, &ops).await?, "DISABLED");
    talk.google().mend(fault);
    assert_eq!(turn_off(&talk, &ops).await?["status"], "DONE");
    assert_eq!(enable(&talk, &ops).await?["done"], true);
    assert!(!is_on(&talk, &ops).await?);
    assert_eq!(
        enable(&talk, &ops).await?["name"],
        "operations/noop.DONE_OPERATION"
    );
    Ok(())
}
