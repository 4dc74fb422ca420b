"""HTTP: routes, what goes in and out, and problems in words."""
