//! When an image was built, by what it says of itself.
//!
//! The precedence is upstream's: annotations of the manifest, and only without them the latest of what the config says.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::registry::{Config, parse_time};

/// Keys whose value is the time, in RFC 3339; the first that can be read counts.
const KEYS: [&str; 2] = [
    "org.opencontainers.image.created",
    "org.label-schema.build-date",
];

/// Reads the time from annotations or labels.
pub(crate) fn by_annotations(annotations: &BTreeMap<String, String>) -> Option<Timestamp> {
    KEYS.iter()
        .find_map(|key| parse_time(annotations.get(*key)?))
}

/// Reads the time from a config: its own field or its labels, whichever is later.
pub(crate) fn by_config(config: &Config) -> Option<Timestamp> {
    let labels = config.config.as_ref().and_then(|it| it.labels.as_ref());
    let label = labels.and_then(|labels| {
        let both = [&labels.created, &labels.build_date];
        both.into_iter().find_map(|it| parse_time(it.as_deref()?))
    });
    config.created.as_deref().and_then(parse_time).max(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(annotations: &[(&str, &str)], config: &str, expected: Option<&str>) {
        let annotations = annotations
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let config: Config = serde_json::from_str(config).expect("a config");
        let found = by_annotations(&annotations).or_else(|| by_config(&config));
        assert_eq!(
            found.map(|it| it.to_string()).as_deref(),
            expected,
            "{annotations:?}"
        );
    }

    #[test]
    fn annotations_go_before_the_config() {
        let (oci, schema) = (KEYS[0], KEYS[1]);
        let (one, two, three) = (
            "2026-01-01T00:00:00Z",
            "2026-01-02T00:00:00Z",
            "2026-01-03T00:00:00Z",
        );
        let config =
            format!(r#"{{"created":"{two}","config":{{"Labels":{{"{oci}":"{three}"}}}}}}"#);
        check(&[(oci, one), (schema, two)], &config, Some(one));
        check(&[(schema, one)], &config, Some(one));
        check(&[(oci, "yesterday"), (schema, one)], &config, Some(one));
        check(&[(oci, "yesterday")], &config, Some(three));
        check(&[], &config, Some(three));
        check(
            &[],
            &format!(r#"{{"created":"{two}","config":{{"Labels":{{"{schema}":"{one}"}}}}}}"#),
            Some(two),
        );
        check(
            &[],
            &format!(r#"{{"created":"{two}","config":{{"Labels":null}}}}"#),
            Some(two),
        );
        check(&[], &format!(r#"{{"created":"{two}"}}"#), Some(two));
        check(
            &[],
            r#"{"created":"2026-01-02T05:30:00.123456789+05:30"}"#,
            Some("2026-01-02T00:00:00.123456789Z"),
        );
        check(&[], r#"{"created":"0001-01-01T00:00:00Z"}"#, None);
        check(
            &[],
            r#"{"created":"1970-01-01T00:00:00Z"}"#,
            Some("1970-01-01T00:00:00Z"),
        );
        check(&[], r#"{"created":null,"config":null}"#, None);
        check(&[], "{}", None);
    }
}
