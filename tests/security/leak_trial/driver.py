"""The trial: builds a world twice, in the product and in the model, moves both, and asks as everybody."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kbcore.metadata.database import Database
from tests.security.leak_trial.installation import ROOT, Installation, installed
from tests.security.leak_trial.judge import Asker, Judge, Move, State
from tests.security.leak_trial.moves import KEEPER, Mover, Order, body_of
from tests.security.leak_trial.probes import OFTEN, Prober
from tests.security.leak_trial.world import LEVELS, Person, World


@dataclass(frozen=True, slots=True)
class Size:
    """How large a trial is. `steps` of moves and probes in turn, then `storm_s` seconds of both at once."""

    people: int
    groups: int
    spaces: int
    documents: int
    steps: int
    probes: int
    storm_s: float
    storm_threads: int = 3


@dataclass
class Trial:
    """One world on trial."""

    seed: int
    size: Size
    site: Installation
    chance: random.Random
    mover: Mover
    judge: Judge
    prober: Prober
    askers: list[Asker] = field(default_factory=list)
    refused: int = 0
    moved: int = 0

    @property
    def world(self) -> World:
        """As it is now."""
        return self.judge.states[-1].world

    def run(self) -> None:
        """All of it; faults are in `judge.faults`."""
        for step in range(self.size.steps):
            self.move()
            if self.chance.random() < 0.4:
                self.settle()
            self.probe_all()
            if step % 10 == 9:
                self.settle()
                self.check_all()
        if self.size.storm_s:
            self.storm(self.size.storm_s)
        self.settle()
        self.check_all()

    def move(self) -> None:
        """One random move, which most often succeeds."""
        self.carry_out(self.mover.draw(self.world))

    def carry_out(self, order: Order) -> None:
        """Send it, and let the model follow: the new state may hold from the moment at which it was sent."""
        after = self.world.copy()
        order.apply(after)
        state = State(after, Move(order.words, frozenset(order.about)), time.time())
        self.judge.states.append(state)
        content = dict(order.content)
        headers = {**(self.site.keeper if order.by == KEEPER else self.site.root), **content.pop("headers", {})}
        answer = self.site.client.request(order.method, order.path, headers=headers, **content)
        self.moved += 1
        if answer.is_success:
            body = answer.json() if answer.content else {}
            order.learn(after, body)
            state.acknowledged = time.time()
            self._note_job(order, body)
        elif answer.status_code in (403, 404, 409, 422):
            self.refused += 1
            self.judge.states.remove(state)
        else:
            raise AssertionError(f"{order.words}: {answer.status_code} {answer.text}")

    def settle(self) -> None:
        """Let the worker do what waits; then the newest version of everything is published."""
        self.site.run_jobs()
        self.prober.ended = len(self.prober.jobs)
        for document in self.world.alive():
            self.world.amend(document, indexed=True, settled=True, stamped=True)

    def probe_all(self) -> None:
        """Everybody searches, and does a few other things."""
        probes, weights = [probe for probe, _ in OFTEN], [weight for _, weight in OFTEN]
        for asker in self.askers:
            self.prober.search(asker, self.chance.choice(("hybrid", "dense", "keyword")))
            for probe in self.chance.choices(probes, weights, k=self.size.probes):
                probe(self.prober, asker)

    def check_all(self) -> None:
        """Settled: everybody finds exactly what it may read, by each way."""
        for asker in self.askers:
            for mode in ("hybrid", "dense", "keyword"):
                self.prober.search(asker, mode)
            self.prober.listed(asker)
            self.prober.ledger(asker)

    def storm(self, seconds: float) -> None:
        """Moves, the worker and probes at once, in threads of their own."""
        over, failures = threading.Event(), list[BaseException]()

        def looping(work: object) -> threading.Thread:
            def loop() -> None:
                try:
                    while not over.is_set():
                        work()  # type: ignore[operator]
                except BaseException as error:  # noqa: BLE001 - handed to the main thread below
                    failures.append(error)
                    over.set()

            return threading.Thread(target=loop)

        self.prober.calm = False
        seeds = [self.chance.random() for _ in range(self.size.storm_threads)]
        works = [self.move, self._work, *(self._stormy(seed) for seed in seeds)]
        threads = [looping(work) for work in works]
        for thread in threads:
            thread.start()
        over.wait(seconds)
        over.set()
        for thread in threads:
            thread.join()
        self.prober.calm = True
        if failures:
            raise failures[0]

    def _work(self) -> None:
        if not self.site.run_jobs():
            time.sleep(0.02)

    def _stormy(self, seed: float) -> object:
        """A prober with chances of its own."""
        chance = random.Random(seed)
        own = Prober(self.site, self.judge, chance, calm=False, memories=self.prober.memories)
        own.jobs, own.snapshots = self.prober.jobs, self.prober.snapshots
        probes = [(Prober.search, 12), *(each for each in OFTEN if each[0] is not Prober.write_again)]

        def work() -> None:
            probe = chance.choices([p for p, _ in probes], [w for _, w in probes])[0]
            probe(own, chance.choice(self.askers))

        return work

    def _note_job(self, order: Order, body: dict[str, object]) -> None:
        job = body.get("job_id") if isinstance(body, dict) else None
        about = [int(each.split(":")[1]) for each in order.about if each.startswith("document:")]
        if isinstance(job, str) and about:
            self.prober.jobs.append((about[0], job))


@contextmanager
def prepared(
    seed: int, size: Size, home: Path, database: Database, postgres_url: str, redis_url: str
) -> Iterator[Trial]:
    """A trial whose world has been built, with every document published."""
    chance = random.Random(seed)
    with installed(home, database, postgres_url, redis_url, random.Random(seed + 1)) as site:
        mover = Mover(chance, site.ids)
        world = World(people={ROOT: Person(ROOT, len(LEVELS) - 1, admin=True)})
        judge = Judge([State(world, Move("the beginning"), 0.0, 0.0)])
        trial = Trial(seed, size, site, chance, mover, judge, Prober(site, judge, chance))
        _people(trial)
        _groups(trial)
        _spaces(trial)
        for _ in range(size.documents):
            space = chance.choice(sorted(trial.world.spaces))
            trial.carry_out(mover.add(trial.world, space, chance.choice((0, 0, 1, 1, 2, 3)), None))
        trial.settle()
        for document in trial.world.alive():
            if chance.random() < 0.3:
                del document
                if (order := mover.own_policy(trial.world)) is not None:
                    trial.carry_out(order)
        trial.settle()
        yield trial


def _people(trial: Trial) -> None:
    """An administrator with no role, the keeper, one of each other kind, and everybody else; an app acts for some."""
    trial.askers.append(Asker(ROOT, "administrator", tuple(trial.site.root.items())))
    _add_person(trial, KEEPER, "manager of all", len(LEVELS) - 1)
    trial.site.keeper = dict(trial.askers[-1].headers)
    for number in range(trial.size.people - 2):
        kind = {0: "administrator", 1: "auditor", 2: "service account"}.get(number % 20, "person")
        _add_person(trial, f"p{number:02d}", kind, trial.chance.choice((0, 1, 1, 2, 2, 3)), spare=number % 12 == 3)
    trial.site.manage("POST", "/v1/users", json={"name": "app", "kind": "service"})
    key = trial.site.manage("POST", "/v1/api-keys", json={"user": "app", "name": "acts", "acts_for": True})["key"]
    for asker in [each for each in trial.askers if each.kind == "person" and each.key is None][::4]:
        headers = {"authorization": f"Bearer {key}", "zhiku-on-behalf-of": asker.person}
        trial.askers.append(Asker(asker.person, "app acting for a person", tuple(headers.items())))


def _add_person(trial: Trial, name: str, kind: str, level: int, *, spare: bool = False) -> None:
    admin, auditor = kind == "administrator", kind == "auditor"
    sent = {"name": name, "clearance": LEVELS[level], "is_admin": admin, "is_auditor": auditor}
    sent["kind"] = "service" if kind == "service account" else "person"
    trial.site.ids[f"user:{name}"] = trial.site.manage("POST", "/v1/users", json=sent)["id"]
    trial.world.people[name] = Person(name, level, admin, auditor)
    for key in ("", f"key:{name}") if spare else ("",):
        made = trial.site.manage("POST", "/v1/api-keys", json={"user": name, "name": key or "trial"})
        if key:
            trial.site.ids[key] = made["id"]
        headers = (("authorization", f"Bearer {made['key']}"),)
        trial.askers.append(Asker(name, "second key" if key else kind, headers, key or None))


def _groups(trial: Trial) -> None:
    """With members, and one in another; never in a circle."""
    people = [name for name in trial.world.people if name not in (ROOT, KEEPER)]
    names = [f"g{number:02d}" for number in range(trial.size.groups)]
    for number, name in enumerate(names):
        trial.site.ids[f"group:{name}"] = trial.site.manage("POST", "/v1/groups", json={"name": name})["id"]
        inside = {
            f"user:{person}"
            for person in trial.chance.sample(people, trial.chance.randint(1, max(2, len(people) // 4)))
        }
        if number and trial.chance.random() < 0.5:
            inside.add(f"group:{trial.chance.choice(names[:number])}")
        if inside:
            sent = {"members": sorted(inside)}
            trial.site.manage("POST", f"/v1/groups/{name}/members", json=sent)
        trial.world.members[name] = frozenset(inside)


def _spaces(trial: Trial) -> None:
    """Each with a policy, and with a short memory, so that purges find something."""
    for number in range(trial.size.spaces):
        name = f"space{number:02d}"
        trial.site.manage("POST", "/v1/spaces", json={"name": name})
        trial.site.manage("PATCH", f"/v1/spaces/{name}", json={"retention_versions": 3})
        policy = trial.mover.policy(trial.world)
        trial.site.manage("PUT", f"/v1/spaces/{name}/policy", json=body_of(policy))
        trial.world.spaces[name] = policy
        trial.prober.snapshots.append(f"snap{number:02d}")
        trial.site.manage("POST", "/v1/snapshots", json={"name": f"snap{number:02d}", "space": name})
