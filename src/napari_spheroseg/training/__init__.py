"""Data, augmentation, losses, the trainer, evaluation."""
