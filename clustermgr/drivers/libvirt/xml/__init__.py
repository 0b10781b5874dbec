"""Domain XML as pure functions: settings, fingerprints, and edits that leave the unknown untouched."""
