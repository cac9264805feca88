"""Measured comparisons: one module a benchmark, ours beside what a user would run instead."""
