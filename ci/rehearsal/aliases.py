"""The alias map: which domain points at which deployment, and since when.

Pure: time is passed in (seconds on any monotonic scale), so a switch that takes a while to reach the
edge can be computed instead of slept for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Move:
    """A domain began to point at a deployment."""

    at: float
    deployment_id: str


@dataclass(slots=True)
class Alias:
    """One domain of the production environment. `redirect` names the domain it redirects to, if it only redirects."""

    domain: str
    redirect: str | None = None
    moves: list[Move] = field(default_factory=list)

    @property
    def deployment_id(self) -> str | None:
        """The deployment that the API reports for this domain."""
        return self.moves[-1].deployment_id if self.moves else None

    def point_at(self, deployment_id: str, at: float) -> None:
        """Record that the domain points at `deployment_id` from `at` on."""
        if self.deployment_id != deployment_id:
            self.moves.append(Move(at, deployment_id))

    def served(self, now: float, propagation_delay: float = 0.0) -> str | None:
        """The deployment that the edge serves at `now`, when a move needs `propagation_delay` seconds to arrive.

        The first deployment ever assigned is served at once: there is nothing older to serve.
        """
        if not propagation_delay or len(self.moves) < 2:
            return self.deployment_id
        for move in reversed(self.moves[1:]):
            if move.at + propagation_delay <= now:
                return move.deployment_id
        return self.moves[0].deployment_id


@dataclass(slots=True)
class AliasMap:
    """All domains of the production environment, in the order in which a promotion moves them."""

    aliases: dict[str, Alias] = field(default_factory=dict)

    def add(self, domain: str, redirect: str | None = None) -> Alias:
        """Register a domain that points nowhere yet."""
        return self.aliases.setdefault(domain, Alias(domain, redirect))

    def __getitem__(self, domain: str) -> Alias:
        return self.aliases[domain]

    def __contains__(self, domain: str) -> bool:
        return domain in self.aliases

    def __iter__(self) -> Iterator[Alias]:
        return iter(self.aliases.values())

    @property
    def routed(self) -> list[Alias]:
        """The domains that serve a deployment, that is, all that do not merely redirect."""
        return [alias for alias in self.aliases.values() if alias.redirect is None]

    def of(self, deployment_id: str) -> list[Alias]:
        """The domains that point at a deployment now."""
        return [alias for alias in self.routed if alias.deployment_id == deployment_id]

    def elsewhere(self, deployment_id: str) -> list[Alias]:
        """The domains that a promotion of `deployment_id` would still have to move."""
        return [alias for alias in self.routed if alias.deployment_id != deployment_id]

    def everywhere(self) -> str | None:
        """The one deployment behind all domains; None when they are split or empty."""
        ids = {alias.deployment_id for alias in self.routed}
        return ids.pop() if len(ids) == 1 else None
