"""Gonogo: GO, NO-GO or HOLD for a web application about to go live on Vercel."""

__version__ = "0.1.0"
