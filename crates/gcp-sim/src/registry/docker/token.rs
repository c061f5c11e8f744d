//! The token that `/v2/token` gives: a wrapper around an access token, which says who, not what for.
//!
//! It is base64 of JSON, as Google's is. Whoever holds it may do what the access token may at that moment, and no longer
//! than the access token lives, whatever `expires_in` says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// How long a token says it lives, in seconds.
pub(super) const LIFE: u32 = 43_200;

const PRODUCT: &str = "artifactregistry";

/// Whom a registry token stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Nobody,
    AccessToken(String),
}

/// The wrapper's members. Google's `commands` are numbers of permissions that it does not publish, so it stays empty.
#[derive(Serialize, Deserialize)]
struct Wrapper {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[serde(default)]
    commands: serde_json::Map<String, serde_json::Value>,
    token_id: u64,
    product: String,
}

/// Wraps an access token, or nobody's.
pub(super) fn wrap(holder: Holder) -> String {
    let wrapper = Wrapper {
        access_token: match holder {
            Holder::Nobody => None,
            Holder::AccessToken(token) => Some(token),
        },
        commands: serde_json::Map::new(),
        token_id: rand::random(),
        product: PRODUCT.to_owned(),
    };
    STANDARD.encode(serde_json::json!(wrapper).to_string())
}

/// Unwraps a bearer token; `None` if it is none of `/v2/token`.
pub(super) fn unwrap(bearer: &str) -> Option<Holder> {
    let wrapper: Wrapper = serde_json::from_slice(&STANDARD.decode(bearer).ok()?).ok()?;
    let holder = wrapper
        .access_token
        .map_or(Holder::Nobody, Holder::AccessToken);
    (wrapper.product == PRODUCT).then_some(holder)
}

#[cfg(test)]
mod tests {
    use super::{Holder, unwrap, wrap};

    #[test]
    fn a_token_gives_back_whom_it_stands_for() {
        let holder = || Holder::AccessToken("ya29.sim-1".to_owned());
        assert_eq!(unwrap(&wrap(holder())), Some(holder()));
        assert_eq!(unwrap(&wrap(Holder::Nobody)), Some(Holder::Nobody));
        assert_ne!(wrap(holder()), wrap(holder()), "each has its own id");
    }

    #[test]
    fn an_access_token_is_no_registry_token() {
        assert_eq!(unwrap("ya29.sim-1"), None);
        assert_eq!(unwrap("e30="), None);
    }
}
