"""A quoted word inside of FUNC_VQA is the question, although double quotes name a column elsewhere."""

from __future__ import annotations

from sqlglot import exp

from chartsight.neuralsql.rewrites.base import is_call


def read_vqa_texts(tree: exp.Query) -> exp.Query:
    """`FUNC_VQA("is there edema?", study_id)` with its question as a text."""
    for call in tree.find_all(exp.Anonymous):
        if not is_call(call, "func_vqa") or not call.expressions:
            continue
        question = call.expressions[0]
        if isinstance(question, exp.Column) and question.this.args.get("quoted") and not question.table:
            question.replace(exp.Literal.string(question.name))
    return tree
