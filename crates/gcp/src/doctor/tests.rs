//! Each check with a whole link, a broken one and one that cannot be seen.
