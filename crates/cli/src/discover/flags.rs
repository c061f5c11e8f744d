//! Flags that several kinds of subscriptions have.

use clap::Args;

/// What every subscription says.
#[derive(Debug, Clone, Args)]
pub(super) struct Taking {
    /// How many are taken: discoveryLimit
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=100))]
    pub(super) limit: i64,
    /// Accepts any certificate: insecureSkipTLSVerify
    #[arg(long)]
    pub(super) insecure_skip_tls_verify: bool,
}

/// Which tags count.
#[derive(Debug, Clone, Args)]
pub(super) struct Tags {
    /// Takes versions that are written loosely, such as v1.2: strictSemvers=false
    #[arg(long)]
    pub(super) loose_semvers: bool,
    /// Tags that count: allowTagsRegexes; repeatable
    #[arg(long = "allow-tags", value_name = "REGEX")]
    pub(super) allow_tags_regexes: Vec<String>,
    /// Tags that do not: ignoreTagsRegexes; repeatable
    #[arg(long = "ignore-tags", value_name = "REGEX")]
    pub(super) ignore_tags_regexes: Vec<String>,
}
