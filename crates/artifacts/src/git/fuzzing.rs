//! Readers of what Git hosts send, for fuzz targets.

use super::pkt;

/// Reads lines as packets, and what a host says of its refs.
pub fn pkt_line(bytes: &[u8]) {
    let count = pkt::read(bytes).take_while(Result::is_ok).count();
    assert!(count <= bytes.len(), "each takes a byte at least");
    super::refs::read_anything(bytes);
}
