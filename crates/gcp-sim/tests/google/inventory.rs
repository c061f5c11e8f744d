//! What is found about the whole: Cloud Asset, Recommender, Policy Analyzer, and what changes clusters and constraints.

use anyhow::{Context as _, Result};
use gcp_sim::{Key, ResourceName};
use serde_json::{Value, json};

use crate::talk::{Talk, WEB};

/// Encodes a query.
fn query(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

#[tokio::test]
async fn assets_are_found_without_naming_the_api() -> Result<()> {
    let talk = Talk::start().await?;
    let ops = talk.operator()?;
    let asked = query(&[("query", "policy:controller")]);
    let path = format!("v1/projects/acme-prod:searchAllIamPolicies?{asked}");
    assert_eq!(talk.get(&ops, &path).await?.reason(), "SERVICE_DISABLED");
    talk.google()
        .enable_api("acme-prod", "cloudasset.googleapis.com")?;
    let found = talk.get(&ops, &path).await?.json()?;
    let result = &found["results"][0];
    assert_eq!(
        result["resource"],
        format!("//iam.googleapis.com/projects/acme-prod/serviceAccounts/{WEB}")
    );
    assert_eq!(
        result["policy"]["bindings"][0]["role"],
        "roles/iam.workloadIdentityUser"
    );
    let eve = talk
        .simulator
        .token_of("user:eve@acme.example")
        .context("a user")?;
    let refused = talk.get(&eve, &path).await?;
    assert_eq!(
        (refused.status.as_u16(), refused.reason().as_str()),
        (403, "Request denied by Cloud IAM.")
    );
    Ok(())
}

#[tokio::test]
async fn there_are_no_insights_for_who_may_know() -> Result<()> {
    let talk = Talk::start().await?;
    let ops = talk.operator()?;
    let path = "v1/projects/acme-prod/locations/global/insightTypes/google.iam.serviceAccount.Insight/insights";
    assert_eq!(talk.get(&ops, path).await?.reason(), "SERVICE_DISABLED");
    talk.google()
        .enable_api("acme-prod", "recommender.googleapis.com")?;
    assert_eq!(talk.get(&ops, path).await?.json()?, json!({}));
    let eve = talk
        .simulator
        .token_of("user:eve@acme.example")
        .context("a user")?;
    assert_eq!(
        talk.get(&eve, path).await?.reason(),
        "IAM_PERMISSION_DENIED"
    );
    let other = path.replace(
        "google.iam.serviceAccount.Insight",
        "google.compute.disk.IdleResourceInsight",
    );
    assert_eq!(talk.get(&ops, &other).await?.status, 501);
    Ok(())
}

#[tokio::test]
async fn the_use_of_a_key_is_known_by_the_day() -> Result<()> {
    let talk = Talk::start().await?;
    let ops = talk.operator()?;
    talk.google()
        .enable_api("acme-prod", "policyanalyzer.googleapis.com")?;
    let used = "2026-03-01T10:11:12Z".parse()?;
    talk.google().change(|world| {
        let account = world.service_account_mut(WEB).expect("it is there");
        for (id, last_used) in [("used", Some(used)), ("idle", None)] {
            account.keys.push(Key {
                id: id.to_owned(),
                last_used,
                ..Key::default()
            });
        }
    });
    let path = "v1/projects/acme-prod/locations/global/activityTypes/serviceAccountKeyLastAuthentication/activities:query";
    let all = talk.get(&ops, path).await?.json()?;
    let told: Vec<(&Value, &Value)> = all["activities"]
        .as_array()
        .context("activities")?
        .iter()
        .map(|it| {
            (
                &it["activity"]["serviceAccountKey"]["fullResourceName"],
                &it["activity"]["lastAuthenticatedTime"],
            )
        })
        .collect();
    let name = |id: &str| {
        json!(format!(
            "//iam.googleapis.com/projects/acme-prod/serviceAccounts/{WEB}/keys/{id}"
        ))
    };
    let expected = [
        (&name("used"), &json!("2026-03-01T07:00:00Z")),
        (&name("idle"), &Value::Null),
    ];
    assert_eq!(told, expected);
    let filter = format!("activities.fullResourceName={}", name("idle"));
    let one = talk
        .get(&ops, &format!("{path}?{}", query(&[("filter", &filter)])))
        .await?
        .json()?;
    assert_eq!(one["activities"].as_array().map(Vec::len), Some(1), "{one}");
    Ok(())
}

#[tokio::test]
async fn federation_is_turned_on_and_off() -> Result<()> {
    let talk = Talk::start().await?;
    let ops = talk.operator()?;
    let cluster = "v1/projects/acme-prod/locations/europe-west1/clusters/main";
    let pool_of = async |talk: &Talk| {
        let shown = talk.get(&ops, cluster).await?.json()?;
        anyhow::Ok(shown["workloadIdentityConfig"]["workloadPool"].clone())
    };
    let with_pool =
        |pool: &str| json!({"update": {"desiredWorkloadIdentityConfig": {"workloadPool": pool}}});
    let off = talk.put(&ops, cluster, &with_pool("")).await?.json()?;
    assert_eq!(off["status"], "DONE");
    assert_eq!(pool_of(&talk).await?, Value::Null);
    let pods = format!("{cluster}/nodePools/default-pool");
    let gke = json!({"workloadMetadataConfig": {"mode": "GKE_METADATA"}});
    assert_eq!(
        talk.put(&ops, &pods, &gke).await?.status,
        400,
        "the cluster comes first"
    );
    let elsewhere = talk
        .put(&ops, cluster, &with_pool("other.svc.id.goog"))
        .await?;
    assert_eq!(elsewhere.status, 400);
    assert_eq!(
        talk.put(&ops, cluster, &with_pool("acme-prod.svc.id.goog"))
            .await?
            .status,
        200
    );
    assert_eq!(pool_of(&talk).await?, "acme-prod.svc.id.goog");
    let gce = json!({"workloadMetadataConfig": {"mode": "GCE_METADATA"}});
    let changed = talk.put(&ops, &pods, &gce).await?.json()?;
    let operation = format!(
        "v1/projects/acme-prod/locations/europe-west1/operations/{}",
        changed["name"].as_str().context("a name")?
    );
    assert_eq!(talk.get(&ops, &operation).await?.json()?["status"], "DONE");
    let shown = talk.get(&ops, &pods).await?.json()?;
    assert_eq!(
        shown["config"]["workloadMetadataConfig"]["mode"],
        "GCE_METADATA"
    );
    let upgrade = json!({"update": {"desiredMasterVersion": "latest"}});
    assert_eq!(talk.put(&ops, cluster, &upgrade).await?.status, 501);
    Ok(())
}

#[tokio::test]
async fn constraints_of_ones_own_are_kept() -> Result<()> {
    let talk = Talk::start().await?;
    let ops = talk.operator()?;
    let path = "v2/organizations/1/customConstraints";
    let constraint = json!({
        "name": "organizations/1/customConstraints/custom.nodePoolsUseGke", "resourceTypes": ["container.googleapis.com/NodePool"],
        "methodTypes": ["CREATE"], "condition": "resource.config.workloadMetadataConfig.mode == 'GKE_METADATA'", "actionType": "ALLOW",
    });
    let made = talk.post(&ops, path, &constraint).await?;
    assert_eq!(made.status, 200, "{}", made.text);
    assert_eq!(talk.post(&ops, path, &constraint).await?.status, 409);
    let shown = talk
        .get(&ops, &format!("{path}/custom.nodePoolsUseGke"))
        .await?
        .json()?;
    assert_eq!(shown["actionType"], "ALLOW");
    let listed = talk.get(&ops, path).await?.json()?;
    assert_eq!(
        listed["customConstraints"].as_array().map(Vec::len),
        Some(1)
    );
    let unnamed = json!({"name": "nodePools", "resourceTypes": ["a"], "methodTypes": ["CREATE"], "condition": "true", "actionType": "DENY"});
    assert_eq!(talk.post(&ops, path, &unnamed).await?.status, 400);
    let missing = talk.get(&ops, &format!("{path}/custom.none")).await?;
    assert_eq!(missing.status, 404);
    Ok(())
}

#[tokio::test]
async fn what_is_above_a_project_has_deny_rules_and_lists_of_its_own() -> Result<()> {
    let talk = Talk::start().await?;
    let ops = talk.operator()?;
    let organization = ResourceName::parse("organizations/1").context("a name")?;
    talk.google().grant(
        "roles/iam.denyReviewer",
        "user:ops@acme.example",
        &organization,
    )?;
    let rule = json!({"deniedPrincipals": ["principalSet://goog/public:all"], "deniedPermissions": ["iam.googleapis.com/roles.create"]});
    let parsed = serde_json::from_value(rule.clone())?;
    talk.google()
        .change(|world| world.organizations[0].deny.push(parsed));
    let path = "v2/policies/cloudresourcemanager.googleapis.com%2Forganizations%2F1/denypolicies";
    let listed = talk.get(&ops, path).await?.json()?;
    let listed = &listed["policies"][0];
    assert_eq!(listed["kind"], "DenyPolicy");
    assert_eq!(listed.get("rules"), None, "a list leaves the rules out");
    let one = format!("v2/{}", listed["name"].as_str().context("a name")?);
    let whole = talk.get(&ops, &one).await?.json()?;
    let shown = &whole["rules"][0]["denyRule"];
    assert_eq!(shown["deniedPermissions"], rule["deniedPermissions"]);
    assert_eq!(
        talk.get(&ops, &one.replace("simulated", "other"))
            .await?
            .status,
        404
    );
    let reviewer = "user:reviewer@acme.example";
    talk.google()
        .grant("roles/iam.securityReviewer", reviewer, &organization)?;
    let reviewer = talk.simulator.token_of(reviewer).context("a user")?;
    assert_eq!(talk.get(&reviewer, path).await?.status, 200);
    assert_eq!(
        talk.get(&reviewer, &one).await?.reason(),
        "IAM_PERMISSION_DENIED"
    );
    let constraint = "iam.allowServiceAccountCredentialLifetimeExtension";
    let policy = serde_json::from_value(json!({"rules": [{"values": {"allowedValues": [WEB]}}]}))?;
    talk.google().change(|world| {
        world.organizations[0]
            .org_policies
            .insert(constraint.to_owned(), policy);
    });
    let body = json!({"constraint": format!("constraints/{constraint}")});
    let effective = talk
        .post(&ops, "v1/projects/acme-prod:getEffectiveOrgPolicy", &body)
        .await?
        .json()?;
    assert_eq!(effective["listPolicy"], json!({"allowedValues": [WEB]}));
    let pool = "iam.googleapis.com/v1/projects/acme-prod/locations/global/workloadIdentityPools/acme-prod.svc.id.goog";
    let pool = talk.get(&ops, pool).await?.json()?;
    assert_eq!(
        (&pool["state"], &pool["mode"]),
        (&json!("ACTIVE"), &json!("SYSTEM_TRUST_DOMAIN"))
    );
    Ok(())
}
