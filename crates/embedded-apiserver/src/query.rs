//! The parameters of a request, read once.

use url::form_urlencoded;

use crate::failure::Failure;
use crate::table::Include;

/// What may stand behind the question mark.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) label_selector: String,
    pub(crate) field_selector: String,
    pub(crate) limit: Option<usize>,
    pub(crate) continue_token: Option<String>,
    pub(crate) revision: Revision,
    pub(crate) revision_match: RevisionMatch,
    pub(crate) watch: bool,
    pub(crate) timeout_seconds: Option<u64>,
    pub(crate) bookmarks: bool,
    pub(crate) send_initial_events: Option<bool>,
    pub(crate) dry_run: bool,
    pub(crate) field_manager: Option<String>,
    pub(crate) force: Option<bool>,
    pub(crate) field_validation: FieldValidation,
    pub(crate) propagation_policy: Option<String>,
    pub(crate) orphan_dependents: Option<bool>,
    pub(crate) pretty: bool,
    pub(crate) include_object: Include,
}

/// `resourceVersion` as the caller gave it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Revision {
    #[default]
    Unset,
    /// `0`: whatever is there.
    Any,
    At(u64),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum RevisionMatch {
    #[default]
    Unset,
    Exact,
    NotOlderThan,
}

/// What happens to fields the schema does not know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    Ignore,
    #[default]
    Warn,
    Strict,
}

impl Query {
    /// Reads a query; names it does not know are ignored, as upstream does.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            query.set(&name, &value)?;
        }
        Ok(query)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        match name {
            "labelSelector" => value.clone_into(&mut self.label_selector),
            "fieldSelector" => value.clone_into(&mut self.field_selector),
            "limit" if !value.is_empty() => {
                self.limit = Some(number(name, value)?).filter(|it| *it > 0);
            }
            "continue" if !value.is_empty() => self.continue_token = Some(value.to_owned()),
            "resourceVersion" => self.revision = Revision::parse(value)?,
            "resourceVersionMatch" => self.revision_match = RevisionMatch::parse(value)?,
            "watch" => self.watch = flag(name, value)?,
            "timeoutSeconds" if !value.is_empty() => {
                self.timeout_seconds = Some(number(name, value)?);
            }
            "allowWatchBookmarks" => self.bookmarks = flag(name, value)?,
            "sendInitialEvents" if !value.is_empty() => {
                self.send_initial_events = Some(flag(name, value)?);
            }
            "dryRun" => self.dry_run |= dry_run(value)?,
            "fieldManager" => {
                self.field_manager = Some(value.to_owned()).filter(|it| !it.is_empty());
            }
            "force" if !value.is_empty() => self.force = Some(flag(name, value)?),
            "fieldValidation" => self.field_validation = FieldValidation::parse(value)?,
            "propagationPolicy" => {
                self.propagation_policy = Some(value.to_owned()).filter(|it| !it.is_empty());
            }
            "orphanDependents" if !value.is_empty() => {
                self.orphan_dependents = Some(flag(name, value)?);
            }
            "pretty" => self.pretty = flag(name, value)?,
            "includeObject" => {
                self.include_object = Include::parse(value).ok_or_else(|| {
                    Failure::bad_request(format!(
                        "unrecognized includeObject value: {value:?}; it is None, Metadata or Object"
                    ))
                })?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Revision {
    fn parse(text: &str) -> Result<Self, Failure> {
        match text {
            "" => Ok(Self::Unset),
            "0" => Ok(Self::Any),
            _ => text.parse().map(Self::At).map_err(|_| {
                Failure::bad_request(format!("resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"))
            }),
        }
    }
}

impl RevisionMatch {
    fn parse(text: &str) -> Result<Self, Failure> {
        match text {
            "" => Ok(Self::Unset),
            "Exact" => Ok(Self::Exact),
            "NotOlderThan" => Ok(Self::NotOlderThan),
            _ => Err(Failure::bad_request(format!(
                "resourceVersionMatch: Unsupported value: {text:?}: supported values: \"Exact\", \"NotOlderThan\""
            ))),
        }
    }
}

impl FieldValidation {
    fn parse(text: &str) -> Result<Self, Failure> {
        match text {
            "" | "Warn" => Ok(Self::Warn),
            "Ignore" => Ok(Self::Ignore),
            "Strict" => Ok(Self::Strict),
            _ => Err(Failure::bad_request(format!(
                "fieldValidation: Unsupported value: {text:?}: supported values: \"Ignore\", \"Strict\", \"Warn\""
            ))),
        }
    }
}

/// Reads `dryRun`, whose one value is `All`.
pub(crate) fn dry_run(text: &str) -> Result<bool, Failure> {
    match text {
        "" => Ok(false),
        "All" => Ok(true),
        _ => Err(Failure::bad_request(format!(
            "dryRun: Unsupported value: {text:?}: supported values: \"All\""
        ))),
    }
}

fn flag(name: &str, value: &str) -> Result<bool, Failure> {
    match value {
        "" | "0" | "f" | "F" | "false" | "False" | "FALSE" => Ok(false),
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Ok(true),
        _ => Err(Failure::bad_request(format!(
            "{name}: {value:?} is not true or false"
        ))),
    }
}

fn number<N: std::str::FromStr>(name: &str, value: &str) -> Result<N, Failure> {
    value
        .parse()
        .map_err(|_| Failure::bad_request(format!("{name}: {value:?} is not a number in range")))
}
