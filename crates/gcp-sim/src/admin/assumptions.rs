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
        "refresh-tokens",
        "a refresh token is good with any client until it is revoked, and gets the scope cloud-platform",
    ),
    (
        "oauth-words",
        "/token says which grant type it does not take; what it says of an assertion that is no JWT is made up",
    ),
    (
        "identity-of-workloads",
        "a pod without a service account of Google's is refused an identity token with 404 and made-up words",
    ),
    (
        "permissions-of-roles",
        "roles.get and roles.list show those permissions of predefined roles alone that the simulator knows",
    ),
    (
        "attribute-conditions",
        "an attribute condition without a value, for a claim that is missing, does not hold",
    ),
    (
        "consumer-words",
        "the messages of BILLING_DISABLED, CONSUMER_SUSPENDED, CONSUMER_INVALID and ORG_RESTRICTION_VIOLATION",
    ),
    (
        "errors-of-google-at-the-registry",
        "the Docker API words trouble of Google's, refused consumers and perimeters as all APIs do, in the registry's envelope",
    ),
    (
        "consumer-of-sts",
        "the project of the pool pays for an exchange, so that STS has to be on there",
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
        "version 1 of Resource Manager answers constraints that are not known here as booleans",
    ),
    (
        "location-words",
        "a repository in a location that gcp.resourceLocations keeps out answers 400 FAILED_PRECONDITION in the words of \
         another API, with the reason LOCATION_ORG_POLICY_VIOLATED",
    ),
    (
        "locations-of-europe",
        "the multi-region europe is in the groups in:eu-locations and in:europe-locations",
    ),
    (
        "custom-constraints",
        "custom constraints are kept and enforced nowhere; their refusals have made-up words",
    ),
    (
        "cluster-updates",
        "updates of clusters and node pools are done at once; their refusals have made-up words",
    ),
    (
        "asset-consumer",
        "the project that is searched pays for Cloud Asset, else the caller's own; for people who search a folder or an \
         organization nobody does",
    ),
    (
        "asset-queries",
        "words of a query stand one after the other in what they find, quoted or not",
    ),
    (
        "asset-pages",
        "Cloud Asset gives a hundred results a page unless told otherwise, in the order of the hierarchy",
    ),
    (
        "asset-names",
        "accounts go by their email in full names of Cloud Asset, and what it does not know has no effective policies",
    ),
    (
        "asset-types",
        "a type of assets that matches nothing finds nothing, where Google refuses types that it does not support",
    ),
    (
        "asset-analysis",
        "analyzeIamPolicy looks at bindings alone: deny rules, allUsers and impersonation are not followed",
    ),
    (
        "asset-lag",
        "while asset_stale is in force, every method of Cloud Asset lags behind by the same time",
    ),
    (
        "last-authentication",
        "an account or key that was never used has an activity without a time; days begin at 07:00 UTC",
    ),
    (
        "recommender-insights",
        "Recommender has no insights; only the two types about IAM are known",
    ),
    (
        "pubsub-pull",
        "a pull waits a second for its first message; pulling from a push subscription answers 400 FAILED_PRECONDITION",
    ),
    (
        "pubsub-words",
        "refusals of ack deadlines, of empty lists of ack ids and of numbers of messages have made-up words",
    ),
    (
        "pubsub-push",
        "messages are pushed over plain HTTP too, to loopback only; Pub/Sub's own agent needs no role on the account that \
         they are sent as",
    ),
    (
        "pubsub-redelivery",
        "a message that was not acknowledged in time comes again before newer ones; an acknowledgement that is late counts for \
         nothing",
    ),
    (
        "pubsub-reorder",
        "a message that pubsub_reorder set aside is delivered after ten seconds if no other comes",
    ),
    (
        "registry-notices",
        "a manifest is announced when it is new, and each tag whenever it is pushed; deleting a manifest announces its tags \
         first; repositories of gcr.io go by their names on pkg.dev",
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
        "missing-blob",
        "a blob that does not exist answers 404 BLOB_UNKNOWN in the words for a manifest",
    ),
    (
        "blob-addresses",
        "the address that a blob is redirected to is good for fifteen minutes",
    ),
    (
        "registry-paths",
        "a path that is none of the registry's answers 404 NAME_INVALID in made-up words",
    ),
    (
        "tag-immutability-words",
        "deleting a tag where tags are immutable answers 400 MANIFEST_INVALID, worded after the refusal of moving one",
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
        "docker-images-order",
        "dockerImages takes the same orderBy as versions: one of name, create_time and update_time",
    ),
    (
        "all-locations",
        "repositories of the location - are those of all locations",
    ),
    (
        "rest-not-found",
        "what is missing in the REST API of the registry answers 404 with the words \"Requested entity was not found.\"",
    ),
    (
        "malformed-parents",
        "a project in Artifact Registry's REST API counts as malformed if it has other characters than a-z, 0-9, hyphen, dot \
         and colon, or begins with none of the first two",
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

/// Says whether an assumption of that name is listed.
#[cfg(test)]
pub(crate) fn is_assumed(name: &str) -> bool {
    ASSUMPTIONS.iter().any(|(known, _)| *known == name)
}

pub(super) fn list() -> Value {
    let list: Vec<Value> = ASSUMPTIONS
        .iter()
        .map(|(name, what)| json!({ "assumption": name, "what": what }))
        .collect();
    json!(list)
}
