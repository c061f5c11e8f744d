//! Service accounts: listing, making, changing, deleting, and their policies.

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{SCOPES, keys, project_id};
use crate::apis::Answer;
use crate::call::{self, Call};
use crate::google::{Caller, Google};
use crate::org_policy;
use crate::policies::{self, GetRequest, SetRequest, TestRequest};
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::world::{Project, ServiceAccount};

pub(super) fn answer(google: &Google, call: &Call, project: &str, rest: &[&str]) -> Answer {
    let caller = call.caller(google, SCOPES)?;
    let [name, below @ ..] = rest else {
        let id = project_id(google, project)?;
        call.require_api(google, &caller, &id)?;
        return match call.method {
            Method::GET => list(google, call, &caller, &id),
            Method::POST => create(google, call, &caller, &id),
            _ => Err(Refusal::no_such_route(&call.path)),
        };
    };
    if call.verb.as_deref() == Some("undelete") {
        return undelete(google, call, &caller, project, name);
    }
    let account = find(google, call, &caller, project, name)?;
    let at = At {
        google,
        call,
        caller: &caller,
        account,
    };
    match (&call.method, below, call.verb.as_deref()) {
        (_, ["keys", ..], _) => keys::answer(&at, &below[1..]),
        (&Method::GET, [], None) => at.show("iam.serviceAccounts.get"),
        (&Method::PATCH | &Method::PUT, [], None) => at.update(),
        (&Method::DELETE, [], None) => at.delete(),
        (&Method::POST, [], Some("disable")) => at.set_disabled(true),
        (&Method::POST, [], Some("enable")) => at.set_disabled(false),
        (&Method::POST, [], Some("getIamPolicy")) => at.get_policy(),
        (&Method::POST, [], Some("setIamPolicy")) => at.set_policy(),
        (&Method::POST, [], Some("testIamPermissions")) => at.test_permissions(),
        _ => Err(Refusal::no_such_route(&call.path)),
    }
}

/// An account that exists, and who asks about it.
pub(super) struct At<'a> {
    pub(super) google: &'a Google,
    pub(super) call: &'a Call,
    pub(super) caller: &'a Caller,
    pub(super) account: ResourceName,
}

/// Finds the account. A missing one is 404 in its project and 403 in the project `-`.
///
/// Source: <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/get>
fn find(
    google: &Google,
    call: &Call,
    caller: &Caller,
    project: &str,
    name: &str,
) -> Result<ResourceName, Refusal> {
    let found = google.read(|world| {
        let (own, account) = world.service_account(name)?;
        let named = project == "-" || own.id == project || own.number.to_string() == project;
        named.then(|| (own.id.clone(), account.email.clone()))
    });
    if let Some((id, email)) = found {
        call.require_api(google, caller, &id)?;
        return Ok(ResourceName::service_account(&id, &email));
    }
    if project == "-" {
        return Err(Refusal::permission_denied("iam.serviceAccounts.get"));
    }
    let id = project_id(google, project)?;
    call.require_api(google, caller, &id)?;
    let project = ResourceName::project(&id);
    if google.allows(caller, "iam.serviceAccounts.get", &project) {
        return Err(Refusal::not_found(format!(
            "Unknown service account: {name}"
        )));
    }
    Err(Refusal::permission_denied("iam.serviceAccounts.get"))
}

fn list(google: &Google, call: &Call, caller: &Caller, project: &str) -> Answer {
    google.require(
        caller,
        "iam.serviceAccounts.list",
        &ResourceName::project(project),
    )?;
    let asked = call.page(20, 100)?;
    let accounts = google.read(|world| {
        let project = world.project(project);
        let living = project.into_iter().flat_map(|project| {
            let accounts = project
                .service_accounts
                .iter()
                .filter(|account| !account.deleted);
            accounts.map(move |account| to_json(project, account))
        });
        living.collect()
    });
    let (accounts, next) = call::page(accounts, asked);
    let mut answer = json!({});
    if !accounts.is_empty() {
        answer["accounts"] = json!(accounts);
    }
    if let Some(next) = next {
        answer["nextPageToken"] = json!(next);
    }
    Ok(answer)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Create {
    account_id: String,
    service_account: Fields,
}

/// What a client may say about an account; the rest it sends back as it was read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Fields {
    display_name: Option<String>,
    description: Option<String>,
}

/// Accounts that a project may have, by default.
///
/// Source: <https://cloud.google.com/iam/quotas>
const MOST_ACCOUNTS: usize = 100;

fn create(google: &Google, call: &Call, caller: &Caller, project: &str) -> Answer {
    let resource = ResourceName::project(project);
    google.require(caller, "iam.serviceAccounts.create", &resource)?;
    let body: Create = call.json()?;
    if !ServiceAccount::is_valid_name(&body.account_id) {
        return Err(Refusal::invalid_field(
            "account_id",
            "The account ID does not match the pattern: [a-z]([-a-z0-9]{4,28}[a-z0-9])",
        ));
    }
    let (exists, many, forbidden) = google.read(|world| {
        let accounts = world
            .project(project)
            .map_or(&[][..], |it| &it.service_accounts);
        let living = accounts.iter().filter(|account| !account.deleted);
        let forbidden = [
            "iam.disableServiceAccountCreation",
            "iam.managed.disableServiceAccountCreation",
        ]
        .iter()
        .any(|constraint| org_policy::enforced(world, project, constraint));
        let exists = living
            .clone()
            .any(|account| account.name == body.account_id);
        (exists, living.count() >= MOST_ACCOUNTS, forbidden)
    });
    if forbidden {
        return Err(Refusal::failed_precondition(
            "Service account creation is not allowed on this project.",
        ));
    }
    if exists {
        let text = format!(
            "Service account {} already exists within project projects/{project}.",
            body.account_id
        );
        return Err(Refusal::already_exists(text));
    }
    if many {
        let number = google.read(|world| world.project(project).map_or(0, |it| it.number));
        return Err(Refusal::quota_exceeded(call.service.host(), number, None));
    }
    let email = google
        .create_account(project, &body.account_id)
        .map_err(|missing| Refusal::not_found(missing.to_string()))?;
    write(google, &email, body.service_account);
    Ok(show(google, project, &email))
}

fn write(google: &Google, email: &str, fields: Fields) {
    google.change(|world| {
        if let Some(account) = world.service_account_mut(email) {
            let Fields {
                display_name,
                description,
            } = fields;
            account.display_name = display_name.unwrap_or_else(|| account.display_name.clone());
            account.description = description.unwrap_or_else(|| account.description.clone());
        }
    });
}

fn show(google: &Google, project: &str, email: &str) -> Value {
    google.read(|world| {
        let found = world
            .project(project)
            .and_then(|project| Some((project, project.service_account(email)?)));
        found.map_or(Value::Null, |(project, account)| to_json(project, account))
    })
}

fn undelete(
    google: &Google,
    call: &Call,
    caller: &Caller,
    project: &str,
    unique_id: &str,
) -> Answer {
    let owner = google.read(|world| {
        world.projects.iter().find_map(|own| {
            let account = own
                .service_accounts
                .iter()
                .find(|it| it.deleted && it.unique_id == unique_id)?;
            let named = project == "-" || own.id == project;
            named.then(|| (own.id.clone(), account.email.clone()))
        })
    });
    let (id, email) = owner.ok_or_else(|| Refusal::not_found("Account deleted: not found."))?;
    call.require_api(google, caller, &id)?;
    google.require(
        caller,
        "iam.serviceAccounts.undelete",
        &ResourceName::project(&id),
    )?;
    google
        .undelete_account(unique_id)
        .map_err(|missing| Refusal::not_found(missing.to_string()))?;
    Ok(json!({ "restoredAccount": show(google, &id, &email) }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Patch {
    service_account: Option<Fields>,
    #[serde(flatten)]
    fields: Fields,
}

impl At<'_> {
    pub(super) fn may(&self, permission: &str) -> Result<(), Refusal> {
        self.google.require(self.caller, permission, &self.account)
    }

    pub(super) fn project(&self) -> &str {
        self.account.project_id().unwrap_or_default()
    }

    pub(super) fn email(&self) -> &str {
        match &self.account {
            ResourceName::ServiceAccount { email, .. } => email,
            _ => "",
        }
    }

    fn show(&self, permission: &str) -> Answer {
        self.may(permission)?;
        Ok(show(self.google, self.project(), self.email()))
    }

    fn update(&self) -> Answer {
        self.may("iam.serviceAccounts.update")?;
        let Patch {
            service_account,
            fields,
        } = self.call.json()?;
        write(self.google, self.email(), service_account.unwrap_or(fields));
        Ok(show(self.google, self.project(), self.email()))
    }

    fn delete(&self) -> Answer {
        self.may("iam.serviceAccounts.delete")?;
        self.done(self.google.delete_account(self.email()))
    }

    fn set_disabled(&self, disabled: bool) -> Answer {
        if disabled {
            self.may("iam.serviceAccounts.disable")?;
            return self.done(self.google.disable_account(self.email()));
        }
        self.may("iam.serviceAccounts.enable")?;
        self.done(self.google.enable_account(self.email()))
    }

    fn done(&self, result: Result<(), crate::google::NotInWorld>) -> Answer {
        let unknown = |_| Refusal::not_found(format!("Unknown service account: {}", self.email()));
        result.map(|()| json!({})).map_err(unknown)
    }

    fn get_policy(&self) -> Answer {
        self.may("iam.serviceAccounts.getIamPolicy")?;
        let body: GetRequest = self.call.json()?;
        let version = body.version(self.call.query("options.requestedPolicyVersion"));
        Ok(policies::get(self.google, &self.account, version))
    }

    fn set_policy(&self) -> Answer {
        self.may("iam.serviceAccounts.setIamPolicy")?;
        let body: SetRequest = self.call.json()?;
        policies::set(self.google, &self.account, body)
    }

    fn test_permissions(&self) -> Answer {
        let body: TestRequest = self.call.json()?;
        Ok(policies::test(
            self.google,
            self.caller,
            &self.account,
            &body,
        ))
    }
}

fn to_json(project: &Project, account: &ServiceAccount) -> Value {
    let mut answer = json!({
        "name": format!("projects/{}/serviceAccounts/{}", project.id, account.email),
        "projectId": project.id, "uniqueId": account.unique_id, "email": account.email,
        "oauth2ClientId": account.unique_id, "etag": "MDEwMjE5MjA=",
    });
    if !account.display_name.is_empty() {
        answer["displayName"] = json!(account.display_name);
    }
    if !account.description.is_empty() {
        answer["description"] = json!(account.description);
    }
    if account.disabled {
        answer["disabled"] = json!(true);
    }
    answer
}
