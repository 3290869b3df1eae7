"""Time-lapse: an object keeps its number from frame to frame."""
