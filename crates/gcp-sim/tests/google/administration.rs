//! The APIs that people and tools administer by: IAM, Resource Manager, Service Usage, Container, Org Policy.

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::talk::{API, Talk, WEB};

#[tokio::test]
async fn an_account_is_made_granted_disabled_and_deleted() -> Result<()> {
    let talk = Talk::start().await?;
    let ops = talk.operator()?;
    let accounts = "v1/projects/acme-prod/serviceAccounts";
    let body = json!({"accountId": "kargo-project-new", "serviceAccount": {"displayName": "New"}});
    let made = talk.post(&ops, accounts, &body).await?.json()?;
    let email = made["email"].as_str().context("an email")?.to_owned();
    assert_eq!(email, "kargo-project-new@acme-prod.iam.gserviceaccount.com");
    assert_eq!(made["uniqueId"].as_str().map(str::len), Some(21));
    let again = talk.post(&ops, accounts, &body).await?;
    assert_eq!(
        (
            again.status.as_u16(),
            again.json()?["error"]["status"].clone()
        ),
        (409, json!("ALREADY_EXISTS"))
    );
    let short = talk
        .post(&ops, accounts, &json!({"accountId": "new"}))
        .await?;
    assert_eq!(short.status, 400);
    let disabled = talk
        .post(&ops, &format!("{accounts}/{email}:disable"), &json!({}))
        .await?;
    assert_eq!(disabled.json()?, json!({}));
    let shown = talk
        .get(&ops, &format!("{accounts}/{email}"))
        .await?
        .json()?;
    assert_eq!(shown["disabled"], true);
    Ok(())
}

#[tokio::test]
async fn a_missing_account_is_404_by_name_and_403_by_wildcard() -> Result<()> {
    let talk = Talk::start().await?;
    let ops = talk.operator()?;
    let ghost = "kargo-project-ghost@acme-prod.iam.gserviceaccount.com";
    let named = talk
        .get(
            &ops,
            &format!("v1/projects/acme-prod/serviceAccounts/{ghost}"),
        )
        .await?;
    assert_eq!(
        (named.status.as_u16(), named.reason()),
        (404, format!("Unknown service account: {ghost}"))
    );
    let wildcard = format!("iam.googleapis.com/v1/projects/-/serviceAccounts/{ghost}");
    assert_eq!(talk.get(&ops, &wildcard).await?.status, 403);
    Ok(())
}

#[tokio::test]
async fn policies_are_read_changed_and_written_with_an_etag() -> Result<()> {
    let talk = Talk::start().await?;
    let ops = talk.operator()?;
    let account = format!("v1/projects/acme-prod/serviceAccounts/{API}");
    let set = async |policy: serde_json::Value| {
        talk.post(
            &ops,
            &format!("{account}:setIamPolicy"),
            &json!({ "policy": policy }),
        )
        .await
    };
    let empty = talk
        .post(&ops, &format!("{account}:getIamPolicy"), &json!({}))
        .await?
        .json()?;
    assert_eq!(empty, json!({"etag": "ACAB", "version": 1}));
    let bindings =
        json!([{"role": "roles/iam.workloadIdentityUser", "members": ["user:ann@acme.example"]}]);
    let written = set(json!({"etag": "ACAB", "bindings": bindings})).await?;
    assert_eq!(written.status, 200, "{}", written.text);
    let stale = set(json!({"etag": "ACAB", "bindings": bindings})).await?;
    assert_eq!(
        (
            stale.status.as_u16(),
            stale.json()?["error"]["status"].clone()
        ),
        (409, json!("ABORTED"))
    );
    for (role, status, reason) in [
        (
            "projects/acme-prod/roles/nothing",
            400,
            "Role projects/acme-prod/roles/nothing is not supported for this resource.",
        ),
        // It may well be one of Google's.
        (
            "roles/bigquery.user",
            501,
            "gcp-sim: knows no role roles/bigquery.user",
        ),
    ] {
        let role = json!([{"role": role, "members": ["user:ann@acme.example"]}]);
        let unknown = set(json!({ "bindings": role })).await?;
        assert_eq!(
            (unknown.status.as_u16(), unknown.reason().as_str()),
            (status, reason)
        );
    }
    let read = talk.get(&ops, "v1/roles/bigquery.user").await?;
    assert_eq!(read.status, 501, "{}", read.text);
    let ghost = json!([{"role": "roles/viewer", "members": ["serviceAccount:ghost1@acme-prod.iam.gserviceaccount.com"]}]);
    let missing = set(json!({ "bindings": ghost })).await?;
    assert_eq!(
        missing.reason(),
        "Service account ghost1@acme-prod.iam.gserviceaccount.com does not exist."
    );
    Ok(())
}

#[tokio::test]
async fn a_deleted_account_stays_in_policies_as_deleted() -> Result<()> {
    let talk = Talk::start().await?;
    let ops = talk.operator()?;
    let project = gcp_sim::ResourceName::project("acme-prod");
    talk.google()
        .grant("roles/viewer", &format!("serviceAccount:{API}"), &project)?;
    let url = format!(
        "http://{}/v1/projects/acme-prod/serviceAccounts/{API}",
        talk.simulator.apis
    );
    talk.http
        .delete(url)
        .bearer_auth(&ops)
        .send()
        .await?
        .error_for_status()?;
    let policy = talk
        .post(&ops, "v3/projects/acme-prod:getIamPolicy", &json!({}))
        .await?;
    let member = format!("deleted:serviceAccount:{API}?uid=");
    assert!(policy.text.contains(&member), "{}", policy.text);
    Ok(())
}

#[tokio::test]
async fn a_key_opens_its_account_until_it_is_disabled() -> Result<()> {
    let talk = Talk::start().await?;
    let ops = talk.operator()?;
    let keys = format!("v1/projects/acme-prod/serviceAccounts/{WEB}/keys");
    let made = talk.post(&ops, &keys, &json!({})).await?.json()?;
    let name = made["name"].as_str().context("a name")?;
    let listed = talk
        .get(&ops, &format!("{keys}?keyTypes=USER_MANAGED"))
        .await?
        .json()?;
    assert_eq!(listed["keys"][0]["name"], name);
    assert_eq!(
        talk.post(&ops, &format!("v1/{name}:disable"), &json!({}))
            .await?
            .status,
        200
    );
    let listed = talk
        .get(&ops, &format!("{keys}?keyTypes=USER_MANAGED"))
        .await?
        .json()?;
    assert_eq!(listed["keys"][0]["disabled"], true);
    Ok(())
}

#[tokio::test]
async fn an_organization_policy_forbids_keys() -> Result<()> {
    let talk = Talk::start().await?;
    let ops = talk.operator()?;
    let name = "iam.disableServiceAccountKeyCreation";
    let policy = json!({
        "name": format!("projects/acme-prod/policies/{name}"), "spec": {"rules": [{"enforce": true}]},
    });
    let made = talk
        .post(&ops, "v2/projects/acme-prod/policies", &policy)
        .await?;
    assert_eq!(made.status, 200, "{}", made.text);
    let effective = format!("v2/projects/acme-prod/policies/{name}:getEffectivePolicy");
    let effective = talk.get(&ops, &effective).await?.json()?;
    assert_eq!(effective["spec"]["rules"], json!([{"enforce": true}]));
    let dry = json!({
        "name": "projects/acme-prod/policies/gcp.resourceLocations", "dryRunSpec": {"rules": [{"denyAll": true}]},
    });
    let dry = talk.post(&ops, "v2/projects/acme-prod/policies", &dry);
    assert_eq!(dry.await?.reason(), "gcp-sim: keeps no policies in dry run");
    let keys = format!("v1/projects/acme-prod/serviceAccounts/{WEB}/keys");
    let refused = talk.post(&ops, &keys, &json!({})).await?;
    assert_eq!(
        refused.reason(),
        "Key creation is not allowed on this service account."
    );
    Ok(())
}

#[tokio::test]
async fn what_may_not_be_seen_is_not_told_from_what_is_missing() -> Result<()> {
    let talk = Talk::start().await?;
    let nobody = talk
        .simulator
        .token_of("user:nobody@acme.example")
        .context("a user")?;
    assert_eq!(
        talk.get(&nobody, "v3/projects/acme-prod").await?.status,
        403
    );
    assert_eq!(talk.get(&nobody, "v3/projects/nowhere").await?.status, 403);
    let permissions =
        json!({"permissions": ["resourcemanager.projects.get", "resourcemanager.projects.delete"]});
    let path = "v3/projects/acme-prod:testIamPermissions";
    assert_eq!(
        talk.post(&nobody, path, &permissions).await?.json()?,
        json!({})
    );
    let all = talk
        .post(&talk.operator()?, path, &permissions)
        .await?
        .json()?;
    assert_eq!(all, permissions);
    Ok(())
}

#[tokio::test]
async fn projects_clusters_and_services_are_shown() -> Result<()> {
    let talk = Talk::start().await?;
    let ops = talk.operator()?;
    let project = talk.get(&ops, "v3/projects/123456789012").await?.json()?;
    assert_eq!(
        (&project["name"], &project["projectId"]),
        (&json!("projects/123456789012"), &json!("acme-prod"))
    );
    let ancestry = talk
        .post(&ops, "v1/projects/acme-prod:getAncestry", &json!({}))
        .await?
        .json()?;
    assert_eq!(
        ancestry["ancestor"][1]["resourceId"],
        json!({"type": "organization", "id": "1"})
    );
    let clusters = talk
        .get(&ops, "v1/projects/acme-prod/locations/-/clusters")
        .await?
        .json()?;
    let cluster = &clusters["clusters"][0];
    assert_eq!(
        cluster["workloadIdentityConfig"]["workloadPool"],
        "acme-prod.svc.id.goog"
    );
    assert_eq!(
        cluster["nodePools"][0]["config"]["workloadMetadataConfig"]["mode"],
        "GKE_METADATA"
    );
    let services = "v1/projects/acme-prod/services";
    let one = talk
        .get(&ops, &format!("{services}/artifactregistry.googleapis.com"))
        .await?
        .json()?;
    assert_eq!(one["state"], "DISABLED");
    let body = json!({"serviceIds": ["artifactregistry.googleapis.com"]});
    let enabled = talk
        .post(&ops, &format!("{services}:batchEnable"), &body)
        .await?
        .json()?;
    assert_eq!(enabled["done"], true);
    let numbers = "services/artifactregistry.googleapis.com?$alt=json;enum-encoding=int";
    assert_eq!(
        talk.get(&ops, &format!("v1/projects/acme-prod/{numbers}"))
            .await?
            .json()?["state"],
        2
    );
    Ok(())
}

#[tokio::test]
async fn an_account_is_used_when_a_token_of_it_is_given_out() -> Result<()> {
    let talk = Talk::start().await?;
    let ops = talk.operator()?;
    let name = format!("//iam.googleapis.com/projects/acme-prod/serviceAccounts/{WEB}");
    let filter: String = url::form_urlencoded::byte_serialize(
        format!("activities.fullResourceName=\"{name}\"").as_bytes(),
    )
    .collect();
    let path = format!(
        "v1/projects/acme-prod/locations/global/activityTypes/serviceAccountLastAuthentication/activities:query?filter={filter}"
    );
    let off = talk.get(&ops, &path).await?;
    assert_eq!(
        (off.status.as_u16(), off.reason()),
        (403, "SERVICE_DISABLED".to_owned())
    );
    talk.google()
        .enable_api("acme-prod", "policyanalyzer.googleapis.com")?;
    let before = talk.get(&ops, &path).await?.json()?;
    let activity = &before["activities"][0]["activity"];
    assert_eq!(activity["serviceAccount"]["fullResourceName"], name);
    assert!(activity["lastAuthenticatedTime"].is_null(), "{before}");
    let member = format!("serviceAccount:{WEB}");
    talk.simulator.token_of(&member).context("an account")?;
    let after = talk.get(&ops, &path).await?.json()?;
    assert!(
        after["activities"][0]["activity"]["lastAuthenticatedTime"].is_string(),
        "{after}"
    );
    Ok(())
}

#[tokio::test]
async fn no_topic_exists_for_who_may_know() -> Result<()> {
    let talk = Talk::start().await?;
    let ops = talk.operator()?;
    talk.google()
        .enable_api("acme-prod", "pubsub.googleapis.com")?;
    let topic = "v1/projects/acme-prod/topics/gcr";
    assert_eq!(talk.get(&ops, topic).await?.status, 404);
    let stranger = talk
        .simulator
        .token_of("user:eve@acme.example")
        .context("a token")?;
    assert_eq!(talk.get(&stranger, topic).await?.status, 403);
    Ok(())
}
