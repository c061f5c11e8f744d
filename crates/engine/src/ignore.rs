//! Lines of a `.gitignore`: which files of a tree are left out.

use globset::{GlobBuilder, GlobMatcher};

/// Rules in the order they were written: the last that matches decides.
#[derive(Debug, Default)]
pub(crate) struct Ignore(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    matcher: GlobMatcher,
    keeps: bool,
    only_folders: bool,
}

impl Ignore {
    /// Parses lines as git does: `#` comments, `!` keeps, a trailing slash means folders, any other slash means from the
    /// top.
    pub(crate) fn parse(lines: &str) -> Result<Self, globset::Error> {
        let rules = lines
            .lines()
            .filter_map(Rule::parse)
            .collect::<Result<_, _>>()?;
        Ok(Self(rules))
    }

    /// Says whether the file or folder at `path`, relative to the top, is left out.
    ///
    /// What is in a folder that is left out is not asked for.
    pub(crate) fn leaves_out(&self, path: &str, is_folder: bool) -> bool {
        let matches =
            |rule: &&Rule| (is_folder || !rule.only_folders) && rule.matcher.is_match(path);
        self.0
            .iter()
            .rev()
            .find(matches)
            .is_some_and(|rule| !rule.keeps)
    }
}

impl Rule {
    fn parse(line: &str) -> Option<Result<Self, globset::Error>> {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let trimmed = line.trim_end_matches(' ');
        // A space after a backslash belongs to the name.
        let line = if trimmed.ends_with('\\') && trimmed.len() < line.len() {
            &line[..=trimmed.len()]
        } else {
            trimmed
        };
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (keeps, line) = line
            .strip_prefix('!')
            .map_or((false, line), |rest| (true, rest));
        let (only_folders, line) = line
            .strip_suffix('/')
            .map_or((false, line), |rest| (true, rest));
        let from_top = line.contains('/');
        let line = line.strip_prefix('/').unwrap_or(line);
        if line.is_empty() {
            return None;
        }
        // Braces mean nothing to git.
        let escaped = line.replace('{', "[{]").replace('}', "[}]");
        let glob = if from_top {
            escaped
        } else {
            format!("**/{escaped}")
        };
        let built = GlobBuilder::new(&glob)
            .literal_separator(true)
            .backslash_escape(true)
            .build();
        Some(built.map(|glob| Self {
            matcher: glob.compile_matcher(),
            keeps,
            only_folders,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &str, path: &str, is_folder: bool, expected: bool) {
        assert_eq!(
            Ignore::parse(lines).unwrap().leaves_out(path, is_folder),
            expected,
            "{lines:?} {path}"
        );
    }

    #[test]
    fn rules_mean_what_they_mean_to_git() {
        check("*.log", "a/b.log", false, true);
        check("/*.log", "a/b.log", false, false);
        check("/*.log", "b.log", false, true);
        check("a/*.log", "a/b.log", false, true);
        check("a/*.log", "c/a/b.log", false, false);
        check("build/", "x/build", true, true);
        check("build/", "x/build", false, false);
        check("*\n!keep", "keep", false, false);
        check("*\n!keep", "drop", false, true);
        check("!keep\n*", "keep", false, true);
        check("# x\n\n  ", "# x", false, false);
        check("\\#x", "#x", false, true);
        check("a/**/b", "a/x/y/b", false, true);
        check("a/**", "a/x", false, true);
        check("a?c", "a/c", false, false);
        check("{a}", "{a}", false, true);
        check("[ab]", "b", false, true);
    }
}
