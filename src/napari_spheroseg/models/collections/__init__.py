"""Model collections: models that belong together, in one zip."""
