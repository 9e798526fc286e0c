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
        "mend load.scenarios in gonogo.yaml, or the endpoint. Redirects are not followed: load what lies behind them, "
        "or name the status that is wanted."
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

REGRESSION = CheckSpec(
    id="load/regression",
    title="Under the same load, the candidate answers as fast and as reliably as what it replaces",
    severity=Severity.HIGH,
    why=(
        "An objective leaves room: a release may double its latency and still keep it, and the next one breaks it. "
        "Beside the baseline, in the same seconds, a slowdown of a few percent shows."
    ),
    remediation=(
        "The evidence names the endpoints and how much slower each has become, with the interval that holds the truth. "
        "Profile the worst one against the baseline: what does it do now that it did not do before? Look for more "
        "queries, lost caches, bigger answers. When the slowdown is wanted, waive the finding, or raise "
        "load.regression.delta. When both deployments are of the same code, run `gonogo load calibrate`: one may be "
        "placed on a slower machine."
    ),
    references=(
        "Bulej et al., Duet Benchmarking, ICPE 2020 (arXiv 2001.05811)",
        "Lindon et al., Rapid Regression Detection in Software Deployments through Sequential Testing, KDD 2022 "
        "(arXiv 2205.14762)",
    ),
)

DRIFT = CheckSpec(
    id="load/drift",
    title="Under a load that lasts, latency and memory stay where they were",
    severity=Severity.HIGH,
    why="What leaks or piles up is fine for a minute and falls over at night, long after the release.",
    remediation=(
        "Compare a heap snapshot from the beginning of the load with one from its end. Look for lists and caches "
        "without a bound, connections and listeners that are never closed, tables that grow with every request, and "
        "queries without an index on them. When the rise is a cache that fills up and stops, lengthen load.warm_up; "
        "when it is wanted, raise load.soak.drift."
    ),
    references=(
        "Sen, Estimates of the Regression Coefficient Based on Kendall's Tau, 1968",
        "CWE-401 (missing release of memory)",
    ),
)

ALL = (LATENCY, ERROR_RATE, VOLUME, REGRESSION, DRIFT)
