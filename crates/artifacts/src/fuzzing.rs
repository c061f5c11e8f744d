//! What fuzz targets call: readers of what servers send, which no bytes may break. See `cargo xtask fuzz`.

pub use crate::git::fuzzing::pkt_line;
pub use crate::registry::fuzzing::{challenge, manifest, tags};

/// Reads an index of charts.
pub fn chart_index(bytes: &[u8]) {
    for chart in ["web", "a"] {
        if let Ok(index) = crate::chart::index::read(bytes, chart) {
            let count = index.versions(chart).map_or(0, Iterator::count);
            assert!(count <= bytes.len(), "each version was read");
            assert!(index.chart_count() <= bytes.len(), "so was each chart");
        }
    }
}
