"""What the load stage promises to check."""

from __future__ import annotations

from ci.model import CheckSpec, Severity

LATENCY = CheckSpec(
    id="load/latency",
    title="Under load, 95 of 100 requests are answered within the objective",
    severity=Severity.HIGH,
    why="People leave a site that keeps them waiting, and what is slow under a gentle load breaks under a real one.",
    remediation=(
        "Look at the slowest endpoints in the evidence first: profile them under the same load, look for missing "
        "indexes, N+1 queries, calls to other services in a row and cold starts. When the objective itself is too "
        "strict for this application, raise load.slo.p95_ms in gonogo.yaml."
    ),
    references=(
        "https://sre.google/sre-book/service-level-objectives/",
        "https://github.com/giltene/wrk2#acknowledgements (coordinated omission: time from the intended start)",
    ),
)

ERROR_RATE = CheckSpec(
    id="load/error-rate",
    title="Under load, hardly any request fails",
    severity=Severity.HIGH,
    why="Every failed request is somebody's lost click, message or payment.",
    remediation=(
        "The evidence counts the failures by kind. Server errors: read the target's logs of that minute. Time-outs and "
        "broken connections: look for exhausted pools, memory limits and function time limits. Refused requests (4xx): "
        "mend load.scenarios in gonogo.yaml, or the endpoint."
    ),
    references=(
        "RFC 9110, section 15 (status codes)",
        "https://sre.google/sre-book/service-level-objectives/",
    ),
)

VOLUME = CheckSpec(
    id="load/volume",
    title="The intended load was reached, with enough requests to judge by",
    severity=Severity.HIGH,
    why="A load that never arrived proves nothing: a target that answers ten requests may fall over at a hundred.",
    remediation=(
        "When the users were waiting for answers, the target is too slow for this load: mend its latency, or give it "
        "more users (load.users) at a lower rate (load.rate). When they were not, this machine cannot make the load: "
        "run it on a machine with more processor time, or lower load.rate. When requests are too few, lengthen "
        "load.duration or lower load.min_requests."
    ),
    references=("https://docs.locust.io/en/stable/increasing-request-rate.html",),
)

ALL = (LATENCY, ERROR_RATE, VOLUME)
