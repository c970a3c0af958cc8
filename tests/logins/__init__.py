"""Tests of the room `logins`."""
