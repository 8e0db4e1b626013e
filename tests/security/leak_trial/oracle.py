"""What each person may read at a moment, from the model alone: written from the rules, not from their code.

named in allow, not named in deny, cleared for the level, active, and the document is still there
"""

from collections.abc import Iterator

from tests.security.leak_trial.world import Document, Entry, Policy, World


def principals(world: World, person: str) -> frozenset[str]:
    """Everyone, oneself, and every group that holds one of these."""
    held = {"everyone", f"user:{person}"}
    while more := {f"group:{g}" for g, inside in world.members.items() if inside & held} - held:
        held |= more
    return frozenset(held)


def in_force(policy: Policy, moment: float) -> Iterator[Entry]:
    """The entries that count at a moment: from `since` on, before `until`."""
    for entry in policy:
        begun = entry.since is None or entry.since <= moment
        ended = entry.until is not None and entry.until <= moment
        if begun and not ended:
            yield entry


def lets_in(policy: Policy, held: frozenset[str], moment: float) -> bool:
    """Named in allow and not in deny."""
    matching = [entry for entry in in_force(policy, moment) if entry.principal in held]
    return bool(matching) and all(entry.role is not None for entry in matching)


def counting(world: World, document: Document) -> Policy:
    """The policy that decides about a document."""
    space = world.spaces[document.space]
    if document.own is None:
        return space
    return space + document.own if document.inherits else document.own


def readable(world: World, person: str, moment: float, *, also_gone: bool = False) -> frozenset[int]:
    """Numbers of the documents that this person may read; `also_gone` = as if none had been deleted."""
    who = world.people[person]
    if not who.active:
        return frozenset()
    held = principals(world, person)
    answers: dict[Policy, bool] = {}
    found = set()
    for document in world.documents.values():
        if document.level > who.level or (document.gone and not also_gone):
            continue
        policy = counting(world, document)
        if policy not in answers:
            answers[policy] = lets_in(policy, held, moment)
        if answers[policy]:
            found.add(document.number)
    return frozenset(found)


def sees_space(world: World, person: str, space: str, moment: float) -> bool:
    """Has a role in it, or administers."""
    who = world.people[person]
    return who.active and (who.admin or lets_in(world.spaces[space], principals(world, person), moment))


def boundaries(world: World) -> frozenset[float]:
    """The moments at which an entry begins or ends to count."""
    policies = [*world.spaces.values(), *(d.own for d in world.documents.values() if d.own is not None)]
    return frozenset(at for policy in policies for entry in policy for at in (entry.since, entry.until) if at)
