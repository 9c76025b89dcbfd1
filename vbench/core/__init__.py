"""The vocabulary: boxes, clips, suites, methods, policies, traces. numpy only."""
