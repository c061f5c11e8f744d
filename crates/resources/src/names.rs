//! Every label, annotation and finalizer, written once, and how a long name is shortened.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Annotations that people, clients or the control plane put on objects.
pub mod annotation {
    /// A new value makes the object be looked at again; it is echoed in `status.lastHandledRefresh`.
    pub const REFRESH: &str = "kargo.akuity.io/refresh";
    /// Asks a Stage to verify its Freight again: [`crate::request::VerificationRequest`].
    pub const REVERIFY: &str = "kargo.akuity.io/reverify";
    /// Asks a Stage to stop a verification, or a Promotion to stop: [`crate::request`].
    pub const ABORT: &str = "kargo.akuity.io/abort";
    /// Who created a Promotion or Project; only admission writes it.
    pub const CREATE_ACTOR: &str = "kargo.akuity.io/create-actor";
    /// Origin whose auto-promotion this Promotion will hold; only admission writes it.
    pub const AUTO_PROMOTION_HOLD: &str = "kargo.akuity.io/auto-promotion-hold";
    /// Origin whose auto-promotion this Promotion will resume; only admission writes it.
    pub const AUTO_PROMOTION_RESUME: &str = "kargo.akuity.io/auto-promotion-resume";
    /// Whole name of the Stage, where the label had to be shortened.
    pub const STAGE: &str = "kargo.akuity.io/stage";
    /// Promotion that started an `AnalysisRun`.
    pub const PROMOTION: &str = "kargo.akuity.io/promotion";
    /// `"true"` on a Promotion that goes back to earlier Freight.
    pub const ROLLBACK: &str = "kargo.akuity.io/rollback";
    /// Stages (`project:stage`, comma separated) that may change an Argo CD `Application`.
    pub const AUTHORIZED_STAGE: &str = "kargo.akuity.io/authorized-stage";
    /// Argo CD `Application`s a Stage touches, as JSON, for links in a user interface.
    pub const ARGOCD_CONTEXT: &str = "kargo.akuity.io/argocd-context";
    /// A sentence for people.
    pub const DESCRIPTION: &str = "kargo.akuity.io/description";
    /// Colour of a Stage in a user interface.
    pub const COLOR: &str = "kargo.akuity.io/color";
    /// `"true"` on a Project or its Namespace: deleting the Project leaves the Namespace.
    pub const KEEP_NAMESPACE: &str = "kargo.akuity.io/keep-namespace";
    /// Migrations that were already done, as a JSON map.
    pub const MIGRATED: &str = "kargo.akuity.io/migrated";
    /// Repositories a GitHub App token may be asked for, as a JSON map from project to names.
    pub const GITHUB_TOKEN_SCOPES: &str = "kargo.akuity.io/github-token-scopes";
    /// `*` on a shared Secret or `ConfigMap`: copy it to every project.
    pub const REPLICATE_TO: &str = "kargo.akuity.io/replicate-to";
    /// When a copy was written.
    pub const REPLICATED_AT: &str = "kargo.akuity.io/replicated-at";
    /// Where a migrated Secret came from.
    pub const ORIGIN_NAMESPACE: &str = "kargo.akuity.io/origin-namespace";
    /// Digest of the data a migrated Secret was last copied with.
    pub const SYNCED_DATA_HASH: &str = "kargo.akuity.io/synced-data-hash";
    /// `"true"` on role objects that the API server manages.
    pub const RBAC_MANAGED: &str = "rbac.kargo.akuity.io/managed";
    /// Claims mapped to a `ServiceAccount`, as JSON.
    pub const RBAC_CLAIMS: &str = "rbac.kargo.akuity.io/claims";
    /// Prefix of the older form with one annotation per claim.
    pub const RBAC_CLAIM_PREFIX: &str = "rbac.kargo.akuity.io/claim.";
    /// Prefix of what Events carry about Promotions and Freight.
    pub const EVENT_PREFIX: &str = "event.kargo.akuity.io/";
    /// On a Warehouse: `built` or `uploaded`, the time that makes an image the newest build.
    pub const NEWEST_BUILD_BY: &str = "argosy.dev/newest-build-by";
    /// Prefix of what only the commercial edition reads.
    pub const ENTERPRISE_PREFIX: &str = "ee.kargo.akuity.io/";
}

/// Labels that objects are found by.
pub mod label {
    /// Mirrors the alias of Freight.
    pub const ALIAS: &str = "kargo.akuity.io/alias";
    /// Kind of credentials in a Secret: `git`, `helm`, `image` or `generic`.
    pub const CREDENTIAL_TYPE: &str = "kargo.akuity.io/cred-type";
    /// Stage of a Promotion or `AnalysisRun`, shortened to [`super::LABEL_VALUE_MAX`].
    pub const STAGE: &str = "kargo.akuity.io/stage";
    /// Freight collection an `AnalysisRun` verifies.
    pub const FREIGHT_COLLECTION: &str = "kargo.akuity.io/freight-collection";
    /// `"true"` on a Namespace that belongs to a Project or may be adopted by one.
    pub const PROJECT: &str = "kargo.akuity.io/project";
    /// Controller that looks after the object; absent means the default one.
    pub const SHARD: &str = "kargo.akuity.io/shard";
    /// Controller that holds a heartbeat Lease.
    pub const CONTROLLER: &str = "kargo.akuity.io/controller";
    /// Source of a copied Secret or `ConfigMap`.
    pub const REPLICATED_FROM: &str = "kargo.akuity.io/replicated-from";
    /// Digest of what was copied.
    pub const REPLICATED_SHA: &str = "kargo.akuity.io/replicated-sha";
    /// `"true"` on a `ServiceAccount` that is a system role.
    pub const RBAC_SYSTEM_ROLE: &str = "rbac.kargo.akuity.io/system-role";
    /// `"true"` on a Secret that is an API token.
    pub const RBAC_API_TOKEN: &str = "rbac.kargo.akuity.io/api-token";
    /// Marks the `ServiceAccount`s of controllers with the value `controller`.
    pub const COMPONENT: &str = "app.kubernetes.io/component";
    /// Marks what belongs to one controller of several installations.
    pub const CONTROLLER_ID: &str = "akuity.io/kargo-controller-id";
    /// Value of the labels that are either true or absent.
    pub const TRUE: &str = "true";
}

/// Finalizer of Stages, Projects, project Namespaces, controller `ServiceAccount`s and replicated sources.
pub const FINALIZER: &str = "kargo.akuity.io/finalizer";

/// Longest value of a label, in bytes.
pub const LABEL_VALUE_MAX: usize = 63;

/// Longest name of an object, in bytes.
pub const NAME_MAX: usize = 253;

const SEPARATOR: char = '-';
const DIGEST_LEN: usize = 8;

/// Shortens `text` to at most `max` bytes, keeping it unique: a prefix, `-`, and eight hexadecimal digits of its SHA-256.
///
/// What is short enough comes back unchanged. Separators at the end of the prefix are dropped. `max` is at least ten.
pub fn hash_shorten(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let mut cut = max.saturating_sub(DIGEST_LEN + SEPARATOR.len_utf8());
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    let mut short = text[..cut].trim_end_matches(SEPARATOR).to_owned();
    short.push(SEPARATOR);
    for byte in Sha256::digest(text).iter().take(DIGEST_LEN / 2) {
        write!(short, "{byte:02x}").expect("writing to a String succeeds");
    }
    short
}

/// Shortens a name to what fits in the value of a label.
pub fn label_value(name: &str) -> String {
    hash_shorten(name, LABEL_VALUE_MAX)
}
