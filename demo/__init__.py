"""Harbour, the reference application that Gonogo judges in a rehearsal: small, but built for production."""
