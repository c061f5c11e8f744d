//! Each rule with something to find and with nothing.
