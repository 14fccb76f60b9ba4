"""Tables in text files and Parquet."""
