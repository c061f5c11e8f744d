//! How a dry run reaches the outside, and as whom: the flags that all three commands share.
#![expect(
    clippy::doc_markdown,
    reason = "doc comments here are help texts, read in a terminal"
)]

use std::collections::HashMap;
use std::env;
use std::fs;
use std::io::{self, BufRead as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::gcp::repository::ImageAddress;
use anyhow::{Context as _, Result, anyhow, bail};
use artifacts::child::Launcher;
use artifacts::egress::Policy;
use artifacts::registry::{Registries, TrustedRealm};
use artifacts::{Boundless, Caller, Cost, Limits};
use clap::Args;
use credentials::{AccessToken, Login};
use secret::Secret;
use url::Url;

use super::{progress, told};
use crate::gcp;

/// Holds a password where it is not to be typed.
const PASSWORD_VARIABLE: &str = "ARGOSY_DISCOVER_PASSWORD";

/// What is remembered in a dry run is no project's.
const PROJECT: &str = "";

/// Who asks, and where connections go.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Who asks, and where connections go")]
pub(super) struct Outside {
    /// User name at the repository; the password is read from ARGOSY_DISCOVER_PASSWORD or by --password-stdin
    #[arg(long, value_name = "NAME", conflicts_with_all = ["google", "ssh_key"])]
    username: Option<String>,
    /// Reads the password from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
    /// Private key for a Git host over SSH
    #[arg(long, value_name = "FILE", conflicts_with = "google")]
    ssh_key: Option<PathBuf>,
    /// Asks Google's registries as you: gcloud auth application-default login
    #[arg(long)]
    google: bool,
    /// Asks a service of Google for that token elsewhere, such as oauth2=http://127.0.0.1:8080; repeatable
    #[arg(
        long = "gcp-endpoint",
        env = "ARGOSY_GCP_ENDPOINT",
        value_name = "SERVICE=URL",
        value_delimiter = ',',
        value_parser = ::gcp::named_address
    )]
    gcp_endpoints: Vec<(String, Url)>,
    /// Where connections to a registry's host go instead, such as europe-docker.pkg.dev=http://127.0.0.1:5000; repeatable
    #[arg(
        long = "registry-endpoint",
        env = "ARGOSY_REGISTRY_ENDPOINT",
        value_name = "HOST=URL",
        value_delimiter = ',',
        value_parser = ::gcp::named_address
    )]
    registry_endpoints: Vec<(String, Url)>,
    /// Host that registries may send to for a token with the login, though its domain is another, such as
    /// login.example.com; repeatable
    #[arg(
        long = "trusted-realm",
        env = "ARGOSY_TRUSTED_REALM",
        value_name = "HOST",
        value_delimiter = ','
    )]
    trusted_realms: Vec<TrustedRealm>,
    /// Certificates that Git trusts beside the system's, in PEM
    #[arg(long, env = "ARGOSY_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Host keys that SSH trusts [default: ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts]
    #[arg(long, env = "ARGOSY_KNOWN_HOSTS", value_name = "FILE")]
    known_hosts: Option<PathBuf>,
    /// Gives up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
}

impl Outside {
    /// Finds out as whom the repository is asked.
    pub(super) async fn login(&self, repo_url: &str) -> Result<Option<Login>> {
        // The token opens all that its owner may do: it is not for whichever host has a name like Google's.
        if self.google {
            ImageAddress::parse(repo_url)
                .map_err(|error| anyhow!("--google: {error}; next: {}", error.hint()))?;
        }
        if let Some(username) = &self.username {
            let password = self.password()?;
            let username = username.clone();
            return Ok(Some(Login::Basic { username, password }));
        }
        if let Some(path) = &self.ssh_key {
            let key = fs::read_to_string(path)
                .with_context(|| format!("failed to read the key {}", path.display()))?;
            return Ok(Some(Login::SshKey(Secret::from(key))));
        }
        if self.google {
            let password = gcp::access_token(&self.gcp_endpoints).await?;
            let username = AccessToken::USERNAME.to_owned();
            return Ok(Some(Login::Basic { username, password }));
        }
        Ok(None)
    }

    fn password(&self) -> Result<Secret<String>> {
        if self.password_stdin {
            let mut line = String::new();
            io::stdin()
                .lock()
                .read_line(&mut line)
                .context("failed to read the password from standard input")?;
            return Ok(Secret::from(line.trim_end_matches(['\r', '\n'])));
        }
        match env::var_os(PASSWORD_VARIABLE).and_then(|it| it.into_string().ok()) {
            Some(password) => Ok(Secret::from(password)),
            None => bail!(
                "there is no password: set {PASSWORD_VARIABLE}, or pipe it to --password-stdin"
            ),
        }
    }

    pub(super) fn policy() -> Arc<Policy> {
        Arc::new(Policy::new().with_loopback())
    }

    pub(super) fn registries(&self) -> Registries {
        let endpoints: HashMap<String, Url> = self.registry_endpoints.iter().cloned().collect();
        Registries::new(Self::policy(), Limits::default())
            .with_endpoints(endpoints)
            .with_trusted_realms(self.trusted_realms.clone())
    }

    /// Starts git without a fence: it runs on somebody's own machine, for them.
    pub(super) fn launcher(&self) -> Launcher {
        let mut launcher = Launcher::direct();
        if let Some(path) = env::var_os("PATH") {
            launcher = launcher.with_search_path(path);
        }
        if let Some(file) = &self.ca_file {
            launcher = launcher.with_ca_file(file);
        }
        if let Some(file) = self.known_hosts() {
            launcher = launcher.with_known_hosts(file);
        }
        launcher
    }

    fn known_hosts(&self) -> Option<PathBuf> {
        let home = || Some(Path::new(&env::var_os("HOME")?).join(".ssh/known_hosts"));
        self.known_hosts
            .clone()
            .or_else(|| home().filter(|it| it.exists()))
    }

    /// Waits for what a look finds as long as it may take, shows how far it is, and says how long it took.
    pub(super) async fn look<T, E: std::error::Error>(
        &self,
        repo_url: &str,
        cost: &Cost,
        work: impl Future<Output = Result<T, E>>,
        hint: impl FnOnce(&E) -> String,
    ) -> Result<(T, Duration)> {
        let work = tokio::time::timeout(Duration::from_secs(self.timeout), work);
        let (found, took) = progress::shown(repo_url, cost, work).await;
        let found = found.map_err(|_| {
            anyhow!(
                "it took longer than {} s; to wait longer: --timeout",
                self.timeout
            )
        })?;
        let found = found.map_err(|error| told(&error, &hint(&error)))?;
        Ok((found, took))
    }
}

/// Asks for nobody's project, with all the room there is.
pub(super) fn caller<'a>(login: Option<&'a Login>, cost: &'a Cost) -> Caller<'a> {
    Caller {
        project: PROJECT,
        login,
        cost,
        room: &Boundless,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        outside: Outside,
    }

    #[tokio::test]
    async fn your_own_token_is_for_hosts_of_googles_alone() {
        for repo_url in [
            "evil.example/x-docker.pkg.dev/y",
            "europe-docker.pkg.dev.evil.example/acme/apps/web",
            "europe-docker.pkg.dev@evil.example/acme/apps/web",
            "https://europe-docker.pkg.dev/acme/charts",
            "ghcr.io/acme/web",
            "nginx",
        ] {
            let line = Line::parse_from(["argosy", "--google"]);
            let refused = line.outside.login(repo_url).await;
            let refused = refused.expect_err(repo_url).to_string();
            assert!(refused.starts_with("--google: "), "{refused}");
        }
    }

    #[test]
    fn hosts_that_a_login_may_go_to_are_hosts() {
        let parse = |host: &str| Line::try_parse_from(["argosy", "--trusted-realm", host]);
        assert!(parse("login.example.com").is_ok());
        assert!(parse("https://login.example.com").is_err());
    }
}
