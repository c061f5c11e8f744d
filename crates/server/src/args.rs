//! Every setting: its default, its environment variable, its help.
#![expect(
    clippy::doc_markdown,
    reason = "doc comments here are help texts, read in a terminal"
)]

mod discovery;
mod google;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use artifacts::egress::{Network, NetworkError};
use clap::{Args, ValueEnum};
use gcp::principal::KubernetesAccount;

pub use self::discovery::{CacheByTag, Discovery};
pub use self::google::{Google, Mode};
use crate::child;

/// Runs a Kubernetes API and all of Argosy in this process: no cluster needed.
///
/// The API keeps its objects in a file and answers kubectl and every other Kubernetes client on a
/// loopback port. The kubeconfig that it writes bears a token; one token has full rights.
///
/// Examples:
///   argosy up                                   an empty API, kept in ~/.local/state/argosy
///   argosy up -f ./pipeline                     the same, with the manifests of a folder applied
///   kubectl --kubeconfig ~/.local/state/argosy/kubeconfig get stages --all-namespaces
#[derive(Debug, Clone, Args)]
#[command(verbatim_doc_comment)]
pub struct Up {
    /// Folder of the objects, the work directories and the kubeconfig [default: $XDG_STATE_HOME/argosy]
    #[arg(long, env = "ARGOSY_DATA_DIR", value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// Address of the Kubernetes API
    #[arg(
        long,
        env = "ARGOSY_LISTEN",
        value_name = "IP:PORT",
        default_value = "127.0.0.1:7443"
    )]
    pub listen: SocketAddr,
    /// Allows --listen to be an address that other machines can reach
    #[arg(long, env = "ARGOSY_ALLOW_REMOTE_CLIENTS")]
    pub allow_remote_clients: bool,
    /// Where to write the kubeconfig [default: kubeconfig in the data folder]
    #[arg(long, env = "ARGOSY_KUBECONFIG_OUT", value_name = "FILE")]
    pub kubeconfig_out: Option<PathBuf>,
    /// Manifests to apply once the API is up: files, or folders of .yaml, .yml and .json files (without their
    /// sub-folders); repeatable
    #[arg(
        short = 'f',
        long = "filename",
        env = "ARGOSY_FILENAME",
        value_name = "PATH",
        value_delimiter = ','
    )]
    pub filenames: Vec<PathBuf>,
    #[command(flatten)]
    pub work: Work,
    #[command(flatten)]
    pub logging: Logging,
}

/// Runs the loops against a Kubernetes API: a pod's own cluster, or that of a kubeconfig.
///
/// The API must know Argosy's kinds: argosy crds | kubectl apply --server-side -f -
///
/// Example:
///   argosy controller --kubeconfig ~/.kube/config
#[derive(Debug, Clone, Args)]
#[command(verbatim_doc_comment)]
pub struct Controller {
    /// The API to work against [default: the pod's own cluster, else $KUBECONFIG, else ~/.kube/config]
    #[arg(long, env = "ARGOSY_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Folder of the work directories [default: $XDG_STATE_HOME/argosy/controller]
    #[arg(long, env = "ARGOSY_DATA_DIR", value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// Address of /healthz, /readyz and /metrics
    #[arg(
        long,
        env = "ARGOSY_HEALTH_LISTEN",
        value_name = "IP:PORT",
        default_value = "127.0.0.1:7480"
    )]
    pub health_listen: SocketAddr,
    /// Works only on objects with the label kargo.akuity.io/shard of this value
    #[arg(long, env = "ARGOSY_SHARD", value_name = "NAME")]
    pub shard: Option<String>,
    /// Kubernetes account that this runs as, which Projects let read their Secrets [default: the pod's own, else
    /// argosy/kargo-controller]
    #[arg(long, env = "ARGOSY_CONTROLLER_ACCOUNT", value_name = "NAMESPACE/NAME", value_parser = KubernetesAccount::parse)]
    pub controller: Option<KubernetesAccount>,
    #[command(flatten)]
    pub work: Work,
    #[command(flatten)]
    pub logging: Logging,
}

/// Simulates Google Cloud on loopback: metadata servers, STS, IAM, Artifact Registry and the APIs around them.
///
/// FILE describes projects, clusters, accounts, bindings and images; start with
/// examples/gcp/world.yaml, and see every field in examples/gcp/every-field.yaml. The addresses are
/// printed as lines that a shell can source. Nothing of Google's is reached, and no token is worth
/// anything there.
///
/// Example:
///   argosy gcp sim --world examples/gcp/world.yaml
///   argosy gcp sim --world examples/gcp/world.yaml --token user:ops@acme.example=token.txt
#[derive(Debug, Clone, Args)]
#[command(verbatim_doc_comment)]
pub struct GcpSim {
    /// The world to simulate
    #[arg(long, env = "ARGOSY_WORLD", value_name = "FILE")]
    pub world: PathBuf,
    /// Port of Google's REST APIs; 0 takes any free one
    #[arg(
        long,
        env = "ARGOSY_APIS_PORT",
        value_name = "PORT",
        default_value_t = 0
    )]
    pub apis_port: u16,
    /// Port of Artifact Registry's Docker API; 0 takes any free one
    #[arg(
        long,
        env = "ARGOSY_REGISTRY_PORT",
        value_name = "PORT",
        default_value_t = 0
    )]
    pub registry_port: u16,
    /// Port for faults, changes of the world and tokens of people; 0 takes any free one
    #[arg(
        long,
        env = "ARGOSY_ADMIN_PORT",
        value_name = "PORT",
        default_value_t = 0
    )]
    pub admin_port: u16,
    /// Writes an access token of somebody, good for an hour, to a file for --access-token-file; repeatable
    #[arg(
        long = "token",
        env = "ARGOSY_TOKEN_OF",
        value_name = "MEMBER=FILE",
        value_delimiter = ',',
        value_parser = member_and_file
    )]
    pub tokens: Vec<(String, PathBuf)>,
    /// Decides which requests random faults hit
    #[arg(long, env = "ARGOSY_SEED", value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    #[command(flatten)]
    pub logging: Logging,
}

/// Reads `user:ann@acme.example=FILE`.
fn member_and_file(text: &str) -> Result<(String, PathBuf), String> {
    text.split_once('=')
        .filter(|(member, file)| !member.is_empty() && !file.is_empty())
        .map(|(member, file)| (member.to_owned(), PathBuf::from(file)))
        .ok_or_else(|| {
            format!("{text:?} is not MEMBER=FILE, such as user:ann@acme.example=token.txt")
        })
}

/// Fences itself in, then becomes a program. For argosy itself.
#[derive(Debug, Clone, Args)]
pub struct Child {
    /// The one folder that the program may write to
    #[arg(long, value_name = "FOLDER")]
    work_dir: PathBuf,
    /// What it may read besides the system; repeatable
    #[arg(long, value_name = "PATH")]
    read_only: Vec<PathBuf>,
    /// A tree in which the program follows symlinks
    #[arg(long, value_name = "FOLDER")]
    follows_links_in: Option<PathBuf>,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    command: Vec<OsString>,
}

impl From<Child> for child::Arguments {
    fn from(child: Child) -> Self {
        let Child {
            work_dir,
            read_only,
            follows_links_in,
            command,
        } = child;
        let search_path = std::env::var_os("PATH").unwrap_or_default();
        Self {
            work_dir,
            read_only,
            follows_links_in,
            command,
            search_path,
        }
    }
}

/// How the loops work.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Work")]
pub struct Work {
    /// Objects of a kind that are worked on at the same time
    #[arg(long, env = "ARGOSY_CONCURRENCY", value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,
    /// Namespace whose credentials every project may use; repeatable
    #[arg(
        long = "shared-namespace",
        env = "ARGOSY_SHARED_NAMESPACE",
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "kargo-shared-resources"
    )]
    pub shared_namespaces: Vec<String>,
    /// Host that registries may send to for a token with the login of a Secret, though its domain is another, such as
    /// login.example.com; never with an access token of Google's; repeatable
    #[arg(
        long = "trusted-realm",
        env = "ARGOSY_TRUSTED_REALM",
        value_name = "HOST",
        value_delimiter = ','
    )]
    pub trusted_realms: Vec<artifacts::registry::TrustedRealm>,
    /// Network that no repository URL may lead to, such as 10.0.0.0/8; repeatable
    #[arg(
        long = "deny-network",
        env = "ARGOSY_DENY_NETWORK",
        value_name = "CIDR",
        value_delimiter = ',',
        value_parser = network
    )]
    pub deny_networks: Vec<Network>,
    /// Sends credentials over http:// to any host of Git or charts, not only to this machine; not to registries
    #[arg(long, env = "ARGOSY_ALLOW_CREDENTIALS_OVER_HTTP")]
    pub allow_credentials_over_http: bool,
    /// The kustomize program
    #[arg(
        long,
        env = "ARGOSY_KUSTOMIZE",
        value_name = "PATH",
        default_value = "kustomize"
    )]
    pub kustomize: PathBuf,
    /// The helm program, which kustomize may call to inflate charts
    #[arg(long, env = "ARGOSY_HELM", value_name = "PATH", default_value = "helm")]
    pub helm: PathBuf,
    /// Lets kustomize fetch bases and resources by URL
    #[arg(long, env = "ARGOSY_KUSTOMIZE_REMOTE_BASES")]
    pub kustomize_remote_bases: bool,
    /// Name of the author of commits, unless git-clone says otherwise
    #[arg(
        long,
        env = "ARGOSY_GIT_AUTHOR_NAME",
        value_name = "NAME",
        default_value = "Argosy"
    )]
    pub git_author_name: String,
    /// Address of the author of commits, unless git-clone says otherwise
    #[arg(
        long,
        env = "ARGOSY_GIT_AUTHOR_EMAIL",
        value_name = "EMAIL",
        default_value = "no-reply@argosy.dev"
    )]
    pub git_author_email: String,
    /// How git-push takes in what others pushed meanwhile
    #[arg(long, env = "ARGOSY_PUSH_INTEGRATION", value_enum, default_value_t = PushIntegration::AlwaysRebase)]
    pub push_integration: PushIntegration,
    /// SSH host keys that are accepted; without it any host key is
    #[arg(long, env = "ARGOSY_KNOWN_HOSTS", value_name = "FILE")]
    pub known_hosts: Option<PathBuf>,
    /// Certificates (PEM) that git trusts, rather than the system's
    #[arg(long, env = "ARGOSY_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Disk that the mirrors of Git repositories may take together, such as 500Mi or 4Gi; the longest unused goes first
    #[arg(long, env = "ARGOSY_MIRROR_DISK", value_name = "SIZE", default_value = "4Gi", value_parser = size)]
    pub mirror_disk: u64,
    /// Shortest time between two looks of a Warehouse at its repositories, such as 30s or 5m
    #[arg(long, env = "ARGOSY_MIN_WAREHOUSE_INTERVAL", value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub min_warehouse_interval: Duration,
    /// Base of links into the user interface, given to expressions as ctx.uiBaseUrl
    #[arg(
        long,
        env = "ARGOSY_UI_BASE_URL",
        value_name = "URL",
        default_value = ""
    )]
    pub ui_base_url: String,
    /// Time that running work has to stop after SIGTERM, such as 20s
    #[arg(long, env = "ARGOSY_SHUTDOWN_GRACE", value_name = "DURATION", default_value = "20s", value_parser = duration)]
    pub shutdown_grace: Duration,
    #[command(flatten)]
    pub discovery: Discovery,
    #[command(flatten)]
    pub google: Google,
}

/// How git-push takes in what others pushed meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PushIntegration {
    /// Replays our commits on theirs
    AlwaysRebase,
    /// Replays ours where that keeps signatures honest, else merges theirs
    RebaseOrMerge,
    /// Replays ours where that keeps signatures honest, else gives up
    RebaseOrFail,
    /// Merges theirs into ours
    AlwaysMerge,
    /// Never
    None,
}

/// How the log reads.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Log")]
pub struct Logging {
    /// Form of the log lines
    #[arg(long, env = "ARGOSY_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// What to log: error, warn, info, debug, trace, or by part such as info,controllers=debug
    #[arg(
        long,
        env = "ARGOSY_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info"
    )]
    pub log_level: String,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

fn duration(text: &str) -> Result<Duration, String> {
    resources::duration::parse(text)
        .map(resources::Duration::to_std)
        .map_err(|error| format!("{error}; write a number with a unit, such as 30s or 5m"))
}

/// Reads a number of bytes as Kubernetes writes it: `500Mi`, `4Gi`.
fn size(text: &str) -> Result<u64, String> {
    let example = "write a number with a unit, such as 500Mi or 4Gi";
    let digits = text.trim_end_matches(|it: char| !it.is_ascii_digit());
    let shift = match &text[digits.len()..] {
        "Ki" => 10,
        "Mi" => 20,
        "Gi" => 30,
        "Ti" => 40,
        _ => return Err(format!("no size in bytes; {example}")),
    };
    let number: u64 = digits
        .parse()
        .map_err(|error| format!("{error}; {example}"))?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| format!("too large; {example}"))
}

fn network(text: &str) -> Result<Network, String> {
    text.parse().map_err(|error: NetworkError| {
        let example = error.example();
        format!("{error}; write an address and a prefix: --deny-network {example}")
    })
}

#[cfg(test)]
mod tests;
