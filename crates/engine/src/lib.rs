//! Runs promotions, step by step.
