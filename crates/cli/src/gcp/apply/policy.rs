//! Changes of policies: read, change, write back with the etag that was read.

use gcp::facts::Reading;
use gcp::policy::{Change, Policy};
use gcp::setup::Resource;
use gcp::{Apis, Service};
use serde_json::{Value, json};

use super::step::{Ended, StepError, answered};

/// Changes the policy of a resource, unless it is as wished.
///
/// One attempt: a conflict is for the caller to try again, from the reading on.
///
/// Source: <https://cloud.google.com/iam/docs/allow-policies#etag>
pub(super) async fn edit(
    apis: &Apis,
    resource: &Resource,
    change: impl Fn(&mut Policy) -> Change,
) -> Result<Ended, StepError> {
    write_back(apis, resource, change, |policy| json!({ "policy": policy })).await
}

/// Changes which calls leave a line in the audit log of a project, unless that is as wished.
///
/// Without a mask Google would leave that part of the policy as it is, and with this one it leaves all others.
///
/// Source: <https://cloud.google.com/resource-manager/reference/rest/v3/projects/setIamPolicy>
pub(super) async fn edit_logs(
    apis: &Apis,
    resource: &Resource,
    change: impl Fn(&mut Policy) -> Change,
) -> Result<Ended, StepError> {
    let body = |policy: &Policy| json!({ "policy": policy, "updateMask": "auditConfigs,etag" });
    write_back(apis, resource, change, body).await
}

async fn write_back(
    apis: &Apis,
    resource: &Resource,
    change: impl Fn(&mut Policy) -> Change,
    body: impl Fn(&Policy) -> Value,
) -> Result<Ended, StepError> {
    let Some(place) = place_of(resource) else {
        return Ok(Ended::ByHand);
    };
    let mut policy = answered(read(apis, resource, &place).await)?;
    if change(&mut policy) == Change::AlreadySo {
        return Ok(Ended::AlreadySo);
    }
    let path = format!("{}:setIamPolicy", place.path);
    let written: Reading<Policy> = apis.post(place.service, &path, &body(&policy)).await;
    answered(written).map(|_| Ended::Done)
}

/// Which API holds the policy of a resource, and under which path.
struct PolicyPlace {
    service: Service,
    path: String,
}

fn place_of(resource: &Resource) -> Option<PolicyPlace> {
    let (service, version) = match resource {
        Resource::Project(_) => (Service::ResourceManager, "v3"),
        Resource::ServiceAccount(_) => (Service::Iam, "v1"),
        Resource::Repository(_) => (Service::ArtifactRegistry, "v1"),
        Resource::Other(_) => return None,
    };
    let path = format!("/{version}/{resource}");
    Some(PolicyPlace { service, path })
}

/// Reads at version 3, without which conditions would be lost; each API wants to be told so in its own way.
async fn read(apis: &Apis, resource: &Resource, place: &PolicyPlace) -> Reading<Policy> {
    const VERSION: &str = "options.requestedPolicyVersion=3";
    let path = format!("{}:getIamPolicy", place.path);
    match resource {
        Resource::Repository(_) => apis.get(place.service, &format!("{path}?{VERSION}")).await,
        Resource::ServiceAccount(_) => {
            let path = format!("{path}?{VERSION}");
            apis.post(place.service, &path, &json!({})).await
        }
        Resource::Project(_) | Resource::Other(_) => {
            let body = json!({"options": {"requestedPolicyVersion": 3}});
            apis.post(place.service, &path, &body).await
        }
    }
}
