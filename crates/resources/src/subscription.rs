//! Subscriptions: one repository of a Warehouse, with what to take from it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::wire::is_empty;

/// An element of `spec.subscriptions` as it was written: `{"git": {…}, "name": "…"}`.
///
/// The schema takes anything here, so anything is kept; [`RawSubscription::parse`] says what it means.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawSubscription(pub Value);

/// A subscription that makes sense.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscription {
    /// Empty, or unique in the Warehouse.
    pub name: String,
    pub source: Source,
}

/// What is subscribed to.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    Git(GitSubscription),
    Image(ImageSubscription),
    Chart(ChartSubscription),
    /// Something of a kind that is not built in.
    Other {
        kind: String,
        subscription: OtherSubscription,
    },
}

/// Why an element is no subscription.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionError {
    #[error("a subscription must be an object")]
    NotAnObject,
    #[error(
        "a subscription must have exactly one field that names its kind, apart from \"name\", but has {count}"
    )]
    Kinds { count: usize },
    #[error("failed to read {field:?}")]
    Field {
        field: String,
        source: serde_json::Error,
    },
}

/// A Git repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GitSubscription {
    #[serde(rename = "repoURL")]
    pub repo_url: String,
    pub commit_selection_strategy: CommitSelectionStrategy,
    /// Empty means the default branch of the remote.
    #[serde(skip_serializing_if = "is_empty")]
    pub branch: String,
    pub strict_semvers: bool,
    #[serde(skip_serializing_if = "is_empty")]
    pub semver_constraint: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub allow_tags_regexes: Vec<String>,
    #[serde(skip_serializing_if = "is_empty")]
    pub ignore_tags_regexes: Vec<String>,
    /// No longer supported; discovery refuses it.
    #[serde(skip_serializing_if = "is_empty")]
    pub allow_tags: String,
    /// No longer supported; discovery refuses it.
    #[serde(skip_serializing_if = "is_empty")]
    pub ignore_tags: Vec<String>,
    /// An expression without `${{ }}` around it.
    #[serde(skip_serializing_if = "is_empty")]
    pub expression_filter: String,
    #[serde(rename = "insecureSkipTLSVerify", skip_serializing_if = "is_empty")]
    pub insecure_skip_tls_verify: bool,
    #[serde(skip_serializing_if = "is_empty")]
    pub blobless: bool,
    #[serde(skip_serializing_if = "is_empty")]
    pub include_paths: Vec<String>,
    #[serde(skip_serializing_if = "is_empty")]
    pub exclude_paths: Vec<String>,
    #[serde(deserialize_with = "limit")]
    pub discovery_limit: i64,
    /// RFC 3339; older commits do not count.
    #[serde(skip_serializing_if = "is_empty")]
    pub since: String,
}

/// Which commits are taken first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommitSelectionStrategy {
    #[default]
    #[serde(alias = "")]
    NewestFromBranch,
    SemVer,
    Lexical,
    NewestTag,
}

/// An image repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImageSubscription {
    #[serde(rename = "repoURL")]
    pub repo_url: String,
    pub image_selection_strategy: ImageSelectionStrategy,
    pub strict_semvers: bool,
    /// A range of versions for `SemVer`, the tag to follow for `Digest`.
    #[serde(skip_serializing_if = "is_empty")]
    pub constraint: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub allow_tags_regexes: Vec<String>,
    #[serde(skip_serializing_if = "is_empty")]
    pub ignore_tags_regexes: Vec<String>,
    /// No longer supported; discovery refuses it.
    #[serde(skip_serializing_if = "is_empty")]
    pub allow_tags: String,
    /// No longer supported; discovery refuses it.
    #[serde(skip_serializing_if = "is_empty")]
    pub ignore_tags: Vec<String>,
    /// `os/arch` or `os/arch/variant`; empty takes every platform.
    #[serde(skip_serializing_if = "is_empty")]
    pub platform: String,
    #[serde(rename = "insecureSkipTLSVerify", skip_serializing_if = "is_empty")]
    pub insecure_skip_tls_verify: bool,
    #[serde(deserialize_with = "limit")]
    pub discovery_limit: i64,
    #[serde(skip_serializing_if = "is_empty")]
    pub cache_by_tag: bool,
}

/// Which images are taken first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageSelectionStrategy {
    #[default]
    #[serde(alias = "")]
    SemVer,
    Digest,
    Lexical,
    NewestBuild,
}

/// A chart repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChartSubscription {
    #[serde(rename = "repoURL")]
    pub repo_url: String,
    /// Needed for `http(s)://`, forbidden for `oci://`.
    #[serde(skip_serializing_if = "is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub semver_constraint: String,
    #[serde(rename = "insecureSkipTLSVerify", skip_serializing_if = "is_empty")]
    pub insecure_skip_tls_verify: bool,
    #[serde(deserialize_with = "limit")]
    pub discovery_limit: i64,
}

/// A repository of a kind that is not built in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OtherSubscription {
    #[serde(skip_serializing_if = "is_empty")]
    pub config: Option<Value>,
    #[serde(deserialize_with = "limit")]
    pub discovery_limit: i64,
}

/// How many artifacts a subscription takes when nothing is said.
pub const DEFAULT_DISCOVERY_LIMIT: i64 = 20;

/// The most artifacts a subscription may take.
pub const MAX_DISCOVERY_LIMIT: i64 = 100;

const NAME: &str = "name";

impl RawSubscription {
    /// Says what the element means, with defaults filled in.
    pub fn parse(&self) -> Result<Subscription, SubscriptionError> {
        let Value::Object(members) = &self.0 else {
            return Err(SubscriptionError::NotAnObject);
        };
        let mut kinds = members.keys().filter(|it| it.as_str() != NAME);
        let (Some(kind), None) = (kinds.next(), kinds.next()) else {
            let count = members.keys().filter(|it| it.as_str() != NAME).count();
            return Err(SubscriptionError::Kinds { count });
        };
        let source = match kind.as_str() {
            "git" => Source::Git(member(members, kind)?),
            "image" => Source::Image(member(members, kind)?),
            "chart" => Source::Chart(member(members, kind)?),
            _ => Source::Other {
                kind: kind.clone(),
                subscription: member(members, kind)?,
            },
        };
        let name = if members.contains_key(NAME) {
            member(members, NAME)?
        } else {
            String::new()
        };
        Ok(Subscription { name, source })
    }
}

/// Reads one member; what is `null` in it is absent.
fn member<T: DeserializeOwned>(
    members: &Map<String, Value>,
    field: &str,
) -> Result<T, SubscriptionError> {
    let mut value = members[field].clone();
    if let Value::Object(fields) = &mut value {
        fields.retain(|_, it| !it.is_null());
    }
    T::deserialize(value).map_err(|source| SubscriptionError::Field {
        field: field.to_owned(),
        source,
    })
}

/// Reads a limit; zero is none given.
fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let limit = i64::deserialize(deserializer)?;
    Ok(if limit == 0 {
        DEFAULT_DISCOVERY_LIMIT
    } else {
        limit
    })
}

impl Subscription {
    /// The word that names the kind: `git`, `image`, `chart` or another.
    pub fn kind(&self) -> &str {
        match &self.source {
            Source::Git(_) => "git",
            Source::Image(_) => "image",
            Source::Chart(_) => "chart",
            Source::Other { kind, .. } => kind,
        }
    }
}

impl From<GitSubscription> for RawSubscription {
    fn from(git: GitSubscription) -> Self {
        Self(serde_json::json!({ "git": git }))
    }
}

impl From<ImageSubscription> for RawSubscription {
    fn from(image: ImageSubscription) -> Self {
        Self(serde_json::json!({ "image": image }))
    }
}

impl From<ChartSubscription> for RawSubscription {
    fn from(chart: ChartSubscription) -> Self {
        Self(serde_json::json!({ "chart": chart }))
    }
}

impl Default for GitSubscription {
    fn default() -> Self {
        Self {
            repo_url: String::new(),
            commit_selection_strategy: CommitSelectionStrategy::default(),
            branch: String::new(),
            strict_semvers: true,
            semver_constraint: String::new(),
            allow_tags_regexes: Vec::new(),
            ignore_tags_regexes: Vec::new(),
            allow_tags: String::new(),
            ignore_tags: Vec::new(),
            expression_filter: String::new(),
            insecure_skip_tls_verify: false,
            blobless: false,
            include_paths: Vec::new(),
            exclude_paths: Vec::new(),
            discovery_limit: DEFAULT_DISCOVERY_LIMIT,
            since: String::new(),
        }
    }
}

impl Default for ImageSubscription {
    fn default() -> Self {
        Self {
            repo_url: String::new(),
            image_selection_strategy: ImageSelectionStrategy::default(),
            strict_semvers: true,
            constraint: String::new(),
            allow_tags_regexes: Vec::new(),
            ignore_tags_regexes: Vec::new(),
            allow_tags: String::new(),
            ignore_tags: Vec::new(),
            platform: String::new(),
            insecure_skip_tls_verify: false,
            discovery_limit: DEFAULT_DISCOVERY_LIMIT,
            cache_by_tag: false,
        }
    }
}

impl Default for ChartSubscription {
    fn default() -> Self {
        Self {
            repo_url: String::new(),
            name: String::new(),
            semver_constraint: String::new(),
            insecure_skip_tls_verify: false,
            discovery_limit: DEFAULT_DISCOVERY_LIMIT,
        }
    }
}

impl Default for OtherSubscription {
    fn default() -> Self {
        Self {
            config: None,
            discovery_limit: DEFAULT_DISCOVERY_LIMIT,
        }
    }
}
