//! What each Project can really do: gets its token as the controller does, and pulls with it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use gcp::facts::{Facts, Mint, ProjectFacts, Reading, Seen, UseFacts};
use gcp::policy::DOWNLOAD;
use gcp::repository::{ImageAddress, RepositoryName};
use gcp::{Apis, Identities, Scope, Service, doctor};
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
    let questions = addresses.into_iter().map(|(name, used)| async move {
        let seen = look(access, identities, &name, &used, everything).await;
        (name, seen)
    });
    let seen: Vec<_> = stream::iter(questions).buffered(AT_ONCE).collect().await;
    for (
        name,
        ProjectFacts {
            mint,
            uses,
            foreign_reads,
            ..
        },
    ) in seen
    {
        let known = facts.projects.entry(name).or_default();
        (known.mint, known.uses, known.foreign_reads) = (mint, uses, foreign_reads);
    }
}

async fn look(
    access: &Access,
    identities: &Identities,
    project: &str,
    used: &[ImageAddress],
    everything: &BTreeSet<RepositoryName>,
) -> ProjectFacts {
    let request = "POST https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts:generateAccessToken";
    let token = match identities.own(project, Scope::CloudPlatform).await {
        Ok(token) => token,
        Err(error) => {
            return ProjectFacts {
                mint: Reading::of_token_error(request, &error),
                ..ProjectFacts::default()
            };
        }
    };
    let left = token.expires.duration_since((access.clock)()).as_secs();
    let seconds = u64::try_from(left).unwrap_or(0);
    let apis = Apis::new(access.endpoints.clone(), token.access_token.clone());
    let mut uses = BTreeMap::new();
    for address in used {
        uses.insert(
            address.repository.clone(),
            try_use(access, &apis, address).await,
        );
    }
    let own: BTreeSet<_> = used.iter().map(|it| &it.repository).collect();
    let foreign = everything.iter().filter(|it| !own.contains(it));
    ProjectFacts {
        mint: Reading::known_from(request, Mint { seconds }),
        uses,
        foreign_reads: foreign_reads(&apis, foreign).await,
        ..ProjectFacts::default()
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
