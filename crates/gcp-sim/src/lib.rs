//! Google Cloud on loopback. It shares no code with `gcp`, so that bugs cannot cancel out.
