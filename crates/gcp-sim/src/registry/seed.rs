//! The images that a world asks for: a few bytes that every client can pull.

use std::collections::BTreeSet;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Registry;
use super::address::RepositoryName;
use super::digest::Digest;
use super::generated::Generated;
use super::image::Image;
use super::manifest::{IMAGE, INDEX, Manifest, read_config};
use super::notices::Notice;
use super::version::Stored;
use crate::world::SeedImage;

/// An empty tar archive.
const LAYER: &[u8] = &[0; 1024];

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

impl Registry {
    /// Puts in what the repositories of the world begin with.
    pub(super) fn seed(&self) {
        let seeds: Vec<(RepositoryName, SeedImage)> = self.google.read(|world| {
            let repositories = world.projects.iter().flat_map(|project| {
                project
                    .repositories
                    .iter()
                    .map(|repository| (project.id.clone(), repository))
            });
            repositories
                .flat_map(|(project, repository)| {
                    let name = RepositoryName {
                        project,
                        location: repository.location.clone(),
                        repository: repository.name.clone(),
                    };
                    repository
                        .images
                        .iter()
                        .map(move |image| (name.clone(), image.clone()))
                })
                .collect()
        });
        for (repository, image) in seeds {
            self.add(&repository, &image);
        }
    }

    /// Puts an image into a repository, as if it had been pushed when the seed says, or now.
    pub(crate) fn push(&self, repository: (&str, &str, &str), seed: &SeedImage) {
        let name = named(repository);
        for (digest, is_tagged) in self.add(&name, seed) {
            let tags = seed.tags.iter().filter(|_| is_tagged);
            let tagged = tags.map(|tag| Notice::Tagged { digest, tag });
            let notices: Vec<Notice<'_>> = std::iter::once(Notice::Pushed { digest })
                .chain(tagged)
                .collect();
            self.announce(&name, &seed.name, &notices);
        }
    }

    /// Deletes what a tag names, with all its tags; `false` if there is none.
    pub(crate) fn delete(&self, repository: (&str, &str, &str), image: &str, tag: &str) -> bool {
        let name = named(repository);
        let gone = self.content.store.write_image(&name, image, |image| {
            let digest = image.find_tag(tag)?;
            let version = image.find_version(digest)?;
            image.delete(digest).then_some((digest, version.tags))
        });
        let Some((digest, tags)) = gone else {
            return false;
        };
        let untagged = tags.iter().map(|tag| Notice::Untagged { tag });
        let notices: Vec<Notice<'_>> = untagged.chain([Notice::Deleted { digest }]).collect();
        self.announce(&name, image, &notices);
        true
    }

    /// Puts an image into a repository, as if it had been pushed when the seed says. Gives its manifests, each with whether
    /// the tags are its own.
    fn add(&self, repository: &RepositoryName, seed: &SeedImage) -> Vec<(Digest, bool)> {
        let name = format!("{repository}/{}", seed.name);
        let store = &self.content.store;
        if let Some(plan) = &seed.generate {
            let generated = Image::generated(Generated::new(&name, plan.clone()));
            store.write_image(repository, &seed.name, |image| *image = generated);
        }
        if seed.tags.is_empty() {
            return Vec::new();
        }
        let pushed = Pushed::of(seed, &name, self.google.now());
        for blob in pushed.blobs {
            store.put_blob(repository, blob);
        }
        store.write_image(repository, &seed.name, |image| {
            let keep = |(stored, is_tagged): (Stored, bool)| {
                let digest = Digest::of(&stored.bytes);
                image.push(digest, stored, None);
                for tag in seed.tags.iter().filter(|_| is_tagged) {
                    image.move_tag(tag, digest, pushed.uploaded);
                }
                (digest, is_tagged)
            };
            pushed.manifests.into_iter().map(keep).collect()
        })
    }
}

fn named((project, location, repository): (&str, &str, &str)) -> RepositoryName {
    RepositoryName {
        project: project.to_owned(),
        location: location.to_owned(),
        repository: repository.to_owned(),
    }
}

/// What pushing a seed would have sent.
struct Pushed {
    blobs: Vec<Bytes>,
    /// With whether the tags are this one's.
    manifests: Vec<(Stored, bool)>,
    uploaded: Timestamp,
}

impl Pushed {
    fn of(seed: &SeedImage, name: &str, now: Timestamp) -> Self {
        let uploaded = seed.uploaded.or(seed.built).unwrap_or(now);
        let mut pushed = Self {
            blobs: vec![Bytes::from_static(LAYER)],
            manifests: Vec::new(),
            uploaded,
        };
        let single = ["linux/amd64".to_owned()];
        let platforms = if seed.platforms.is_empty() {
            &single[..]
        } else {
            &seed.platforms
        };
        let built = seed.built.unwrap_or(uploaded);
        let label = format!("{name}:{}", seed.tags.join(","));
        let entries: Vec<Value> = platforms
            .iter()
            .map(|platform| pushed.add_image(platform, built, &label, platforms.len() == 1))
            .collect();
        if entries.len() > 1 {
            let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
            pushed.add_manifest(&index, true);
        }
        pushed
    }

    /// Adds the image for one platform; gives its entry in an index.
    fn add_image(
        &mut self,
        platform: &str,
        built: Timestamp,
        label: &str,
        is_tagged: bool,
    ) -> Value {
        let mut parts = platform.split('/');
        let os = parts.next().unwrap_or_default();
        let architecture = parts.next().unwrap_or("amd64");
        let mut runs_on = json!({"os": os, "architecture": architecture});
        if let Some(variant) = parts.next() {
            runs_on["variant"] = json!(variant);
        }
        let mut config = runs_on.clone();
        config["created"] = json!(built);
        config["config"] = json!({"Labels": {"org.opencontainers.image.title": label}});
        config["rootfs"] = json!({"type": "layers", "diff_ids": [Digest::of(LAYER)]});
        let config = Bytes::from(config.to_string());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": {"mediaType": CONFIG, "digest": Digest::of(&config), "size": config.len()},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": Digest::of(LAYER), "size": LAYER.len()}],
        });
        self.blobs.push(config);
        let (digest, size) = self.add_manifest(&manifest, is_tagged);
        json!({"mediaType": IMAGE, "digest": digest, "size": size, "platform": runs_on})
    }

    fn add_manifest(&mut self, manifest: &Value, is_tagged: bool) -> (Digest, usize) {
        let bytes = Bytes::from(manifest.to_string());
        let digest = Digest::of(&bytes);
        let size = bytes.len();
        let parsed = Manifest::parse(&bytes, None).expect("the manifest was written just now");
        let config = parsed.config.as_ref().and(self.blobs.last());
        let (built, platform) = config.map_or((None, None), |config| read_config(config));
        let stored = Stored {
            bytes,
            manifest: parsed,
            built,
            platform,
            uploaded: self.uploaded,
            updated: self.uploaded,
            tags: BTreeSet::new(),
        };
        self.manifests.push((stored, is_tagged));
        (digest, size)
    }
}
