//! What is remembered of Warehouses from one discovery to the next. A start begins without.

use std::collections::HashMap;

use domain::warehouse::Told;
use parking_lot::Mutex;

use crate::queue::Key;

/// What was told of each Warehouse, and which wish of its people was heard.
#[derive(Default)]
pub(super) struct Memory(Mutex<HashMap<Key, Remembered>>);

#[derive(Default)]
struct Remembered {
    told: Option<Vec<Told>>,
    refresh: Option<String>,
}

impl Memory {
    /// Says whether a refresh is asked for that was not heard of before; it is heard of then.
    pub(super) fn hears(&self, key: &Key, refresh: &str) -> bool {
        let mut all = self.0.lock();
        let heard = &mut all.entry(key.clone()).or_default().refresh;
        let is_new = heard.as_deref() != Some(refresh);
        if is_new {
            *heard = Some(refresh.to_owned());
        }
        is_new
    }

    /// Gives what was told last of who acts.
    pub(super) fn told(&self, key: &Key) -> Option<Vec<Told>> {
        self.0.lock().get(key).and_then(|it| it.told.clone())
    }

    pub(super) fn tell(&self, key: &Key, told: Vec<Told>) {
        self.0.lock().entry(key.clone()).or_default().told = Some(told);
    }

    /// Forgets a Warehouse that is not looked after any more.
    pub(super) fn forget(&self, key: &Key) {
        self.0.lock().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_is_heard_of_once_for_each_of_its_values() {
        let (memory, key) = (Memory::default(), Key::new("acme", "web"));
        let heard = ["1", "1", "2", "2", "1"].map(|it| memory.hears(&key, it));
        assert_eq!(heard, [true, false, true, false, true]);
        memory.forget(&key);
        assert!(memory.hears(&key, "1"));
    }
}
