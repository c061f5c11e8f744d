//! The functions that expressions of a promotion have beside those of the language.
