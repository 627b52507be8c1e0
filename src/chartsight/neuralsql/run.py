"""Look, then run: asks only what can still change the rows, in batches, and runs the query over the answers.

    searches ─▶ studies that matter ─▶ known? ─▶ a batch of looks ─┐
        ▲                                                          │ until nothing matters any more, the budget is
        └───────────────── answers, in tables ◀────────────────────┘ spent, or somebody presses Ctrl-C
    rows over the answers; where a look has no answer: what is certain, what is possible

A group that one look may decide (EXISTS, `count(*) > 0`, DISTINCT, IN, LIMIT) is asked look by look, many groups at a
time, and ahead of need by less than one batch over the whole query: no query looks at more than it must and one batch.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from sqlglot import exp

from chartsight.errors import QueryError
from chartsight.neuralsql.bounds import Bounds, NoBoundError, sources_of, surely
from chartsight.neuralsql.looks import Answers, Call, Studies, has_looks
from chartsight.neuralsql.plan import Plan, Search, limit_of, searches, unbounded_parts
from chartsight.schema import Look, VisualAnswer, VisualModel

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 64
KNOWN_AT_ONCE = 1000  # stored answers taken in one go where the rest may not be needed
Stopped = Literal["budget", "cancelled"]


class Rows(Protocol):
    """Runs a query tree on a record, with temporary relations."""

    def __call__(self, tree: exp.Query, tables: Mapping[str, pa.Table]) -> pa.Table:
        """The rows, as Arrow."""
        ...


class KnowingModel(VisualModel, Protocol):
    """A visual model with a store of answers."""

    def known(self, looks: Sequence[Look]) -> Sequence[VisualAnswer | None]:
        """The stored answer of each look, or None."""
        ...


@dataclass(frozen=True)
class Film:
    """What a study shows the model, and whose it is."""

    image_id: str
    subject_id: int | None


@dataclass(frozen=True)
class LookMade:
    """A look that a query made or took from the store.

    Args:
        call: Its question.
        look: As it was asked.
        answer: What came.
        cached: Whether the store had it.
        subject_ids: Of its studies.
    """

    call: Call
    look: Look
    answer: VisualAnswer
    cached: bool
    subject_ids: tuple[int | None, ...]


@dataclass(frozen=True)
class Interval:
    """A column of a result of one row that is not settled: it lies between the two, both included."""

    column: str
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.column} in [{self.low:g}, {self.high:g}]"


@dataclass(frozen=True)
class Progress:
    """Where a query stands after a batch.

    Args:
        made: Looks made.
        cached: Answers taken from the store.
        intervals: Of a result of one row, what is known of its numbers.
    """

    made: int
    cached: int
    intervals: tuple[Interval, ...]


@dataclass
class QueryResult:
    """The rows and how sure they are.

    Args:
        rows: The answer; where looks have no answer, the rows that are certain whatever they would say.
        possible: All rows that could be; None when nothing is open, or no bound is known (`reason`).
        intervals: For a result of one row, the numbers that are not settled.
        open_looks: Looks that matter and have no answer: cannot tell, failed, or beyond the budget.
        reason: Why no bound is known, in words; empty when one is.
        looks: Every look made or taken from the store, in order.
        stopped: Why looking ended early; None when it did not.
        seconds: Wall-clock time of it all.
    """

    rows: pa.Table
    possible: pa.Table | None = None
    intervals: tuple[Interval, ...] = ()
    open_looks: int = 0
    reason: str = ""
    looks: list[LookMade] = field(default_factory=list)
    stopped: Stopped | None = None
    seconds: float = 0.0

    @property
    def is_exact(self) -> bool:
        """Whether no look that has no answer could change the rows."""
        return self.open_looks == 0

    @property
    def made(self) -> int:
        """Looks that the model answered for this query."""
        return sum(not each.cached for each in self.looks)

    @property
    def cached(self) -> int:
        """Answers that the store had."""
        return sum(each.cached for each in self.looks)


def run_query(
    plan: Plan,
    rows: Rows,
    model: VisualModel,
    *,
    batch: int = BATCH,
    budget: int | None = None,
    stream: Callable[[Progress], None] | None = None,
    cost: Callable[[Call], float] | None = None,
    every_look: bool = False,
) -> QueryResult:
    """The rows of a planned query, with the looks that they need.

    Args:
        plan: Of `plan`.
        rows: Runs queries on the record; `tb_cxr` says which film a study is read from.
        model: Answers looks; its `known`, when it has one, costs nothing.
        batch: Most looks asked at once, and most that are made beyond need.
        budget: Most looks made; None for any number.
        stream: Called after every batch.
        cost: Seconds of a look at a call, or any number in proportion; all alike by default.
        every_look: Make also the looks that an early hit would spare: a corrected count of patients needs them.

    Raises:
        QueryError: The engine refuses the query.
    """
    if batch < 1:
        raise QueryError("bad-batch", "batch", str(batch), "at least 1")
    if budget is not None and budget < 0:
        raise QueryError("bad-budget", "budget", str(budget), "0 or more")
    started = time.perf_counter()
    work = Work(plan, rows, model, batch, budget, stream, cost, every_look)
    result = work.run()
    result.seconds = time.perf_counter() - started
    return result


@dataclass(frozen=True)
class Candidate:
    """A look that matters, and the decisions that it may settle."""

    call: Call
    studies: Studies
    outer: tuple[Any, ...]
    group: tuple[Any, ...]
    root: tuple[Any, ...]


class Work:
    """One query at work."""

    def __init__(
        self,
        plan: Plan,
        rows: Rows,
        model: VisualModel,
        batch: int = BATCH,
        budget: int | None = None,
        stream: Callable[[Progress], None] | None = None,
        cost: Callable[[Call], float] | None = None,
        every_look: bool = False,
    ) -> None:
        self.plan, self.rows, self.model, self.batch, self.budget = plan, rows, model, batch, budget
        self.stream, self.every_look = stream, every_look
        self.cost: Callable[[Call], float] = cost or (lambda call: float(call.arity))
        self.answers = Answers(plan.calls)
        self.bounds: Bounds = plan.bounds()
        self.films: dict[int, Film] = {}
        self.settled: dict[str, pa.Table] = {}  # rows of parts that were answered for themselves
        self.looks: list[LookMade] = []
        self.ahead = batch - 1  # looks that may still be made beyond need
        self.pending: tuple[Search, list[Candidate], int] | None = None
        self.open: dict[int, set[Studies]] = {}
        self.stopped: Stopped | None = None
        self.reason = ""

    # ------------------------------------------------------------------------------------------------------ the whole

    def run(self) -> QueryResult:
        """Looks and rows."""
        if not self.plan.calls:
            return QueryResult(self.rows(self.plan.text, {}))
        tree = self.plan.tree.copy()
        while (part := next(unbounded_parts(tree, self.bounds), None)) is not None:
            tree = self._settle_part(tree, part)
        self._settle(tree)
        return self._result(tree)

    def _settle_part(self, tree: exp.Query, part: exp.Query) -> exp.Query:
        """Answers an inner query for itself and puts its rows in its place."""
        alone = part.copy()
        self._settle(alone)
        if self.open:
            self.reason = self.reason or "a part of it, cut by LIMIT or the like, is not settled"
        found = self._run(self.bounds.as_answered(alone))
        name = f"vqa_rows_{len(self.settled) + 1}"
        found = found.rename_columns(alone.named_selects)  # an engine may have called them otherwise
        self.settled[name] = found
        part.replace(exp.select(*(exp.column(each, quoted=True) for each in found.column_names)).from_(name))
        return tree

    def _run(self, tree: exp.Query) -> pa.Table:
        return self.rows(tree, {**self.answers.tables(self.open), **self.settled})

    def _result(self, tree: exp.Query) -> QueryResult:
        result = QueryResult(
            self._run(self.bounds.as_answered(self.plan.text)), looks=self.looks, stopped=self.stopped,
            open_looks=sum(map(len, self.open.values())),
        )  # fmt: skip
        if result.is_exact:
            return result
        names = result.rows.column_names
        try:
            if self.reason:
                raise NoBoundError(self.reason)
            certain, possible = self._enclosing(tree)
        except NoBoundError as no_bound:
            result.reason = str(no_bound)
            return result
        result.rows, result.possible = certain.rename_columns(names), possible.rename_columns(names)
        if not isinstance(tree, exp.SetOperation) and is_one_row(tree):
            result.intervals = _intervals(result.rows, result.possible)
        return result

    def _enclosing(self, tree: exp.Query) -> tuple[pa.Table, pa.Table]:
        """The certain and the possible rows."""
        if isinstance(tree, exp.Select) and tree.args.get("limit") and not is_one_row(tree):
            return self._enclosing_limit(tree)
        certain = self._run(self.bounds.query(tree, "certain"))
        return certain, self._run(self.bounds.query(tree, "possible"))

    def _enclosing_limit(self, tree: exp.Select) -> tuple[pa.Table, pa.Table]:
        """Certain are those of the first possible rows that are certain themselves; any possible row may be first."""
        import pyarrow.compute as pc

        whole = tree.copy()
        for part in ("limit", "offset"):
            whole.set(part, None)
        possible = self._run(self.bounds.query(whole, "possible"))
        where = tree.args.get("where")
        limits = limit_of(tree)
        if tree.args.get("distinct") or limits is None or limits[1] or any(map(has_looks, sources_of(tree))):
            raise NoBoundError("LIMIT beside DISTINCT, OFFSET or a subquery")
        if where is None or not has_looks(where):
            made = self.bounds.query(whole, "certain")
            made.set("limit", tree.args["limit"].copy())
            rows = self._run(made)
            return rows, rows
        marked = cast(exp.Select, self.bounds.query(whole, "possible"))
        marked.set("limit", tree.args["limit"].copy())
        marked.select(surely(self.bounds.predicate(where.this, "certain")).as_("is_certain"), copy=False)
        first = self._run(marked)
        last = first.num_columns - 1
        kept = first.filter(pc.cast(first.column(last), "bool")).remove_column(last)
        return kept, possible

    def search_all(self, tree: exp.Query) -> list[tuple[Search, list[Candidate]]]:
        """Every search with what it finds now."""
        return [(search, self._candidates(search)) for search in sorted(searches(tree, self.bounds), key=self._rank)]

    def count_known(self, call: Call, studies: Sequence[Studies]) -> int:
        """How many of these looks the store has an answer to."""
        known = getattr(self.model, "known", None)
        self._fetch_films(studies)
        seen = [each for each in studies if all(study in self.films for study in each)]
        return (
            0 if known is None else sum(each is not None for each in known([self._look(call, each) for each in seen]))
        )

    # -------------------------------------------------------------------------------------------------------- looking

    def _settle(self, tree: exp.Query) -> None:
        """Looks until no look that matters is left without having been asked."""
        made = searches(tree, self.bounds)
        finished: set[int] = set()
        while self.stopped is None:
            for group in sorted(self._together(made, finished), key=lambda each: self._rank(each[0])):
                candidates = self._in_order(group)
                self._count_waste(group[0], candidates)
                todo = [each for each in candidates if self.answers.get(each.call, each.studies) is None]
                if self._take_known(todo, exits=group[0].exits):
                    break
                if not todo:
                    if group[0].place == "where":
                        finished |= {made.index(each) for each in group}
                    continue
                needed, ahead = self._choose(group[0], todo)
                self.pending = (group[0], [*needed, *ahead], len(ahead))
                self._ask([*needed, *ahead])
                break
            else:
                break
        for search in made:
            for each in self._in_order([search]):
                answer = self.answers.get(search.call, each.studies)
                if answer is None or answer.state != "answered":
                    self.open.setdefault(search.call.number, set()).add(each.studies)

    def _together(self, made: list[Search], finished: set[int]) -> list[list[Search]]:
        """Searches that are asked in one go: those of one WHERE that may end early, the most telling first."""
        groups: dict[tuple[Any, ...], list[Search]] = {}
        for n, search in enumerate(made):
            if n not in finished:
                key = ("row", search.block) if search.exits and search.place == "where" else ("all", n)
                groups.setdefault(key, []).append(search)
        return [sorted(group, key=self._rank) for group in groups.values()]

    def _in_order(self, group: list[Search]) -> list[Candidate]:
        """The candidates of several searches, decision by decision and film by film."""
        found = [(n, each) for n, search in enumerate(group) for each in self._candidates(search)]
        found.sort(key=lambda pair: (_sortable(pair[1].group), pair[1].studies, pair[0]))
        ordered = [each for _, each in found]
        return self._by_roots(group[0], ordered) if group[0].roots is not None else ordered

    def _rank(self, search: Search) -> tuple[int, float]:
        """What picks rows before what is shown; of several the one that settles most a second."""
        chance = self.answers.selectivity(search.call)
        settles = {"and": 1 - chance, "or": chance, None: 1.0}[search.connective]
        return ("where", "other", "item").index(search.place), self.cost(search.call) / settles

    def _candidates(self, search: Search) -> list[Candidate]:
        """Looks that matter and are not answered; those that were asked in vain stand among them."""
        found = self._run(search.query)
        columns = [found.column(n).to_pylist() for n in range(found.num_columns)]
        first, last = search.n_groups, search.n_groups + search.call.arity
        seen: dict[tuple[Any, ...], Candidate] = {}
        for row in zip(*columns, strict=True):
            studies = tuple(int(each) for each in row[first:last])
            candidate = Candidate(search.call, studies, row[: search.n_outer], row[:first], row[last:])
            answer = self.answers.get(search.call, studies)
            if answer is None or answer.state != "answered":
                seen[row] = candidate
        return list(seen.values())

    def _by_roots(self, search: Search, candidates: list[Candidate]) -> list[Candidate]:
        """Under LIMIT: in the order of the rows, and none behind those that are certain to fill it."""
        by_root: dict[tuple[Any, ...], list[Candidate]] = {}
        for each in candidates:
            by_root.setdefault(each.root, []).append(each)
        return [
            each
            for _, roots in self._root_rows(search)
            for root in roots
            for each in by_root.pop(root, ())
        ]  # fmt: skip

    def _first_roots(self, search: Search, askable: set[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
        """The rows that would fill the LIMIT if every look said yes: their looks are needed whatever the others say.

        A row that nobody can tell takes no place: the search goes on behind it.
        """
        roots, left = search.roots, set()
        assert roots is not None
        room = roots.wanted
        for is_certain, keys in self._root_rows(search):
            if room == 0:
                break
            room -= is_certain or not askable.isdisjoint(keys)
            left |= askable & set(keys)
        return left

    def _root_rows(self, search: Search) -> list[tuple[bool, list[tuple[Any, ...]]]]:
        """Possible rows until the certain ones fill the LIMIT: whether each is certain, and else what it hangs on."""
        roots = search.roots
        assert roots is not None
        found = self._run(roots.query)
        columns = [found.column(n).to_pylist() for n in range(found.num_columns)]
        order: dict[tuple[Any, ...], list[Any]] = {}
        certain: set[tuple[Any, ...]] = set()
        for n, row in enumerate(zip(*columns, strict=True)):
            items = row[roots.n_keys : -1] if roots.n_items else (n,)
            order.setdefault(items, []).append(row[: roots.n_keys])
            if row[-1]:
                certain.add(items)
        rows: list[tuple[bool, list[tuple[Any, ...]]]] = []
        sure = 0
        for items, keys in order.items():
            if sure >= roots.wanted:
                break
            rows.append((items in certain, [] if items in certain else keys))
            sure += items in certain
        return rows

    def _choose(self, search: Search, todo: list[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
        """What must be asked now, and what is asked ahead of need."""
        if not search.exits or self.every_look:
            unique = list({(each.call.number, each.studies): each for each in todo}.values())
            return (unique[: self.batch] if search.has_neighbours and not self.every_look else unique), []
        first = self._first_roots(search, {each.root for each in todo}) if search.roots else None
        needed: list[Candidate] = []
        later: list[Candidate] = []
        groups: set[tuple[Any, ...]] = set()
        asked: set[tuple[int, Studies]] = set()
        for each in todo:
            key = each.outer if search.roots is None else (each.root, each.group)
            if (each.call.number, each.studies) in asked:
                groups.add(key)
            elif key not in groups and (first is None or each.root in first):
                groups.add(key)
                asked.add((each.call.number, each.studies))
                needed.append(each)
            else:
                later.append(each)
        unasked = {(each.call.number, each.studies): each for each in later}
        ahead = [each for key, each in unasked.items() if key not in asked]
        return needed, ahead[: self.ahead]

    def _count_waste(self, search: Search, candidates: list[Candidate]) -> None:
        """After a batch: what was asked ahead in groups that are decided now counts as beyond need."""
        if self.pending is None:
            return
        before, asked, n_ahead = self.pending
        self.pending = None
        if n_ahead == 0:
            return
        if before.block != search.block or (search.roots is not None and not candidates):
            self.ahead -= n_ahead
            return
        outer_left, group_left = {each.outer for each in candidates}, {each.group for each in candidates}
        outer, group = Counter(each.outer for each in asked), Counter((each.outer, each.group) for each in asked)
        waste = sum(n - 1 for key, n in outer.items() if key not in outer_left)
        waste += sum(n - 1 for key, n in group.items() if key[0] in outer_left and key[1] not in group_left)
        self.ahead -= min(waste, n_ahead)

    # --------------------------------------------------------------------------------------------------------- asking

    def _look(self, call: Call, studies: Studies) -> Look:
        return Look(studies, tuple(self.films[each].image_id for each in studies), call.question, call.kind)

    def _fetch_films(self, studies: Sequence[Studies]) -> None:
        """The film of every study that is not known yet."""
        import pyarrow as pa

        new = sorted({each for pair in studies for each in pair} - self.films.keys())
        if not new:
            return
        wanted = {"vqa_wanted": pa.table({"look_study": pa.array(new, pa.int64())})}
        tree = exp.select("t.study_id", "t.image_id", "t.subject_id").from_("tb_cxr AS t")
        tree = tree.where("t.study_id IN (SELECT look_study FROM vqa_wanted)")
        found = self.rows(tree, wanted)
        columns = [found.column(n).to_pylist() for n in range(3)]
        for study, image, subject in sorted(zip(*columns, strict=True), key=lambda row: (row[0], row[1])):
            self.films.setdefault(int(study), Film(str(image), subject))

    def _take_known(self, todo: list[Candidate], *, exits: bool) -> bool:
        """Answers of the store, and of studies without a film; whether there were any."""
        unique = {(each.call.number, each.studies): each for each in todo}
        self._fetch_films([each.studies for each in unique.values()])
        found = False
        seen = []
        for each in unique.values():
            if all(study in self.films for study in each.studies):
                seen.append(each)
            else:
                # Nothing can be seen of a study without a film: unknown, and no look.
                self.answers.add(each.call, each.studies, VisualAnswer("failed", None, None))
                found = True
        known = getattr(self.model, "known", None)
        if known is None or not seen:
            return found
        seen = seen[:KNOWN_AT_ONCE] if exits else seen
        looks = [self._look(each.call, each.studies) for each in seen]
        for each, look, answer in zip(seen, looks, known(looks), strict=True):
            if answer is not None:
                self._keep(each, look, answer, cached=True)
                found = True
        return found

    def _ask(self, candidates: list[Candidate]) -> None:
        """Asks the model, a batch at a time; what was answered before a stop is kept."""
        for start in range(0, len(candidates), self.batch):
            part = candidates[start : start + self.batch]
            if self.budget is not None:
                left = self.budget - sum(not each.cached for each in self.looks)
                if left < len(part):
                    self.stopped, part = "budget", part[:left]
            looks = [self._look(each.call, each.studies) for each in part]
            try:
                for each, look, answer in zip(part, looks, self.model.answer(looks), strict=True):
                    self._keep(each, look, answer, cached=False)
            except KeyboardInterrupt:
                self.stopped = "cancelled"
            if self.stream is not None:
                self.stream(self._progress())
            if self.stopped is not None:
                return

    def _keep(self, candidate: Candidate, look: Look, answer: VisualAnswer, *, cached: bool) -> None:
        self.answers.add(candidate.call, candidate.studies, answer)
        subjects = tuple(self.films[each].subject_id for each in candidate.studies)
        self.looks.append(LookMade(candidate.call, look, answer, cached, subjects))

    def _progress(self) -> Progress:
        made = sum(not each.cached for each in self.looks)
        intervals: tuple[Interval, ...] = ()
        tree = self.plan.tree
        if isinstance(tree, exp.Select) and is_one_row(tree):
            try:
                low = self._run(self.bounds.query(tree, "certain"))
                intervals = _intervals(low, self._run(self.bounds.query(tree, "possible")))
            except NoBoundError:
                pass
        return Progress(made, len(self.looks) - made, intervals)


def is_one_row(tree: exp.Query) -> bool:
    """Whether a query gives one row whatever the looks say."""
    if not isinstance(tree, exp.Select) or tree.args.get("group"):
        return False
    if not sources_of(tree):
        return tree.args.get("where") is None
    return all(isinstance(each.unalias(), exp.AggFunc) for each in tree.expressions)


def _intervals(certain: pa.Table, possible: pa.Table) -> tuple[Interval, ...]:
    """Numbers of a result of one row that differ between the two."""
    found = []
    for name, low, high in zip(
        certain.column_names, certain.to_pylist()[0].values(), possible.to_pylist()[0].values(), strict=True
    ):
        numbers = [each for each in (low, high) if isinstance(each, int | float) and not isinstance(each, bool)]
        if len(numbers) == 2 and low != high:
            found.append(Interval(name, low, high))
    return tuple(found)


def _sortable(key: tuple[Any, ...]) -> tuple[tuple[bool, str, Any], ...]:
    """Values of any kind in one order, NULL first."""
    return tuple((each is not None, type(each).__name__, each if each is not None else 0) for each in key)
