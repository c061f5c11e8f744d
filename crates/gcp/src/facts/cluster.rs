//! Clusters and node pools, in the form of the GKE API.

use std::fmt;

use serde::Deserialize;

use crate::principal::{ProjectId, WorkloadPool};

/// A GKE cluster; every field is the API's own.
///
/// Source: <https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters#Cluster>
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cluster {
    pub name: String,
    pub location: String,
    pub status: String,
    pub current_master_version: String,
    pub autopilot: Autopilot,
    pub workload_identity_config: WorkloadIdentityConfig,
    pub node_pools: Vec<NodePool>,
    pub network_config: NetworkConfig,
    pub fleet: Fleet,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Autopilot {
    pub enabled: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadIdentityConfig {
    pub workload_pool: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkConfig {
    pub datapath_provider: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Fleet {
    pub project: String,
}

/// A group of nodes of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NodePool {
    pub name: String,
    pub status: String,
    pub config: NodeConfig,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeConfig {
    pub workload_metadata_config: WorkloadMetadataConfig,
    /// The account the nodes run as; `default` is the project's compute account.
    pub service_account: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct WorkloadMetadataConfig {
    pub mode: String,
}

impl Cluster {
    /// Finds the pool that the cluster's Kubernetes accounts are in.
    pub fn workload_pool(&self) -> Option<WorkloadPool> {
        WorkloadPool::parse(&self.workload_identity_config.workload_pool).ok()
    }

    /// Spells the cluster as sets of a workload identity pool name it.
    ///
    /// Source: <https://cloud.google.com/kubernetes-engine/docs/concepts/workload-identity#kubernetes-resources-iam-policies>
    pub fn url(&self, project: &ProjectId) -> String {
        let name = ClusterName::new(project, self);
        format!("https://container.googleapis.com/v1/{name}")
    }

    /// Says whether the cluster has Workload Identity Federation; Autopilot always does.
    pub fn has_workload_identity(&self) -> bool {
        self.autopilot.enabled || !self.workload_identity_config.workload_pool.is_empty()
    }

    /// Says whether network policies see the metadata server behind the redirect of Dataplane V2.
    pub fn has_dataplane_v2(&self) -> bool {
        self.autopilot.enabled || self.network_config.datapath_provider == "ADVANCED_DATAPATH"
    }

    /// Lists the node pools whose Pods get the node's identity; Autopilot has none.
    pub fn pools_without_metadata_server(&self) -> Vec<&NodePool> {
        if self.autopilot.enabled {
            return Vec::new();
        }
        let without = |it: &&NodePool| it.config.workload_metadata_config.mode != "GKE_METADATA";
        self.node_pools.iter().filter(without).collect()
    }
}

/// Where a cluster is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterName {
    pub project: ProjectId,
    pub location: String,
    pub cluster: String,
}

impl ClusterName {
    pub fn new(project: &ProjectId, cluster: &Cluster) -> Self {
        Self {
            project: project.clone(),
            location: cluster.location.clone(),
            cluster: cluster.name.clone(),
        }
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            project,
            location,
            cluster,
        } = self;
        write!(
            out,
            "projects/{project}/locations/{location}/clusters/{cluster}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(json: &str) -> Cluster {
        serde_json::from_str(json).expect("a cluster")
    }

    #[test]
    fn a_node_pool_without_a_mode_hands_out_the_nodes_identity() {
        let it = cluster(
            r#"{"name":"one","workloadIdentityConfig":{"workloadPool":"acme-gke.svc.id.goog"},"nodePools":[
                {"name":"old"},
                {"name":"raw","config":{"workloadMetadataConfig":{"mode":"GCE_METADATA"}}},
                {"name":"new","config":{"workloadMetadataConfig":{"mode":"GKE_METADATA"}}}]}"#,
        );
        let names: Vec<_> = it
            .pools_without_metadata_server()
            .iter()
            .map(|it| it.name.clone())
            .collect();
        assert_eq!(names, ["old", "raw"]);
        assert!(it.has_workload_identity());
        assert_eq!(
            it.workload_pool().expect("a pool").as_str(),
            "acme-gke.svc.id.goog"
        );
    }

    #[test]
    fn autopilot_has_it_all() {
        let it =
            cluster(r#"{"name":"one","autopilot":{"enabled":true},"nodePools":[{"name":"p"}]}"#);
        assert!(it.has_workload_identity() && it.has_dataplane_v2());
        assert!(it.pools_without_metadata_server().is_empty());
    }
}
