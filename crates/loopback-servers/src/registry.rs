//! An image registry: Debian's `docker-registry`, filled by `skopeo`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::image::Image;
use crate::process::{Process, accepts, free_port};
use crate::{Access, PASSWORD, USER, chart, tools};

/// What `htpasswd -B` makes of [`USER`] and [`PASSWORD`]; the registry reads no other hash.
const HTPASSWD: &str = "argosy:$2b$04$EXN6fcau2WvJ8/gtp4B8XO9/fjuFIN4b/RV4dn481gcJ8SOCDdnxO\n";

/// A running registry that answers plain HTTP; dropping it stops it and deletes what it holds.
#[derive(Debug)]
pub struct Registry {
    process: Process,
    folder: TempDir,
    port: u16,
    access: Access,
}

impl Registry {
    /// Starts an empty registry on a free loopback port.
    ///
    /// # Errors
    /// When `docker-registry` is missing or does not come up within 10 seconds.
    pub fn start(access: Access) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = free_port()?;
        let auth = match access {
            Access::Open => String::new(),
            Access::Password => {
                let file = folder.path().join("htpasswd");
                fs::write(&file, HTPASSWD)?;
                format!(
                    "auth:\n  htpasswd:\n    realm: loopback\n    path: {}\n",
                    file.display()
                )
            }
        };
        let configuration = folder.path().join("config.yml");
        fs::write(
            &configuration,
            format!(
                "version: 0.1\nlog:\n  level: warn\nstorage:\n  delete:\n    enabled: true\n  filesystem:\n    \
                 rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n  secret: loopback\n{auth}",
                folder.path().join("data").display()
            ),
        )?;
        let mut process = Process::start(
            Command::new(tools::path("docker-registry")?)
                .arg("serve")
                .arg(&configuration),
            &folder.path().join("log"),
        )?;
        process
            .wait_until(Duration::from_secs(10), || accepts(port))
            .context("docker-registry did not come up")?;
        Ok(Self {
            process,
            folder,
            port,
            access,
        })
    }

    /// `127.0.0.1:<port>`: how image references begin.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The reference of a repository without tag, such as `127.0.0.1:5000/acme/web`.
    pub fn repository(&self, name: &str) -> String {
        format!("{}/{name}", self.host())
    }

    /// Pushes `image` and gives its digest, `sha256:…`.
    ///
    /// # Errors
    /// When skopeo is missing or the push fails.
    pub fn push(&self, image: &Image) -> Result<String> {
        let layout = tempfile::tempdir_in(self.folder.path())?;
        let digest = image.write_layout(layout.path())?;
        self.skopeo(
            layout.path(),
            &self.repository(&image.repository),
            &image.tag,
        )?;
        Ok(digest)
    }

    /// Pushes a version of a chart, under a tag as Helm makes it, and gives its digest.
    ///
    /// # Errors
    /// When skopeo is missing or the push fails.
    pub fn push_chart(&self, repository: &str, version: &str) -> Result<String> {
        let layout = tempfile::tempdir_in(self.folder.path())?;
        let name = repository.rsplit('/').next().unwrap_or(repository);
        let digest = chart::write_layout(layout.path(), name, version)?;
        let tag = version.replace('+', "_");
        self.skopeo(layout.path(), &self.repository(repository), &tag)?;
        Ok(digest)
    }

    /// Packages a chart with Helm and has Helm push it below `repository`; `chart` is the text of its `Chart.yaml`.
    ///
    /// # Errors
    /// When Helm is missing or fails.
    pub fn push_by_helm(&self, repository: &str, chart: &str) -> Result<()> {
        let source = tempfile::tempdir_in(self.folder.path())?;
        let package = chart::package(source.path(), chart, self.folder.path())?;
        let mut command = chart::helm()?;
        command.arg("push").arg(package).args([
            &format!("oci://{}", self.repository(repository)),
            "--plain-http",
        ]);
        if self.access == Access::Password {
            command.args(["--username", USER, "--password", PASSWORD]);
        }
        chart::run(&mut command).map(drop)
    }

    /// The process id of the server.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    fn skopeo(&self, layout: &Path, repository: &str, tag: &str) -> Result<()> {
        let mut command = Command::new(tools::path("skopeo")?);
        command.args([
            "--insecure-policy",
            "copy",
            "--quiet",
            "--preserve-digests",
            "--dest-tls-verify=false",
        ]);
        if self.access == Access::Password {
            command.arg(format!("--dest-creds={USER}:{PASSWORD}"));
        }
        let output = command
            .arg(format!("oci:{}:image", layout.display()))
            .arg(format!("docker://{repository}:{tag}"))
            .output()
            .context("failed to start skopeo")?;
        ensure!(
            output.status.success(),
            "skopeo copy: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(())
    }
}
