//! The kinds this server knows: the builtin ones, and those that CustomResourceDefinitions add.

mod builtin;
mod subresource;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

pub(crate) use self::subresource::Subresource;
use crate::crds;
use crate::openapi::Documents;
use crate::schema::Structural;
use crate::shape::Shape;
use crate::table::Column;

/// One kind in one version.
#[derive(Debug, Clone)]
pub struct Kind {
    pub group: String,
    pub version: String,
    pub kind: String,
    pub list_kind: String,
    pub plural: String,
    pub singular: String,
    pub short_names: Vec<String>,
    /// Groups of kinds it is listed with, such as `all`.
    pub categories: Vec<String>,
    pub namespaced: bool,
    /// Whether `status` is written through its own subresource.
    pub status_subresource: bool,
    /// Whether the kind comes from a CustomResourceDefinition.
    pub custom: bool,
    /// What requests for a version that is going away are answered with.
    pub deprecation: Option<String>,
    /// What its objects must look like.
    pub(crate) schema: Option<Arc<Structural>>,
    /// How its values merge.
    pub(crate) shape: Arc<Shape>,
    /// The schema as it was written, for `OpenAPI` documents.
    pub(crate) written: Arc<Value>,
    /// The columns of its tables, behind the name.
    pub(crate) columns: Arc<[Column]>,
}

impl Kind {
    /// `v1`, `kargo.akuity.io/v1alpha1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// The paths below an object.
    pub(crate) fn subresources(&self) -> impl Iterator<Item = Subresource> {
        let status = self.status_subresource.then_some(Subresource::Status);
        let own = match (self.group.as_str(), self.kind.as_str()) {
            ("", "Namespace") => Some(Subresource::Finalize),
            ("", "ServiceAccount") => Some(Subresource::Token),
            _ => None,
        };
        own.into_iter().chain(status)
    }
}

/// Every kind, by group, version and plural.
#[derive(Debug, Clone, Default)]
pub struct KindTable {
    kinds: BTreeMap<(String, String, String), Arc<Kind>>,
    definitions: BTreeMap<String, Definition>,
    documents: OnceLock<Documents>,
}

/// The kinds of one CustomResourceDefinition, and which state of it they were read from.
#[derive(Debug, Clone)]
struct Definition {
    revision: (String, i64),
    kinds: Vec<Arc<Kind>>,
}

impl KindTable {
    /// The kinds that are always there.
    pub fn builtin() -> Self {
        let mut table = Self::default();
        for kind in builtin::kinds() {
            table.insert(Arc::clone(kind));
        }
        table
    }

    /// The builtin kinds, and those of `crds`; what has not changed is taken over from this table.
    #[must_use]
    pub fn with_crds(&self, crds: &[Value]) -> Self {
        let mut table = Self::builtin();
        for crd in crds {
            let name = crate::verbs::metadata::text(crd, "name").to_owned();
            let revision = revision(crd);
            let known = self
                .definitions
                .get(&name)
                .filter(|it| it.revision == revision);
            let kinds = match known {
                Some(known) => known.kinds.clone(),
                None => match crds::kinds(crd) {
                    Ok(kinds) => kinds.into_iter().map(Arc::new).collect(),
                    Err(causes) => {
                        tracing::warn!(
                            crd = name,
                            ?causes,
                            "this custom resource definition is not served"
                        );
                        continue;
                    }
                },
            };
            for kind in &kinds {
                table.insert(Arc::clone(kind));
            }
            table
                .definitions
                .insert(name, Definition { revision, kinds });
        }
        table
    }

    fn insert(&mut self, kind: Arc<Kind>) {
        let key = (
            kind.group.clone(),
            kind.version.clone(),
            kind.plural.clone(),
        );
        self.kinds.insert(key, kind);
    }

    /// Finds the kind behind a path.
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Kind>> {
        self.kinds
            .get(&(group.to_owned(), version.to_owned(), plural.to_owned()))
    }

    /// Lists every kind, by group, version and plural.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.kinds.values()
    }

    /// The groups and their versions, the preferred one first.
    pub(crate) fn groups(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for kind in self.kinds.values() {
            let versions = groups.entry(&kind.group).or_default();
            if !versions.contains(&kind.version.as_str()) {
                versions.push(&kind.version);
            }
        }
        for versions in groups.values_mut() {
            versions.sort_by_key(|it| std::cmp::Reverse(crds::priority(it)));
        }
        groups
    }

    /// The kinds of one version of a group.
    pub(crate) fn of<'a>(
        &'a self,
        group: &'a str,
        version: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Kind>> {
        self.kinds
            .values()
            .filter(move |it| it.group == group && it.version == version)
    }

    /// The `OpenAPI` documents, made when they are first asked for.
    pub(crate) fn documents(&self) -> &Documents {
        self.documents.get_or_init(|| Documents::of(self))
    }
}

/// Which state of a definition this is; its status does not count.
fn revision(crd: &Value) -> (String, i64) {
    let metadata = &crd["metadata"];
    let uid = metadata["uid"].as_str().unwrap_or_default().to_owned();
    (uid, metadata["generation"].as_i64().unwrap_or_default())
}
