//! Whom faults hit, and what they may ask of a request to know.

use regex::Regex;
use serde::{Deserialize, Serialize};

/// Whom a fault hits; what is left out hits everyone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Scope {
    /// `iamcredentials.googleapis.com`, or `metadata`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// `generateAccessToken`, or an HTTP method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// As policies spell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// The project that the path names, or that an account in it belongs to; also that of what is asked about, where the
    /// path does not say: the project of the pod, the account, the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Something that the path contains: a project, an account, a repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// A regular expression that some part of the path matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_pattern: Option<PathPattern>,
}

/// A regular expression for paths.
///
/// Source: <https://docs.rs/regex/latest/regex/#syntax>
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPattern(Regex);

impl TryFrom<String> for PathPattern {
    type Error = regex::Error;

    fn try_from(text: String) -> Result<Self, regex::Error> {
        Regex::new(&text).map(Self)
    }
}

impl From<PathPattern> for String {
    fn from(PathPattern(pattern): PathPattern) -> Self {
        pattern.as_str().to_owned()
    }
}

impl PartialEq for PathPattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for PathPattern {}

/// What a request is about, as far as faults may ask.
#[derive(Debug, Clone, Copy, Default)]
pub struct Occasion<'a> {
    pub service: &'a str,
    pub method: &'a str,
    pub principal: Option<&'a str>,
    pub path: &'a str,
    /// What else the request turns out to be about, which its path need not name.
    pub about: &'a [&'a str],
}

impl Occasion<'_> {
    /// Says whether it names a project, by id or number.
    pub(crate) fn names(&self, project: &str) -> bool {
        self.any(|it| names(it, project))
    }

    /// Says whether this holds for the path, or for something that the request is about.
    fn any(&self, holds: impl Fn(&str) -> bool) -> bool {
        holds(self.path) || self.about.iter().any(|it| holds(it))
    }
}

impl Scope {
    pub(super) fn covers(&self, occasion: &Occasion<'_>) -> bool {
        let same =
            |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|it| it == found);
        same(&self.service, occasion.service)
            && same(&self.method, occasion.method)
            && same(&self.principal, occasion.principal.unwrap_or_default())
            && self
                .project
                .as_ref()
                .is_none_or(|project| occasion.names(project))
            && self
                .path
                .as_ref()
                .is_none_or(|part| occasion.any(|it| it.contains(part.as_str())))
            && self
                .path_pattern
                .as_ref()
                .is_none_or(|PathPattern(pattern)| occasion.any(|it| pattern.is_match(it)))
    }
}

/// Says whether a path names a project, an account of it, or a repository of it as container tools do.
fn names(path: &str, project: &str) -> bool {
    let (domain, in_registry) = match project.split_once(':') {
        Some((domain, name)) => (format!("{name}.{domain}"), format!("/v2/{domain}/{name}/")),
        None => (project.to_owned(), format!("/v2/{project}/")),
    };
    let accounts = format!("{domain}.iam.gserviceaccount.com");
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    // What stands behind a colon may be a verb.
    let is = |part: &str, wanted: &str| {
        part.strip_prefix(wanted)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    };
    let parts: Vec<&str> = path.split(['/', ' ']).collect();
    let mut emails = parts.iter().filter_map(|part| part.split_once('@'));
    path.starts_with(&in_registry)
        || emails.any(|(_, domain)| is(domain, &accounts))
        || parts
            .windows(2)
            .any(|pair| pair[0] == "projects" && is(pair[1], project))
}
