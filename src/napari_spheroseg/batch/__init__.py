"""Many images: find them, run them, write what was found."""
