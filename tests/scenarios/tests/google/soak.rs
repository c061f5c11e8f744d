//! Projects through a simulated day of random changes and faults: nobody weaker than policy allows ever asks a registry.

mod day;
mod tenant;

use anyhow::Result;

use day::Day;

/// Every change is five minutes after the one before.
#[tokio::test(flavor = "multi_thread")]
async fn a_few_projects_go_through_hours_of_trouble() -> Result<()> {
    Day::begin(12, 17).await?.go_on_for(60).await
}

/// A whole day of fifty Projects, for as many throws of the dice as there are seeds.
#[cfg(feature = "slow")]
pub(crate) async fn a_day_of(projects: usize, seed: u64) -> Result<()> {
    Day::begin(projects, seed).await?.go_on_for(24 * 12).await
}
