//! What is in a repository: packages with their versions and tags, and all of it as Docker images.

use jiff::Timestamp;
use serde_json::json;

use super::page::{Field, Filter, Order, Page};
use super::{not_found, resources};
use crate::apis::Answer;
use crate::call::Call;
use crate::refusal::Refusal;
use crate::registry::Registry;
use crate::registry::address::RepositoryName;
use crate::registry::image::{By, Image, Place};
use crate::registry::store::Contents;
use resources::View;

/// A version of an image, before a page is made of it.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    name: &'a str,
    image: &'a Image,
    place: Place,
    uploaded: Timestamp,
    updated: Timestamp,
}

impl Registry {
    pub(super) fn list_docker_images(&self, call: &Call, name: &RepositoryName) -> Answer {
        self.allow_in(call, "artifactregistry.dockerimages.list", name)?;
        let (page, order) = (Page::parse(call)?, Order::parse(call.query("orderBy"))?);
        let make = |contents: &Contents| {
            let entries = contents
                .images
                .iter()
                .flat_map(|(name, image)| Entry::all(name, image));
            let entries = in_order(entries.collect(), order);
            page.of("dockerImages", &entries, |entry| {
                let version = entry.image.version(entry.place)?;
                Some(resources::docker_image(name, entry.name, &version))
            })
        };
        Ok(self
            .content
            .store
            .read(name, make)
            .unwrap_or_else(|| json!({})))
    }

    pub(super) fn docker_image(&self, call: &Call, name: &RepositoryName, id: &str) -> Answer {
        self.allow_in(call, "artifactregistry.dockerimages.get", name)?;
        let (image, digest) = id.rsplit_once('@').ok_or_else(not_found)?;
        let (image, digest) = (
            resources::image_of(image),
            digest.parse().map_err(|_| not_found())?,
        );
        let version = self
            .content
            .store
            .read_image(name, &image, |image| image.find_version(digest))
            .flatten();
        version
            .map(|version| resources::docker_image(name, &image, &version))
            .ok_or_else(not_found)
    }

    pub(super) fn list_packages(&self, call: &Call, name: &RepositoryName) -> Answer {
        self.allow_in(call, "artifactregistry.packages.list", name)?;
        let (page, filter) = (Page::parse(call)?, Filter::parse(call.query("filter"))?);
        let order = Order::parse(call.query("orderBy"))?;
        let fits = |image: &String| {
            let named = |filter: &Filter| filter.matches(&resources::package_name(name, image));
            filter.as_ref().is_none_or(named)
        };
        let found = self.content.store.read(name, |contents| {
            let fitting = contents.images.iter().filter(|(image, _)| fits(image));
            fitting
                .map(|(image, content)| (image.clone(), times(content)))
                .collect::<Vec<_>>()
        });
        let mut packages = found.unwrap_or_default();
        if let Some(order) = order {
            order.sort(&mut packages, |(image, (created, updated))| {
                match order.field {
                    Field::Name => (Timestamp::MIN, image.clone()),
                    Field::CreateTime => (*created, image.clone()),
                    Field::UpdateTime => (*updated, image.clone()),
                }
            });
        }
        Ok(
            page.of("packages", &packages, |(image, (created, updated))| {
                Some(resources::package(name, image, *created, *updated))
            }),
        )
    }

    pub(super) fn package(&self, call: &Call, name: &RepositoryName, id: &str) -> Answer {
        self.allow_in(call, "artifactregistry.packages.get", name)?;
        let image = resources::image_of(id);
        let (created, updated) = self
            .content
            .store
            .read_image(name, &image, times)
            .ok_or_else(not_found)?;
        Ok(resources::package(name, &image, created, updated))
    }

    pub(super) fn list_versions(
        &self,
        call: &Call,
        name: &RepositoryName,
        package: &str,
    ) -> Answer {
        self.allow_in(call, "artifactregistry.versions.list", name)?;
        let (page, order, view) = (
            Page::parse(call)?,
            Order::parse(call.query("orderBy"))?,
            view(call)?,
        );
        if let Some(filter) = call.query("filter").filter(|filter| !filter.is_empty()) {
            return Err(Refusal::not_simulated(&format!(
                "cannot filter versions by {filter}"
            )));
        }
        let image = resources::image_of(package);
        let make = |content: &Image| {
            let told = |place: Place| {
                let version = content.version(place)?;
                Some(resources::version(name, &image, &version, view))
            };
            let (by, is_newest_first) = match order {
                None => (By::Upload, false),
                Some(order) => match order.field {
                    Field::CreateTime => (By::Upload, order.descending),
                    Field::UpdateTime => (By::Change, order.descending),
                    Field::Name => {
                        let entries = in_order(Entry::all(&image, content).collect(), Some(order));
                        return page.of("versions", &entries, |entry| told(entry.place));
                    }
                },
            };
            let (start, size) = (page.start(), page.size());
            let (places, more) = content.page_of_places(by, is_newest_first, start, size);
            page.answer(
                "versions",
                places.into_iter().filter_map(told).collect(),
                more,
            )
        };
        self.content
            .store
            .read_image(name, &image, make)
            .ok_or_else(not_found)
    }

    pub(super) fn version(
        &self,
        call: &Call,
        name: &RepositoryName,
        package: &str,
        id: &str,
    ) -> Answer {
        self.allow_in(call, "artifactregistry.versions.get", name)?;
        let (view, digest) = (view(call)?, id.parse().map_err(|_| not_found())?);
        let image = resources::image_of(package);
        let version = self
            .content
            .store
            .read_image(name, &image, |image| image.find_version(digest))
            .flatten();
        version
            .map(|version| resources::version(name, &image, &version, view))
            .ok_or_else(not_found)
    }

    pub(super) fn list_tags(&self, call: &Call, name: &RepositoryName, package: &str) -> Answer {
        self.allow_in(call, "artifactregistry.tags.list", name)?;
        let (page, filter) = (Page::parse(call)?, Filter::parse(call.query("filter"))?);
        let image = resources::image_of(package);
        let make = |content: &Image| {
            let version_of = |tag: &str| {
                content
                    .find_tag(tag)
                    .map(|digest| resources::version_name(name, &image, digest))
            };
            let fits = |tag: &String| match &filter {
                None => true,
                Some(filter) if filter.field == "version" => {
                    version_of(tag).is_some_and(|version| filter.matches(&version))
                }
                Some(filter) => filter.matches(&resources::tag_name(name, &image, tag)),
            };
            let tags: Vec<String> = content.tag_names().filter(fits).collect();
            page.of("tags", &tags, |tag| {
                Some(resources::tag(name, &image, tag, content.find_tag(tag)?))
            })
        };
        self.content
            .store
            .read_image(name, &image, make)
            .ok_or_else(not_found)
    }

    pub(super) fn tag(
        &self,
        call: &Call,
        name: &RepositoryName,
        package: &str,
        tag: &str,
    ) -> Answer {
        self.allow_in(call, "artifactregistry.tags.get", name)?;
        let image = resources::image_of(package);
        let digest = self
            .content
            .store
            .read_image(name, &image, |image| image.find_tag(tag))
            .flatten();
        digest
            .map(|digest| resources::tag(name, &image, tag, digest))
            .ok_or_else(not_found)
    }
}

impl<'a> Entry<'a> {
    /// The versions of an image, the oldest upload first.
    fn all(name: &'a str, image: &'a Image) -> impl Iterator<Item = Self> {
        let places = image.places().into_iter();
        places.map(move |(place, uploaded, updated)| Self {
            name,
            image,
            place,
            uploaded,
            updated,
        })
    }
}

/// Puts versions into the order that was asked for. What Google does where none is asked for is not documented.
fn in_order(mut entries: Vec<Entry<'_>>, order: Option<Order>) -> Vec<Entry<'_>> {
    let Some(order) = order else {
        return entries;
    };
    match order.field {
        Field::CreateTime => order.sort(&mut entries, |entry| entry.uploaded),
        Field::UpdateTime => order.sort(&mut entries, |entry| entry.updated),
        Field::Name => order.sort(&mut entries, |entry| {
            let digest = entry
                .image
                .version(entry.place)
                .map(|version| version.digest);
            (entry.name.to_owned(), digest)
        }),
    }
    entries
}

/// When an image's first manifest came, and when anything of it last changed.
fn times(image: &Image) -> (Timestamp, Timestamp) {
    let places = image.places();
    let created = places.iter().map(|(_, uploaded, _)| *uploaded).min();
    let updated = places.iter().map(|(_, _, updated)| *updated).max();
    (
        created.unwrap_or(Timestamp::UNIX_EPOCH),
        updated.unwrap_or(Timestamp::UNIX_EPOCH),
    )
}

fn view(call: &Call) -> Result<View, Refusal> {
    match call.query("view").unwrap_or_default() {
        "" | "0" | "1" | "BASIC" | "VERSION_VIEW_UNSPECIFIED" => Ok(View::Basic),
        "2" | "FULL" => Ok(View::Full),
        other => Err(Refusal::invalid_field(
            "view",
            format!(
                "Invalid value at 'view' (type.googleapis.com/google.devtools.artifactregistry.v1.VersionView), \"{other}\""
            ),
        )),
    }
}
