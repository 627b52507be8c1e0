"""NeuralSQL: SQL over a record that may look at films. The visual model is passed in."""

from chartsight.neuralsql.dialect import NeuralSql, Settings, parse, prepare, settle, translate, write

__all__ = ["NeuralSql", "Settings", "parse", "prepare", "settle", "translate", "write"]
