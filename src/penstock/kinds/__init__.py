"""What pipelines of one kind of data share."""
