//! Links that break in IAM, at registries and in the organisation.

use super::broken::*;
use super::*;
use crate::Fallback;
use crate::facts::AccountKey;
use crate::policy::{DOWNLOAD, MINT, Policy, READER, TIGHT_MINTER, UPLOAD};
use crate::repository::RepositoryName;

/// A condition that held once.
const OVER: &str = "request.time < timestamp('2026-01-01T00:00:00Z')";
const EVERYBODY: &str = "principalSet://goog/public:all";
const MINTING: &str = "iam.googleapis.com/serviceAccounts.*";
const DOWNLOADING: &str = "artifactregistry.googleapis.com/repositories.downloadArtifacts";

pub(super) const CASES: &[Case] = &[
    ("API-CONTAINER", Status::Fail, "is off", |it| {
        off(it, "acme-gke", "container.googleapis.com");
    }),
    ("API-IAM", Status::Fail, "is off", |it| {
        off(it, "acme-gke", "iam.googleapis.com");
    }),
    ("API-IAMCREDENTIALS", Status::Fail, "is off", |it| {
        off(it, "acme-gke", "iamcredentials.googleapis.com");
    }),
    ("API-STS", Status::Fail, "is off", |it| {
        off(it, "acme-gke", "sts.googleapis.com");
    }),
    (
        "API-ARTIFACTREGISTRY",
        Status::Fail,
        "is off in acme-art",
        |it| off(it, "acme-art", "artifactregistry.googleapis.com"),
    ),
    ("API-PROBE", Status::Fail, "is off", |it| {
        it.pod.impersonation_probe = refused("SERVICE_DISABLED", "x");
    }),
    (
        "API-PROBE",
        Status::Fail,
        "perimeter refuses it (uid-1)",
        |it| it.pod.impersonation_probe = refused("SECURITY_POLICY_VIOLATED", "x"),
    ),
    ("API-PROBE", Status::Unknown, "HTTP 503", |it| {
        it.pod.impersonation_probe = Reading::of_refusal("POST", 503, "");
    }),
    ("VPCSC", Status::Fail, "(uid-1)", |it| {
        web(it).mint = refused("SECURITY_POLICY_VIOLATED", "x");
    }),
    ("VPCSC", Status::Fail, "(uid-1)", |it| {
        it.pod.impersonation_probe = refused("SECURITY_POLICY_VIOLATED", "x");
    }),
    ("VPCSC", Status::Fail, "(uid-1)", |it| {
        web_use(it).pull = refused("SECURITY_POLICY_VIOLATED", "x");
    }),
    (
        "GSA-NAME",
        Status::Fail,
        "cannot have a service account",
        |it| {
            it.intent
                .projects
                .insert("a-name-of-17-chars".to_owned(), Vec::new());
        },
    ),
    (
        "GSA-PROJECT",
        Status::Fail,
        "looked for in acme-gke, and the controller is in other",
        |it| it.pod.metadata.project = known("other".to_owned()),
    ),
    (
        "GSA-EXISTS",
        Status::Fail,
        "there is no kargo-project-web@",
        |it| web(it).account = Reading::absent("GET"),
    ),
    ("GSA-EXISTS", Status::Unknown, "denied", |it| {
        web(it).account = denied();
    }),
    ("GSA-ENABLED", Status::Fail, "is disabled", |it| disable(it)),
    ("GSA-BINDING", Status::Fail, "has no role on", |it| {
        web(it).policy = known(Policy::default());
    }),
    (
        "GSA-BINDING",
        Status::Warn,
        "only while request.time < x",
        |it| {
            let member = controller().to_string();
            web(it).policy = known(while_it_holds(TIGHT_MINTER, &member, "request.time < x"));
        },
    ),
    (
        "GSA-BINDING",
        Status::Fail,
        "which does not hold now",
        |it| {
            let member = controller().to_string();
            web(it).policy = known(while_it_holds(TIGHT_MINTER, &member, OVER));
        },
    ),
    (
        "GSA-BINDING",
        Status::Unknown,
        "projects/acme-gke/roles/minter",
        |it| {
            web(it).policy = known(granting(
                "projects/acme-gke/roles/minter",
                &controller().to_string(),
            ));
        },
    ),
    (
        "GSA-BINDING-NEARMISS",
        Status::Fail,
        "names namespace kargo",
        |it| {
            let member = controller().to_string().replace("ns/argosy", "ns/kargo");
            web(it).policy = known(granting(TIGHT_MINTER, &member));
        },
    ),
    (
        "GSA-BINDING-BROAD",
        Status::Fail,
        "user:ann@example.com",
        |it| web_grant(it, crate::policy::OPEN_MINTER, "user:ann@example.com"),
    ),
    ("GSA-MINT", Status::Fail, "Google knows no", |it| {
        web(it).mint = Reading::absent("POST");
    }),
    (
        "GSA-MINT",
        Status::Fail,
        "has no role on the account",
        |it| {
            web(it).mint = refused(
                "IAM_PERMISSION_DENIED",
                "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
            );
        },
    ),
    ("GSA-MINT", Status::Unknown, "HTTP 503", |it| {
        web(it).mint = Reading::of_refusal("POST", 503, "<html>");
    }),
    ("GSA-MINT-OTHERS", Status::Fail, "every account", |it| {
        it.pod.project_permissions = known(vec![MINT.to_owned()]);
    }),
    (
        "API-RESOURCEMANAGER",
        Status::Warn,
        "is off in acme-gke",
        |it| {
            off(it, "acme-gke", "cloudresourcemanager.googleapis.com");
        },
    ),
    (
        "API-SERVICEUSAGE",
        Status::Warn,
        "of the other services",
        |it| {
            without_service_usage(it);
        },
    ),
    (
        "API-IAM",
        Status::Unknown,
        "whether iam.googleapis.com is on",
        |it| {
            without_service_usage(it);
        },
    ),
    ("GSA-KEYS", Status::Fail, "has the key k1", |it| {
        web(it).keys = known(vec![AccountKey {
            name: "projects/p/serviceAccounts/e/keys/k1".to_owned(),
            ..AccountKey::default()
        }]);
    }),
    ("GSA-ROLES", Status::Fail, "roles/owner", |it| {
        found_role(it, "roles/owner");
    }),
    (
        "GSA-ROLES",
        Status::Unknown,
        "outside of projects/acme-gke",
        |it| {
            it.inventory = known(crate::facts::Inventory {
                scope: "projects/acme-gke".to_owned(),
                beyond: Some("organizations/7: it is denied".to_owned()),
            });
        },
    ),
    ("GSA-ROLES", Status::Unknown, "is off", |it| {
        it.inventory = refused("SERVICE_DISABLED", "x");
    }),
    ("GSA-UNUSED", Status::Skip, "it is disabled", |it| {
        web(it).last_used = known(None);
        if let Seen::Known(account) = &mut web(it).account.seen {
            account.disabled = true;
        }
    }),
    ("GSA-UNUSED", Status::Warn, "since 2026-08-01", |it| {
        web(it).last_used = known(Some("2026-08-01T07:00:00Z".parse().expect("a time")));
    }),
    ("GSA-UNUSED", Status::Unknown, "is off", |it| {
        web(it).last_used = refused("SERVICE_DISABLED", "x");
    }),
    ("GSA-ORPHAN", Status::Warn, "kargo-project-gone@", |it| {
        it.accounts = known(vec![crate::facts::ServiceAccount {
            email: account("gone").to_string(),
            ..Default::default()
        }]);
    }),
    ("GSA-EXISTS", Status::Fail, "which nobody looks at", |it| {
        web(it).account = Reading::absent("GET account");
        let email = "kargo-project-web@acme-art.iam.gserviceaccount.com";
        let email = crate::principal::ServiceAccountEmail::parse(email);
        web(it).misplaced = Some(email.expect("an email"));
    }),
    ("GSA-ORPHAN", Status::Unknown, "denied", |it| {
        it.accounts = denied();
    }),
    ("QUOTA-GSA", Status::Warn, "80 of 100", |it| {
        it.accounts = known(vec![crate::facts::ServiceAccount::default(); 80]);
    }),
    ("AR-ADDRESS", Status::Fail, "names no image", |it| {
        subscribe(it, "europe-docker.pkg.dev/acme-art/apps");
    }),
    (
        "AR-ADDRESS",
        Status::Skip,
        "not on a host of Google's",
        |it| subscribe(it, "ghcr.io/acme/web"),
    ),
    ("AR-REPO", Status::Fail, "there is one in us", |it| {
        apps(it).repository = Reading::absent("GET");
        apps(it).namesakes = known(vec!["us".to_owned()]);
    }),
    (
        "AR-REPO",
        Status::Fail,
        "there is no projects/acme-art",
        |it| apps(it).repository = Reading::absent("GET"),
    ),
    ("AR-REPO", Status::Fail, "holds MAVEN", |it| {
        apps(it).repository = known(crate::facts::Repository {
            format: "MAVEN".to_owned(),
            ..Default::default()
        });
    }),
    ("AR-READER", Status::Fail, "no role on", |it| {
        apps(it).policy = known(Policy::default());
    }),
    ("AR-READER", Status::Warn, "on all of acme-art", |it| {
        apps(it).policy = known(Policy::default());
        apps(it).project_policy = known(granting(READER, &account("web").member()));
    }),
    ("AR-READER", Status::Warn, "but only while x", |it| {
        apps(it).policy = known(while_it_holds(READER, &account("web").member(), "x"));
    }),
    ("AR-READER", Status::Fail, "which does not hold now", |it| {
        apps(it).policy = known(while_it_holds(READER, &account("web").member(), OVER));
    }),
    ("AR-READER", Status::Unknown, "denied", |it| {
        apps(it).policy = denied();
    }),
    (
        "AR-PULL",
        Status::Fail,
        "there is none in that location",
        |it| {
            web_use(it).pull = refused(
                "IAM_PERMISSION_DENIED",
                "Permission \"artifactregistry.repositories.downloadArtifacts\" denied on resource",
            );
        },
    ),
    ("AR-PULL", Status::Fail, "there is no image web", |it| {
        web_use(it).pull = Reading::absent("GET");
    }),
    ("AR-PULL", Status::Fail, "or no such repository", |it| {
        web_use(it).pull = Reading::absent("GET");
        apps(it).repository = Reading::default();
    }),
    ("AR-PULL", Status::Unknown, "HTTP 429", |it| {
        web_use(it).pull = Reading::of_refusal("GET", 429, "");
    }),
    ("AR-TEST", Status::Warn, "uploadArtifacts", |it| {
        web_use(it).permissions = known(vec![DOWNLOAD.to_owned(), UPLOAD.to_owned()]);
    }),
    ("AR-REST", Status::Warn, "tag by tag", |it| {
        web_use(it).listing = refused("SERVICE_DISABLED", "x");
    }),
    ("AR-ISOLATION", Status::Warn, "repositories/shop", |it| {
        reads_shop(it);
    }),
    ("AR-PUBLIC", Status::Fail, "allUsers", |it| {
        apps(it).policy = known(granting(READER, "allUsers"));
    }),
    ("AR-GCRIO", Status::Fail, "not served any more", |it| {
        former(it, "REDIRECTION_FROM_GCR_IO_DISABLED");
    }),
    ("AR-GCRIO", Status::Fail, "which does not exist", |it| {
        former(it, "REDIRECTION_FROM_GCR_IO_ENABLED");
        let europe = |name: &RepositoryName| name.location == "europe";
        let mut all = it.repositories.iter_mut();
        let found = all.find(|(name, _)| europe(name)).expect("eu.gcr.io");
        found.1.repository = Reading::absent("GET");
    }),
    ("AR-GCRIO", Status::Unknown, "denied", |it| {
        former(it, "");
        it.repositories
            .values_mut()
            .for_each(|it| it.redirection = denied());
    }),
    (
        "KSA-DIRECT",
        Status::Fail,
        "reads the repository itself",
        |it| {
            it.intent.fallback = Fallback::Deny;
            reads_itself(it);
        },
    ),
    ("FALLBACK-MODE", Status::Warn, "web would use", |it| {
        web(it).mint = Reading::absent("POST");
    }),
    ("STATIC-KEYS", Status::Fail, "holds a key", |it| {
        web(it).key_secrets = known(vec!["gar".to_owned()]);
    }),
    (
        "DENY-POLICY",
        Status::Fail,
        "denies iam.googleapis.com/serviceAccounts.* to the Kubernetes account argosy/controller",
        |it| deny(it, "folders/12", MINTING, EVERYBODY),
    ),
    (
        "DENY-POLICY",
        Status::Warn,
        "whether that means kargo-project-web@",
        |it| {
            let group = "principalSet://goog/group/all@acme.example";
            deny(it, "folders/12", DOWNLOADING, group);
        },
    ),
    ("DENY-POLICY", Status::Unknown, "denied", |it| {
        it.deny_rules.insert("organizations/7".to_owned(), denied());
    }),
    ("AUDITLOG", Status::Warn, "not logged", |it| {
        it.home_policy = known(Policy::default());
    }),
    // What is worth saying and no reason to warn.
    ("AR-IMMUTABLE", Status::Pass, "may be moved", |it| {
        apps(it).repository = known(crate::facts::Repository::default());
    }),
    (
        "KSA-DIRECT",
        Status::Pass,
        "reads the repository itself",
        |it| reads_itself(it),
    ),
    ("PUBSUB", Status::Pass, "no topic gcr", |it| {
        apps(it).topic = Reading::absent("GET");
    }),
    ("PUBSUB", Status::Pass, "nobody listens", |it| {
        apps(it).subscriptions = known(Vec::new());
    }),
    ("PUBSUB", Status::Unknown, "denied", |it| {
        apps(it).topic = denied();
    }),
];
