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
];

pub(super) fn list() -> Value {
    let list: Vec<Value> = ASSUMPTIONS
        .iter()
        .map(|(name, what)| json!({ "assumption": name, "what": what }))
        .collect();
    json!(list)
}
