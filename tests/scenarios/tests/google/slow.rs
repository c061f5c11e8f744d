//! What takes minutes. Built with the feature `slow`, run by `cargo xtask check --slow`.

use anyhow::Result;

#[tokio::test(flavor = "multi_thread")]
async fn fifty_projects_go_through_a_day_of_trouble() -> Result<()> {
    for seed in 1..=2 {
        crate::soak::a_day_of(50, seed).await?;
    }
    Ok(())
}
