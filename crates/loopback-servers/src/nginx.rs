//! nginx in front of a folder, asked on a free loopback port.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::process::{Process, accepts, free_port};
use crate::{Access, PASSWORD, USER, tools};

/// Starts nginx in `root`: what it has to say goes there too. Gives its port.
///
/// `http` is what stands in the block `http` before its server, `server` what stands in the server.
///
/// # Errors
/// When nginx is missing or does not come up within 10 seconds.
pub(crate) fn start(root: &Path, http: &str, server: &str) -> Result<(Process, u16)> {
    start_listening("", root, http, server)
}

/// The same with TLS; `server` names the certificate.
pub(crate) fn start_tls(root: &Path, http: &str, server: &str) -> Result<(Process, u16)> {
    start_listening(" ssl", root, http, server)
}

fn start_listening(
    protocol: &str,
    root: &Path,
    http: &str,
    server: &str,
) -> Result<(Process, u16)> {
    let port = free_port()?;
    let folder = root.display();
    let configuration = format!(
        "daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;\n\
         events {{ worker_connections 256; }}\n\
         http {{\n  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n  \
         fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;\n  \
         {http}\n  server {{\n    listen 127.0.0.1:{port}{protocol};\n{server}\n  }}\n}}\n"
    );
    fs::write(root.join("nginx.conf"), configuration)?;
    fs::write(
        root.join("passwords"),
        format!("{USER}:{{PLAIN}}{PASSWORD}\n"),
    )?;
    let mut process = Process::start(
        Command::new(tools::path("nginx")?)
            .arg("-p")
            .arg(root)
            .arg("-c")
            .arg(root.join("nginx.conf"))
            .arg("-e")
            .arg(root.join("error.log")),
        &root.join("nginx.log"),
    )?;
    process
        .wait_until(Duration::from_secs(10), || accepts(port))
        .context("nginx did not come up")?;
    Ok((process, port))
}

/// Lets in who knows the password, or anybody.
pub(crate) fn auth(root: &Path, access: Access) -> String {
    match access {
        Access::Open => String::new(),
        Access::Password => format!(
            "auth_basic loopback; auth_basic_user_file {}/passwords;",
            root.display()
        ),
    }
}
