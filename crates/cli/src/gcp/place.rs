//! Where Google, the cluster and the controller are, and who asks: the flags that all three commands share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use credentials::google::{Caller, CallerError};
use gcp::facts::TokenSource;
use gcp::principal::{KubernetesAccount, ProjectId, ProjectNumber};
use gcp::{Apis, Base, Clock, Endpoints, Identities, Observer, Scope, Settings};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use url::Url;

use super::credentials as operator;

/// How long it may take at a Pod's start until the metadata server answers.
///
/// Source: <https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity#limitations>
const PATIENCE: Duration = Duration::from_mins(1);
/// The variable by which Google's own tools are told their project.
const DESK_PROJECT: &str = "GOOGLE_CLOUD_PROJECT";

/// Where things are, and who asks.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Where things are, and who asks")]
pub(super) struct Place {
    #[command(flatten)]
    caller: Caller,
    /// The number of --gcp-project, where nobody is to be asked for it
    #[arg(long, value_name = "NUMBER", requires = "gcp_project", value_parser = ProjectNumber::parse)]
    gcp_project_number: Option<ProjectNumber>,
    /// The controller's cluster [default: what the metadata server says, or the only one of the project]
    #[arg(long, value_name = "LOCATION/NAME", value_parser = ClusterAddress::parse)]
    cluster: Option<ClusterAddress>,
    /// Kubernetes account that the controller runs as
    #[arg(long, env = "ARGOSY_CONTROLLER_ACCOUNT", value_name = "NAMESPACE/NAME", default_value = "argosy/kargo-controller", value_parser = KubernetesAccount::parse)]
    controller: KubernetesAccount,
    /// Kubernetes API that knows the Projects and their Warehouses [default: a pod's own cluster, elsewhere none]
    #[arg(long, env = "ARGOSY_KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Namespace whose credentials every Project may use, as the controller has it; repeatable
    #[arg(
        long = "shared-namespace",
        env = "ARGOSY_SHARED_NAMESPACE",
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "kargo-shared-resources"
    )]
    shared_namespaces: Vec<String>,
    /// Asks with the access token in a file: gcloud auth print-access-token > FILE [default: the credentials that
    /// Google's own tools find, see docs/book/gcp.md]
    #[arg(long, env = "ARGOSY_ACCESS_TOKEN_FILE", value_name = "FILE")]
    access_token_file: Option<PathBuf>,
    /// Asks a service of Google elsewhere, such as iam=http://127.0.0.1:8080; "all" is each but metadata; repeatable
    #[arg(
        long = "gcp-endpoint",
        env = "ARGOSY_GCP_ENDPOINT",
        value_name = "SERVICE=URL",
        value_delimiter = ',',
        value_parser = gcp::named_address
    )]
    endpoints: Vec<(String, Url)>,
    /// Connects elsewhere for a registry, such as europe-docker.pkg.dev=http://127.0.0.1:5000; repeatable
    #[arg(
        long = "registry-endpoint",
        env = "ARGOSY_REGISTRY_ENDPOINT",
        value_name = "HOST=URL",
        value_delimiter = ',',
        value_parser = gcp::named_address
    )]
    registries: Vec<(String, Url)>,
    /// The metadata server; also says that the pod's view is wanted where this is no pod
    #[arg(long, env = "GCE_METADATA_HOST", value_name = "HOST[:PORT]")]
    metadata_host: Option<String>,
}

/// A cluster by its location and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClusterAddress {
    pub(super) location: String,
    pub(super) name: String,
}

/// Everyone who can be asked from here.
pub(super) struct Access {
    pub(super) gcp_project: Option<ProjectId>,
    pub(super) gcp_project_number: Option<ProjectNumber>,
    pub(super) cluster: Option<ClusterAddress>,
    pub(super) controller: KubernetesAccount,
    pub(super) shared_namespaces: Vec<String>,
    pub(super) endpoints: Endpoints,
    registries: BTreeMap<String, Url>,
    /// Where the controller's own token comes from, and what tokens may be used for with which it pulls.
    base: Base,
    pub(super) scope: Scope,
    /// Whether can be asked what the controller's Pod asks.
    pub(super) vantage: PodVantage,
    /// How long a metadata server is waited for that does not answer.
    pub(super) patience: Duration,
    /// The APIs as whoever runs the command.
    pub(super) operator: Option<Apis>,
    pub(super) kubernetes: Option<Client>,
    pub(super) clock: Clock,
}

/// Whether things are seen as the controller's Pod sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PodVantage {
    /// In a Pod.
    Inside,
    /// By a metadata server or a credential file of the controller that was named, from elsewhere.
    Named,
    No,
}

impl ClusterAddress {
    fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((location, name)) if !location.is_empty() && !name.is_empty() => Ok(Self {
                location: location.to_owned(),
                name: name.to_owned(),
            }),
            _ => Err("write it as LOCATION/NAME, for example europe-west1/main".to_owned()),
        }
    }
}

impl Place {
    /// Finds out who can be asked.
    pub(super) async fn access(&self) -> Result<Access> {
        let is_named = self.metadata_host().is_some() || self.caller.gcp_credentials.is_some();
        let vantage = match (is_in_pod(), is_named) {
            (true, _) => PodVantage::Inside,
            (false, true) => PodVantage::Named,
            (false, false) => PodVantage::No,
        };
        let base = self.caller.base().map_err(said)?;
        let clock: Clock = Arc::new(jiff::Timestamp::now);
        let endpoints = self.endpoints()?;
        let token_file = self.access_token_file.as_deref();
        Ok(Access {
            gcp_project: self.project(vantage)?,
            gcp_project_number: self.gcp_project_number,
            cluster: self.cluster.clone(),
            controller: self.controller.clone(),
            shared_namespaces: self.shared_namespaces.clone(),
            registries: self.registries.iter().cloned().collect(),
            operator: operator::find(token_file, &endpoints, &clock).await?,
            kubernetes: self.kubernetes(vantage).await?,
            endpoints,
            base,
            scope: self.caller.scope(),
            vantage,
            patience: match vantage {
                PodVantage::Inside => PATIENCE,
                PodVantage::Named | PodVantage::No => Duration::ZERO,
            },
            clock,
        })
    }

    /// Finds the controller's project if it was named. At a desk the variable of Google's own tools names it too, which the
    /// controller does not read.
    fn project(&self, vantage: PodVantage) -> Result<Option<ProjectId>> {
        let named = self.caller.gcp_project.clone();
        match (named, vantage, variable(DESK_PROJECT)) {
            (None, PodVantage::No, Some(id)) if !id.is_empty() => ProjectId::parse(&id)
                .map(Some)
                .map_err(|error| anyhow!("{DESK_PROJECT}: {error}; {}", error.hint())),
            (named, _, _) => Ok(named),
        }
    }

    fn endpoints(&self) -> Result<Endpoints> {
        let mut endpoints = Endpoints::default();
        for (service, url) in &self.endpoints {
            endpoints.set(service, url.as_str()).map_err(|error| {
                anyhow!("--gcp-endpoint {service}={url}: {error}; {}", error.hint())
            })?;
        }
        // As for the controller, a flag names the metadata server more closely than the environment does.
        let is_named = self.endpoints.iter().any(|(it, _)| it == "metadata");
        match self.metadata_host().filter(|_| !is_named) {
            None => Ok(endpoints),
            Some(host) => endpoints
                .with_metadata_host(host)
                .map_err(|error| anyhow!("{error}; {}", error.hint())),
        }
    }

    /// A variable that is empty is not set.
    fn metadata_host(&self) -> Option<&str> {
        self.metadata_host.as_deref().filter(|it| !it.is_empty())
    }

    async fn kubernetes(&self, vantage: PodVantage) -> Result<Option<Client>> {
        let config = match (&self.kubeconfig, vantage) {
            (None, PodVantage::Inside) => Config::incluster()
                .context("failed to find the pod's own cluster; name one with --kubeconfig FILE")?,
            (None, PodVantage::Named | PodVantage::No) => return Ok(None),
            (Some(path), _) => {
                let read = Kubeconfig::read_from(path)
                    .with_context(|| format!("failed to read {}", path.display()))?;
                Config::from_custom_kubeconfig(read, &KubeConfigOptions::default())
                    .await
                    .with_context(|| format!("failed to use {}", path.display()))?
            }
        };
        let client =
            Client::try_from(config).context("failed to make a client of the kubeconfig")?;
        Ok(Some(client))
    }
}

impl Access {
    /// Makes a source of tokens that remembers nothing: each look asks anew.
    pub(super) fn identities(&self) -> Identities {
        self.identities_of(Settings::new(self.endpoints.clone()))
    }

    /// The same for tokens of accounts that live only so long.
    pub(super) fn identities_for(&self, lifetime: Duration) -> Identities {
        self.identities_of(Settings {
            lifetime,
            ..Settings::new(self.endpoints.clone())
        })
    }

    fn identities_of(&self, mut settings: Settings) -> Identities {
        settings.base = self.base.clone();
        settings.project.clone_from(&self.gcp_project);
        settings.account = Some(self.controller.clone());
        let nobody: Observer = Arc::new(|_| {});
        Identities::new(settings, &self.clock, &nobody)
    }

    /// Says where the controller's own token comes from.
    pub(super) fn token_source(&self) -> TokenSource {
        match &self.base {
            Base::Metadata => TokenSource::MetadataServer,
            file @ (Base::ExternalAccount(_) | Base::Key(_)) => TokenSource::File {
                account: file.account().cloned(),
            },
        }
    }

    /// Says where connections for a registry go.
    pub(super) fn registry(&self, host: &str) -> Result<Url> {
        match self.registries.get(host) {
            Some(url) => Ok(url.clone()),
            None => Url::parse(&format!("https://{host}"))
                .with_context(|| format!("{host:?} is not a host")),
        }
    }

    /// Gives who reads policies, or says how to become somebody who does.
    pub(super) fn operator(&self) -> Result<&Apis> {
        self.operator.as_ref().context(
            "nobody is there to ask Google as: run gcloud auth application-default login, \
             or gcloud auth print-access-token > FILE and name it with --access-token-file FILE",
        )
    }
}

/// Reads a variable of the environment that is text.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok()
}

/// Says why the controller's credential file cannot be used, and what to do.
fn said(error: CallerError) -> anyhow::Error {
    let text = format!("{error}; {}", error.hint());
    match error {
        CallerError::Read { source, .. } => anyhow::Error::new(source).context(text),
        CallerError::Unusable { .. } => anyhow!(text),
    }
}

/// Kubernetes sets this in every container.
fn is_in_pod() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        place: Place,
    }

    #[test]
    fn tokens_go_to_no_other_machine_in_plain_text() {
        let line = |text: &str| Line::try_parse_from(["gcp", "--gcp-endpoint", text]);
        for text in ["all=http://127.0.0.1:8080", "STS=https://sts.example"] {
            let line = line(text).unwrap_or_else(|error| panic!("{error}"));
            assert!(line.place.endpoints().is_ok(), "{text}");
        }
        for text in ["all=http://sim.example:8080", "sts=http://10.0.0.1", "sts"] {
            let refused = line(text).err().expect(text).to_string();
            assert!(refused.contains("--gcp-endpoint "), "{refused}");
        }
        let unknown = line("compute=https://x.test").unwrap_or_else(|error| panic!("{error}"));
        let refused = unknown.place.endpoints().expect_err("no such service");
        assert!(
            refused.to_string().starts_with("--gcp-endpoint compute="),
            "{refused}"
        );
    }

    #[test]
    fn a_flag_names_the_metadata_server_more_closely_than_the_environment() {
        for (flags, metadata) in [
            (&["--metadata-host=127.0.0.1:1"][..], "http://127.0.0.1:1/"),
            (
                &[
                    "--metadata-host=127.0.0.1:1",
                    "--gcp-endpoint=metadata=http://127.0.0.1:2",
                ],
                "http://127.0.0.1:2/",
            ),
            (
                &[
                    "--metadata-host=127.0.0.1:1",
                    "--gcp-endpoint=all=http://127.0.0.1:2",
                ],
                "http://127.0.0.1:1/",
            ),
            (&["--metadata-host="], "http://metadata.google.internal/"),
        ] {
            let place = Line::parse_from(["gcp"].iter().chain(flags)).place;
            let endpoints = place.endpoints().expect("endpoints");
            assert_eq!(endpoints.metadata.as_str(), metadata, "{flags:?}");
        }
    }

    #[test]
    fn a_cluster_is_a_location_and_a_name() {
        let cluster = ClusterAddress::parse("europe-west1/main").expect("a cluster");
        assert_eq!(
            (&*cluster.location, &*cluster.name),
            ("europe-west1", "main")
        );
        for text in ["main", "/main", "europe-west1/"] {
            assert!(ClusterAddress::parse(text).is_err(), "{text}");
        }
    }
}
