//! `examples/quickstart` on loopback: its Git repository, its image, its manifests with our addresses.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::{Access, Argosy, GitServer, Image, Kubectl, Registry};

/// The project of the example.
pub const PROJECT: &str = "quickstart";

/// The repository of manifests, as its URL's path.
const REPOSITORY: &str = "acme/deploy";

/// The image's repository in its registry.
const IMAGE: &str = "acme/web";

/// The example's servers, filled and running.
#[derive(Debug)]
pub struct Quickstart {
    git: GitServer,
    registry: Registry,
    folder: TempDir,
    image: String,
}

impl Quickstart {
    /// Starts the servers and fills them from the example's folder; no image is pushed yet.
    ///
    /// # Errors
    /// When a server does not come up or the example cannot be read.
    pub fn start(example: &Path) -> Result<Self> {
        Self::start_with_image(example, None)
    }

    /// The same with another name for the image, under which somebody shows what the registry holds.
    ///
    /// # Errors
    /// When a server does not come up or the example cannot be read.
    pub fn start_with_image(example: &Path, image: Option<&str>) -> Result<Self> {
        let registry = Registry::start(Access::Open)?;
        let parts = Self {
            git: GitServer::start(Access::Password)?,
            folder: tempfile::tempdir()?,
            image: image.map_or_else(|| registry.repository(IMAGE), str::to_owned),
            registry,
        };
        let deploy = example.join("deploy");
        let mut files = Vec::new();
        for path in files_below(&deploy)? {
            let name = path.strip_prefix(&deploy)?.display().to_string();
            files.push((name, parts.localised(&path)?));
        }
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        parts.git.create(REPOSITORY, &files)?;
        fs::create_dir(parts.manifests())?;
        // kubectl applies a folder in the order of its names: the project comes first.
        for (source, target) in [
            ("project.yaml", "1-project.yaml"),
            ("pipeline.yaml", "2-pipeline.yaml"),
        ] {
            fs::write(
                parts.manifests().join(target),
                parts.localised(&example.join(source))?,
            )?;
        }
        Ok(parts)
    }

    /// A file of the example with our addresses.
    fn localised(&self, path: &Path) -> Result<String> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        Ok(text
            .replace(
                "https://git.example.com/acme/deploy.git",
                &self.git.url(REPOSITORY),
            )
            .replace("registry.example.com/acme/web", &self.image))
    }

    /// Starts `argosy up`; its data survives until the example is dropped.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn argosy(&self, binary: &Path, more: &[&str]) -> Result<Argosy> {
        Argosy::start(binary, self.folder.path(), more)
    }

    /// The folder of the manifests.
    pub fn manifests(&self) -> PathBuf {
        self.folder.path().join("manifests")
    }

    /// The image without tag, as the Warehouse subscribes to it.
    pub fn image(&self) -> &str {
        &self.image
    }

    /// `127.0.0.1:<port>`: the registry that holds the image.
    pub fn registry(&self) -> String {
        self.registry.host()
    }

    /// A folder that goes away with the example.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The URL of the repository of manifests.
    pub fn repository_url(&self) -> String {
        self.git.url(REPOSITORY)
    }

    /// Where that repository lies on disk.
    pub fn repository_path(&self) -> PathBuf {
        self.git.path(REPOSITORY)
    }

    /// Pushes a version of the image; gives its digest.
    ///
    /// # Errors
    /// When skopeo fails.
    pub fn push_image(&self, version: &str) -> Result<String> {
        self.registry.push(&Image::new(IMAGE, version))
    }

    /// Adds many commits to the repository of manifests; they leave alone what is promoted.
    ///
    /// # Errors
    /// When git fails.
    pub fn grow_repository(&self, commits: usize) -> Result<()> {
        self.git.grow(REPOSITORY, commits)
    }

    /// Runs git in the repository of manifests: `log`, `show` …
    ///
    /// # Errors
    /// When git fails.
    pub fn git(&self, arguments: &[&str]) -> Result<String> {
        self.git.git(REPOSITORY, arguments)
    }

    /// Finds the Freight that holds a version of the image.
    ///
    /// # Errors
    /// When kubectl fails.
    pub fn find_freight(&self, kubectl: &Kubectl, version: &str) -> Result<Option<String>> {
        let list = kubectl.json(&["-n", PROJECT, "get", "freights"])?;
        let items = list
            .get("items")
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        let found = items
            .iter()
            .find(|freight| {
                freight.pointer("/images/0/tag").and_then(Value::as_str) == Some(version)
            })
            .and_then(|freight| freight.pointer("/metadata/name").and_then(Value::as_str));
        Ok(found.map(str::to_owned))
    }

    /// The name of the Freight that a Stage holds.
    ///
    /// # Errors
    /// When kubectl fails.
    pub fn freight_in(&self, kubectl: &Kubectl, stage: &str) -> Result<Option<String>> {
        let found = kubectl.json(&["-n", PROJECT, "get", "stage", stage])?;
        let name = found
            .pointer("/status/freightHistory/0/items/Warehouse~1web/name")
            .and_then(Value::as_str);
        Ok(name.map(str::to_owned))
    }

    /// Creates a Promotion with `kubectl create` and gives its name; `None` while the Freight is not available to the
    /// Stage.
    ///
    /// # Errors
    /// When it is refused for another reason.
    pub fn create_promotion(
        &self,
        kubectl: &Kubectl,
        stage: &str,
        freight: &str,
    ) -> Result<Option<String>> {
        let manifest = format!(
            "apiVersion: kargo.akuity.io/v1alpha1\nkind: Promotion\nmetadata:\n  generateName: promo-\n  \
             namespace: {PROJECT}\nspec:\n  stage: {stage}\n  freight: {freight}\n"
        );
        match kubectl.run_with(&["create", "-f", "-", "-o", "name"], &manifest) {
            Ok(text) => Ok(text.trim().rsplit('/').next().map(str::to_owned)),
            Err(refusal) if refusal.to_string().contains("not available") => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// What the objects and the log say, for when something did not happen.
    pub fn state(&self, argosy: &Argosy) -> String {
        let objects = ["warehouses", "freights", "stages", "promotions", "events"].map(|kind| {
            let kubectl = argosy.kubectl();
            kubectl
                .run(&["-n", PROJECT, "get", kind, "-o", "yaml"])
                .unwrap_or_else(|error| format!("{error:#}"))
        });
        let log = fs::read_to_string(argosy.log()).unwrap_or_default();
        let end: Vec<&str> = log.lines().rev().take(40).collect();
        let end: Vec<&str> = end.into_iter().rev().collect();
        format!(
            "{}\n--- the end of argosy's log ---\n{}",
            objects.join("---\n"),
            end.join("\n")
        )
    }
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("failed to read {}", folder.display()))?
    {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
