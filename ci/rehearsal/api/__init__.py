"""Vercel's REST API over the state of one project."""
