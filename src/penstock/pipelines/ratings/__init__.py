"""Ratings: a table of users, items and ratings to a recommender."""
