"""Reports: pure renderers, each `render(reports, verdict, release) -> str`.

What they are given must have passed the redactor; what they return must not pass it again, for a mask
that eats markup would tear the document (see `EvidenceStore.write_rendering`).
"""
