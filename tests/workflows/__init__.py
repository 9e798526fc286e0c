"""The workflows, run end to end under act and judged as files; `make workflows` prints what came of the scenarios."""
