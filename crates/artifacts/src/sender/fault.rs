//! Why a request had no answer.

use std::time::Duration;

use http::StatusCode;

use crate::egress;

/// Says why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Refused(#[from] egress::Refused),
    #[error("plain http is only for this machine, not for {host:?}")]
    PlainHttp { host: String },
    #[error("{scheme:?} is not a scheme to send requests by")]
    Scheme { scheme: String },
    #[error("{host:?} redirects where it should not: {why}")]
    Redirect { host: String, why: &'static str },
    #[error("failed to build an HTTP client")]
    Client(#[source] reqwest::Error),
    #[error("failed to read the CA certificates of this machine")]
    Roots(#[source] rustls::Error),
    #[error("failed to reach {host:?}")]
    Unreachable {
        host: String,
        source: reqwest::Error,
    },
    #[error("{host:?} did not answer in time")]
    Silence { host: String },
    #[error("the answer of {host:?} broke off")]
    Truncated {
        host: String,
        source: reqwest::Error,
    },
    #[error("the answer of {host:?} is larger than {bound} bytes")]
    TooLarge { host: String, bound: usize },
    #[error("{host:?} answered {status} again and again{}", pause(*.retry_after))]
    Busy {
        host: String,
        status: StatusCode,
        retry_after: Option<Duration>,
    },
}

/// Says how often the same request is worth sending again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chance {
    /// It will end in the same way.
    None,
    /// A name server may have had a bad moment; a name that is misspelt stays so.
    Once,
    /// It could succeed a moment later.
    Often,
}

fn pause(retry_after: Option<Duration>) -> String {
    retry_after
        .map(|wait| format!(" and asks to wait {} s", wait.as_secs()))
        .unwrap_or_default()
}

impl Fault {
    /// Says whether the same request could succeed a moment later.
    pub(super) fn chance(&self) -> Chance {
        match self {
            Self::Unreachable { source, .. } => match find_lookup(source) {
                Some(egress::ResolveError::Refused(_)) => Chance::None,
                Some(_) => Chance::Once,
                None if is_about_certificate(source) => Chance::None,
                None => Chance::Often,
            },
            Self::Silence { .. } | Self::Truncated { .. } | Self::Busy { .. } => Chance::Often,
            Self::Refused(_)
            | Self::PlainHttp { .. }
            | Self::Scheme { .. }
            | Self::Redirect { .. }
            | Self::Client(_)
            | Self::Roots(_)
            | Self::TooLarge { .. } => Chance::None,
        }
    }

    /// Says whether no connection came about at all, rather than one that broke.
    pub(crate) fn is_nobody_there(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => source.is_connect(),
            Self::Refused(_) | Self::Silence { .. } => true,
            Self::Truncated { .. }
            | Self::Busy { .. }
            | Self::PlainHttp { .. }
            | Self::Scheme { .. }
            | Self::Redirect { .. }
            | Self::Client(_)
            | Self::Roots(_)
            | Self::TooLarge { .. } => false,
        }
    }

    /// Names the next thing to try.
    pub fn hint(&self) -> String {
        match self {
            Self::Refused(refused) => refused.hint().to_owned(),
            Self::PlainHttp { host } => format!("serve {host} over https"),
            Self::Unreachable { host, source } => match find_refusal(source) {
                Some(refused) => refused.hint().to_owned(),
                None if is_about_certificate(source) => format!(
                    "name the certificates (PEM) to trust {host} by, in a file: SSL_CERT_FILE=FILE"
                ),
                None => format!(
                    "curl -v https://{host}/ from where argosy runs; check DNS, certificates and firewalls"
                ),
            },
            Self::Silence { host } | Self::Truncated { host, .. } => {
                format!("see whether {host} is overloaded; argosy tries again")
            }
            Self::Busy { host, .. } => {
                format!("ask for a higher quota at {host} or lengthen the Warehouse's interval")
            }
            Self::Redirect { host, .. } => format!("use the address that {host} redirects to"),
            Self::TooLarge { .. } => "see whether the URL is that of the repository".to_owned(),
            Self::Scheme { .. } => "use https://".to_owned(),
            Self::Client(_) | Self::Roots(_) => {
                "install the package ca-certificates, or name a file of roots in SSL_CERT_FILE"
                    .to_owned()
            }
        }
    }

    pub(super) fn connecting(host: &str, error: reqwest::Error) -> Self {
        let host = host.to_owned();
        if let Some(refused) = find_refusal(&error) {
            return Self::Refused(refused.clone());
        }
        if error.is_timeout() {
            Self::Silence { host }
        } else {
            Self::Unreachable {
                host,
                source: error.without_url(),
            }
        }
    }

    pub(super) fn reading(host: &str, error: reqwest::Error) -> Self {
        let host = host.to_owned();
        if error.is_timeout() {
            Self::Silence { host }
        } else {
            Self::Truncated {
                host,
                source: error.without_url(),
            }
        }
    }
}

/// Says whether the server's certificate is what stood in the way.
fn is_about_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
        return true;
    }
    // An I/O error hands out the causes of what it holds, and not what it holds.
    let held = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    held.is_some_and(|held| is_about_certificate(held))
        || error.source().is_some_and(is_about_certificate)
}

/// Finds the egress policy's refusal among the causes of an error.
fn find_refusal(error: &reqwest::Error) -> Option<&egress::Refused> {
    match find_lookup(error)? {
        egress::ResolveError::Refused(refused) => Some(refused),
        egress::ResolveError::Lookup { .. }
        | egress::ResolveError::Silence { .. }
        | egress::ResolveError::NoAddress { .. } => None,
    }
}

/// Finds among the causes of an error why a name led nowhere.
fn find_lookup(error: &reqwest::Error) -> Option<&egress::ResolveError> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(lookup) = error.downcast_ref() {
            return Some(lookup);
        }
        cause = error.source();
    }
    None
}
