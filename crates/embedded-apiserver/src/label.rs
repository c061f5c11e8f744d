//! What a label key and a label value may look like.

/// Says what is wrong with a label or annotation key; empty when it is fine.
pub fn key_errors(key: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let name = match key.split_once('/') {
        None => key,
        Some((_, rest)) if rest.contains('/') => {
            return vec![format!(
                "a qualified name {} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
                shape("MyName", "my.name", "123-abc", NAME)
            )];
        }
        Some((prefix, rest)) => {
            if prefix.is_empty() {
                errors.push("prefix part must be non-empty".to_owned());
            } else {
                errors.extend(
                    subdomain_errors(prefix)
                        .into_iter()
                        .map(|error| format!("prefix part {error}")),
                );
            }
            rest
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        errors.push("name part must be no more than 63 bytes".to_owned());
    }
    if !is_name(name) {
        errors.push(format!(
            "name part {}",
            shape("MyName", "my.name", "123-abc", NAME)
        ));
    }
    errors
}

/// Says what is wrong with a label value; empty when it is fine.
pub fn value_errors(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if value.len() > 63 {
        errors.push("must be no more than 63 bytes".to_owned());
    }
    if !value.is_empty() && !is_name(value) {
        errors.push(format!(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
             alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '({NAME})?')"
        ));
    }
    errors
}

/// Says what is wrong with a DNS subdomain (`kargo.akuity.io`); empty when it is fine.
pub fn subdomain_errors(name: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if name.len() > 253 {
        errors.push("must be no more than 253 bytes".to_owned());
    }
    if !name.split('.').all(is_dns_word) {
        errors.push(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an \
             alphanumeric character (e.g. 'example.com', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
                .to_owned(),
        );
    }
    errors
}

const NAME: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

fn shape(first: &str, second: &str, third: &str, pattern: &str) -> String {
    format!(
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character \
         (e.g. '{first}',  or '{second}',  or '{third}', regex used for validation is '{pattern}')"
    )
}

fn is_name(name: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    ends(name, |byte| byte.is_ascii_alphanumeric()) && name.bytes().all(inside)
}

fn is_dns_word(word: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    ends(word, plain) && word.bytes().all(|byte| plain(byte) || byte == b'-')
}

fn ends(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    match text.as_bytes() {
        [] => false,
        [only] => allowed(*only),
        [first, .., last] => allowed(*first) && allowed(*last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_names_with_an_optional_prefix() {
        for good in ["a", "a.b-c_d", "kargo.akuity.io/project", "A1", "0"] {
            assert!(
                key_errors(good).is_empty(),
                "{good}: {:?}",
                key_errors(good)
            );
        }
        for bad in [
            "",
            "/a",
            "a/",
            "a/b/c",
            "-a",
            "a-",
            "A.b/c d",
            "UPPER/a",
            &"x".repeat(64),
        ] {
            assert!(!key_errors(bad).is_empty(), "{bad} passed");
        }
    }

    #[test]
    fn values_may_be_empty() {
        for good in ["", "a", "my_value", "1.2.3"] {
            assert!(value_errors(good).is_empty(), "{good}");
        }
        for bad in ["-", "a b", "a/b", "é", &"x".repeat(64)] {
            assert!(!value_errors(bad).is_empty(), "{bad} passed");
        }
    }
}
