//! STS: a cluster's token becomes Google's, or is refused in OAuth's words.

use anyhow::{Context as _, Result};
use axum::Json;
use axum::routing::get;
use gcp_sim::{Effect, WorkloadToken};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::talk::{Reply, Talk, WEB, send};

const CLUSTER_KEYS: &str =
    "container.googleapis.com/v1/projects/acme-prod/locations/europe-west1/clusters/main/jwks";

const CLUSTER: &str = "acme-prod/europe-west1/main";
const POOL: &str = "acme-prod.svc.id.goog";
const AUDIENCE: &str = "identitynamespace:acme-prod.svc.id.goog:https://container.googleapis.com/v1/projects/acme-prod/\
    locations/europe-west1/clusters/main";

impl Talk {
    fn workload(&self, audience: &str, minutes: i64) -> Result<String> {
        let wanted = WorkloadToken {
            cluster: CLUSTER,
            namespace: "argosy",
            service_account: "controller",
            audience,
            lifetime: SignedDuration::from_mins(minutes),
        };
        self.google()
            .workload_token(&wanted)
            .context("the cluster is there")
    }

    async fn exchange(&self, audience: &str, token: &str) -> Result<Reply> {
        let form = [
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            ("audience", audience),
            ("scope", "https://www.googleapis.com/auth/cloud-platform"),
            (
                "requested_token_type",
                "urn:ietf:params:oauth:token-type:access_token",
            ),
            ("subject_token", token),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ];
        let url = format!("http://{}/sts.googleapis.com/v1/token", self.simulator.apis);
        send(self.http.post(url).form(&form)).await
    }
}

#[tokio::test]
async fn a_workloads_token_is_exchanged_and_mints() -> Result<()> {
    let talk = Talk::start().await?;
    let reply = talk.exchange(AUDIENCE, &talk.workload(POOL, 10)?).await?;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let body = reply.json()?;
    assert_eq!(
        body["issued_token_type"],
        "urn:ietf:params:oauth:token-type:access_token"
    );
    let left = body["expires_in"].as_u64().unwrap_or_default();
    assert!((595..600).contains(&left), "{left}");
    let token = body["access_token"].as_str().context("no token")?;
    assert_eq!(talk.mint(token, WEB).await?.status, 200);
    let info = talk
        .get(token, &format!("tokeninfo?access_token={token}"))
        .await?;
    assert_eq!(info.json()?["error"], "invalid_token");
    Ok(())
}

#[tokio::test]
async fn every_refusal_says_what_is_wrong() -> Result<()> {
    let talk = Talk::start().await?;
    let good = talk.workload(POOL, 10)?;
    let check = async |audience: &str, token: &str, error: &str, description: &str| {
        let reply = talk.exchange(audience, token).await?;
        let body = reply.json()?;
        assert_eq!(reply.status, 400, "{}", reply.text);
        assert_eq!(body["error"], error);
        let found = body["error_description"].as_str().unwrap_or_default();
        assert!(found.starts_with(description), "{found}");
        anyhow::Ok(())
    };
    let elsewhere = AUDIENCE.replace("clusters/main", "clusters/gone");
    check(
        &elsewhere,
        &good,
        "invalid_target",
        "The target service indicated by",
    )
    .await?;
    check(
        "acme",
        &good,
        "invalid_request",
        "Invalid value for \"audience\".",
    )
    .await?;
    check(
        AUDIENCE,
        &talk.workload("other", 10)?,
        "invalid_grant",
        "The audience in ID Token [other]",
    )
    .await?;
    check(
        AUDIENCE,
        &talk.workload(POOL, -10)?,
        "invalid_grant",
        "ID Token issued at ",
    )
    .await?;
    let (signed, _) = good.rsplit_once('.').context("a JWT")?;
    let forged = format!("{signed}.{}", "A".repeat(342));
    check(
        AUDIENCE,
        &forged,
        "invalid_grant",
        "Unable to verify the ID Token signature.",
    )
    .await?;
    talk.google().change(|world| {
        let project = world.project_mut("acme-prod").expect("it is there");
        project.clusters[0].jwks = Some(json!({ "keys": [] }));
    });
    check(
        AUDIENCE,
        &good,
        "invalid_grant",
        "Error connecting to the given credential's issuer.",
    )
    .await?;
    talk.google().change(|world| {
        let project = world.project_mut("acme-prod").expect("it is there");
        project.clusters[0].issuer = "https://other.example".to_owned();
    });
    check(AUDIENCE, &good, "invalid_grant", "The issuer in ID Token").await
}

/// Makes a pool that trusts the cluster's own keys under a condition; gives its audience.
async fn pool_with_condition(talk: &Talk, condition: &str) -> Result<&'static str> {
    let keys = talk.get("", CLUSTER_KEYS);
    let keys: Value = keys.await?.json()?;
    let issuer = "https://container.googleapis.com/v1/projects/acme-prod/locations/europe-west1/clusters/main";
    let pool = serde_json::from_value(json!({"id": "kind", "providers": [{
        "id": "laptop", "issuer": issuer, "jwks": keys, "allowedAudiences": ["argosy"],
        "attributeMapping": {"google.subject": "'kind::' + assertion.sub", "attribute.ns": "assertion['kubernetes.io']['namespace']"},
        "attributeCondition": condition,
    }]}))?;
    talk.google().change(|world| {
        let project = world.project_mut("acme-prod").expect("it is there");
        project.workload_pools = vec![pool];
    });
    Ok(
        "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/kind/providers/laptop",
    )
}

#[tokio::test]
async fn only_tokens_of_which_the_condition_holds_are_let_in() -> Result<()> {
    let talk = Talk::start().await?;
    let token = talk.workload("argosy", 10)?;
    let holds = "attribute.ns == 'argosy' && google.subject.startsWith('kind::system:')";
    let audience = pool_with_condition(&talk, holds).await?;
    let reply = talk.exchange(audience, &token).await?;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let body = reply.json()?;
    let issued = talk
        .google()
        .token(body["access_token"].as_str().unwrap_or_default())
        .context("known")?;
    assert!(
        issued
            .principal
            .to_string()
            .ends_with("/subject/kind::system:serviceaccount:argosy:controller")
    );
    for condition in [
        "attribute.ns == 'other'",
        "assertion.email == 'ann@acme.example'",
    ] {
        let audience = pool_with_condition(&talk, condition).await?;
        let reply = talk.exchange(audience, &token).await?;
        let refused = json!({"error": "unauthorized_client",
            "error_description": "The given credential is rejected by the attribute condition."});
        assert_eq!(
            (reply.status.as_u16(), reply.json()?),
            (400, refused),
            "{condition}"
        );
    }
    let error = pool_with_condition(&talk, "assertion.sub.extract('{a}') == 'b'")
        .await
        .expect_err("it would have to guess");
    assert!(
        error.to_string().contains("cannot evaluate the expression"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn a_token_outlives_the_provider_that_it_came_through() -> Result<()> {
    let talk = Talk::start().await?;
    let token = talk.workload("argosy", 10)?;
    let audience = pool_with_condition(&talk, "true").await?;
    let federated = talk.exchange(audience, &token).await?.json()?;
    let federated = federated["access_token"]
        .as_str()
        .context("no token")?
        .to_owned();
    let member = "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/kind/subject/\
        kind::system:serviceaccount:argosy:controller";
    let account = gcp_sim::ResourceName::service_account("acme-prod", WEB);
    talk.google()
        .grant("roles/iam.workloadIdentityUser", member, &account)?;
    let fault = Effect::FederatedOutlivesProvider.on("sts.googleapis.com");
    let fault = talk.google().inject(fault.where_path_has("/kind/"));
    let refused = talk.exchange(audience, &token).await?;
    assert_eq!(refused.json()?["error"], "invalid_target");
    let others = talk.exchange(AUDIENCE, &talk.workload(POOL, 10)?).await?;
    assert_eq!(others.status, 200, "other providers are as they were");
    assert_eq!(talk.mint(&federated, WEB).await?.status, 200, "the leak");
    talk.google().mend(fault);
    assert_eq!(talk.exchange(audience, &token).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn too_many_exchanges_are_refused_in_oauths_words() -> Result<()> {
    let talk = Talk::start().await?;
    let burst = Effect::TooManyRequests { retry_after: None };
    talk.google()
        .inject(burst.on("sts.googleapis.com").times(1));
    let token = talk.workload(POOL, 10)?;
    let reply = talk.exchange(AUDIENCE, &token).await?;
    let body = reply.json()?;
    assert!(
        body["error_description"]
            .as_str()
            .is_some_and(|it| it.contains("throttled")),
        "{body}"
    );
    assert_eq!(talk.exchange(AUDIENCE, &token).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_pool_of_ones_own_fetches_the_issuers_keys() -> Result<()> {
    let talk = Talk::start().await?;
    let token = talk.workload("argosy", 10)?;
    let keys = talk.get("", CLUSTER_KEYS);
    let keys: Value = keys.await?.json()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/jwks", listener.local_addr()?);
    let other = format!("http://{}/other", listener.local_addr()?);
    let published = axum::Router::new()
        .route("/jwks", get(async || Json(keys)))
        .route("/other", get(async || Json(json!({"keys": ["other"]}))));
    tokio::spawn(async move { axum::serve(listener, published).await });
    let issuer = "https://container.googleapis.com/v1/projects/acme-prod/locations/europe-west1/clusters/main";
    let pool = serde_json::from_value(json!({"id": "kind", "providers": [{
        "id": "laptop", "issuer": issuer, "jwksUrl": url, "allowedAudiences": ["argosy"],
        "attributeMapping": {"google.subject": "assertion.sub", "attribute.ns": "assertion['kubernetes.io']['namespace']"},
    }]}))?;
    talk.google().change(|world| {
        let project = world.project_mut("acme-prod").expect("it is there");
        project.workload_pools.push(pool);
    });
    let audience = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/kind/providers/laptop";
    let reply = talk.exchange(audience, &token).await?;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let body = reply.json()?;
    let issued = talk
        .google()
        .token(body["access_token"].as_str().unwrap_or_default())
        .context("known")?;
    let expected = "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/kind/subject/\
        system:serviceaccount:argosy:controller";
    assert_eq!(issued.principal.to_string(), expected);
    talk.google().change(|world| {
        let project = world.project_mut("acme-prod").expect("it is there");
        project.workload_pools[0].providers[0].disabled = true;
    });
    let disabled = talk.exchange(audience, &token).await?;
    assert_eq!(disabled.json()?["error"], "invalid_target");
    talk.google().change(|world| {
        let project = world.project_mut("acme-prod").expect("it is there");
        project.clusters[0].jwks_url = Some(other);
    });
    let shown = talk.get("", CLUSTER_KEYS).await?.json()?;
    assert_eq!(shown, json!({"keys": ["other"]}), "what an exchange takes");
    Ok(())
}
