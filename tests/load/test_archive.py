"""Loads on disk: judged again they tell the same, and a file that is not whole, or not one of ours, says so."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from ci.engine.progress import Silence
from ci.engine.redaction import Redactor
from ci.errors import CannotRun
from ci.load import archive, histograms, stage
from ci.load.archive import Recorded
from ci.load.load_run import LoadRun
from ci.load.messages import Ending
from ci.model import ErrorKind, Outcome, Subject
from tests.load.loads import a_plan, a_run, some_rows

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SUBJECT = Subject(url="https://new.example", commit="c" * 40)
SECRET = "s3cret-" + "x" * 20


def recorded(run: LoadRun, subject: Subject = SUBJECT) -> Recorded:
    return Recorded(subject=subject, started_at=NOW, finished_at=NOW + timedelta(seconds=20), run=run)


def kept(folder: Path, run: LoadRun, name: str = archive.FILE, subject: Subject = SUBJECT) -> Path:
    path = folder / name
    path.write_bytes(archive.pack(recorded(run, subject), Redactor([SECRET])))
    return path


@pytest.fixture(scope="module")
def slow() -> LoadRun:
    return a_run(some_rows(1, slower=0.4, seconds=14))


def report(loaded: Recorded) -> dict[str, object]:
    """Without how long the judging took."""
    told = stage.report_of(loaded, Silence()).model_dump(mode="json")
    return told | {"results": [result | {"duration_s": 0} for result in told["results"]]}


def test_judged_again_it_tells_the_same(tmp_path, slow):
    again = archive.unpack_all([kept(tmp_path, slow)])
    assert report(again) == report(recorded(slow))
    assert (again.run.samples.rows == slow.samples.rows).all()


def test_it_is_small(tmp_path, slow):
    assert kept(tmp_path, slow).stat().st_size < 0.75 * slow.samples.rows.nbytes


def test_neither_headers_nor_bodies_nor_secrets_are_in_it(tmp_path, slow):
    plan = a_plan(
        scenarios=f"[{{path: /, method: POST, headers: {{x-key: k-{'e' * 9}}}, body: {{p: word-of-a-user}}}}]"
    )
    ending = slow.ending.model_copy(update={"examples": {6: f"GET /: answered 500 {SECRET}"}})
    path = kept(tmp_path, a_run(some_rows(1, seconds=5), plan, ending=ending))
    with zipfile.ZipFile(path) as archived:
        header = archived.read(archive.HEADER).decode()
    assert "eeee" not in header and "word-of-a-user" not in header and SECRET not in header


def shards(rows: np.ndarray, count: int) -> list[LoadRun]:
    """The same load, made by several machines that know nothing of each other; the second ended sooner."""
    plan = a_plan()
    made = []
    for index in range(count):
        shard = plan.model_copy(update={"shard": plan.shard.model_copy(update={"index": index, "of": count})})
        part = rows[rows["pair"] % count == index].copy()
        part["worker"] = shard.worker_number(0)
        ended_s = 63.0 if index != 1 else 40.0
        part = part[part["start"] < ended_s]
        ending = Ending(requests=len(part), at_s=ended_s, until_s=ended_s)
        made.append(a_run(part, shard, ending=ending))
    return made


def test_shards_are_judged_as_one_load(tmp_path):
    rows = some_rows(3, slower=0.25)
    paths = [kept(tmp_path, run, f"{number}.zip") for number, run in enumerate(shards(rows, 3))]
    merged = archive.unpack_all(paths[::-1])
    whole = a_run(rows)
    assert merged.run.ruling == whole.ruling
    assert merged.run.standing.decided_s == whole.standing.decided_s
    assert len(merged.run.samples) > 0.8 * len(rows)


def test_a_shard_that_is_missing_or_comes_twice_is_no_whole(tmp_path):
    paths = [kept(tmp_path, run, f"{number}.zip") for number, run in enumerate(shards(some_rows(3), 3))]
    for some in (paths[:2], [paths[0], paths[0], paths[1]], [paths[1]]):
        with pytest.raises(CannotRun, match="wanted is each of the 3 shards once") as caught:
            archive.unpack_all(some)
        assert caught.value.kind is ErrorKind.NO_DATA


def test_samples_of_different_loads_do_not_mix(tmp_path, slow):
    other = kept(tmp_path, a_run(some_rows(1, seconds=5), a_plan(duration_s=30)), "other.zip")
    with pytest.raises(CannotRun, match="of different loads"):
        archive.unpack_all([kept(tmp_path, slow), other])
    stranger = kept(tmp_path, slow, "stranger.zip", Subject(url="https://else.example"))
    with pytest.raises(CannotRun, match="about different subjects") as caught:
        archive.unpack_all([kept(tmp_path, slow), stranger])
    assert caught.value.kind is ErrorKind.WRONG_SUBJECT


def test_a_truncated_file_is_refused(tmp_path, slow):
    whole = kept(tmp_path, slow).read_bytes()
    for share in (0.0, 0.1, 0.5, 0.9, 0.999):
        path = tmp_path / "cut.zip"
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(CannotRun, match=r"cut\.zip: it is no whole file of samples") as caught:
            archive.unpack(path)
        assert caught.value.kind is ErrorKind.BAD_OUTPUT


def test_a_damaged_file_is_refused_or_tells_the_same(tmp_path, slow):
    """Wherever a byte is turned over: an error that a person can read, or no difference at all."""
    whole = kept(tmp_path, slow).read_bytes()
    rng = np.random.default_rng(5)
    for place in rng.integers(0, len(whole), 60):
        path = tmp_path / "damaged.zip"
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            again = archive.unpack(path)
        except CannotRun as error:
            assert "damaged.zip" in str(error) or "impossible values" in str(error)
        else:
            assert (again.run.samples.rows == slow.samples.rows).all()


def changed(path: Path, **fields: object) -> Path:
    """The same file with another header."""
    out = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            raw = old.read(name)
            new.writestr(name, json.dumps(json.loads(raw) | fields) if name == archive.HEADER else raw)
    path.write_bytes(out.getvalue())
    return path


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"version": 2}, "its version is 2, this Gonogo knows version 1"),
        ({"format": "something else"}, "not one of Gonogo's"),
        ({"ending": {"line": "ending", "requests": 7, "at_s": 1.0}}, "does not hold 7 samples"),
        ({"ending": {"line": "ending", "requests": 10**12, "at_s": 1.0}}, "it claims 1000000000000 samples"),
    ],
)
def test_a_foreign_file_is_refused(tmp_path, slow, fields, words):
    with pytest.raises(CannotRun, match=words):
        archive.unpack(changed(kept(tmp_path, slow), **fields))


def test_other_files_are_refused(tmp_path):
    with pytest.raises(CannotRun, match="there is no such file"):
        archive.unpack(tmp_path / "nothing.zip")
    picture = tmp_path / "picture.zip"
    with zipfile.ZipFile(picture, "w") as made:
        made.writestr("cat.png", b"meow")
    with pytest.raises(CannotRun, match="no whole file of samples"):
        archive.unpack(picture)


def test_the_histograms_are_those_of_both_arms(slow):
    from hdrh.histogram import HdrHistogram

    logs = histograms.logs(slow)
    assert set(logs) == {"load-candidate.hlog", "load-baseline.hlog"}
    for arm, log in zip(slow.plan.arms, logs.values(), strict=True):
        read = HdrHistogram.decode(log.splitlines()[-1].rpartition(",")[2])
        felt = slow.felt_of(arm)
        assert read.get_total_count() == len(felt)
        p95_us = float(np.quantile(felt.latency_ms, 0.95, method="inverted_cdf")) * 1e3
        assert read.get_value_at_percentile(95) == pytest.approx(p95_us, rel=2e-3)


def test_a_merged_load_fails_as_its_shards_would(tmp_path):
    paths = [
        kept(tmp_path, run, f"{number}.zip") for number, run in enumerate(shards(some_rows(3, candidate_fails=0.1), 2))
    ]
    results = {result.spec.id: result for result in stage.report_of(archive.unpack_all(paths), Silence()).results}
    assert results["load/error-rate"].outcome is Outcome.FAIL
