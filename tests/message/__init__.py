"""Tests of the room `message`."""
