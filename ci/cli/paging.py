"""gonogo monitor page: the status page from the history."""

from __future__ import annotations

from pathlib import Path

import click

from ci.cli.session import Session, await_, common, say

history_option = click.option(
    "--history",
    "place",
    metavar="PLACE",
    help="Where the records are kept: a folder, branch:NAME of this repository, a database's sqlite: or postgresql: "
    "URL, or url:VARIABLE for the one that a variable holds; monitor.history.place when not given.",
)


@click.command()
@click.option(
    "--out",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for its files.",
)
@history_option
@common
def page(session: Session, out: Path, place: str | None) -> None:
    """Write the status page: HTML, JSON, Atom feed, badge."""
    import os
    from datetime import UTC, datetime

    from ci.monitor.history import open_history
    from ci.monitor.overview import Overview, overview
    from ci.monitor.page.files import FILES, write
    from ci.monitor.page.view import build

    config = session.config()

    async def read() -> Overview:
        async with open_history(place, config.monitor.history, os.environ, Path.cwd(), to_read=True) as history:
            return await overview(history, config.monitor, datetime.now(UTC))

    told = build(await_(read()), config)
    write(told, out)
    if session.as_json:
        import json

        click.echo(json.dumps({"state": told.headline.state, "files": [str(out / name) for name in FILES]}))
    say(f"{told.headline.word}: {out / 'index.html'}")
