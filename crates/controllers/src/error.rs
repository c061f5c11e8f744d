//! Why a loop could not do what it wanted.

/// Why a loop could not do what it wanted; it tries again later.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to {attempt}: {source}")]
    Api {
        attempt: &'static str,
        source: Box<kube::Error>,
    },
    #[error(
        "the loops ended before the stores were filled; is the API server reachable and are the CRDs installed?"
    )]
    NeverFilled,
}

impl Error {
    pub(crate) fn api(attempt: &'static str, source: kube::Error) -> Self {
        Self::Api {
            attempt,
            source: Box::new(source),
        }
    }

    /// The HTTP status the API answered with, if it answered.
    fn code(&self) -> Option<u16> {
        match self {
            Self::Api { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            Self::NeverFilled => None,
        }
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    pub(crate) fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    pub(crate) fn is_forbidden(&self) -> bool {
        self.code() == Some(403)
    }

    /// Says that the API will refuse this for ever: it is invalid or too large.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self.code(), Some(400 | 413 | 422))
    }
}
