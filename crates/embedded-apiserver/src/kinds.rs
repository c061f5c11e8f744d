//! The kinds this server knows: the builtin ones, and those that CustomResourceDefinitions add.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::schema::Structural;
use crate::shape::Shape;

/// One kind in one version.
#[derive(Debug, Clone)]
pub struct Kind {
    pub group: String,
    pub version: String,
    pub kind: String,
    pub plural: String,
    pub singular: String,
    pub short_names: Vec<String>,
    pub namespaced: bool,
    /// Whether `status` is written through its own subresource.
    pub status_subresource: bool,
    /// Whether the kind comes from a CustomResourceDefinition.
    pub custom: bool,
    /// What its objects must look like; builtin kinds may have none.
    pub(crate) schema: Option<Arc<Structural>>,
    /// How its values merge.
    pub shape: Arc<Shape>,
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
}

/// Every kind, by group, version and plural.
#[derive(Debug, Clone, Default)]
pub struct KindTable {
    kinds: BTreeMap<(String, String, String), Arc<Kind>>,
}

impl KindTable {
    /// The kinds that are always there.
    pub fn builtin() -> Self {
        let mut table = Self::default();
        for (group, version, kind, plural, short, namespaced, status) in BUILTIN {
            table.add(Kind {
                group: (*group).to_owned(),
                version: (*version).to_owned(),
                kind: (*kind).to_owned(),
                plural: (*plural).to_owned(),
                singular: kind.to_lowercase(),
                short_names: short.iter().map(|it| (*it).to_owned()).collect(),
                namespaced: *namespaced,
                status_subresource: *status,
                custom: false,
                schema: None,
                shape: Arc::new(Shape::of_builtin(group, kind)),
            });
        }
        table
    }

    /// Adds every served version of a CustomResourceDefinition.
    pub fn add_crd(&mut self, crd: &serde_json::Value) {
        let text = |pointer: &str| {
            crd.pointer(pointer)
                .and_then(serde_json::Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let versions = crd
            .pointer("/spec/versions")
            .and_then(serde_json::Value::as_array);
        for version in versions
            .into_iter()
            .flatten()
            .filter(|it| it["served"] == true)
        {
            let short = crd
                .pointer("/spec/names/shortNames")
                .and_then(serde_json::Value::as_array);
            self.add(Kind {
                group: text("/spec/group"),
                version: version["name"].as_str().unwrap_or_default().to_owned(),
                kind: text("/spec/names/kind"),
                plural: text("/spec/names/plural"),
                singular: text("/spec/names/singular"),
                short_names: short
                    .into_iter()
                    .flatten()
                    .filter_map(|it| it.as_str().map(str::to_owned))
                    .collect(),
                namespaced: text("/spec/scope") == "Namespaced",
                status_subresource: version.pointer("/subresources/status").is_some(),
                custom: true,
                schema: version
                    .pointer("/schema/openAPIV3Schema")
                    .and_then(|it| Structural::compile("spec", it).ok())
                    .map(Arc::new),
                shape: Arc::new(Shape::of_kind(
                    version
                        .pointer("/schema/openAPIV3Schema")
                        .unwrap_or(&serde_json::Value::Null),
                )),
            });
        }
    }

    /// Adds a kind, or replaces it.
    pub fn add(&mut self, kind: Kind) {
        self.kinds.insert(
            (
                kind.group.clone(),
                kind.version.clone(),
                kind.plural.clone(),
            ),
            Arc::new(kind),
        );
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
}

type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    bool,
    bool,
);

/// Group, version, kind, plural, short names, namespaced, status subresource.
const BUILTIN: &[Row] = &[
    ("", "v1", "ConfigMap", "configmaps", &["cm"], true, false),
    ("", "v1", "Event", "events", &["ev"], true, false),
    ("", "v1", "Namespace", "namespaces", &["ns"], false, true),
    ("", "v1", "Secret", "secrets", &[], true, false),
    (
        "",
        "v1",
        "ServiceAccount",
        "serviceaccounts",
        &["sa"],
        true,
        false,
    ),
    (
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        &["crd", "crds"],
        false,
        true,
    ),
    (
        "coordination.k8s.io",
        "v1",
        "Lease",
        "leases",
        &[],
        true,
        false,
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "ClusterRole",
        "clusterroles",
        &[],
        false,
        false,
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "ClusterRoleBinding",
        "clusterrolebindings",
        &[],
        false,
        false,
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "Role",
        "roles",
        &[],
        true,
        false,
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "RoleBinding",
        "rolebindings",
        &[],
        true,
        false,
    ),
];
