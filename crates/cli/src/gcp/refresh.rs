//! Has the Warehouses of a Project look again, so that nobody waits for the end of their intervals.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use gcp::setup::shell::quote;
use jiff::Timestamp;
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::{Client, ResourceExt};
use resources::Warehouse;
use resources::names::annotation::REFRESH;
use serde_json::json;

/// Asks all of them and says so on standard error; where that may not be done, says what to run instead.
///
/// # Errors
/// When nothing can be said.
pub(super) async fn request(client: &Client, project: &str, now: Timestamp) -> Result<()> {
    let said = match ask(client, project, now).await {
        Ok(names) if names.is_empty() => return Ok(()),
        Ok(names) => format!("asked to look again: Warehouses {}", names.join(", ")),
        Err(error) => format!(
            "note: the Warehouses of {project} were not asked to look again, which they do by themselves after minutes: \
             {}; at once: {}",
            why(&error),
            by_hand(project)
        ),
    };
    let mut stderr = anstream::stderr().lock();
    writeln!(stderr, "{said}").context("failed to write to standard error")
}

/// Says what to run once it works: before that they would be refused again, and look the next time only after minutes.
///
/// # Errors
/// When nothing can be said.
pub(super) fn later(project: &str) -> Result<()> {
    let mut stderr = anstream::stderr().lock();
    writeln!(
        stderr,
        "once it counts, its Warehouses look again by themselves after minutes; at once: {}",
        by_hand(project)
    )
    .context("failed to write to standard error")
}

/// Changes the annotation of each; gives their names.
async fn ask(client: &Client, project: &str, now: Timestamp) -> kube::Result<Vec<String>> {
    let api = Api::<Warehouse>::namespaced(client.clone(), project);
    let patch = json!({"metadata": {"annotations": {REFRESH: now.to_string()}}});
    let mut names = Vec::new();
    for warehouse in api.list(&ListParams::default()).await? {
        let name = warehouse.name_any();
        match api
            .patch(&name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
        {
            Ok(_) => names.push(name),
            // It went away meanwhile.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error),
        }
    }
    Ok(names)
}

fn why(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        error => error.to_string(),
    }
}

/// The command that does the same.
fn by_hand(project: &str) -> String {
    format!(
        "kubectl annotate warehouses --all --namespace={} --overwrite {REFRESH}=\"$(date +%s)\"",
        quote(project)
    )
}
