"""The rewrites in the order in which they are made; each is small, pure, and has its pairs of SQL under tests/."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from chartsight.neuralsql.rewrites.all_ties import keep_all_ties
from chartsight.neuralsql.rewrites.arithmetic import translate_arithmetic
from chartsight.neuralsql.rewrites.bare_columns import pick_bare_columns
from chartsight.neuralsql.rewrites.base import EngineName, Settings
from chartsight.neuralsql.rewrites.comparisons import translate_comparisons
from chartsight.neuralsql.rewrites.conditions import translate_conditions
from chartsight.neuralsql.rewrites.dates import translate_dates
from chartsight.neuralsql.rewrites.distinct_order import group_distinct
from chartsight.neuralsql.rewrites.functions import translate_functions
from chartsight.neuralsql.rewrites.joins import name_cross_joins
from chartsight.neuralsql.rewrites.like import translate_like
from chartsight.neuralsql.rewrites.names import read_quoted_texts, resolve_names
from chartsight.neuralsql.rewrites.now import put_now
from chartsight.neuralsql.rewrites.published_formats import restore_formats
from chartsight.neuralsql.rewrites.real_numbers import translate_real_numbers
from chartsight.neuralsql.rewrites.reference_ranges import put_ranges
from chartsight.neuralsql.rewrites.results import present_results, unify_branches
from chartsight.neuralsql.rewrites.scopes import reannotate
from chartsight.neuralsql.rewrites.single_row import take_first_row
from chartsight.neuralsql.rewrites.ties import order_ties

Rewrite = Callable[[exp.Query, Settings], exp.Query]
Translation = Callable[[exp.Query, Settings, EngineName], exp.Query]

# What a query means, whoever runs it.
PREPARING: tuple[Rewrite, ...] = (restore_formats, put_now, put_ranges)

# One answer where SQLite's own depends on how its rows lie.
STABLE: tuple[Rewrite, ...] = (
    read_quoted_texts, resolve_names, group_distinct, pick_bare_columns, take_first_row, keep_all_ties,
    order_ties, reannotate,
)  # fmt: skip

# SQLite's semantics in the words of another engine; values first, then what compares and joins them.
TRANSLATING: tuple[Translation, ...] = (
    translate_dates, translate_real_numbers, translate_like, translate_arithmetic, translate_comparisons,
    translate_functions, translate_conditions, unify_branches, present_results, name_cross_joins,
)  # fmt: skip
