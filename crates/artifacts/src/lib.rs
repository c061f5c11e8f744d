//! Git hosts, image registries and repositories of charts.
//!
//! | concept | finds | changes |
//! | --- | --- | --- |
//! | image | [`image`], over [`registry`] | |
//! | commit | [`git`] | [`work_tree`] |
//! | chart | [`chart`], over [`registry`] where it is in one | |
//!
//! What a tenant writes decides where requests go, so [`egress`] has the last word on every connection, and programs
//! run as [`child`]ren that see only what they need.

pub mod chart;
pub mod child;
mod cost;
pub mod egress;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod git;
pub mod image;
pub mod registry;
mod room;
mod sender;
mod shell;
pub mod work_tree;

use credentials::Login;

pub use crate::cost::{Cost, Looks, Outcome, Spent};
pub use crate::room::{Boundless, Room};
pub use crate::sender::{Fault, InFlight, Limits};

/// Says on whose behalf the outside is asked, and who pays.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// Nothing that is remembered crosses projects.
    pub project: &'a str,
    pub login: Option<&'a Login>,
    pub cost: &'a Cost,
    /// What is left to others while this waits for them.
    pub room: &'a dyn Room,
}
