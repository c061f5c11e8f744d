//! IAM Credentials: who gets a token of an account, and in which words others are refused.

use anyhow::{Context as _, Result};
use gcp_sim::{Clock, ResourceName};
use jiff::SignedDuration;
use serde_json::json;

use crate::talk::{API, Talk, WEB, send};

const CONTROLLER: &str = "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/\
    acme-prod.svc.id.goog/subject/ns/argosy/sa/controller";

#[tokio::test]
async fn a_bound_workload_gets_a_token_that_ends_on_a_whole_second() -> Result<()> {
    let start = "2026-03-01T10:00:00Z".parse()?;
    let talk = Talk::at(Clock::standing_at(start)).await?;
    let token = talk.pod_token("controller").await?;
    let reply = talk.mint(&token, WEB).await?;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let body = reply.json()?;
    assert_eq!(body["expireTime"], "2026-03-01T11:00:00Z");
    let minted = body["accessToken"].as_str().context("no token")?;
    assert!(minted.starts_with(gcp_sim::TOKEN_PREFIX));
    let issued = talk.google().token(minted).context("it is known")?;
    assert_eq!(issued.principal.email(), Some(WEB));
    assert_eq!(
        issued
            .chain
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        [CONTROLLER]
    );
    Ok(())
}

#[tokio::test]
async fn a_missing_account_is_404_and_a_missing_grant_is_403() -> Result<()> {
    let talk = Talk::start().await?;
    let token = talk.pod_token("controller").await?;
    let ghost = "kargo-project-ghost@acme-prod.iam.gserviceaccount.com";
    let missing = talk.mint(&token, ghost).await?;
    assert_eq!(missing.status, 404);
    assert_eq!(
        missing.reason(),
        format!("Not found; Gaia id not found for email {ghost}")
    );
    let denied = talk.mint(&token, API).await?;
    assert_eq!(
        (denied.status.as_u16(), denied.reason()),
        (403, "IAM_PERMISSION_DENIED".to_owned())
    );
    Ok(())
}

#[tokio::test]
async fn the_api_counts_before_the_account_and_the_token_before_both() -> Result<()> {
    let talk = Talk::start().await?;
    let token = talk.pod_token("controller").await?;
    talk.google()
        .disable_api("acme-prod", "iamcredentials.googleapis.com")?;
    let disabled = talk
        .mint(&token, "nobody@acme-prod.iam.gserviceaccount.com")
        .await?;
    assert_eq!(
        (disabled.status.as_u16(), disabled.reason()),
        (403, "SERVICE_DISABLED".to_owned())
    );
    let details = &disabled.json()?["error"]["details"];
    assert_eq!(details[0]["metadata"]["consumer"], "projects/123456789012");
    let unknown = talk
        .mint("ya29.made-up", "nobody@acme-prod.iam.gserviceaccount.com")
        .await?;
    assert_eq!(
        (unknown.status.as_u16(), unknown.reason()),
        (401, "ACCESS_TOKEN_TYPE_UNSUPPORTED".to_owned())
    );
    talk.google().clock().advance(SignedDuration::from_hours(2));
    let expired = talk.mint(&token, WEB).await?;
    assert_eq!(
        (expired.status.as_u16(), expired.reason()),
        (401, "ACCESS_TOKEN_EXPIRED".to_owned())
    );
    Ok(())
}

#[tokio::test]
async fn lifetimes_are_between_a_second_and_an_hour_unless_the_organization_says_more() -> Result<()>
{
    let talk = Talk::start().await?;
    let token = talk.pod_token("controller").await?;
    let scope = ["https://www.googleapis.com/auth/cloud-platform"];
    let ask = async |lifetime: &str| {
        talk.mint_with(
            &token,
            WEB,
            &json!({ "scope": scope, "lifetime": lifetime }),
        )
        .await
    };
    assert_eq!(
        ask("0s").await?.reason(),
        "Lifetime of access token must be larger then zero."
    );
    assert_eq!(ask("1s").await?.status, 200);
    assert_eq!(ask("3600s").await?.status, 200);
    let long = ask("3601s").await?;
    assert!(
        long.reason()
            .contains("can not have lifetimes of more than 1 hour"),
        "{}",
        long.text
    );
    let constraint = "iam.allowServiceAccountCredentialLifetimeExtension";
    let policy = serde_json::from_value(json!({"rules": [{"values": {"allowedValues": [WEB]}}]}))?;
    talk.google().change(|world| {
        let project = world.project_mut("acme-prod").expect("it is there");
        project.org_policies.insert(constraint.to_owned(), policy);
    });
    assert_eq!(ask("43200s").await?.status, 200);
    assert_eq!(ask("43201s").await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn scopes_are_wanted_and_honoured() -> Result<()> {
    let talk = Talk::start().await?;
    let token = talk.pod_token("controller").await?;
    let none = talk.mint_with(&token, WEB, &json!({})).await?;
    assert_eq!(none.status, 400);
    let storage = "https://www.googleapis.com/auth/devstorage.read_only";
    let narrow = talk
        .mint_with(&token, WEB, &json!({ "scope": [storage] }))
        .await?
        .json()?;
    let narrow = narrow["accessToken"].as_str().context("no token")?;
    let refused = talk.get(narrow, "v3/projects/acme-prod").await?;
    assert_eq!(refused.reason(), "ACCESS_TOKEN_SCOPE_INSUFFICIENT");
    let unknown = talk
        .mint_with(&token, WEB, &json!({ "scope": ["everything"] }))
        .await?;
    assert_eq!(unknown.status, 400);
    Ok(())
}

#[tokio::test]
async fn a_revoked_binding_stops_new_tokens_and_not_old_ones() -> Result<()> {
    let talk = Talk::start().await?;
    let token = talk.pod_token("controller").await?;
    let minted = talk.mint(&token, WEB).await?.json()?;
    let minted = minted["accessToken"]
        .as_str()
        .context("no token")?
        .to_owned();
    let account = ResourceName::service_account("acme-prod", WEB);
    talk.google()
        .revoke("roles/iam.workloadIdentityUser", CONTROLLER, &account)?;
    assert_eq!(talk.mint(&token, WEB).await?.status, 403);
    assert!(talk.google().bearer(&minted).is_ok());
    talk.google().disable_account(WEB)?;
    let refused = talk
        .google()
        .bearer(&minted)
        .expect_err("the account is disabled");
    assert_eq!(
        refused.envelope()["error"]["details"][0]["reason"],
        "ACCOUNT_STATE_INVALID"
    );
    Ok(())
}

#[tokio::test]
async fn each_delegate_must_be_allowed_to_act_as_the_next() -> Result<()> {
    let talk = Talk::start().await?;
    let token = talk.pod_token("controller").await?;
    let scope = ["https://www.googleapis.com/auth/cloud-platform"];
    let delegates = [format!("projects/-/serviceAccounts/{WEB}")];
    let body = json!({ "scope": scope, "delegates": delegates });
    assert_eq!(talk.mint_with(&token, API, &body).await?.status, 403);
    let creator = "roles/iam.serviceAccountTokenCreator";
    let web = ResourceName::service_account("acme-prod", WEB);
    let api = ResourceName::service_account("acme-prod", API);
    talk.google().grant(creator, CONTROLLER, &web)?;
    talk.google()
        .grant(creator, &format!("serviceAccount:{WEB}"), &api)?;
    assert_eq!(talk.mint_with(&token, API, &body).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn signing_needs_more_than_minting() -> Result<()> {
    let talk = Talk::start().await?;
    let token = talk.pod_token("controller").await?;
    let path = |verb: &str| format!("v1/projects/-/serviceAccounts/{WEB}:{verb}");
    let claims = json!({ "payload": "{\"sub\":\"x\"}" });
    assert_eq!(
        talk.post(&token, &path("signJwt"), &claims).await?.status,
        403
    );
    let id = talk
        .post(
            &token,
            &path("generateIdToken"),
            &json!({ "audience": "a" }),
        )
        .await?;
    assert_eq!(id.status, 200, "{}", id.text);
    let account = ResourceName::service_account("acme-prod", WEB);
    talk.google()
        .grant("roles/iam.serviceAccountTokenCreator", CONTROLLER, &account)?;
    let signed = talk.post(&token, &path("signJwt"), &claims).await?.json()?;
    let keys = talk
        .get(&token, &format!("robot/v1/metadata/jwk/{WEB}"))
        .await?
        .json()?;
    assert_eq!(signed["keyId"], keys["keys"][0]["kid"]);
    let blob = talk
        .post(&token, &path("signBlob"), &json!({ "payload": "aGVsbG8=" }))
        .await?;
    assert_eq!(blob.status, 200, "{}", blob.text);
    Ok(())
}

#[tokio::test]
async fn a_field_that_is_not_known_is_refused_and_so_is_a_project() -> Result<()> {
    let talk = Talk::start().await?;
    let token = talk.pod_token("controller").await?;
    let unknown = talk
        .mint_with(&token, WEB, &json!({ "scopes": [] }))
        .await?;
    let expected = "Invalid JSON payload received. Unknown name \"scopes\": Cannot find field.";
    assert_eq!(unknown.json()?["error"]["message"], expected);
    let path = format!(
        "iamcredentials.googleapis.com/v1/projects/acme-prod/serviceAccounts/{WEB}:generateAccessToken"
    );
    assert_eq!(
        talk.post(&token, &path, &json!({ "scope": ["openid"] }))
            .await?
            .status,
        400
    );
    let nothing = talk.get(&token, "v9/nothing").await?;
    assert_eq!(nothing.status, 404);
    assert!(
        nothing.text.starts_with("<!DOCTYPE html>"),
        "{}",
        nothing.text
    );
    Ok(())
}

#[tokio::test]
async fn somebody_who_logged_in_gets_tokens_until_that_is_revoked() -> Result<()> {
    let talk = Talk::start().await?;
    let refresh = talk.simulator.refresh_token_of("user:ops@acme.example");
    let refresh = refresh.context("a user")?;
    let ask = async || {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", "client"),
            ("client_secret", "secret"),
            ("refresh_token", refresh.as_str()),
        ];
        let url = format!("http://{}/token", talk.simulator.apis);
        send(talk.http.post(url).form(&form)).await
    };
    let body = ask().await?.json()?;
    let token = body["access_token"].as_str().context("no token")?;
    assert_eq!(talk.get(token, "v3/projects/acme-prod").await?.status, 200);
    talk.google().log_out(&refresh);
    let refused = ask().await?;
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert_eq!(refused.json()?["error"], "invalid_grant");
    Ok(())
}
