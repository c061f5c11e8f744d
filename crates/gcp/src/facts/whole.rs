//! A world for tests in which every link is whole and nothing more is granted than is needed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::network::PodNetwork;
use crate::policy::{DOWNLOAD, READER, TIGHT_MINTER};
use crate::setup::{BASELINE, HARDENING, Wish};

pub(crate) const PROJECTS: &[(&str, &str)] = &[
    ("shop", "europe-west1-docker.pkg.dev/acme-art/shop/shop"),
    ("web", "europe-west1-docker.pkg.dev/acme-art/apps/web"),
];

/// What is above the project of the repositories.
const ABOVE: [&str; 2] = ["folders/12", "organizations/7"];

/// Two Projects, one repository each, in another Google Cloud project than the cluster.
pub(crate) fn whole() -> Facts {
    let mut facts = Facts {
        now: "2026-11-20T08:00:00Z".parse().expect("a time"),
        home: Reading::known_from(
            "GET http://metadata.google.internal/computeMetadata/v1/project/",
            Home {
                project: project("acme-gke"),
                number: ProjectNumber(4711),
            },
        ),
        cluster: cluster_reading(cluster("one")),
        clusters: Reading::known_from("GET clusters", vec![cluster("one")]),
        home_policy: Reading::known_from("POST acme-gke:getIamPolicy", home_policy()),
        live_projects: Reading::known_from(
            "GET projects",
            vec!["shop".to_owned(), "web".to_owned()],
        ),
        inventory: Reading::known_from(
            "GET organizations/7:searchAllIamPolicies",
            Inventory {
                scope: "organizations/7".to_owned(),
                beyond: None,
            },
        ),
        pool_grants: Reading::known_from("GET organizations/7:searchAllIamPolicies", Vec::new()),
        shared_key_secrets: [(
            "kargo-shared-resources".to_owned(),
            Reading::known_from("GET secrets of kargo-shared-resources", Vec::new()),
        )]
        .into(),
        deny_rules: [(
            "projects/acme-gke".to_owned(),
            Reading::known_from("GET denypolicies", Vec::new()),
        )]
        .into(),
        above: [(project("acme-art"), ABOVE.map(str::to_owned).into())].into(),
        registry_ancestor_policies: ABOVE
            .map(|it| {
                let policy = Reading::known_from("POST getIamPolicy", Policy::default());
                (it.to_owned(), policy)
            })
            .into(),
        ..Facts::default()
    };
    for (name, address) in PROJECTS {
        facts
            .intent
            .projects
            .insert((*name).to_owned(), vec![(*address).to_owned()]);
    }
    for service in facts.services_to_look_at() {
        facts
            .services
            .insert(service, Reading::known_from("GET services:batchGet", true));
    }
    facts.pod = pod(&facts);
    facts.organisation = organisation();
    fill_accounts(&mut facts);
    facts
}

pub(crate) fn project(id: &str) -> ProjectId {
    id.parse().expect("a project id")
}

pub(crate) fn account(name: &str) -> ServiceAccountEmail {
    ServiceAccountEmail::of_kargo_project(name, &project("acme-gke")).expect("an account")
}

pub(crate) fn repository(name: &str) -> RepositoryName {
    RepositoryName {
        project: project("acme-art"),
        location: "europe-west1".to_owned(),
        repository: name.to_owned(),
    }
}

pub(crate) fn controller() -> Principal {
    whole().principal().expect("a principal")
}

/// A policy with one grant.
pub(crate) fn granting(role: &str, member: &str) -> Policy {
    let mut policy = Policy::default();
    policy.add(role, member);
    policy
}

/// A refusal as Google's APIs word it.
pub(crate) fn refused<T>(reason: &str, message: &str) -> Reading<T> {
    let body = json!({"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED", "details": [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "metadata": {"uid": "uid-1"}}]}});
    Reading::of_refusal("POST https://example.test/", 403, &body.to_string())
}

pub(crate) fn cluster_reading(cluster: Cluster) -> Reading<Cluster> {
    Reading::known_from("GET clusters/one", cluster)
}

pub(crate) fn cluster(name: &str) -> Cluster {
    let cluster = json!({
        "name": name, "location": "europe-west1", "status": "RUNNING", "currentMasterVersion": "1.33.2",
        "workloadIdentityConfig": {"workloadPool": "acme-gke.svc.id.goog"},
        "nodePools": [{"name": "main", "status": "RUNNING", "config": {
            "workloadMetadataConfig": {"mode": "GKE_METADATA"},
            "serviceAccount": "nodes@acme-gke.iam.gserviceaccount.com"}}]
    });
    serde_json::from_value(cluster).expect("a cluster")
}

fn home_policy() -> Policy {
    let mut policy = granting(
        "roles/container.defaultNodeServiceAccount",
        "serviceAccount:nodes@acme-gke.iam.gserviceaccount.com",
    );
    policy.log_reads_of("iam.googleapis.com");
    policy.log_reads_of("sts.googleapis.com");
    policy
}

fn pod(facts: &Facts) -> PodFacts {
    let text = |it: &str| Reading::known_from("GET metadata", it.to_owned());
    PodFacts {
        metadata: Metadata {
            server: text("GKE Metadata Server"),
            waited: Duration::ZERO,
            attributes: Reading::known_from("GET attributes", vec!["cluster-uid".to_owned()]),
            project: text("acme-gke"),
            number: text("4711"),
            email: text("acme-gke.svc.id.goog"),
            token_seconds: Reading::known_from("GET token", 3000),
            latency: Reading::known_from("GET email", Duration::from_millis(3)),
        },
        account: Reading::known_from("the Pod's token", facts.intent.controller.clone()),
        pod: Reading::known_from(
            "GET pod",
            Pod {
                host_network: false,
                node: "node-1".to_owned(),
                node_address: Some([10, 132, 0, 7].into()),
            },
        ),
        account_annotations: Reading::known_from("GET serviceaccount", BTreeMap::new()),
        account_uid: Reading::known_from("GET serviceaccount", "u-1".to_owned()),
        node_labels: Reading::known_from(
            "GET node",
            [(
                "iam.gke.io/gke-metadata-server-enabled".to_owned(),
                "true".to_owned(),
            )]
            .into(),
        ),
        network: Reading::known_from("GET networkpolicies", network(&[])),
        impersonation_probe: Reading::absent("POST generateAccessToken"),
        project_permissions: Reading::known_from("POST testIamPermissions", Vec::new()),
        direct_permissions: ["apps", "shop"]
            .map(|it| {
                (
                    repository(it),
                    Reading::known_from("POST testIamPermissions", Vec::new()),
                )
            })
            .into(),
        clock_offset: Reading::known_from("HEAD", 1),
        hosts: [(
            "europe-west1-docker.pkg.dev".to_owned(),
            Reading::known_from("HEAD", Duration::from_millis(20)),
        )]
        .into(),
        environment: Reading::known_from("the Pod's environment", BTreeMap::new()),
    }
}

/// The network of a Pod of the controller's under these policies, each a spec as Kubernetes writes it.
pub(crate) fn network(specs: &[serde_json::Value]) -> PodNetwork {
    let labels = [("app", "argosy"), ("pod-template-hash", "5d59d67564")];
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let policies = specs.iter().map(|spec| {
        let policy = json!({"metadata": {"name": "deny-all"}, "spec": spec});
        serde_json::from_value(policy).expect("a policy")
    });
    PodNetwork {
        labels: Some(labels.into()),
        policies: policies.collect(),
    }
}

fn organisation() -> BTreeMap<String, Reading<OrganisationPolicy>> {
    let mut policies: BTreeMap<_, _> = BASELINE
        .iter()
        .chain(HARDENING)
        .map(|it| {
            let mut policy = OrganisationPolicy::enforced();
            if it.wish == Wish::DenyAll {
                policy.spec.rules[0].deny_all = true;
            }
            (
                it.constraint.to_owned(),
                Reading::known_from("GET effectivePolicy", policy),
            )
        })
        .collect();
    for unset in [
        "iam.disableServiceAccountCreation",
        "iam.managed.disableServiceAccountCreation",
        "iam.disableWorkloadIdentityClusterCreation",
        "gcp.restrictServiceUsage",
        "iam.allowServiceAccountCredentialLifetimeExtension",
        "iam.serviceAccountKeyExpiryHours",
        "iam.serviceAccountKeyExposureResponse",
        "iam.allowedPolicyMemberDomains",
        "iam.managed.allowedPolicyMembers",
        "gcp.resourceLocations",
    ] {
        let policy = OrganisationPolicy::default();
        policies.insert(
            unset.to_owned(),
            Reading::known_from("GET effectivePolicy", policy),
        );
    }
    policies
}

fn fill_accounts(facts: &mut Facts) {
    let mut accounts = Vec::new();
    for (name, address) in PROJECTS {
        let email = account(name);
        let image = ImageAddress::parse(address).expect("an address");
        let used = image.repository.clone();
        let account = ServiceAccount {
            email: email.to_string(),
            unique_id: "100000000000000000001".to_owned(),
            disabled: false,
        };
        accounts.push(account.clone());
        let seen = ProjectFacts {
            account: Reading::known_from("GET account", account),
            misplaced: None,
            policy: Reading::known_from(
                "POST account:getIamPolicy",
                granting(
                    TIGHT_MINTER,
                    &facts.principal().expect("a principal").to_string(),
                ),
            ),
            mint: Reading::known_from("POST generateAccessToken", Mint { seconds: 300 }),
            keys: Reading::known_from("GET keys", Vec::new()),
            grants: Reading::known_from(
                "GET searchAllIamPolicies",
                vec![FoundGrant {
                    resource: format!("//artifactregistry.googleapis.com/{used}"),
                    role: READER.to_owned(),
                    seen_at: Source::new("GET repository:getIamPolicy", Some(200)),
                }],
            ),
            last_used: Reading::known_from("GET activities:query", Some(facts.now)),
            kubernetes_account: Reading::absent("GET serviceaccount argosy-gcp"),
            kubernetes_uid: Reading::absent("GET serviceaccount argosy-gcp"),
            kubernetes_token: Reading::default(),
            fallback: Reading::known_from("GET project", None),
            key_secrets: Reading::known_from("GET secrets", Vec::new()),
            uses: [(image, a_use())].into(),
            foreign_permissions: ["apps", "shop"]
                .map(repository)
                .into_iter()
                .filter(|it| *it != used)
                .map(|it| {
                    (
                        it,
                        Reading::known_from("POST testIamPermissions", Vec::new()),
                    )
                })
                .collect(),
        };
        facts.projects.insert((*name).to_owned(), seen);
        facts.repositories.insert(used, repository_facts(&email));
    }
    facts.accounts = Reading::known_from("GET serviceAccounts", accounts);
}

fn a_use() -> UseFacts {
    UseFacts {
        pull: Reading::known_from("GET tags/list", ()),
        permissions: Reading::known_from("POST testIamPermissions", vec![DOWNLOAD.to_owned()]),
        listing: Reading::known_from("GET dockerImages", ()),
    }
}

fn repository_facts(reader: &ServiceAccountEmail) -> RepositoryFacts {
    let repository = json!({"format": "DOCKER", "dockerConfig": {"immutableTags": true}});
    RepositoryFacts {
        repository: Reading::known_from(
            "GET repository",
            serde_json::from_value(repository).expect("a repository"),
        ),
        policy: Reading::known_from(
            "GET repository:getIamPolicy",
            granting(READER, &reader.member()),
        ),
        project_policy: Reading::known_from("POST acme-art:getIamPolicy", Policy::default()),
        redirection: Reading::known_from(
            "GET projectSettings",
            "REDIRECTION_FROM_GCR_IO_FINALIZED".to_owned(),
        ),
        topic: Reading::known_from("GET topics/gcr", ()),
        subscriptions: Reading::known_from(
            "GET topics/gcr/subscriptions",
            vec!["projects/acme-art/subscriptions/argosy".to_owned()],
        ),
        namesakes: Reading::known_from("GET repositories", Vec::new()),
    }
}
