//! Who asks: the control plane, Kubernetes itself, or a person.

use k8s_openapi::api::authentication::v1::UserInfo;

/// `ServiceAccount`s that act for the system, in the namespace of the control plane.
const CONTROL_PLANE: &[&str] = &[
    "kargo-api",
    "kargo-controller",
    "kargo-garbage-collector",
    "kargo-management-controller",
];

/// The `ServiceAccount` that answers calls of repositories; it may make any Stage look again.
const EXTERNAL_WEBHOOKS: &str = "kargo-external-webhooks-server";

/// The one that copies shared Secrets and `ConfigMap`s.
const MANAGEMENT: &str = "kargo-management-controller";

/// Users that clean up in the name of Kubernetes.
const GARBAGE_COLLECTORS: &[&str] = &[
    "system:serviceaccount:kube-system:namespace-controller",
    "system:serviceaccount:kube-system:generic-garbage-collector",
    "system:kube-controller-manager",
];

/// Who sent a request.
#[derive(Clone, Debug)]
pub(super) struct Requester {
    pub(super) username: String,
    pub(super) groups: Vec<String>,
    /// Name of the `ServiceAccount`, if it is one of the control plane's namespace.
    account: Option<String>,
}

impl Requester {
    pub(super) fn new(user: &UserInfo, namespace: &str) -> Self {
        let username = user.username.clone().unwrap_or_default();
        let prefix = format!("system:serviceaccount:{namespace}:");
        Self {
            account: username.strip_prefix(&prefix).map(str::to_owned),
            groups: user.groups.clone().unwrap_or_default(),
            username,
        }
    }

    /// Says whether the system asks by itself, or for a person it names.
    pub(super) fn is_control_plane(&self) -> bool {
        self.account
            .as_deref()
            .is_some_and(|it| CONTROL_PLANE.contains(&it))
    }

    pub(super) fn is_external_webhooks_server(&self) -> bool {
        self.account.as_deref() == Some(EXTERNAL_WEBHOOKS)
    }

    pub(super) fn is_management_controller(&self) -> bool {
        self.account.as_deref() == Some(MANAGEMENT)
    }

    pub(super) fn is_garbage_collector(&self) -> bool {
        GARBAGE_COLLECTORS.contains(&self.username.as_str())
    }

    pub(super) fn is_cluster_admin(&self) -> bool {
        self.groups.iter().any(|it| it == "system:masters")
    }

    /// How annotations and Events name the requester.
    pub(super) fn actor(&self) -> String {
        format!("kubernetes:{}", self.username)
    }
}
