//! What was left out, counted by rule: of a million tags only the first are told by name.

use std::collections::BTreeMap;

use super::Rule;

/// Most tags that are named for one rule, and most reasons for which images are unusable.
const TAGS_BOUND: usize = 100;
const REASONS_BOUND: usize = 100;

/// What one rule leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuledOut {
    pub rule: Rule,
    pub count: usize,
    /// The first of them, a hundred at most; for the commits of a branch their ids, for charts their versions.
    pub tags: Vec<String>,
}

/// Counts what is left out.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    by_rule: BTreeMap<Rule, (usize, Vec<String>)>,
}

impl Tally {
    /// Counts a tag, a commit or a version.
    pub fn add(&mut self, tag: String, rule: Rule) {
        let is_one_more =
            self.by_rule.len() >= 2 * REASONS_BOUND && !self.by_rule.contains_key(&rule);
        let rule = match rule {
            Rule::Unusable(_) if is_one_more => Rule::Unusable("another reason".to_owned()),
            rule => rule,
        };
        let (count, tags) = self.by_rule.entry(rule).or_default();
        *count += 1;
        if tags.len() < TAGS_BOUND {
            tags.push(tag);
        }
    }

    /// Gives what each rule left out, in the order of the rules.
    pub fn told(&self) -> Vec<RuledOut> {
        let told = self.by_rule.iter().map(|(rule, (count, tags))| RuledOut {
            rule: rule.clone(),
            count: *count,
            tags: tags.clone(),
        });
        told.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_tags_and_reasons_takes_little_room() {
        let mut tally = Tally::default();
        for number in 0..1_000_usize {
            tally.add(number.to_string(), Rule::NoVersion);
            tally.add(number.to_string(), Rule::Unusable(number.to_string()));
        }
        let told = tally.told();
        assert!(told.len() <= 2 * REASONS_BOUND + 1, "{}", told.len());
        assert_eq!(told.iter().map(|it| it.count).sum::<usize>(), 2_000);
        assert!(told.iter().all(|it| it.tags.len() <= TAGS_BOUND));
        assert_eq!((&told[0].rule, told[0].count), (&Rule::NoVersion, 1_000));
    }
}
