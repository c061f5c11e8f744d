//! The kubeconfig by which clients reach the server.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Writes a kubeconfig with one cluster, user and context, all called `name`.
pub(super) fn text(name: &str, server: &str, authority: &str, token: &str) -> String {
    // JSON strings are YAML strings.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let (name, server, token) = (quoted(name), quoted(server), quoted(token));
    let authority = STANDARD.encode(authority);
    format!(
        "apiVersion: v1\n\
         kind: Config\n\
         current-context: {name}\n\
         clusters:\n\
         - name: {name}\n  cluster:\n    server: {server}\n    certificate-authority-data: {authority}\n\
         users:\n\
         - name: {name}\n  user:\n    token: {token}\n\
         contexts:\n\
         - name: {name}\n  context:\n    cluster: {name}\n    user: {name}\n    namespace: default\n\
         preferences: {{}}\n"
    )
}
