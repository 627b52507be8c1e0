"""Chest ImaGenome's scene graphs as the two tables that its own script makes of them, when those are not there.

The rows come film by film (by name), object by object; the published pipeline sorts them, so that their order decides
only between contradicting statements of one sentence about one object.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from chartsight.errors import RecordError
from chartsight.records.ehrxqa.steps import Facts

SUFFIX = "_SceneGraph.json"
GRAPHS_A_BATCH = 2000
STATEMENT_COLUMNS = ("study_id", "image_id", "row_id", "bbox", "relation", "categoryID", "label_name")
BOX_COLUMNS = ("object_id", "x1", "y1", "x2", "y2", "width", "bbox_name")
RELATIONS = {"yes": "1", "no": "0"}


def graph_texts(place: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every scene graph of a folder or zip, by name.

    Raises:
        RecordError: The zip is damaged.
    """
    if place.is_dir():
        for path in sorted(place.glob(f"*{SUFFIX}")):
            yield path.name, path.read_bytes()
        return
    with zipfile.ZipFile(place) as packed:
        for name in sorted(each for each in packed.namelist() if each.endswith(SUFFIX)):
            try:
                text = packed.read(name)
            except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
                raise RecordError(
                    "truncated-file", place, f"{name} cannot be unpacked", "scene_graph.zip as downloaded",
                    "fetch it again",
                ) from error  # fmt: skip
            yield name, text


def statement_rows(graph: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Rows of `attribute_relations_tabular.txt`."""
    for said in graph["attributes"]:
        for phrase, attributes in zip(said["phrase_IDs"], said["attributes"], strict=True):
            for each in attributes:
                category, context, label = each.split("|")
                if context in RELATIONS:
                    yield (
                        str(graph["study_id"]), f"{graph['image_id']}.dcm", phrase, said["bbox_name"],
                        RELATIONS[context], category, label,
                    )  # fmt: skip


def box_rows(graph: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Rows of `bbox_objects_tabular.txt`."""
    for box in graph["objects"]:
        yield tuple(str(box[name]) for name in BOX_COLUMNS)


def stage_graphs(place: Path, what: str, out: Path) -> Facts:
    """Write the statements or the boxes of all graphs as Parquet; how many.

    Raises:
        RecordError: A graph is no JSON or lacks a key, or there is none.
    """
    rows_of, columns = (statement_rows, STATEMENT_COLUMNS) if what == "statements" else (box_rows, BOX_COLUMNS)
    schema = pa.schema([(name, pa.string()) for name in columns])
    count = graphs = 0
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        batch: list[tuple[str, ...]] = []
        for name, text in graph_texts(place):
            try:
                rows = list(rows_of(json.loads(text)))
                "".join(cell for row in rows for cell in row).encode()  # all of it text, and Unicode
                batch += rows
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise RecordError(
                    "malformed-row", place, f"{name} is no scene graph", "Chest ImaGenome 1.0.0"
                ) from error
            graphs += 1
            if graphs % GRAPHS_A_BATCH == 0:
                writer.write_table(rows_table(batch, schema))
                count, batch = count + len(batch), []
        writer.write_table(rows_table(batch, schema))
    if graphs == 0:
        raise RecordError("missing-file", place, f"holds no *{SUFFIX}", "scene graphs")
    return {
        "path": str(place), "sha256": None, "columns": list(columns), "table_width": len(columns),
        "rows": count + len(batch), "kinds": {},
    }  # fmt: skip


def rows_table(rows: list[tuple[str, ...]], schema: pa.Schema) -> pa.Table:
    """Rows as a table of text."""
    columns = zip(*rows, strict=True) if rows else [[] for _ in schema.names]
    return pa.table([pa.array(list(column), pa.string()) for column in columns], schema=schema)
