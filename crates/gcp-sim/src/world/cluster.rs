//! GKE clusters, their node pools, and the pods whose metadata server is asked.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A cluster. Its workload identity pool is always its project's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Cluster {
    pub name: String,
    /// A region or a zone.
    pub location: String,
    pub uid: String,
    /// Whether Workload Identity Federation is on.
    pub workload_identity: bool,
    pub autopilot: bool,
    pub node_pools: Vec<NodePool>,
    /// What its tokens say as `iss`; the address that Container gives it where the file leaves it out.
    pub issuer: String,
    /// Its public keys, as a JWK set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// Where its public keys are fetched from, on loopback, instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<String>,
    /// More fields of the Container API's answer: `networkConfig`, `masterAuthorizedNetworksConfig`.
    pub settings: Map<String, Value>,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            name: String::new(),
            location: String::new(),
            uid: String::new(),
            workload_identity: true,
            autopilot: false,
            node_pools: Vec::new(),
            issuer: String::new(),
            jwks: None,
            jwks_url: None,
            settings: Map::new(),
        }
    }
}

impl Cluster {
    /// How Container spells the cluster's address, which is also its issuer.
    pub fn url(&self, project: &str) -> String {
        format!(
            "https://container.googleapis.com/v1/projects/{project}/locations/{}/clusters/{}",
            self.location, self.name
        )
    }
}

/// A node pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NodePool {
    pub name: String,
    /// `GKE_METADATA`, or `GCE_METADATA` where pods get the node's own identity.
    pub workload_metadata: String,
    pub service_account: String,
    pub oauth_scopes: Vec<String>,
}

impl Default for NodePool {
    fn default() -> Self {
        Self {
            name: "default-pool".to_owned(),
            workload_metadata: "GKE_METADATA".to_owned(),
            service_account: "default".to_owned(),
            oauth_scopes: vec!["https://www.googleapis.com/auth/cloud-platform".to_owned()],
        }
    }
}

/// A pod that asks a metadata server. Each has a listener of its own; one address may also serve several, by source IP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Pod {
    pub name: String,
    /// `acme-prod/europe-west1/main`: project, location and name of the cluster.
    pub cluster: String,
    pub namespace: String,
    pub service_account: String,
    /// The uid of the service account in Kubernetes.
    pub service_account_uid: String,
    /// The value of the annotation `iam.gke.io/gcp-service-account`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gcp_service_account: Option<String>,
    /// The value of the annotation `iam.gke.io/return-principal-id-as-email`.
    pub return_principal_id_as_email: bool,
    /// On the host's network the node's metadata server answers, with the node's account.
    pub host_network: bool,
    /// By which source address the first metadata listener knows the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// A port to listen on; any free one where the file leaves it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}
