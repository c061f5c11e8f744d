//! What a token says, in Kubernetes' words, and until when and for whom that holds.
//!
//! Source: <https://github.com/kubernetes/kubernetes/blob/master/pkg/serviceaccount/claims.go>

use k8s_openapi::api::authentication::v1::UserInfo;
use serde::{Deserialize, Serialize};

/// How far clocks may be apart, in seconds.
const LEEWAY: i64 = 60;

/// The claims of a token. Times are in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) aud: Vec<String>,
    pub(super) exp: i64,
    pub(super) iat: i64,
    pub(super) iss: String,
    /// The token's own name: no two have the same.
    pub(super) jti: String,
    #[serde(rename = "kubernetes.io")]
    pub(super) kubernetes: Kubernetes,
    pub(super) nbf: i64,
    pub(super) sub: String,
}

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kubernetes {
    pub(super) namespace: String,
    pub(super) serviceaccount: Account,
}

/// A service account; another one of the same name has another uid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: String,
}

impl Kubernetes {
    pub(super) fn new(namespace: &str, name: &str, uid: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            serviceaccount: Account {
                name: name.to_owned(),
                uid: uid.to_owned(),
            },
        }
    }
}

/// Why a token does not let its bearer in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the token was not made here")]
    Unknown,
    #[error("the token is for the audiences {found:?}, not for {wanted:?}")]
    Audience {
        found: Vec<String>,
        wanted: Vec<String>,
    },
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYet,
    #[error("the service account {name:?} in {namespace:?} is not there any more")]
    AccountGone { namespace: String, name: String },
}

impl Claims {
    /// The audiences among `wanted` that the token is for.
    pub(super) fn check(
        &self,
        issuer: &str,
        wanted: &[String],
        now: jiff::Timestamp,
    ) -> Result<Vec<String>, Refusal> {
        let now = now.as_second();
        if self.iss != issuer {
            return Err(Refusal::Unknown);
        }
        if now > self.exp.saturating_add(LEEWAY) {
            return Err(Refusal::Expired);
        }
        if now < self.nbf.saturating_sub(LEEWAY) {
            return Err(Refusal::NotYet);
        }
        let common: Vec<String> = wanted
            .iter()
            .filter(|it| self.aud.contains(it))
            .cloned()
            .collect();
        if common.is_empty() {
            return Err(Refusal::Audience {
                found: self.aud.clone(),
                wanted: wanted.to_vec(),
            });
        }
        Ok(common)
    }

    /// Who the bearer is.
    pub(super) fn user(&self) -> UserInfo {
        let Kubernetes {
            namespace,
            serviceaccount: Account { name, uid },
        } = &self.kubernetes;
        let token = (
            "authentication.kubernetes.io/credential-id".to_owned(),
            vec![format!("JTI={}", self.jti)],
        );
        UserInfo {
            username: Some(username(namespace, name)),
            uid: Some(uid.clone()),
            groups: Some(vec![
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated".to_owned(),
            ]),
            extra: Some([token].into()),
        }
    }
}

/// `system:serviceaccount:{namespace}:{name}`
pub(super) fn username(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://127.0.0.1:7443";

    fn claims() -> Claims {
        Claims {
            aud: vec!["//iam.googleapis.com/pool".to_owned(), ISSUER.to_owned()],
            exp: 5_000,
            iat: 1_000,
            iss: ISSUER.to_owned(),
            jti: "7".to_owned(),
            kubernetes: Kubernetes::new("shop", "web", "3"),
            nbf: 1_000,
            sub: username("shop", "web"),
        }
    }

    #[track_caller]
    fn check(now: i64, wanted: &str, expected: Result<&str, Refusal>) {
        let now = jiff::Timestamp::from_second(now).unwrap();
        let found = claims().check(ISSUER, &[wanted.to_owned()], now);
        assert_eq!(found, expected.map(|it| vec![it.to_owned()]));
    }

    #[test]
    fn a_token_holds_in_its_time_give_or_take_a_minute() {
        check(939, ISSUER, Err(Refusal::NotYet));
        check(940, ISSUER, Ok(ISSUER));
        check(5_060, ISSUER, Ok(ISSUER));
        check(5_061, ISSUER, Err(Refusal::Expired));
    }

    #[test]
    fn a_token_holds_for_its_audiences_and_of_its_issuer() {
        check(
            2_000,
            "//iam.googleapis.com/pool",
            Ok("//iam.googleapis.com/pool"),
        );
        let other = Refusal::Audience {
            found: claims().aud,
            wanted: vec!["other".to_owned()],
        };
        check(2_000, "other", Err(other));
        let now = jiff::Timestamp::from_second(2_000).unwrap();
        let elsewhere = claims().check("https://elsewhere", &claims().aud, now);
        assert_eq!(elsewhere, Err(Refusal::Unknown));
    }

    #[test]
    fn claims_are_spelled_as_kubernetes_spells_them() {
        let text = serde_json::to_value(claims()).unwrap();
        assert_eq!(
            text["kubernetes.io"],
            serde_json::json!({"namespace": "shop", "serviceaccount": {"name": "web", "uid": "3"}})
        );
        assert_eq!(text["sub"], "system:serviceaccount:shop:web");
    }
}
