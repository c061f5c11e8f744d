//! A repository of charts: nginx in front of a folder with an index.

use std::fs;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::process::Process;
use crate::{Access, chart, nginx};

/// A running repository, which packs what it sends and answers conditional requests; dropping it stops it.
#[derive(Debug)]
pub struct ChartRepository {
    _server: Process,
    folder: TempDir,
    port: u16,
}

impl ChartRepository {
    /// Starts a repository without an index on a free loopback port.
    ///
    /// # Errors
    /// When nginx is missing or does not come up within 10 seconds.
    pub fn start(access: Access) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let root = folder.path();
        fs::create_dir(root.join("charts"))?;
        let here = root.display();
        let http = format!(
            "log_format status $status; access_log {here}/access.log status;\n  \
             default_type application/yaml; gzip on; gzip_types application/yaml; gzip_min_length 0;"
        );
        let auth = nginx::auth(root, access);
        let server = format!("    root {here};\n    location /charts/ {{ {auth} }}");
        let (server, port) = nginx::start(root, &http, &server)?;
        Ok(Self {
            _server: server,
            folder,
            port,
        })
    }

    /// The address as `helm repo add` takes it, such as `http://127.0.0.1:8080/charts`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/charts", self.port)
    }

    /// Makes `index` the repository's `index.yaml`, at once.
    ///
    /// Two indexes are told apart by their length and the second they were published in, as nginx does it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn publish(&self, index: &str) -> Result<()> {
        let written = self.folder.path().join("index.new");
        fs::write(&written, index)?;
        fs::rename(written, self.folder.path().join("charts/index.yaml"))?;
        Ok(())
    }

    /// Gives the index as it is published.
    ///
    /// # Errors
    /// When there is none.
    pub fn index(&self) -> Result<String> {
        let index = self.folder.path().join("charts/index.yaml");
        fs::read_to_string(index).context("no index is published")
    }

    /// Packages charts with Helm and publishes an index of them, as Helm writes it; each is the text of a `Chart.yaml`.
    ///
    /// # Errors
    /// When Helm is missing or fails.
    pub fn publish_charts(&self, charts: &[&str]) -> Result<()> {
        let charts_folder = self.folder.path().join("charts");
        for chart in charts {
            let source = tempfile::tempdir_in(self.folder.path())?;
            chart::package(source.path(), chart, &charts_folder)?;
        }
        let mut command = chart::helm()?;
        command.args(["repo", "index", "--url", &self.url()]);
        chart::run(command.arg(&charts_folder)).map(drop)
    }

    /// Lists the statuses of what was answered so far, the oldest first.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn statuses(&self) -> Result<Vec<u16>> {
        let log = fs::read_to_string(self.folder.path().join("access.log"))?;
        let statuses = log.lines().map(|line| line.trim().parse());
        statuses
            .collect::<Result<_, _>>()
            .context("the log is not as it is configured")
    }
}
