//! What each Project can really do: gets its token as the controller does, and pulls with it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use credentials::google::request_kubernetes_token;
use futures::{StreamExt as _, stream};
use gcp::facts::{Facts, Mint, ProjectFacts, Reading, Seen, UseFacts};
use gcp::policy::DOWNLOAD;
use gcp::principal::{KubernetesAccount, PROJECT_ACCOUNT};
use gcp::repository::{ImageAddress, RepositoryName};
use gcp::{Apis, Identities, Scope, Service, Token, doctor};
use kube::Client;
use serde_json::Value;

use super::{AT_ONCE, pod};
use crate::gcp::place::Access;

/// How long tokens are to live that are needed for a look only.
const LIFE: Duration = Duration::from_mins(5);

pub(super) async fn gather(access: &Access, facts: &mut Facts) {
    let identities = access.identities_for(LIFE);
    let everything: BTreeSet<_> = facts.uses().map(|it| it.address.repository).collect();
    let mut addresses: BTreeMap<String, Vec<ImageAddress>> = BTreeMap::new();
    for name in facts.intent.projects.keys() {
        let used = facts.uses().filter(|it| it.project == *name);
        addresses.insert(name.clone(), used.map(|it| it.address).collect());
    }
    let (identities, everything) = (&identities, &everything);
    let questions = addresses.into_iter().map(|(name, used)| {
        // Nobody asks for tokens of an account that is not there.
        let client = access.kubernetes.clone().filter(|_| {
            let seen = facts.projects.get(&name);
            seen.is_some_and(|it| it.kubernetes_account.known().is_ok())
        });
        async move {
            let look = Look {
                access,
                identities,
                used: &used,
                everything,
            };
            let seen = look.at(&name, client).await;
            (name, seen)
        }
    });
    let seen: Vec<_> = stream::iter(questions).buffered(AT_ONCE).collect().await;
    for (
        name,
        ProjectFacts {
            mint,
            kubernetes_token,
            uses,
            foreign_reads,
            ..
        },
    ) in seen
    {
        let known = facts.projects.entry(name).or_default();
        (known.mint, known.kubernetes_token) = (mint, kubernetes_token);
        (known.uses, known.foreign_reads) = (uses, foreign_reads);
    }
}

/// What is tried for one Project.
struct Look<'a> {
    access: &'a Access,
    identities: &'a Identities,
    used: &'a [ImageAddress],
    everything: &'a BTreeSet<RepositoryName>,
}

impl Look<'_> {
    /// Tries as the Project's service account; where that is definitely not to be had, as its Kubernetes account, of which
    /// `client` asks for tokens.
    async fn at(&self, project: &str, client: Option<Client>) -> ProjectFacts {
        let request = "POST https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts:generateAccessToken";
        let error = match self.identities.own(project, Scope::CloudPlatform).await {
            Ok(token) => {
                let mint = Reading::known_from(request, self.life(&token));
                return ProjectFacts {
                    mint,
                    ..self.with(&token).await
                };
            }
            Err(error) => error,
        };
        let seen = match client.filter(|_| error.is_definite()) {
            Some(client) => self.as_kubernetes_account(project, client).await,
            None => ProjectFacts::default(),
        };
        ProjectFacts {
            mint: Reading::of_token_error(request, &error),
            ..seen
        }
    }

    async fn as_kubernetes_account(&self, project: &str, client: Client) -> ProjectFacts {
        let account = KubernetesAccount::new(project, PROJECT_ACCOUNT);
        let namespace = project.to_owned();
        let ask = move |audience| request_kubernetes_token(client, namespace, audience);
        let identities = self.identities;
        // The uid keeps tokens of an account made anew apart, and this is asked once.
        let token = identities.kubernetes(&account, "", Scope::CloudPlatform, ask);
        let request = "POST https://sts.googleapis.com/v1/token";
        match token.await {
            Ok(token) => ProjectFacts {
                kubernetes_token: Reading::known_from(request, self.life(&token)),
                ..self.with(&token).await
            },
            Err(error) => ProjectFacts {
                kubernetes_token: Reading::of_token_error(request, &error),
                ..ProjectFacts::default()
            },
        }
    }

    fn life(&self, token: &Token) -> Mint {
        let left = token.expires.duration_since((self.access.clock)());
        let seconds = u64::try_from(left.as_secs()).unwrap_or(0);
        Mint { seconds }
    }

    /// Tries what can be done with a token.
    async fn with(&self, token: &Token) -> ProjectFacts {
        let Self {
            access,
            used,
            everything,
            ..
        } = self;
        let apis = Apis::new(access.endpoints.clone(), token.access_token.clone());
        let mut uses = BTreeMap::new();
        for address in *used {
            let seen = try_use(access, &apis, address).await;
            uses.insert(address.repository.clone(), seen);
        }
        let own: BTreeSet<_> = used.iter().map(|it| &it.repository).collect();
        let foreign = everything.iter().filter(|it| !own.contains(it));
        ProjectFacts {
            uses,
            foreign_reads: foreign_reads(&apis, foreign).await,
            ..ProjectFacts::default()
        }
    }
}

async fn try_use(access: &Access, apis: &Apis, address: &ImageAddress) -> UseFacts {
    let name = &address.repository;
    let mut asked = vec![DOWNLOAD];
    asked.extend(doctor::BEYOND_READING);
    let images = format!("/v1/{name}/dockerImages?pageSize=1");
    let images: Reading<Value> = apis.get(Service::ArtifactRegistry, &images).await;
    UseFacts {
        pull: pull(access, apis, address).await,
        permissions: pod::held(
            apis,
            Service::ArtifactRegistry,
            &format!("/v1/{name}"),
            &asked,
        )
        .await,
        listing: images.map(|_| ()),
    }
}

/// Asks a registry for the first page of tags, with the access token itself as the credential.
///
/// Source: <https://cloud.google.com/artifact-registry/docs/docker/authentication#token>
async fn pull(access: &Access, apis: &Apis, address: &ImageAddress) -> Reading<()> {
    let path = format!("/v2/{}/tags/list", address.path());
    let said = format!("GET https://{}{path}", address.host);
    let Ok(mut url) = access.registry(&address.host) else {
        return Reading::unreachable(&said, "its host is no host");
    };
    url.set_path(&path);
    url.set_query(Some("n=1"));
    let tags: Reading<Value> = apis.get_at(&url, &said).await;
    tags.map(|_| ())
}

/// Finds which repositories the account reads that its Project does not use.
async fn foreign_reads(
    apis: &Apis,
    names: impl Iterator<Item = &RepositoryName>,
) -> Reading<Vec<RepositoryName>> {
    let mut found = Vec::new();
    let mut request =
        "POST https://artifactregistry.googleapis.com/v1:testIamPermissions".to_owned();
    for name in names {
        let path = format!("/v1/{name}");
        let held = pod::held(apis, Service::ArtifactRegistry, &path, &[DOWNLOAD]).await;
        request.clone_from(&held.source.request);
        match &held.seen {
            Seen::Known(permissions) if permissions.is_empty() => {}
            Seen::Known(_) => found.push(name.clone()),
            _ => return held.map(|_| Vec::new()),
        }
    }
    Reading::known_from(&request, found)
}
