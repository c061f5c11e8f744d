//! Automation: check, tools, tidy, generate, demo.

fn main() {}
