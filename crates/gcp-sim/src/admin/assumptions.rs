//! What the simulator does although nobody has seen Google do it: nothing here may be read as Google's behaviour.

use serde_json::{Value, json};

const ASSUMPTIONS: &[(&str, &str)] = &[
    (
        "disabled-account",
        "generateAccessToken for a disabled account answers 400 FAILED_PRECONDITION",
    ),
    (
        "consumer-of-federated-callers",
        "the project of the caller's pool pays for calls to IAM Credentials",
    ),
    (
        "quota-names",
        "metric and limit in a 429 have made-up names; Retry-After comes only if the fault asks for it",
    ),
    (
        "cluster-pool-is-shown",
        "IAM shows the pool PROJECT.svc.id.goog that Google keeps for clusters",
    ),
    (
        "domain-restriction-and-pools",
        "domain restriction lets the organization's own workload pools into policies",
    ),
    (
        "sts-order",
        "STS looks at issuer, key, signature, times and audience in this order",
    ),
    (
        "sts-words",
        "the descriptions of STS errors are as people who probed it wrote them down",
    ),
    (
        "conditions-of-org-policies",
        "conditions of organization policies count as holding",
    ),
    (
        "propagation",
        "changes of policies count at once unless the fault propagation_delay is in force",
    ),
    (
        "effective-org-policy-v1",
        "version 1 of Resource Manager answers every constraint as a boolean",
    ),
    (
        "tags-list-pages",
        "tags/list goes by the names of tags, a thousand a page, and links to the next page",
    ),
    (
        "tags-list-without-tags",
        "manifests without tags come with the last page of tags/list",
    ),
    (
        "missing-image",
        "tags/list of an image that does not exist answers 404 NAME_UNKNOWN",
    ),
    (
        "index-times",
        "an index was built at no time: timeCreatedMs is 0, its size is that of the index itself",
    ),
    (
        "read-only-scope-pulls",
        "a token with the scope cloud-platform.read-only may pull",
    ),
    (
        "second-part-of-a-blob",
        "a second PATCH of an upload answers 400 BLOB_UPLOAD_INVALID",
    ),
    (
        "deletion-with-tags",
        "deleting a manifest deletes its tags, unless tags are immutable",
    ),
    (
        "rest-lists",
        "REST lists give the oldest upload first and a hundred a page unless told otherwise",
    ),
    (
        "update-time",
        "pushing an image, and moving or deleting a tag of it, changes the updateTime of its versions; nothing else does",
    ),
    (
        "versions-newest-first",
        "versions in the order of create_time or update_time are as of each request: a page token is a number of rows",
    ),
    (
        "gcr-redirection",
        "every project says that its gcr.io hosts went to Artifact Registry for good",
    ),
];

pub(super) fn list() -> Value {
    let list: Vec<Value> = ASSUMPTIONS
        .iter()
        .map(|(name, what)| json!({ "assumption": name, "what": what }))
        .collect();
    json!(list)
}
