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
    /// How long the tokens of projects' accounts live, such as 15m or 1h
    #[arg(long, env = "ARGOSY_GCP_TOKEN_LIFETIME", value_name = "DURATION", default_value = "1h", value_parser = super::duration)]
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
