//! What the controller's Pod sees: the metadata server, its own rights, the ways out.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use gcp::facts::{Facts, Metadata, PodFacts, Reading, Seen, Source, TokenSource};
use gcp::policy::{DOWNLOAD, MINT};
use gcp::principal::{ProjectId, ServiceAccountEmail};
use gcp::repository::RepositoryName;
use gcp::{Apis, Glance, Identities, Scope, Service, Touch};
use secret::Secret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::AT_ONCE;
use crate::gcp::credentials;
use crate::gcp::place::{Access, PodVantage, variable};

const ACCOUNT: &str = "instance/service-accounts/default";
/// Between two looks at a metadata server that does not answer yet.
const PAUSE: Duration = Duration::from_millis(500);
const STS: &str = "sts.googleapis.com";
/// Hosts of Google that installations need, the second of them not all.
const HOSTS: [&str; 3] = [
    "iamcredentials.googleapis.com",
    STS,
    "artifactregistry.googleapis.com",
];

/// Waits for a metadata server that does not answer yet, as long as there is patience, and says so once; says how long it
/// took.
pub(super) async fn wait(access: &Access) -> Duration {
    let identities = access.identities();
    let server = identities.metadata();
    let started = Instant::now();
    let mut is_said = false;
    while started.elapsed() < access.patience {
        let root = server.glance("instance/").await;
        // Whatever has a status is an answer, which MDS-REACH judges.
        let Seen::Unreachable { why } = &root.seen else {
            break;
        };
        if root.source.status.is_some() {
            break;
        }
        if !is_said {
            let patience = access.patience.as_secs();
            // Nobody is there to tell if this cannot be written.
            drop(writeln!(
                anstream::stderr().lock(),
                "the metadata server does not answer yet ({why}): waiting for up to {patience} s"
            ));
            is_said = true;
        }
        tokio::time::sleep(PAUSE).await;
    }
    if is_said {
        started.elapsed()
    } else {
        Duration::ZERO
    }
}

pub(super) async fn gather(access: &Access, facts: &mut Facts) {
    let identities = access.identities();
    let (metadata, token) = match access.token_source() {
        TokenSource::MetadataServer => metadata(&identities, access).await,
        TokenSource::File { .. } => by_file(&identities, access).await,
    };
    let apis = token.map(|token| Apis::new(access.endpoints.clone(), token));
    let home = facts.home.known().ok().map(|it| it.project.clone());
    let names: BTreeSet<_> = facts.uses().map(|it| it.address.repository).collect();
    let (hosts, clock_offset) = hosts(access, facts).await;
    let mut seen = PodFacts {
        metadata,
        clock_offset,
        hosts,
        environment: environment(access.vantage),
        ..facts.pod.clone()
    };
    if let (Some(apis), Some(home)) = (&apis, &home) {
        seen.impersonation_probe = probe(apis, home).await;
        let path = format!("/v3/projects/{home}");
        seen.project_permissions = held(apis, Service::ResourceManager, &path, &[MINT]).await;
        seen.direct_permissions = direct(apis, names).await;
    }
    facts.pod = seen;
}

/// Looks at the metadata server; gives the controller's own token too, where there is one.
async fn metadata(identities: &Identities, access: &Access) -> (Metadata, Option<Secret<String>>) {
    let server = identities.metadata();
    let mut slowest = Duration::ZERO;
    let mut look = async |path: &str| {
        let started = Instant::now();
        let found = server.glance(path).await;
        slowest = slowest.max(started.elapsed());
        found
    };
    let root = look("instance/").await;
    if root.known().is_err() {
        let metadata = Metadata {
            server: root.map(|it| it.server),
            ..Metadata::default()
        };
        return (metadata, None);
    }
    let attributes = look("instance/attributes/").await;
    let email = look(&format!("{ACCOUNT}/email")).await;
    let project = look("project/project-id").await;
    let number = look("project/numeric-project-id").await;
    let request = format!(
        "GET {}computeMetadata/v1/{ACCOUNT}/token",
        access.endpoints.metadata
    );
    let (token_seconds, token) = token(identities, access, &request).await;
    let latency = root.as_ref().map(|_| slowest);
    let lines = |it: Glance| it.text.lines().map(str::to_owned).collect();
    let metadata = Metadata {
        server: root.map(|it| it.server),
        waited: Duration::ZERO,
        attributes: attributes.map(lines),
        project: project.map(|it| it.text.trim().to_owned()),
        number: number.map(|it| it.text.trim().to_owned()),
        email: email.map(|it| it.text),
        token_seconds,
        latency,
    };
    (metadata, token)
}

/// The same where a credential file takes the place of the metadata server.
async fn by_file(identities: &Identities, access: &Access) -> (Metadata, Option<Secret<String>>) {
    let (token_seconds, token) = token(identities, access, "--gcp-credentials").await;
    let metadata = Metadata {
        token_seconds,
        ..Metadata::default()
    };
    (metadata, token)
}

/// Gets the controller's own token, and says how long it lives.
async fn token(
    identities: &Identities,
    access: &Access,
    request: &str,
) -> (Reading<u64>, Option<Secret<String>>) {
    match identities.base(Scope::CloudPlatform).await {
        Ok(token) => {
            let left = token.expires.duration_since((access.clock)()).as_secs();
            let seconds = Reading::known_from(request, u64::try_from(left).unwrap_or(0));
            (seconds, Some(token.access_token.clone()))
        }
        Err(error) => (Reading::of_token_error(request, &error), None),
    }
}

/// Asks for a token of an account that nobody has: how that is refused shows whether the way there is free.
async fn probe(apis: &Apis, home: &ProjectId) -> Reading<()> {
    let Ok(some) = ServiceAccountEmail::of_kargo_project("some", home) else {
        return Reading::default();
    };
    let holder = some
        .as_str()
        .split_once('@')
        .map_or("", |(_, holder)| holder);
    let path =
        format!("/v1/projects/-/serviceAccounts/argosy-doctor-probe@{holder}:generateAccessToken");
    let body = json!({"scope": [Scope::CloudPlatform.url()], "lifetime": "300s"});
    let answer: Reading<Value> = apis.post(Service::IamCredentials, &path, &body).await;
    answer.map(|_| ())
}

async fn direct(
    apis: &Apis,
    names: BTreeSet<RepositoryName>,
) -> BTreeMap<RepositoryName, Reading<Vec<String>>> {
    let questions = names.into_iter().map(|name| async move {
        let path = format!("/v1/{name}");
        let held = held(apis, Service::ArtifactRegistry, &path, &[DOWNLOAD]).await;
        (name, held)
    });
    stream::iter(questions).buffered(AT_ONCE).collect().await
}

#[derive(Deserialize)]
struct Held {
    #[serde(default)]
    permissions: Vec<String>,
}

/// Asks which of some permissions whoever asks has.
pub(super) async fn held(
    apis: &Apis,
    service: Service,
    resource: &str,
    permissions: &[&str],
) -> Reading<Vec<String>> {
    let path = format!("{resource}:testIamPermissions");
    let body = json!({ "permissions": permissions });
    let found: Reading<Held> = apis.post(service, &path, &body).await;
    found.map(|it| it.permissions)
}

type Hosts = BTreeMap<String, Reading<Duration>>;

/// Reaches every host that is needed; Google's clock comes with the answer of the first.
async fn hosts(access: &Access, facts: &Facts) -> (Hosts, Reading<i64>) {
    let apis = Apis::new(access.endpoints.clone(), Secret::from(""));
    let google = [
        &access.endpoints.iam_credentials,
        &access.endpoints.sts,
        &access.endpoints.artifact_registry,
    ];
    let mut wanted: Vec<_> = HOSTS
        .iter()
        .zip(google)
        .map(|(host, url)| ((*host).to_owned(), url.clone()))
        .collect();
    // On GKE only the Kubernetes account of a Project is exchanged there.
    let kubernetes = facts
        .projects
        .values()
        .any(|it| it.kubernetes_account.known().is_ok());
    if facts.intent.asks_by == TokenSource::MetadataServer && !kubernetes {
        wanted.retain(|(host, _)| host != STS);
    }
    let registries: BTreeSet<_> = facts.uses().map(|it| it.address.host).collect();
    wanted.extend(registries.into_iter().filter_map(|host| {
        let url = access.registry(&host).ok()?.join("/v2/").ok()?;
        Some((host, url))
    }));
    let mut reached = BTreeMap::new();
    let mut offset = Reading::default();
    for (host, url) in wanted {
        let touch = apis.touch(&url, &format!("HEAD https://{host}")).await;
        if let Seen::Known(Touch {
            date: Some(date), ..
        }) = touch.seen
            && offset.known().is_err()
        {
            let ahead = (access.clock)().duration_since(date).as_secs();
            offset = Reading::known_from(&touch.source.request, ahead);
        }
        reached.insert(host, touch.map(|it| it.took));
    }
    (reached, offset)
}

/// Reads the environment that changes where credentials come from; a proxy's address may hold a password, so it is not kept.
///
/// Elsewhere than in the Pod it would be somebody else's.
fn environment(vantage: PodVantage) -> Reading<BTreeMap<String, String>> {
    if vantage != PodVantage::Inside {
        return Reading::default();
    }
    let mut seen = BTreeMap::new();
    if let Some(kind) = credentials::kind_of_variable() {
        seen.insert("GOOGLE_APPLICATION_CREDENTIALS".to_owned(), kind);
    }
    for name in ["HTTP_PROXY", "http_proxy"] {
        if variable(name).is_some_and(|it| !it.is_empty()) {
            seen.insert(name.to_owned(), "set".to_owned());
        }
    }
    for name in ["NO_PROXY", "no_proxy"] {
        if let Some(value) = variable(name) {
            seen.insert(name.to_owned(), value);
        }
    }
    Reading {
        source: Source::new("the Pod's environment", None),
        seen: Seen::Known(seen),
    }
}
