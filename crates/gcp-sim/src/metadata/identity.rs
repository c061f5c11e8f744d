//! Who a metadata server says the pod is: a workload of its pool, the account it is annotated with, or the node.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::google::CLOUD_PLATFORM;
use crate::principal::{Federated, Principal};
use crate::world::{Pod, World};

/// A pod, as its metadata server knows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Identity {
    pub(super) base: Base,
    project: String,
    project_number: u64,
    pool: String,
    cluster_name: String,
    cluster_location: String,
    cluster_uid: String,
    return_principal: bool,
    /// Where clients find Google's hosts, if not in its own universe.
    universe: Option<String>,
}

/// Whose token the pod gets.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Base {
    /// The workload itself.
    Workload(Federated),
    /// The account of the annotation, which the workload must be allowed to impersonate.
    Annotated {
        workload: Federated,
        account: String,
    },
    /// The node's account: no Workload Identity Federation, or the host's network.
    Node { account: String },
}

/// What the token of a pod may be used for, before IAM has its say.
pub(super) const SCOPES: [&str; 2] = [
    CLOUD_PLATFORM,
    "https://www.googleapis.com/auth/userinfo.email",
];

/// What a node's own server tells besides, and GKE's hides from pods.
///
/// Source: <https://cloud.google.com/kubernetes-engine/docs/concepts/workload-identity>
const KUBE_ENV: &str = "ZONE: simulated";

impl Identity {
    /// Finds out who a pod is; nobody if its cluster has gone from the world.
    pub(super) fn of(world: &World, pod: &Pod, forced_onto_node: bool) -> Option<Self> {
        let mut parts = pod.cluster.split('/');
        let (project, cluster) = world.cluster(parts.next()?, parts.next()?, parts.next()?)?;
        let node_pool = cluster.node_pools.first();
        let node_answers = forced_onto_node
            || pod.host_network
            || !(cluster.autopilot || cluster.workload_identity)
            || node_pool.is_some_and(|it| it.workload_metadata != "GKE_METADATA");
        let pool = project.cluster_pool();
        let attributes = BTreeMap::from([
            ("kubernetes.cluster".to_owned(), cluster.url(&project.id)),
            (
                "kubernetes.serviceaccount.uid".to_owned(),
                pod.service_account_uid.clone(),
            ),
        ]);
        let workload = Federated::of_cluster(
            project.number,
            &pool,
            &pod.namespace,
            &pod.service_account,
            attributes,
        );
        let base = match (node_answers, &pod.gcp_service_account) {
            (true, _) => Base::Node {
                account: match node_pool.map(|it| it.service_account.as_str()) {
                    None | Some("default") => {
                        format!("{}-compute@developer.gserviceaccount.com", project.number)
                    }
                    Some(own) => own.to_owned(),
                },
            },
            (false, Some(account)) => Base::Annotated {
                workload,
                account: account.clone(),
            },
            (false, None) => Base::Workload(workload),
        };
        Some(Self {
            base,
            project: project.id.clone(),
            project_number: project.number,
            pool,
            cluster_name: cluster.name.clone(),
            cluster_location: cluster.location.clone(),
            cluster_uid: cluster.uid.clone(),
            return_principal: pod.return_principal_id_as_email,
            universe: Some(world.universe_domain.clone()).filter(|it| !it.is_empty()),
        })
    }

    /// Whom faults know the pod as: its workload, whatever it is annotated with, or the account of its node.
    pub(super) fn principal(&self) -> Principal {
        match &self.base {
            Base::Workload(workload) | Base::Annotated { workload, .. } => {
                Principal::Federated(workload.clone())
            }
            Base::Node { account } => Principal::service_account(account),
        }
    }

    /// The project of the pod's cluster.
    pub(super) fn project(&self) -> String {
        format!("projects/{}", self.project)
    }

    pub(super) fn is_of_node(&self) -> bool {
        matches!(self.base, Base::Node { .. })
    }

    /// What `email` says: the pool for a workload, the account otherwise, whether or not it can be had.
    pub(super) fn email(&self) -> String {
        match &self.base {
            Base::Annotated { workload, .. } if self.return_principal => {
                Principal::Federated(workload.clone()).to_string()
            }
            Base::Workload(_) => self.pool.clone(),
            Base::Annotated { account, .. } | Base::Node { account } => account.clone(),
        }
    }

    /// Everything that can be asked for, by its path.
    pub(super) fn tree(&self) -> Value {
        let zone = if self.cluster_location.matches('-').count() == 2 {
            self.cluster_location.clone()
        } else {
            format!("{}-b", self.cluster_location)
        };
        let account = json!({
            "aliases": ["default"], "email": self.email(), "identity": null, "scopes": SCOPES, "token": null,
        });
        let host = format!(
            "gke-{}-default-pool-0.{zone}.c.{}.internal",
            self.cluster_name, self.project
        );
        let mut attributes = json!({
            "cluster-location": self.cluster_location,
            "cluster-name": self.cluster_name,
            "cluster-uid": self.cluster_uid,
        });
        if matches!(self.base, Base::Node { .. }) {
            attributes["kube-env"] = json!(KUBE_ENV);
        }
        let mut tree = json!({
            "instance": {
                "attributes": attributes,
                "hostname": host,
                "id": 4_520_031_799_277_581_759_u64,
                "service-accounts": { "default": account, self.email(): account },
                "zone": format!("projects/{}/zones/{zone}", self.project_number),
            },
            "project": { "numeric-project-id": self.project_number, "project-id": self.project },
        });
        if let Some(universe) = &self.universe {
            // Libraries differ in how they spell it.
            tree["universe"] = json!({ "universe-domain": universe, "universe_domain": universe });
        }
        tree
    }
}
