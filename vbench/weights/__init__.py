"""Trained parameters: the registry of published ones, where they lie here, how to fetch them."""
