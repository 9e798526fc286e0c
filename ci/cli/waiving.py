"""`gonogo waive`: accept a finding until a date, in gonogo.yaml."""

from __future__ import annotations

from datetime import datetime

import click

from ci.cli.session import Exit, Session, common, fail


@click.command()
@click.argument("fingerprint")
@click.option("--owner", required=True, help="Who answers for it.")
@click.option("--reason", required=True, help="Why it may stay, for whoever reads it later.")
@click.option("--expires", required=True, metavar="YYYY-MM-DD", type=click.DateTime(["%Y-%m-%d"]), help="Its last day.")
@common
def waive(session: Session, fingerprint: str, owner: str, reason: str, expires: datetime) -> None:
    """Accept a finding until a date.

    Writes a waiver into gonogo.yaml, and keeps the file's comments. The report names each finding's FINGERPRINT. The
    finding must be one of those in the evidence folder, when there are any.
    """
    from datetime import UTC

    from ci.config.edit import add_waiver
    from ci.errors import nearest

    config = session.config()
    found = {f.fingerprint: f for report in session.store(config).reports() for r in report.results for f in r.findings}
    if found and fingerprint not in found:
        hint = nearest(fingerprint, found, "the report names each finding's")
        fail(Exit.USAGE, f"no finding in {session.evidence} has the fingerprint {fingerprint}; {hint}")
    if expires.date() < datetime.now(UTC).date():
        fail(Exit.USAGE, f"--expires {expires.date()} is past: a waiver needs a day on which somebody looks again")
    add_waiver(session.config_path, fingerprint=fingerprint, owner=owner, reason=reason, expires=expires.date())
    known = found.get(fingerprint)
    what = f"{known.check_id}: {known.message}" if known else "a finding that is not in the evidence folder"
    session.tell(
        f"{session.config_path}: waived by {owner} until {expires.date()}: {what}",
        fingerprint=fingerprint,
        owner=owner,
        expires=expires.date(),
        written=session.config_path,
    )
