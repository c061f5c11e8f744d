//! JSON keys as proof of an account: the key must be known, enabled, and really the private half.

use serde::Deserialize;

use super::Google;
use crate::keys::SigningKey;
use crate::principal::Principal;

#[derive(Debug, Deserialize)]
struct KeyFile {
    client_email: String,
    private_key_id: String,
    private_key: String,
}

impl Google {
    /// Finds the account whose key a key file holds.
    pub(super) fn holder_of_key(&self, text: &str) -> Option<Principal> {
        let file: KeyFile = serde_json::from_str(text).ok()?;
        let public = SigningKey::from_pem(&file.private_key)?.jwk();
        let known = self.read(|world| {
            let (_, account) = world.service_account(&file.client_email)?;
            let key = account
                .keys
                .iter()
                .find(|key| key.id == file.private_key_id)?;
            (!key.disabled).then(|| key.public.clone()).flatten()
        })?;
        if known["n"] != public["n"] {
            return None;
        }
        self.note_key(&file.client_email, &file.private_key_id);
        Some(Principal::service_account(&file.client_email))
    }
}
