//! A bare copy of the history of a repository, without the contents of files.
//!
//! What is fetched is named by its id, as the server has just told it: names of branches and tags play no part, so that
//! none can collide, be missing or mean something else. Histories are cut where nobody has asked further: the file
//! `shallow` lists the commits whose parents are not here.

mod contents;
mod shallow;
mod written;

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;

use tokio::time::Instant;

use super::mirrors::{self, GIT_DIR, Held};
use super::refs::Place;
use super::{Ask, Error, Repositories};
use crate::child::{self, Command, GitAccess, Output};
pub(super) use written::Tag;

/// Most fetches into one mirror: each leaves a pack behind, so it is then made anew.
const PACKS_BOUND: usize = 200;
/// Most objects that are asked for in one fetch.
const WANTS_BOUND: usize = 10_000;
/// Of how many objects of a fetch the next one tells the server, so that it sends what is new only.
const KEPT: usize = 100;
/// Most fetches to find out which objects of many a server cannot give.
const TRIES: usize = 40;
/// Says that the server refuses to leave out the contents of files.
const UNFILTERED: &str = "unfiltered";
/// Lists the tags that could not be fetched, by id, so that nobody tries again.
const ODD: &str = "odd";
/// Lists all tags that the server had when tags were fetched last, by id.
const LISTED: &str = "listed";

/// What git says when one of the objects is why nothing was fetched.
const SIGNS_OF_ODD: &[&str] = &[
    "not our ref",
    "couldn't find remote ref",
    "did not send all necessary objects",
    "bad object",
    "bad tag",
    "repository corruption on the remote side",
    "bad revision",
];

/// The history of one repository, while nobody else works on it.
#[derive(Debug)]
pub(super) struct Mirror<'a> {
    repositories: &'a Repositories,
    ask: &'a Ask<'a>,
    place: &'a Place,
    held: Held,
    /// Says whether there was something before.
    pub(super) was_there: bool,
    has_grown: bool,
    /// Commits whose parents are not here.
    shallow: HashSet<String>,
    /// Objects that the server cannot give.
    odd: HashSet<String>,
}

/// Why a fetch failed.
#[derive(Debug)]
struct Failed {
    error: Error,
    /// Says that one of the objects is why, so that the others can be had without it.
    is_of_one: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let is_of_one = false;
        Self { error, is_of_one }
    }
}

impl<'a> Mirror<'a> {
    /// Waits for the mirror and opens it, making it if there is none.
    pub(super) async fn open(
        repositories: &'a Repositories,
        ask: &'a Ask<'a>,
        place: &'a Place,
    ) -> Result<Self, Error> {
        let fail = |source| ask.error(|repo_url| Error::Mirror { repo_url, source });
        let came = Instant::now();
        let held = repositories.mirrors.hold(&ask.scope, ask.room).await;
        let held = held.map_err(fail)?;
        ask.cost.waited(came.elapsed());
        let git_dir = held.folder.join(GIT_DIR);
        mirrors::remove_unfinished(&git_dir).map_err(fail)?;
        let packs = fs::read_dir(git_dir.join("objects/pack")).map_or(0, Iterator::count);
        // A pack has three files.
        if packs > 3 * PACKS_BOUND {
            clear(&held).map_err(fail)?;
        }
        let was_there = git_dir.join("HEAD").exists();
        let mut mirror = Self {
            repositories,
            ask,
            place,
            odd: ids_in(&held, ODD).into_iter().collect(),
            held,
            was_there,
            has_grown: false,
            shallow: HashSet::new(),
        };
        if was_there {
            mirror.shallow = shallow::read(&git_dir).map_err(fail)?;
        } else {
            let command = mirror
                .local()?
                .args(["init", "--quiet", "--bare", "--template="]);
            mirror.run(command).await?;
        }
        Ok(mirror)
    }

    /// Leaves the mirror to others, and makes room where it has grown.
    pub(super) async fn close(self) {
        if !self.has_grown {
            return;
        }
        let (mirrors, held) = (self.repositories.mirrors.clone(), self.held);
        let settled = tokio::task::spawn_blocking(move || mirrors.settle(held)).await;
        match settled {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "room for mirrors could not be made"),
            Err(error) => tracing::warn!(%error, "room for mirrors could not be made"),
        }
    }

    /// Throws away what is there, so that it is made anew.
    pub(super) fn discard(self) -> Result<(), Error> {
        clear(&self.held).map_err(|source| self.mirror_error(source))
    }

    /// Says whether the parents of a commit are not here.
    pub(super) fn is_cut_at(&self, commit: &str) -> bool {
        self.shallow.contains(commit)
    }

    /// Says whether the server was found unable to give an object.
    pub(super) fn is_odd(&self, id: &str) -> bool {
        self.odd.contains(id)
    }

    /// Fetches objects, with that many commits behind each.
    pub(super) async fn fetch(&mut self, wants: &[String], depth: usize) -> Result<(), Error> {
        let fetched = self.try_to_fetch(wants, depth).await;
        fetched.map_err(|failed| failed.error)
    }

    /// Fetches objects as [`Mirror::fetch`] does. Those that the server cannot give are found out and left out.
    pub(super) async fn fetch_each(
        &mut self,
        wants: Vec<String>,
        depth: usize,
    ) -> Result<(), Error> {
        let (mut groups, mut tries) = (vec![wants], 0);
        while let Some(mut group) = groups.pop() {
            tries += 1;
            match self.try_to_fetch(&group, depth).await {
                Ok(()) => {}
                Err(failed) if !failed.is_of_one || tries == TRIES => return Err(failed.error),
                Err(_) if group.len() == 1 => {
                    self.odd.extend(group);
                    self.remember(ODD, self.odd.iter())?;
                }
                Err(_) => {
                    let half = group.split_off(group.len() / 2);
                    groups.extend([group, half]);
                }
            }
        }
        Ok(())
    }

    /// Gives those of all tags that the server did not have yet when tags were fetched last; none the first time.
    pub(super) fn new_since_last_time<'t>(
        &self,
        listed: impl Iterator<Item = &'t str>,
        most: usize,
    ) -> Vec<String> {
        let before: HashSet<String> = ids_in(&self.held, LISTED).into_iter().collect();
        if before.is_empty() {
            return Vec::new();
        }
        let new = listed.filter(|id| !before.contains(*id) && !self.is_odd(id));
        new.take(most).map(str::to_owned).collect()
    }

    /// Remembers which tags the server has.
    pub(super) fn remember_listed(&self, listed: &HashSet<&str>) -> Result<(), Error> {
        self.remember(LISTED, listed.iter())
    }

    async fn try_to_fetch(&mut self, wants: &[String], depth: usize) -> Result<(), Failed> {
        for wants in wants.chunks(WANTS_BOUND) {
            self.fetch_some(wants, depth).await?;
            let git_dir = self.held.folder.join(GIT_DIR);
            let cuts = shallow::read(&git_dir).map_err(|source| self.mirror_error(source))?;
            self.shallow = self.without_parents(cuts).await?;
            shallow::write(&git_dir, &self.shallow).map_err(|source| self.mirror_error(source))?;
        }
        Ok(())
    }

    async fn fetch_some(&mut self, wants: &[String], depth: usize) -> Result<(), Failed> {
        let marker = self.held.folder.join(UNFILTERED);
        let is_filtered = !marker.exists();
        self.has_grown = true;
        let mut output = self.run_fetch(wants, depth, is_filtered).await?;
        if is_filtered && !output.succeeded() && refuses_filter(&output.stderr) {
            fs::write(&marker, "").map_err(|source| self.mirror_error(source))?;
            output = self.run_fetch(wants, depth, false).await?;
        }
        let is_of_one = SIGNS_OF_ODD.iter().any(|sign| output.stderr.contains(sign));
        let fail = |source| self.ask.error(|repo_url| Error::Fetch { repo_url, source });
        output.checked().map(drop).map_err(|source| Failed {
            error: fail(source),
            is_of_one,
        })
    }

    async fn run_fetch(
        &self,
        wants: &[String],
        depth: usize,
        is_filtered: bool,
    ) -> Result<Output, Error> {
        let fail = |source| self.ask.error(|repo_url| Error::Fetch { repo_url, source });
        let url = self.place.location.url();
        // Again, for much may have been fetched since the refs were asked for.
        let checked = self.place.location.check(&self.repositories.policy).await;
        let pin = checked.map_err(|source| {
            self.ask
                .error(|repo_url| Error::Egress { repo_url, source })
        })?;
        let access = GitAccess {
            url: url.to_owned(),
            login: self.place.login.clone(),
            insecure_skip_tls_verify: self.ask.subscription.insecure_skip_tls_verify,
        };
        let lines = wants.iter().enumerate().map(|(index, id)| match index {
            0..KEPT => format!("+{id}:refs/argosy/{id}\n"),
            _ => format!("{id}\n"),
        });
        let launcher = self.repositories.launcher.clone().with_pin(pin);
        let command = launcher
            .remote_git(&self.held.folder, &access)
            .map_err(fail)?
            .arg(self.git_dir())
            .args(["-c".to_owned(), format!("remote.origin.url={url}")])
            .args(["-c", "remote.origin.promisor=true"])
            .args(["-c", "remote.origin.partialCloneFilter=blob:none"])
            .args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head"])
            .args(["--no-recurse-submodules", "--no-show-forced-updates"])
            .arg(if is_filtered {
                "--filter=blob:none"
            } else {
                "--no-filter"
            })
            .arg(format!("--depth={depth}"))
            .args(["--stdin", "origin"])
            .input(lines.collect::<String>());
        self.ask.cost.git(self.place.location.host());
        self.repositories.launcher.run(command).await.map_err(fail)
    }

    /// Begins a command that reads the mirror and fetches nothing, whatever is missing.
    ///
    /// That some server would give it, only fetches are told: git reads it from nowhere else.
    fn local(&self) -> Result<Command, Error> {
        let command = self.repositories.launcher.local_git(&self.held.folder);
        let command = command.map_err(|source| self.log_error(source))?;
        Ok(command.env("GIT_NO_LAZY_FETCH", "1").arg(self.git_dir()))
    }

    async fn run(&self, command: Command) -> Result<Output, Error> {
        let output = self.repositories.launcher.run(command).await;
        output
            .and_then(Output::checked)
            .map_err(|source| self.log_error(source))
    }

    fn git_dir(&self) -> OsString {
        let mut argument = OsString::from("--git-dir=");
        argument.push(self.held.folder.join(GIT_DIR));
        argument
    }

    fn remember(
        &self,
        name: &str,
        ids: impl Iterator<Item = impl AsRef<str>>,
    ) -> Result<(), Error> {
        let mut text = String::new();
        for id in ids {
            text.push_str(id.as_ref());
            text.push('\n');
        }
        let path = self.held.folder.join(name);
        fs::write(path, text).map_err(|source| self.mirror_error(source))
    }

    fn log_error(&self, source: child::Error) -> Error {
        self.ask.error(|repo_url| Error::Log { repo_url, source })
    }

    fn mirror_error(&self, source: std::io::Error) -> Error {
        self.ask
            .error(|repo_url| Error::Mirror { repo_url, source })
    }

    fn malformed(&self, why: &'static str) -> Error {
        self.ask
            .error(|repo_url| Error::Malformed { repo_url, why })
    }
}

/// Removes the repository and all that is remembered of it.
fn clear(held: &Held) -> std::io::Result<()> {
    mirrors::remove(&held.folder.join(GIT_DIR))?;
    for name in [UNFILTERED, ODD, LISTED] {
        match fs::remove_file(held.folder.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Reads a list of ids; an unreadable one is as good as none.
fn ids_in(held: &Held, name: &str) -> Vec<String> {
    let text = fs::read_to_string(held.folder.join(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Says whether a server takes part in fetches, but not without the contents of files.
fn refuses_filter(stderr: &str) -> bool {
    stderr
        .lines()
        .any(|line| line.contains("filter") && line.contains("not supported"))
}
