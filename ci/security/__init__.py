"""Is it closed where it must be? Live probes of the target."""
