//! The paths below an object: what is done there, and with which kind.

use super::Kind;

/// A path below an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subresource {
    Finalize,
    Status,
    /// Where a service account's tokens are asked for.
    Token,
}

impl Subresource {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Finalize => "finalize",
            Self::Status => "status",
            Self::Token => "token",
        }
    }

    pub(crate) fn verbs(self) -> &'static [&'static str] {
        match self {
            Self::Finalize | Self::Status => &["get", "patch", "update"],
            Self::Token => &["create"],
        }
    }

    /// Group, version and kind of what is sent there and answered, for an object of `kind`.
    pub(crate) fn group_version_kind(self, kind: &Kind) -> [&str; 3] {
        match self {
            Self::Finalize | Self::Status => [&kind.group, &kind.version, &kind.kind],
            Self::Token => ["authentication.k8s.io", "v1", "TokenRequest"],
        }
    }
}
