//! One golden file per refusal: status, content type and body, and what they rest on.

use super::*;
use crate::golden::{self, Row, row};

const EMAIL: &str = "kargo-project-web@acme-prod.iam.gserviceaccount.com";
const CREDENTIALS: &str = "iamcredentials.googleapis.com";
const MINT: &str = "google.iam.credentials.v1.IAMCredentials.GenerateAccessToken";

const REASONS: &str = "documented: https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto";
const LIFETIMES: &str = "seen: https://github.com/google-github-actions/auth/issues/145";
const ERRORS: &str = "documented: https://cloud.google.com/apis/design/errors";
const PUBSUB: &str = "seen: https://github.com/googleapis/google-cloud-ruby/blob/main/google-cloud-pubsub/test/helper.rb";

fn identities() -> Vec<Row> {
    vec![
        row(
            "account-not-found",
            "seen: https://github.com/google-github-actions/auth/issues/471",
            Refusal::account_not_found(EMAIL),
        ),
        row(
            "permission-denied",
            "seen: https://github.com/DataDog/stratus-red-team/issues/299",
            Refusal::permission_denied("iam.serviceAccounts.getAccessToken"),
        ),
        row(
            "permission-denied-on",
            "documented: https://cloud.google.com/iam/docs/permission-error-messages",
            Refusal::permission_denied_on(
                "artifactregistry.repositories.get",
                "//artifactregistry.googleapis.com/projects/acme-prod/locations/europe/repositories/apps",
            ),
        ),
        row(
            "caller-does-not-have-permission",
            "seen: https://github.com/fluent/fluent-bit/issues/5410",
            Refusal::caller_does_not_have_permission(),
        ),
        row(
            "service-disabled",
            "seen: https://cloud.google.com/apis/docs/getting-started#enabling_apis, and in many public logs",
            Refusal::service_disabled(CREDENTIALS, "IAM Service Account Credentials API", 7),
        ),
        row(
            "credentials-missing",
            "documented: https://cloud.google.com/docs/authentication/troubleshoot-adc",
            Refusal::credentials_missing().in_method(CREDENTIALS, MINT),
        ),
        row(
            "token-expired",
            REASONS,
            Refusal::token_expired().in_method(CREDENTIALS, MINT),
        ),
        row(
            "token-not-known",
            REASONS,
            Refusal::token_not_known().in_method(CREDENTIALS, MINT),
        ),
        row(
            "account-state-invalid",
            REASONS,
            Refusal::account_state_invalid(EMAIL).in_method(CREDENTIALS, MINT),
        ),
        row(
            "scope-insufficient",
            REASONS,
            Refusal::scope_insufficient().in_method(CREDENTIALS, MINT),
        ),
    ]
}

fn lifetimes() -> Vec<Row> {
    vec![
        row(
            "lifetime-not-positive",
            LIFETIMES,
            Refusal::lifetime_not_positive(),
        ),
        row(
            "lifetime-too-long",
            LIFETIMES,
            Refusal::lifetime_too_long(EMAIL),
        ),
        row(
            "account-disabled",
            "assumed: disabled-account",
            Refusal::account_disabled(EMAIL),
        ),
    ]
}

fn policies() -> Vec<Row> {
    let consumer = |reason| Refusal::consumer_refused(reason, "7", CREDENTIALS);
    let words = "documented: https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto; \
        assumed: consumer-words";
    vec![
        row(
            "quota-exceeded",
            "documented: https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto; assumed: quota-names",
            Refusal::quota_exceeded(CREDENTIALS, 7, Some(3)),
        ),
        row(
            "security-policy-violated",
            "documented: https://cloud.google.com/vpc-service-controls/docs/troubleshooting",
            Refusal::security_policy_violated(CREDENTIALS, "abc-1"),
        ),
        row(
            "user-project-denied",
            REASONS,
            Refusal::user_project_denied("acme-prod", CREDENTIALS),
        ),
        row(
            "billing-disabled",
            words,
            consumer(ConsumerReason::BillingDisabled),
        ),
        row(
            "consumer-suspended",
            words,
            consumer(ConsumerReason::ConsumerSuspended),
        ),
        row(
            "consumer-invalid",
            words,
            consumer(ConsumerReason::ConsumerInvalid),
        ),
        row(
            "org-restriction-violation",
            words,
            consumer(ConsumerReason::OrgRestrictionViolation),
        ),
        row(
            "location-not-permitted",
            "seen: https://github.com/googleapis/google-cloud-cpp/issues/11346; assumed: location-words",
            Refusal::location_not_permitted("acme-prod", "us-central1"),
        ),
        row(
            "resource-project-invalid",
            "seen: https://github.com/trailofbits/algo/issues/14854; assumed: malformed-parents",
            Refusal::resource_project_invalid(
                "artifactregistry.googleapis.com",
                "/v1/projects/Acme/locations/europe/repositories",
            ),
        ),
        row(
            "etag-conflict",
            "documented: https://cloud.google.com/iam/docs/policies#etag",
            Refusal::etag_conflict(),
        ),
        row(
            "member-not-permitted",
            "documented: https://cloud.google.com/resource-manager/docs/organization-policy/restricting-domains",
            Refusal::member_not_permitted(),
        ),
    ]
}

fn others() -> Vec<Row> {
    vec![
        row(
            "denied-by-cloud-iam",
            "seen: https://github.com/salrashid123/gcp_error_handler",
            Refusal::denied_by_cloud_iam(),
        ),
        row(
            "invalid-field",
            "documented: https://cloud.google.com/apis/design/errors#error_details",
            Refusal::invalid_field("scope", "Scope required."),
        ),
        row(
            "unknown-field",
            "seen: https://github.com/googleapis/google-api-python-client/issues/1117",
            Refusal::unknown_field("bindigns", "policy"),
        ),
        row("unavailable", ERRORS, Refusal::unavailable()),
        row("internal", ERRORS, Refusal::internal()),
        row("deadline-exceeded", ERRORS, Refusal::deadline_exceeded()),
        row(
            "bad-gateway-page",
            "seen: https://github.com/googleapis/google-cloud-python/issues/4803",
            Refusal::bad_gateway_page(),
        ),
        row(
            "no-such-route",
            "seen: Google's front end, for any path that no API has",
            Refusal::no_such_route("/v9/<nothing>"),
        ),
        row(
            "not-simulated",
            "ours: the simulator says so itself",
            Refusal::not_simulated("no such thing"),
        ),
        row(
            "pubsub-not-authorized",
            "seen: https://github.com/mrdulin/nodejs-gcp/blob/master/src/pubsub/docs/get-started.md",
            Refusal::not_authorized(),
        ),
        row(
            "pubsub-not-found",
            "seen: https://github.com/hashicorp/terraform/issues/24519",
            Refusal::resource_not_found("gcr"),
        ),
        row("pubsub-exists", PUBSUB, Refusal::resource_exists("gcr")),
        row(
            "pubsub-name-invalid",
            "seen: https://github.com/potmat/homebridge-google-nest-sdm/issues/4",
            Refusal::resource_name_invalid("projects/acme-prod/topics/1st"),
        ),
    ]
}

#[tokio::test]
async fn every_refusal_is_as_its_golden_file_says() {
    let rows = [identities(), lifetimes(), policies(), others()];
    golden::check("", rows.into_iter().flatten().collect()).await;
}
