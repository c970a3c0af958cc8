"""Tests: one module per module of the package, and the real servers they need."""
