"""Decoding in several processes: the same pixels as in one, and what becomes of processes that die or hang."""

import gc
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from image_files import noise, png_of_size, stored_pixels

from askwell.errors import StoreUnavailableError, WorkerDiedError
from askwell.pool import decoders as module
from askwell.pool.decoders import Decoders, available_processors
from askwell.pool.decoding import ImageForm, decode

FORM = ImageForm(8, 3)
CHILD = Path(__file__).with_name("decoder_child.py")
TWICE = "the process that decoded it died, twice"

Answer = tuple[np.ndarray, np.ndarray, dict[int, str]]
Failing = Callable[[int], Decoders]


def run(decoders: Decoders, images: list[tuple[str, int]], form: ImageForm = FORM) -> Answer:
    """Pixels, digests and reasons."""
    pixels, digests = np.zeros((len(images), *form.shape), np.uint8), np.zeros((len(images), 32), np.uint8)
    reasons = decoders.decode(images, pixels, digests)
    return pixels, digests, reasons


def write(root: Path, contents: list[bytes]) -> list[tuple[str, int]]:
    """Files 0000, 0001, ... with those contents, as (path, page)."""
    for number, content in enumerate(contents):
        (root / f"{number:04d}").write_bytes(content)
    return [(f"{number:04d}", 0) for number in range(len(contents))]


def pictures(count: int) -> list[bytes]:
    return [stored_pixels(noise(9, 7, 3, seed=number)) for number in range(count)]


def has_ended(process: int) -> bool:
    """Whether that process is gone, or waits only for somebody to hear that it is."""
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_until(condition: Callable[[], bool]) -> None:
    """Return when the condition holds; it is a failure if it does not within a minute."""
    patience = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < patience
        time.sleep(0.02)


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Decoders, list[tuple[str, int]], list[bytes]]]:
    root = tmp_path_factory.mktemp("ordinary")
    contents = pictures(150)
    decoders = Decoders(root, FORM, workers=2)
    yield decoders, write(root, contents), contents
    decoders.close()


@pytest.fixture
def failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Failing]:
    """Decoders below tmp_path/images whose processes some files make fail."""
    (tmp_path / "images").mkdir()
    monkeypatch.setattr(module, "COMMAND", (sys.executable, str(CHILD), str(tmp_path)))
    made: list[Decoders] = []

    def make(workers: int) -> Decoders:
        made.append(Decoders(tmp_path / "images", FORM, workers))
        return made[-1]

    yield make
    for decoders in made:
        decoders.close()


@pytest.mark.parametrize("count", [0, 1, 2, 5, 33, 150])
def test_pixels_and_digests_are_those_of_one_process(ordinary: tuple, count: int):
    decoders, images, contents = ordinary
    pixels, digests, reasons = run(decoders, images[:count])
    assert reasons == {}
    assert all((pixels[place] == decode(contents[place], FORM)).all() for place in range(count))
    assert all(digests[place].tobytes() == hashlib.sha256(contents[place]).digest() for place in range(count))


def test_order_and_repeats_are_kept(ordinary: tuple):
    decoders, images, contents = ordinary
    order = np.random.default_rng(0).integers(0, len(images), 100).tolist()
    pixels, _, reasons = run(decoders, [images[number] for number in order])
    assert reasons == {}
    assert all((pixels[place] == decode(contents[number], FORM)).all() for place, number in enumerate(order))


def test_threads_take_turns(ordinary: tuple):
    decoders, images, contents = ordinary
    answers: dict[int, Answer] = {}
    threads = [
        threading.Thread(target=lambda first=first: answers.update({first: run(decoders, images[first::3])}))
        for first in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for first in range(3):
        expected = [decode(content, FORM) for content in contents[first::3]]
        assert (answers[first][0] == np.stack(expected)).all()


def test_ctrl_c_is_left_to_the_parent(ordinary: tuple):
    decoders, images, _ = ordinary
    run(decoders, images)
    before = decoders.process_ids
    for process in before:
        os.kill(process, signal.SIGINT)
    assert run(decoders, images)[2] == {}
    assert decoders.process_ids == before


def test_bad_files_get_their_reasons_and_no_process_dies_of_them(tmp_path: Path):
    contents = [b"", *pictures(1), b"text", png_of_size(30_000, 30_000), pictures(1)[0][:60]]
    images = [*write(tmp_path, contents), ("gone", 0), ("0001", 3)]
    decoders = Decoders(tmp_path, FORM, workers=1)
    run(decoders, images[1:2])
    before = decoders.process_ids
    _, _, reasons = run(decoders, images)
    assert decoders.process_ids == before
    decoders.close()
    assert reasons.pop(6).startswith("it begins as PNG but cannot be decoded")
    assert reasons == {
        0: "the file is empty",
        2: "it is not an image of a format that is read: it begins 'text'",
        3: "30000 x 30000 pixels are more than 100 million",
        4: "the file is cut off",
        5: "the file is gone",
    }


def test_processes_start_with_the_first_work_and_end_with_close(tmp_path: Path):
    images = write(tmp_path, pictures(40))
    decoders = Decoders(tmp_path, FORM, workers=2)
    assert decoders.process_ids == ()
    assert run(decoders, [])[2] == {}
    assert decoders.process_ids == ()
    run(decoders, images[:1])
    assert len(decoders.process_ids) == 1
    run(decoders, images)
    started = decoders.process_ids
    assert len(started) == 2
    decoders.close()
    assert decoders.process_ids == ()
    assert all(has_ended(process) for process in started)
    assert run(decoders, images)[2] == {}
    decoders.close()


def test_processes_end_with_their_object(tmp_path: Path):
    decoders = Decoders(tmp_path, FORM, workers=1)
    run(decoders, write(tmp_path, pictures(1)))
    [process] = decoders.process_ids
    del decoders
    gc.collect()
    assert has_ended(process)


def test_nothing_is_left_behind_and_the_callers_script_is_not_run_again(tmp_path: Path):
    """A script without a guard, killed in the middle: one run of it, no file and no process left."""
    images, temporary = tmp_path / "images", tmp_path / "temporary"
    images.mkdir()
    temporary.mkdir()
    names = write(images, pictures(3))
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, time\nimport numpy as np\nfrom pathlib import Path\n"
        "from askwell.pool.decoders import Decoders\nfrom askwell.pool.decoding import ImageForm\n"
        "print('the script runs', flush=True)\n"
        f"decoders = Decoders(Path({str(images)!r}), ImageForm(8, 3), workers=2)\n"
        f"decoders.decode({names!r}, np.zeros((3, 3, 8, 8), np.uint8), np.zeros((3, 32), np.uint8))\n"
        "print(*decoders.process_ids, flush=True)\ntime.sleep(1000)\n"
    )
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "the script runs\n"
        processes = [int(process) for process in parent.stdout.readline().split()]
        assert len(processes) == 2
        parent.kill()
        assert parent.stdout.read() == ""
    wait_until(lambda: all(has_ended(process) for process in processes))
    assert list(temporary.iterdir()) == []


def test_after_a_fork_each_side_has_processes_of_its_own(tmp_path: Path):
    names = write(tmp_path, pictures(2))
    code = (
        "import os, sys\nimport numpy as np\nfrom pathlib import Path\n"
        "from askwell.pool.decoders import Decoders\nfrom askwell.pool.decoding import ImageForm\n"
        f"decoders = Decoders(Path({str(tmp_path)!r}), ImageForm(8, 3), workers=1)\n"
        "def go():\n    pixels = np.zeros((2, 3, 8, 8), np.uint8)\n"
        f"    decoders.decode({names!r}, pixels, np.zeros((2, 32), np.uint8))\n"
        "    return pixels.tobytes(), decoders.process_ids\n"
        "before = go()\nchild = os.fork()\nafter = go()\n"
        "assert after[0] == before[0]\n"
        "if not child:\n    assert after[1] != before[1]\n    decoders.close()\n    os._exit(0)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0\nassert go() == before == after\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("workers", [1, 2])
def test_only_the_image_that_kills_its_process_is_lost(tmp_path: Path, failing: Failing, workers: int):
    contents = pictures(90)
    for place in (0, 17, 40, 41, 89):
        contents[place] = b"die"
    contents[50] = b"text"
    decoders = failing(workers)
    images = write(tmp_path / "images", contents)
    pixels, _, reasons = run(decoders, images)
    assert {place for place, reason in reasons.items() if reason == TWICE} == {0, 17, 40, 41, 89}
    assert reasons.keys() == {0, 17, 40, 41, 50, 89}
    good = [place for place in range(90) if place not in reasons]
    assert all((pixels[place] == decode(contents[place], FORM)).all() for place in good)
    assert run(decoders, images[1:17])[2] == {}


def test_an_image_is_tried_again_when_its_process_died_of_something_else(tmp_path: Path, failing: Failing):
    contents = pictures(20)
    images = write(tmp_path / "images", [*contents[:7], b"once" + contents[7], *contents[8:]])
    pixels, _, reasons = run(failing(1), images)
    assert (tmp_path / "died").exists()
    assert reasons == {}
    assert all((pixels[place] == decode(contents[place], FORM)).all() for place in range(20))


def test_a_process_killed_from_outside_in_the_middle_loses_nothing(tmp_path: Path, failing: Failing):
    contents = pictures(60)
    decoders = failing(2)
    images = write(tmp_path / "images", [b"slow" + content for content in contents])
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(run(decoders, images)))
    thread.start()
    wait_until(lambda: any(process.begun > 3 for process in decoders._processes))
    victim = next(process.child.pid for process in decoders._processes if process.begun > 3)
    os.kill(victim, signal.SIGKILL)
    thread.join()
    [(pixels, _, reasons)] = answers
    assert reasons == {}
    assert victim not in decoders.process_ids
    assert all((pixels[place] == decode(contents[place], FORM)).all() for place in range(60))


def test_a_process_that_died_while_it_had_nothing_to_do_is_replaced(tmp_path: Path, failing: Failing):
    decoders = failing(1)
    images = write(tmp_path / "images", pictures(5))
    run(decoders, images)
    [process] = decoders.process_ids
    os.kill(process, signal.SIGKILL)
    assert run(decoders, images)[2] == {}
    assert decoders.process_ids != (process,)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory")
def test_one_image_cannot_take_all_memory(tmp_path: Path, failing: Failing):
    decoders = failing(1)
    images = write(tmp_path / "images", [*pictures(3), b"eat", *pictures(3)])
    run(decoders, images[:1])
    before = decoders.process_ids
    assert run(decoders, images)[2] == {3: "decoding it takes more memory than is allowed"}
    assert decoders.process_ids == before


def test_what_a_library_prints_is_no_answer(tmp_path: Path, failing: Failing):
    images = write(tmp_path / "images", [b"print" + content for content in pictures(40)])
    assert run(failing(2), images)[2] == {}


def test_processes_that_cannot_start_are_an_error_and_no_image_is_blamed(
    tmp_path: Path, failing: Failing, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "COMMAND", (sys.executable, "-c", "raise SystemExit(3)"))
    decoders = failing(2)
    with pytest.raises(WorkerDiedError, match=r"they end before they begin \(exit code 3\); run `.+` to see why"):
        run(decoders, write(tmp_path / "images", pictures(5)))
    assert decoders.process_ids == ()


def test_an_error_in_the_middle_leaves_no_stale_answers(tmp_path: Path):
    contents = pictures(80)
    images = write(tmp_path, contents)
    decoders = Decoders(tmp_path, FORM, workers=2)
    with pytest.raises(ValueError, match="could not be broadcast"):
        decoders.decode(images, np.zeros((80, 3, 9, 9), np.uint8), np.zeros((80, 32), np.uint8))
    assert decoders.process_ids == ()
    pixels, _, _ = run(decoders, images)
    decoders.close()
    assert all((pixels[place] == decode(contents[place], FORM)).all() for place in range(80))


def test_an_image_that_takes_too_long_is_given_up_and_the_requests_behind_it_fit_into_the_pipe(
    tmp_path: Path, failing: Failing, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "SECONDS_PER_IMAGE", 3.0)
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LOOKS", 0.1)
    deep = Path(*["é" * 120] * 14)  # some 3,400 bytes, 10,000 characters of JSON
    (tmp_path / "images" / deep).mkdir(parents=True)
    contents = [b"hang", *pictures(70)]
    images = [(str(deep / path), page) for path, page in write(tmp_path / "images" / deep, contents)]
    pixels, _, reasons = run(failing(1), images)
    assert reasons == {0: "decoding it takes longer than 3 seconds"}
    assert all((pixels[place] == decode(contents[place], FORM)).all() for place in range(1, 71))


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class FullDisk:
        closed = False

        def write(self, content: bytes) -> int:
            return len(content) // 2

        def close(self) -> None:
            FullDisk.closed = True

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: FullDisk())
    with pytest.raises(StoreUnavailableError, match=r"MB for decoded images in .* found an error \(No space left"):
        run(Decoders(tmp_path, FORM, workers=1), write(tmp_path, pictures(1)))
    assert FullDisk.closed


def test_there_is_a_process_for_each_processor():
    assert 1 <= available_processors() <= (os.cpu_count() or 1)
