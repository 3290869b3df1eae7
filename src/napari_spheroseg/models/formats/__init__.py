"""Files that weights come in, and how strangers' files are opened safely."""
