//! Discovery against real servers, and against scripted ones for what no real server can be made to do.

mod cache_by_tag;
mod chart_indexes;
mod chart_tags;
mod charts;
mod detours;
mod errors;
mod faults;
mod filled;
mod git;
mod images;
mod index_children;
mod listings;
mod logins;
mod memory;
mod registry_protocol;
mod remotes;
mod scripted;
mod ten_thousand;
mod unreachable;

use artifacts::image::Asked;
use artifacts::{Boundless, Caller, Cost};
use credentials::Login;
use domain::selection::NewestBuildBy;
use jiff::Timestamp;

/// Asks on behalf of `project`.
fn caller<'a>(project: &'a str, login: Option<&'a Login>, cost: &'a Cost) -> Caller<'a> {
    Caller {
        project,
        login,
        cost,
        room: &Boundless,
    }
}

/// What tests ask for whose subject is neither.
const ASKED: Asked = Asked {
    newest_build_by: NewestBuildBy::Built,
    now: Timestamp::UNIX_EPOCH,
};

/// Why a subscription has failed, which comes with what to do next.
trait Failure: std::error::Error {
    fn next(&self) -> String;
}

impl Failure for artifacts::image::Error {
    fn next(&self) -> String {
        self.hint()
    }
}

impl Failure for artifacts::chart::Error {
    fn next(&self) -> String {
        self.hint()
    }
}

impl Failure for artifacts::git::Error {
    fn next(&self) -> String {
        self.hint()
    }
}

impl Failure for artifacts::registry::Error {
    fn next(&self) -> String {
        self.hint()
    }
}

/// Checks that an error names the repository and the request, and says what to do next.
#[track_caller]
fn check_told(error: &impl Failure, repository: &str, request: &str, next: &str) {
    let (told, hint) = (told(error), error.next());
    assert!(told.contains(repository), "no {repository} in: {told}");
    assert!(told.contains(request), "no {request} in: {told}");
    let is_said = !hint.is_empty() && hint.contains(next);
    assert!(is_said, "no {next} in: {hint}");
}

/// Writes an error with its causes, as a log does.
fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |it| it.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
