"""What commands do that are no stage: predict, cross-validation, clean."""
