//! Every check, in the order of the chain. Written down for users in `docs/book/gcp-checks.md`.

use super::Vantage::{Anywhere, Operator, Pod};
use super::{Check, Run};
use super::{
    accounts, cluster, denials, egress, environment, fallback, kubernetes, metadata, near_misses,
    network, organisation, reading, registry, services,
};

/// Makes a row of each line: id, from where it is seen, what is well, the function, and the links it depends on.
macro_rules! catalogue {
    ($($id:literal $vantage:ident $title:literal => $kind:ident($run:expr) $(after $($link:literal)+)?;)+) => {
        &[$(Check {
            id: $id,
            vantage: $vantage,
            depends_on: &[$($($link),+)?],
            title: $title,
            run: Run::$kind($run),
        }),+]
    };
}

/// Every link; a dependant stands below what it depends on.
pub const CHECKS: &[Check] = catalogue! {
    // What is around the process.
    "ENV-CREDENTIALS" Pod "no environment variable leads other programs to other credentials" => Once(environment::credentials);
    "ENV-PROXY" Pod "no proxy stands before the metadata server" => Once(environment::proxy);
    // The metadata server.
    "MDS-REACH" Pod "the metadata server answers" => Once(metadata::reach);
    "MDS-FLAVOR" Pod "it is the one of GKE, not the node's" => Once(metadata::flavor) after "MDS-REACH";
    "MDS-PROJECT" Pod "it knows the project" => Once(metadata::project) after "MDS-REACH";
    "MDS-EMAIL" Pod "it hands out the identity of the Kubernetes account" => Once(metadata::email)
        after "MDS-REACH" "MDS-FLAVOR";
    "MDS-TOKEN" Pod "it hands out a token" => Once(metadata::token) after "MDS-REACH";
    "MDS-LATENCY" Pod "it answers quickly" => Once(metadata::latency) after "MDS-REACH";
    "CLOCK" Pod "the clock is right" => Once(metadata::clock);
    "EGRESS" Pod "the hosts of Google can be reached" => Each(egress::hosts);
    // The Pod.
    "K8S-KSA" Anywhere "the Pod runs as the account that grants name" => Once(kubernetes::account);
    "K8S-ANNOTATION" Anywhere "that account is tied to no service account" => Once(kubernetes::annotation);
    "K8S-HOSTNET" Anywhere "the Pod is not on the network of its node" => Once(kubernetes::host_network);
    "K8S-NODE" Anywhere "its node has the metadata server of GKE" => Once(kubernetes::node);
    "K8S-NETPOL" Anywhere "network policies let it out" => Once(network::policies);
    // The cluster.
    "CLUSTER-STATUS" Operator "the cluster runs" => Once(cluster::status);
    "CLUSTER-WIF" Operator "the cluster has a workload pool" => Once(cluster::workload_pool);
    "NODEPOOL-MODE" Operator "every node pool has GKE_METADATA" => Once(cluster::node_pools) after "CLUSTER-WIF";
    "POOL-PROJECT" Operator "the pool belongs to the cluster's project" => Once(cluster::pool_project)
        after "CLUSTER-WIF";
    "NODE-SA" Operator "nodes can do little" => Once(cluster::node_accounts);
    "SAMENESS" Operator "no other cluster has the same identities" => Rules(&["A15"]);
    // The services.
    "API-SERVICEUSAGE" Operator "Service Usage is on, by which one looks at the others" => Once(services::service_usage);
    "API-RESOURCEMANAGER" Operator "Resource Manager is on, by which one looks at projects" => Once(services::resource_manager);
    "API-CONTAINER" Operator "GKE is on" => Once(|facts| services::at_home(facts, "container.googleapis.com"));
    "API-IAM" Operator "IAM is on" => Once(|facts| services::at_home(facts, "iam.googleapis.com"));
    "API-IAMCREDENTIALS" Operator "IAM Credentials is on" => Once(|facts| services::at_home(facts, "iamcredentials.googleapis.com"));
    "API-STS" Operator "Security Token Service is on" => Once(|facts| services::at_home(facts, "sts.googleapis.com"));
    "API-ARTIFACTREGISTRY" Operator "Artifact Registry is on" => EachRepository(services::artifact_registry);
    "API-PROBE" Pod "the controller reaches IAM Credentials" => Once(services::probe)
        after "MDS-REACH" "MDS-FLAVOR" "MDS-EMAIL" "MDS-TOKEN" "API-IAMCREDENTIALS";
    "VPCSC" Pod "no service perimeter is in between" => Surely(organisation::perimeter) after "MDS-TOKEN";
    // The account of each Project.
    "GSA-NAME" Anywhere "the Project can have a service account" => EachProject(accounts::name);
    "GSA-PROJECT" Pod "accounts are looked for where the controller is" => Once(accounts::project) after "MDS-PROJECT";
    "GSA-EXISTS" Operator "it has one" => EachProject(accounts::exists) after "GSA-NAME" "GSA-PROJECT" "API-IAM";
    "GSA-ENABLED" Operator "the account is enabled" => EachProject(accounts::enabled) after "GSA-EXISTS";
    "GSA-BINDING" Operator "the controller may act as it" => EachProject(accounts::binding)
        after "CLUSTER-WIF" "GSA-EXISTS";
    "GSA-BINDING-NEARMISS" Operator "no grant misses the controller by a hair" => EachProject(near_misses::of_account)
        after "GSA-NAME" "GSA-PROJECT";
    "GSA-BINDING-BROAD" Operator "nobody else may act as such accounts" => Rules(&["A02", "A07"]);
    "GSA-MINT" Pod "the controller gets a token of it" => EachProject(accounts::mint)
        after "MDS-FLAVOR" "MDS-EMAIL" "MDS-TOKEN" "API-PROBE" "API-IAMCREDENTIALS" "GSA-NAME" "GSA-PROJECT" "GSA-EXISTS" "GSA-ENABLED" "GSA-BINDING";
    "GSA-MINT-OTHERS" Pod "the controller cannot act as every account" => Once(accounts::mint_others)
        after "MDS-FLAVOR" "MDS-EMAIL" "MDS-TOKEN";
    "GSA-KEYS" Operator "accounts have no keys" => Rules(&["A08"]);
    "GSA-ROLES" Operator "accounts have no other roles" => Rules(&["A03", "A04", "A05", "A06"]);
    "GSA-UNUSED" Operator "the account is in use" => EachProject(accounts::unused) after "GSA-NAME" "GSA-EXISTS";
    "GSA-ORPHAN" Operator "no account is left of a Project that is gone" => Once(accounts::orphans);
    "QUOTA-GSA" Operator "there is room for more accounts" => Once(accounts::quota);
    // The repositories.
    "AR-ADDRESS" Anywhere "addresses name an image in a repository" => Each(registry::addresses);
    "AR-REPO" Operator "the repository exists" => EachRepository(registry::exists) after "API-ARTIFACTREGISTRY";
    "AR-READER" Operator "the Project's account may read it" => EachUse(reading::reader)
        after "AR-REPO" "GSA-NAME" "GSA-EXISTS";
    "AR-PULL" Pod "tags can be listed" => EachUse(reading::pull) after "GSA-MINT" "AR-REPO" "AR-READER";
    "AR-TEST" Pod "the account may read and not write" => EachUse(reading::permissions) after "GSA-MINT" "AR-PULL";
    "AR-REST" Pod "images are found in one request" => EachUse(reading::listing) after "AR-PULL";
    "AR-ISOLATION" Pod "the account reads no other Project's repositories" => EachProject(reading::isolation)
        after "GSA-MINT";
    "AR-PUBLIC" Operator "no repository is public" => Rules(&["A10"]);
    "AR-IMMUTABLE" Operator "tags do not move" => EachRepository(registry::immutable) after "AR-REPO";
    "AR-GCRIO" Operator "former addresses lead somewhere" => EachUse(registry::former_host)
        after "API-ARTIFACTREGISTRY";
    "PUBSUB" Operator "pushes are announced" => EachRepository(registry::topic);
    // Falling back.
    "KSA-DIRECT" Pod "the controller itself reads nothing" => EachRepository(reading::read_by_controller)
        after "MDS-FLAVOR" "MDS-EMAIL" "MDS-TOKEN";
    "FALLBACK-MODE" Anywhere "no Project falls back in silence" => Once(fallback::mode);
    "STATIC-KEYS" Anywhere "no Secret holds a key" => Rules(&["A20"]);
    // The organisation.
    "DENY-POLICY" Operator "nothing denies what is granted" => Each(denials::rules);
    "ORGPOL-BLOCKERS" Operator "no organisation policy forbids the set-up" => Each(organisation::blockers);
    "ORGPOL-BASELINE" Operator "organisation policies keep it narrow" => Each(organisation::baseline);
    "ORGPOL-HARDENING" Operator "organisation policies keep nodes and buckets from being taken" => Once(organisation::hardening);
    "AUDITLOG" Operator "acting as an account leaves a line" => Rules(&["A23"]);
};
