//! Projects through a simulated day of random changes and faults: nobody weaker than policy allows ever asks a registry, and
//! whoever acts, or must not, does so again at the first look after trouble.

mod changes;
mod day;
mod tenant;
mod trouble;

use anyhow::Result;

use day::Day;

/// Requests that hang cost their time-outs, which are real: up to ten seconds each.
const HANGS_OF_HOURS: u32 = 2;
#[cfg(feature = "slow")]
const HANGS_OF_A_DAY: u32 = 8;

/// Every change is five minutes after the one before.
#[tokio::test(flavor = "multi_thread")]
async fn a_few_projects_go_through_hours_of_trouble() -> Result<()> {
    let day = Day::begin(12, 17, HANGS_OF_HOURS).await?;
    day.go_on_for(60).await
}

/// A whole day of fifty Projects, for as many throws of the dice as there are seeds.
#[cfg(feature = "slow")]
pub(crate) async fn a_day_of(projects: usize, seed: u64) -> Result<()> {
    let day = Day::begin(projects, seed, HANGS_OF_A_DAY).await?;
    day.go_on_for(24 * 12).await
}
