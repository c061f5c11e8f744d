//! Addresses of blobs that need no credential: whoever was given one may read that blob for a while.

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::address::RepositoryName;
use super::digest::Digest;

/// How long an address is good for. Google does not say.
const LIFE: SignedDuration = SignedDuration::from_mins(15);

/// What signs addresses, new with each registry.
pub(super) struct Signer {
    secret: [u8; 32],
}

/// What an address allows.
#[derive(Debug, Serialize, Deserialize)]
struct Ticket {
    digest: String,
    project: String,
    location: String,
    repository: String,
    until: Timestamp,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer(****)")
    }
}

impl Default for Signer {
    fn default() -> Self {
        Self {
            secret: rand::random(),
        }
    }
}

impl Signer {
    /// The address of a blob, relative to the host that was asked; `None` if it cannot be signed.
    pub(super) fn address(
        &self,
        repository: &RepositoryName,
        digest: Digest,
        now: Timestamp,
    ) -> Option<String> {
        let RepositoryName {
            project,
            location,
            repository,
        } = repository.clone();
        let ticket = Ticket {
            digest: digest.to_string(),
            project,
            location,
            repository,
            until: now + LIFE,
        };
        let key = EncodingKey::from_secret(&self.secret);
        let signed = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &ticket, &key).ok()?;
        let Ticket {
            project,
            repository,
            ..
        } = ticket;
        Some(format!(
            "/artifacts-downloads/namespaces/{project}/repositories/{repository}/downloads/{signed}"
        ))
    }

    /// What an address allows at `now`; `None` if it was not signed here or is too old.
    pub(super) fn check(&self, signed: &str, now: Timestamp) -> Option<(RepositoryName, Digest)> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        let key = DecodingKey::from_secret(&self.secret);
        let ticket = jsonwebtoken::decode::<Ticket>(signed, &key, &validation)
            .ok()?
            .claims;
        let repository = RepositoryName {
            project: ticket.project,
            location: ticket.location,
            repository: ticket.repository,
        };
        (now < ticket.until).then_some((repository, ticket.digest.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::super::address::RepositoryName;
    use super::super::digest::Digest;
    use super::Signer;

    #[test]
    fn an_address_is_good_for_one_blob_and_a_while() {
        let (signer, now, digest) = (
            Signer::default(),
            Timestamp::UNIX_EPOCH,
            Digest::of(b"layer"),
        );
        let apps = RepositoryName {
            project: "acme".to_owned(),
            location: "us".to_owned(),
            repository: "apps".to_owned(),
        };
        let address = signer.address(&apps, digest, now).unwrap();
        let ticket = address.rsplit('/').next().unwrap();
        assert!(
            address
                .starts_with("/artifacts-downloads/namespaces/acme/repositories/apps/downloads/")
        );
        assert_eq!(signer.check(ticket, now), Some((apps, digest)));
        assert_eq!(
            signer.check(ticket, now + SignedDuration::from_mins(16)),
            None
        );
        assert_eq!(Signer::default().check(ticket, now), None);
        assert_eq!(signer.check("ticket", now), None);
    }
}
