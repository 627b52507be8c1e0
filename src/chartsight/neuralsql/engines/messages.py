"""What parent and child of an engine say to each other: JSON for words, Arrow's own stream for tables.

Nothing is unpickled on either side: a child that a query has taken over can send values, never code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

import pyarrow as pa


def send(pipe: Connection[Any, Any], words: Mapping[str, Any], tables: Mapping[str, pa.Table] | None = None) -> None:
    """One message: its words, then its tables in order.

    Raises:
        OSError: The other side has gone.
    """
    named = dict(tables or {})
    pipe.send_bytes(json.dumps({**words, "tables": list(named)}).encode())
    for table in named.values():
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        pipe.send_bytes(memoryview(sink.getvalue()))


def receive(pipe: Connection[Any, Any]) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    """The words and the tables of the next message.

    Raises:
        EOFError: The other side has gone.
        OSError: It went in the middle of a message.
    """
    words: dict[str, Any] = json.loads(pipe.recv_bytes())
    tables = {}
    for name in words.pop("tables"):
        with pa.ipc.open_stream(pa.py_buffer(pipe.recv_bytes())) as reader:
            tables[name] = reader.read_all()
    return words, tables
