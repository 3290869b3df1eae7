"""Focus restoration: sharper planes, and how sharp they are."""
