//! Every decision: pure functions, no I/O, no clock.
//!
//! | Question | Function | File |
//! | --- | --- | --- |
//! | Is a version newer, does it satisfy a constraint? | | `version.rs` |
//! | May a Stage take this Freight, and which would it take? | [`availability::available`], [`availability::choose`] | `availability.rs` |
//! | Does a Stage promote by itself, what holds it back? | [`auto_promotion::enabled`], [`auto_promotion::effective`] | `auto_promotion.rs` |
//! | Which of the artifacts of a repository are taken? | [`selection::ImageSelection::next_step`] | `selection.rs` |
//! | Do tags stay where they are? | [`CacheByTagPolicy::applies_to`] | `cache_by_tag.rs` |
//! | May Freight be made of what was found? | [`criteria::satisfied`] | `criteria.rs` |
//! | Which Freight do discovered artifacts make? | [`freight::build`] | `freight.rs` |
//! | What does a Warehouse need next? | [`warehouse::decide`] | `warehouse.rs` |
//! | What does a Stage need next? | [`stage::decide`] | `stage.rs` |
//! | What does a control-flow Stage need next? | [`control_flow::decide`] | `control_flow.rs` |
//! | What does a Promotion need next? | [`promotion::decide`] | `promotion.rs` |
//! | What does a Project need next? | [`project::decide`] | `project.rs` |
//! | What does a `ProjectConfig` need next? | [`project_config::decide`] | `project_config.rs` |
//! | What may be created or changed? | [`validation::stage`] and its siblings | `validation.rs` |
//! | What is said in an Event? | [`event::Event`] | `event.rs` |
//! | How is an error said to a person? | [`message::in_one_line`], [`message::with_next`] | `message.rs` |
//!
//! A decision about an object takes a `Seen`, which holds all it may rest on, `now` included, and gives a `Plan`: the new
//! status and what is to be done besides. The same `Seen` gives the same `Plan`.

pub mod auto_promotion;
pub mod availability;
mod cache_by_tag;
pub mod control_flow;
pub mod criteria;
pub mod event;
pub mod freight;
pub mod message;
pub mod name_pattern;
pub mod project;
pub mod project_config;
pub mod promotion;
pub mod selection;
pub mod stage;
pub mod validation;
pub mod version;
pub mod warehouse;

use std::time::Duration;

pub use self::cache_by_tag::{CacheByTagPolicy, CacheByTagRequired};

/// Says when an object should be looked at again although nothing woke its loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Again {
    /// Only when something changes.
    #[default]
    OnChange,
    /// At once: this decision changed what the next one rests on.
    Now,
    After(Duration),
    /// When the work that was started ends; only then it is known whether this was an error.
    OnceDone,
    /// After a delay that grows with every error in a row.
    AfterError,
}
