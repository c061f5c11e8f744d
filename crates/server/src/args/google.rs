//! Settings of the identities at Google, and of where Google is.
#![allow(
    rustdoc::bare_urls,
    reason = "doc comments here are help texts, read in a terminal"
)]

use std::time::Duration;

use clap::{Args, ValueEnum};
use credentials::google::{Caller, Fallback};
use url::Url;

/// How Google's registries are read.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Google Artifact Registry")]
pub struct Google {
    /// Whether Google's registries are read with identities (workload identity), where no Secret speaks for a repository
    #[arg(long, env = "ARGOSY_GCP_IDENTITY", value_enum, default_value_t = Mode::Auto)]
    pub gcp_identity: Mode,
    /// When the controller's own identity may act for a project: allow (its account is absent or forbidden), if-absent,
    /// or deny; projects tighten it with the annotation argosy.dev/gcp-identity-fallback
    #[arg(
        long,
        env = "ARGOSY_GCP_IDENTITY_FALLBACK",
        value_name = "POLICY",
        default_value_t
    )]
    pub gcp_identity_fallback: Fallback,
    /// How long the tokens of projects' accounts live, from 15m to 12h; more than 1h takes a policy that allows it
    #[arg(long, env = "ARGOSY_GCP_TOKEN_LIFETIME", value_name = "DURATION", default_value = "1h", value_parser = lifetime)]
    pub gcp_token_lifetime: Duration,
    #[command(flatten)]
    pub caller: Caller,
    /// Address of one of Google's services, such as sts=https://sts-myendpoint.p.googleapis.com; repeatable
    #[arg(
        long = "gcp-endpoint",
        env = "ARGOSY_GCP_ENDPOINT",
        value_name = "SERVICE=URL",
        value_delimiter = ',',
        value_parser = gcp::named_address
    )]
    pub gcp_endpoints: Vec<(String, Url)>,
    /// Where connections to a registry's host go instead, such as europe-docker.pkg.dev=https://ENDPOINT; credentials stay
    /// those of the host; repeatable
    #[arg(
        long = "registry-endpoint",
        env = "ARGOSY_REGISTRY_ENDPOINT",
        value_name = "HOST=URL",
        value_delimiter = ',',
        value_parser = gcp::named_address
    )]
    pub registry_endpoints: Vec<(String, Url)>,
}

/// Whether identities at Google are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// In a cluster; on a laptop where GCE_METADATA_HOST or --gcp-credentials is given
    Auto,
    /// Always
    On,
    /// Never: what no Secret speaks for is read anonymously
    Off,
}

/// Shorter tokens are over before they are shared, and none live longer.
///
/// Source: <https://cloud.google.com/iam/docs/create-short-lived-credentials-direct>
fn lifetime(text: &str) -> Result<Duration, String> {
    let lifetime = super::duration(text)?;
    if (Duration::from_mins(15)..=Duration::from_hours(12)).contains(&lifetime) {
        return Ok(lifetime);
    }
    Err("choose from 15m to 12h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_live_from_a_quarter_of_an_hour_to_half_a_day() {
        for (text, minutes) in [("15m", 15), ("900s", 15), ("1h", 60), ("12h", 720)] {
            assert_eq!(lifetime(text), Ok(Duration::from_mins(minutes)), "{text}");
        }
        for text in ["0s", "10s", "14m59s", "12h1s", "13h", "-1h", "1", ""] {
            assert!(lifetime(text).is_err(), "{text}");
        }
    }
}
