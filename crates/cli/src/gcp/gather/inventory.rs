//! What the accounts of Projects and the controller's pool hold anywhere, found by search in as wide a place as whoever
//! asks may search.
//!
//! The inventory lags behind, so a policy that was read itself counts for more.
//!
//! Source: <https://cloud.google.com/asset-inventory/docs/search-allow-policies>

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};
use gcp::facts::{Facts, FoundGrant, Home, Inventory, PoolGrant, Reading, Seen};
use gcp::policy::{Member, Policy};
use gcp::principal::{ServiceAccountEmail, WorkloadPool};
use gcp::{Apis, Service};
use jiff::Timestamp;
use serde::Deserialize;

use super::AT_ONCE;

const MANAGER: &str = "//cloudresourcemanager.googleapis.com/projects/";

/// Whom a search is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    /// The account of a Project, by the Project's name.
    Account {
        project: String,
        email: ServiceAccountEmail,
    },
    /// Every member of the controller's pool, in either spelling, and every set of them: all have its name in them, and
    /// one search is fewer than one for each.
    Pool(WorkloadPool),
}

impl Who {
    /// The words to search for.
    fn words(&self) -> &str {
        match self {
            Self::Account { email, .. } => email.as_str(),
            Self::Pool(pool) => pool.as_str(),
        }
    }

    /// A search finds words, and other members may have them too.
    fn is(&self, member: &Member) -> bool {
        match (self, member) {
            (Self::Account { email, .. }, Member::ServiceAccount(found)) => found == email.as_str(),
            (Self::Pool(pool), Member::Pool(found)) => found.pool == pool.as_str(),
            (Self::Pool(pool), Member::LegacyKubernetesAccount { pool: found, .. }) => {
                found == pool.as_str()
            }
            _ => false,
        }
    }
}

pub(super) async fn gather(apis: &Apis, facts: &mut Facts) {
    let Ok(home) = facts.home.known().cloned() else {
        return;
    };
    let accounts = facts.intent.projects.keys().filter_map(|it| {
        let (project, email) = (it.clone(), facts.account_of(it).ok()?.ok()?);
        Some(Who::Account { project, email })
    });
    let pool = facts.principal().ok().map(|it| Who::Pool(it.pool));
    let everybody: Vec<Who> = accounts.chain(pool).collect();
    if everybody.is_empty() {
        return;
    }
    let above = facts.ancestor_policies.keys();
    let (wide, unlisted): (Vec<_>, Vec<_>) = above.cloned().partition(|it| is_place(it));
    let mut search = Search {
        beyond: out_of_sight(&wide, &unlisted),
        now: facts.now,
        ..Search::default()
    };
    // An organisation holds all folders, and "organizations" comes after "folders".
    for scope in wide.iter().rev() {
        search.look(apis, scope, &everybody).await;
        if scope.starts_with("organizations/") && !search.scopes.is_empty() {
            break;
        }
    }
    if search.scopes.is_empty() {
        let own = format!("projects/{}", home.project);
        search.look(apis, &own, &everybody).await;
    }
    let found = named(apis, &home, std::mem::take(&mut search.found)).await;
    facts.inventory = search.reading();
    let request = facts.inventory.source.request.clone();
    for (who, grants) in found {
        match who {
            Who::Account { project, .. } => {
                let grants = grants.into_iter().map(|it| it.found).collect();
                let seen = facts.projects.entry(project).or_default();
                seen.grants = Reading::known_from(&request, grants);
            }
            Who::Pool(_) => facts.pool_grants = Reading::known_from(&request, grants),
        }
    }
}

fn is_place(name: &str) -> bool {
    name.starts_with("folders/") || name.starts_with("organizations/")
}

/// Says what no search from here sees, by the places above that are known and by what could not be listed.
fn out_of_sight(wide: &[String], unlisted: &[String]) -> Option<String> {
    let has_organisation = wide.iter().any(|it| it.starts_with("organizations/"));
    match unlisted.first() {
        Some(name) => Some(format!("{name} could not be listed")),
        None if has_organisation => None,
        None => Some("no organisation is above it, and no search sees other projects".to_owned()),
    }
}

/// What was found so far, and where.
#[derive(Default)]
struct Search {
    scopes: Vec<String>,
    found: BTreeMap<Who, Vec<PoolGrant>>,
    /// The last search that was no use.
    refused: Option<Reading<()>>,
    done: Option<Reading<()>>,
    beyond: Option<String>,
    now: Timestamp,
}

impl Search {
    /// Searches one place for everybody; half of an answer is none.
    async fn look(&mut self, apis: &Apis, scope: &str, everybody: &[Who]) {
        let now = self.now;
        let questions = everybody
            .iter()
            .map(|who| async move { (who, held(apis, scope, who, now).await) });
        let answers: Vec<_> = stream::iter(questions).buffered(AT_ONCE).collect().await;
        if let Some((_, answer)) = answers.iter().find(|(_, it)| it.known().is_err()) {
            let why = answer.known().err().map(|it| it.why).unwrap_or_default();
            self.beyond = Some(format!("{scope} could not be searched: {why}"));
            self.refused = Some(answer.as_ref().map(|_| ()));
            return;
        }
        self.scopes.push(scope.to_owned());
        for (who, answer) in answers {
            self.done = Some(answer.as_ref().map(|_| ()));
            if let Seen::Known(grants) = answer.seen {
                self.found.entry(who.clone()).or_default().extend(grants);
            }
        }
    }

    fn reading(self) -> Reading<Inventory> {
        let Self {
            scopes,
            refused,
            done,
            beyond,
            found: _,
            now: _,
        } = self;
        let inventory = Inventory {
            scope: scopes.join(", "),
            beyond,
        };
        done.or(refused).unwrap_or_default().map(|()| inventory)
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Found {
    resource: String,
    /// Only the bindings that match.
    policy: Policy,
}

/// Searches one place for what somebody holds there; what is found says when it was asked for.
async fn held(apis: &Apis, scope: &str, who: &Who, now: Timestamp) -> Reading<Vec<PoolGrant>> {
    let query = format!("policy:\"{}\"", who.words());
    let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
    let path = format!("/v1/{scope}:searchAllIamPolicies?query={query}&pageSize=500");
    let found: Reading<Vec<Found>> = apis.list(Service::CloudAsset, &path, "results").await;
    let source = found.source.clone().lagging(now);
    found.map(|all| {
        let grants = all.iter().flat_map(|Found { resource, policy }| {
            let held = policy.grants().filter(|it| who.is(&it.member));
            held.map(|it| PoolGrant {
                member: it.text.to_owned(),
                found: FoundGrant {
                    resource: resource.clone(),
                    role: it.role.to_owned(),
                    seen_at: source.clone(),
                },
            })
            .collect::<Vec<_>>()
        });
        grants.collect()
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Project {
    project_id: String,
}

/// Calls projects by their id, where the inventory calls them by their number, and takes each grant once.
async fn named(
    apis: &Apis,
    home: &Home,
    found: BTreeMap<Who, Vec<PoolGrant>>,
) -> BTreeMap<Who, Vec<PoolGrant>> {
    let numbers: BTreeSet<String> = found
        .values()
        .flatten()
        .filter_map(|it| it.found.resource.strip_prefix(MANAGER))
        .filter(|it| it.bytes().all(|it| it.is_ascii_digit()))
        .map(str::to_owned)
        .collect();
    let mut ids = BTreeMap::from([(home.number.to_string(), home.project.to_string())]);
    for number in numbers {
        if !ids.contains_key(&number) {
            let path = format!("/v3/projects/{number}");
            let project: Reading<Project> = apis.get(Service::ResourceManager, &path).await;
            let id = project.known().map(|it| it.project_id.clone());
            ids.extend(id.ok().map(|id| (number, id)));
        }
    }
    let renamed = found.into_iter().map(|(who, mut grants)| {
        for PoolGrant { found, .. } in &mut grants {
            let number = found.resource.strip_prefix(MANAGER);
            if let Some(id) = number.and_then(|it| ids.get(it)) {
                found.resource = format!("{MANAGER}{id}");
            }
        }
        grants.sort_by(|one, other| once(one).cmp(&once(other)));
        grants.dedup_by(|one, other| once(one) == once(other));
        (who, grants)
    });
    renamed.collect()
}

/// What is to be found once, whichever place it was found in.
fn once(PoolGrant { member, found }: &PoolGrant) -> (&str, &str, &str) {
    (&found.resource, &found.role, member)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_search_of_an_organisation_leaves_nothing_out() {
        let names = |it: &[&str]| -> Vec<String> { it.iter().map(|it| (*it).to_owned()).collect() };
        for (wide, unlisted, says) in [
            (&["folders/1", "organizations/7"][..], &[][..], None),
            (&["folders/1"], &[], Some("no organisation is above it")),
            (&[], &[], Some("no search sees other projects")),
            (
                &[],
                &["what is above projects/acme"],
                Some("projects/acme could not be listed"),
            ),
        ] {
            let beyond = out_of_sight(&names(wide), &names(unlisted));
            assert_eq!(beyond.is_some(), says.is_some(), "{wide:?}");
            let said = beyond.unwrap_or_default();
            assert!(said.contains(says.unwrap_or_default()), "{said}");
        }
    }
}
