"""Objects to classes."""
