"""Building blocks for evaluation: inference, metrics, figures, comparison. Knows no pipeline."""
