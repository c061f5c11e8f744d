//! The parts of the demo: a Git host, a registry, `argosy up`, and what is in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use loopback_servers::{Access, Argosy, GitServer, Image, Kubectl, Registry};
use tempfile::TempDir;

use super::{PROJECT, say, title};
use crate::{generate, tools, workspace};

/// The repository of manifests, as its URL's path.
const REPOSITORY: &str = "acme/deploy";

/// The image's repository in its registry.
const IMAGE: &str = "acme/web";

/// Servers that run, and what they hold.
pub(super) struct Prepared {
    git: GitServer,
    registry: Registry,
    binary: PathBuf,
    folder: TempDir,
}

/// All of it, with a running `argosy`.
pub(super) struct World {
    parts: Prepared,
    argosy: Argosy,
}

impl Prepared {
    /// Builds argosy, starts the servers, and fills them: one image, one repository, the manifests.
    pub(super) fn new() -> Result<Self> {
        tools::ensure_tools()?;
        let binary = generate::build_argosy(&[])?;
        title("A Git host and an image registry, as a company has them");
        let git = GitServer::start(Access::Password)?;
        let registry = Registry::start(Access::Open)?;
        let parts = Self {
            git,
            registry,
            binary,
            folder: tempfile::tempdir()?,
        };
        parts.fill()?;
        Ok(parts)
    }

    fn fill(&self) -> Result<()> {
        let example = workspace::root()?.join("examples/quickstart");
        let mut files = Vec::new();
        for path in files_below(&example.join("deploy"))? {
            let name = path
                .strip_prefix(example.join("deploy"))?
                .display()
                .to_string();
            files.push((name, self.localised(&path)?));
        }
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        self.git.create(REPOSITORY, &files)?;
        say(&format!(
            "git repository {} with {} files",
            self.git.url(REPOSITORY),
            files.len()
        ));
        fs::create_dir(self.manifests())?;
        for name in ["project.yaml", "pipeline.yaml"] {
            // kubectl applies a folder in the order of its names.
            let order = if name == "project.yaml" { "1" } else { "2" };
            fs::write(
                self.manifests().join(format!("{order}-{name}")),
                self.localised(&example.join(name))?,
            )?;
        }
        self.push_image("1.0.0")
    }

    /// A file of the example with the demo's own addresses.
    fn localised(&self, path: &Path) -> Result<String> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        Ok(text
            .replace(
                "https://git.example.com/acme/deploy.git",
                &self.git.url(REPOSITORY),
            )
            .replace(
                "registry.example.com/acme/web",
                &self.registry.repository(IMAGE),
            ))
    }

    /// Starts `argosy up` and waits until it is ready.
    pub(super) fn start(self) -> Result<World> {
        say("argosy up");
        let argosy = Argosy::start(&self.binary, self.folder.path(), &[])?;
        say(&format!("ready on https://127.0.0.1:{}", argosy.port()));
        Ok(World {
            parts: self,
            argosy,
        })
    }

    fn manifests(&self) -> PathBuf {
        self.folder.path().join("manifests")
    }

    fn push_image(&self, version: &str) -> Result<()> {
        let digest = self.registry.push(&Image::new(IMAGE, version))?;
        say(&format!(
            "image {}:{version} is {digest:.19}…",
            self.registry.repository(IMAGE)
        ));
        Ok(())
    }
}

impl World {
    /// kubectl, with the kubeconfig that `argosy up` wrote.
    pub(super) fn kubectl(&self) -> &Kubectl {
        self.argosy.kubectl()
    }

    /// The folder of the demo's manifests.
    pub(super) fn manifests(&self) -> PathBuf {
        self.parts.manifests()
    }

    pub(super) fn push_image(&self, version: &str) -> Result<()> {
        self.parts.push_image(version)
    }

    /// Creates a Promotion; nothing yet while the API says that the Freight is not available to the Stage.
    pub(super) fn create_promotion(&self, stage: &str, freight: &str) -> Result<Option<String>> {
        let manifest = format!(
            "apiVersion: kargo.akuity.io/v1alpha1\nkind: Promotion\nmetadata:\n  generateName: promo-\n  \
             namespace: {PROJECT}\nspec:\n  stage: {stage}\n  freight: {freight}\n"
        );
        match self
            .kubectl()
            .run_with(&["create", "-f", "-", "-o", "name"], &manifest)
        {
            Ok(text) => Ok(text.trim().rsplit('/').next().map(str::to_owned)),
            Err(refusal) if refusal.to_string().contains("not available") => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    pub(super) fn git_log(&self, stage: &str) -> Result<String> {
        self.parts.git.git(
            REPOSITORY,
            &["log", "--oneline", "--decorate", &format!("stage/{stage}")],
        )
    }

    pub(super) fn last_diff(&self, stage: &str) -> Result<String> {
        self.parts.git.git(
            REPOSITORY,
            &["show", "--format=%h %s", &format!("stage/{stage}")],
        )
    }

    /// What went wrong, as far as objects and the log tell.
    pub(super) fn why(&self) -> String {
        let objects = ["warehouses", "stages", "promotions"].map(|kind| {
            self.kubectl()
                .run(&["-n", PROJECT, "get", kind, "-o", "yaml"])
                .unwrap_or_else(|error| format!("{error:#}"))
        });
        let log = fs::read_to_string(self.argosy.log()).unwrap_or_default();
        let end: Vec<&str> = log.lines().rev().take(30).collect();
        let end: Vec<&str> = end.into_iter().rev().collect();
        format!(
            "{}\n--- end of argosy's log ---\n{}",
            objects.join("---\n"),
            end.join("\n")
        )
    }

    /// Leaves everything running until Enter.
    pub(super) fn keep(&self) -> Result<()> {
        title("Still running; look around, then press Enter to end");
        say(&format!(
            "export KUBECONFIG={}",
            self.kubectl().kubeconfig().display()
        ));
        say(&format!(
            "kubectl -n {PROJECT} get warehouses,freights,stages,promotions"
        ));
        say(&format!("kubectl -n {PROJECT} describe stage prod"));
        say(&format!(
            "git -C {} log --all --oneline --graph",
            self.parts.git.path(REPOSITORY).display()
        ));
        say(&format!("log: {}", self.argosy.log().display()));
        std::io::stdin().read_line(&mut String::new())?;
        Ok(())
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

#[expect(clippy::disallowed_methods, reason = "a program without a runtime")]
pub(super) fn pause(time: Duration) {
    std::thread::sleep(time);
}
