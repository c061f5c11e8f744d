//! How `/token` refuses, in the words that people have met.

use crate::sts::ExchangeRefusal;

fn grant(description: &str) -> ExchangeRefusal {
    ExchangeRefusal::new("invalid_grant", description)
}

/// Neither a signed assertion nor a refresh token.
///
/// Source: <https://github.com/googleapis/google-api-ruby-client/issues/862>
pub(super) fn grant_type(found: &str) -> ExchangeRefusal {
    let description = format!("Invalid grant_type: {found}");
    ExchangeRefusal::new("unsupported_grant_type", description)
}

/// Source: <https://github.com/googleapis/google-auth-library-python/issues/217>
pub(super) fn no_scope() -> ExchangeRefusal {
    ExchangeRefusal::new("invalid_scope", "Empty or missing scope not allowed.")
}

/// A refresh token that nobody logged in with, or that was revoked.
///
/// Source: <https://developers.google.com/identity/protocols/oauth2/web-server#errors>
pub(super) fn logged_out() -> ExchangeRefusal {
    grant("Token has been expired or revoked.")
}

pub(super) fn malformed() -> ExchangeRefusal {
    grant("Invalid JWT: Failed to parse.")
}

/// The key is not one of a living account, or another signed.
///
/// Source: <https://developers.google.com/identity/protocols/oauth2/service-account#jwt-auth>
pub(super) fn bad_signature() -> ExchangeRefusal {
    grant("Invalid JWT Signature.")
}

/// The assertion is not of now, or good for more than an hour: as a rule, the clock of whoever signed it is wrong.
///
/// Source: <https://github.com/theoephraim/node-google-spreadsheet/issues/409>
pub(super) fn not_of_now() -> ExchangeRefusal {
    grant(
        "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp \
         values in the JWT claim.",
    )
}

/// The account of the assertion is not the one whose key signed it.
///
/// Source: <https://github.com/googleapis/google-cloud-php/issues/3622>
pub(super) fn no_account() -> ExchangeRefusal {
    grant("Invalid grant: account not found")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{self, row};

    const DOCUMENTED: &str = "documented: https://developers.google.com/identity/protocols/oauth2/service-account#jwt-auth";

    #[tokio::test]
    async fn every_refusal_is_as_its_golden_file_says() {
        let rows = vec![
            row(
                "grant-type",
                "seen: https://github.com/googleapis/google-api-ruby-client/issues/862; assumed: oauth-words",
                grant_type("password"),
            ),
            row(
                "no-scope",
                "seen: https://github.com/googleapis/google-auth-library-python/issues/217",
                no_scope(),
            ),
            row(
                "logged-out",
                "documented: https://developers.google.com/identity/protocols/oauth2/web-server#errors",
                logged_out(),
            ),
            row("malformed", "assumed: oauth-words", malformed()),
            row("bad-signature", DOCUMENTED, bad_signature()),
            row(
                "clock-behind-or-ahead",
                "seen: https://github.com/theoephraim/node-google-spreadsheet/issues/409",
                not_of_now(),
            ),
            row(
                "no-account",
                "seen: https://github.com/googleapis/google-cloud-php/issues/3622",
                no_account(),
            ),
        ];
        golden::check("oauth", rows).await;
    }
}
