"""Look: one search, or a second one where the first shows that the question was misspelt or speaks of another day."""

from collections.abc import Callable
from dataclasses import replace

from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from kbcore.metadata.standpoint import AsOf
from services.query.found import Found
from services.query.request import Mode, SearchRequest
from services.query.understand.glossary import expansions, in_other_words
from services.query.understand.spelling import respelled
from services.query.understand.time_words import day_asked_about, without_time
from services.query.understand.understood import Understood

Look = Callable[[SearchRequest], Found]
"""A search of exactly this request."""

_MATCHING = 3
"""Of so many passages found in the present, the documents count as those that the question is about."""


def look_again(platform: Platform, caller: Caller, request: SearchRequest, look: Look) -> Found:
    """What the question finds, as it is understood; `Found.understood` says how. Raises what `look` raises."""
    applied = expansions(platform, caller, request)
    wanted = replace(request, expansions=applied)
    found = look(wanted)
    wanted, found, changed = _respelled(platform, wanted, found, look)
    found = _at_its_time(wanted, found, look)
    understood = Understood(
        follow_up=request.follow_up,
        glossary=tuple(entry_id for each in applied for entry_id in each.entry_ids),
        respelled=changed,
        searched=in_other_words(wanted) if applied or changed else "",
        effective_at=None if found.as_of == request.as_of else found.as_of.effective_at,
    )
    return replace(found, understood=understood)


def _respelled(
    platform: Platform, request: SearchRequest, found: Found, look: Look
) -> tuple[SearchRequest, Found, int]:
    index = found.standpoint.index
    if request.mode is Mode.DENSE or index is None:
        return request, found, 0
    passages = [item.passage for item in found.ranked]
    embedder = platform.embedder_for(index.embedding)
    query, changed = respelled(request.query, passages, found.standpoint, index.analyzer, embedder.count_tokens)
    if not changed:
        return request, found, 0
    corrected = replace(request, query=query)
    return corrected, _after(found, look(corrected)), changed


def _at_its_time(request: SearchRequest, found: Found, look: Look) -> Found:
    """What was in force at the time that the question names, if the documents that it is about had other versions then.

    `2025 年营收` names a year, but its documents are the same today: they are searched as they are.
    """
    if not request.as_of.present or not found.ranked:
        return found
    day = day_asked_about(request.query, found.standpoint.at.astimezone().date())
    if day is None:
        return found
    then = _after(found, look(replace(request, query=without_time(request.query), as_of=AsOf(effective_at=day))))
    about = {item.passage.document_id for item in found.ranked[:_MATCHING]}
    best = then.ranked[0].passage if then.ranked else None
    if best is None or best.current or best.document_id not in about:
        return replace(found, took=then.took)
    return then


def _after(first: Found, second: Found) -> Found:
    """The second search, which took as long as both."""
    return replace(second, took=first.took + second.took)
