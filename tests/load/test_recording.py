"""What travels from the generator's process to the stage."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.config import parse_config
from ci.errors import CannotRun
from ci.load import generator
from ci.load.answers import failure_of_answer, failure_of_error, in_words, interference
from ci.load.messages import Batch, Ending, Listening, Pulse, from_line, to_line
from ci.load.plan import Endpoint, Plan
from ci.load.recording import SAMPLE, Arm, Failure, Recorder, Sample
from ci.load.samples import Samples
from ci.load.stage import activity, time_limit_s
from ci.model import ErrorKind

number = st.floats(0, 1e6, width=32)
sample = st.builds(
    Sample,
    start_s=number,
    late_ms=number,
    lag_ms=number,
    service_ms=number,
    latency_ms=number,
    size=st.integers(0, 2**32 - 1),
    pair=st.integers(0, 2**32 - 1),
    endpoint=st.integers(0, 2),
    status=st.integers(0, 599),
    worker=st.integers(0, 2**16 - 1),
    arm=st.sampled_from(Arm),
    failure=st.sampled_from(Failure),
)


@given(written=st.lists(sample, max_size=50), taken_after=st.integers(0, 50))
def test_samples_come_back_as_they_were_written(written, taken_after):
    recorder, raw = Recorder(), b""
    for index, one in enumerate(written):
        recorder.add(one)
        if index == taken_after:
            raw += recorder.take()
    raw += recorder.take()
    assert recorder.take() == b""
    read = Samples.read(raw, expected=len(written), endpoints=3)
    assert [tuple(row) for row in read.rows] == [tuple(one) for one in written]


GOOD = Sample(1.0, 0.0, 0.0, 5.0, 5.0, 10, 0, 0, 200, 0, 0, 0)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        SAMPLE.pack(*GOOD)[:-1],
        SAMPLE.pack(*GOOD) * 2,
        SAMPLE.pack(*GOOD._replace(start_s=float("nan"))),
        SAMPLE.pack(*GOOD._replace(latency_ms=float("inf"))),
        SAMPLE.pack(*GOOD._replace(latency_ms=-5.0)),
        SAMPLE.pack(*GOOD._replace(service_ms=-5.0)),
        SAMPLE.pack(*GOOD._replace(endpoint=9)),
        SAMPLE.pack(*GOOD._replace(failure=99)),
        SAMPLE.pack(*GOOD._replace(arm=2)),
    ],
)
def test_damaged_samples_are_refused(raw):
    assert len(Samples.read(SAMPLE.pack(*GOOD), expected=1, endpoints=1)) == 1
    with pytest.raises(CannotRun) as caught:
        Samples.read(raw, expected=1, endpoints=1)
    assert caught.value.kind is ErrorKind.BAD_OUTPUT


@given(st.text())
def test_no_line_of_output_is_mistaken(line):
    assert from_line(line) is None
    assert from_line("@gonogo " + line) is None


def test_lines_come_back_as_they_were_sent():
    sent = (
        Listening(port=5557),
        Batch(samples=3, until_s=1.5),
        Pulse(at_s=1.0, rate=99.5, p95_ms=None),
        Ending(
            requests=3, at_s=2.0, stopped=ErrorKind.RATE_LIMITED, detail="429", arm=Arm.BASELINE, examples={6: "500"}
        ),
    )
    for message in sent:
        assert from_line(to_line(message)) == message


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), Failure.CONNECT),
        (socket.gaierror(-2, "no such name"), Failure.CONNECT),
        (ConnectionResetError(errno.ECONNRESET, "reset"), Failure.CLOSED),
        (BrokenPipeError(errno.EPIPE, "pipe"), Failure.CLOSED),
        (TimeoutError("slow"), Failure.TIMEOUT),
        (ssl.SSLCertVerificationError("bad"), Failure.TLS),
        (ValueError("unknown encoding"), Failure.BROKEN),
    ],
)
def test_kinds_of_transport_failure(error, kind):
    assert failure_of_error(error) is kind
    assert kind.is_transport
    assert kind.words


BARE = Endpoint(label="GET /", method="GET", path="/", headers={}, body=None, weight=1)


@given(st.integers(200, 599), st.none() | st.integers(200, 599))
def test_an_answer_is_the_one_that_is_wanted_or_a_failure(status, wanted):
    kind = failure_of_answer(status, b"", BARE.model_copy(update={"status": wanted}))
    right = status == wanted if wanted else status < 300
    by_status = (Failure.WRONG, Failure.REDIRECT, Failure.STATUS, Failure.SERVER)[status // 100 - 2]
    assert kind is (Failure.NONE if right else by_status)
    assert not kind.is_transport


def test_an_answer_without_the_wanted_text_is_none():
    wanting = BARE.model_copy(update={"contains": "Grüße"})
    assert failure_of_answer(200, "<p>Grüße</p>".encode(), wanting) is Failure.NONE
    assert failure_of_answer(200, b"<p>Sorry!</p>", wanting) is Failure.WRONG
    assert failure_of_answer(500, "Grüße".encode(), wanting) is Failure.SERVER


def test_words_for_a_redirect_keep_its_secrets_to_themselves():
    told = in_words(Failure.REDIRECT, 302, "https://me:secret@id.example/login?session=secret#x")
    assert told == "answered 302 to https://id.example/login"


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind"),
    [
        (200, {}, b"", None),
        (401, {}, b"log in", None),
        (302, {"location": "/login"}, b"", None),
        (302, {"location": "https://evil.example/?x=vercel.com/sso-api"}, b"", None),
        (429, {}, b"", ErrorKind.RATE_LIMITED),
        (200, {"x-vercel-mitigated": "deny"}, b"", ErrorKind.CHALLENGED),
        (307, {"location": "https://vercel.com/sso-api?url=x"}, b"", ErrorKind.LOGIN_WALL),
        (401, {}, b"<script>_vercel_sso_nonce</script>", ErrorKind.LOGIN_WALL),
        (401, {"set-cookie": "_vercel_sso_nonce=1"}, b"", ErrorKind.LOGIN_WALL),
    ],
)
def test_who_answers_in_the_applications_place(status, headers, body, kind):
    found = interference(status, headers, body)
    assert (found and found[0]) == kind


def test_the_plan_keeps_our_name_and_tells_endpoints_apart():
    config = parse_config(
        "target: {production: https://app.example}\n"
        "load:\n"
        "  scenarios:\n"
        "    - {path: /a, method: POST, body: {x: 1}, headers: {User-Agent: me, Content-Type: application/ld+json}}\n"
        "    - {path: /a, method: POST, body: {x: 2}, weight: 3}\n"
    )
    plan = Plan.of(config.load, "https://preview.example")
    first, second = plan.endpoints
    assert (first.label, second.label) == ("POST /a", "POST /a (2)")
    assert first.headers == {"content-type": "application/ld+json"}, "our own name is nobody else's to set"
    assert second.headers["content-type"] == "application/json"
    assert second.body == '{"x": 2}' and second.weight == 3
    assert plan.rate == 100 and plan.end_s == 63 and plan.arms == (Arm.CANDIDATE,)
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_the_stage_never_gives_up_before_its_generator():
    config = parse_config("target: {production: https://app.example}\nload: {users: 1000, duration: 1m}")
    plan = Plan.of(config.load, "https://app.example")
    assert time_limit_s(config) > generator.time_limit_s(plan) > 60 + 3 + 10 + 1000 / generator.SPAWN_RATE


def test_what_a_waiting_person_reads():
    plan = Plan.of(parse_config("target: {production: https://app.example}").load, "https://app.example")
    assert activity(Pulse(at_s=12.02, rate=98.4, p95_ms=41.2), plan) == "12 s of 63 s · 98 requests/s · p95 41 ms"
    assert (
        activity(Pulse(at_s=1.0, rate=0, p95_ms=None), plan) == "1 s of 63 s · 0 requests/s · no answers · warming up"
    )
