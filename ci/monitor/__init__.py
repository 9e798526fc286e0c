"""Rounds of probes, their history, the incidents and figures that follow from it, alerts, and the status page."""
