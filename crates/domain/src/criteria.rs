//! May Freight be made of what was found? A Warehouse's `freightCreationCriteria` says.
//!
//! The expression has no variables, and asks for what was found with `commitFrom`, `imageFrom`, `chartFrom` and
//! `artifactFrom`: the best artifact of a subscription, or nil. URLs are compared in their normal form.

use std::sync::Arc;

use expr::{Budget, CallError, Environment, Error, Evaluation, Map, Program, Record, Value};
use jiff::{Timestamp, tz::TimeZone};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use resources::{
    DiscoveredArtifacts, DiscoveredCommit, DiscoveredImageReference,
    url::{normalize_chart, normalize_git, normalize_image},
    warehouse::FreightCreationCriteria,
};

/// Why the question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CriteriaError {
    #[error(transparent)]
    Expression(#[from] Error),
    #[error("the expression gave {text:?}, which is neither true nor false")]
    NotBoolean { text: String },
}

/// Says whether what was found satisfies the criteria; without any it does.
pub fn satisfied(
    criteria: Option<&FreightCreationCriteria>,
    found: &DiscoveredArtifacts,
    now: Timestamp,
) -> Result<bool, CriteriaError> {
    let expression = criteria.map_or("", |it| it.expression.trim());
    if expression.is_empty() {
        return Ok(true);
    }
    let program = Program::parse(expression)?;
    match program.evaluate(&Findings { found, now }, &mut Budget::default())? {
        Evaluation::Done(Value::Bool(answer)) => Ok(answer),
        Evaluation::Done(other) => truth(&other),
        Evaluation::Pending(_) => unreachable!("no function here waits for anything"),
    }
}

/// Reads what is no boolean by its text, with the words that Go takes for one.
fn truth(value: &Value) -> Result<bool, CriteriaError> {
    let text = match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_json_text()?,
    };
    match text.as_str() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(CriteriaError::NotBoolean { text }),
    }
}

/// What was found, as expressions see it.
struct Findings<'a> {
    found: &'a DiscoveredArtifacts,
    now: Timestamp,
}

impl Environment for Findings<'_> {
    fn variable(&self, _name: &str) -> Option<Value> {
        None
    }

    fn now(&self) -> Option<jiff::Zoned> {
        Some(self.now.to_zoned(TimeZone::UTC))
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, CallError>> {
        let texts: Option<Vec<&str>> = arguments.iter().map(Value::as_str).collect();
        Some(match (name, texts.as_deref()) {
            ("commitFrom", Some([url])) => Ok(self.commit(url)),
            ("imageFrom", Some([url])) => Ok(self.image(url)),
            ("chartFrom", Some([url])) => Ok(self.chart(url, "")),
            ("chartFrom", Some([url, name])) => Ok(self.chart(url, name)),
            ("artifactFrom", Some([subscription])) => Ok(self.artifact(subscription)),
            ("commitFrom" | "imageFrom" | "chartFrom", _) => Err(CallError::Failed(format!(
                "{name} takes the URL of a subscription"
            ))),
            ("artifactFrom", _) => Err(CallError::Failed(format!(
                "{name} takes the name of a subscription"
            ))),
            _ => return None,
        })
    }
}

impl Findings<'_> {
    fn commit(&self, url: &str) -> Value {
        let url = normalize_git(url);
        let found = self
            .found
            .git
            .iter()
            .find(|it| normalize_git(&it.repo_url) == url);
        found
            .and_then(|it| it.commits.first())
            .map_or(Value::Nil, commit)
    }

    fn image(&self, url: &str) -> Value {
        let url = normalize_image(url);
        let found = self
            .found
            .images
            .iter()
            .find(|it| normalize_image(&it.repo_url) == url);
        found
            .and_then(|it| it.references.first())
            .map_or(Value::Nil, image)
    }

    fn chart(&self, url: &str, name: &str) -> Value {
        let wanted = normalize_chart(url);
        let mut charts = self.found.charts.iter();
        let Some(it) = charts.find(|it| normalize_chart(&it.repo_url) == wanted && it.name == name)
        else {
            return Value::Nil;
        };
        let Some(version) = it.versions.first() else {
            return Value::Nil;
        };
        Record::new("v1alpha1.Chart")
            .with("RepoURL", "repoURL", it.repo_url.as_str())
            .with("Name", "name", it.name.as_str())
            .with("Version", "version", version.as_str())
            .with(
                "SubscriptionName",
                "subscriptionName",
                it.subscription_name.as_str(),
            )
            .into()
    }

    fn artifact(&self, subscription: &str) -> Value {
        let found = self.found.results.iter().find(|it| it.name == subscription);
        let Some(it) = found.and_then(|it| it.artifact_references.first()) else {
            return Value::Nil;
        };
        Record::new("v1alpha1.ArtifactReference")
            .with("ArtifactType", "artifactType", it.artifact_type.as_str())
            .with(
                "SubscriptionName",
                "subscriptionName",
                it.subscription_name.as_str(),
            )
            .with("Version", "version", it.version.as_str())
            .with(
                "Metadata",
                "metadata",
                it.metadata.as_ref().map_or(Value::Nil, Value::from),
            )
            .into()
    }
}

fn commit(it: &DiscoveredCommit) -> Value {
    Record::new("v1alpha1.DiscoveredCommit")
        .with("ID", "id", it.id.as_str())
        .with("Branch", "branch", it.branch.as_str())
        .with("Tag", "tag", it.tag.as_str())
        .with("Subject", "subject", it.subject.as_str())
        .with("Author", "author", it.author.as_str())
        .with("Committer", "committer", it.committer.as_str())
        .with("CreatorDate", "creatorDate", time(it.creator_date.as_ref()))
        .into()
}

fn image(it: &DiscoveredImageReference) -> Value {
    let annotations = it
        .annotations
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()));
    Record::new("v1alpha1.DiscoveredImageReference")
        .with("Tag", "tag", it.tag.as_str())
        .with("Digest", "digest", it.digest.as_str())
        .with("Annotations", "annotations", Map::of_strings(annotations))
        .with("CreatedAt", "createdAt", time(it.created_at.as_ref()))
        .into()
}

fn time(time: Option<&Time>) -> Value {
    time.map_or(Value::Nil, |it| {
        Value::Time(Arc::new(it.0.to_zoned(TimeZone::UTC)))
    })
}

#[cfg(test)]
mod tests;
