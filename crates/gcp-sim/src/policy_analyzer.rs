//! Policy Analyzer: when accounts were last used, which here is when the last token of theirs was given out.
//!
//! Source: <https://cloud.google.com/policy-intelligence/docs/activity-analyzer-service-account-authentication>

use http::Method;
use serde_json::json;

use crate::apis::Answer;
use crate::call::Call;
use crate::google::{CLOUD_PLATFORM, Google};
use crate::principal::Principal;
use crate::refusal::Refusal;
use crate::resource::ResourceName;

const PERMISSION: &str = "policyanalyzer.serviceAccountLastAuthenticationActivities.query";
const ACTIVITY: &str = "serviceAccountLastAuthentication";

pub(crate) fn answer(google: &Google, call: &Call) -> Answer {
    let parts = call.parts();
    let [
        "v1",
        "projects",
        project,
        "locations",
        _,
        "activityTypes",
        ACTIVITY,
        "activities",
    ] = parts.as_slice()
    else {
        return Err(Refusal::no_such_route(&call.path));
    };
    if call.method != Method::GET || call.verb.as_deref() != Some("query") {
        return Err(Refusal::no_such_route(&call.path));
    }
    let caller = call.caller(google, &[CLOUD_PLATFORM])?;
    call.require_api(google, &caller, project)?;
    google.require(&caller, PERMISSION, &ResourceName::project(project))?;
    let name = named(call.query("filter").unwrap_or_default())
        .ok_or_else(|| Refusal::not_simulated("only a filter by one full resource name"))?;
    let email = name.rsplit('/').next().unwrap_or_default();
    if google.read(|world| world.service_account(email).is_none()) {
        return Ok(json!({}));
    }
    let mut activity = json!({ "serviceAccount": { "fullResourceName": name } });
    if let Some(used) = google.last_used(&Principal::service_account(email)) {
        activity["lastAuthenticatedTime"] = json!(used);
    }
    Ok(json!({ "activities": [{
        "fullResourceName": name, "activityType": ACTIVITY, "activity": activity,
    }]}))
}

/// Reads `activities.fullResourceName="//iam.googleapis.com/…"`.
fn named(filter: &str) -> Option<&str> {
    let value = filter
        .trim()
        .strip_prefix("activities.fullResourceName")?
        .trim_start()
        .strip_prefix('=')?;
    value.trim().strip_prefix('"')?.strip_suffix('"')
}
