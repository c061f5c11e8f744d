//! Every refusal that the simulator gives, each with the place where its words were learned.

use http::StatusCode;
use serde_json::json;

use super::{Body, Refusal};

/// What a request without a usable credential is told.
const BAD_CREDENTIAL: &str = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie \
    or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.";

impl Refusal {
    /// The account does not exist: never made, deleted, or misspelt.
    ///
    /// Source: <https://github.com/google-github-actions/auth/issues/471>
    pub fn account_not_found(email: &str) -> Self {
        let message = format!("Not found; Gaia id not found for email {email}");
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
    }

    /// The account exists, and its policy does not let the caller do this.
    ///
    /// Source: <https://github.com/DataDog/stratus-red-team/issues/299>
    pub fn permission_denied(permission: &str) -> Self {
        let message =
            format!("Permission '{permission}' denied on resource (or it may not exist).");
        let metadata = json!({ "permission": permission });
        Self::denied(message).with_reason("IAM_PERMISSION_DENIED", "iam.googleapis.com", &metadata)
    }

    /// The same, naming the resource by its full name, `//artifactregistry.googleapis.com/projects/…`.
    ///
    /// Source: <https://cloud.google.com/iam/docs/permission-error-messages>
    pub fn permission_denied_on(permission: &str, resource: &str) -> Self {
        let message = format!(
            "Permission '{permission}' denied on resource '{resource}' (or it may not exist)."
        );
        Self::permission_denied_as(permission, resource, message)
    }

    /// The same, in the words of an API that has its own.
    pub(crate) fn permission_denied_as(permission: &str, resource: &str, message: String) -> Self {
        let metadata = json!({ "permission": permission, "resource": resource });
        Self::denied(message).with_reason("IAM_PERMISSION_DENIED", "iam.googleapis.com", &metadata)
    }

    /// What is said instead where even the permission stays untold.
    ///
    /// Source: <https://github.com/fluent/fluent-bit/issues/5410>
    pub fn caller_does_not_have_permission() -> Self {
        Self::denied("The caller does not have permission")
    }

    /// The API is not enabled in the project that pays. `title` is `IAM Service Account Credentials API`.
    ///
    /// Source: <https://cloud.google.com/apis/docs/getting-started#enabling_apis>
    pub fn service_disabled(service: &str, title: &str, project_number: u64) -> Self {
        let link = format!(
            "https://console.developers.google.com/apis/api/{service}/overview?project={project_number}"
        );
        let message = format!(
            "{title} has not been used in project {project_number} before or it is disabled. Enable it by visiting {link} \
             then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems \
             and retry."
        );
        let consumer = format!("projects/{project_number}");
        let metadata = json!({
            "consumer": consumer, "service": service, "serviceTitle": title,
            "containerInfo": project_number.to_string(), "activationUrl": link,
        });
        let mut refusal = Self::denied(message.clone()).with_reason(
            "SERVICE_DISABLED",
            "googleapis.com",
            &metadata,
        );
        refusal.details.push(json!({
            "@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US", "message": message,
        }));
        refusal.details.push(json!({
            "@type": "type.googleapis.com/google.rpc.Help",
            "links": [{ "description": "Google developers console API activation", "url": link }],
        }));
        refusal
    }

    /// Nobody said who asks.
    ///
    /// Source: <https://cloud.google.com/docs/authentication/troubleshoot-adc>
    pub fn credentials_missing() -> Self {
        let message = BAD_CREDENTIAL.replace(
            "Request had invalid authentication credentials.",
            "Request is missing required authentication credential.",
        );
        Self::unauthenticated(message, "CREDENTIALS_MISSING")
    }

    /// The token has expired.
    ///
    /// Source: <https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto>
    pub fn token_expired() -> Self {
        Self::unauthenticated(BAD_CREDENTIAL, "ACCESS_TOKEN_EXPIRED")
    }

    /// The token is none that Google gave out.
    ///
    /// Source: <https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto>
    pub fn token_not_known() -> Self {
        Self::unauthenticated(BAD_CREDENTIAL, "ACCESS_TOKEN_TYPE_UNSUPPORTED")
    }

    /// The account that the token speaks for is disabled or gone.
    ///
    /// Source: <https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto>
    pub fn account_state_invalid(email: &str) -> Self {
        let mut refusal = Self::unauthenticated(BAD_CREDENTIAL, "ACCOUNT_STATE_INVALID");
        refusal.details[0]["metadata"]["email"] = json!(email);
        refusal
    }

    /// The token was asked for with a narrower scope than the method wants.
    ///
    /// Source: <https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto>
    pub fn scope_insufficient() -> Self {
        let metadata = json!({ "service": "", "method": "" });
        Self::denied("Request had insufficient authentication scopes.").with_reason(
            "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            "googleapis.com",
            &metadata,
        )
    }

    /// An argument cannot be used.
    pub fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", message)
    }

    /// A field cannot be used, and is named.
    ///
    /// Source: <https://cloud.google.com/apis/design/errors#error_details>
    pub fn invalid_field(field: &str, description: impl Into<String>) -> Self {
        let description = description.into();
        let mut refusal = Self::invalid_argument(description.clone());
        refusal.details.push(json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{ "field": field, "description": description }],
        }));
        refusal
    }

    /// The JSON has a field that the method does not know. `at` is `policy.bindings[0]`, empty for the body itself.
    ///
    /// Source: <https://github.com/googleapis/google-api-python-client/issues/1117>
    pub fn unknown_field(name: &str, at: &str) -> Self {
        let description = if at.is_empty() {
            format!("Invalid JSON payload received. Unknown name \"{name}\": Cannot find field.")
        } else {
            format!(
                "Invalid JSON payload received. Unknown name \"{name}\" at '{at}': Cannot find field."
            )
        };
        Self::invalid_field(at, description)
    }

    /// A token that is already dead was asked for.
    ///
    /// Source: <https://github.com/google-github-actions/auth/issues/145>
    pub fn lifetime_not_positive() -> Self {
        Self::invalid_argument("Lifetime of access token must be larger then zero.")
    }

    /// A token was asked for that lives longer than the organization lets it.
    ///
    /// Source: <https://github.com/google-github-actions/auth/issues/145>
    pub fn lifetime_too_long(email: &str) -> Self {
        Self::invalid_argument(format!(
            "Access tokens for service account {email} can not have lifetimes of more than 1 hour. Use the Org Policy \
             Constraint constraints/iam.allowServiceAccountCredentialLifetimeExtension to allow up to 12 hours."
        ))
    }

    /// Too many requests. The names of metric and limit are assumed.
    ///
    /// Source: <https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto>
    pub fn quota_exceeded(service: &str, project_number: u64, retry_after: Option<u32>) -> Self {
        let metric = format!("{service}/default_requests");
        let limit = "defaultPerMinutePerProject";
        let message = format!(
            "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute' of service '{service}' for consumer \
             'project_number:{project_number}'."
        );
        let metadata = json!({
            "consumer": format!("projects/{project_number}"), "service": service, "quota_metric": metric,
            "quota_limit": limit, "quota_limit_value": "60000", "quota_location": "global",
        });
        Self::new(StatusCode::TOO_MANY_REQUESTS, "RESOURCE_EXHAUSTED", message)
            .with_reason("RATE_LIMIT_EXCEEDED", "googleapis.com", &metadata)
            .retry_after(retry_after)
    }

    /// A service perimeter stands between.
    ///
    /// Source: <https://cloud.google.com/vpc-service-controls/docs/troubleshooting>
    pub fn security_policy_violated(service: &str, uid: &str) -> Self {
        let message = format!(
            "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: {uid}"
        );
        let metadata = json!({ "uid": uid, "service": service });
        let mut refusal = Self::denied(message).with_reason(
            "SECURITY_POLICY_VIOLATED",
            "googleapis.com",
            &metadata,
        );
        refusal.details.push(json!({
            "@type": "type.googleapis.com/google.rpc.PreconditionFailure",
            "violations": [{ "type": "VPC_SERVICE_CONTROLS", "description": uid }],
        }));
        refusal
    }

    /// The caller may not let the project of `X-Goog-User-Project` pay.
    ///
    /// Source: <https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto>
    pub fn user_project_denied(project: &str, service: &str) -> Self {
        let message = format!(
            "Caller does not have required permission to use project {project}. Grant the caller the \
             roles/serviceusage.serviceUsageConsumer role, or a custom role with the serviceusage.services.use permission."
        );
        let metadata = json!({ "consumer": format!("projects/{project}"), "service": service });
        Self::denied(message).with_reason("USER_PROJECT_DENIED", "googleapis.com", &metadata)
    }

    /// Whether a disabled account answers so has not been seen; see the list of assumptions.
    pub fn account_disabled(email: &str) -> Self {
        let message = format!("Service account {email} is disabled.");
        Self::new(StatusCode::BAD_REQUEST, "FAILED_PRECONDITION", message)
    }

    /// A policy was written by somebody else since it was read.
    ///
    /// Source: <https://cloud.google.com/iam/docs/policies#etag>
    pub fn etag_conflict() -> Self {
        let message = "There were concurrent policy changes. Please retry the whole read-modify-write with exponential \
            backoff. The request's ETag did not match the current policy's ETag.";
        Self::new(StatusCode::CONFLICT, "ABORTED", message)
    }

    /// A member is of another organization than domain restriction allows.
    ///
    /// Source: <https://cloud.google.com/resource-manager/docs/organization-policy/restricting-domains>
    pub fn member_not_permitted() -> Self {
        Self::failed_precondition(
            "One or more users named in the policy do not belong to a permitted customer,  perhaps due to an organization \
             policy.",
        )
    }

    /// The state of things does not let this happen.
    pub fn failed_precondition(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "FAILED_PRECONDITION", message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
    }

    pub fn already_exists(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "ALREADY_EXISTS", message)
    }

    /// Google is in trouble, and says so in JSON.
    pub fn unavailable() -> Self {
        let message = "The service is currently unavailable.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message)
    }

    /// Google fails, and says so in JSON.
    pub fn internal() -> Self {
        let message = "Internal error encountered.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", message)
    }

    /// Google takes too long, and says so in JSON.
    pub fn deadline_exceeded() -> Self {
        let message = "Deadline expired before operation could complete.";
        Self::new(StatusCode::GATEWAY_TIMEOUT, "DEADLINE_EXCEEDED", message)
    }

    /// Google is in trouble, and its front end says so in a page.
    ///
    /// Source: <https://github.com/googleapis/google-cloud-python/issues/4803>
    pub fn bad_gateway_page() -> Self {
        let message = "The server encountered a temporary error and could not complete your request.<p>Please try again in \
            30 seconds.";
        let mut refusal = Self::new(StatusCode::BAD_GATEWAY, "UNAVAILABLE", message);
        refusal.body = Body::Page;
        refusal
    }

    /// No API has such a method: a page, not JSON.
    pub fn no_such_route(path: &str) -> Self {
        let shown = path.replace('&', "&amp;").replace('<', "&lt;");
        let message =
            format!("The requested URL <code>{shown}</code> was not found on this server.");
        let mut refusal = Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", message);
        refusal.body = Body::Page;
        refusal
    }

    /// The simulator would have to guess; Google says nothing of the kind.
    pub fn not_simulated(what: &str) -> Self {
        let message = format!("gcp-sim: {what}");
        Self::new(StatusCode::NOT_IMPLEMENTED, "UNIMPLEMENTED", message)
    }

    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "PERMISSION_DENIED", message)
    }

    fn unauthenticated(message: impl Into<String>, reason: &str) -> Self {
        let metadata = json!({ "service": "", "method": "" });
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", message).with_reason(
            reason,
            "googleapis.com",
            &metadata,
        )
    }
}
