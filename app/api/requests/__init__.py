"""Request bodies of the API, as OpenAPI shows them."""
