//! The messages of the builtin kinds: which number is which field.
//!
//! Source: <https://github.com/kubernetes/api>, the `generated.proto` of each group.

/// The fields of a message.
pub(super) type Message = &'static [Field];

/// One field of a message.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) number: u64,
    pub(super) name: &'static str,
    pub(super) kind: Type,
}

/// What a field holds, and how JSON says it. Messages are functions since tables may refer to each other.
#[derive(Debug)]
pub(super) enum Type {
    Text,
    Texts,
    /// A number that Go's JSON omits when it is zero.
    Integer,
    /// A number that is meant even when it is zero.
    PresentInteger,
    Truth,
    One(fn() -> Message),
    Many(fn() -> Message),
    TextMap,
    BytesMap,
    Time,
    MicroTime,
    /// A message whose first field is JSON.
    RawJson,
}

/// Finds the message of a kind.
pub(super) fn of_kind(api_version: &str, kind: &str) -> Option<Message> {
    Some(match (api_version, kind) {
        ("v1", "Namespace") => NAMESPACE,
        ("v1", "ConfigMap") => CONFIG_MAP,
        ("v1", "Secret") => SECRET,
        ("v1", "ServiceAccount") => SERVICE_ACCOUNT,
        ("v1", "Event") => EVENT,
        ("rbac.authorization.k8s.io/v1", "Role") => ROLE,
        ("rbac.authorization.k8s.io/v1", "ClusterRole") => CLUSTER_ROLE,
        ("rbac.authorization.k8s.io/v1", "RoleBinding" | "ClusterRoleBinding") => BINDING,
        ("coordination.k8s.io/v1", "Lease") => LEASE,
        ("authentication.k8s.io/v1", "TokenRequest") => TOKEN_REQUEST,
        ("authentication.k8s.io/v1", "TokenReview") => TOKEN_REVIEW,
        (_, "DeleteOptions") => DELETE_OPTIONS,
        _ => return None,
    })
}

const fn field(number: u64, name: &'static str, kind: Type) -> Field {
    Field { number, name, kind }
}

const OBJECT_META: Message = &[
    field(1, "name", Type::Text),
    field(2, "generateName", Type::Text),
    field(3, "namespace", Type::Text),
    field(5, "uid", Type::Text),
    field(6, "resourceVersion", Type::Text),
    field(7, "generation", Type::Integer),
    field(8, "creationTimestamp", Type::Time),
    field(9, "deletionTimestamp", Type::Time),
    field(10, "deletionGracePeriodSeconds", Type::PresentInteger),
    field(11, "labels", Type::TextMap),
    field(12, "annotations", Type::TextMap),
    field(13, "ownerReferences", Type::Many(|| OWNER_REFERENCE)),
    field(14, "finalizers", Type::Texts),
    field(17, "managedFields", Type::Many(|| MANAGED_FIELDS)),
];

const OWNER_REFERENCE: Message = &[
    field(1, "kind", Type::Text),
    field(3, "name", Type::Text),
    field(4, "uid", Type::Text),
    field(5, "apiVersion", Type::Text),
    field(6, "controller", Type::Truth),
    field(7, "blockOwnerDeletion", Type::Truth),
];

const MANAGED_FIELDS: Message = &[
    field(1, "manager", Type::Text),
    field(2, "operation", Type::Text),
    field(3, "apiVersion", Type::Text),
    field(4, "time", Type::Time),
    field(6, "fieldsType", Type::Text),
    field(7, "fieldsV1", Type::RawJson),
    field(8, "subresource", Type::Text),
];

const NAMESPACE: Message = &[
    field(1, "metadata", Type::One(|| OBJECT_META)),
    field(2, "spec", Type::One(|| NAMESPACE_SPEC)),
    field(3, "status", Type::One(|| NAMESPACE_STATUS)),
];

const NAMESPACE_SPEC: Message = &[field(1, "finalizers", Type::Texts)];

const NAMESPACE_STATUS: Message = &[field(1, "phase", Type::Text)];

const CONFIG_MAP: Message = &[
    field(1, "metadata", Type::One(|| OBJECT_META)),
    field(2, "data", Type::TextMap),
    field(3, "binaryData", Type::BytesMap),
    field(4, "immutable", Type::Truth),
];

const SECRET: Message = &[
    field(1, "metadata", Type::One(|| OBJECT_META)),
    field(2, "data", Type::BytesMap),
    field(3, "type", Type::Text),
    field(4, "stringData", Type::TextMap),
    field(5, "immutable", Type::Truth),
];

const SERVICE_ACCOUNT: Message = &[
    field(1, "metadata", Type::One(|| OBJECT_META)),
    field(2, "secrets", Type::Many(|| OBJECT_REFERENCE)),
    field(3, "imagePullSecrets", Type::Many(|| LOCAL_REFERENCE)),
    field(4, "automountServiceAccountToken", Type::Truth),
];

const OBJECT_REFERENCE: Message = &[
    field(1, "kind", Type::Text),
    field(2, "namespace", Type::Text),
    field(3, "name", Type::Text),
    field(4, "uid", Type::Text),
    field(5, "apiVersion", Type::Text),
    field(6, "resourceVersion", Type::Text),
    field(7, "fieldPath", Type::Text),
];

const LOCAL_REFERENCE: Message = &[field(1, "name", Type::Text)];

const ROLE: Message = &[
    field(1, "metadata", Type::One(|| OBJECT_META)),
    field(2, "rules", Type::Many(|| POLICY_RULE)),
];

const CLUSTER_ROLE: Message = &[
    field(1, "metadata", Type::One(|| OBJECT_META)),
    field(2, "rules", Type::Many(|| POLICY_RULE)),
    field(3, "aggregationRule", Type::One(|| AGGREGATION_RULE)),
];

const AGGREGATION_RULE: Message = &[field(
    1,
    "clusterRoleSelectors",
    Type::Many(|| LABEL_SELECTOR),
)];

const LABEL_SELECTOR: Message = &[
    field(1, "matchLabels", Type::TextMap),
    field(2, "matchExpressions", Type::Many(|| LABEL_REQUIREMENT)),
];

const LABEL_REQUIREMENT: Message = &[
    field(1, "key", Type::Text),
    field(2, "operator", Type::Text),
    field(3, "values", Type::Texts),
];

const POLICY_RULE: Message = &[
    field(1, "verbs", Type::Texts),
    field(2, "apiGroups", Type::Texts),
    field(3, "resources", Type::Texts),
    field(4, "resourceNames", Type::Texts),
    field(5, "nonResourceURLs", Type::Texts),
];

const BINDING: Message = &[
    field(1, "metadata", Type::One(|| OBJECT_META)),
    field(2, "subjects", Type::Many(|| SUBJECT)),
    field(3, "roleRef", Type::One(|| ROLE_REF)),
];

const SUBJECT: Message = &[
    field(1, "kind", Type::Text),
    field(2, "apiGroup", Type::Text),
    field(3, "name", Type::Text),
    field(4, "namespace", Type::Text),
];

const ROLE_REF: Message = &[
    field(1, "apiGroup", Type::Text),
    field(2, "kind", Type::Text),
    field(3, "name", Type::Text),
];

const LEASE: Message = &[
    field(1, "metadata", Type::One(|| OBJECT_META)),
    field(2, "spec", Type::One(|| LEASE_SPEC)),
];

const LEASE_SPEC: Message = &[
    field(1, "holderIdentity", Type::Text),
    field(2, "leaseDurationSeconds", Type::PresentInteger),
    field(3, "acquireTime", Type::MicroTime),
    field(4, "renewTime", Type::MicroTime),
    field(5, "leaseTransitions", Type::PresentInteger),
    field(6, "strategy", Type::Text),
    field(7, "preferredHolder", Type::Text),
];

const EVENT: Message = &[
    field(1, "metadata", Type::One(|| OBJECT_META)),
    field(2, "involvedObject", Type::One(|| OBJECT_REFERENCE)),
    field(3, "reason", Type::Text),
    field(4, "message", Type::Text),
    field(5, "source", Type::One(|| EVENT_SOURCE)),
    field(6, "firstTimestamp", Type::Time),
    field(7, "lastTimestamp", Type::Time),
    field(8, "count", Type::Integer),
    field(9, "type", Type::Text),
    field(10, "eventTime", Type::MicroTime),
    field(11, "series", Type::One(|| EVENT_SERIES)),
    field(12, "action", Type::Text),
    field(13, "related", Type::One(|| OBJECT_REFERENCE)),
    field(14, "reportingComponent", Type::Text),
    field(15, "reportingInstance", Type::Text),
];

const EVENT_SOURCE: Message = &[
    field(1, "component", Type::Text),
    field(2, "host", Type::Text),
];

const EVENT_SERIES: Message = &[
    field(1, "count", Type::Integer),
    field(2, "lastObservedTime", Type::MicroTime),
];

const TOKEN_REQUEST: Message = &[
    field(1, "metadata", Type::One(|| OBJECT_META)),
    field(2, "spec", Type::One(|| TOKEN_REQUEST_SPEC)),
];

const TOKEN_REQUEST_SPEC: Message = &[
    field(1, "audiences", Type::Texts),
    field(3, "boundObjectRef", Type::One(|| BOUND_OBJECT)),
    field(4, "expirationSeconds", Type::PresentInteger),
];

const BOUND_OBJECT: Message = &[
    field(1, "kind", Type::Text),
    field(2, "apiVersion", Type::Text),
    field(3, "name", Type::Text),
    field(4, "uid", Type::Text),
];

const TOKEN_REVIEW: Message = &[
    field(1, "metadata", Type::One(|| OBJECT_META)),
    field(2, "spec", Type::One(|| TOKEN_REVIEW_SPEC)),
];

const TOKEN_REVIEW_SPEC: Message = &[
    field(1, "token", Type::Text),
    field(2, "audiences", Type::Texts),
];

const DELETE_OPTIONS: Message = &[
    field(1, "gracePeriodSeconds", Type::PresentInteger),
    field(2, "preconditions", Type::One(|| PRECONDITIONS)),
    field(3, "orphanDependents", Type::Truth),
    field(4, "propagationPolicy", Type::Text),
    field(5, "dryRun", Type::Texts),
];

const PRECONDITIONS: Message = &[
    field(1, "uid", Type::Text),
    field(2, "resourceVersion", Type::Text),
];
