"""Building blocks for data: reading files safely, splits, the dataset on disk."""
