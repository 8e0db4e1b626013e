"""Random moves: each is a request of an administrator or of the keeper, and the same change to the model."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from tests.security.leak_trial.world import LEVELS, Document, Entry, Policy, Version, World, marker

KEEPER = "keeper"
"""The one who uploads and changes: a manager by every policy, cleared for everything, in no group."""
KEPT = Entry(f"user:{KEEPER}", "manager")
ROLES = ("reader", "reader", "reader", "editor", "manager")


@dataclass
class Order:
    """One move: who asks for what, and what it changes; `learn` is told the answer's body."""

    words: str
    about: set[str]
    method: str
    path: str
    content: dict[str, Any]
    apply: Callable[[World], None]
    by: str = "root"
    learn: Callable[[World, Any], None] = field(default=lambda world, body: None)


@dataclass
class Mover:
    """Draws moves. `ids`: principal → id."""

    chance: random.Random
    ids: dict[str, str]
    names: int = 0

    def draw(self, world: World) -> Order:
        """The next move."""
        kinds: list[tuple[Callable[[World], Order | None], int]] = [
            (self.entries, 8),
            (self.membership, 6),
            (self.nesting, 2),
            (self.clearance, 3),
            (self.activity, 2),
            (self.upload, 4),
            (self.rename, 2),
            (self.edit, 1),
            (self.roll_back, 2),
            (self.own_policy, 5),
            (self.restore, 3),
            (self.classify, 4),
            (self.delete, 1),
            (self.erase, 1),
            (self.purge, 1),
            (self.add_somewhere, 2),
            (self.revoke_key, 1),
        ]
        while True:
            draw = self.chance.choices([k for k, _ in kinds], [w for _, w in kinds])[0]
            if (order := draw(world)) is not None:
                return order

    def policy(self, world: World) -> Policy:
        """A random one that the keeper manages."""
        principals = self._principals(world)
        groups = sorted(f"group:{name}" for name in world.members)
        allowed = self.chance.sample(principals, self.chance.randint(1, 4))
        allowed += self.chance.sample(groups, min(len(groups), self.chance.randint(1, 3)))
        denied = self.chance.sample(principals, self.chance.choice((0, 0, 1, 2)))
        if self.chance.random() < 0.3:
            allowed.append("everyone")
        entries = {name: self._entry(name, self.chance.choice(ROLES)) for name in allowed}
        entries |= {name: self._entry(name, None) for name in denied}
        return (KEPT, *entries.values())

    def _entry(self, name: str, role: str | None) -> Entry:
        """Most often for ever; else until or from a moment that is past, far, or a few seconds away."""
        if self.chance.random() < 0.6:
            return Entry(name, role)
        now = time.time()
        soon, far = now + self.chance.uniform(0.5, 6), now + 86_400
        dates = (
            (None, soon),
            (soon, None),
            (None, far),
            (far, None),
            (now - 60, far),
            (None, now - 1),
            (soon, soon + 2),
        )
        since, until = self.chance.choice(dates)
        return Entry(name, role, since and round(since, 3), until and round(until, 3))

    def add(self, world: World, space: str, level: int, own: Policy | None) -> Order:
        """A new document."""
        number = len(world.documents)
        word = marker(number, 1)
        form = {
            "space": space,
            "title": f"Plan {word}",
            "classification": LEVELS[level],
            "tags": f"t{word},plans",
            "metadata": f'{{"code": "{word}"}}',
            "comment": f"comment {word}",
            "source_uri": f"https://example.org/{word}",
            "external_id": f"ext-{word}",
        }
        document = Document(number, "", space, level, (Version(word, word),), own)

        def learn(after: World, body: Any) -> None:
            after.amend(after.documents[number], id=body["document_id"])

        return Order(
            f"the keeper adds document {number} to {space} at {LEVELS[level]}",
            {f"document:{number}"},
            "POST",
            "/v1/documents",
            {"data": form, "files": {"file": (f"{word}.md", text_of(document.handle, word))}},
            lambda after: after.documents.__setitem__(number, document),
            KEEPER,
            learn,
        )

    def _principals(self, world: World) -> list[str]:
        people = [f"user:{name}" for name in world.people if name not in (KEEPER, "root")]
        return sorted((*people, *(f"group:{name}" for name in world.members)))

    def _document(self, world: World) -> Document | None:
        alive = [document for document in world.alive() if document.id]
        return self.chance.choice(alive) if alive else None

    def entries(self, world: World) -> Order | None:
        """Grant, deny or revoke one entry of a space's or a document's policy."""
        document = self._document(world) if self.chance.random() < 0.5 else None
        if document is not None and document.own is not None:
            policy, about, path = document.own, f"document:{document.number}", f"/v1/documents/{document.id}/policy"
        else:
            document, space = None, self.chance.choice(sorted(world.spaces))
            policy, about, path = world.spaces[space], f"space:{space}", f"/v1/spaces/{space}/policy"
        kept = [entry for entry in policy if entry != KEPT]
        what = self.chance.choice(("grant", "grant", "deny", "revoke"))
        if what == "revoke":
            if not kept:
                return None
            gone = self.chance.choice(kept)
            kept.remove(gone)
            words = f"revoke {gone} in {about}"
        else:
            name = self.chance.choice([*self._principals(world), *(["everyone"] if what == "grant" else [])])
            entry = self._entry(name, self.chance.choice(ROLES) if what == "grant" else None)
            kept = [other for other in kept if other.principal != name] + [entry]
            words = f"{what} {entry} in {about}"
        after = (KEPT, *kept)
        sent = {**body_of(after), "extends_space": document.inherits} if document is not None else body_of(after)

        def apply(changed: World) -> None:
            if document is None:
                changed.spaces[space] = after
            else:
                changed.amend(changed.documents[document.number], own=after, stamped=False)

        return Order(words, {about}, "PUT", path, {"json": sent}, apply)

    def membership(self, world: World) -> Order | None:
        """Somebody joins or leaves a group."""
        group = self.chance.choice(sorted(world.members))
        inside = sorted(m for m in world.members[group] if m.startswith("user:"))
        if inside and self.chance.random() < 0.5:
            return self._leave(group, self.chance.choice(inside))
        person = self.chance.choice([name for name in world.people if name not in (KEEPER, "root")])
        return self._join(group, f"user:{person}")

    def nesting(self, world: World) -> Order | None:
        """A group joins or leaves another one; never in a circle."""
        group, other = self.chance.sample(sorted(world.members), 2)
        nested = sorted(m for m in world.members[group] if m.startswith("group:"))
        if nested and self.chance.random() < 0.5:
            return self._leave(group, self.chance.choice(nested))
        # A group may not contain itself: `group` must not be held, directly or not, by whoever is in `other`.
        below, seen = {f"group:{other}"}, set[str]()
        while below:
            seen |= below
            below = {m for g in below for m in world.members[g.removeprefix("group:")] if m.startswith("group:")} - seen
        return None if f"group:{group}" in seen else self._join(group, f"group:{other}")

    def _join(self, group: str, member: str) -> Order:
        return Order(
            f"{member} joins group:{group}",
            {f"group:{group}", member},
            "POST",
            f"/v1/groups/{group}/members",
            {"json": {"members": [member]}},
            lambda after: after.members.__setitem__(group, after.members[group] | {member}),
        )

    def _leave(self, group: str, member: str) -> Order:
        return Order(
            f"{member} leaves group:{group}",
            {f"group:{group}", member},
            "DELETE",
            f"/v1/groups/{group}/members/{member}",
            {},
            lambda after: after.members.__setitem__(group, after.members[group] - {member}),
        )

    def _person(self, world: World) -> str:
        return self.chance.choice([name for name in world.people if name not in (KEEPER, "root")])

    def _change_person(self, name: str, sent: dict[str, Any], **changes: Any) -> Order:
        return Order(
            f"user:{name} becomes {sent}",
            {f"user:{name}"},
            "PATCH",
            f"/v1/users/{name}",
            {"json": sent},
            lambda after: after.people.__setitem__(name, replace(after.people[name], **changes)),
        )

    def clearance(self, world: World) -> Order | None:
        """Somebody's clearance changes."""
        level = self.chance.randrange(len(LEVELS))
        return self._change_person(self._person(world), {"clearance": LEVELS[level]}, level=level)

    def activity(self, world: World) -> Order | None:
        """Somebody is deactivated, or comes back."""
        asleep = [name for name, person in world.people.items() if not person.active]
        if asleep and self.chance.random() < 0.6:
            return self._change_person(self.chance.choice(asleep), {"active": True}, active=True)
        return self._change_person(self._person(world), {"active": False}, active=False)

    def _revise(self, document: Document, words: str, method: str, path: str, content: Any, version: Version) -> Order:
        """A move that makes a version."""
        return Order(
            f"{words} document {document.number}",
            {f"document:{document.number}"},
            method,
            f"/v1/documents/{document.id}{path}",
            content,
            lambda after: after.amend(
                after.documents[document.number], versions=(*document.versions, version), settled=False
            ),
            KEEPER,
        )

    def upload(self, world: World) -> Order | None:
        """New content."""
        if (document := self._document(world)) is None:
            return None
        word, latest = marker(document.number, len(document.versions) + 1), document.versions[-1]
        file = (f"{word}.md", text_of(document.handle, word))
        return self._revise(document, "new content of", "PUT", "/content", {"files": {"file": file}},
                            Version(word, latest.titled))  # fmt: skip

    def rename(self, world: World) -> Order | None:
        """New title, tags and metadata, which is a version."""
        document = self._document(world)
        if document is None or not document.settled:  # of one that is being ingested no version is made
            return None
        word, latest = marker(document.number, len(document.versions) + 1), document.versions[-1]
        sent = {"title": f"Plan {word}", "tags": [f"t{word}", "plans"], "metadata": {"code": word}}
        return self._revise(document, "new title of", "PATCH", "", {"json": sent}, Version(latest.said, word))

    def edit(self, world: World) -> Order | None:
        """A corrected text."""
        document = self._document(world)
        if document is None or not document.settled:
            return None
        word, latest = marker(document.number, len(document.versions) + 1), document.versions[-1]
        sent = {"text": f"The secret plan {document.handle} has a budget of 7 yuan, corrected {word}."}
        return self._revise(document, "corrected text of", "PUT", "/text", {"json": sent}, Version(word, latest.titled))

    def roll_back(self, world: World) -> Order | None:
        """Back to an older version."""
        document = self._document(world)
        if document is None or not document.settled or len(document.versions) < 2:
            return None
        number = self.chance.randrange(1, len(document.versions))
        return self._revise(document, f"back to version {number} of", "POST", "/rollback", {"json": {"to": number}},
                            document.versions[number - 1])  # fmt: skip

    def own_policy(self, world: World) -> Order | None:
        """A document gets a policy of its own."""
        if (document := self._document(world)) is None:
            return None
        policy, extends = self.policy(world), self.chance.random() < 0.4
        return self._guard(
            document,
            "PUT",
            "/policy",
            {"json": {**body_of(policy), "extends_space": extends}},
            f"document {document.number} gets {'more than its space has' if extends else 'its own policy'}: {policy}",
            own=policy,
            inherits=extends,
        )

    def restore(self, world: World) -> Order | None:
        """A document has its space's policy again."""
        owned = [document for document in world.alive() if document.own is not None and document.id]
        if not owned:
            return None
        document = self.chance.choice(owned)
        words = f"document {document.number} inherits again"
        return self._guard(document, "DELETE", "/policy", {}, words, own=None, inherits=False)

    def classify(self, world: World) -> Order | None:
        """A document changes its level."""
        if (document := self._document(world)) is None:
            return None
        level = self.chance.randrange(len(LEVELS))
        sent = {"json": {"classification": LEVELS[level]}}
        words = f"document {document.number} becomes {LEVELS[level]}"
        return replace(self._guard(document, "PATCH", "", sent, words, level=level), by=KEEPER)

    def _guard(self, document: Document, method: str, path: str, content: Any, words: str, **changes: Any) -> Order:
        return Order(
            words,
            {f"document:{document.number}"},
            method,
            f"/v1/documents/{document.id}{path}",
            content,
            lambda after: after.amend(after.documents[document.number], stamped=False, **changes),
        )

    def delete(self, world: World) -> Order | None:
        """A document is deleted."""
        if (document := self._document(world)) is None:
            return None
        words = f"document {document.number} is deleted"
        return replace(self._guard(document, "DELETE", "", {}, words, gone=True), by=KEEPER)

    def erase(self, world: World) -> Order | None:
        """A document is erased."""
        if (document := self._document(world)) is None:
            return None
        content = {"json": {"reason": "on request"}, "headers": {"prefer": "wait=0"}}
        return self._guard(document, "POST", "/erase", content, f"document {document.number} is erased", gone=True)

    def purge(self, world: World) -> Order | None:
        """Old versions of a space are removed."""
        space = self.chance.choice(sorted(world.spaces))
        return Order(f"space:{space} is purged", {f"space:{space}"}, "POST", f"/v1/spaces/{space}/purge", {},
                     lambda after: None)  # fmt: skip

    def add_somewhere(self, world: World) -> Order | None:
        """A new document in some space."""
        level = self.chance.randrange(len(LEVELS))
        return self.add(world, self.chance.choice(sorted(world.spaces)), level, None)

    def revoke_key(self, world: World) -> Order | None:
        """Somebody's second key stops working."""
        spare = sorted(name for name in self.ids if name.startswith("key:") and name not in world.revoked)
        if not spare:
            return None
        key = self.chance.choice(spare)
        return Order(f"{key} is revoked", {key}, "DELETE", f"/v1/api-keys/{self.ids[key]}", {},
                     lambda after: setattr(after, "revoked", after.revoked | {key}))  # fmt: skip


def text_of(handle: str, word: str) -> bytes:
    """A document that says its marker in a heading and in its only paragraph."""
    return f"# Part {word}\n\nThe secret plan {handle} has a budget of 600 yuan for the word {word}.\n".encode()


def body_of(policy: Policy) -> dict[str, Any]:
    """The policy as the API takes it."""
    return {
        "allow": [
            {"principal": entry.principal, "role": entry.role, **_dates(entry)} for entry in policy if entry.role
        ],
        "deny": [{"principal": entry.principal, **_dates(entry)} for entry in policy if entry.role is None],
    }


def _dates(entry: Entry) -> dict[str, str]:
    named = {"effective_from": entry.since, "effective_to": entry.until}
    return {name: datetime.fromtimestamp(at, UTC).isoformat() for name, at in named.items() if at is not None}
