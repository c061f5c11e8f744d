//! Recommender: insights about accounts and policies. There are none here, for whoever may see them.
//!
//! Source: <https://cloud.google.com/recommender/docs/reference/rest/v1/projects.locations.insightTypes.insights>

use http::Method;
use serde_json::json;

use crate::apis::Answer;
use crate::call::Call;
use crate::google::{CLOUD_PLATFORM, Google};
use crate::refusal::Refusal;
use crate::resource::ResourceName;

pub(crate) fn answer(google: &Google, call: &Call) -> Answer {
    let parts = call.parts();
    let [
        "v1",
        "projects",
        project,
        "locations",
        location,
        "insightTypes",
        kind,
        "insights",
        rest @ ..,
    ] = parts.as_slice()
    else {
        return Err(Refusal::no_such_route(&call.path));
    };
    if call.method != Method::GET || call.verb.is_some() || rest.len() > 1 {
        return Err(Refusal::no_such_route(&call.path));
    }
    let caller = call.caller(google, &[CLOUD_PLATFORM])?;
    let id = google
        .read(|world| world.project(project).map(|it| it.id.clone()))
        .ok_or_else(Refusal::caller_does_not_have_permission)?;
    call.require_api(google, &caller, &id)?;
    let insights = match *kind {
        "google.iam.serviceAccount.Insight" => "recommender.iamServiceAccountInsights",
        "google.iam.policy.Insight" => "recommender.iamPolicyInsights",
        other => {
            let text = format!("knows no insights of type {other}");
            return Err(Refusal::not_simulated(&text));
        }
    };
    let verb = if rest.is_empty() { "list" } else { "get" };
    let resource = ResourceName::project(&id);
    google.require(&caller, &format!("{insights}.{verb}"), &resource)?;
    call.page(100, 1000)?;
    match rest {
        [insight] => Err(Refusal::not_found(format!(
            "Insight projects/{id}/locations/{location}/insightTypes/{kind}/insights/{insight} not found."
        ))),
        _ => Ok(json!({})),
    }
}
