//! Asks a server what a branch or all tags point to, without fetching anything.
//!
//! Over HTTP it is one request of protocol version 2, `ls-refs`, put straight to the server; one that does not
//! understand, or that sends us elsewhere, is asked the old way. Over SSH `git ls-remote` asks.
//!
//! Source: <https://git-scm.com/docs/protocol-v2#_ls_refs>

mod listing;

use credentials::Login;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use url::Url;

use super::location::Location;
use super::pkt;
use super::{Ask, Error, Repositories};
use crate::child::{self, GitAccess};
use crate::cost::Cost;
use crate::registry::basic;
use crate::sender::{Answer, Call};
pub(super) use listing::Ref;
#[cfg(fuzzing)]
pub(super) use listing::read_anything;
use listing::{Greeting, REFS_BOUND, Unread, read_greeting, read_lines, read_listing};

/// Most bytes of a server's list of refs: an old server lists all it has.
const LIST_BOUND: usize = 64 << 20;
const PROTOCOL: HeaderName = HeaderName::from_static("git-protocol");
const TAGS: &str = "refs/tags/";

/// What a server is asked for.
#[derive(Debug, Clone, Copy)]
enum Wanted<'a> {
    /// One ref: `refs/heads/main`, or `HEAD` for a default branch.
    One(&'a str),
    /// All tags, and what those that are objects of their own stand for.
    Tags,
}

/// Where a repository is, after redirects.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) location: Location,
    /// The login that may be sent there.
    pub(super) login: Option<Login>,
}

/// Finds the commit that the branch is at that was asked for.
pub(super) async fn find_head(
    repositories: &Repositories,
    ask: &Ask<'_>,
) -> Result<(String, Place), Error> {
    let branch = &ask.subscription.branch;
    let source = if branch.is_empty() {
        "HEAD".to_owned()
    } else {
        format!("refs/heads/{branch}")
    };
    let (refs, place) = find(repositories, ask, Wanted::One(&source)).await?;
    let head = refs.into_iter().find(|it| it.name == source);
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
    Ok((head.ok_or_else(missing)?.id, place))
}

/// Finds all tags; the names come back without `refs/tags/`.
pub(super) async fn find_tags(
    repositories: &Repositories,
    ask: &Ask<'_>,
) -> Result<(Vec<Ref>, Place), Error> {
    let (refs, place) = find(repositories, ask, Wanted::Tags).await?;
    let tags = refs.into_iter().filter_map(|it| {
        let name = it.name.strip_prefix(TAGS)?.to_owned();
        Some(Ref { name, ..it })
    });
    Ok((tags.collect(), place))
}

async fn find(
    repositories: &Repositories,
    ask: &Ask<'_>,
    wanted: Wanted<'_>,
) -> Result<(Vec<Ref>, Place), Error> {
    match &ask.location {
        Location::Http(url) => ask_over_http(repositories, ask, url, wanted).await,
        Location::Ssh { .. } => {
            let place = Place {
                location: ask.location.clone(),
                login: ask.login.clone(),
            };
            Ok((ask_by_child(repositories, ask, wanted).await?, place))
        }
    }
}

async fn ask_over_http(
    repositories: &Repositories,
    ask: &Ask<'_>,
    url: &Url,
    wanted: Wanted<'_>,
) -> Result<(Vec<Ref>, Place), Error> {
    let sender = repositories.sender(ask, url).await;
    let send = async |call: Call| {
        sender
            .send_patiently(&call)
            .await
            .map_err(|source| ask.error(|repo_url| Error::Http { repo_url, source }))
    };
    let login = ask.login.clone();
    let direct = send(ls_refs(url, login.as_ref(), wanted, ask.cost)).await?;
    match read_listing(&direct) {
        Ok(refs) => {
            let location = Location::Http(url.clone());
            return Ok((refs, Place { location, login }));
        }
        Err(Unread::TooMany) => return Err(unread(ask, Unread::TooMany)),
        Err(Unread::NotGit) => {}
    }
    refuse(ask, &direct, login.is_some())?;
    let greeting = send(info_refs(url, login.as_ref(), ask.cost)).await?;
    refuse(ask, &greeting, login.is_some())?;
    let base = base_of(&greeting.url).ok_or_else(|| unread(ask, Unread::NotGit))?;
    // A login was looked up for the origin in the manifest, and goes to no other.
    let login = login.filter(|_| base.origin() == url.origin());
    let refs = match read_greeting(&greeting.body).map_err(|why| unread(ask, why))? {
        Greeting::Refs(refs) => refs,
        Greeting::VersionTwo => {
            let answer = send(ls_refs(&base, login.as_ref(), wanted, ask.cost)).await?;
            refuse(ask, &answer, login.is_some())?;
            read_listing(&answer).map_err(|why| unread(ask, why))?
        }
    };
    let location = Location::Http(base);
    Ok((refs, Place { location, login }))
}

fn unread(ask: &Ask<'_>, why: Unread) -> Error {
    ask.error(|repo_url| match why {
        Unread::NotGit => Error::NotGit {
            repo_url,
            why: "the server does not speak Git's smart protocol",
        },
        Unread::TooMany => Error::TooManyRefs {
            repo_url,
            bound: REFS_BOUND,
        },
    })
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

fn ls_refs(base: &Url, login: Option<&Login>, wanted: Wanted<'_>, cost: &Cost) -> Call {
    let mut body = Vec::new();
    pkt::write_line("command=ls-refs", &mut body);
    body.extend_from_slice(pkt::DELIMITER);
    match wanted {
        Wanted::One(name) => pkt::write_line(&format!("ref-prefix {name}"), &mut body),
        Wanted::Tags => {
            pkt::write_line("peel", &mut body);
            pkt::write_line(&format!("ref-prefix {TAGS}"), &mut body);
        }
    }
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

async fn ask_by_child(
    repositories: &Repositories,
    ask: &Ask<'_>,
    wanted: Wanted<'_>,
) -> Result<Vec<Ref>, Error> {
    let fail = |source: child::Error| ask.error(|repo_url| Error::Remote { repo_url, source });
    let folder = repositories.mirrors.ask_folder();
    let folder =
        folder.map_err(|source| ask.error(|repo_url| Error::Mirror { repo_url, source }))?;
    let access = GitAccess {
        url: ask.location.url().to_owned(),
        login: ask.login.clone(),
        insecure_skip_tls_verify: ask.subscription.insecure_skip_tls_verify,
    };
    let launcher = repositories.launcher.clone().with_pin(ask.pin.clone());
    let command = launcher
        .remote_git(folder.path(), &access)
        .map_err(fail)?
        .arg("ls-remote");
    let command = match wanted {
        Wanted::One(name) => command.args(["--", ask.location.url(), name]),
        Wanted::Tags => command.args(["--tags", "--", ask.location.url()]),
    };
    let command = command
        .time_out(repositories.limits.patience)
        .output_limit(LIST_BOUND);
    ask.cost.git(ask.location.host());
    let output = repositories
        .launcher
        .run(command)
        .await
        .and_then(child::Output::checked)
        .map_err(fail)?;
    read_lines(&output.text()).map_err(|why| unread(ask, why))
}
