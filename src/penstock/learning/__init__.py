"""Building blocks for learning: loaders, trainer, metrics, augmentation. Knows no pipeline."""
