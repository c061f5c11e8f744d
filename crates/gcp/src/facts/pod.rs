//! What the controller's Pod sees around it: the metadata server, itself, and the ways out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::{Reading, RepositoryName};
use crate::network::PodNetwork;
use crate::principal::KubernetesAccount;

/// What only the Pod can find out, with its own identity.
#[derive(Debug, Clone, Default)]
pub struct PodFacts {
    pub metadata: Metadata,
    /// Whom the Pod's own token speaks for.
    pub account: Reading<KubernetesAccount>,
    pub pod: Reading<Pod>,
    /// The annotations of the Pod's Kubernetes account.
    pub account_annotations: Reading<BTreeMap<String, String>>,
    /// What tells that account from an earlier one of the same name.
    pub account_uid: Reading<String>,
    pub node_labels: Reading<BTreeMap<String, String>>,
    /// What restricts its network.
    pub network: Reading<PodNetwork>,
    /// What `generateAccessToken` answers for an account that cannot exist: absent is the good answer.
    pub impersonation_probe: Reading<()>,
    /// Which of the permissions asked about the controller has on its whole Google Cloud project.
    pub project_permissions: Reading<Vec<String>>,
    /// Which of the permissions asked about the controller has on each repository, with no account in between.
    pub direct_permissions: BTreeMap<RepositoryName, Reading<Vec<String>>>,
    /// How far the local clock is ahead of Google's, in seconds.
    pub clock_offset: Reading<i64>,
    /// Hosts that have to be reached, each with the time of a handshake.
    pub hosts: BTreeMap<String, Reading<Duration>>,
    /// Environment that changes where credentials come from, without values that could be secret.
    pub environment: Reading<BTreeMap<String, String>>,
}

/// What the metadata server says.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    /// The `Server` header of its first answer.
    pub server: Reading<String>,
    /// How long it was waited for until it answered.
    pub waited: Duration,
    /// The names below `instance/attributes/`.
    pub attributes: Reading<Vec<String>>,
    /// The id of the project it speaks for.
    pub project: Reading<String>,
    /// The number of that project.
    pub number: Reading<String>,
    /// What it calls the identity it hands out.
    pub email: Reading<String>,
    /// How long its token still lives, in seconds.
    pub token_seconds: Reading<u64>,
    /// How long the slowest of five looks took, the first of which may be the first ever; one that was given up counts too.
    pub latency: Reading<Duration>,
}

/// The Pod that the controller runs in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pod {
    pub host_network: bool,
    pub node: String,
    /// The address of that node within its network.
    pub node_address: Option<IpAddr>,
}
