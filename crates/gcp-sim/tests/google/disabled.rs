//! APIs that are off: every service refuses, whichever project has to pay.

use anyhow::{Context as _, Result};
use gcp_sim::Google;
use serde_json::{Value, json};

use crate::talk::{API, Reply, Talk, WEB, send};

const PROJECT: &str = "acme-prod";

/// One request to each service and, where they differ in what they look at, several; with what it needs beside the API.
fn requests() -> Vec<(&'static str, &'static str, String, Option<Value>)> {
    let pool = "iam.googleapis.com/v1/projects/acme-prod/locations/global/workloadIdentityPools/acme-prod.svc.id.goog";
    let exchange = json!({
        "grantType": "urn:ietf:params:oauth:grant-type:token-exchange",
        "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
        "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt",
        "subjectToken": "none",
        "audience": "identitynamespace:acme-prod.svc.id.goog:https://container.googleapis.com/v1/projects/acme-prod/\
            locations/europe-west1/clusters/main",
    });
    let (iam, credentials) = ("iam.googleapis.com", "iamcredentials.googleapis.com");
    let policies = "cloudresourcemanager.googleapis.com%2Fprojects%2Facme-prod";
    let get = |service, path: &str| (service, "GET", path.to_owned(), None);
    let post = |service, path: &str, body| (service, "POST", path.to_owned(), Some(body));
    vec![
        get(
            "artifactregistry.googleapis.com",
            "v1/projects/acme-prod/locations/europe/repositories",
        ),
        get(
            "cloudasset.googleapis.com",
            "v1/projects/acme-prod:searchAllResources",
        ),
        get(
            "container.googleapis.com",
            "v1/projects/acme-prod/locations/-/clusters",
        ),
        get(iam, "v1/projects/acme-prod/serviceAccounts"),
        get(iam, "v1/projects/acme-prod/roles"),
        get(iam, pool),
        get(iam, &format!("v2/policies/{policies}/denypolicies")),
        post(
            iam,
            "v1/projects/acme-prod/serviceAccounts/UNIQUE:undelete",
            json!({}),
        ),
        post(
            credentials,
            &format!("v1/projects/-/serviceAccounts/{WEB}:generateAccessToken"),
            json!({ "scope": ["https://www.googleapis.com/auth/cloud-platform"] }),
        ),
        get(
            "orgpolicy.googleapis.com",
            "v2/projects/acme-prod/policies/gcp.resourceLocations:getEffectivePolicy",
        ),
        get(
            "policyanalyzer.googleapis.com",
            "v1/projects/acme-prod/locations/global/activityTypes/serviceAccountLastAuthentication/activities:query",
        ),
        get(
            "pubsub.googleapis.com",
            "v1/projects/acme-prod/subscriptions",
        ),
        get(
            "recommender.googleapis.com",
            "v1/projects/acme-prod/locations/global/insightTypes/google.iam.serviceAccount.Insight/insights",
        ),
        get(
            "cloudresourcemanager.googleapis.com",
            "v3/projects/acme-prod",
        ),
        get(
            "serviceusage.googleapis.com",
            "v1/projects/acme-prod/services",
        ),
        post("sts.googleapis.com", "v1/token", exchange),
    ]
}

/// Deletes an account and says by which number it can be brought back.
fn delete(google: &Google) -> Result<String> {
    let found = google.read(|world| {
        let (_, account) = world.service_account(API)?;
        Some(account.unique_id.clone())
    });
    google.delete_account(API)?;
    found.context("an account")
}

async fn ask(
    talk: &Talk,
    method: &str,
    path: &str,
    body: Option<&Value>,
    payer: Option<&str>,
) -> Result<Reply> {
    let url = format!("http://{}/{path}", talk.simulator.apis);
    let mut request = talk.http.request(method.parse()?, url);
    if path != "v1/token" {
        request = request.bearer_auth(talk.operator()?);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    if let Some(payer) = payer {
        request = request.header("X-Goog-User-Project", payer);
    }
    send(request).await
}

#[tokio::test]
async fn every_service_is_refused_where_its_api_is_off() -> Result<()> {
    let talk = Talk::start().await?;
    let google = talk.google();
    let unique_id = delete(google)?;
    for (service, method, path, body) in requests() {
        let path = path.replace("UNIQUE", &unique_id);
        google.disable_api(PROJECT, service)?;
        let off = ask(&talk, method, &path, body.as_ref(), None).await?;
        assert_eq!(off.reason(), "SERVICE_DISABLED", "{service} {path}");
        google.enable_api(PROJECT, service)?;
        let on = ask(&talk, method, &path, body.as_ref(), None).await?;
        assert_ne!(on.reason(), "SERVICE_DISABLED", "{service} {path}");
    }
    Ok(())
}

#[tokio::test]
async fn the_project_that_the_client_names_pays_everywhere() -> Result<()> {
    let talk = Talk::start().await?;
    let google = talk.google();
    let unique_id = delete(google)?;
    let mut payer = google.read(|world| world.projects[0].clone());
    (payer.id, payer.number) = ("acme-dev".to_owned(), 210_987_654_321);
    payer.services.clear();
    payer.clusters.clear();
    google.change(|world| world.projects.push(payer));
    for (service, method, path, body) in requests() {
        if path == "v1/token" {
            continue;
        }
        let path = path.replace("UNIQUE", &unique_id);
        google.enable_api(PROJECT, service)?;
        let named = ask(&talk, method, &path, body.as_ref(), Some("acme-dev")).await?;
        assert_eq!(named.reason(), "SERVICE_DISABLED", "{service} {path}");
        let strange = ask(&talk, method, &path, body.as_ref(), Some("elsewhere")).await?;
        assert_eq!(strange.reason(), "USER_PROJECT_DENIED", "{service} {path}");
    }
    Ok(())
}
