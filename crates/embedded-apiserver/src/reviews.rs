//! Questions that are answered and not stored: who am I, may I do this, and whose token is that.
//!
//! Roles are kept but not evaluated: whoever is let in may do everything, and is told so.

use http::Method;
use k8s_openapi::api::authentication::v1::UserInfo;
use serde_json::{Value, json};

use crate::api::Api;
use crate::body;
use crate::failure::Failure;
use crate::routes::Target;

/// One of the questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Review {
    Access,
    Rules,
    Identity,
    Token,
}

impl Review {
    /// Finds the question behind a path.
    pub(crate) fn find(target: &Target) -> Option<Self> {
        match (
            target.group.as_str(),
            target.version.as_str(),
            target.plural.as_str(),
        ) {
            _ if target.name.is_some() || target.namespace.is_some() => None,
            ("authorization.k8s.io", "v1", "selfsubjectaccessreviews") => Some(Self::Access),
            ("authorization.k8s.io", "v1", "selfsubjectrulesreviews") => Some(Self::Rules),
            ("authentication.k8s.io", "v1", "selfsubjectreviews") => Some(Self::Identity),
            ("authentication.k8s.io", "v1", "tokenreviews") => Some(Self::Token),
            _ => None,
        }
    }

    /// Answers the question, which repeats what was asked.
    pub(crate) fn answer(
        self,
        api: &Api,
        method: &Method,
        user: &UserInfo,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Value, Failure> {
        if method != Method::POST {
            return Err(Failure::method_not_allowed());
        }
        let asked = match (self, body::parse(media_type, bytes)) {
            (Self::Token, asked) => asked?,
            // What is asked makes no difference, so a form of it that cannot be read is no reason to refuse.
            (Self::Access | Self::Rules | Self::Identity, asked) => asked.unwrap_or_default(),
        };
        let (api_version, kind, status) = match self {
            Self::Access => (
                "authorization.k8s.io/v1",
                "SelfSubjectAccessReview",
                json!({"allowed": true, "reason": "whoever is let in may do everything"}),
            ),
            Self::Rules => (
                "authorization.k8s.io/v1",
                "SelfSubjectRulesReview",
                json!({
                    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
                    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                    "incomplete": false,
                }),
            ),
            Self::Identity => (
                "authentication.k8s.io/v1",
                "SelfSubjectReview",
                json!({"userInfo": user}),
            ),
            Self::Token => (
                "authentication.k8s.io/v1",
                "TokenReview",
                api.review_token(&asked)?,
            ),
        };
        let spec = asked.get("spec").cloned().unwrap_or_else(|| json!({}));
        Ok(json!({
            "apiVersion": api_version, "kind": kind, "metadata": {"creationTimestamp": null}, "spec": spec, "status": status,
        }))
    }
}
