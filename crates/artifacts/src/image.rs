//! Discovers the images of a repository.
//!
//! The rules say what to look at ([`domain::selection`]), the registry's client looks, and what a look finds is brought
//! into the form the rules take: digest, platforms, annotations, and when the image was built (`built`).
//!
//! A tag whose image is broken for everybody (gone, no image, an empty index) is left out and does not fail the others;
//! anything that could be otherwise a moment later fails the subscription, lest an older image be taken for the newest.

mod built;
mod look;

use domain::CacheByTagRequired;
use domain::selection::{
    ImageRules, ImageSelection, LOOKS_BOUND, NewestBuildBy, Next, Rule, RulesError, Selected,
    Wanted,
};
use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use resources::{DiscoveredImageReference, ImageSubscription};
use sha2::{Digest as _, Sha256};

use self::look::look;
use crate::registry::{self, Listing, Reader, Registries, Repository, RepositoryError, Turn, Wish};
use crate::shell::quote;
use crate::{Caller, Cost};

/// Looks at the same time; the client keeps to its own limits.
const CONCURRENCY: usize = 16;

/// Says what a discovery depends on beside the subscription.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Which time makes an image the newest build.
    pub newest_build_by: NewestBuildBy,
    pub now: Timestamp,
}

/// Says why nothing was discovered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("image subscription {repo_url:?} cannot be followed")]
    Rules {
        repo_url: String,
        source: RulesError,
    },
    #[error("image subscription cannot be followed")]
    Repository(#[from] RepositoryError),
    #[error("image subscription is not allowed")]
    CacheByTag(#[from] CacheByTagRequired),
    #[error("image subscription {repo_url:?} names {tag:?}, which cannot be a tag")]
    Tag { repo_url: String, tag: String },
    #[error(transparent)]
    Registry(#[from] registry::Error),
    #[error(
        "none of the {count} matching tags of {repo_url:?} is usable: {tag:?} is not because {why}, which {request} shows"
    )]
    Unusable {
        repo_url: String,
        count: usize,
        tag: String,
        /// By which anybody can see it: `GET ghcr.io/v2/acme/web/manifests/1.0.0`.
        request: String,
        why: String,
    },
    #[error("{count} tags of {repo_url:?} match, more than the {LOOKS_BOUND} that are looked at")]
    TooMany { repo_url: String, count: usize },
}

impl Error {
    /// Names the next thing to try.
    pub fn hint(&self) -> String {
        match self {
            Self::Rules { .. } | Self::Repository(_) | Self::Tag { .. } => {
                "correct the Warehouse's image subscription: kubectl explain warehouse.spec"
                    .to_owned()
            }
            Self::CacheByTag(error) => error.hint().to_owned(),
            Self::Registry(error) => error.hint(),
            Self::Unusable { repo_url, tag, .. } => {
                format!(
                    "skopeo inspect {}",
                    quote(&format!("docker://{repo_url}:{tag}"))
                )
            }
            Self::TooMany { .. } => "narrow the tags down with allowTagsRegexes".to_owned(),
        }
    }
}

/// Discovers the images that `subscription` takes, best first.
pub async fn discover(
    registries: &Registries,
    caller: Caller<'_>,
    subscription: &ImageSubscription,
    asked: Asked,
) -> Result<Vec<DiscoveredImageReference>, Error> {
    let selected = select(registries, caller, subscription, asked).await?;
    references(subscription, selected)
}

/// Selects the images that `subscription` takes, best first, and says what was left out by which rule.
///
/// Costs a request per page of tags, then two for each image that is looked at: its manifest and its config; at Google's
/// registries three, since configs are kept elsewhere. An image seen before with the same credential costs one, and none
/// where the list names its digest or `cacheByTag` holds. Of a large list at Google's that has not changed, one row is all
/// that is asked for; and mostly nothing but what came since where it has, which is then all that is told as left out.
pub async fn select(
    registries: &Registries,
    caller: Caller<'_>,
    subscription: &ImageSubscription,
    asked: Asked,
) -> Result<Selected, Error> {
    let repo_url = &subscription.repo_url;
    let Asked {
        newest_build_by,
        now,
    } = asked;
    let rules = ImageRules::parse(subscription).map_err(|source| Error::Rules {
        repo_url: repo_url.clone(),
        source,
    })?;
    let rules = rules.with_newest_build_by(newest_build_by);
    let repository = Repository::parse(repo_url)?;
    let insecure = subscription.insecure_skip_tls_verify;
    let mut reader = registries.reader(caller, &repository, insecure).await;
    if registries.cache_by_tag().applies_to(subscription)? {
        reader = reader.trusting_tags();
    }
    let wish = Wish {
        rules: &fingerprint(subscription, newest_build_by),
        newest_first: rules.takes_newest(),
        now,
    };
    let mut listing = Listing::new(&reader, wish);
    if rules.needs_tags()
        && let Some(selected) = listing.unchanged().await
    {
        return Ok(Selected::clone(&selected));
    }
    let mut selection = rules.start();
    loop {
        match selection.next_step() {
            Next::Selected(selected) if listing.is_short(&selected) => {
                listing.list_all().await;
                selection = rules.start();
            }
            Next::Selected(selected) => {
                listing.note(&selected);
                return Ok(selected);
            }
            Next::List => match listing.next(&mut |it| selection.offer(it)).await? {
                Turn::Page(rest) => selection.page_ended(rest),
                Turn::Again => selection = rules.start(),
            },
            Next::Fetch(wanted) => {
                caller.cost.wants_looks(wanted.len());
                let reading = (&reader, &listing, caller.cost);
                look_at_all(reading, &rules, wanted, &mut selection, repo_url).await?;
            }
            Next::TooMany { count } => {
                let repo_url = repo_url.clone();
                return Err(Error::TooMany { repo_url, count });
            }
        }
    }
}

/// Puts what was selected as a Warehouse's status tells it.
///
/// # Errors
/// [`Error::Unusable`] where nothing was selected and an image that would have been is broken.
pub fn references(
    subscription: &ImageSubscription,
    selected: Selected,
) -> Result<Vec<DiscoveredImageReference>, Error> {
    let unusable = || {
        let all = selected.ruled_out.iter();
        all.filter_map(|it| match &it.rule {
            Rule::Unusable(why) => Some((it, why)),
            _ => None,
        })
    };
    if selected.taken.is_empty()
        && let Some((first, why)) = unusable().next()
    {
        let repository = Repository::parse(&subscription.repo_url)?;
        let tag = first.tags.first().cloned().unwrap_or_default();
        return Err(Error::Unusable {
            repo_url: subscription.repo_url.clone(),
            count: unusable().map(|(it, _)| it.count).sum(),
            request: format!("GET {}", repository.address_of_tag(&tag)),
            tag,
            why: why.clone(),
        });
    }
    let references = selected
        .taken
        .into_iter()
        .map(|taken| DiscoveredImageReference {
            tag: taken.tag,
            digest: taken.digest,
            annotations: taken.annotations,
            created_at: taken.created_at.map(Time),
        });
    Ok(references.collect())
}

/// Looks at what is wanted, and lets the selection see it.
async fn look_at_all(
    (reader, listing, cost): (&Reader<'_>, &Listing<'_>, &Cost),
    rules: &ImageRules,
    wanted: Vec<Wanted>,
    selection: &mut ImageSelection<'_>,
    repo_url: &str,
) -> Result<(), Error> {
    if let Some(wanted) = wanted.iter().find(|it| !registry::is_tag(&it.tag)) {
        return Err(Error::Tag {
            repo_url: repo_url.to_owned(),
            tag: wanted.tag.clone(),
        });
    }
    let looks = wanted.into_iter().map(|wanted| async {
        let look = look(reader, listing, &wanted, rules.needs_platform()).await?;
        Ok::<_, registry::Error>((wanted.tag, look))
    });
    let mut looks = stream::iter(looks).buffer_unordered(CONCURRENCY);
    while let Some(seen) = looks.next().await {
        let (tag, look) = seen?;
        cost.looked();
        selection.saw(&tag, look);
    }
    Ok(())
}

/// Tells rules apart: whatever of a subscription could change what is selected.
fn fingerprint(subscription: &ImageSubscription, newest_build_by: NewestBuildBy) -> String {
    let written = serde_json::to_vec(subscription).unwrap_or_default();
    let mut hash = Sha256::new();
    hash.update(format!("{newest_build_by:?}:"));
    hash.update(written);
    hex::encode(hash.finalize())
}
