"""What a number means: metrics, the profiles of toolkits that disagree on them, intervals."""
