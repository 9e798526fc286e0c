"""`gonogo checks`, `explain` and `schema`: what there is to check and to configure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from ci.cli.session import Exit, Session, common, fail, say


@click.command()
@click.option(
    "--write-docs",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write a page for each check there.",
)
@common
def checks(session: Session, write_docs: Path | None) -> None:
    """List every check, with its severity."""
    import json

    from ci.pipeline import catalogue
    from ci.rehearsal.flaws import by_check
    from ci.report import docs

    specs = catalogue()
    if write_docs:
        flaws = by_check()
        pages = {f"{spec.id}.md": docs.page(spec, flaws.get(spec.id, ())) for spec in specs}
        pages["README.md"] = docs.index(specs, flaws)
        _write_pages(write_docs, pages)
        session.tell(f"{len(pages)} pages in {write_docs}", written=[str(write_docs / name) for name in sorted(pages)])
    elif session.as_json:
        click.echo(json.dumps([spec.model_dump(mode="json") for spec in specs]))
    else:
        click.echo(docs.listing(specs))


@click.command()
@click.argument("check_id", metavar="ID")
@common
def explain(session: Session, check_id: str) -> None:
    """Tell why a check is made, and how to mend what it finds.

    ID is one of those that `gonogo checks` lists, as in security/hsts.
    """
    from ci.errors import CannotRun, nearest
    from ci.pipeline import catalogue
    from ci.rehearsal.flaws import by_check
    from ci.report import docs

    specs = {spec.id: spec for spec in catalogue()}
    if check_id not in specs:
        hint = nearest(check_id, specs, "`gonogo checks` lists them")
        fail(Exit.USAGE, f"there is no check {check_id}; {hint}")
    if session.as_json:
        click.echo(specs[check_id].model_dump_json())
        return
    try:
        flaws = by_check().get(check_id, ())
    except CannotRun as error:
        say(f"which flaws prove it is not known here: {error}")
        flaws = ()
    click.echo(docs.page(specs[check_id], flaws))


@click.command()
def schema() -> None:
    """Print the JSON Schema of gonogo.yaml, for editors."""
    from ci.config.schema import json_schema

    click.echo(json_schema(), nl=False)


def _write_pages(folder: Path, pages: Mapping[str, str]) -> None:
    """Write the pages, and remove those of checks that are gone."""
    for stale in set(folder.rglob("*.md")) - {folder / name for name in pages}:
        stale.unlink()
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
