//! How git is run: which configuration it reads, which protocols it may speak, and how it gets a login.

use std::{fs, io::Write, net::IpAddr, path::Path};

use credentials::Login;
use secret::Secret;
use tempfile::NamedTempFile;

use super::{Command, Error, Launcher, Remote, create_private_dir};
use crate::shell::quote;

/// All the configuration git reads besides the repository's own. A file rather than variables, because git hides
/// `GIT_CONFIG_*` variables from the commands it starts for submodules.
///
/// The credential helper answers only for the origin that the login was looked up for. Redirects are not followed: where one
/// leads has to pass the egress policy first.
const CONFIGURATION: &str = r#"[core]
	hooksPath = /dev/null
	fsmonitor = false
[safe]
	bareRepository = explicit
	directory = *
[protocol]
	allow = never
[gc]
	auto = 0
[maintenance]
	auto = false
[init]
	defaultBranch = main
[advice]
	detachedHead = false
[user]
	useConfigOnly = true
[commit]
	gpgSign = false
[http]
	followRedirects = false
	lowSpeedLimit = 1024
	lowSpeedTime = 30
[credential]
	helper = "!f() { test \"$1\" = get || exit 0; while read -r line; do case $line in protocol=*) p=${line#*=};; host=*) h=${line#*=};; esac; done; test \"$p://$h\" = \"$ARGOSY_GIT_ORIGIN\" || exit 0; printf 'username=%s\\npassword=%s\\n' \"$ARGOSY_GIT_USERNAME\" \"$ARGOSY_GIT_PASSWORD\"; }; f"
"#;

/// Which remote git is about to speak to, and as whom.
#[derive(Debug, Clone)]
pub struct GitAccess {
    /// As the user wrote it: `https://…`, `ssh://…` or `git@host:path`.
    pub url: String,
    pub login: Option<Login>,
    pub insecure_skip_tls_verify: bool,
}

/// A host that was looked up already, as ssh is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedHost {
    pub address: IpAddr,
    /// The name by which its key is found in files of known hosts: `github.com`, `[git.example.com]:2222`.
    pub known_as: String,
}

impl Launcher {
    /// Begins a git command that stays on this machine.
    pub fn local_git(&self, work_dir: &Path) -> Result<Command, Error> {
        let mut command = Command::new("git", work_dir);
        let home = command.home();
        let configuration = home.join("gitconfig");
        write_if_other(&home, &configuration).map_err(|source| Error::Home {
            path: home.clone(),
            source,
        })?;
        command = command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", configuration)
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", "")
            .env("GIT_EDITOR", "true")
            .env("GIT_OPTIONAL_LOCKS", "0");
        Ok(command)
    }

    /// Begins a git command that speaks to `access.url`.
    ///
    /// # Errors
    /// [`Error::Url`] unless it is https or ssh, or http to a loopback host.
    pub fn remote_git(&self, work_dir: &Path, access: &GitAccess) -> Result<Command, Error> {
        let protocols = protocols(&access.url)?;
        let mut command = self
            .local_git(work_dir)?
            .env("GIT_ALLOW_PROTOCOL", protocols);
        if let Some(setting) = self.pin.setting() {
            command = command.args(["-c".to_owned(), setting]);
        }
        if let Some(file) = &self.ca_file {
            command = command.env("GIT_SSL_CAINFO", file);
        }
        if access.insecure_skip_tls_verify {
            command = command.env("GIT_SSL_NO_VERIFY", "1");
        }
        let mut ssh = match &self.known_hosts {
            Some(file) => format!(
                "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile={}",
                quote(&file.to_string_lossy())
            ),
            None => "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
                     -o LogLevel=ERROR"
                .to_owned(),
        };
        if let Some(PinnedHost { address, known_as }) = self.pin.host() {
            let known_as = quote(known_as);
            ssh = format!("{ssh} -o HostName={address} -o HostKeyAlias={known_as}");
        }
        match &access.login {
            // Git repositories are never given an identity of a cloud.
            None | Some(Login::AccessToken(_)) => {}
            Some(Login::Basic { username, password }) => {
                command = command
                    .env("ARGOSY_GIT_ORIGIN", origin(&access.url))
                    .env("ARGOSY_GIT_USERNAME", username)
                    .secret_env("ARGOSY_GIT_PASSWORD", password.clone());
            }
            Some(Login::SshKey(key)) => {
                let home = command.home();
                let file =
                    write_key(&home, key).map_err(|source| Error::Home { path: home, source })?;
                ssh = format!(
                    "{ssh} -o IdentitiesOnly=yes -i {}",
                    quote(&file.path().to_string_lossy())
                );
                command.key_file = Some(file);
            }
        }
        command.remote = Some(Remote::new(&access.url, access.login.is_some()));
        Ok(command.env("GIT_SSH_COMMAND", ssh))
    }
}

/// Decides by its spelling whether git may be given a URL.
///
/// # Errors
/// [`Error::Url`] unless it is https or ssh, or http to a loopback host.
pub(crate) fn check_url(url: &str) -> Result<(), Error> {
    protocols(url).map(drop)
}

/// Names the protocols that git may speak for this URL.
fn protocols(url: &str) -> Result<&'static str, Error> {
    let refused = |why| Error::Url {
        url: super::command::mask_user_info(url),
        why,
    };
    // git's own reader of URLs takes a backslash for a part of the user, others for a slash: they see two hosts.
    let is_odd = |it: char| it.is_control() || it.is_whitespace() || it == '\\';
    if url.starts_with('-') || url.chars().any(is_odd) {
        return Err(refused(
            "it begins with a dash, or has spaces, backslashes or control characters",
        ));
    }
    if let Ok(parsed) = url::Url::parse(url)
        && url.contains("://")
    {
        return match parsed.scheme() {
            "https" | "ssh" => Ok("https:ssh"),
            "http" if is_loopback(&parsed) => Ok("http"),
            "http" => Err(refused("plain http is only for loopback hosts")),
            _ => Err(refused("its scheme is not https or ssh")),
        };
    }
    // `git@host:path`; a helper such as `ext::…` has two colons.
    match url.split_once(':') {
        Some((host, path)) if !host.is_empty() && !host.contains('/') && !path.starts_with(':') => {
            Ok("https:ssh")
        }
        Some(_) | None => Err(refused(
            "it is neither https:// nor ssh:// nor user@host:path",
        )),
    }
}

fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The scheme and host in git's own spelling: `https://github.com`, `http://127.0.0.1:8080`.
fn origin(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{scheme}://{host}")
}

fn write_if_other(home: &Path, file: &Path) -> std::io::Result<()> {
    if fs::read(file).is_ok_and(|present| present == CONFIGURATION.as_bytes()) {
        return Ok(());
    }
    create_private_dir(home)?;
    let mut temporary = NamedTempFile::new_in(home)?;
    temporary.write_all(CONFIGURATION.as_bytes())?;
    temporary
        .persist(file)
        .map(drop)
        .map_err(|error| error.error)
}

/// Writes an SSH key to a file of mode 0600, which is gone when the command is.
fn write_key(home: &Path, key: &Secret<String>) -> std::io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix("ssh-key-")
        .tempfile_in(home)?;
    file.write_all(key.expose().trim_end().as_bytes())?;
    // OpenSSH refuses a key without a final line end.
    file.write_all(b"\n")?;
    file.flush()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::Pin;

    #[track_caller]
    fn check(url: &str, expected: Result<&str, ()>) {
        assert_eq!(protocols(url).map_err(drop), expected, "{url}");
    }

    #[test]
    fn git_speaks_only_protocols_that_are_safe_for_the_host() {
        check("https://github.com/acme/app.git", Ok("https:ssh"));
        check("ssh://git@github.com/acme/app.git", Ok("https:ssh"));
        check("git@github.com:acme/app.git", Ok("https:ssh"));
        check("http://127.0.0.1:8080/app.git", Ok("http"));
        check("http://localhost/app.git", Ok("http"));
        check("http://[::1]:1/app.git", Ok("http"));
        check("http://github.com/app.git", Err(()));
        check("http://localhost.example.com/app.git", Err(()));
        check("file:///etc", Err(()));
        check("/etc", Err(()));
        check("./app", Err(()));
        check("ext::sh -c id", Err(()));
        check("--upload-pack=id", Err(()));
        check("git://github.com/acme/app", Err(()));
        check("https://github.com/a\nb", Err(()));
        check("https://github.com\\@evil.test/a", Err(()));
        check("https://github.com /a", Err(()));
    }

    /// Gives the words of the command that git starts ssh by.
    fn ssh(pin: Pin) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        let access = GitAccess {
            url: "ssh://git@git.example.com:2222/acme/app.git".to_owned(),
            login: None,
            insecure_skip_tls_verify: false,
        };
        let launcher = Launcher::direct().with_pin(pin);
        let command = launcher.remote_git(folder.path(), &access);
        let command = command.expect("a command");
        let mut variables = command.environment.iter();
        let ssh = variables.find(|it| it.0 == "GIT_SSH_COMMAND");
        let (_, ssh) = ssh.expect("git is told");
        shlex::split(&ssh.to_string_lossy()).expect("words")
    }

    #[test]
    fn ssh_connects_where_it_is_told_and_knows_the_key_by_the_name() {
        let told = ssh(Pin::Ssh(PinnedHost {
            address: "fd00::1".parse().expect("an address"),
            known_as: "[git.example.com]:2222".to_owned(),
        }));
        for option in ["HostName=fd00::1", "HostKeyAlias=[git.example.com]:2222"] {
            let at = told.iter().position(|it| it == option);
            let at = at.unwrap_or_else(|| panic!("no {option} in {told:?}"));
            assert_eq!(told[at - 1], "-o");
        }
        let told = ssh(Pin::Literal);
        assert!(!told.iter().any(|it| it.starts_with("Host")), "{told:?}");
    }

    #[test]
    fn the_origin_is_spelled_as_git_spells_it() {
        assert_eq!(
            origin("https://me:pw@github.com:443/acme/app.git"),
            "https://github.com:443"
        );
        assert_eq!(origin("http://127.0.0.1:8080/app"), "http://127.0.0.1:8080");
    }
}
