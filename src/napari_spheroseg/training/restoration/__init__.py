"""Training of networks that restore focus."""
