"""The HTTP API: routes, request bodies, problems, middleware."""
