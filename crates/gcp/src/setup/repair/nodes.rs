//! Repairs of nodes and of the metadata server on them, and of the cluster they are in.

use super::home;
use crate::facts::{Cluster, ClusterName, Facts, Home};
use crate::principal::{ServiceAccountEmail, WorkloadPool};
use crate::setup::shell::command;
use crate::setup::terraform::block::{Block, label, text};
use crate::setup::terraform::edit;
use crate::setup::{Action, Fix, Grantee, Resource, RoleGrant};

/// All that nodes need of their project: logs, metrics and traces.
///
/// Source: <https://cloud.google.com/kubernetes-engine/docs/how-to/hardening-your-cluster#use_least_privilege_sa>
const NODE_ROLE: &str = "roles/container.defaultNodeServiceAccount";
/// The account that nodes get which had the default one.
const NODE_ACCOUNT: &str = "gke-nodes";
const NODES_ARE_MADE_ANEW: &str =
    "nodes are made anew, and Pods that relied on the node's identity lose it at once";

/// Names the node of the controller's Pod.
pub(super) fn node_of(facts: &Facts) -> String {
    let pod = facts.pod.pod.known().ok();
    let node = pod.map(|it| it.node.clone()).filter(|it| !it.is_empty());
    node.unwrap_or_else(|| "NODE".to_owned())
}

/// Runs the metadata server of GKE on the node pools without it; none where all that were seen have it.
pub(crate) fn add_metadata_server(facts: &Facts) -> Option<Fix> {
    let pools: Vec<_> = match facts.cluster.known() {
        Ok(cluster) => {
            let without = cluster.pools_without_metadata_server();
            without.iter().map(|it| it.name.clone()).collect()
        }
        Err(_) => vec![label_of_node(
            facts,
            "cloud.google.com/gke-nodepool",
            "NODE_POOL",
        )],
    };
    let cluster = cluster_of(facts);
    let actions: Vec<_> = pools
        .into_iter()
        .map(|node_pool| Action::SetNodePoolMetadata {
            cluster: cluster.clone(),
            node_pool,
        })
        .collect();
    (!actions.is_empty()).then(|| Fix::by(actions).and_advice(NODES_ARE_MADE_ANEW))
}

/// Has the Pod run where the metadata server of GKE is: on other nodes, where all node pools should have it already.
pub(crate) fn serve_metadata(facts: &Facts) -> Fix {
    add_metadata_server(facts).unwrap_or_else(|| super::controller::move_elsewhere(facts))
}

/// Gives the cluster a workload pool; where it has one, the metadata server is started anew.
pub(crate) fn workload_pool(facts: &Facts) -> Fix {
    if facts
        .cluster
        .known()
        .is_ok_and(Cluster::has_workload_identity)
    {
        return restart_metadata_server(facts);
    }
    Fix::by(vec![Action::SetWorkloadPool {
        cluster: cluster_of(facts),
        pool: WorkloadPool::of(&home(facts)),
    }])
}

/// Has Kubernetes start the metadata server of the Pod's node once more.
pub(crate) fn restart_metadata_server(facts: &Facts) -> Fix {
    let node = format!("spec.nodeName={}", node_of(facts));
    let options = [
        ("namespace", "kube-system"),
        ("selector", "k8s-app=gke-metadata-server"),
        ("field-selector", &node),
    ];
    Fix::commands(&[command(&["kubectl", "delete", "pods"], &options)])
        .without_terraform("GKE runs the metadata server by itself; no resource is its Pod")
}

/// Has a node keep its clock.
pub(crate) fn set_clock(facts: &Facts) -> Fix {
    let zone = label_of_node(facts, "topology.kubernetes.io/zone", "ZONE");
    let project = home(facts);
    let options = [
        ("project", project.as_str()),
        ("zone", &zone),
        ("command", "sudo timedatectl set-ntp true"),
    ];
    Fix::commands(&[command(
        &["gcloud", "compute", "ssh", &node_of(facts)],
        &options,
    )])
    .without_terraform("a clock is no resource: each node sets its own by time.google.com")
}

/// Moves the control plane of a cluster to a version that is supported.
///
/// Without a version that is the one which Google makes clusters with.
pub(crate) fn upgrade(facts: &Facts, cluster: &Cluster) -> Fix {
    let project = home(facts);
    let options = [
        ("project", project.as_str()),
        ("location", &cluster.location),
        ("master", ""),
    ];
    let words = ["gcloud", "container", "clusters", "upgrade", &cluster.name];
    let pair = format!("min_master_version = {}", text("latest"));
    let title = format!("In the google_container_cluster of {}:", cluster.name);
    Fix::commands(&[command(&words, &options)])
        .and_terraform(crate::setup::terraform::commented(&title, &pair))
}

/// Shows why a cluster does not run.
pub(crate) fn look_at(facts: &Facts, cluster: &Cluster) -> Fix {
    let project = home(facts);
    let options = [
        ("project", project.as_str()),
        ("location", &cluster.location),
        ("format", "yaml(status, statusMessage, conditions)"),
    ];
    let words = ["gcloud", "container", "clusters", "describe", &cluster.name];
    Fix::commands(&[command(&words, &options)]).without_terraform(
        "the status is what GKE found: what mends it depends on the conditions that the command shows",
    )
}

/// Shows which pool the controller's cluster has.
pub(crate) fn show_pool(facts: &Facts) -> Fix {
    let ClusterName {
        project,
        location,
        cluster,
    } = cluster_of(facts);
    let options = [
        ("project", project.as_str()),
        ("location", &location),
        ("format", "value(workloadIdentityConfig.workloadPool)"),
    ];
    let words = ["gcloud", "container", "clusters", "describe", &cluster];
    Fix::commands(&[command(&words, &options)])
        .without_terraform("which cluster the Pod runs in is nothing to declare")
}

/// Shows what GKE is doing to a cluster.
pub(crate) fn wait_for(facts: &Facts, cluster: &Cluster) -> Fix {
    let project = home(facts);
    let filter = format!("status!=DONE AND targetLink~/{}", cluster.name);
    let options = [
        ("project", project.as_str()),
        ("location", &cluster.location),
        ("filter", &filter),
    ];
    let words = ["gcloud", "container", "operations", "list"];
    Fix::commands(&[command(&words, &options)])
        .without_terraform("GKE is at work on the cluster and ends by itself")
}

/// Makes a cluster in a project of its own, where names of its accounts are nobody else's.
pub(crate) fn project_of_its_own(cluster: &Cluster) -> Fix {
    let (project, pool) = ("OTHER_PROJECT", "OTHER_PROJECT.svc.id.goog");
    let words = ["gcloud", "container", "clusters", "create", &cluster.name];
    let options = [
        ("project", project),
        ("location", cluster.location.as_str()),
        ("workload-pool", pool),
    ];
    let block = Block::resource("google_container_cluster", &label(&[&cluster.name]))
        .with("project", &text(project))
        .with("location", &text(&cluster.location))
        .with("name", &text(&cluster.name))
        .with("initial_node_count", "1")
        .inside(Block::nested("workload_identity_config").with("workload_pool", &text(pool)));
    Fix::commands(&[command(&words, &options)]).and_terraform(block.to_string())
}

/// Takes a role from the account that nodes run as; those that run as the default one get an account of their own.
pub(crate) fn narrow(home: &Home, cluster: &Cluster, pool: &str, excess: &RoleGrant) -> Fix {
    let member = excess.member.to_string();
    let email = member.strip_prefix("serviceAccount:").unwrap_or(&member);
    let is_default = ServiceAccountEmail::parse(email).is_ok_and(|it| it.is_default_compute());
    let revoke = Action::Revoke(excess.clone());
    let on_project = Resource::Project(home.project.clone());
    if excess.resource != on_project {
        return Fix::by(vec![revoke]);
    }
    let Ok(own) = ServiceAccountEmail::in_project(NODE_ACCOUNT, &home.project) else {
        return Fix::by(vec![revoke]);
    };
    if !is_default {
        let grant = RoleGrant::new(on_project, NODE_ROLE, Grantee::Member(member.clone()));
        return Fix::by(vec![Action::Grant(grant), revoke]);
    }
    let cluster = ClusterName::new(&home.project, cluster);
    own_account(&own, &cluster, pool).then(Fix::by(vec![revoke])).and_advice(
        "the pool is made anew: its Pods move; take the role away last, as others may run as the default account too",
    )
}

fn own_account(own: &ServiceAccountEmail, cluster: &ClusterName, pool: &str) -> Fix {
    let project = cluster.project.as_str();
    let (fresh, role) = (format!("{pool}-own"), NODE_ROLE);
    let member = own.member();
    let place = [
        ("project", project),
        ("location", cluster.location.as_str()),
        ("cluster", cluster.cluster.as_str()),
    ];
    let mut options = place.to_vec();
    options.push(("service-account", own.as_str()));
    options.push(("workload-metadata", "GKE_METADATA"));
    let accounts = ["gcloud", "iam", "service-accounts", "create", NODE_ACCOUNT];
    let pools = ["gcloud", "container", "node-pools"];
    let commands = [
        command(&accounts, &[("project", project)]),
        command(
            &["gcloud", "projects", "add-iam-policy-binding", project],
            &[("role", role), ("member", &member), ("condition", "None")],
        ),
        command(&[&pools[..], &["create", &fresh]].concat(), &options),
        command(&[&pools[..], &["delete", pool]].concat(), &place),
    ];
    let reference = format!("google_service_account.{}", label(&[NODE_ACCOUNT]));
    let blocks = [
        Block::resource("google_service_account", &label(&[NODE_ACCOUNT]))
            .with("project", &text(project))
            .with("account_id", &text(NODE_ACCOUNT))
            .to_string(),
        Block::resource(
            "google_project_iam_member",
            &label(&[project, NODE_ACCOUNT]),
        )
        .with("project", &text(project))
        .with("role", &text(role))
        .with("member", &format!("{reference}.member"))
        .to_string(),
        edit(
            &format!("google_container_node_pool {pool} of {}", cluster.cluster),
            &Block::nested("node_config").with("service_account", &format!("{reference}.email")),
        ),
    ];
    Fix::commands(&commands).and_terraform(blocks.join("\n"))
}

/// Names the controller's cluster, as far as it is known.
fn cluster_of(facts: &Facts) -> ClusterName {
    let project = home(facts);
    match facts.cluster.known() {
        Ok(cluster) => ClusterName::new(&project, cluster),
        Err(_) => ClusterName {
            project,
            location: "LOCATION".to_owned(),
            cluster: "CLUSTER".to_owned(),
        },
    }
}

fn label_of_node(facts: &Facts, key: &str, otherwise: &str) -> String {
    let labels = facts.pod.node_labels.known().ok();
    let label = labels.and_then(|it| it.get(key));
    label.cloned().unwrap_or_else(|| otherwise.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Reading;
    use crate::facts::whole::{cluster, whole};

    #[test]
    fn what_is_not_known_of_a_cluster_stands_in_capitals() {
        let mut facts = whole();
        facts.cluster = Reading::default();
        let fix = serve_metadata(&facts);
        let command = fix.commands.replace("\\\n  ", "");
        assert_eq!(
            command,
            "gcloud container node-pools update NODE_POOL --project=acme-gke --location=LOCATION --cluster=CLUSTER \
             --workload-metadata=GKE_METADATA\n"
        );
        let pool = "cloud.google.com/gke-nodepool";
        let labels = [(pool.to_owned(), "main".to_owned())].into();
        facts.pod.node_labels = Reading::known_from("GET node", labels);
        let fix = serve_metadata(&facts);
        assert!(fix.commands.contains("update main "), "{}", fix.commands);
        facts.home = Reading::default();
        let fix = serve_metadata(&facts);
        assert!(fix.commands.contains("--project=your-project"), "{fix:?}");
    }

    #[test]
    fn where_every_pool_should_have_the_metadata_server_the_pod_moves() {
        assert_eq!(add_metadata_server(&whole()), None);
        let fix = serve_metadata(&whole());
        let moves = "kubectl cordon node-1\nkubectl rollout restart deployment/controller --namespace=argosy\n\
            kubectl rollout status deployment/controller --namespace=argosy\nkubectl uncordon node-1\n";
        assert_eq!(fix.commands, moves);
        let fix = workload_pool(&whole());
        let anew = "--field-selector='spec.nodeName=node-1'";
        assert!(fix.commands.contains(anew), "{}", fix.commands);
    }

    #[test]
    fn only_nodes_with_the_default_account_get_another() {
        let facts = whole();
        let home = facts.home.known().expect("a project").clone();
        let excess = |email: &str| {
            RoleGrant::new(
                Resource::Project(home.project.clone()),
                "roles/editor",
                Grantee::Member(format!("serviceAccount:{email}")),
            )
        };
        let default = excess("4711-compute@developer.gserviceaccount.com");
        let fix = narrow(&home, &cluster("one"), "main", &default);
        for part in [
            "service-accounts create gke-nodes",
            "node-pools create main-own",
            "remove-iam-policy-binding acme-gke",
        ] {
            assert!(fix.commands.contains(part), "{part}: {}", fix.commands);
        }
        let own = excess("nodes@acme-gke.iam.gserviceaccount.com");
        let fix = narrow(&home, &cluster("one"), "main", &own);
        assert!(!fix.commands.contains("create"), "{}", fix.commands);
        assert!(fix.commands.contains(NODE_ROLE), "{}", fix.commands);
    }
}
