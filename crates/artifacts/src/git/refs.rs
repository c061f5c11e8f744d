//! Asks a server which commit a branch is at, without fetching anything.
//!
//! Over HTTP it is one request of protocol version 2, `ls-refs`, put straight to the server; one that does not
//! understand, or that sends us elsewhere, is asked the old way. Over SSH `git ls-remote` asks.
//!
//! Source: <https://git-scm.com/docs/protocol-v2#_ls_refs>

use credentials::Login;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use url::Url;

use super::location::Location;
use super::pkt::{self, Pkt};
use super::{Ask, Error, Repositories};
use crate::child::{self, GitAccess};
use crate::cost::Cost;
use crate::registry::basic;
use crate::sender::{Answer, Call};

/// Most bytes of a server's list of refs: an old server lists all it has.
const LIST_BOUND: usize = 64 << 20;
const PROTOCOL: HeaderName = HeaderName::from_static("git-protocol");

/// Holds what the server says of the branch.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// The commit that the branch is at.
    pub(super) head: String,
    /// What to fetch: `refs/heads/main`, or `HEAD` for a default branch.
    pub(super) source: String,
    /// Where the repository is, after redirects.
    pub(super) location: Location,
    /// The login that may be sent there.
    pub(super) login: Option<Login>,
}

/// Finds the head of the branch that was asked for.
pub(super) async fn find(repositories: &Repositories, ask: &Ask<'_>) -> Result<Found, Error> {
    let branch = &ask.subscription.branch;
    let source = if branch.is_empty() {
        "HEAD".to_owned()
    } else {
        format!("refs/heads/{branch}")
    };
    let (refs, location, login) = match &ask.location {
        Location::Http(url) => ask_over_http(repositories, ask, url, &source).await?,
        Location::Ssh { .. } => (
            ask_by_child(repositories, ask, &source).await?,
            ask.location.clone(),
            ask.login.clone(),
        ),
    };
    let head = refs
        .into_iter()
        .find(|(name, _)| *name == source)
        .map(|(_, id)| id);
    let missing = || {
        let branch = branch.clone();
        ask.error(|repo_url| {
            if branch.is_empty() {
                Error::NoDefaultBranch { repo_url }
            } else {
                Error::NoBranch { repo_url, branch }
            }
        })
    };
    Ok(Found {
        head: head.ok_or_else(missing)?,
        source,
        location,
        login,
    })
}

/// Names of refs and their ids.
type Refs = Vec<(String, String)>;

async fn ask_over_http(
    repositories: &Repositories,
    ask: &Ask<'_>,
    url: &Url,
    source: &str,
) -> Result<(Refs, Location, Option<Login>), Error> {
    let sender = repositories.sender(ask).await;
    let send = async |call: Call| {
        sender
            .send_patiently(&call)
            .await
            .map_err(|source| ask.error(|repo_url| Error::Http { repo_url, source }))
    };
    let login = ask.login.clone();
    let direct = send(ls_refs(url, login.as_ref(), source, ask.cost)).await?;
    if let Some(refs) = read_listing(&direct) {
        return Ok((refs, Location::Http(url.clone()), login));
    }
    refuse(ask, &direct, login.is_some())?;
    let greeting = send(info_refs(url, login.as_ref(), ask.cost)).await?;
    refuse(ask, &greeting, login.is_some())?;
    let malformed = || {
        ask.error(|repo_url| Error::Malformed {
            repo_url,
            why: "the server does not speak Git's smart protocol",
        })
    };
    let base = base_of(&greeting.url).ok_or_else(malformed)?;
    // A login was looked up for the origin in the manifest, and goes to no other.
    let login = login.filter(|_| base.origin() == url.origin());
    let refs = match read_greeting(&greeting.body).ok_or_else(malformed)? {
        Greeting::Refs(refs) => refs,
        Greeting::VersionTwo => {
            let answer = send(ls_refs(&base, login.as_ref(), source, ask.cost)).await?;
            refuse(ask, &answer, login.is_some())?;
            read_listing(&answer).ok_or_else(malformed)?
        }
    };
    Ok((refs, Location::Http(base), login))
}

fn refuse(ask: &Ask<'_>, answer: &Answer, with_login: bool) -> Result<(), Error> {
    match answer.status {
        status @ (StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::NOT_FOUND
        | StatusCode::GONE) => Err(ask.error(|repo_url| Error::Denied {
            repo_url,
            status,
            with_login,
        })),
        _ => Ok(()),
    }
}

fn ls_refs(base: &Url, login: Option<&Login>, source: &str, cost: &Cost) -> Call {
    let mut body = Vec::new();
    pkt::write_line("command=ls-refs", &mut body);
    body.extend_from_slice(pkt::DELIMITER);
    pkt::write_line(&format!("ref-prefix {source}"), &mut body);
    body.extend_from_slice(pkt::FLUSH);
    let call = Call::get(below(base, "git-upload-pack"), LIST_BOUND, cost);
    let call = Call {
        method: Method::POST,
        body: Some(body.into()),
        ..call
    }
    .header(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-git-upload-pack-request"),
    )
    .header(
        ACCEPT,
        HeaderValue::from_static("application/x-git-upload-pack-result"),
    );
    with_login(call, login)
}

fn info_refs(base: &Url, login: Option<&Login>, cost: &Cost) -> Call {
    let mut url = below(base, "info/refs");
    url.set_query(Some("service=git-upload-pack"));
    with_login(Call::get(url, LIST_BOUND, cost), login)
}

fn with_login(call: Call, login: Option<&Login>) -> Call {
    let call = call.header(PROTOCOL, HeaderValue::from_static("version=2"));
    match login.and_then(basic) {
        Some(header) => call.header(AUTHORIZATION, header),
        None => call,
    }
}

fn below(base: &Url, rest: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{rest}", base.path().trim_end_matches('/')));
    url
}

/// Gives the address of the repository whose greeting came from `url`.
fn base_of(url: &Url) -> Option<Url> {
    let mut base = url.clone();
    base.set_path(url.path().strip_suffix("/info/refs")?);
    base.set_query(None);
    Some(base)
}

/// Reads the answer to `ls-refs`; none where it is no such answer.
fn read_listing(answer: &Answer) -> Option<Refs> {
    if answer.status != StatusCode::OK {
        return None;
    }
    let mut refs = Vec::new();
    for pkt in pkt::read(&answer.body) {
        match pkt.ok()? {
            Pkt::Line(line) => refs.push(read_ref(line)?),
            Pkt::Flush | Pkt::End => return Some(refs),
            Pkt::Delimiter => return None,
        }
    }
    None
}

/// Reads `<id> <name>` and what may follow it.
fn read_ref(line: &[u8]) -> Option<(String, String)> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split([' ', '\0']);
    let (id, name) = (words.next()?, words.next()?);
    let is_id = matches!(id.len(), 40 | 64) && id.bytes().all(|it| it.is_ascii_hexdigit());
    is_id.then(|| (name.to_owned(), id.to_ascii_lowercase()))
}

/// What a server says first.
#[derive(Debug, PartialEq, Eq)]
enum Greeting {
    /// It speaks version 2 and waits for a command.
    VersionTwo,
    /// It speaks an older version and has listed all its refs.
    Refs(Refs),
}

fn read_greeting(body: &[u8]) -> Option<Greeting> {
    let mut refs = Vec::new();
    for pkt in pkt::read(body) {
        match pkt.ok()? {
            Pkt::Line(b"version 2") => return Some(Greeting::VersionTwo),
            Pkt::Line(line) if line.starts_with(b"# service=") || line == b"version 1" => {}
            Pkt::Line(line) if line.starts_with(b"shallow ") => {}
            Pkt::Line(line) => refs.push(read_ref(line)?),
            Pkt::Flush if refs.is_empty() => {}
            Pkt::Flush | Pkt::End => return Some(Greeting::Refs(refs)),
            Pkt::Delimiter => return None,
        }
    }
    // An empty repository lists nothing.
    body.ends_with(pkt::FLUSH).then_some(Greeting::Refs(refs))
}

async fn ask_by_child(
    repositories: &Repositories,
    ask: &Ask<'_>,
    source: &str,
) -> Result<Refs, Error> {
    let fail = |source: child::Error| ask.error(|repo_url| Error::Remote { repo_url, source });
    let folder = repositories.mirror_folder(&ask.scope);
    child::create_private_dir(&folder)
        .map_err(|source| ask.error(|repo_url| Error::Mirror { repo_url, source }))?;
    let access = GitAccess {
        url: ask.location.url().to_owned(),
        login: ask.login.clone(),
        insecure_skip_tls_verify: ask.subscription.insecure_skip_tls_verify,
    };
    let command = repositories
        .launcher
        .remote_git(&folder, &access)
        .map_err(fail)?;
    let command = command
        .args(["ls-remote", "--", ask.location.url(), source])
        .time_out(repositories.limits.patience);
    ask.cost.git(ask.location.host());
    let output = repositories
        .launcher
        .run(command)
        .await
        .and_then(child::Output::checked)
        .map_err(fail)?;
    let lines = output.text();
    Ok(lines
        .lines()
        .filter_map(|line| read_ref(line.replace('\t', " ").as_bytes()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    fn framed(lines: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in lines {
            match *line {
                "" => bytes.extend_from_slice(pkt::FLUSH),
                line => pkt::write_line(line, &mut bytes),
            }
        }
        bytes
    }

    #[test]
    fn a_greeting_is_of_either_age() {
        let head = format!("{ID} HEAD\0multi_ack symref=HEAD:refs/heads/main agent=git/2");
        let main = format!("{ID} refs/heads/main");
        let refs = Greeting::Refs(vec![
            ("HEAD".to_owned(), ID.to_owned()),
            ("refs/heads/main".to_owned(), ID.to_owned()),
        ]);
        for (lines, expected) in [
            (
                &["# service=git-upload-pack", "", "version 2", "ls-refs", ""][..],
                Some(Greeting::VersionTwo),
            ),
            (&["version 2", "ls-refs", ""], Some(Greeting::VersionTwo)),
            (
                &["# service=git-upload-pack", "", &head, &main, ""],
                Some(refs),
            ),
            (
                &["# service=git-upload-pack", "", ""],
                Some(Greeting::Refs(Vec::new())),
            ),
            (&["# service=git-upload-pack", "", "no ref", ""], None),
            (&["# service=git-upload-pack", "", &main], None),
        ] {
            assert_eq!(read_greeting(&framed(lines)), expected, "{lines:?}");
        }
        assert_eq!(read_greeting(b"<html>"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_greeting_is_read_without_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            read_greeting(&bytes);
        }

        #[test]
        fn any_framed_greeting_is_read_without_panic(lines in proptest::collection::vec("([0-9a-f]{40} )?[ -~\\x00]{0,60}", 0..8)) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            read_greeting(&framed(&lines));
        }
    }
}
