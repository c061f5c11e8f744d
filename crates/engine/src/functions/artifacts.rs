//! What the promotion's Freight holds: finds one artifact, and shows it as expressions know it.

use std::collections::BTreeMap;

use expr::{Map, Record, Value};
use resources::{
    ArtifactReference, Chart, FreightCollection, FreightOrigin, FreightReference, GitCommit, Image,
    subscription::{Source, Subscription},
    url::normalize_git,
};

/// Which artifact an expression asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    Commit { url: String },
    Image { url: String },
    Chart { url: String, name: String },
    Artifact { subscription: String },
}

impl Wanted {
    /// Reads the arguments of a function; the last may be an origin.
    pub(super) fn parse(
        function: &str,
        arguments: &[Value],
    ) -> Result<(Self, Option<FreightOrigin>), String> {
        let (texts, origin) = match arguments {
            [texts @ .., Value::Record(record)] => (texts, Some(origin_of(record)?)),
            texts => (texts, None),
        };
        let texts: Option<Vec<&str>> = texts.iter().map(Value::as_str).collect();
        let wanted = match (function, texts.as_deref()) {
            ("commitFrom", Some([url])) => Self::Commit {
                url: normalize_git(url),
            },
            ("imageFrom", Some([url])) => Self::Image {
                url: (*url).to_owned(),
            },
            ("chartFrom", Some([url])) => Self::Chart {
                url: (*url).to_owned(),
                name: String::new(),
            },
            ("chartFrom", Some([url, name])) => Self::Chart {
                url: (*url).to_owned(),
                name: (*name).to_owned(),
            },
            ("artifactFrom", Some([subscription])) => Self::Artifact {
                subscription: (*subscription).to_owned(),
            },
            _ => {
                return Err(format!(
                    "{function} takes a URL, and optionally what warehouse() gives"
                ));
            }
        };
        Ok((wanted, origin))
    }

    /// Says whether a Warehouse's subscription gives this.
    pub(super) fn is_from(&self, subscription: &Subscription) -> bool {
        match (self, &subscription.source) {
            (Self::Commit { url }, Source::Git(git)) => normalize_git(&git.repo_url) == *url,
            (Self::Image { url }, Source::Image(image)) => image.repo_url == *url,
            (Self::Chart { url, name }, Source::Chart(chart)) => {
                chart.repo_url == *url && chart.name == *name
            }
            (Self::Artifact { subscription: name }, Source::Other { .. }) => {
                subscription.name == *name
            }
            (
                Self::Commit { .. }
                | Self::Image { .. }
                | Self::Chart { .. }
                | Self::Artifact { .. },
                Source::Git(_) | Source::Image(_) | Source::Chart(_) | Source::Other { .. },
            ) => false,
        }
    }

    /// Finds it in the Freight of an origin; nil when it is not there.
    pub(super) fn find(&self, freight: &FreightCollection, origin: &FreightOrigin) -> Value {
        freight
            .of_origin(origin)
            .and_then(|freight| self.find_in(freight))
            .map_or(Value::Nil, Value::from)
    }

    fn find_in(&self, freight: &FreightReference) -> Option<Record> {
        match self {
            Self::Commit { url } => freight
                .commits
                .iter()
                .find(|it| normalize_git(&it.repo_url) == *url)
                .map(commit),
            Self::Image { url } => freight
                .images
                .iter()
                .find(|it| it.repo_url == *url)
                .map(image),
            Self::Chart { url, name } => freight
                .charts
                .iter()
                .find(|it| it.repo_url == *url && it.name == *name)
                .map(chart),
            Self::Artifact { subscription } => freight
                .artifacts
                .iter()
                .find(|it| it.subscription_name == *subscription)
                .map(artifact),
        }
    }

    /// What a person would call it, for messages.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Commit { url } => format!("commit of {url:?}"),
            Self::Image { url } => format!("image of {url:?}"),
            Self::Chart { url, name } => format!("chart {name:?} of {url:?}"),
            Self::Artifact { subscription } => format!("artifact of {subscription:?}"),
        }
    }
}

fn origin_of(record: &Record) -> Result<FreightOrigin, String> {
    let name = record.member("Name").and_then(Value::as_str);
    let name = name.ok_or_else(|| "the last argument is not what warehouse() gives".to_owned())?;
    Ok(FreightOrigin {
        name: name.to_owned(),
        ..FreightOrigin::default()
    })
}

/// Adds members in order; JSON leaves empty ones out.
fn with(mut record: Record, members: &[(&str, &str, &str)]) -> Record {
    for (name, json_name, value) in members {
        record = if value.is_empty() {
            record.unwritten(*name, *value)
        } else {
            record.with(*name, *json_name, *value)
        };
    }
    record
}

fn commit(commit: &GitCommit) -> Record {
    with(
        Record::new("v1alpha1.GitCommit"),
        &[
            ("RepoURL", "repoURL", &commit.repo_url),
            ("ID", "id", &commit.id),
            ("Branch", "branch", &commit.branch),
            ("Tag", "tag", &commit.tag),
            ("Message", "message", &commit.message),
            ("Author", "author", &commit.author),
            ("Committer", "committer", &commit.committer),
            (
                "SubscriptionName",
                "subscriptionName",
                &commit.subscription_name,
            ),
        ],
    )
}

fn image(image: &Image) -> Record {
    let record = with(
        Record::new("v1alpha1.Image"),
        &[
            ("RepoURL", "repoURL", &image.repo_url),
            ("Tag", "tag", &image.tag),
            ("Digest", "digest", &image.digest),
        ],
    );
    let annotations = strings(&image.annotations);
    let record = if image.annotations.is_empty() {
        record.unwritten("Annotations", annotations)
    } else {
        record.with("Annotations", "annotations", annotations)
    };
    with(
        record,
        &[(
            "SubscriptionName",
            "subscriptionName",
            &image.subscription_name,
        )],
    )
}

fn chart(chart: &Chart) -> Record {
    with(
        Record::new("v1alpha1.Chart"),
        &[
            ("RepoURL", "repoURL", &chart.repo_url),
            ("Name", "name", &chart.name),
            ("Version", "version", &chart.version),
            (
                "SubscriptionName",
                "subscriptionName",
                &chart.subscription_name,
            ),
        ],
    )
}

fn artifact(artifact: &ArtifactReference) -> Record {
    let record = with(
        Record::new("v1alpha1.ArtifactReference"),
        &[
            ("ArtifactType", "artifactType", &artifact.artifact_type),
            (
                "SubscriptionName",
                "subscriptionName",
                &artifact.subscription_name,
            ),
            ("Version", "version", &artifact.version),
        ],
    );
    match &artifact.metadata {
        Some(metadata) => record.with("Metadata", "metadata", metadata),
        None => record.unwritten("Metadata", Value::Nil),
    }
}

fn strings(map: &BTreeMap<String, String>) -> Value {
    Value::from(Map::of_strings(
        map.iter().map(|(key, value)| (key.clone(), value.clone())),
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn collection() -> FreightCollection {
        let freight: FreightReference = serde_json::from_value(json!({
            "name": "f", "origin": {"kind": "Warehouse", "name": "w"},
            "commits": [{"repoURL": "https://github.com/acme/app.git", "id": "abc", "branch": "main"}],
            "images": [{"repoURL": "r/web", "tag": "1.0", "digest": "sha256:d", "annotations": {"a": "b"}}],
            "charts": [{"repoURL": "oci://r/chart", "version": "2.0"}, {"repoURL": "https://c", "name": "n", "version": "3"}],
        }))
        .unwrap();
        FreightCollection::of([freight])
    }

    #[track_caller]
    fn check(function: &str, arguments: &[&str], expected: &serde_json::Value) {
        let mut values: Vec<Value> = arguments.iter().map(|text| Value::from(*text)).collect();
        values.push(Value::from(super::super::origin("w")));
        let (wanted, origin) = Wanted::parse(function, &values).unwrap();
        let found = wanted.find(&collection(), &origin.unwrap());
        assert_eq!(
            &found.to_json().unwrap(),
            expected,
            "{function} {arguments:?}"
        );
    }

    #[test]
    fn artifacts_are_found_and_written_with_json_names() {
        let commit =
            json!({"repoURL": "https://github.com/acme/app.git", "id": "abc", "branch": "main"});
        check("commitFrom", &["https://github.com/acme/app"], &commit);
        let image = json!({"repoURL": "r/web", "tag": "1.0", "digest": "sha256:d", "annotations": {"a": "b"}});
        check("imageFrom", &["r/web"], &image);
        check("imageFrom", &["r/other"], &json!(null));
        check(
            "chartFrom",
            &["oci://r/chart"],
            &json!({"repoURL": "oci://r/chart", "version": "2.0"}),
        );
        check(
            "chartFrom",
            &["https://c", "n"],
            &json!({"repoURL": "https://c", "name": "n", "version": "3"}),
        );
        check("chartFrom", &["https://c"], &json!(null));
    }

    #[test]
    fn members_go_by_their_go_names() {
        let (wanted, origin) = Wanted::parse(
            "imageFrom",
            &["r/web".into(), Value::from(super::super::origin("w"))],
        )
        .unwrap();
        let Value::Record(image) = wanted.find(&collection(), &origin.unwrap()) else {
            panic!("not a record")
        };
        assert_eq!(image.member("Tag"), Some(&Value::from("1.0")));
        assert_eq!(image.member("tag"), None);
        assert!(Wanted::parse("imageFrom", &[Value::from(1_i64)]).is_err());
    }
}
