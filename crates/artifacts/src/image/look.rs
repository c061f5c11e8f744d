//! Looks at one image: its platforms, its annotations, and when it was built.

use domain::selection::{Image, Look, Platform, PlatformImage, Wanted};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

use super::{CONCURRENCY, built};
use crate::registry::{self, Descriptor, Index, Listing, Manifest, Problem, Reader, Said, Single};

/// Most images of an index: the rest is a mistake or an attack.
const CHILDREN_BOUND: usize = 200;

/// Looks at what a tag names.
///
/// Where the list names its digest, what is remembered of that is as good as asking.
pub(super) async fn look(
    reader: &Reader<'_>,
    listing: &Listing<'_>,
    wanted: &Wanted,
    needs_platform: bool,
) -> Result<Look, registry::Error> {
    let named = match &wanted.digest {
        None => reader.manifest_of_tag(&wanted.tag).await,
        Some(digest) => {
            let manifest = reader.manifest_of_digest(digest).await;
            manifest.map(|manifest| (digest.clone(), manifest))
        }
    };
    let named = match named {
        Err(error) if matches!(*error.problem, Problem::NotFound { .. }) => return Ok(Look::Gone),
        named => named,
    };
    let found = async {
        let (digest, manifest) = named?;
        match manifest {
            Manifest::Single(single) => {
                look_at_single(reader, digest, single, needs_platform).await
            }
            Manifest::Index(index) => look_at_index(reader, listing, digest, index).await,
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
    if let Err(problem) = manifest.check_config() {
        return Ok(Look::Unusable(problem.to_string()));
    }
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
    listing: &Listing<'_>,
    digest: String,
    index: Index,
) -> Result<Look, registry::Error> {
    let is_nested = index.manifests.iter().any(Descriptor::is_index);
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
    let unusable = |problem: Problem| Ok(Look::Unusable(problem.to_string()));
    let bound = CHILDREN_BOUND;
    match children.len() {
        0 if is_nested => return unusable(Problem::NestedIndex),
        0 => return unusable(Problem::EmptyIndex),
        count if count > bound => return unusable(Problem::LargeIndex { bound }),
        _ if children.iter().any(|(_, child)| child.is_index()) => {
            return unusable(Problem::NestedIndex);
        }
        _ => {}
    }
    let created_at = match built::by_annotations(&index.annotations) {
        Some(created_at) => Some(created_at),
        None => match latest_build(reader, listing, &children).await {
            Ok(created_at) => created_at,
            Err(Nested::Registry(error)) => return Err(error),
            Err(Nested::Index) => return unusable(Problem::NestedIndex),
        },
    };
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

/// Why it is not known when an index's image was built.
enum Nested {
    Registry(registry::Error),
    /// It is an index itself.
    Index,
}

impl From<registry::Error> for Nested {
    fn from(error: registry::Error) -> Self {
        Self::Registry(error)
    }
}

/// Says when the last image of an index was built.
///
/// Of those whose time the registry tells otherwise only the latest is looked at: in its list, or asked for one by one,
/// which spares two requests of three.
async fn latest_build(
    reader: &Reader<'_>,
    listing: &Listing<'_>,
    children: &[(Platform, Descriptor)],
) -> Result<Option<Timestamp>, Nested> {
    let (mut latest, mut told, mut untold) = (None, Vec::new(), Vec::new());
    for (_, child) in children {
        match built::by_annotations(&child.annotations) {
            Some(built_at) => latest = latest.max(Some(built_at)),
            None => match listing.built_at(&child.digest) {
                Said::Built(at) => told.push((at, By::List, child)),
                Said::Nothing => untold.push(child),
            },
        }
    }
    // The only one is looked at in any case.
    if untold.len() + told.len() > 1 {
        untold = ask_each(reader, listing, untold, &mut told).await;
    }
    // Of equal ones that of the list, which is not as exact.
    let best = told.into_iter().max_by_key(|(at, by, _)| (*at, *by));
    let wanted = untold.into_iter().map(|child| (child, None));
    let best = best.map(|(at, by, child)| (child, (by == By::Digest).then_some(at)));
    // Collected, because a stream over a closure that borrows cannot be shown to be `Send`.
    let builds: Vec<_> = wanted
        .chain(best)
        .map(|(child, said)| built(reader, child, said))
        .collect();
    let builds = stream::iter(builds).buffer_unordered(CONCURRENCY);
    let builds: Vec<_> = builds.try_collect().await?;
    Ok(latest.max(builds.into_iter().flatten().max()))
}

/// How the registry told when an image was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    /// As exact as the image itself has it.
    Digest,
    /// To the millisecond.
    List,
}

/// Asks the registry of images by their digests, as far as they are not at hand; gives those of which it does not tell.
async fn ask_each<'c>(
    reader: &Reader<'_>,
    listing: &Listing<'_>,
    children: Vec<&'c Descriptor>,
    told: &mut Vec<(Timestamp, By, &'c Descriptor)>,
) -> Vec<&'c Descriptor> {
    let asked = children.into_iter().map(|child| async move {
        if reader.knows_image(&child.digest).await {
            return (child, Said::Nothing);
        }
        (child, listing.ask_built_at(&child.digest).await)
    });
    let asked: Vec<_> = asked.collect();
    let asked: Vec<_> = stream::iter(asked).buffered(CONCURRENCY).collect().await;
    let mut untold = Vec::new();
    for (child, said) in asked {
        match said {
            Said::Built(at) => told.push((at, By::Digest, child)),
            Said::Nothing => untold.push(child),
        }
    }
    untold
}

/// Says when the image of an index was built; `said` is what its config says, where the registry has told.
async fn built(
    reader: &Reader<'_>,
    child: &Descriptor,
    said: Option<Timestamp>,
) -> Result<Option<Timestamp>, Nested> {
    match reader.manifest_of_digest(&child.digest).await? {
        Manifest::Index(_) => Err(Nested::Index),
        Manifest::Single(manifest) => match built::by_annotations(&manifest.annotations).or(said) {
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
