//! Runs promotions, from the first step to the last.
//!
//! [`run()`] takes a [`Run`] (all that a Promotion says, and how far it came) and goes through its steps: it evaluates
//! the step's condition and configuration, checks the configuration against the schema of the step's kind, and lets the
//! kind's code in [`STEPS`] act on the promotion's files and on what the [`Context`] reaches. How far it came is given to
//! a [`Recorder`] before each next step starts; after a crash the same call goes on from there.

pub mod context;
mod environment;
mod functions;
mod ignore;
mod progress;
mod run;
mod schema;
pub mod steps;
pub mod task;
mod work_dir;
mod yaml;

pub use context::{Context, Settings};
pub use progress::{CHECKPOINTS, Progress, RecordError, Recorder};
pub use run::{Outcome, Run, run};
pub use steps::STEPS;
pub use work_dir::remove_work_dir;
