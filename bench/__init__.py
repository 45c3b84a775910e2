"""Measures the platform as it is shipped; see docs/performance.md."""
