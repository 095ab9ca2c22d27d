"""The random sample for measuring: with groups kept together, in a pool that grows, every prefix of it is a simple random sample."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from scipy.stats import chi2
from sqlalchemy import Connection, select

from askwell.store.classes import ClassChange
from askwell.store.connections import connect, reading
from askwell.store.gathering import add_items, affordable, draw_sample
from askwell.store.labelling import LabellingStore
from askwell.store.labelling_records import Answer, NewItem
from askwell.store.schema import evaluation_items, item_states, items, metadata, queue

NOW = 1_000_000.0


def new_items(first: int, count: int) -> list[NewItem]:
    return [NewItem(f"{number:03d}.png", f"{number:03d}.png") for number in range(first, first + count)]


@pytest.fixture(scope="module")
def empty() -> Iterator[Connection]:
    """A connection to a database with no rows."""
    engine = connect(Path(":memory:"))
    with engine.connect() as connection:
        metadata.create_all(connection)
        connection.commit()
        yield connection
    engine.dispose()


def sample_of_grown_pool(connection: Connection, seed: str, size: int) -> tuple[list[int], list[int]]:
    """The sample of 6 items, and of the same when 3 were added, by position; the database is left empty."""
    ranked = select(evaluation_items.c.position).order_by(evaluation_items.c.rank)
    with connection.begin() as transaction:
        add_items(connection, new_items(0, 6), seed, NOW)
        draw_sample(connection, size, 0.5, seed)
        before = list(connection.scalars(ranked))
        for number in range(6, 9):  # one at a time, as they are found
            add_items(connection, new_items(number, 1), seed, NOW)
        after = list(connection.scalars(ranked))
        queued = list(connection.scalars(select(queue.c.position)))
        transaction.rollback()
    assert sorted([*after, *queued]) == list(range(9)), "every item is in the sample or in the queue, once"
    return before, after


def test_each_prefix_of_a_grown_pools_sample_is_a_simple_random_sample(empty: Connection):
    """Chi-square over all pairs that the first two can be; at level .001, with seeds that are fixed here."""
    trials, pairs, sizes = 300, Counter(), Counter()
    for number in range(trials):
        before, after = sample_of_grown_pool(empty, f"seed {number}", size=100)
        assert [at for at in after if at < 6] == before, "what was drawn stays, in its order"
        sizes[len(after)] += 1
        pairs[frozenset(after[:2])] += 1
    possible = [frozenset(pair) for pair in itertools.combinations(range(9), 2)]
    expected = trials / len(possible)
    statistic = sum((pairs[pair] - expected) ** 2 / expected for pair in possible)
    assert statistic < chi2.ppf(0.999, len(possible) - 1)
    assert set(sizes) == {3, 4, 5, 6}, "as many come in as happen to be early in the order"


def test_a_sample_stays_as_small_as_it_was_meant_to_be(empty: Connection):
    for number in range(50):
        before, after = sample_of_grown_pool(empty, f"seed {number}", size=2)
        assert len(before) == len(after) == 2
        kept = [at for at in after if at < 6]
        assert before[: len(kept)] == kept, "it is the last that give way"


@pytest.mark.parametrize("sizes", [{1: 100}, {1: 90, 10: 1}, {10: 10}, {50: 2}, {1: 3, 2: 4, 5: 2}])
def test_as_much_is_drawn_as_groups_allow(sizes: dict[int, int]):
    """Against the sum over all samples, counted by hypergeometric coefficients."""
    count = sum(size * groups for size, groups in sizes.items())

    def touched(n: int) -> float:
        return sum(
            size * groups * (1 - math.comb(count - size, n) / math.comb(count, n)) for size, groups in sizes.items()
        )

    wanted = affordable(sizes, 500, 0.2)
    assert touched(wanted) <= 0.2 * count + 1e-6
    assert touched(wanted + 1) > 0.2 * count
    assert affordable(sizes, 1, 1.0) == 1


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LabellingStore]:
    with LabellingStore(tmp_path / "campaign.db", clock=lambda: NOW) as store:
        store.add_items(new_items(0, 60), "seed")
        yield store


def test_no_image_is_trained_on_while_one_of_its_group_measures(store: LabellingStore):
    for name in ("benign", "malignant"):
        store.change_classes("ann", ClassChange("add", name=name), name)
    groups = {position: f"{position // 3 * 3:03d}.png" for position in range(60)}
    store.note_groups(groups, {}, "seed")
    size = store.draw_sample(500, "seed")
    sample = {position for position, _, _ in store.sample_answers()}
    withheld = {position for position in range(60) if position // 3 in {each // 3 for each in sample}}
    assert 0 < size == len(sample) < len(withheld) <= 20
    assert set(store.candidates()) == set(range(60)) - withheld
    asked: dict[int, bool] = {}
    while questions := store.questions("ann"):
        first = questions[0]
        asked[first.position] = first.evaluation
        store.answer("ann", Answer(first.position, first.key, "label", "c1"))
    assert {position for position, evaluation in asked.items() if evaluation} == sample
    assert {position for position, evaluation in asked.items() if not evaluation} == set(range(60)) - withheld
    assert {position for position, _ in store.training_labels()} == set(range(60)) - withheld
    assert store.standing("ann").not_asked == len(withheld - sample)
    assert store.release_sample("seed") == size
    rest = {question.position for question in store.questions("ann")}
    assert rest == withheld - sample
    assert store.standing("ann").not_asked == 0
    assert {position for position, _ in store.training_labels()} == (set(range(60)) - withheld) | sample


def test_what_is_found_to_belong_to_the_sample_is_withheld_and_given_back(store: LabellingStore):
    store.draw_sample(4, "seed")
    sample = [position for position, _, _ in store.sample_answers()]
    other = next(position for position in range(60) if position not in sample)
    store.note_groups({sample[0]: "group", other: "group"}, {}, "seed")
    assert other not in store.candidates()
    store.note_groups({}, {}, "seed")
    assert other in store.candidates()
    with reading(store._engine) as connection:
        queued = list(connection.scalars(select(queue.c.position)))
        assert sorted([*queued, *sample]) == list(range(60))
        assert not list(connection.scalars(select(item_states.c.position)))
        assert not list(connection.scalars(select(items.c.position).where(items.c.group_key.is_not(None))))


def test_an_image_of_the_sample_that_cannot_be_shown_does_not_end_the_measuring(store: LabellingStore):
    store.draw_sample(4, "seed")
    first = store.sample_answers()[0][0]
    store.quarantine(first, "it is broken")
    assert store.sample_answers()[0] == (first, "bad", None)
