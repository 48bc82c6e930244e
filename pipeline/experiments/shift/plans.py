"""Which students a world has: by which method each is taught, from which teachers, with which settings."""

from typing import NamedTuple

import numpy as np

from pipeline.core import streams
from pipeline.experiments.shift.settings import Strong, World
from pipeline.models.softmax.pooled import Rule

ABLATED = {"raven": False, "raven_kl": True}  # whether the teacher's entropy is subtracted
FOLLOWED = ("raven", "raven_kl", "raven_tempered", "raven_normalised")


class Student(NamedTuple):
    """One student.  weak: the teacher's number, `pool`, or the pool with a control; varied: what an ablation turns."""

    method: str
    weak: str
    rule: Rule
    varied: str = "default"
    control: str = ""


class Places(NamedTuple):
    """Rows of the label tensor."""

    teachers: tuple[int, ...]
    matched: tuple[int, ...]
    shuffled: int
    constant: int
    gold: int
    bootstrapped: int

    @classmethod
    def of(cls, count: int) -> "Places":
        """Those of a world with so many teachers."""
        return cls(tuple(range(count)), tuple(range(count, 2 * count)), *range(2 * count, 2 * count + 4))


def is_followed(one: Student) -> bool:
    """Whether a student is measured along its training."""
    return one.method in FOLLOWED and one.varied == "default" and not one.control


def drawn(world: World, count: int) -> int:
    """The teacher of naive finetuning: one at random."""
    return int(streams.generator(world.seed, f"shift/naive/{world.panel}/{world.domain}").integers(count))


def students(world: World, strong: Strong, count: int) -> list[Student]:
    """Every student that needs no other one, and `bootstrapping`."""
    places = Places.of(count)
    pool, naive = places.teachers, drawn(world, count)
    return [
        *(Student("single", str(k), Rule((k,))) for k in pool),
        Student("naive", str(naive), Rule((naive,))),
        Student("confidence", str(naive), Rule((naive,), auxiliary="confidence")),
        Student("adaptive", str(naive), Rule((naive,), auxiliary="adaptive")),
        Student("bootstrapping", str(naive), Rule((places.bootstrapped,))),
        Student("uniform", "pool", Rule(pool)),
        Student("uniform_confidence", "pool", Rule(pool, auxiliary="confidence")),
        Student("uniform_adaptive", "pool", Rule(pool, auxiliary="adaptive")),
        Student("gold", "pool", Rule((places.gold,)), control="gold"),
        *weighted(world, strong, places),
        *ablations(world, strong, pool),
        *controls(strong, places),
    ]


def weighted(world: World, strong: Strong, places: Places) -> list[Student]:
    """RAVEN, its two repairs, and the other reading of its gradient."""
    options = {"rate": strong.rate, "easy": strong.easy, "start": strong.start.get(world.panel)}
    pool = places.teachers
    return [
        Student("raven", "pool", Rule(pool, **options)),
        Student("raven_kl", "pool", Rule(pool, repair=True, **options)),
        Student("raven_tempered", "pool", Rule(places.matched, **options)),
        Student("raven_normalised", "pool", Rule(pool, normalised=True, **options)),
    ]


def ablations(world: World, strong: Strong, pool: tuple[int, ...]) -> list[Student]:
    """Shares of easy epochs at the one rate, and rates at the one share."""
    start = strong.start.get(world.panel)
    found = []
    for method, repair in ABLATED.items():
        for varied, settings in (
            ("easy", [(strong.rate, share) for share in strong.shares]),
            ("rate", [(rate, strong.easy) for rate in strong.rates]),
        ):
            rules = (Rule(pool, rate, share, repair, start=start) for rate, share in settings)
            found += [Student(method, "pool", rule, varied) for rule in rules]
    return found


def controls(strong: Strong, places: Places) -> list[Student]:
    """Teachers that know nothing: alone, and as one more of the pool."""
    found = []
    for control, place in (("shuffled", places.shuffled), ("constant", places.constant)):
        pool = (*places.teachers, place)
        found += [
            Student("single", control, Rule((place,)), control=control),
            Student("uniform", f"pool and {control}", Rule(pool), control=control),
            *(
                Student(method, f"pool and {control}", Rule(pool, strong.rate, strong.easy, repair), control=control)
                for method, repair in ABLATED.items()
            ),
        ]
    return found


def assigned(student: np.ndarray, teachers: np.ndarray, kept: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels of hierarchical co-supervision for the next level, (n, C), and which samples keep theirs, (n,) bool.

    Every sample gets the label of the teacher (L, n, C) that is nearest to the student (n, C) in cross-entropy; it is
    kept where that teacher's class is among the ``kept`` most probable ones of the student.
    """
    distance = -(teachers * np.log(np.maximum(student, 1e-12))).sum(-1)
    told = teachers[distance.argmin(0), np.arange(len(student))]
    rank = (student > student[np.arange(len(student)), told.argmax(-1)][:, None]).sum(-1)
    return told, rank < kept
