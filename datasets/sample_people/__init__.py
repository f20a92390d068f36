"""Rendered dressed people with exact labels: the dataset that needs no download."""
