//! Who may pull and push.
