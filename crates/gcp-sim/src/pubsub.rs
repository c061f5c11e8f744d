//! Pub/Sub, as far as somebody asks whether a topic exists: none does here.
//!
//! Source: <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/get>

use http::Method;

use crate::apis::Answer;
use crate::call::Call;
use crate::google::{CLOUD_PLATFORM, Google};
use crate::refusal::Refusal;
use crate::resource::ResourceName;

pub(crate) fn answer(google: &Google, call: &Call) -> Answer {
    let parts = call.parts();
    let ["v1", "projects", project, "topics", topic] = parts.as_slice() else {
        return Err(Refusal::no_such_route(&call.path));
    };
    if call.method != Method::GET {
        return Err(Refusal::no_such_route(&call.path));
    }
    let caller = call.caller(google, &[CLOUD_PLATFORM])?;
    call.require_api(google, &caller, project)?;
    google.require(
        &caller,
        "pubsub.topics.get",
        &ResourceName::project(project),
    )?;
    Err(Refusal::not_found(format!(
        "Resource not found (resource={topic})."
    )))
}
