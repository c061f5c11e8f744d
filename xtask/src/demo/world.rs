//! The parts of the demo: a Git host, a registry, `argosy up`, and what is in them.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use loopback_servers::{Access, GitServer, Image, Process, Registry};
use tempfile::TempDir;

use super::kubectl::Kubectl;
use super::{PROJECT, say, title};
use crate::{generate, tools, workspace};

/// The repository of manifests, as its URL's path.
const REPOSITORY: &str = "acme/deploy";

/// The image's repository in its registry.
const IMAGE: &str = "acme/web";

/// Servers that run, and `argosy` once it is started.
pub(super) struct World {
    pub(super) kubectl: Kubectl,
    git: GitServer,
    registry: Registry,
    argosy: Option<Process>,
    binary: PathBuf,
    folder: TempDir,
    port: u16,
}

impl World {
    /// Builds argosy, starts the servers, and fills them: one image, one repository, the manifests.
    pub(super) fn prepare() -> Result<Self> {
        let bin = tools::ensure_tools()?;
        let binary = generate::build_argosy(&[])?;
        title("A Git host and an image registry, as a company has them");
        let folder = tempfile::tempdir()?;
        let git = GitServer::start(Access::Password)?;
        let registry = Registry::start(Access::Open)?;
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))?
            .local_addr()?
            .port();
        let kubectl = Kubectl {
            program: bin.join("kubectl"),
            kubeconfig: folder.path().join("kubeconfig"),
        };
        let world = Self {
            kubectl,
            git,
            registry,
            argosy: None,
            binary,
            folder,
            port,
        };
        world.fill()?;
        Ok(world)
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
    pub(super) fn start(mut self) -> Result<Self> {
        let data = self.folder.path().join("data");
        let listen = format!("127.0.0.1:{}", self.port);
        say(&format!(
            "argosy up --data-dir {} --listen {listen}",
            data.display()
        ));
        let bin = tools::ensure_tools()?;
        let mut argosy = Process::start(
            Command::new(&self.binary)
                .arg("up")
                .arg("--data-dir")
                .arg(&data)
                .args(["--listen", &listen, "--kubeconfig-out"])
                .arg(&self.kubectl.kubeconfig)
                .arg("--kustomize")
                .arg(bin.join("kustomize")),
            &self.log(),
        )?;
        let kubectl = &self.kubectl;
        argosy
            .wait_until(Duration::from_secs(20), || {
                kubectl.kubeconfig.exists() && kubectl.run(&["get", "--raw", "/readyz"]).is_ok()
            })
            .context("argosy up did not become ready")?;
        self.argosy = Some(argosy);
        Ok(self)
    }

    /// The folder of the demo's manifests.
    pub(super) fn manifests(&self) -> PathBuf {
        self.folder.path().join("manifests")
    }

    pub(super) fn push_image(&self, version: &str) -> Result<()> {
        let digest = self.registry.push(&Image::new(IMAGE, version))?;
        say(&format!(
            "image {}:{version} is {digest:.19}…",
            self.registry.repository(IMAGE)
        ));
        Ok(())
    }

    /// Creates a Promotion; nothing yet while the API says that the Freight is not available to the Stage.
    pub(super) fn create_promotion(&self, stage: &str, freight: &str) -> Result<Option<String>> {
        let manifest = format!(
            "apiVersion: kargo.akuity.io/v1alpha1\nkind: Promotion\nmetadata:\n  generateName: promo-\n  \
             namespace: {PROJECT}\nspec:\n  stage: {stage}\n  freight: {freight}\n"
        );
        let mut child = self
            .kubectl
            .command(&["create", "-f", "-", "-o", "name"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        child
            .stdin
            .take()
            .context("stdin is a pipe")?
            .write_all(manifest.as_bytes())?;
        let output = child.wait_with_output()?;
        let refusal = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.status.success() {
            let text = String::from_utf8(output.stdout)?;
            return Ok(text.trim().rsplit('/').next().map(str::to_owned));
        }
        if refusal.contains("not available") {
            return Ok(None);
        }
        bail!("kubectl create: {refusal}")
    }

    pub(super) fn git_log(&self, stage: &str) -> Result<String> {
        self.git.git(
            REPOSITORY,
            &["log", "--oneline", "--decorate", &format!("stage/{stage}")],
        )
    }

    pub(super) fn last_diff(&self, stage: &str) -> Result<String> {
        self.git.git(
            REPOSITORY,
            &["show", "--format=%h %s", &format!("stage/{stage}")],
        )
    }

    /// What went wrong, as far as objects and the log tell.
    pub(super) fn why(&self) -> String {
        let objects = ["warehouses", "stages", "promotions"].map(|kind| {
            self.kubectl
                .run(&["-n", PROJECT, "get", kind, "-o", "yaml"])
                .unwrap_or_else(|error| format!("{error:#}"))
        });
        let log = fs::read_to_string(self.log()).unwrap_or_default();
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
            self.kubectl.kubeconfig.display()
        ));
        say(&format!(
            "kubectl -n {PROJECT} get warehouses,freights,stages,promotions"
        ));
        say(&format!("kubectl -n {PROJECT} describe stage prod"));
        say(&format!(
            "git -C {} log --all --oneline --graph",
            self.git.path(REPOSITORY).display()
        ));
        say(&format!("log: {}", self.log().display()));
        std::io::stdin().read_line(&mut String::new())?;
        Ok(())
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("argosy.log")
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
