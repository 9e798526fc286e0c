"""The probes of a round: what to look at, how to look, and what an answer means."""
