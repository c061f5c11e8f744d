//! The loops over an embedded API: Freight in, Promotions through, history out.

mod auto_promotion;
mod charts;
mod control_flow;
mod fairness;
mod going;
mod metrics;
mod names;
mod promotions;
mod soaking;
mod warehouses;
