"""Policy: reports in, verdict out. Pure, total, closed by default."""
