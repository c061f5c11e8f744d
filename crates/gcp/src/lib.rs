//! Google Cloud: who we are, whose tokens we may have, and what is wrong when we may not.

pub mod principal;
