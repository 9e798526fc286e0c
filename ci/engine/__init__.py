"""What every stage is built from: checks, the runner, HTTP, tools, redaction, the evidence store."""
