//! The resources of Artifact Registry's REST API as JSON: packages, versions, tags and Docker images.
//!
//! Source: <https://cloud.google.com/artifact-registry/docs/reference/rest>

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::registry::address::RepositoryName;
use crate::registry::digest::Digest;
use crate::registry::manifest::Platform;
use crate::registry::version::Version;

/// How much of a version is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Basic,
    Full,
}

/// The most tags that a version tells.
const MOST_RELATED_TAGS: usize = 100;

/// The id of an image as a package: a name of several components in one.
///
/// Source: how `gcloud artifacts` spells names
pub(super) fn package_id(image: &str) -> String {
    image
        .replace('/', "%2F")
        .replace('+', "%2B")
        .replace('^', "%5E")
}

/// The image that a package's id names, decoded once or not at all by what came before.
pub(super) fn image_of(package_id: &str) -> String {
    percent_encoding::percent_decode_str(package_id)
        .decode_utf8_lossy()
        .into_owned()
}

pub(super) fn package_name(repository: &RepositoryName, image: &str) -> String {
    format!("{repository}/packages/{}", package_id(image))
}

/// A package: an image, of which every digest is a version.
pub(super) fn package(
    repository: &RepositoryName,
    image: &str,
    created: Timestamp,
    updated: Timestamp,
) -> Value {
    json!({
        "name": package_name(repository, image),
        "displayName": image,
        "createTime": created.to_string(),
        "updateTime": updated.to_string(),
    })
}

pub(super) fn version_name(repository: &RepositoryName, image: &str, digest: Digest) -> String {
    format!("{}/versions/{digest}", package_name(repository, image))
}

pub(super) fn version(
    repository: &RepositoryName,
    image: &str,
    version: &Version,
    view: View,
) -> Value {
    let mut fields = json!({
        "name": version_name(repository, image, version.digest),
        "createTime": version.uploaded.to_string(),
        "updateTime": version.updated.to_string(),
    });
    if view == View::Full {
        fields["metadata"] = metadata(repository, image, version);
        let tags = version.tags.iter().take(MOST_RELATED_TAGS);
        let tags: Vec<Value> = tags
            .map(|name| tag(repository, image, name, version.digest))
            .collect();
        if !tags.is_empty() {
            fields["relatedTags"] = json!(tags);
        }
    }
    fields
}

pub(super) fn tag_name(repository: &RepositoryName, image: &str, tag: &str) -> String {
    format!("{}/tags/{tag}", package_name(repository, image))
}

pub(super) fn tag(repository: &RepositoryName, image: &str, tag: &str, digest: Digest) -> Value {
    json!({
        "name": tag_name(repository, image, tag),
        "version": version_name(repository, image, digest),
    })
}

pub(super) fn docker_image_name(
    repository: &RepositoryName,
    image: &str,
    digest: Digest,
) -> String {
    format!("{repository}/dockerImages/{}@{digest}", package_id(image))
}

/// A digest with all that discovery may want to know of it.
pub(super) fn docker_image(repository: &RepositoryName, image: &str, version: &Version) -> Value {
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set(
        "name",
        json!(docker_image_name(repository, image, version.digest)),
    );
    set(
        "uri",
        json!(format!(
            "{}/{image}@{}",
            repository.registry_uri(),
            version.digest
        )),
    );
    if !version.tags.is_empty() {
        set("tags", json!(version.tags));
    }
    set("imageSizeBytes", json!(version.size.to_string()));
    set("uploadTime", json!(version.uploaded.to_string()));
    set("mediaType", json!(version.media_type));
    if let Some(built) = version.built {
        set("buildTime", json!(built.to_string()));
    }
    set("updateTime", json!(version.updated.to_string()));
    if let Some(artifact_type) = &version.artifact_type {
        set("artifactType", json!(artifact_type));
    }
    let manifests: Vec<Value> = version.platforms.iter().map(image_manifest).collect();
    if !manifests.is_empty() {
        set("imageManifests", json!(manifests));
    }
    Value::Object(fields)
}

/// What a version in full tells of the Docker image that it is.
fn metadata(repository: &RepositoryName, image: &str, version: &Version) -> Value {
    let mut fields = docker_image(repository, image, version);
    if let Some(fields) = fields.as_object_mut() {
        fields.retain(|name, _| {
            matches!(
                name.as_str(),
                "name" | "imageSizeBytes" | "mediaType" | "buildTime" | "artifactType"
            )
        });
    }
    fields
}

fn image_manifest((digest, media_type, platform): &(Digest, String, Platform)) -> Value {
    let known = [
        ("architecture", Some(&platform.architecture)),
        ("os", Some(&platform.os)),
        ("mediaType", Some(media_type)),
        ("osVersion", platform.os_version.as_ref()),
        ("variant", platform.variant.as_ref()),
    ];
    let mut fields = json!({ "digest": digest });
    for (name, value) in known {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            fields[name] = json!(value);
        }
    }
    if !platform.os_features.is_empty() {
        fields["osFeatures"] = json!(platform.os_features);
    }
    fields
}
