"""What pipelines of text share: tokens, attention, drawing the next token, counts."""
