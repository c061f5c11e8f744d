//! The protocol against a scripted server.
