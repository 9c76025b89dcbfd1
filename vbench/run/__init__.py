"""Doing the work: compose methods, drive them over clips, keep what they answered."""
