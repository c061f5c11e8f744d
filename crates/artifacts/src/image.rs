//! Discovers the images of a repository.
//!
//! The rules say what to look at ([`domain::selection`]), the registry's client looks, and what a look finds is brought
//! into the form the rules take: digest, platforms, annotations, and when the image was built (`built`).
//!
//! A tag whose image is broken for everybody (gone, no image, an empty index) is left out and does not fail the others;
//! anything that could be otherwise a moment later fails the subscription, lest an older image be taken for the newest.

mod built;

use domain::CacheByTagRequired;
use domain::selection::{
    Image, ImageRules, Look, Next, Platform, PlatformImage, Rule, RulesError, Seen, Selected,
};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use resources::{DiscoveredImageReference, ImageSubscription};

use crate::Caller;
use crate::registry::{
    self, Descriptor, Index, Manifest, Problem, Reader, Registries, Repository, RepositoryError,
    Single,
};

/// Most tags that are looked at, and most images of an index: the rest is a mistake or an attack.
const LOOKS_BOUND: usize = 50_000;
const CHILDREN_BOUND: usize = 200;
/// Looks at the same time; the client keeps to its own limits.
const CONCURRENCY: usize = 16;

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
        "none of the {count} matching tags of {repo_url:?} is usable: {tag:?} is not because {why}"
    )]
    Unusable {
        repo_url: String,
        count: usize,
        tag: String,
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
                format!("skopeo inspect docker://{repo_url}:{tag}")
            }
            Self::TooMany { .. } => "narrow the tags down with allowTagsRegexes".to_owned(),
        }
    }
}

/// Discovers the images that `subscription` takes, best first.
///
/// Costs a request per page of tags, then two for each image that is looked at: its manifest and its config. An image
/// seen before with the same credential costs one, and none where `cacheByTag` holds.
pub async fn discover(
    registries: &Registries,
    caller: Caller<'_>,
    subscription: &ImageSubscription,
) -> Result<Vec<DiscoveredImageReference>, Error> {
    let selected = select(registries, caller, subscription).await?;
    let unusable = selected.ruled_out.iter().filter_map(|it| match &it.rule {
        Rule::Unusable(why) => Some((&it.tag, why)),
        _ => None,
    });
    if selected.taken.is_empty()
        && let Some((tag, why)) = unusable.clone().next()
    {
        let (repo_url, count) = (subscription.repo_url.clone(), unusable.count());
        return Err(Error::Unusable {
            repo_url,
            count,
            tag: tag.clone(),
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

/// Discovers as [`discover`] does, and also says which tags were left out by which rule.
pub async fn select(
    registries: &Registries,
    caller: Caller<'_>,
    subscription: &ImageSubscription,
) -> Result<Selected, Error> {
    let repo_url = &subscription.repo_url;
    let rules = ImageRules::parse(subscription).map_err(|source| Error::Rules {
        repo_url: repo_url.clone(),
        source,
    })?;
    let repository = Repository::parse(repo_url)?;
    let insecure = subscription.insecure_skip_tls_verify;
    let mut reader = registries.reader(caller, &repository, insecure).await;
    if registries.cache_by_tag().applies_to(subscription)? {
        reader = reader.trusting_tags();
    }
    let tags = if rules.needs_tags() {
        reader.tags().await?
    } else {
        Vec::new()
    };
    let selection = rules.select(tags);
    let mut seen = Seen::new();
    loop {
        let wanted = match selection.next(&seen) {
            Next::Selected(selected) => return Ok(selected),
            Next::Fetch(wanted) => wanted,
        };
        if let Some(tag) = wanted.iter().find(|tag| !registry::is_tag(tag)) {
            return Err(Error::Tag {
                repo_url: repo_url.clone(),
                tag: tag.clone(),
            });
        }
        let count = seen.len() + wanted.len();
        if count > LOOKS_BOUND {
            return Err(Error::TooMany {
                repo_url: repo_url.clone(),
                count,
            });
        }
        let looks = wanted.into_iter().map(|tag| async {
            let look = look(&reader, &tag, rules.needs_platform()).await?;
            Ok::<_, registry::Error>((tag, look))
        });
        let looks: Vec<_> = stream::iter(looks)
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await?;
        seen.extend(looks);
    }
}

/// Looks at what a tag names.
async fn look(
    reader: &Reader<'_>,
    tag: &str,
    needs_platform: bool,
) -> Result<Look, registry::Error> {
    let named = match reader.manifest_of_tag(tag).await {
        Err(error) if matches!(*error.problem, Problem::NotFound { .. }) => return Ok(Look::Gone),
        named => named,
    };
    let found = async {
        let (digest, manifest) = named?;
        match manifest {
            Manifest::Single(single) => {
                look_at_single(reader, digest, single, needs_platform).await
            }
            Manifest::Index(index) => look_at_index(reader, digest, index).await,
        }
    };
    match found.await {
        Err(error) if error.is_about_one_image() => Ok(Look::Unusable(error.problem.to_string())),
        outcome => outcome,
    }
}

async fn look_at_single(
    reader: &Reader<'_>,
    digest: String,
    manifest: Single,
    needs_platform: bool,
) -> Result<Look, registry::Error> {
    let annotated = built::by_annotations(&manifest.annotations);
    if let (Some(_), false) = (annotated, needs_platform) {
        return Ok(Look::Found(Image {
            digest,
            created_at: annotated,
            annotations: manifest.annotations,
            platforms: Vec::new(),
        }));
    }
    let config = reader.config(&manifest.config.digest).await?;
    let created_at = annotated.or_else(|| built::by_config(&config));
    let platform = PlatformImage {
        platform: platform(&config.platform),
        annotations: manifest.annotations.clone(),
    };
    Ok(Look::Found(Image {
        digest,
        created_at,
        annotations: manifest.annotations,
        platforms: vec![platform],
    }))
}

async fn look_at_index(
    reader: &Reader<'_>,
    digest: String,
    index: Index,
) -> Result<Look, registry::Error> {
    let children: Vec<(Platform, Descriptor)> = index
        .manifests
        .into_iter()
        .filter_map(|child| {
            let of = platform(child.platform.as_ref()?);
            // Attestations are listed as images for an unknown platform.
            let is_known = |part: &str| !part.is_empty() && part != "unknown";
            (is_known(&of.os) && is_known(&of.architecture)).then_some((of, child))
        })
        .collect();
    match children.len() {
        0 => return Ok(Look::Unusable(Problem::EmptyIndex.to_string())),
        1..=CHILDREN_BOUND => {}
        _ => {
            return Ok(Look::Unusable(
                Problem::LargeIndex {
                    bound: CHILDREN_BOUND,
                }
                .to_string(),
            ));
        }
    }
    let mut created_at = built::by_annotations(&index.annotations);
    if created_at.is_none() {
        // Collected, because a stream over a closure that borrows cannot be shown to be `Send`.
        let builds: Vec<_> = children
            .iter()
            .map(|(_, child)| built(reader, child))
            .collect();
        let builds = stream::iter(builds).buffer_unordered(CONCURRENCY);
        created_at = builds
            .try_collect::<Vec<_>>()
            .await?
            .into_iter()
            .flatten()
            .max();
    }
    let platforms = children.into_iter().map(|(platform, child)| PlatformImage {
        platform,
        annotations: child.annotations,
    });
    Ok(Look::Found(Image {
        digest,
        created_at,
        annotations: index.annotations,
        platforms: platforms.collect(),
    }))
}

/// Says when the image of an index was built; nothing of an index within an index.
async fn built(
    reader: &Reader<'_>,
    child: &Descriptor,
) -> Result<Option<Timestamp>, registry::Error> {
    if let Some(created_at) = built::by_annotations(&child.annotations) {
        return Ok(Some(created_at));
    }
    match reader.manifest_of_digest(&child.digest).await? {
        Manifest::Index(_) => Ok(None),
        Manifest::Single(manifest) => match built::by_annotations(&manifest.annotations) {
            Some(created_at) => Ok(Some(created_at)),
            None => Ok(built::by_config(
                &reader.config(&manifest.config.digest).await?,
            )),
        },
    }
}

fn platform(platform: &registry::Platform) -> Platform {
    let registry::Platform {
        os,
        architecture,
        variant,
    } = platform.clone();
    Platform {
        os,
        architecture,
        variant,
    }
}
