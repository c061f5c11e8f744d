//! Large repositories at Google's: how they are listed, and in how many requests.

mod costs;
mod fallbacks;
mod memory;
mod stand;
mod times;

#[cfg(feature = "slow")]
mod slow;
