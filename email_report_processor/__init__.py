"""Receive e-mail reports (DMARC, ARF, SMTP TLS) and put them into OpenSearch."""

__version__ = "0.1.0"
