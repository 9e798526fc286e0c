"""A whole release, offline: a local stand-in for Vercel with an edge that really switches traffic."""
