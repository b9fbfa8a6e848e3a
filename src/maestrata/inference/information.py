"""What stays shared when c is known: the conditional information of masked and visible part, exactly."""

from __future__ import annotations

from collections.abc import Iterable

from maestrata.errors import InferenceError
from maestrata.inference.base import declared
from maestrata.worlds.base import World


def conditional_information(world: World, masked: Iterable[str], given: Iterable[str] = ()) -> float:
    """Return I(x_m; x_v | c) of masked and visible tokens, in nats.

    Masked and visible part, and c, are named as in ``world.graph``: ``z{level}.{i}`` and ``x{i}``.

    Parameters
    ----------
    world : World
        gaussian_tree (of any size), or a grammar_tree small enough to list all its derivations (of symbols,
        without pixel noise).
    masked : iterable of str
        Masked tokens, ``x{i}``; the others are visible.
    given : iterable of str
        Latents in c.

    Raises
    ------
    InferenceError
        If a name is not in the graph, nothing is masked or visible, or the world's inference file defines no
        `information`, or the world is too large for it.
    """
    tokens = world.node_names(0)
    latents = [name for level in range(1, world.levels + 1) for name in world.node_names(level)]
    masked, given = set(masked), set(given)
    for what, names, allowed in (("masked", masked, tokens), ("given", given, latents)):
        for name in sorted(names - set(allowed)):
            raise InferenceError(
                f"{what}: {name!r} must be one of {allowed[0]} ... {allowed[-1]} ({world.name})"
            )
    if not masked or len(masked) == len(tokens):
        raise InferenceError(
            f"{len(masked)} of {len(tokens)} tokens masked: some must be masked and some visible"
        )
    information = declared(world, "information")
    if information is None:
        raise InferenceError(f"world {world.name!r} has no exact conditional information (docs/inference.md)")
    left: float = information(
        world,
        [t for t in tokens if t in masked],
        [t for t in tokens if t not in masked],
        [z for z in latents if z in given],
    )
    return left
