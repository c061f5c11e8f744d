//! What each Project can really do: gets its token as the controller does, and pulls with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use credentials::google::request_kubernetes_token;
use futures::{StreamExt as _, stream};
use gcp::facts::{Facts, Mint, ProjectFacts, Reading, Seen, UseFacts};
use gcp::policy::DOWNLOAD;
use gcp::principal::{KubernetesAccount, PROJECT_ACCOUNT};
use gcp::repository::{ImageAddress, RepositoryName};
use gcp::{Apis, Identities, Scope, Service, Token, TokenError, doctor};
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
            foreign_permissions,
            ..
        },
    ) in seen
    {
        let known = facts.projects.entry(name).or_default();
        (known.mint, known.kubernetes_token) = (mint, kubernetes_token);
        (known.uses, known.foreign_permissions) = (uses, foreign_permissions);
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
        let error = match self.identities.own(project, self.access.scope).await {
            Ok(token) => {
                let wide = self.identities.own(project, Scope::CloudPlatform).await;
                return ProjectFacts {
                    mint: Reading::known_from(request, self.life(&token)),
                    ..self.with(&token, rights(request, wide)).await
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
        let identities = self.identities;
        let token = |scope| {
            let (client, namespace) = (client.clone(), project.to_owned());
            let ask = move |audience| request_kubernetes_token(client, namespace, audience);
            // The uid keeps tokens of an account made anew apart, and this is asked once.
            identities.kubernetes(&account, "", scope, ask)
        };
        let request = "POST https://sts.googleapis.com/v1/token";
        match token(self.access.scope).await {
            Ok(narrow) => {
                let wide = token(Scope::CloudPlatform).await;
                ProjectFacts {
                    kubernetes_token: Reading::known_from(request, self.life(&narrow)),
                    ..self.with(&narrow, rights(request, wide)).await
                }
            }
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

    /// Tries what can be done with a token such as the controller pulls with; `rights` is one that no scope keeps from
    /// anything, by which it shows what was granted.
    async fn with(&self, token: &Token, rights: Reading<Arc<Token>>) -> ProjectFacts {
        let Self {
            access,
            used,
            everything,
            ..
        } = self;
        let apis = |token: &Token| Apis::new(access.endpoints.clone(), token.access_token.clone());
        let (puller, rights) = (apis(token), rights.map(|it| apis(&it)));
        let mut uses: BTreeMap<ImageAddress, UseFacts> = BTreeMap::new();
        for address in *used {
            let pull = pull(access, &puller, address).await;
            // What is about the repository is asked once for all of its images.
            let mut before = uses.iter();
            let before = before.find(|(it, _)| it.repository == address.repository);
            let seen = match before {
                Some((_, seen)) => seen.clone(),
                None => try_repository(&puller, &rights, &address.repository).await,
            };
            uses.insert(address.clone(), UseFacts { pull, ..seen });
        }
        let own: BTreeSet<_> = used.iter().map(|it| &it.repository).collect();
        let foreign = everything.iter().filter(|it| !own.contains(it));
        let questions = foreign.map(|name| async {
            let held = held(&rights, name, &[DOWNLOAD]).await;
            (name.clone(), held)
        });
        ProjectFacts {
            uses,
            foreign_permissions: stream::iter(questions).buffered(AT_ONCE).collect().await,
            ..ProjectFacts::default()
        }
    }
}

/// Says what became of asking for a token that no scope narrows.
fn rights(request: &str, token: Result<Arc<Token>, TokenError>) -> Reading<Arc<Token>> {
    match token {
        Ok(token) => Reading::known_from(request, token),
        Err(error) => Reading::of_token_error(request, &error),
    }
}

/// Tries what is about a repository, whichever image of it is meant.
async fn try_repository(puller: &Apis, rights: &Reading<Apis>, name: &RepositoryName) -> UseFacts {
    let mut asked = vec![DOWNLOAD];
    asked.extend(doctor::BEYOND_READING);
    let images = format!("/v1/{name}/dockerImages?pageSize=1");
    let images: Reading<Value> = puller.get(Service::ArtifactRegistry, &images).await;
    UseFacts {
        pull: Reading::default(),
        permissions: held(rights, name, &asked).await,
        listing: images.map(|_| ()),
    }
}

/// Asks which of some permissions whoever acts has on a repository.
async fn held(
    rights: &Reading<Apis>,
    name: &RepositoryName,
    permissions: &[&str],
) -> Reading<Vec<String>> {
    let Seen::Known(apis) = &rights.seen else {
        return rights.as_ref().map(|_| Vec::new());
    };
    let path = format!("/v1/{name}");
    pod::held(apis, Service::ArtifactRegistry, &path, permissions).await
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
