"""People label: nobody is shown the same image, no answer is lost, counted twice or overwritten, and everything can be taken back."""

import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from askwell.errors import ItemNotFoundError, NameRefusedError, StaleRequestError, UnknownNameError
from askwell.store.asking import AHEAD, EVALUATION_EVERY, LEASE_SECONDS, SKIP_RETURNS_AFTER
from askwell.store.classes import ClassChange
from askwell.store.connections import reading
from askwell.store.labelling import LabellingStore
from askwell.store.labelling_records import Answer, NewItem, Ranked
from askwell.store.records import RoundRecord
from askwell.store.schema import answer_events, evaluation_items, item_states, queue, tallies

KEYS = itertools.count()


class Clock:
    """A clock that is set by hand."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def filled(directory: Path, clock: Clock, count: int = 100) -> LabellingStore:
    store = LabellingStore(directory / "campaign.db", clock=clock)
    for name in ("benign", "malignant", "none of these"):
        store.change_classes("ann", ClassChange("add", name=name), f"add {name}")
    store.add_items([NewItem(f"image-{number:04d}.png", f"image-{number:04d}.png") for number in range(count)], "seed")
    return store


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[LabellingStore]:
    with filled(tmp_path, clock) as store:
        yield store


def answer_next(store: LabellingStore, annotator: str = "ann", kind: str = "label", class_id: str = "c1") -> int:
    question = store.questions(annotator)[0]
    store.answer(
        annotator, Answer(question.position, question.key, kind, class_id if kind == "label" else None, seconds=2.0)
    )
    return question.position


def check_derived(store: LabellingStore) -> None:
    """States, tallies and open flags say what the events say, worked out here from the beginning."""
    with reading(store._engine) as connection:
        events = connection.execute(select(answer_events).order_by(answer_events.c.sequence)).all()
        undone = {event.undoes for event in events}
        kept = [event for event in events if event.kind != "undo" and event.sequence not in undone]
        current = {event.position: event for event in kept}
        states = {row.position: row for row in connection.execute(select(item_states))}
        assert {at: row.sequence for at, row in states.items()} == {at: row.sequence for at, row in current.items()}
        assert {at: (row.kind, row.class_id) for at, row in states.items()} == {
            at: (row.kind, row.class_id) for at, row in current.items()
        }
        counted = Counter((event.kind, event.class_id or "") for event in current.values())
        found = {(row.kind, row.class_id): row.count for row in connection.execute(select(tallies))}
        assert found.pop(("items", "")) == len(store.files())
        assert {name: count for name, count in found.items() if count} == counted
        for table in (queue, evaluation_items):
            for row in connection.execute(select(table)):
                assert row.open == (row.position not in current)


def test_two_people_are_never_shown_the_same_image(store: LabellingStore):
    seen: dict[str, list[int]] = {"ann": [], "bob": []}
    while store.questions("ann") or store.questions("bob"):
        for annotator, positions in seen.items():
            if store.questions(annotator):
                positions.append(answer_next(store, annotator))
    assert not set(seen["ann"]) & set(seen["bob"])
    assert sorted(seen["ann"] + seen["bob"]) == list(range(100))
    assert store.standing("ann").kinds == {"label": 100}
    check_derived(store)


def test_the_order_is_random_whatever_the_order_of_discovery(tmp_path: Path, clock: Clock):
    orders = []
    for name, step in (("a", 1), ("b", -1)):
        (tmp_path / name).mkdir()
        with LabellingStore(tmp_path / name / "campaign.db", clock=clock) as store:
            ids = [f"{number}.png" for number in range(50)][::step]
            for item in ids:  # one at a time, as they are found
                store.add_items([NewItem(item, item)], "seed")
            with reading(store._engine) as connection:
                ranked = connection.scalars(select(queue.c.position).order_by(queue.c.rank)).all()
            orders.append([ids[position] for position in ranked])
    assert orders[0] == orders[1] != sorted(orders[0])


def test_the_same_answer_again_changes_nothing_and_another_one_is_refused(store: LabellingStore):
    question = store.questions("ann")[0]
    answer = Answer(question.position, question.key, "label", "c1", 1.5)
    first = store.answer("ann", answer)
    answer_next(store)
    assert store.answer("ann", answer) == first
    for other in (answer._replace(class_id="c2"), answer._replace(kind="skip", class_id=None)):
        with pytest.raises(StaleRequestError, match="answered otherwise already"):
            store.answer("ann", other)
    assert store.standing("ann").labels == {"c1": 2, "c2": 0, "c3": 0}
    check_derived(store)


def test_what_was_never_shown_cannot_be_answered(store: LabellingStore):
    mine, others = store.questions("ann")[0], store.questions("bob")[0]
    for answer, error in (
        (Answer(mine.position, "made up", "bad"), StaleRequestError),
        (Answer(others.position, mine.key, "bad"), StaleRequestError),
        (Answer(others.position, others.key, "bad"), StaleRequestError),
        (Answer(10_000, mine.key, "bad"), ItemNotFoundError),
        (Answer(mine.position, mine.key, "label", "c9"), UnknownNameError),
    ):
        with pytest.raises(error):
            store.answer("ann", answer)
    assert store.standing("ann").kinds == {}


def test_asking_again_shows_the_same_questions(store: LabellingStore):
    questions = store.questions("ann")
    assert len(questions) == AHEAD
    assert store.questions("ann") == questions
    answer_next(store)
    assert store.questions("ann")[: AHEAD - 1] == questions[1:]


def test_a_late_answer_is_kept_unless_somebody_else_was_faster(store: LabellingStore, clock: Clock):
    late, later = store.questions("ann")[:2]
    clock.now += LEASE_SECONDS + 1
    theirs = {question.position: question for question in store.questions("bob")}
    assert {late.position, later.position} <= theirs.keys(), "the time was over"
    store.answer("ann", Answer(late.position, late.key, "label", "c1"))
    with pytest.raises(StaleRequestError, match="answered in another tab or by somebody else"):
        store.answer("bob", Answer(late.position, theirs[late.position].key, "label", "c2"))
    store.answer("bob", Answer(later.position, theirs[later.position].key, "label", "c2"))
    with pytest.raises(StaleRequestError, match="answered in another tab or by somebody else"):
        store.answer("ann", Answer(later.position, later.key, "label", "c1"))
    assert store.standing("ann").labels == {"c1": 1, "c2": 1, "c3": 0}
    assert late.position not in {question.position for question in store.questions("bob")}


def test_a_clock_that_is_set_back_leaves_nothing_leased_for_ever(store: LabellingStore, clock: Clock):
    held = store.questions("ann")
    clock.now -= 10 * 365 * 86_400
    assert store.questions("ann") == held
    clock.now += LEASE_SECONDS + 1
    assert {question.position for question in held} <= {question.position for question in store.questions("bob")}
    answer_next(store, "bob")
    assert [said.position for said in store.history("bob", 10)] == [held[0].position]


def test_undo_goes_back_as_far_as_one_likes_and_shows_the_image_again(store: LabellingStore):
    answered = [answer_next(store, class_id=f"c{1 + number % 2}") for number in range(30)]
    for number, position in enumerate(reversed(answered)):
        question, said, recorded = store.undo("ann", f"undo {number}")
        assert (question.position, said.kind, said.class_id) == (position, "label", f"c{1 + (29 - number) % 2}")
        assert recorded.undo_depth == 29 - number
        assert store.undo("ann", f"undo {number}") == (question, said, recorded)
    with pytest.raises(StaleRequestError, match="no answer of yours left"):
        store.undo("ann", "undo 30")
    assert store.standing("ann").labels == {"c1": 0, "c2": 0, "c3": 0}
    check_derived(store)
    again = {answer_next(store) for _ in range(40)}
    assert set(answered) <= again


def test_a_stale_edit_changes_nothing_and_an_undone_one_brings_the_former_answer_back(store: LabellingStore):
    position = answer_next(store)
    _, said = store.item(position)
    assert said is not None
    store.edit("bob", Answer(position, "edit-1", "label", "c2"), said.sequence)
    for expected in (said.sequence, None):
        with pytest.raises(StaleRequestError, match="has been changed meanwhile"):
            store.edit("ann", Answer(position, f"stale {expected}", "unsure"), expected)
    store.edit("bob", Answer(position, "edit-1", "label", "c2"), said.sequence)  # the same request again
    assert store.standing("ann").labels["c2"] == 1
    question, taken, _ = store.undo("bob", "undo")
    assert (question.position, taken.class_id) == (position, "c2")
    assert store.item(position)[1] == said
    store.answer("bob", Answer(position, question.key, "bad"))
    assert [(each.kind, each.position) for each in store.of_class("bad", 10)] == [(("bad"), position)]
    check_derived(store)


def test_a_skipped_image_returns_after_a_while_and_the_others_never(store: LabellingStore):
    skipped = answer_next(store, kind="skip")
    gone = [answer_next(store, kind=kind) for kind in ("unsure", "bad")]
    shown = [answer_next(store) for _ in range(SKIP_RETURNS_AFTER + AHEAD + 2)]
    assert skipped in shown[-AHEAD - 3 :]
    assert skipped not in shown[: SKIP_RETURNS_AFTER - AHEAD]
    assert not set(gone) & set(shown)
    assert skipped in [position for position, _ in store.training_labels()]
    assert not set(gone) & {position for position, _ in store.training_labels()}


def test_every_eighth_question_is_the_next_of_the_sample(store: LabellingStore):
    assert store.draw_sample(500, "seed") == 20, "a fifth of the pool"
    assert store.draw_sample(500, "other") == 20, "and drawn once"
    sample = [position for position, _, _ in store.sample_answers()]
    questions = []
    for _ in range(60):
        questions.append(store.questions("ann")[0])
        answer_next(store)
    asked = [question.position for question in questions if question.evaluation]
    assert [place for place, question in enumerate(questions, start=1) if question.evaluation] == list(
        range(EVALUATION_EVERY, 61, EVALUATION_EVERY)
    )
    assert asked == sample[: len(asked)]
    assert not set(sample) & {position for position, _ in store.training_labels()}
    assert not set(sample) & set(store.candidates())
    assert store.guess(sample[-1]) is None
    check_derived(store)


def test_a_released_sample_is_asked_and_trained_on_like_the_others(store: LabellingStore):
    store.draw_sample(500, "seed")
    for _ in range(30):
        answer_next(store)
    sample = [position for position, _, _ in store.sample_answers()]
    assert store.release_sample("seed") == 20
    assert store.release_sample("seed") == 0
    measured = [position for position, kind, _ in store.sample_answers() if kind is not None]
    shown = {answer_next(store) for _ in range(70)}
    assert set(sample) <= {position for position, _ in store.training_labels()}
    assert [position for position, kind, _ in store.sample_answers() if kind is not None] == measured
    assert not any(question.evaluation for question in store.questions("ann"))
    assert {position for position, _ in store.training_labels()} == set(range(100))
    assert shown & set(sample)


def test_a_new_queue_is_in_force_at_once_and_falls_back_to_the_random_order(store: LabellingStore):
    first = answer_next(store)
    held = {question.position for question in store.questions("ann")}
    best = [position for position in range(100) if position not in held and position != first][:15]
    store.commit_fit(RoundRecord(0, 1, 1.0, "models/round-0000.safetensors", "hash", {}), "{}")
    store.commit_queue([Ranked(first)] + [Ranked(position, 1.0, '{"total": 1}') for position in best], "model", 0)
    assert {answer_next(store) for _ in range(AHEAD)} == held
    assert [answer_next(store) for _ in range(15)] == best
    guess = store.guess(best[3])
    assert guess is not None
    assert (guess.why, guess.source, guess.round) == ('{"total": 1}', "model", 0)
    assert len({answer_next(store) for _ in range(60)}) == 60
    store.commit_queue([Ranked(position) for position in store.candidates()], "cold_start")
    assert store.guess(best[3]) == guess, "why an image was asked stays known"
    check_derived(store)


def test_an_image_that_cannot_be_shown_is_not_offered(store: LabellingStore):
    assert store.standing("ann").not_asked == 0
    broken = store.candidates()[50]
    store.quarantine(broken, "cut off")
    store.quarantine(broken, "something else")
    assert store.standing("ann").not_asked == 1
    assert broken not in store.candidates()
    assert broken not in {answer_next(store) for _ in range(99)}
    assert store.questions("ann") == []


def test_classes_are_changed_counted_and_changed_back(store: LabellingStore):
    for class_id in ("c1", "c1", "c2", "c3"):
        answer_next(store, class_id=class_id)
    merged, touched = store.change_classes("ann", ClassChange("merge", "c1", into="c2"), "m")
    assert touched == 2
    assert store.change_classes("ann", ClassChange("merge", "c1", into="c2"), "m")[0] == merged
    assert [each.id for each in store.classes().current] == ["c2", "c3"]
    assert store.standing("ann").labels == {"c2": 3, "c3": 1}
    assert {class_id for _, class_id in store.training_labels()} == {"c2", "c3"}
    assert len(store.of_class("c2", 10)) == 3
    question = store.questions("ann")[0]
    with pytest.raises(StaleRequestError, match="merged into another"):
        store.answer("ann", Answer(question.position, question.key, "label", "c1"))
    undone = store.undo_class_change("ann", merged, "u")
    assert store.standing("ann").labels == {"c1": 2, "c2": 1, "c3": 1}
    store.undo_class_change("ann", undone, "u2")
    assert store.standing("ann").labels == {"c2": 3, "c3": 1}
    split, touched = store.change_classes("ann", ClassChange("split", "c2", name="atypical"), "s")
    assert touched == 3
    assert store.classes().named("c4").key == "1", "which the merged class had"
    store.change_classes("ann", ClassChange("rename", "c4", name="odd", key="x"), "r")
    assert store.classes().named("c4")[1:] == ("odd", "x", False)
    store.change_classes("ann", ClassChange("retire", "c3"), "t")
    assert {class_id for _, class_id in store.training_labels()} == {"c2"}
    with pytest.raises(StaleRequestError, match="was retired"):
        store.answer("ann", Answer(question.position, question.key, "label", "c3"))
    store.undo_class_change("ann", split, "u3")
    assert [each.id for each in store.classes().current] == ["c2", "c3"]
    added, _ = store.change_classes("ann", ClassChange("add", name="new"), "a")
    assert store.classes().current[-1].id == "c5", "an id is never given twice"
    answer_next(store, class_id="c5")
    with pytest.raises(StaleRequestError, match="answered with this class already"):
        store.undo_class_change("ann", added, "u4")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (ClassChange("add", name="benign"), NameRefusedError),
        (ClassChange("add", name="BENIGN"), NameRefusedError),
        (ClassChange("add", name="=cmd()"), NameRefusedError),
        (ClassChange("add", name="a\nb"), NameRefusedError),
        (ClassChange("add", name="  "), NameRefusedError),
        (ClassChange("add", name="x" * 101), NameRefusedError),
        (ClassChange("add"), NameRefusedError),
        (ClassChange("add", name="good", key="u"), NameRefusedError),
        (ClassChange("add", name="good", key="1"), NameRefusedError),
        (ClassChange("rename", "c1"), NameRefusedError),
        (ClassChange("rename", "c9", name="good"), UnknownNameError),
        (ClassChange("merge", "c1", into="c1"), NameRefusedError),
        (ClassChange("merge", "c1", into="c9"), UnknownNameError),
        (ClassChange("retire", "c9"), UnknownNameError),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(store: LabellingStore, change: ClassChange, error: type[Exception]):
    before = store.classes()
    with pytest.raises(error):
        store.change_classes("ann", change, "k")
    assert store.classes() == before


def test_threads_that_answer_at_once_lose_nothing(store: LabellingStore):
    done: dict[str, list[int]] = {name: [] for name in ("ann", "bob", "eve", "joe")}

    def work(name: str) -> None:
        done[name] = [answer_next(store, name) for _ in range(20)]

    threads = [threading.Thread(target=work, args=(name,)) for name in done]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    positions = [position for each in done.values() for position in each]
    assert len(set(positions)) == len(positions) == store.standing("ann").kinds["label"] == 80
    check_derived(store)


@settings(max_examples=10)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ann", "bob"]), st.sampled_from(["label", "skip", "undo", "edit", "merge", "unmerge"])
        ),
        max_size=25,
    )
)
def test_whatever_happens_in_whatever_order_states_follow_from_events(tmp_path_factory, steps):
    directory = tmp_path_factory.mktemp("any")
    with filled(directory, Clock(), 30) as store:
        merges = []
        for annotator, step in steps:
            key = f"key-{next(KEYS)}"
            try:
                if step in ("label", "skip"):
                    answer_next(store, annotator, step)
                elif step == "undo":
                    store.undo(annotator, key)
                elif step == "edit" and (said := store.of_class("c1", 1)):
                    store.edit(annotator, Answer(said[0].position, key, "label", "c2"), said[0].sequence)
                elif step == "merge":
                    merges.append(store.change_classes(annotator, ClassChange("merge", "c2", into="c1"), key)[0])
                elif step == "unmerge" and merges:
                    store.undo_class_change(annotator, merges.pop(), key)
            except (StaleRequestError, UnknownNameError):
                pass
        check_derived(store)
        assert sum(store.standing("ann").labels.values()) == store.standing("ann").kinds.get("label", 0)
