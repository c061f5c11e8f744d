//! A request to an API, taken apart: path segments, the verb behind a colon, query, body.

use bytes::Bytes;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::faults::Occasion;
use crate::google::{Caller, Google};
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::service::Service;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) method: Method,
    /// The path below the host, as it came.
    pub(crate) path: String,
    pub(crate) segments: Vec<String>,
    /// `generateAccessToken`, where the path ends in `:generateAccessToken`.
    pub(crate) verb: Option<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// How enums are written: by name, or by number to clients that ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Enums {
    Names,
    Numbers,
}

/// What may stand behind the colon. Other colons belong to names, as in `projects/example.com:web`.
const VERBS: &[&str] = &[
    "acknowledge",
    "analyzeIamPolicy",
    "batchEnable",
    "batchGet",
    "detach",
    "disable",
    "enable",
    "exportImage",
    "generateAccessToken",
    "generateIdToken",
    "getAncestry",
    "getEffectiveOrgPolicy",
    "getEffectivePolicy",
    "getIamPolicy",
    "modifyAckDeadline",
    "modifyPushConfig",
    "publish",
    "pull",
    "query",
    "searchAllIamPolicies",
    "searchAllResources",
    "seek",
    "setIamPolicy",
    "signBlob",
    "signJwt",
    "testIamPermissions",
    "undelete",
];

impl Enums {
    /// Writes an enum's value: its name, or its number in the API's definition.
    pub(crate) fn write(self, name: &str, number: u32) -> Value {
        match self {
            Self::Names => Value::from(name),
            Self::Numbers => Value::from(number),
        }
    }
}

/// Cuts a page out of a list; gives the token of the next one.
pub(crate) fn page<T>(all: Vec<T>, (size, from): (usize, usize)) -> (Vec<T>, Option<String>) {
    let more = all.len() > from + size;
    let items = all.into_iter().skip(from).take(size).collect();
    (items, more.then(|| (from + size).to_string()))
}

impl Call {
    pub(crate) fn new(
        service: Service,
        method: Method,
        path: &str,
        query: Option<&str>,
        headers: HeaderMap,
        body: Bytes,
    ) -> Self {
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (name, verb) = match path.rsplit_once(':') {
            Some((name, verb)) if VERBS.contains(&verb) => (name, Some(verb.to_owned())),
            _ => (path, None),
        };
        let segments = name
            .trim_start_matches('/')
            .split('/')
            .map(decode)
            .collect();
        let query = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
        Self {
            service,
            method,
            path: path.to_owned(),
            segments,
            verb,
            query,
            headers,
            body,
        }
    }

    /// The segments, for matching against patterns.
    pub(crate) fn parts(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let (_, value) = self.query.iter().find(|(own, _)| own == name)?;
        Some(value)
    }

    /// All values of a parameter that may be repeated.
    pub(crate) fn query_all(&self, name: &str) -> Vec<&str> {
        let values = self.query.iter().filter(|(own, _)| own == name);
        values.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn enums(&self) -> Enums {
        let numbers = ["$alt", "alt"]
            .iter()
            .filter_map(|name| self.query(name))
            .any(|alt| alt.contains("enum-encoding=int"));
        if numbers {
            Enums::Numbers
        } else {
            Enums::Names
        }
    }

    /// The page that is asked for: how many, and from where.
    pub(crate) fn page(&self, default: usize, most: usize) -> Result<(usize, usize), Refusal> {
        let number = |name: &str| match self.query(name) {
            None | Some("") => Ok(0),
            Some(text) => text.parse::<usize>().map_err(|_| {
                Refusal::invalid_field(name, format!("Invalid value at '{name}', \"{text}\""))
            }),
        };
        let size = match number("pageSize")? {
            0 => default,
            size => size.min(most),
        };
        Ok((size, number("pageToken")?))
    }

    /// Finds out who asks; nobody is refused, and so is a token with none of these scopes.
    pub(crate) fn caller(&self, google: &Google, scopes: &[&str]) -> Result<Caller, Refusal> {
        let method = self.rpc();
        let refuse = |refusal: Refusal| refusal.in_method(self.service.host(), &method);
        let caller = google
            .caller(&self.headers)
            .and_then(Caller::known)
            .map_err(refuse)?;
        caller.require_scope(scopes).map_err(refuse)?;
        Ok(caller)
    }

    /// The method as refusals name it: IAM Credentials by its RPC, the others by their path.
    fn rpc(&self) -> String {
        let mut letters = self.verb.as_deref().unwrap_or_default().chars();
        match (self.service, letters.next()) {
            (Service::IamCredentials, Some(first)) => {
                let rest = letters.as_str();
                let first = first.to_ascii_uppercase();
                format!("google.iam.credentials.v1.IAMCredentials.{first}{rest}")
            }
            _ => self.path.clone(),
        }
    }

    /// The project that is to pay, where the client names one that the caller may use.
    ///
    /// Source: <https://cloud.google.com/apis/docs/system-parameters>
    pub(crate) fn user_project(
        &self,
        google: &Google,
        caller: &Caller,
    ) -> Result<Option<String>, Refusal> {
        let Some(project) = self.headers.get("x-goog-user-project") else {
            return Ok(None);
        };
        let project = project.to_str().unwrap_or_default();
        let id = google.read(|world| world.project(project).map(|it| it.id.clone()));
        let id = id.unwrap_or_else(|| project.to_owned());
        let resource = ResourceName::project(&id);
        if !google.allows(caller, "serviceusage.services.use", &resource) {
            return Err(Refusal::user_project_denied(project, self.service.host()));
        }
        Ok(Some(id))
    }

    /// Refuses when this API is not enabled in the project that pays: the one the client names, else the resource's.
    pub(crate) fn require_api(
        &self,
        google: &Google,
        caller: &Caller,
        project: &str,
    ) -> Result<(), Refusal> {
        let named = self.user_project(google, caller)?;
        let project = named.as_deref().unwrap_or(project);
        self.require_api_in(google, caller, project)
    }

    /// The same for what need not lie in a project: there the caller's own pays. Whose does for people is assumed: nobody's.
    pub(crate) fn require_api_of(
        &self,
        google: &Google,
        caller: &Caller,
        project: Option<&str>,
    ) -> Result<(), Refusal> {
        let named = self.user_project(google, caller)?;
        let project = named
            .or_else(|| project.map(str::to_owned))
            .or_else(|| google.home_of(caller.principal()));
        project.map_or(Ok(()), |project| {
            self.require_api_in(google, caller, &project)
        })
    }

    /// Refuses when this API is not enabled in a project.
    pub(crate) fn require_api_in(
        &self,
        google: &Google,
        caller: &Caller,
        project: &str,
    ) -> Result<(), Refusal> {
        let principal = caller.principal().to_string();
        google.require_api(project, &self.occasion(Some(&principal)))
    }

    /// What faults may ask about the request.
    pub(crate) fn occasion<'a>(&'a self, principal: Option<&'a str>) -> Occasion<'a> {
        Occasion {
            service: self.service.host(),
            method: self.verb.as_deref().unwrap_or(self.method.as_str()),
            principal,
            path: &self.path,
            about: &[],
        }
    }

    /// Reads the body. Nothing at all is an empty object; a field that `T` does not know is refused by name.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let value: Value = if self.body.is_empty() {
            Value::Object(serde_json::Map::new())
        } else {
            serde_json::from_slice(&self.body).map_err(|error| {
                Refusal::invalid_argument(format!("Invalid JSON payload received. {error}"))
            })?
        };
        serde_path_to_error::deserialize(without_nulls(value)).map_err(|error| {
            let path = error.path().to_string();
            let message = error.inner().to_string();
            let unknown = message
                .strip_prefix("unknown field `")
                .and_then(|rest| rest.split('`').next());
            match unknown {
                Some(name) => {
                    let parent = path.strip_suffix(name).unwrap_or(&path);
                    let parent = parent.trim_end_matches('.');
                    Refusal::unknown_field(name, if parent == "." { "" } else { parent })
                }
                None if message.contains("cannot evaluate the condition") => {
                    Refusal::not_simulated(&message)
                }
                None => {
                    Refusal::invalid_field(&path, format!("Invalid value at '{path}': {message}"))
                }
            }
        })
    }
}

/// A field that is null counts as left out, as everywhere in Google's JSON.
///
/// Source: <https://protobuf.dev/programming-guides/json/>
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    fn call(path: &str, body: &str) -> Call {
        let body = Bytes::copy_from_slice(body.as_bytes());
        Call::new(
            Service::Iam,
            Method::POST,
            path,
            Some("pageSize=5&$alt=json;enum-encoding=int"),
            HeaderMap::new(),
            body,
        )
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Body {
        policy: Option<Policy>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape is looked at")]
    struct Policy {
        etag: String,
    }

    #[test]
    fn a_path_ends_in_a_verb_only_where_google_has_one() {
        let with = call("/v1/projects/-/serviceAccounts/a%40b.c:signJwt", "");
        assert_eq!(
            with.parts(),
            ["v1", "projects", "-", "serviceAccounts", "a@b.c"]
        );
        assert_eq!(with.verb.as_deref(), Some("signJwt"));
        let without = call("/v3/projects/example.com:web", "");
        assert_eq!(without.parts(), ["v3", "projects", "example.com:web"]);
        assert_eq!(without.verb, None);
    }

    #[test]
    fn the_query_says_how_to_page_and_how_to_write_enums() {
        let call = call("/v1/projects/acme/serviceAccounts", "");
        assert_eq!(call.page(20, 100).unwrap(), (5, 0));
        assert_eq!(call.enums(), Enums::Numbers);
    }

    #[test]
    fn a_field_that_is_null_counts_as_left_out() {
        let body = call("/", r#"{"policy":null}"#).json::<Body>().unwrap();
        assert!(body.policy.is_none());
    }

    #[test]
    fn a_field_that_is_not_known_is_refused_by_name_and_place() {
        let top = call("/", r#"{"polcy":{}}"#)
            .json::<Body>()
            .expect_err("unknown");
        assert_eq!(
            top.message(),
            "Invalid JSON payload received. Unknown name \"polcy\": Cannot find field."
        );
        let inner = call("/", r#"{"policy":{"etga":"x"}}"#)
            .json::<Body>()
            .expect_err("unknown");
        assert_eq!(
            inner.message(),
            "Invalid JSON payload received. Unknown name \"etga\" at 'policy': Cannot find field."
        );
    }
}
