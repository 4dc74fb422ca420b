"""The service under load over HTTP."""
