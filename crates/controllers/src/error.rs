//! Why a loop could not do what it wanted.

/// Why a loop could not do what it wanted; it tries again later.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to {attempt}: {}", said(source))]
    Api {
        attempt: &'static str,
        source: Box<kube::Error>,
    },
    #[error(
        "the loops ended before the stores were filled; see whether the API answers and knows the kinds: kubectl api-resources --api-group kargo.akuity.io"
    )]
    NeverFilled,
}

/// Gives what the API said, without the dump of its whole answer that `kube` appends.
pub(crate) fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        other => other.to_string(),
    }
}

impl Error {
    pub(crate) fn api(attempt: &'static str, source: kube::Error) -> Self {
        Self::Api {
            attempt,
            source: Box::new(source),
        }
    }

    /// The command by which a person sees what the controller may do in `namespace`.
    pub(crate) fn permissions_to_list(&self, namespace: &str) -> String {
        let whom = match self {
            Self::Api { source, .. } => credentials::as_whom(source),
            Self::NeverFilled => String::new(),
        };
        format!("kubectl auth can-i --list --namespace {namespace}{whom}")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_api_reads_as_its_message() {
        let status =
            kube::core::Status::failure("stages \"test\" not found", "NotFound").with_code(404);
        let error = Error::api("write the status", kube::Error::Api(status.boxed()));
        assert_eq!(
            error.to_string(),
            "failed to write the status: stages \"test\" not found"
        );
    }
}
