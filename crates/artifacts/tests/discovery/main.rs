//! Discovery against real servers, and against scripted ones for what no real server can be made to do.

mod filled;
mod git;
mod images;
mod memory;
mod registry_protocol;
mod remotes;
mod scripted;

use artifacts::{Caller, Cost};
use credentials::Login;

/// Asks on behalf of `project`.
fn caller<'a>(project: &'a str, login: Option<&'a Login>, cost: &'a Cost) -> Caller<'a> {
    Caller {
        project,
        login,
        cost,
    }
}

/// Writes an error with its causes, as a log does.
fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |it| it.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
