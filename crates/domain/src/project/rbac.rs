//! Who may do what in a project's namespace: three roles for people, and what our own parts need.
//!
//! The objects exist as upstream's do; the embedded API does not judge by them yet, a cluster does.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        core::v1::ServiceAccount,
        rbac::v1::{
            ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
        },
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use resources::{
    GROUP, Project,
    names::{NAME_MAX, annotation, hash_shorten},
};

/// Where the parts of an installation live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// Namespace of our own service accounts.
    pub namespace: String,
    /// Service accounts of the controllers that read Secrets of projects; none where they may read all Secrets.
    pub controllers: Vec<String>,
}

/// All objects that say who may do what in one project.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Access {
    pub accounts: Vec<ServiceAccount>,
    pub roles: Vec<Role>,
    pub bindings: Vec<RoleBinding>,
    pub cluster_role: ClusterRole,
    pub cluster_binding: ClusterRoleBinding,
}

const ADMIN: &str = "kargo-admin";
const PROMOTER: &str = "kargo-promoter";
const VIEWER: &str = "kargo-viewer";

const READ: &[&str] = &["get", "list", "watch"];
const ALL: &[&str] = &["*"];
const RBAC_GROUP: &str = "rbac.authorization.k8s.io";

/// One row of the table of rules: API groups, resources, and the verbs of admin, promoter and viewer.
type Row = (
    &'static str,
    &'static [&'static str],
    [&'static [&'static str]; 3],
);

const RULES: &[Row] = &[
    ("", &["events"], [READ, READ, READ]),
    ("", &["configmaps", "serviceaccounts"], [ALL, READ, READ]),
    ("", &["secrets"], [ALL, &[], &[]]),
    (RBAC_GROUP, &["roles", "rolebindings"], [ALL, READ, READ]),
    (
        GROUP,
        &["freights", "stages", "warehouses", "projectconfigs"],
        [ALL, READ, READ],
    ),
    (GROUP, &["promotiontasks"], [ALL, &[], &[]]),
    (GROUP, &["targets"], [ALL, &[], READ]),
    (
        GROUP,
        &["promotions"],
        [
            &["create", "delete", "get", "list", "patch", "watch"],
            &["create", "get", "list", "watch"],
            READ,
        ],
    ),
    (GROUP, &["stages"], [&["promote"], &["promote"], &[]]),
    (GROUP, &["freights/status"], [&["patch"], &["patch"], &[]]),
    (
        "argoproj.io",
        &["analysisruns"],
        [&["delete", "get", "list", "watch"], READ, READ],
    ),
    ("argoproj.io", &["analysistemplates"], [ALL, READ, READ]),
];

/// Gives every object that says who may do what in `project`.
pub fn access(project: &Project, installation: &Installation) -> Access {
    let namespace = project.name();
    let people = [(ADMIN, 0), (PROMOTER, 1), (VIEWER, 2)];
    let mut bindings: Vec<_> = people
        .iter()
        .map(|(name, _)| person_binding(namespace, name))
        .collect();
    bindings.push(component_binding(
        namespace,
        "kargo-project-admin",
        "kargo-project-admin",
        installation,
        &["kargo-api", ADMIN],
    ));
    let readers = ["kargo-external-webhooks-server"];
    bindings.push(component_binding(
        namespace,
        "kargo-project-secrets-reader",
        "kargo-project-secrets-reader",
        installation,
        &readers,
    ));
    for controller in &installation.controllers {
        let name = format!("{controller}-read-secrets");
        let subject = [controller.as_str()];
        bindings.push(component_binding(
            namespace,
            &name,
            "kargo-controller-read-secrets",
            installation,
            &subject,
        ));
    }
    let cluster_name = hash_shorten(&format!("kargo-project-admin-{namespace}"), NAME_MAX);
    Access {
        accounts: people
            .iter()
            .map(|(name, _)| account(project, name))
            .collect(),
        roles: people
            .iter()
            .map(|(name, column)| role(namespace, name, *column))
            .collect(),
        bindings,
        cluster_role: ClusterRole {
            metadata: ObjectMeta {
                name: Some(cluster_name.clone()),
                ..ObjectMeta::default()
            },
            rules: Some(vec![PolicyRule {
                resource_names: Some(vec![namespace.to_owned()]),
                ..rule(GROUP, &["projects"], &["delete", "update"])
            }]),
            ..ClusterRole::default()
        },
        cluster_binding: ClusterRoleBinding {
            metadata: ObjectMeta {
                name: Some(cluster_name.clone()),
                ..ObjectMeta::default()
            },
            role_ref: role_ref("ClusterRole", &cluster_name),
            subjects: Some(vec![subject(namespace, ADMIN)]),
        },
    }
}

fn metadata(namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()),
        ..ObjectMeta::default()
    }
}

fn managed(namespace: &str, name: &str) -> ObjectMeta {
    let annotations = BTreeMap::from([(annotation::RBAC_MANAGED.to_owned(), "true".to_owned())]);
    ObjectMeta {
        annotations: Some(annotations),
        ..metadata(namespace, name)
    }
}

/// Builds an account; who created the Project is mapped to the one of admins (decision 0091).
fn account(project: &Project, name: &str) -> ServiceAccount {
    let mut metadata = managed(project.name(), name);
    let creator = project
        .annotation(annotation::CREATE_ACTOR)
        .filter(|_| name == ADMIN);
    let claim = creator
        .and_then(|it| it.split_once(':'))
        .filter(|(kind, _)| *kind != "kubernetes");
    if let (Some((claim, value)), Some(annotations)) = (claim, metadata.annotations.as_mut()) {
        annotations.insert(
            annotation::RBAC_CLAIMS.to_owned(),
            serde_json::json!({ claim: [value] }).to_string(),
        );
    }
    ServiceAccount {
        metadata,
        ..ServiceAccount::default()
    }
}

fn role(namespace: &str, name: &str, column: usize) -> Role {
    let rules = RULES
        .iter()
        .filter(|(_, _, verbs)| !verbs[column].is_empty());
    let rules = rules
        .map(|(group, resources, verbs)| rule(group, resources, verbs[column]))
        .collect();
    Role {
        metadata: managed(namespace, name),
        rules: Some(rules),
    }
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> PolicyRule {
    let owned = |words: &[&str]| words.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(owned(&[group])),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    }
}

fn person_binding(namespace: &str, name: &str) -> RoleBinding {
    RoleBinding {
        metadata: managed(namespace, name),
        role_ref: role_ref("Role", name),
        subjects: Some(vec![subject(namespace, name)]),
    }
}

fn component_binding(
    namespace: &str,
    name: &str,
    role: &str,
    installation: &Installation,
    accounts: &[&str],
) -> RoleBinding {
    RoleBinding {
        metadata: metadata(namespace, name),
        role_ref: role_ref("ClusterRole", role),
        subjects: Some(
            accounts
                .iter()
                .map(|it| subject(&installation.namespace, it))
                .collect(),
        ),
    }
}

fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef {
        api_group: RBAC_GROUP.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
    }
}

fn subject(namespace: &str, account: &str) -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: account.to_owned(),
        namespace: Some(namespace.to_owned()),
        api_group: None,
    }
}
