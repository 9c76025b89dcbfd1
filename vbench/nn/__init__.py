"""Network blocks shared by trackers and detectors (torch)."""
