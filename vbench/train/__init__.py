"""Fitting weights: samplers, losses, the loop."""
