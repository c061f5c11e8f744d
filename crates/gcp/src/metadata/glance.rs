//! One look at the metadata server, without patience: for the doctor, who wants to see it as it is.

use reqwest::header::SERVER;
use std::time::Duration;
use tokio::time::Instant;

use super::{Metadata, ROOT};
use crate::endpoints::at;
use crate::facts::Reading;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// The `Server` header.
    pub server: String,
    pub text: String,
    pub took: Duration,
}

impl Metadata {
    /// Asks once for what is at a path below `/computeMetadata/v1/`; not for tokens.
    pub async fn glance(&self, path: &str) -> Reading<Glance> {
        let url = at(&self.inner.endpoint, &format!("{ROOT}{path}"));
        let said = format!("GET {}", crate::shown(&url));
        let started = Instant::now();
        let build =
            |client: &reqwest::Client| client.get(url.clone()).header("Metadata-Flavor", "Google");
        match self.inner.http.fetch(&url, build).await {
            Ok(answer) if answer.status.is_success() && !answer.has_metadata_flavor() => {
                Reading::unreachable(
                    &said,
                    "something else answers in its place: no Metadata-Flavor header",
                )
            }
            Ok(answer) if answer.status.is_success() => Reading::known_from(
                &said,
                Glance {
                    server: answer.header(&SERVER).unwrap_or_default().to_owned(),
                    text: answer.text(),
                    took: started.elapsed(),
                },
            ),
            Ok(answer) => Reading::of_refusal(&said, answer.status.as_u16(), &answer.text()),
            Err(error) => Reading::of_token_error(&said, &error),
        }
    }
}
