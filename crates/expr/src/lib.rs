//! The expression language of `${{ … }}`.
