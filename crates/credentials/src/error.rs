//! Why no answer could be given, and what to try next.

use crate::{Kind, Outcome, RegistryIdentity, google};

/// Says why no answer could be given.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to list the {kind} credentials in namespace {namespace:?}")]
    List {
        kind: Kind,
        namespace: String,
        source: kube::Error,
    },
    #[error("namespace {namespace:?} holds more than {bound} {kind} credentials")]
    TooMany {
        kind: Kind,
        namespace: String,
        bound: usize,
    },
    #[error("failed to read {what} {name:?}")]
    Read {
        what: &'static str,
        name: String,
        source: kube::Error,
    },
    #[error("failed to use the service account key of project {project:?}")]
    Key {
        project: String,
        identity: Box<RegistryIdentity>,
        source: google::KeyError,
    },
    /// No identity acts, so nothing is asked: not even anonymously.
    #[error("no identity may read the registry: {}", identity.why)]
    Identity {
        identity: Box<RegistryIdentity>,
        source: Option<Box<gcp::TokenError>>,
    },
}

impl Error {
    /// Gives what is known of the identity that would have acted.
    pub fn identity(&self) -> Option<&RegistryIdentity> {
        match self {
            Self::Identity { identity, .. } | Self::Key { identity, .. } => Some(identity.as_ref()),
            Self::List { .. } | Self::TooMany { .. } | Self::Read { .. } => None,
        }
    }

    /// Says that it is not known who may act, as Kubernetes did not answer.
    pub(crate) fn unknown(&self) -> RegistryIdentity {
        let why = google::UNKNOWN.to_owned();
        RegistryIdentity {
            cause: Some(self.to_string()),
            ..RegistryIdentity::nobody(Outcome::Unavailable, why, self.hint())
        }
    }

    /// Names the next thing to try.
    pub fn hint(&self) -> String {
        match self {
            Self::List {
                namespace, source, ..
            } => format!(
                "kubectl auth can-i list secrets --namespace {namespace}{}",
                as_whom(source)
            ),
            Self::TooMany {
                kind, namespace, ..
            } => format!(
                "kubectl get secrets --namespace {namespace} -l kargo.akuity.io/cred-type={kind}"
            ),
            Self::Read { what, name, source } => {
                let whom = as_whom(source);
                match name.split_once('/') {
                    Some((namespace, _)) => {
                        format!("kubectl auth can-i get {what} --namespace {namespace}{whom}")
                    }
                    None => format!("kubectl auth can-i get {what}/{name}{whom}"),
                }
            }
            Self::Identity { identity, .. } | Self::Key { identity, .. } => {
                identity.next.clone().unwrap_or_default()
            }
        }
    }
}

/// Says as whom `kubectl auth can-i` is to ask, as an option with a space before it: people may do what the controller
/// may not. Kubernetes names whom it has refused.
pub fn as_whom(error: &kube::Error) -> String {
    let refused = match error {
        kube::Error::Api(status) => status.message.split_once("User \"").map(|(_, it)| it),
        _ => None,
    };
    let user = refused.and_then(|it| it.split_once('"')).map(|(it, _)| it);
    match user {
        Some(account) if account.starts_with("system:serviceaccount:") => {
            format!(" --as {account}")
        }
        // Somebody who runs the controller by hand can ask as themselves.
        Some(_) => String::new(),
        None => " --as system:serviceaccount:NAMESPACE:CONTROLLER".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn forbidden(message: &str) -> kube::Error {
        let status = Status::failure(message, "Forbidden").with_code(403);
        kube::Error::Api(status.boxed())
    }

    #[test]
    fn whoever_looks_whether_it_is_allowed_looks_as_the_controller() {
        let refused = r#"secrets is forbidden: User "system:serviceaccount:argosy:kargo-controller" cannot list resource "secrets" in API group "" in the namespace "acme""#;
        let list = |source| Error::List {
            kind: Kind::Image,
            namespace: "acme".to_owned(),
            source,
        };
        let ask = "kubectl auth can-i list secrets --namespace acme";
        for (message, whom) in [
            (
                refused,
                " --as system:serviceaccount:argosy:kargo-controller",
            ),
            ("no", " --as system:serviceaccount:NAMESPACE:CONTROLLER"),
            (r#"User "ann@example.com" cannot list"#, ""),
        ] {
            let hint = list(forbidden(message)).hint();
            assert_eq!(hint, format!("{ask}{whom}"), "{message}");
        }
        let read = |name: &str| Error::Read {
            what: "serviceaccounts",
            name: name.to_owned(),
            source: forbidden(refused),
        };
        let whom = "--as system:serviceaccount:argosy:kargo-controller";
        assert_eq!(
            read("acme/argosy-gcp").hint(),
            format!("kubectl auth can-i get serviceaccounts --namespace acme {whom}")
        );
        assert_eq!(
            read("acme").hint(),
            format!("kubectl auth can-i get serviceaccounts/acme {whom}")
        );
    }
}
