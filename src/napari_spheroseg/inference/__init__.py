"""Array in, array out: preparation, tiles, devices, one adapter a backend."""
