//! Which objects this process looks after, when several share the work.

use resources::names::label;

/// The share of the work this process does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    name: String,
    is_default: bool,
}

impl Shard {
    /// All that nobody else was named for, which is everything where there is one process only.
    pub fn default_one() -> Self {
        Self {
            name: String::new(),
            is_default: true,
        }
    }

    /// What bears this name.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            is_default: false,
        }
    }

    /// What bears this name, and what bears none.
    pub fn named_default(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            is_default: true,
        }
    }

    /// Says whether an object is looked after here.
    pub fn includes<K: kube::Resource>(&self, object: &K) -> bool {
        let labels = object.meta().labels.as_ref();
        match labels
            .and_then(|it| it.get(label::SHARD))
            .filter(|it| !it.is_empty())
        {
            Some(name) => *name == self.name,
            None => self.is_default,
        }
    }

    /// Says whether this process also looks after what is never shared out, such as Projects.
    pub fn is_default(&self) -> bool {
        self.is_default
    }

    /// Gives the name a loop bears in Events and as an actor.
    pub(crate) fn component(&self, part: &str) -> String {
        if self.name.is_empty() {
            part.to_owned()
        } else {
            format!("{part}-{}", self.name)
        }
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self::default_one()
    }
}

#[cfg(test)]
mod tests {
    use resources::Stage;

    use super::*;

    #[track_caller]
    fn check(shard: &Shard, label_of_object: Option<&str>, expected: bool) {
        let mut stage = Stage::default();
        stage.metadata.labels =
            label_of_object.map(|it| [(label::SHARD.to_owned(), it.to_owned())].into());
        assert_eq!(
            shard.includes(&stage),
            expected,
            "{shard:?} {label_of_object:?}"
        );
    }

    #[test]
    fn an_object_belongs_to_the_shard_it_names() {
        check(&Shard::named("eu"), Some("eu"), true);
        check(&Shard::named("eu"), Some("us"), false);
        check(&Shard::named_default("eu"), Some("us"), false);
        check(&Shard::default_one(), Some("eu"), false);
    }

    #[test]
    fn an_object_that_names_none_belongs_to_the_default() {
        check(&Shard::default_one(), None, true);
        check(&Shard::default_one(), Some(""), true);
        check(&Shard::named_default("eu"), None, true);
        check(&Shard::named("eu"), None, false);
    }
}
