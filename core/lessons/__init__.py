"""Lessons: one file each, whose numbers and answers are computed from a run."""
