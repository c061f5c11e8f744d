//! A repository of charts: nginx in front of a folder with an index.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::process::{Process, accepts, free_port};
use crate::{Access, PASSWORD, USER, tools};

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
        let (root, port) = (folder.path(), free_port()?);
        fs::create_dir(root.join("charts"))?;
        fs::write(root.join("nginx.conf"), configuration(root, port, access))?;
        fs::write(
            root.join("passwords"),
            format!("{USER}:{{PLAIN}}{PASSWORD}\n"),
        )?;
        let mut server = Process::start(
            Command::new(tools::path("nginx")?)
                .arg("-p")
                .arg(root)
                .arg("-c")
                .arg(root.join("nginx.conf"))
                .arg("-e")
                .arg(root.join("error.log")),
            &root.join("nginx.log"),
        )?;
        server
            .wait_until(Duration::from_secs(10), || accepts(port))
            .context("nginx did not come up")?;
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

fn configuration(root: &Path, port: u16, access: Access) -> String {
    let root = root.display();
    let auth = match access {
        Access::Open => String::new(),
        Access::Password => {
            format!("auth_basic loopback; auth_basic_user_file {root}/passwords;")
        }
    };
    format!(
        "daemon off; master_process off; pid {root}/nginx.pid; error_log {root}/error.log;\n\
         events {{ worker_connections 256; }}\n\
         http {{\n  log_format status $status; access_log {root}/access.log status;\n  \
         client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/fastcgi;\n  \
         uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;\n  \
         default_type application/yaml; gzip on; gzip_types application/yaml; gzip_min_length 0;\n  \
         server {{\n    listen 127.0.0.1:{port}; root {root};\n    location /charts/ {{ {auth} }}\n  }}\n}}\n"
    )
}
