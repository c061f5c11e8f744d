//! The body of the commands that print.
