"""Which version of a document is in force: one rule, for every statement that asks.

Several versions may be published at an epoch (today's rule, and the one that begins next year). In force at a moment is
the highest number whose effective dates (half open, NULL = unbounded) hold that moment.
"""


def in_force(*, published: str, at: str, document: str = "d.id") -> str:
    """A lateral subquery of the version of `document` that is in force at `at`: all its columns, or no row.

    `published` is the condition on `v` that says which versions count as published. All three are constant SQL.
    """
    return f"""
        SELECT v.* FROM versions v
        WHERE v.document_id = {document} AND {published}
            AND (v.effective_from IS NULL OR v.effective_from <= {at})
            AND (v.effective_to IS NULL OR v.effective_to > {at})
        ORDER BY v.number DESC LIMIT 1
    """


AT_EPOCH = """
    v.valid_from <= :epoch AND (v.valid_to > :epoch OR :history)
    AND (NOT :dated OR v.effective_from IS NOT NULL)
"""
"""Published at `:epoch`; with `:history` also what had been published before and was replaced since; with `:dated` only
versions that say from when they are in force."""

ENDS = """
    (n.replaces = 'all' OR (n.replaces = 'base' AND o.number = n.based_on)
     OR o.effective_to <= now()
     OR ((n.effective_from IS NULL OR n.effective_from <= GREATEST(now(), o.effective_from))
         AND (n.effective_to IS NULL OR n.effective_to >= o.effective_to)))
"""
"""Whether version `n`, once published, ends the older version `o`: it undoes or corrects it, or is in force for all of
the time that `o` had left. (`NULL >= …` is never true: an end does not cover what has none.)"""
