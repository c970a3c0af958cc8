"""Tests of the reader of XML."""
