//! How many past changes are held, for watches that resume and lists that continue.

/// Bounds of the change log: the oldest changes go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// At most this many changes, and a tenth more before the oldest are dropped together.
    pub changes: usize,
    /// At most this many bytes of objects in them.
    pub bytes: usize,
}

impl Default for History {
    fn default() -> Self {
        Self {
            changes: 10_000,
            bytes: 24 << 20,
        }
    }
}

impl History {
    /// Says when enough has gathered that dropping is worth it.
    pub(super) fn is_exceeded(&self, (changes, bytes): (usize, usize)) -> bool {
        changes > self.changes + self.changes / 10 || bytes > self.bytes + self.bytes / 10
    }
}
