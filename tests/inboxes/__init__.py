"""Tests of the room `inboxes`."""
