//! Whom faults hit: every fault, by every field of a scope, with a request that it is for.

use std::time::Duration;

use anyhow::{Context as _, Result};
use gcp_sim::{Clock, ConsumerReason, Effect, NotReady, Scope};
use serde_json::{Value, json};

use crate::talk::{Talk, WEB};

const WORLD: &str = r#"
projects:
- id: acme
  number: 123456789012
  services: [artifactregistry.googleapis.com, cloudasset.googleapis.com, cloudresourcemanager.googleapis.com,
    iam.googleapis.com, iamcredentials.googleapis.com, pubsub.googleapis.com, serviceusage.googleapis.com, sts.googleapis.com]
  bindings:
  - {role: roles/owner, members: ["user:ops@acme.example"]}
  - {role: roles/artifactregistry.reader, members: ["user:ops@acme.example"]}
  clusters: [{name: main, location: europe-west1}]
  serviceAccounts:
  - name: kargo-project-web
    bindings: [{role: roles/iam.serviceAccountTokenCreator, members: ["user:ops@acme.example"]}]
  repositories:
  - {name: apps, location: europe-west1, images: [{name: many, generate: {tags: 20}}]}
  topics: [{name: gcr}]
  subscriptions: [{name: pulled, topic: gcr}]
pods:
- {name: controller, cluster: acme/europe-west1/main, namespace: argosy, serviceAccount: controller}
"#;

const OPS: &str = "user:ops@acme.example";

/// What lets somebody act as the account, before its policy is written and after.
const MINTER: &str = "roles/iam.serviceAccountTokenCreator";

/// A request that faults of some kind are for.
#[derive(Debug, Clone, Copy)]
enum Ask {
    /// The pod asks for its token.
    Pod,
    /// Somebody mints a token of an account.
    Mint,
    /// Somebody writes the policy of an account.
    SetPolicy,
    ReadProject,
    Search,
    /// Nobody in particular exchanges a token.
    Exchange,
    Publish,
    /// Somebody switches an API off.
    Disable,
    /// Somebody lists the tags of an image, and all images of a host.
    Tags,
    Catalog,
}

/// Says which request shows an effect.
fn asking(effect: &Effect) -> Ask {
    match effect {
        Effect::MetadataNotReady { .. }
        | Effect::MetadataOverload
        | Effect::MetadataWrongIdentity
        | Effect::MetadataNearExpiry { .. }
        | Effect::MetadataExpired => Ask::Pod,
        Effect::Latency { .. }
        | Effect::SlowBody { .. }
        | Effect::Hang
        | Effect::TooManyRequests { .. }
        | Effect::Unavailable
        | Effect::Internal
        | Effect::DeadlineExceeded
        | Effect::ConsumerRefused { .. }
        | Effect::BadGatewayPage
        | Effect::ConnectionReset
        | Effect::TruncatedJson
        | Effect::BadContentType
        | Effect::NullBody
        | Effect::ServiceDisabled
        | Effect::GsaMissing
        | Effect::GsaDenied
        | Effect::GsaDisabled
        | Effect::BindingRevoked { .. }
        | Effect::PropagationDelay { .. }
        | Effect::ClockSkew { .. }
        | Effect::OrgLifetimeCap
        | Effect::Vpcsc { .. } => Ask::Mint,
        Effect::EtagConflict | Effect::DrsReject => Ask::SetPolicy,
        Effect::PartialPermissions { .. } => Ask::ReadProject,
        Effect::AssetStale { .. } => Ask::Search,
        Effect::FederatedOutlivesProvider => Ask::Exchange,
        Effect::OperationSlow { .. } | Effect::OperationFailed { .. } => Ask::Disable,
        Effect::PubsubDup | Effect::PubsubReorder | Effect::PubsubDrop => Ask::Publish,
        Effect::RegistryNoChallenge | Effect::TagsWithoutLink | Effect::TagsWithoutExtension => {
            Ask::Tags
        }
        Effect::RegistrySlowCatalog { .. } => Ask::Catalog,
    }
}

/// One of each, in the order of the enumeration.
fn effects() -> Vec<Effect> {
    vec![
        Effect::MetadataNotReady {
            how: NotReady::ErrorText,
        },
        Effect::MetadataOverload,
        Effect::MetadataWrongIdentity,
        Effect::MetadataNearExpiry { seconds: 90 },
        Effect::MetadataExpired,
        Effect::Latency {
            milliseconds: 0,
            p99_milliseconds: None,
        },
        Effect::SlowBody { milliseconds: 0 },
        Effect::Hang,
        Effect::TooManyRequests { retry_after: None },
        Effect::Unavailable,
        Effect::Internal,
        Effect::DeadlineExceeded,
        Effect::ConsumerRefused {
            reason: ConsumerReason::BillingDisabled,
        },
        Effect::BadGatewayPage,
        Effect::ConnectionReset,
        Effect::TruncatedJson,
        Effect::BadContentType,
        Effect::NullBody,
        Effect::ServiceDisabled,
        Effect::GsaMissing,
        Effect::GsaDenied,
        Effect::BindingRevoked { after_seconds: 0 },
        Effect::FederatedOutlivesProvider,
        Effect::GsaDisabled,
        Effect::PropagationDelay {
            grant_seconds: 1,
            revoke_seconds: 1,
            flapping: false,
        },
        Effect::AssetStale { seconds: 1 },
        Effect::OperationSlow { seconds: 0 },
        Effect::OperationFailed {
            code: 9,
            message: "no".to_owned(),
        },
        Effect::PubsubDup,
        Effect::PubsubReorder,
        Effect::PubsubDrop,
        Effect::ClockSkew { seconds: 1 },
        Effect::EtagConflict,
        Effect::DrsReject,
        Effect::OrgLifetimeCap,
        Effect::Vpcsc {
            uid: "u".to_owned(),
        },
        Effect::PartialPermissions {
            permissions: vec!["resourcemanager.projects.get".to_owned()],
        },
        Effect::RegistryNoChallenge,
        Effect::RegistrySlowCatalog { milliseconds: 0 },
        Effect::TagsWithoutLink,
        Effect::TagsWithoutExtension,
    ]
}

impl Ask {
    /// Every scope that the request is in, each with one field.
    fn scopes(self) -> Value {
        let pod = "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/\
            acme.svc.id.goog/subject/ns/argosy/sa/controller";
        match self {
            Self::Pod => json!({
                "service": "metadata", "method": "GET", "principal": pod, "project": "acme",
                "path": "default/token", "pathPattern": "^/computeMetadata/v1/.*/token$",
            }),
            Self::Mint => json!({
                "service": "iamcredentials.googleapis.com", "method": "generateAccessToken", "principal": OPS,
                "project": "acme", "path": "kargo-project-web@", "pathPattern": "^/v1/projects/-/.*:generateAccessToken$",
            }),
            Self::SetPolicy => json!({
                "service": "iam.googleapis.com", "method": "setIamPolicy", "principal": OPS, "project": "acme",
                "path": "kargo-project-web@", "pathPattern": "^projects/acme/serviceAccounts/kargo-project-web@[^/]*$",
            }),
            Self::ReadProject => json!({
                "service": "cloudresourcemanager.googleapis.com", "method": "GET", "principal": OPS, "project": "acme",
                "path": "v3/projects", "pathPattern": "^/v3/projects/acme$",
            }),
            Self::Search => json!({
                "service": "cloudasset.googleapis.com", "method": "searchAllIamPolicies", "principal": OPS,
                "project": "acme", "path": "v1/projects", "pathPattern": "^/v1/projects/[a-z]+:search",
            }),
            // Who asks is what the exchange finds out, and the pool is known by the number of its project.
            Self::Exchange => json!({
                "service": "sts.googleapis.com", "method": "POST", "project": "123456789012",
                "path": "workloadIdentityPools/ours", "pathPattern": "^/v1/token$",
            }),
            Self::Publish => json!({
                "service": "pubsub.googleapis.com", "method": "publish", "principal": OPS, "project": "acme",
                "path": "subscriptions/pulled", "pathPattern": "^projects/acme/topics/gcr$",
            }),
            Self::Disable => json!({
                "service": "serviceusage.googleapis.com", "method": "disable", "principal": OPS, "project": "acme",
                "path": "recommender", "pathPattern": "^projects/acme/services/recommender.googleapis.com$",
            }),
            Self::Tags => json!({
                "service": "artifactregistry.googleapis.com", "method": "GET", "principal": OPS, "project": "acme",
                "path": "apps/many", "pathPattern": "^/v2/acme/.*/tags/list$",
            }),
            // All repositories of a host are in no project.
            Self::Catalog => json!({
                "service": "artifactregistry.googleapis.com", "method": "GET", "principal": OPS,
                "path": "_catalog", "pathPattern": "^/v2/_catalog$",
            }),
        }
    }

    /// Sends it, and does not look at what comes back.
    async fn send(self, talk: &Talk) -> Result<()> {
        let ops = talk.simulator.token_of(OPS).context("a user")?;
        let account = WEB.replace("acme-prod", "acme");
        let registry = format!("http://{}/v2", talk.simulator.registry);
        let apis = format!("http://{}/v1", talk.simulator.apis);
        let post = |path: &str, body: Value| talk.http.post(format!("{apis}/{path}")).json(&body);
        let cloud_platform = "https://www.googleapis.com/auth/cloud-platform";
        let request = match self {
            Self::Pod => {
                let address = talk.simulator.metadata["controller"];
                let path = "computeMetadata/v1/instance/service-accounts/default/token";
                let request = talk.http.get(format!("http://{address}/{path}"));
                request.header("Metadata-Flavor", "Google")
            }
            Self::Mint => post(
                &format!("projects/-/serviceAccounts/{account}:generateAccessToken"),
                json!({ "scope": [cloud_platform] }),
            ),
            Self::SetPolicy => post(
                &format!("projects/acme/serviceAccounts/{account}:setIamPolicy"),
                json!({ "policy": { "bindings": [{ "role": MINTER, "members": [OPS] }] } }),
            ),
            Self::ReadProject => {
                let url = format!("http://{}/v3/projects/acme", talk.simulator.apis);
                talk.http.get(url)
            }
            Self::Search => talk
                .http
                .get(format!("{apis}/projects/acme:searchAllIamPolicies")),
            Self::Exchange => {
                let url = format!("{apis}/token");
                return drop_answer(talk.http.post(url).json(&exchange())).await;
            }
            Self::Publish => post(
                "projects/acme/topics/gcr:publish",
                json!({ "messages": [{ "data": "aGVsbG8=" }] }),
            ),
            Self::Disable => {
                let service = "recommender.googleapis.com";
                talk.google().enable_api("acme", service)?;
                let path = format!("projects/acme/services/{service}:disable");
                post(&path, json!({}))
            }
            Self::Tags => talk
                .http
                .get(format!("{registry}/acme/apps/many/tags/list?n=5")),
            Self::Catalog => talk.http.get(format!("{registry}/_catalog")),
        };
        let request = match self {
            Self::Pod => request,
            _ => request.bearer_auth(ops),
        };
        drop_answer(request).await
    }
}

fn exchange() -> Value {
    json!({
        "grantType": "urn:ietf:params:oauth:grant-type:token-exchange",
        "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
        "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt",
        "subjectToken": "none",
        "audience": "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/ours/providers/ci",
    })
}

/// What breaks off, or never comes, is an answer too.
async fn drop_answer(request: reqwest::RequestBuilder) -> Result<()> {
    let request = request.timeout(Duration::from_millis(500));
    if let Ok(response) = request.send().await {
        response.text().await.ok();
    }
    Ok(())
}

/// Says whether an effect strikes in a scope.
async fn strikes(talk: &Talk, effect: &Effect, scope: Scope) -> Result<bool> {
    let mut fault = effect.clone().everywhere().times(1);
    fault.scope = scope;
    let number = talk.google().inject(fault);
    asking(effect).send(talk).await?;
    Ok(!talk.google().mend(number))
}

#[tokio::test]
async fn every_fault_hits_those_in_its_scope_and_nobody_else() -> Result<()> {
    let talk = Talk::with(WORLD, Clock::of_the_machine()).await?;
    for effect in effects() {
        let all = asking(&effect).scopes();
        for (field, value) in all.as_object().context("fields")? {
            let case = format!("{effect:?} by {field}");
            let scope = serde_json::from_value(json!({ field: value }))?;
            assert!(strikes(&talk, &effect, scope).await?, "{case}");
            let other = serde_json::from_value(json!({ field: "elsewhere" }))?;
            assert!(!strikes(&talk, &effect, other).await?, "{case}");
        }
        let scope = serde_json::from_value(all)?;
        assert!(strikes(&talk, &effect, scope).await?, "{effect:?} by all");
    }
    Ok(())
}
