//! Policy Analyzer: on which day accounts and their keys were last used, which here is when a token was last given out.
//!
//! Source: <https://cloud.google.com/policy-intelligence/docs/activity-analyzer-service-account-authentication>

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::apis::Answer;
use crate::call::{self, Call};
use crate::google::{CLOUD_PLATFORM, Google};
use crate::principal::Principal;
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::world::{Project, ServiceAccount};

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Account,
    Key,
}

/// How far back activities are known.
const OBSERVED: SignedDuration = SignedDuration::from_hours(24 * 90);

pub(crate) fn answer(google: &Google, call: &Call) -> Answer {
    let parts = call.parts();
    let [
        "v1",
        "projects",
        project,
        "locations",
        _,
        "activityTypes",
        activity,
        "activities",
    ] = parts.as_slice()
    else {
        return Err(Refusal::no_such_route(&call.path));
    };
    if call.method != Method::GET || call.verb.as_deref() != Some("query") {
        return Err(Refusal::no_such_route(&call.path));
    }
    let (kind, permission) = match *activity {
        "serviceAccountLastAuthentication" => (
            Kind::Account,
            "policyanalyzer.serviceAccountLastAuthenticationActivities.query",
        ),
        "serviceAccountKeyLastAuthentication" => (
            Kind::Key,
            "policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query",
        ),
        _ => return Err(Refusal::not_simulated("knows no such type of activity")),
    };
    let caller = call.caller(google, &[CLOUD_PLATFORM])?;
    call.require_api(google, &caller, project)?;
    let found = google.read(|world| world.project(project).cloned());
    let project = found.ok_or_else(Refusal::caller_does_not_have_permission)?;
    google.require(&caller, permission, &ResourceName::project(&project.id))?;
    let wanted = match call.query("filter").filter(|filter| !filter.is_empty()) {
        None => None,
        Some(filter) => Some(
            named(filter)
                .ok_or_else(|| Refusal::not_simulated("only a filter by one full resource name"))?,
        ),
    };
    let accounts = project.service_accounts.iter().filter(|it| !it.deleted);
    let activities: Vec<Value> = accounts
        .flat_map(|account| match kind {
            Kind::Account => vec![of_account(google, &project, account)],
            Kind::Key => of_keys(&project, account),
        })
        .filter(|activity| wanted.is_none_or(|name| is_called(activity, name)))
        .map(|activity| with_period(activity, google.now()))
        .collect();
    let (activities, next) = call::page(activities, call.page(100, 1000)?);
    let mut answer = json!({});
    if !activities.is_empty() {
        answer["activities"] = json!(activities);
    }
    if let Some(next) = next {
        answer["nextPageToken"] = json!(next);
    }
    Ok(answer)
}

fn of_account(google: &Google, project: &Project, account: &ServiceAccount) -> Value {
    let name = full_name(project, account);
    let mut activity = json!({ "serviceAccount": {
        "fullResourceName": name, "projectNumber": project.number.to_string(), "serviceAccountId": account.unique_id,
    }});
    let used = google.last_used(&Principal::service_account(&account.email));
    if let Some(day) = used.and_then(day) {
        activity["lastAuthenticatedTime"] = json!(day);
    }
    json!({
        "fullResourceName": name, "activityType": "serviceAccountLastAuthentication", "activity": activity,
    })
}

fn of_keys(project: &Project, account: &ServiceAccount) -> Vec<Value> {
    let keys = account.keys.iter().map(|key| {
        let name = format!("{}/keys/{}", full_name(project, account), key.id);
        let mut activity = json!({ "serviceAccountKey": {
            "fullResourceName": name, "projectNumber": project.number.to_string(), "serviceAccountId": account.unique_id,
        }});
        if let Some(day) = key.last_used.and_then(day) {
            activity["lastAuthenticatedTime"] = json!(day);
        }
        json!({
            "fullResourceName": name, "activityType": "serviceAccountKeyLastAuthentication", "activity": activity,
        })
    });
    keys.collect()
}

fn full_name(project: &Project, account: &ServiceAccount) -> String {
    format!(
        "//iam.googleapis.com/projects/{}/serviceAccounts/{}",
        project.id, account.email
    )
}

/// Says whether an activity is about what a filter names, which may give a project by number.
fn is_called(activity: &Value, name: &str) -> bool {
    let own = activity["fullResourceName"].as_str().unwrap_or_default();
    let below = |name: &str| {
        name.split_once("/serviceAccounts/")
            .map(|(_, it)| it.to_owned())
    };
    own == name || (name.starts_with("//iam.googleapis.com/projects/") && below(own) == below(name))
}

fn with_period(mut activity: Value, now: Timestamp) -> Value {
    if let (Some(start), Some(end)) = (day(now - OBSERVED), day(now)) {
        activity["observationPeriod"] = json!({ "startTime": start, "endTime": end });
    }
    activity
}

/// The day of a moment, which begins at seven o'clock.
fn day(moment: Timestamp) -> Option<Timestamp> {
    const SEVEN: i64 = 7 * 3600;
    const DAY: i64 = 24 * 3600;
    let since = (moment.as_second() - SEVEN).rem_euclid(DAY);
    Timestamp::from_second(moment.as_second() - since).ok()
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

#[cfg(test)]
mod tests {
    use super::day;

    #[test]
    fn a_day_begins_at_seven() {
        for (moment, begin) in [
            ("2026-03-01T10:00:00Z", "2026-03-01T07:00:00Z"),
            ("2026-03-01T07:00:00Z", "2026-03-01T07:00:00Z"),
            ("2026-03-01T06:59:59Z", "2026-02-28T07:00:00Z"),
        ] {
            let found = day(moment.parse().unwrap()).unwrap();
            assert_eq!(found.to_string(), begin, "{moment}");
        }
    }
}
