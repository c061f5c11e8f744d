//! A Git host: nginx in front of Git's own smart-HTTP backend.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::process::Process;
use crate::repositories::{Repositories, git};
use crate::{Access, nginx, tools};

/// A running Git host; dropping it stops it and deletes its repositories.
#[derive(Debug)]
pub struct GitServer {
    _backend: Process,
    _front: Process,
    repositories: Repositories,
    _folder: TempDir,
    scheme: &'static str,
    port: u16,
}

/// By what a host proves who it is, as PEM.
#[derive(Debug, Clone)]
pub struct Certificate {
    pub certificate: String,
    pub private_key: String,
}

impl GitServer {
    /// Starts a host without repositories on a free loopback port.
    ///
    /// # Errors
    /// When nginx, fcgiwrap or git is missing or does not come up within 10 seconds.
    pub fn start(access: Access) -> Result<Self> {
        Self::start_with(access, "http", nginx::start)
    }

    /// Starts a host that speaks HTTPS and shows this certificate.
    ///
    /// # Errors
    /// When nginx, fcgiwrap or git is missing or does not come up within 10 seconds.
    pub fn start_tls(access: Access, certificate: &Certificate) -> Result<Self> {
        Self::start_with(access, "https", |root, http, server| {
            fs::write(root.join("certificate.pem"), &certificate.certificate)?;
            fs::write(root.join("key.pem"), &certificate.private_key)?;
            let here = root.display();
            let keys = format!(
                "    ssl_certificate {here}/certificate.pem; ssl_certificate_key {here}/key.pem;\n"
            );
            nginx::start_tls(root, http, &(keys + server))
        })
    }

    fn start_with(
        access: Access,
        scheme: &'static str,
        start: impl FnOnce(&Path, &str, &str) -> Result<(Process, u16)>,
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let root = folder.path();
        let repositories = Repositories::in_folder(root.join("repositories"))?;
        let socket = root.join("fcgi.sock");
        let mut backend = Process::start(
            Command::new(tools::path("fcgiwrap")?)
                .args(["-c", "4", "-s"])
                .arg(format!("unix:{}", socket.display())),
            &root.join("fcgiwrap.log"),
        )?;
        backend
            .wait_until(Duration::from_secs(10), || socket.exists())
            .context("fcgiwrap did not come up")?;
        let here = root.display();
        let http = format!("access_log {here}/access.log; client_max_body_size 1g;");
        let (front, port) = start(root, &http, &location(root, access)?)?;
        Ok(Self {
            _backend: backend,
            _front: front,
            repositories,
            _folder: folder,
            scheme,
            port,
        })
    }

    /// The clone URL of a repository, such as `http://127.0.0.1:8080/acme/deploy.git`.
    pub fn url(&self, name: &str) -> String {
        format!("{}://127.0.0.1:{}/{name}.git", self.scheme, self.port)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where a repository lies on disk; see [`Repositories::path`].
    pub fn path(&self, name: &str) -> PathBuf {
        self.repositories.path(name)
    }

    /// Creates a repository; see [`Repositories::create`].
    ///
    /// # Errors
    /// When git fails.
    pub fn create(&self, name: &str, files: &[(&str, &str)]) -> Result<()> {
        self.repositories.create(name, files)
    }

    /// Adds a commit; see [`Repositories::commit`].
    ///
    /// # Errors
    /// When git fails.
    pub fn commit(&self, name: &str, files: &[(&str, &str)], message: &str) -> Result<()> {
        self.repositories.commit(name, files, message)
    }

    /// Adds a submodule; see [`Repositories::add_submodule`].
    ///
    /// # Errors
    /// When git fails.
    pub fn add_submodule(&self, name: &str, path: &str, of: &str, url: &str) -> Result<()> {
        self.repositories.add_submodule(name, path, of, url)
    }

    /// Adds many commits on `main` at once.
    ///
    /// # Errors
    /// When git fails.
    pub fn grow(&self, name: &str, count: usize) -> Result<()> {
        self.repositories.grow(name, count)
    }

    /// Runs git in a repository; see [`Repositories::git`].
    ///
    /// # Errors
    /// When git fails.
    pub fn git(&self, name: &str, arguments: &[&str]) -> Result<String> {
        self.repositories.git(name, arguments)
    }
}

/// Hands everything to the backend.
fn location(root: &Path, access: Access) -> Result<String> {
    let exec_path = git(root, &["--exec-path"])?;
    let backend = Path::new(exec_path.trim()).join("git-http-backend");
    ensure!(
        backend.exists(),
        "{} is missing; install git",
        backend.display()
    );
    let auth = nginx::auth(root, access);
    let user = match access {
        Access::Open => "anyone",
        Access::Password => "$remote_user",
    };
    let root = root.display();
    Ok(format!(
        "    location / {{\n      {auth}\n      fastcgi_param REMOTE_USER {user};\n      \
         fastcgi_pass unix:{root}/fcgi.sock;\n      fastcgi_read_timeout 120s;\n      \
         fastcgi_param SCRIPT_FILENAME {backend};\n      fastcgi_param GIT_PROJECT_ROOT {root}/repositories;\n      \
         fastcgi_param GIT_HTTP_EXPORT_ALL 1;\n      fastcgi_param PATH_INFO $uri;\n      \
         fastcgi_param QUERY_STRING $query_string;\n      fastcgi_param REQUEST_METHOD $request_method;\n      \
         fastcgi_param CONTENT_TYPE $content_type;\n      fastcgi_param CONTENT_LENGTH $content_length;\n      \
         fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;\n      \
         fastcgi_param HTTP_GIT_PROTOCOL $http_git_protocol;\n      fastcgi_param GIT_PROTOCOL $http_git_protocol;\n      \
         fastcgi_param GIT_CONFIG_COUNT 1;\n      fastcgi_param GIT_CONFIG_KEY_0 safe.directory;\n      \
         fastcgi_param GIT_CONFIG_VALUE_0 *;\n    }}",
        backend = backend.display(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Image, PASSWORD, Registry, USER};

    #[test]
    fn a_pushed_commit_can_be_cloned_over_http() {
        let server = GitServer::start(Access::Password).unwrap();
        server
            .create(
                "acme/deploy",
                &[("env/test/kustomization.yaml", "resources: []\n")],
            )
            .unwrap();
        let clone = tempfile::tempdir().unwrap();
        let with_login = server
            .url("acme/deploy")
            .replace("://", &format!("://{USER}:{PASSWORD}@"));
        git(clone.path(), &["clone", "--quiet", &with_login, "."]).unwrap();
        assert!(clone.path().join("env/test/kustomization.yaml").exists());
        let refused = git(
            clone.path(),
            &[
                "-c",
                "credential.helper=",
                "-c",
                "core.askPass=true",
                "ls-remote",
                &server.url("acme/deploy"),
            ],
        );
        assert!(refused.is_err());
    }

    #[test]
    fn a_pushed_image_can_be_inspected() {
        let registry = Registry::start(Access::Password).unwrap();
        let digest = registry.push(&Image::new("acme/web", "1.0.0")).unwrap();
        let output = Command::new(tools::path("skopeo").unwrap())
            .args([
                "inspect",
                "--tls-verify=false",
                &format!("--creds={USER}:{PASSWORD}"),
            ])
            .arg(format!(
                "docker://{}:1.0.0",
                registry.repository("acme/web")
            ))
            .output()
            .unwrap();
        assert!(
            String::from_utf8_lossy(&output.stdout).contains(&digest),
            "{output:?}"
        );
    }
}
