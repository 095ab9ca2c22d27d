"""What a report must say, worked out once more from the files of the campaigns alone: plain Python, exact fractions."""

import csv
import itertools
import json
import math
from collections import Counter
from fractions import Fraction
from pathlib import Path

TARGETS = ("0.8", "0.9", "0.95", "0.98", "0.99")
T_9 = 2.2621571628540993  # t(9, 0.975) from a printed table
NONE = "–"
Run = list[tuple[int, Fraction]]


def read(root: Path, name: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for file in sorted(root.rglob(name)):
        with file.open(newline="", encoding="utf-8") as stream:
            rows += csv.DictReader(stream)
    return rows


class Experiment:
    """The files of an experiment, as rows, and the runs in them: strategy -> seed -> [(labels, accuracy)]."""

    def __init__(self, root: Path) -> None:
        self.rows = read(root, "curve.csv")
        self.queries = read(root, "queries.csv")
        self.lost = read(root, "quarantine.csv")
        self.measured = [json.loads(file.read_text()) for file in sorted(root.rglob("evaluation.json"))]
        self.runs: dict[str, dict[int, Run]] = {}
        for row in self.rows:
            run = self.runs.setdefault(row["strategy"], {}).setdefault(int(row["seed"]), [])
            run.append((int(row["labels"]), Fraction(row["accuracy"])))

    # ---- labels needed

    def crossing(self, run: Run, target: Fraction) -> tuple[int | None, int | None]:
        first = next((n for n, accuracy in run if accuracy >= target), None)
        stays = None
        for n, accuracy in reversed(run):
            if accuracy < target:
                break
            stays = n
        return first, stays

    def mean_run(self, strategy: str) -> Run:
        return mean_of(list(self.runs[strategy].values()))

    def mixed(self) -> list[str]:
        """The strategies whose mean is taken where some seed has no point."""
        return [
            name
            for name, seeds in self.runs.items()
            if any(n not in dict(run) for run in seeds.values() for n, _ in self.mean_run(name))
        ]

    def median_text(self, strategy: str, target: Fraction, which: int) -> str:
        """Between which labels counts the median may lie: for every seed that did not reach it, all later counts are possible."""
        found = [(self.crossing(run, target)[which], run[-1][0]) for run in self.runs[strategy].values()]
        low = middle([end + Fraction(1, 1000) if n is None else Fraction(n) for n, end in found])
        high = middle([Fraction(10**9) if n is None else Fraction(n) for n, _ in found])
        if high >= 10**8:
            more = low.denominator not in (1, 2)
            return (">" if more else "≥") + number(Fraction(round(2 * low), 2))
        return number(high) if low == high else f"{number(Fraction(round(2 * low), 2))} to {number(high)}"

    def shown_targets(self) -> list[str]:
        begins = [run[0][1] for seeds in self.runs.values() for run in seeds.values()]
        above = [target for target in TARGETS if min(begins) < Fraction(target)]
        shown: list[str] = []
        missed = 0
        for target in above:
            texts = [self.mean_text(name, Fraction(target), 0) for name in self.runs]
            texts += [self.median_text(name, Fraction(target), 0) for name in self.runs]
            missed += all(text[0] in ">≥" for text in texts)
            if missed <= 1:
                shown.append(target)
        return shown

    def mean_text(self, strategy: str, target: Fraction, which: int) -> str:
        run = self.mean_run(strategy)
        reached = self.crossing(run, target)[which]
        return f">{run[-1][0]}" if reached is None else str(reached)

    def labels_table(self) -> list[list[str]]:
        rows: list[list[str]] = []
        for target in self.shown_targets():
            rows.append([f"{whole(target)} % accuracy"])
            for name, seeds in self.runs.items():
                cells = [self.mean_text(name, Fraction(target), which) for which in (0, 1)]
                cells += [self.median_text(name, Fraction(target), which) for which in (0, 1)]
                rows.append([name, str(len(seeds)), *cells, self.against(name, Fraction(target))])
        return rows

    def against(self, name: str, target: Fraction) -> str:
        own, other = (self.crossing(self.mean_run(each), target)[0] for each in (name, "random"))
        if name == "random" or own is None or other is None:
            return NONE
        if own == other:
            return "as many"
        share = round(100 * abs(own - other) / other)
        return f"{share or '<1'} % {'fewer' if own < other else 'more'}"

    def saved(self, name: str) -> str:
        own, other = self.mean_run(name), self.mean_run("random")
        sentences = {"both": "", "ahead": "", "behind": ""}
        for target in self.shown_targets():
            (first, stays), (random_first, random_stays) = (self.crossing(r, Fraction(target)) for r in (own, other))
            label = f"{whole(target)} %"
            end, random_end = own[-1][0], other[-1][0]
            same = end == random_end
            if first and random_first:
                verdict = self.against(name, Fraction(target))
                if first != random_first:
                    share, unit, word = verdict.split(" ")
                    verdict = f"{abs(first - random_first)} {word} ({share} {unit})"
                stay = [str(n) if n else f">{run[-1][0]}" for n, run in ((stays, own), (random_stays, other))]
                sentences["both"] = (
                    f"{label} accuracy took {first} labels, random took {random_first}: {verdict}. "
                    f"To stay above it: {stay[0]} against {stay[1]}"
                    + ("." if same else f", up to where each curve ends ({end} and {random_end} labels).")
                )
            elif first:
                early = "" if same else f", where its curve ends (this one ends at {end})"
                sentences["ahead"] = f"{label} took {first} labels; random did not reach it with {random_end}{early}."
            elif random_first:
                early = "" if same else f", where this curve ends (random’s ends at {random_end})"
                sentences["behind"] = f"{label} was not reached with {end} labels{early}; random took {random_first}."
        said = " ".join(filter(None, sentences.values()))
        return said or "No target was reached by it or by random, so nothing can be said."

    def missed(self) -> list[str]:
        """A sentence on the targets that no run reached, and one for each that some did and that still has no row."""
        runs = [run for seeds in self.runs.values() for run in seeds.values()]
        reached = {t: len([run for run in runs if any(a >= Fraction(t) for _, a in run)]) for t in TARGETS}
        never = [f"{whole(target)} %" for target, count in reached.items() if count == 0]
        ends = sorted(run[-1][0] for run in runs)
        limit = f">{ends[0]} labels" if ends[0] == ends[-1] else f"the runs ended with {ends[0]} to {ends[-1]} labels"
        names = never[0] if len(never) == 1 else f"{', '.join(never[:-1])} and {never[-1]}" if never else ""
        none = f"{names} {'was' if len(never) == 1 else 'were'} not reached by any run ({limit})."
        shown = self.shown_targets()
        few = [
            f"{whole(target)} % was reached by {count} of {len(runs)} runs, but by no strategy’s mean or median."
            for target, count in reached.items()
            if count and target not in shown and min(run[0][1] for run in runs) < Fraction(target)
        ]
        return [*([none] if never else []), *few]

    # ---- the paired test

    def pairs(self) -> dict[str, list[int]]:
        return {
            name: [seed for seed in sorted(seeds) if seed in self.runs["random"]]
            for name, seeds in self.runs.items()
            if name != "random"
        }

    def compared_range(self) -> tuple[int, int]:
        used = [self.runs[name][seed] for name, seeds in self.pairs().items() for seed in seeds]
        used += [self.runs["random"][seed] for seed in {seed for seeds in self.pairs().values() for seed in seeds}]
        return max(run[0][0] for run in used), min(run[-1][0] for run in used)

    def areas(self, name: str, seeds: list[int]) -> list[Fraction]:
        low, high = self.compared_range()
        return [area(self.runs[name][seed], low, high) for seed in seeds]

    def differences(self, name: str) -> list[Fraction]:
        seeds = self.pairs()[name]
        return [own - other for own, other in zip(self.areas(name, seeds), self.areas("random", seeds), strict=True)]

    def p(self, name: str) -> Fraction:
        d = self.differences(name)
        whole_numbers = [int(value * math.lcm(*(each.denominator for each in d))) for value in d]
        seen = abs(sum(whole_numbers))
        patterns = itertools.product(*((value, -value) for value in whole_numbers))
        return Fraction(sum(abs(sum(pattern)) >= seen for pattern in patterns), 2 ** len(d))

    def corrected(self) -> dict[str, Fraction]:
        p = {name: self.p(name) for name in self.pairs()}
        ranked = sorted(p, key=lambda name: p[name])
        steps = {name: min(Fraction(1), p[name] * (len(p) - rank)) for rank, name in enumerate(ranked)}
        return {name: max(steps[other] for other in ranked[: ranked.index(name) + 1]) for name in p}

    def comparison_table(self) -> list[list[str]]:
        rows: list[list[str]] = []
        for name, seeds in self.pairs().items():
            d = self.differences(name)
            cells = [
                name,
                str(len(seeds)),
                *(f"{percent(mean(self.areas(each, seeds)))} %" for each in (name, "random")),
            ]
            cells.append(signed(mean(d)))
            if self.interval(d):
                cells.append(self.interval(d))
            rows.append([*cells, " ".join(map(signed, d)), p_text(self.p(name)), p_text(self.corrected()[name])])
        return rows

    def interval(self, values: list[Fraction]) -> str:
        if len(values) < 8:
            return ""
        assert len(values) == 10
        half = T_9 * deviation(values) / math.sqrt(10)
        return " to ".join(minus(f"{100 * (float(mean(values)) + side * half):.2f}") for side in (-1, 1))

    def verdict(self, name: str) -> str:
        d = self.differences(name)
        above, equal = sum(value > 0 for value in d), sum(value == 0 for value in d)
        ties = f" and equal in {equal}" if equal else ""
        spread = f"95 % interval {self.interval(d)}" if self.interval(d) else f"seed by seed {ends(d)}"
        said = (
            f"The area under the curve is above random’s in {above} of {len(d)} seeds{ties}; mean difference "
            f"{minus(percent(mean(d)))} points ({spread}), exact paired test p = {p_text(self.p(name))}"
        )
        if 2 / 2 ** len(d) > 0.05:
            return f"{said}."
        corrected = self.corrected()[name]
        if corrected > Fraction(1, 20):
            result = "no difference was shown; that is not evidence of none"
        elif mean(d) > 0:
            result = "active learning helped, on this data with this recipe"
        else:
            result = "asking this way was worse than asking at random, on this data with this recipe"
        return f"{said} (Holm {p_text(corrected)}): {result}."

    # ---- the end

    def end_table(self) -> list[list[str]]:
        rows: list[list[str]] = []
        for name, seeds in self.runs.items():
            last = [run[-1][1] for run in seeds.values()]
            labels = sorted({run[-1][0] for run in seeds.values()})
            cells = [name, f"{labels[0]} to {labels[-1]}" if len(labels) > 1 else str(labels[0])]
            cells.append(f"{percent(mean(last))} %")
            if self.interval(last):
                cells.append(f"{self.interval(last)} %")
            cells += [" ".join(map(percent, last)), f"{100 * deviation(last):.2f}"]
            cells.append(f"{100 * math.fsum(self.standard_errors(name)) / len(seeds):.2f}")
            for metric in ("nll", "ece"):
                cells.append(f"{math.fsum(self.last(name, metric)) / len(seeds):.3f}")
            rows.append(cells)
        return rows

    def last(self, name: str, metric: str) -> list[float]:
        rows = {
            row["seed"]: row for row in self.rows if row["strategy"] == name
        }  # rounds ascend, so the last one stays
        return [float(row[metric]) for row in rows.values()]

    def standard_errors(self, name: str) -> list[float]:
        return [run["rounds"][-1]["accuracy_se"] for run in self.measured if run["strategy"] == name]

    def calibration_table(self) -> list[list[str]]:
        rows: list[list[str]] = []
        for name in self.runs:
            bins = [
                b for run in self.measured if run["strategy"] == name for b in run["rounds"][-1]["calibration"] if b[0]
            ]
            items = sum(count for count, _, _ in bins)
            sure, right = (math.fsum(b[0] * b[place] for b in bins) / items for place in (1, 2))
            rows.append([name, f"{100 * sure:.2f} %", f"{100 * right:.2f} %", minus(f"{100 * (sure - right):+.2f}")])
        return rows

    def confusion_table(self) -> list[list[str]]:
        """At rounds 0, middle and last that all seeds have: the union of the three most confused pairs of each."""
        rows: list[list[str]] = []
        for name in self.runs:
            runs = [run for run in self.measured if run["strategy"] == name]
            last = min(run["rounds"][-1]["round"] for run in runs)
            rounds = [0, last // 2, last]
            rows.append([f"{name}, rounds {rounds[0]}, {rounds[1]} and {rounds[2]}"])
            counts = [Counter[tuple[str, str]]() for _ in rounds]
            for run in runs:
                for at, count in zip(rounds, counts, strict=True):
                    for truth, predicted, n in run["rounds"][at]["confusion"]:
                        count[run["classes"][truth], run["classes"][predicted]] += n
            chosen: set[tuple[str, str]] = set()
            for count in counts:
                wrong = [(-n, pair) for pair, n in count.items() if pair[0] != pair[1]]
                chosen |= {pair for _, pair in sorted(wrong)[:3]}
            sizes = Counter[str]()
            for (truth, _), n in counts[0].items():
                sizes[truth] += n
            worst = sorted(chosen, key=lambda pair: (*(-count[pair] for count in counts[::-1]), pair))
            for truth, predicted in worst:
                shares = (f"{100 * count[truth, predicted] / sizes[truth]:.1f} %" for count in counts)
                rows.append([f"{truth} taken for {predicted}", *shares])
        return rows

    # ---- the figures

    def ends_in_figure(self, metric: str) -> list[str]:
        """What stands beside the curves: the name and the mean at its end, and where that is if a drawn curve goes on."""
        curves: dict[str, Run] = {}
        drawn: list[int] = []
        for name in self.runs:
            seeds: dict[str, Run] = {}
            for row in self.rows:
                if row["strategy"] == name:
                    seeds.setdefault(row["seed"], []).append((int(row["labels"]), Fraction(row[metric])))
            curves[name] = mean_of(list(seeds.values()))
            drawn.append(curves[name][-1][0])
            if metric == "accuracy" and 1 < len(seeds) < 8:  # then every seed has a line
                drawn += [run[-1][0] for run in seeds.values()]
        words: list[str] = []
        for name, run in curves.items():
            n, value = run[-1]
            where = "" if n == max(drawn) else f"at {n} labels: "
            words.append(f"{name}  {where}{float(100 * (1 - value if metric == 'accuracy' else value)):.3g} %")
        return words

    # ---- what was set aside

    def lost_text(self) -> str:
        images = {(row["split"], row["id"]) for row in self.lost}
        pool = len([1 for split, _ in images if split == "pool"])
        return f"{len(images)} images were set aside: {pool} of the pool images and {len(images) - pool} of the test images."

    def lost_table(self) -> list[list[str]]:
        rows: list[list[str]] = []
        for split in ("pool", "test"):
            reasons: dict[str, list[str]] = {}
            for row in self.lost:
                ids = reasons.setdefault(row["reason"], []) if row["split"] == split else []
                if row["id"] not in ids:
                    ids.append(row["id"])
            for reason, ids in sorted(reasons.items(), key=lambda item: -len(item[1])):
                rows.append([split, reason, str(len(ids)), ", ".join(ids[:3] + ["…"] * (len(ids) > 3))])
        return rows

    # ---- what was asked, and how long it took

    def asked_table(self) -> list[list[str]]:
        asked = [row for row in self.queries if row["round"] != "0"]
        totals = Counter(row["strategy"] for row in asked)
        rows: list[list[str]] = []
        for label in sorted({row["label"] for row in asked}):
            counts = Counter(row["strategy"] for row in asked if row["label"] == label)
            rows.append([label, *(f"{100 * counts[name] / totals[name]:.1f} %" for name in self.runs)])
        return [*rows, ["images asked", *(str(totals[name]) for name in self.runs)]]

    def time_table(self) -> list[list[str]]:
        rows: list[list[str]] = []
        for name in self.runs:
            fit, score = (
                [float(row[column]) for row in self.rows if row["strategy"] == name and row[column]]
                for column in ("seconds_fit", "seconds_score")
            )
            means = [math.fsum(fit) / len(fit), math.fsum(score) / len(score), math.fsum(fit) + math.fsum(score)]
            rows.append([name, *(f"{value:.1f}" if value >= 10 else f"{value:.2f}" for value in means)])
        return rows

    def pictures(self, name: str) -> dict[str, list[tuple[str, str]]]:
        """Heading -> (label, id) in order, of the first and the last round's query of the lowest seed."""
        own = [row for row in self.queries if row["strategy"] == name and row["round"] != "0"]
        seed = min(int(row["seed"]) for row in own)
        own = [row for row in own if int(row["seed"]) == seed]
        last = max(int(row["round"]) for row in own)
        return {
            f"asked {when}: round {at} of seed {seed}": [
                (row["label"], row["id"])
                for row in sorted((r for r in own if int(r["round"]) == at), key=lambda r: int(r["rank"]))[:10]
            ]
            for when, at in (("first", 1), ("last", last))
        }


def height(run: Run, n: int) -> Fraction:
    """Where the straight lines through the run's points are at n."""
    for (n0, a0), (n1, a1) in itertools.pairwise(run):
        if n0 <= n <= n1:
            return a0 + (a1 - a0) * Fraction(n - n0, n1 - n0)
    raise AssertionError("the range is common to all")


def area(run: Run, low: int, high: int) -> Fraction:
    """The mean height of straight lines through the run's points, from low to high."""
    knots = [low, *(n for n, _ in run if low < n < high), high]
    steps = itertools.pairwise(knots)
    return sum(((b - a) * (height(run, a) + height(run, b)) / 2 for a, b in steps), Fraction()) / (high - low)


def mean_of(runs: list[Run]) -> Run:
    """The runs' mean height, at every labels count of any run that none has yet to begin or has already ended at."""
    counts = sorted({n for run in runs for n, _ in run})
    inside = [n for n in counts if all(run[0][0] <= n <= run[-1][0] for run in runs)]
    return [(n, mean([height(run, n) for run in runs])) for n in inside]


def middle(values: list[Fraction]) -> Fraction:
    ranked = sorted(values)
    return (ranked[(len(ranked) - 1) // 2] + ranked[len(ranked) // 2]) / 2


def mean(values: list[Fraction]) -> Fraction:
    return sum(values, Fraction()) / len(values)


def deviation(values: list[Fraction]) -> float:
    return math.sqrt(sum((value - mean(values)) ** 2 for value in values) / (len(values) - 1))


def percent(value: Fraction) -> str:
    return f"{float(100 * value):.2f}"


def minus(text: str) -> str:
    return text.lstrip("+-") if not text.strip("+-0.") else text.replace("-", "−")


def signed(value: Fraction) -> str:
    return minus(f"{float(100 * value):+.2f}")


def ends(values: list[Fraction]) -> str:
    return " to ".join(minus(percent(value)) for value in (min(values), max(values)))


def number(value: Fraction) -> str:
    return str(int(value)) if value.denominator == 1 else f"{float(value):.1f}"


def whole(target: str) -> str:
    return str(int(Fraction(target) * 100))


def p_text(p: Fraction) -> str:
    """Two digits, rounded up."""
    assert p >= Fraction(1, 1000)
    unit = next(Fraction(1, 10**places) for places in (1, 2, 3, 4) if p * 10**places >= 10 or places == 4)
    rounded = math.ceil(p / unit) * unit
    return f"{float(rounded):.4f}".strip("0").rstrip(".") or "1"
