//! Which versions of a chart a subscription takes.

use resources::ChartSubscription;

use super::{Rule, RuledOut, RulesError, Tally, limit};
use crate::version::{Constraint, Version};

/// Begins the `repoURL` of a chart that is kept in a registry.
const REGISTRY_SCHEME: &str = "oci://";
/// The field that says which versions are wanted.
const CONSTRAINT: &str = "semverConstraint";

/// Says what a chart subscription takes, read once.
#[derive(Debug)]
pub struct ChartRules {
    source: ChartSource,
    constraint: Option<Constraint>,
    limit: usize,
}

/// Says where the versions of a chart are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChartSource {
    /// In the index of a repository that holds many charts. Its versions may be written loosely: `v1.2`.
    Index { chart: String },
    /// As the tags of a registry's repository, with `_` for each `+`. They are written strictly.
    Tags {
        /// Without the scheme: `ghcr.io/acme/charts/web`.
        repository: String,
    },
}

/// Holds the selection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SelectedVersions {
    /// Highest first, no more than `discoveryLimit`, as their repository spells them but for `+`.
    pub taken: Vec<String>,
    pub ruled_out: Vec<RuledOut>,
}

impl ChartRules {
    /// Reads the rules of a subscription.
    pub fn parse(subscription: &ChartSubscription) -> Result<Self, RulesError> {
        let ChartSubscription {
            repo_url,
            name,
            semver_constraint,
            // Whoever connects looks at it.
            insecure_skip_tls_verify: _,
            discovery_limit,
        } = subscription;
        let source = match repo_url.strip_prefix(REGISTRY_SCHEME) {
            Some(_) if !name.is_empty() => {
                let why = "must be empty, for a repoURL that begins with oci:// ends with the chart's name";
                return Err(RulesError::Name { why });
            }
            Some(repository) => ChartSource::Tags {
                repository: repository.to_owned(),
            },
            None if name.is_empty() => {
                let why = "must say which chart of the repository is meant";
                return Err(RulesError::Name { why });
            }
            None => ChartSource::Index {
                chart: name.clone(),
            },
        };
        let constraint = Some(semver_constraint)
            .filter(|it| !it.is_empty())
            .map(|it| Constraint::parse(it))
            .transpose();
        Ok(Self {
            source,
            constraint: constraint.map_err(|source| RulesError::Constraint {
                field: CONSTRAINT,
                source,
            })?,
            limit: limit(*discovery_limit),
        })
    }

    /// Says where the versions are listed.
    pub fn source(&self) -> &ChartSource {
        &self.source
    }

    /// Selects among the versions of the chart, or the tags of its repository.
    pub fn select<'a>(&self, listed: impl IntoIterator<Item = &'a str>) -> SelectedVersions {
        let mut selection = self.start();
        for text in listed {
            selection.offer(text);
        }
        selection.selected()
    }

    /// Starts to select. Nothing has been listed yet.
    pub fn start(&self) -> ChartSelection<'_> {
        ChartSelection {
            rules: self,
            best: Vec::new(),
            ruled_out: Tally::default(),
        }
    }

    fn judge(&self, text: &str) -> Result<Version, Rule> {
        let version = Version::parse(text).map_err(|_| Rule::NoVersion)?;
        let is_strict = || Version::parse_strict(text).is_ok();
        if matches!(self.source, ChartSource::Tags { .. }) && !is_strict() {
            return Err(Rule::NotStrictInRegistry);
        }
        match &self.constraint {
            Some(constraint) if !constraint.allows(&version) => Err(Rule::Constraint(CONSTRAINT)),
            Some(_) | None => Ok(version),
        }
    }
}

/// Selects while versions are listed, and holds no more of them than are taken.
#[derive(Debug)]
pub struct ChartSelection<'a> {
    rules: &'a ChartRules,
    /// Best first, each once.
    best: Vec<Version>,
    ruled_out: Tally,
}

impl ChartSelection<'_> {
    /// Takes a version of the chart, or a tag of its repository. One that comes twice counts once among those that are taken.
    pub fn offer(&mut self, text: &str) {
        let version = match self.rules.source {
            ChartSource::Index { .. } => text.to_owned(),
            ChartSource::Tags { .. } => text.replace('_', "+"),
        };
        let version = match self.rules.judge(&version) {
            Ok(version) => version,
            Err(rule) => return self.ruled_out.add(version, rule),
        };
        let place = self.best.binary_search_by(|it| {
            let order = version.cmp(it);
            order.then_with(|| version.original().cmp(it.original()))
        });
        let Err(place) = place else {
            return;
        };
        self.best.insert(place, version);
        if self.best.len() > self.rules.limit
            && let Some(worst) = self.best.pop()
        {
            let text = worst.original().to_owned();
            self.ruled_out.add(text, Rule::Limit);
        }
    }

    /// Gives what is selected of all that was offered.
    pub fn selected(self) -> SelectedVersions {
        let taken = self.best.iter().map(|it| it.original().to_owned());
        SelectedVersions {
            taken: taken.collect(),
            ruled_out: self.ruled_out.told(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Writes one field of a subscription.
    type Change = fn(&mut ChartSubscription);

    const INDEX: &str = "https://charts.example.com";
    const REGISTRY: &str = "oci://ghcr.io/acme/charts/web";

    fn subscription(repo_url: &str) -> ChartSubscription {
        let name = if repo_url == INDEX { "web" } else { "" };
        ChartSubscription {
            repo_url: repo_url.to_owned(),
            name: name.to_owned(),
            ..ChartSubscription::default()
        }
    }

    fn select(repo_url: &str, change: Change, listed: &[&str]) -> SelectedVersions {
        let mut subscription = subscription(repo_url);
        change(&mut subscription);
        let rules = ChartRules::parse(&subscription).expect("rules");
        rules.select(listed.iter().copied())
    }

    #[track_caller]
    fn check(repo_url: &str, change: Change, listed: &[&str], taken: &[&str]) {
        assert_eq!(select(repo_url, change, listed).taken, taken, "{listed:?}");
    }

    #[test]
    fn the_highest_versions_come_first_and_ties_go_by_their_text() {
        let listed = ["1.2.0", "v1.10", "1.9.3", "1.10.0", "1.10.0+b", "1.10.0"];
        let taken = ["v1.10", "1.10.0+b", "1.10.0", "1.9.3", "1.2.0"];
        check(INDEX, |_| {}, &listed, &taken);
    }

    #[test]
    fn an_index_is_read_loosely_and_a_registry_strictly() {
        let listed = [
            "latest",
            "v2.0.0",
            "1.2",
            "01.0.0",
            "1.0.0-rc.1",
            "1.0.0_b1",
        ];
        check(
            INDEX,
            |_| {},
            &listed,
            &["v2.0.0", "1.2", "01.0.0", "1.0.0-rc.1"],
        );
        check(REGISTRY, |_| {}, &listed, &["1.0.0+b1", "1.0.0-rc.1"]);
    }

    #[test]
    fn a_constraint_selects_and_without_one_prereleases_count() {
        let listed = ["1.0.0", "1.1.0", "2.0.0", "2.1.0-rc.1"];
        check(
            INDEX,
            |_| {},
            &listed,
            &["2.1.0-rc.1", "2.0.0", "1.1.0", "1.0.0"],
        );
        let one: Change = |it| it.semver_constraint = "^1.0.0".to_owned();
        check(INDEX, one, &listed, &["1.1.0", "1.0.0"]);
        check(REGISTRY, one, &listed, &["1.1.0", "1.0.0"]);
        let pre: Change = |it| it.semver_constraint = "^2.0.0-0".to_owned();
        check(REGISTRY, pre, &listed, &["2.1.0-rc.1", "2.0.0"]);
    }

    #[test]
    fn the_limit_cuts_and_every_version_left_out_has_its_rule() {
        let listed = ["1.0.0", "1.1.0", "2.0.0", "latest", "v1.0.0"];
        let change: Change = |it| {
            it.discovery_limit = 1;
            it.semver_constraint = "1.x".to_owned();
        };
        let selected = select(REGISTRY, change, &listed);
        let told: Vec<_> = selected
            .ruled_out
            .iter()
            .map(|it| (it.rule.clone(), it.count, it.tags.join(" ")))
            .collect();
        assert_eq!(selected.taken, ["1.1.0"]);
        let expected = [
            (Rule::NoVersion, "latest"),
            (Rule::NotStrictInRegistry, "v1.0.0"),
            (Rule::Constraint("semverConstraint"), "2.0.0"),
            (Rule::Limit, "1.0.0"),
        ];
        assert_eq!(
            told,
            expected.map(|(rule, version)| (rule, 1, version.to_owned()))
        );
    }

    #[test]
    fn a_name_belongs_to_a_repository_with_an_index() {
        let refused = |repo_url: &str, name: &str| {
            let subscription = ChartSubscription {
                name: name.to_owned(),
                ..subscription(repo_url)
            };
            let error = ChartRules::parse(&subscription).expect_err("it has to be corrected");
            error.to_string()
        };
        assert!(refused(INDEX, "").starts_with("name must say which chart"));
        assert!(refused(REGISTRY, "web").starts_with("name must be empty"));
        let wrong = ChartSubscription {
            semver_constraint: "newest".to_owned(),
            ..subscription(INDEX)
        };
        let error = ChartRules::parse(&wrong).expect_err("no constraint");
        assert_eq!(error.to_string(), "failed to read semverConstraint");
    }

    #[test]
    fn a_source_says_what_to_ask_for() {
        let source = |repo_url| {
            let rules = ChartRules::parse(&subscription(repo_url)).expect("rules");
            rules.source().clone()
        };
        let (chart, repository) = ("web".to_owned(), "ghcr.io/acme/charts/web".to_owned());
        assert_eq!(source(INDEX), ChartSource::Index { chart });
        assert_eq!(source(REGISTRY), ChartSource::Tags { repository });
    }

    #[test]
    fn of_a_long_list_no_more_is_held_than_is_taken() {
        let change: Change = |it| it.discovery_limit = 3;
        let mut subscription = subscription(REGISTRY);
        change(&mut subscription);
        let rules = ChartRules::parse(&subscription).expect("rules");
        let mut selection = rules.start();
        for number in 0..10_000 {
            // Neither the order of versions nor its reverse.
            selection.offer(&format!("1.0.{}", number * 7 % 10_000));
            assert!(selection.best.len() <= 3);
        }
        selection.offer("1.0.9998");
        let selected = selection.selected();
        assert_eq!(selected.taken, ["1.0.9999", "1.0.9998", "1.0.9997"]);
        assert_eq!(selected.ruled_out.len(), 1);
        assert_eq!(selected.ruled_out[0].count, 9_997);
    }

    proptest! {
        #[test]
        fn the_best_are_taken_in_whatever_order_they_are_listed(listed in proptest::collection::vec("[0-9]\\.[0-9]\\.[0-9](\\+[a-c])?", 0..40), limit in 1i64..5) {
            let subscription = ChartSubscription { discovery_limit: limit, ..subscription(REGISTRY) };
            let rules = ChartRules::parse(&subscription).expect("rules");
            let mut best: Vec<Version> = listed.iter().map(|it| Version::parse(it).expect("a version")).collect();
            best.sort_by(|one, other| other.cmp(one).then_with(|| other.original().cmp(one.original())));
            best.dedup_by(|one, other| one.original() == other.original());
            best.truncate(rules.limit);
            let best: Vec<&str> = best.iter().map(Version::original).collect();
            prop_assert_eq!(rules.select(listed.iter().map(String::as_str)).taken, best);
        }

        #[test]
        fn whatever_is_listed_is_taken_or_ruled_out(listed in proptest::collection::vec("v?[0-9]{1,2}(\\.[0-9]){0,3}([-+_][a-z.]{0,3})?", 0..40), limit in 1i64..5) {
            let subscription = ChartSubscription { discovery_limit: limit, ..subscription(REGISTRY) };
            let rules = ChartRules::parse(&subscription).expect("rules");
            let selected = rules.select(listed.iter().map(String::as_str));
            let mut texts: Vec<String> = listed.iter().map(|it| it.replace('_', "+")).collect();
            texts.sort();
            texts.dedup();
            prop_assert!(i64::try_from(selected.taken.len()).expect("few") <= limit);
            for text in texts {
                let is_taken = selected.taken.contains(&text);
                prop_assert!(is_taken != selected.ruled_out.iter().any(|it| it.tags.contains(&text)), "{text}");
            }
        }
    }
}
