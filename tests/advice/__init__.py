"""Tests of the room `advice`."""
