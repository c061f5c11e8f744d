//! The name of Freight: the SHA-1 of what is in it.
//!
//! Only what makes artifacts different counts; messages, authors and annotations do not.

use sha1::{Digest, Sha1};

use super::{ArtifactReference, Chart, Freight, GitCommit, Image};
use crate::url::{normalize_chart, normalize_git};

impl Freight {
    /// The name that the origin and the artifacts give, whatever order they are in.
    ///
    /// Computed whenever Freight is created, so two discoveries of the same things are one Freight.
    pub fn generate_name(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        parts.extend(self.commits.iter().map(commit));
        parts.extend(self.images.iter().map(image));
        parts.extend(self.charts.iter().map(chart));
        parts.extend(self.artifacts.iter().map(artifact));
        parts.sort_unstable();
        hex::encode(Sha1::digest(format!("{}:{}", self.origin, parts.join("|"))))
    }
}

fn commit(commit: &GitCommit) -> String {
    let repository = normalize_git(&commit.repo_url);
    let revision = match commit.tag.as_str() {
        "" => commit.id.clone(),
        tag => format!("{tag}:{}", commit.id),
    };
    with_subscription(
        format!("{repository}:{revision}"),
        &commit.subscription_name,
    )
}

/// The repository is taken as it was written: the reference does so, and names must not change.
fn image(image: &Image) -> String {
    let Image {
        repo_url,
        tag,
        digest,
        ..
    } = image;
    with_subscription(
        format!("{repo_url}:{tag}@{digest}"),
        &image.subscription_name,
    )
}

fn chart(chart: &Chart) -> String {
    let path = join_path(&normalize_chart(&chart.repo_url), &chart.name);
    with_subscription(
        format!("{path}:{}", chart.version),
        &chart.subscription_name,
    )
}

fn artifact(artifact: &ArtifactReference) -> String {
    let ArtifactReference {
        artifact_type,
        subscription_name,
        version,
        metadata: _,
    } = artifact;
    format!("{artifact_type}:{subscription_name}:{version}")
}

fn with_subscription(part: String, subscription: &str) -> String {
    match subscription {
        "" => part,
        name => format!("{part}:{name}"),
    }
}

/// Joins two paths and takes out empty, `.` and `..` elements, as Go's `path.Join` does.
fn join_path(first: &str, second: &str) -> String {
    let joined = match (first, second) {
        ("", "") => return String::new(),
        ("", only) | (only, "") => only.to_owned(),
        (first, second) => format!("{first}/{second}"),
    };
    let is_rooted = joined.starts_with('/');
    let mut elements: Vec<&str> = Vec::new();
    for element in joined.split('/') {
        match element {
            "" | "." => {}
            ".." if elements.last().is_some_and(|it| *it != "..") => {
                elements.pop();
            }
            ".." if is_rooted => {}
            _ => elements.push(element),
        }
    }
    match (is_rooted, elements.join("/")) {
        (true, path) => format!("/{path}"),
        (false, path) if path.is_empty() => ".".to_owned(),
        (false, path) => path,
    }
}
