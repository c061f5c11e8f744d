//! Who signs: the address that stands in tokens, and the document by which others find the keys.
//!
//! Source: <https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata>

use std::sync::OnceLock;

use serde_json::{Value, json};
use url::Url;

use crate::store::OpenError;

/// The issuer of a server that does not listen, as Kubernetes calls it from inside.
const IN_PROCESS: &str = "https://kubernetes.default.svc";

/// Where the public keys are.
pub(crate) const KEYS: &str = "/openid/v1/jwks";
/// Where the document about the issuer is.
pub(crate) const CONFIGURATION: &str = "/.well-known/openid-configuration";

/// The issuer: chosen, or the address that the server first listened on.
#[derive(Debug)]
pub(crate) struct Issuer {
    chosen: Option<String>,
    listening: OnceLock<String>,
}

impl Issuer {
    /// Takes the issuer that was chosen, if it is an `https` URL without query and fragment.
    pub(crate) fn new(chosen: Option<String>) -> Result<Self, OpenError> {
        if let Some(chosen) = &chosen {
            let plain =
                |it: Url| it.scheme() == "https" && it.query().is_none() && it.fragment().is_none();
            if !Url::parse(chosen).is_ok_and(plain) {
                let issuer = chosen.clone();
                return Err(OpenError::Issuer { issuer });
            }
        }
        Ok(Self {
            chosen,
            listening: OnceLock::new(),
        })
    }

    /// Notes where the server can be reached; the first address stays.
    pub(crate) fn listens_on(&self, url: &str) {
        self.listening.get_or_init(|| url.to_owned());
    }

    /// What stands in tokens as `iss`; also the audience of the server itself.
    pub(crate) fn url(&self) -> &str {
        let known = self.chosen.as_ref().or_else(|| self.listening.get());
        known.map_or(IN_PROCESS, String::as_str)
    }

    /// The document about the issuer; the keys are where the server listens, whatever it is called.
    pub(crate) fn configuration(&self) -> Value {
        let reached = self.listening.get().map_or(self.url(), String::as_str);
        json!({
            "issuer": self.url(),
            "jwks_uri": format!("{}{KEYS}", reached.trim_end_matches('/')),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(chosen: Option<&str>, listening: Option<&str>, issuer: &str, keys: &str) {
        let it = Issuer::new(chosen.map(str::to_owned)).unwrap();
        if let Some(url) = listening {
            it.listens_on(url);
            it.listens_on("https://127.0.0.1:2");
        }
        let configuration = it.configuration();
        assert_eq!(it.url(), issuer);
        assert_eq!(configuration["issuer"], issuer);
        assert_eq!(configuration["jwks_uri"], keys);
    }

    #[test]
    fn the_issuer_is_the_chosen_one_else_where_it_listens() {
        check(
            None,
            None,
            IN_PROCESS,
            "https://kubernetes.default.svc/openid/v1/jwks",
        );
        check(
            None,
            Some("https://127.0.0.1:1"),
            "https://127.0.0.1:1",
            "https://127.0.0.1:1/openid/v1/jwks",
        );
        let chosen = "https://issuer.example/";
        check(
            Some(chosen),
            None,
            chosen,
            "https://issuer.example/openid/v1/jwks",
        );
        check(
            Some(chosen),
            Some("https://127.0.0.1:1"),
            chosen,
            "https://127.0.0.1:1/openid/v1/jwks",
        );
    }

    #[test]
    fn what_relying_parties_would_refuse_is_refused_at_once() {
        for chosen in [
            "",
            "issuer.example",
            "http://issuer.example",
            "https://issuer.example?a",
            "https://issuer.example#a",
        ] {
            let error = Issuer::new(Some(chosen.to_owned())).unwrap_err();
            assert!(matches!(error, OpenError::Issuer { .. }), "{chosen}");
        }
    }
}
