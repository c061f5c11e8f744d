//! Makes the role that lets the controller act as accounts and nothing else.
//!
//! Source: <https://cloud.google.com/iam/docs/reference/rest/v1/projects.roles>

use gcp::facts::{Reading, Seen};
use gcp::policy::MINT;
use gcp::principal::ProjectId;
use gcp::setup::{MINTER_ROLE, MINTER_TITLE, minter_role};
use gcp::{Apis, Service};
use serde::Deserialize;
use serde_json::{Value, json};

use super::step::{Ended, StepError, answered};

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Role {
    #[serde(default)]
    included_permissions: Vec<String>,
    /// Its name stays taken for weeks after that.
    #[serde(default)]
    deleted: bool,
}

pub(super) async fn create(apis: &Apis, project: &ProjectId) -> Result<Ended, StepError> {
    let name = minter_role(project);
    let found: Reading<Role> = apis.get(Service::Iam, &format!("/v1/{name}")).await;
    if found.seen == Seen::Absent {
        return make(apis, project).await;
    }
    let ended = match answered(found)? {
        Role { deleted: true, .. } => {
            let path = format!("/v1/{name}:undelete");
            let restored: Reading<Value> = apis.post(Service::Iam, &path, &json!({})).await;
            answered(restored)?;
            let again: Reading<Role> = apis.get(Service::Iam, &format!("/v1/{name}")).await;
            carries(&name, &answered(again)?)?;
            Ended::Restored
        }
        there => {
            carries(&name, &there)?;
            Ended::AlreadySo
        }
    };
    Ok(ended)
}

async fn make(apis: &Apis, project: &ProjectId) -> Result<Ended, StepError> {
    let body = json!({"roleId": MINTER_ROLE, "role": {
        "title": MINTER_TITLE, "includedPermissions": [MINT], "stage": "GA"}});
    let path = format!("/v1/projects/{project}/roles");
    let made: Reading<Value> = apis.post(Service::Iam, &path, &body).await;
    match made.source.status {
        Some(409) => Ok(Ended::AlreadySo),
        _ => answered(made).map(|_| Ended::Done),
    }
}

fn carries(name: &str, role: &Role) -> Result<(), StepError> {
    if role.included_permissions.iter().any(|it| it == MINT) {
        return Ok(());
    }
    Err(StepError::Failed {
        why: format!("{name} is there and does not carry {MINT}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gcp::apply::scripted::{Reply, Scripted, acme, refusal};

    const ROLE: &str = "/v1/projects/acme-gke/roles/kargoGsaTokenMinter";

    async fn created(script: Vec<Reply>) -> (Result<Ended, StepError>, Vec<String>) {
        let google = Scripted::start(script).await;
        let ended = create(&google.apis(), &acme()).await;
        (ended, google.asked())
    }

    fn role(deleted: bool, permission: &str) -> Reply {
        (
            200,
            json!({"deleted": deleted, "includedPermissions": [permission]}),
        )
    }

    fn missing() -> Reply {
        refusal(404, "NOT_FOUND", "The role was not found.")
    }

    #[tokio::test]
    async fn it_is_made_where_it_is_not_there() {
        let (ended, asked) = created(vec![missing(), (200, json!({}))]).await;
        assert_eq!(ended.expect("it is made"), Ended::Done);
        let made = "POST /v1/projects/acme-gke/roles".to_owned();
        assert_eq!(asked, [format!("GET {ROLE}"), made]);
        let taken = refusal(409, "ALREADY_EXISTS", "A role of that name exists.");
        let (ended, _) = created(vec![missing(), taken]).await;
        assert_eq!(ended.expect("somebody was faster"), Ended::AlreadySo);
        let (ended, _) = created(vec![role(false, MINT)]).await;
        assert_eq!(ended.expect("it is there"), Ended::AlreadySo);
    }

    #[tokio::test]
    async fn one_that_was_deleted_comes_back() {
        let script = vec![role(true, MINT), (200, json!({})), role(false, MINT)];
        let (ended, asked) = created(script).await;
        assert_eq!(ended.expect("it is back"), Ended::Restored);
        assert_eq!(asked[1], format!("POST {ROLE}:undelete"));
    }

    #[tokio::test]
    async fn one_that_carries_something_else_is_no_success() {
        let (ended, _) = created(vec![role(false, "iam.serviceAccounts.get")]).await;
        let error = ended.expect_err("it does not mint").to_string();
        assert!(error.contains("does not carry"), "{error}");
    }
}
