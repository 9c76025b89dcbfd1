"""What is kept: traces, ground truth, the manifest of a run, raw result files."""
