//! Records: values whose members go by one name in expressions and by another in JSON.

use std::fmt;
use std::sync::Arc;

use super::Value;
use super::containers::Extent;

/// What a record does when one of its methods is called.
pub type Method = Arc<dyn Fn(&[Value]) -> Result<Value, String> + Send + Sync>;

/// A structure of the host, such as a Git commit: `commitFrom(…).ID` in an expression is `id` in JSON.
///
/// ```
/// use expr::{Record, Value};
///
/// let commit = Record::new("v1alpha1.GitCommit")
///     .with("RepoURL", "repoURL", "https://example.com/repo.git")
///     .with("ID", "id", "1f2e3d")
///     .unwritten("Tag", "");
/// assert_eq!(commit.member("ID"), Some(&Value::from("1f2e3d")));
/// assert_eq!(Value::from(commit).to_json().expect("plain data").to_string(), r#"{"id":"1f2e3d","repoURL":"https://example.com/repo.git"}"#);
/// ```
#[derive(Clone)]
pub struct Record(Arc<Parts>);

#[derive(Clone)]
struct Parts {
    type_name: Arc<str>,
    members: Vec<Member>,
    methods: Vec<(Arc<str>, Method)>,
    extent: Extent,
}

#[derive(Debug, Clone, PartialEq)]
struct Member {
    name: Arc<str>,
    /// `None` where JSON leaves the member out, as it does with empty optional ones.
    json_name: Option<Arc<str>>,
    value: Value,
}

impl Record {
    /// Makes a record without members. The type name is what the function `type` says.
    pub fn new(type_name: impl Into<Arc<str>>) -> Self {
        Self(Arc::new(Parts {
            type_name: type_name.into(),
            members: Vec::new(),
            methods: Vec::new(),
            extent: Extent::EMPTY,
        }))
    }

    /// Adds a member with its name in expressions and its name in JSON. JSON text keeps the order of addition.
    #[must_use]
    pub fn with(
        self,
        name: impl Into<Arc<str>>,
        json_name: impl Into<Arc<str>>,
        value: impl Into<Value>,
    ) -> Self {
        self.add(Member {
            name: name.into(),
            json_name: Some(json_name.into()),
            value: value.into(),
        })
    }

    /// Adds a member that JSON leaves out.
    #[must_use]
    pub fn unwritten(self, name: impl Into<Arc<str>>, value: impl Into<Value>) -> Self {
        self.add(Member {
            name: name.into(),
            json_name: None,
            value: value.into(),
        })
    }

    /// Adds a method.
    #[must_use]
    pub fn with_method(
        mut self,
        name: impl Into<Arc<str>>,
        method: impl Fn(&[Value]) -> Result<Value, String> + Send + Sync + 'static,
    ) -> Self {
        Arc::make_mut(&mut self.0)
            .methods
            .push((name.into(), Arc::new(method)));
        self
    }

    fn add(mut self, member: Member) -> Self {
        let parts = Arc::make_mut(&mut self.0);
        parts.extent = parts.extent.holding(member.value.extent());
        parts.members.push(member);
        self
    }

    pub fn type_name(&self) -> &str {
        &self.0.type_name
    }

    /// The value of a member, by its name in expressions.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.0
            .members
            .iter()
            .find(|member| *member.name == *name)
            .map(|member| &member.value)
    }

    pub(crate) fn method(&self, name: &str) -> Option<&Method> {
        self.0
            .methods
            .iter()
            .find(|(it, _)| **it == *name)
            .map(|(_, method)| method)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Value> {
        self.0.members.iter().map(|member| &member.value)
    }

    /// All members, under their names in expressions.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0
            .members
            .iter()
            .map(|member| (&*member.name, &member.value))
    }

    /// The members that JSON shows, under their names there.
    pub(crate) fn written(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0
            .members
            .iter()
            .filter_map(|member| Some((&**member.json_name.as_ref()?, &member.value)))
    }

    pub(crate) fn extent(&self) -> Extent {
        self.0.extent
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("type", &self.0.type_name)
            .field("members", &self.0.members)
            .finish_non_exhaustive()
    }
}

/// Methods follow from the type, so they are not compared.
impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.0.type_name == other.0.type_name && self.0.members == other.0.members
    }
}
