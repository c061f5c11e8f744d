//! What takes minutes.

use anyhow::Result;

use crate::memory;

#[test]
fn a_million_tags_are_listed_in_little_memory() -> Result<()> {
    memory::measure(
        "slow::a_million_tags_are_listed_in_little_memory",
        1_000_000,
    )
}
