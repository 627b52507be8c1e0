"""EHRXQA's own database from the credentialed source files: 19 tables in SQLite, row for row as its builder makes them.

files ─▶ staging ─▶ films ─▶ labels ─▶ cohort ─▶ cleaning + permutation + times ─▶ costs ─▶ database
"""

from chartsight.records.ehrxqa.build import build_ehrxqa
from chartsight.records.ehrxqa.config import EhrxqaConfig, EhrxqaSources
from chartsight.records.ehrxqa.database import database_digest

__all__ = ["EhrxqaConfig", "EhrxqaSources", "build_ehrxqa", "database_digest"]
