//! Links that break around the Pod and in its cluster.

use std::time::Duration;

use super::broken::*;
use super::*;
use crate::facts::whole::cluster;
use crate::principal::KubernetesAccount;

pub(super) const CASES: &[Case] = &[
    (
        "ENV-CREDENTIALS",
        Status::Warn,
        "type service_account",
        |it| env(it, "GOOGLE_APPLICATION_CREDENTIALS", "service_account"),
    ),
    ("ENV-PROXY", Status::Warn, "Argosy asks no proxy", |it| {
        env(it, "http_proxy", "http://proxy:3128");
    }),
    ("MDS-REACH", Status::Fail, "network policy", |it| {
        it.pod.metadata.server = Reading::unreachable("GET", "timed out");
    }),
    ("MDS-REACH", Status::Fail, "waits some seconds", |it| {
        it.pod.metadata.server = Reading::unreachable("GET", "connection refused");
    }),
    ("MDS-REACH", Status::Fail, "too many ask it", |it| {
        it.pod.metadata.server = Reading::of_refusal("GET", 499, "");
    }),
    ("MDS-FLAVOR", Status::Fail, "the node's own", |it| {
        it.pod.metadata.server = known("Metadata Server for VM".to_owned());
        it.pod.metadata.attributes = known(vec!["kube-env".to_owned()]);
    }),
    ("MDS-PROJECT", Status::Unknown, "timed out", |it| {
        it.pod.metadata.project = Reading::unreachable("GET", "timed out");
    }),
    ("MDS-PROJECT", Status::Fail, "does not know the id", |it| {
        it.pod.metadata.project = Reading::of_refusal("GET project-id", 404, "Not Found\n");
    }),
    (
        "MDS-PROJECT",
        Status::Fail,
        "does not know the number",
        |it| it.pod.metadata.number = known(String::new()),
    ),
    ("MDS-EMAIL", Status::Fail, "identity of its node", |it| {
        it.pod.metadata.email = known("4711-compute@developer.gserviceaccount.com".to_owned());
    }),
    ("MDS-EMAIL", Status::Fail, "identity of its node", |it| {
        it.pod.metadata.email = known("nodes@acme-gke.iam.gserviceaccount.com".to_owned());
    }),
    ("MDS-EMAIL", Status::Fail, "knows no identity", |it| {
        it.pod.metadata.email = Reading::of_refusal("GET email", 404, "Not Found\n");
    }),
    ("MDS-EMAIL", Status::Fail, "tied to it", |it| {
        it.pod.metadata.email = known("x@acme-gke.iam.gserviceaccount.com".to_owned());
    }),
    (
        "MDS-EMAIL",
        Status::Fail,
        "the Pod is argosy/default",
        |it| {
            let other = controller()
                .to_string()
                .replace("/sa/controller", "/sa/default");
            it.pod.metadata.email = known(other);
        },
    ),
    ("MDS-EMAIL", Status::Fail, "grants name the pool", |it| {
        it.pod.metadata.email = known("acme-dev.svc.id.goog".to_owned());
    }),
    ("MDS-EMAIL", Status::Fail, "grants name the pool", |it| {
        let other = controller().to_string().replace("acme-gke", "acme-dev");
        it.pod.metadata.email = known(other);
    }),
    (
        "MDS-EMAIL",
        Status::Warn,
        "the cluster was not read",
        |it| {
            it.pod.metadata.email = known("acme-fleet.svc.id.goog".to_owned());
            it.cluster = Reading::default();
        },
    ),
    ("MDS-EMAIL", Status::Unknown, "no kind of identity", |it| {
        it.pod.metadata.email = known("root".to_owned());
    }),
    ("MDS-TOKEN", Status::Fail, "expired already", |it| {
        it.pod.metadata.token_seconds = known(0);
    }),
    (
        "MDS-TOKEN",
        Status::Fail,
        "tied to an account it may not act as",
        |it| {
            let text = "Unable to generate access token; IAM returned 403 Forbidden: Permission 'iam.serviceAccounts.getAccessToken' denied on resource";
            it.pod.metadata.token_seconds = Reading::of_refusal("GET token", 403, text);
        },
    ),
    ("MDS-TOKEN", Status::Fail, "HTTP 500", |it| {
        it.pod.metadata.token_seconds = Reading::of_refusal("GET token", 500, "x");
    }),
    ("MDS-TOKEN", Status::Fail, "knows no identity", |it| {
        it.pod.metadata.token_seconds = Reading::of_refusal("GET token", 404, "Not Found\n");
        gke(it, |it| it.workload_identity_config.workload_pool.clear());
    }),
    ("MDS-TOKEN", Status::Unknown, "HTTP 499", |it| {
        it.pod.metadata.token_seconds = Reading::of_refusal("GET token", 499, "");
    }),
    ("MDS-TOKEN", Status::Unknown, "timed out", |it| {
        it.pod.metadata.token_seconds = Reading::unreachable("GET token", "timed out");
    }),
    ("MDS-LATENCY", Status::Warn, "2000 ms", |it| {
        it.pod.metadata.latency = known(Duration::from_secs(2));
    }),
    (
        "MDS-LATENCY",
        Status::Warn,
        "longer than callers wait",
        |it| {
            it.pod.metadata.latency = known(Duration::from_secs(6));
        },
    ),
    ("CLOCK", Status::Fail, "90 s behind", |it| {
        it.pod.clock_offset = known(-90);
    }),
    ("CLOCK", Status::Warn, "45 s ahead", |it| {
        it.pod.clock_offset = known(45);
    }),
    ("EGRESS", Status::Fail, "no route", |it| {
        it.pod.hosts.insert(
            "europe-west1-docker.pkg.dev".to_owned(),
            Reading::unreachable("HEAD", "no route"),
        );
    }),
    ("K8S-KSA", Status::Fail, "runs as argosy/default", |it| {
        it.pod.account = known(KubernetesAccount::new("argosy", "default"));
    }),
    ("K8S-KSA", Status::Unknown, "no such file", |it| {
        it.pod.account = Reading::unreachable("the Pod's token", "no such file");
    }),
    ("K8S-KSA", Status::Skip, "from elsewhere", |it| {
        it.pod.account = Reading::default();
    }),
    ("K8S-ANNOTATION", Status::Fail, "tied to x@y", |it| {
        annotate(it);
    }),
    ("K8S-HOSTNET", Status::Fail, "node's network", |it| {
        pod(it).host_network = true;
    }),
    ("K8S-NODE", Status::Fail, "does not have the label", |it| {
        it.pod.node_labels = known([].into());
    }),
    (
        "K8S-NETPOL",
        Status::Fail,
        "deny-all keeps it from the metadata server and from the resolvers of names (UDP 53) and from Google's APIs",
        |it| fence(it, "[]"),
    ),
    ("K8S-NETPOL", Status::Unknown, "denied", |it| {
        it.pod.network = denied();
    }),
    ("CLUSTER-STATUS", Status::Warn, "before 1.21", |it| {
        gke(it, |it| {
            it.current_master_version = "1.20.9-gke.700".to_owned();
        });
    }),
    ("CLUSTER-STATUS", Status::Fail, "DEGRADED", |it| {
        gke(it, |it| it.status = "DEGRADED".to_owned());
    }),
    ("CLUSTER-STATUS", Status::Warn, "RECONCILING", |it| {
        gke(it, |it| it.status = "RECONCILING".to_owned());
    }),
    ("CLUSTER-WIF", Status::Fail, "no workload pool", |it| {
        gke(it, |it| it.workload_identity_config.workload_pool.clear());
    }),
    ("CLUSTER-WIF", Status::Unknown, "denied on resource", |it| {
        it.cluster = denied();
    }),
    ("NODEPOOL-MODE", Status::Fail, "main", |it| {
        gke(it, |it| {
            it.node_pools[0].config.workload_metadata_config.mode = "GCE_METADATA".to_owned();
        });
    }),
    ("POOL-PROJECT", Status::Warn, "host of the fleet", |it| {
        gke(it, |it| {
            it.workload_identity_config.workload_pool = "acme-fleet.svc.id.goog".to_owned();
        });
    }),
    ("NODE-SA", Status::Warn, "roles/editor", |it| {
        home_grant(
            it,
            "roles/editor",
            "serviceAccount:nodes@acme-gke.iam.gserviceaccount.com",
        );
    }),
    (
        "NODE-SA",
        Status::Fail,
        "4711-compute@developer.gserviceaccount.com, which has roles/editor",
        |it| {
            gke(it, |it| {
                it.node_pools[0].config.service_account = "default".to_owned();
            });
            home_grant(
                it,
                "roles/editor",
                "serviceAccount:4711-compute@developer.gserviceaccount.com",
            );
        },
    ),
    ("NODE-SA", Status::Unknown, "denied", |it| {
        it.home_policy = denied();
    }),
    ("SAMENESS", Status::Warn, "cluster two", |it| {
        it.clusters = known(vec![cluster("one"), cluster("two")]);
    }),
    ("SAMENESS", Status::Unknown, "europe-west1-b", |it| {
        it.missing_zones = vec!["europe-west1-b".to_owned()];
    }),
    ("SAMENESS", Status::Unknown, "denied", |it| {
        it.clusters = denied();
    }),
];
