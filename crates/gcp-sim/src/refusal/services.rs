//! Refusals in the words of one service, and of the front end that asks who pays.

use serde_json::json;

use super::{ConsumerReason, Refusal};

impl Refusal {
    /// Cloud Asset's way of saying that a permission is missing, or that the scope is.
    ///
    /// Source: <https://github.com/salrashid123/gcp_error_handler>
    pub fn denied_by_cloud_iam() -> Self {
        let mut refusal = Self::denied("Request denied by Cloud IAM.");
        let link = |description: &str, path: &str| json!({ "description": description, "url": format!("https://cloud.google.com/{path}") });
        refusal.details.push(json!({
            "@type": "type.googleapis.com/google.rpc.Help",
            "links": [
                link(
                    "To check permissions required for this RPC:",
                    "asset-inventory/docs/access-control#required_permissions",
                ),
                link(
                    "To get a valid organization id:",
                    "resource-manager/docs/creating-managing-organization#retrieving_your_organization_id",
                ),
                link(
                    "To get a valid folder or project id:",
                    "resource-manager/docs/creating-managing-folders#viewing_or_listing_folders_and_projects",
                ),
            ],
        }));
        refusal
    }

    /// Pub/Sub's way of saying that a permission is missing.
    ///
    /// Source: <https://github.com/mrdulin/nodejs-gcp/blob/master/src/pubsub/docs/get-started.md>
    pub fn not_authorized() -> Self {
        Self::denied("User not authorized to perform this action.")
    }

    /// Pub/Sub has no topic or subscription of that name; `name` is the last part.
    ///
    /// Source: <https://github.com/hashicorp/terraform/issues/24519>
    pub fn resource_not_found(name: &str) -> Self {
        Self::not_found(format!("Resource not found (resource={name})."))
    }

    /// Pub/Sub has a topic or subscription of that name already; `name` is the last part.
    ///
    /// Source: <https://github.com/googleapis/google-cloud-ruby/blob/main/google-cloud-pubsub/test/helper.rb>
    pub fn resource_exists(name: &str) -> Self {
        Self::already_exists(format!(
            "Resource already exists in the project (resource={name})."
        ))
    }

    /// Pub/Sub takes no topic or subscription of that name; `name` is the whole of it.
    ///
    /// Source: <https://github.com/potmat/homebridge-google-nest-sdm/issues/4>
    pub fn resource_name_invalid(name: &str) -> Self {
        Self::invalid_argument(format!(
            "Invalid resource name given (name={name}). Refer to \
             https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names for more information."
        ))
    }

    /// An organization policy keeps resources out of a location. The words are those of another API.
    ///
    /// Sources: <https://github.com/googleapis/google-cloud-cpp/issues/11346>,
    /// <https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto>
    pub fn location_not_permitted(project: &str, location: &str) -> Self {
        let message = format!(
            "{location} violates constraint constraints/gcp.resourceLocations on the resource projects/{project}"
        );
        let metadata = json!({ "resource": format!("projects/{project}/locations/{location}") });
        Self::failed_precondition(message).with_reason(
            "LOCATION_ORG_POLICY_VIOLATED",
            "googleapis.com",
            &metadata,
        )
    }

    /// The project that a resource lies in is none by its spelling.
    ///
    /// Sources: <https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto>,
    /// <https://github.com/trailofbits/algo/issues/14854>
    pub fn resource_project_invalid(service: &str, method: &str) -> Self {
        let metadata = json!({ "service": service, "method": method });
        Self::invalid_argument("Invalid resource field value in the request.").with_reason(
            "RESOURCE_PROJECT_INVALID",
            "googleapis.com",
            &metadata,
        )
    }

    /// The project that pays is in a state that lets nobody use anything: one of the reasons that Google's front end knows.
    ///
    /// Source: <https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto>
    pub fn consumer_refused(reason: ConsumerReason, project: &str, service: &str) -> Self {
        let consumer = format!("projects/{project}");
        let (reason, message) = match reason {
            ConsumerReason::BillingDisabled => (
                "BILLING_DISABLED",
                format!("This API method requires billing to be enabled. Please enable billing on project #{project} and retry."),
            ),
            ConsumerReason::ConsumerSuspended => (
                "CONSUMER_SUSPENDED",
                format!("Permission denied: Consumer '{consumer}' has been suspended."),
            ),
            ConsumerReason::ConsumerInvalid => (
                "CONSUMER_INVALID",
                format!("Permission denied on resource project {project}."),
            ),
            ConsumerReason::OrgRestrictionViolation => (
                "ORG_RESTRICTION_VIOLATION",
                "Access denied by organization restriction. Please contact your administrator for additional information."
                    .to_owned(),
            ),
        };
        let metadata = json!({ "consumer": consumer, "service": service });
        Self::denied(message).with_reason(reason, "googleapis.com", &metadata)
    }
}
