"""The status page: a pure rendering of what the history tells, as files that need no script and no server."""
