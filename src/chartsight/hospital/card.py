"""A hospital's card: what its patients, stays, results, drugs and films are like, beside the real MIMIC-IV demo.

    card = hospital_card(Path("hospital"), Path("card.html"), reference=Path("mimic-iv-demo"))

One HTML file with plots inside, and a `.json` of the same figures beside it. Every difference is stated: a standardised
difference (difference of means over the pooled spread, or of two shares over theirs) and, for distributions, the
Kolmogorov-Smirnov distance between them.
"""

from __future__ import annotations

import base64
import html
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from chartsight.errors import OutputError, RecordError
from chartsight.runs import new_output
from chartsight.schema import MIMIC_TABLES, Table

Values = NDArray[np.float64]

READ_TABLES = {
    "patients", "admissions", "transfers", "diagnoses_icd", "procedures_icd", "labevents", "microbiologyevents",
    "prescriptions", "emar", "icustays", "chartevents", "outputevents",
}  # fmt: skip
DUCKDB_TYPES = {"int": "INTEGER", "bigint": "BIGINT", "float": "DOUBLE", "text": "VARCHAR", "date": "DATE",
                "time": "TIMESTAMP", "bool": "BOOLEAN"}  # fmt: skip

COMMON_LABS: Mapping[int, str] = {
    50971: "Potassium", 50983: "Sodium", 50902: "Chloride", 50882: "Bicarbonate", 50868: "Anion gap",
    51006: "Urea nitrogen", 50912: "Creatinine", 50931: "Glucose", 50893: "Calcium", 50960: "Magnesium",
    50970: "Phosphate", 51221: "Hematocrit", 51222: "Hemoglobin", 51301: "White cells", 51265: "Platelets",
    51250: "MCV", 51277: "RDW", 51237: "INR", 50813: "Lactate", 50820: "pH", 50818: "pCO2", 50821: "pO2",
    50862: "Albumin", 50885: "Bilirubin", 51256: "Neutrophils", 50889: "C-reactive protein", 50963: "NT-proBNP",
    51003: "Troponin T",
}  # fmt: skip
VITALS: Mapping[int, str] = {
    220045: "Heart rate", 220050: "Systolic pressure", 220210: "Respiratory rate", 220277: "Oxygen saturation",
    223762: "Temperature",
}  # fmt: skip
SMALL, LARGE = 0.2, 0.5  # standardised differences; Cohen's words
FEWEST = 5  # values below which nothing is said about a difference

# Name, unit and the SQL of one number a row. {hosp} and {icu} are folders of tables.
DISTRIBUTIONS: tuple[tuple[str, str, str], ...] = (
    ("Age", "years", "SELECT anchor_age FROM {hosp}patients"),
    ("Admissions", "a patient with any", "SELECT count(*) FROM {hosp}admissions GROUP BY subject_id"),
    (
        "Length of stay",
        "days",
        "SELECT epoch(dischtime - admittime) / 86400 FROM {hosp}admissions",
    ),
    ("Stay in intensive care", "days", "SELECT los FROM {icu}icustays"),
    ("Diagnoses", "an admission", "SELECT count(*) FROM {hosp}diagnoses_icd GROUP BY hadm_id"),
    ("Procedures", "an admission with any", "SELECT count(*) FROM {hosp}procedures_icd GROUP BY hadm_id"),
    (
        "Laboratory results",
        "an admission",
        "SELECT count(*) FROM {hosp}labevents WHERE hadm_id IS NOT NULL GROUP BY hadm_id",
    ),
    (
        "Laboratory results a day",
        "in an admission",
        """SELECT n / greatest(0.5, epoch(dischtime - admittime) / 86400)
           FROM (SELECT hadm_id, count(*) AS n FROM {hosp}labevents GROUP BY hadm_id)
           JOIN {hosp}admissions USING (hadm_id)""",
    ),
    ("Prescriptions", "an admission", "SELECT count(*) FROM {hosp}prescriptions GROUP BY hadm_id"),
    ("Different drugs", "an admission", "SELECT count(DISTINCT drug) FROM {hosp}prescriptions GROUP BY hadm_id"),
    ("Doses charted", "an admission", "SELECT count(*) FROM {hosp}emar WHERE hadm_id IS NOT NULL GROUP BY hadm_id"),
    (
        "Cultures",
        "an admission with any",
        """SELECT count(DISTINCT micro_specimen_id) FROM {hosp}microbiologyevents
           WHERE hadm_id IS NOT NULL GROUP BY hadm_id""",
    ),
    ("Transfers", "an admission", "SELECT count(*) FROM {hosp}transfers WHERE hadm_id IS NOT NULL GROUP BY hadm_id"),
    ("Outputs charted", "a stay in intensive care", "SELECT count(*) FROM {icu}outputevents GROUP BY stay_id"),
    (
        "Minutes to a result",
        "from specimen to storage",
        """SELECT epoch(storetime - charttime) / 60 FROM {hosp}labevents
           WHERE storetime > charttime""",
    ),
)
SHARES: tuple[tuple[str, str], ...] = (
    ("Women", "SELECT avg((gender = 'F')::INT) FROM {hosp}patients"),
    ("Patients who have died", "SELECT count(dod) / count(*) FROM {hosp}patients"),
    ("Admissions with intensive care", "SELECT count(DISTINCT i.hadm_id) / count(DISTINCT a.hadm_id) "
     "FROM {hosp}admissions a LEFT JOIN {icu}icustays i USING (hadm_id)"),
    ("Admissions that end in death", "SELECT avg(hospital_expire_flag) FROM {hosp}admissions"),
    ("Admissions through the emergency department", "SELECT count(edregtime) / count(*) FROM {hosp}admissions"),
    ("Admissions for observation", "SELECT avg((admission_type LIKE '%OBSERVATION%')::INT) FROM {hosp}admissions"),
    ("Diagnoses in ICD-10", "SELECT avg((icd_version = 10)::INT) FROM {hosp}diagnoses_icd"),
    ("Results flagged abnormal", "SELECT count(flag) / count(*) FROM {hosp}labevents"),
    ("Results without a number", "SELECT avg((valuenum IS NULL)::INT) FROM {hosp}labevents"),
    ("Results without an admission", "SELECT avg((hadm_id IS NULL)::INT) FROM {hosp}labevents"),
    ("Admissions with a culture", "SELECT count(DISTINCT m.hadm_id) / count(DISTINCT a.hadm_id) "
     "FROM {hosp}admissions a LEFT JOIN {hosp}microbiologyevents m USING (hadm_id)"),
    ("Cultures without an admission", "SELECT count(DISTINCT micro_specimen_id) FILTER (hadm_id IS NULL) "
     "/ count(DISTINCT micro_specimen_id) FROM {hosp}microbiologyevents"),
    ("Cultures in which something grew", "SELECT count(DISTINCT micro_specimen_id) FILTER (org_name IS NOT NULL) "
     "/ count(DISTINCT micro_specimen_id) FROM {hosp}microbiologyevents"),
    ("Cultures with a date only", "SELECT avg((charttime IS NULL)::INT) FROM {hosp}microbiologyevents"),
    ("Admissions with a diuretic into a vein", "SELECT count(DISTINCT p.hadm_id) / count(DISTINCT a.hadm_id) "
     "FROM {hosp}admissions a LEFT JOIN {hosp}prescriptions p ON p.hadm_id = a.hadm_id "
     "AND p.drug = 'Furosemide' AND p.route LIKE 'IV%'"),
    ("Orders without doses a day", "SELECT avg((doses_per_24_hrs IS NULL)::INT) FROM {hosp}prescriptions"),
    ("Results with a comment", "SELECT count(comments) / count(*) FROM {hosp}labevents"),
    ("Stays that end before they begin", "SELECT avg((dischtime < admittime)::INT) FROM {hosp}admissions"),
)  # fmt: skip


@dataclass(frozen=True)
class Summary:
    """A distribution in five numbers and its size."""

    n: int
    mean: float
    quantiles: tuple[float, ...]  # 5, 25, 50, 75 and 95%


@dataclass(frozen=True)
class Difference:
    """One thing measured in both places.

    Args:
        kind: `distribution` or `share`.
        ours, theirs: Of a distribution; `our_share` and `their_share` otherwise. Theirs are None without a reference.
        standardised: Ours minus theirs in pooled standard deviations; None where one side is too small.
        ks: Kolmogorov-Smirnov distance, 0 the same to 1 apart; None for a share.
        words: The difference in words.
    """

    name: str
    unit: str
    kind: str
    ours: Summary | None = None
    theirs: Summary | None = None
    our_share: float | None = None
    their_share: float | None = None
    standardised: float | None = None
    ks: float | None = None
    words: str = ""


@dataclass(frozen=True)
class HospitalCard:
    """Everything on the card."""

    differences: tuple[Difference, ...]
    films: Mapping[str, float]  # of films and patients: how many, views, laterals
    findings: Mapping[str, float]  # attribute → share of films

    def large(self) -> list[Difference]:
        """The differences that are large."""
        return [each for each in self.differences if each.standardised is not None and abs(each.standardised) >= LARGE]


def hospital_card(
    hospital: Path, out_html: Path, reference: Path | None = None, *, replace: bool = False
) -> HospitalCard:
    """The card of a built hospital, written to `out_html` and as JSON beside it (the same name, `.json`).

    Args:
        hospital: What `build_hospital` has made.
        out_html: A file that does not exist yet.
        reference: A folder with MIMIC-IV's `hosp` and `icu`, such as the public demo; None to describe only.
        replace: Replace existing files.

    Raises:
        RecordError: `hospital` or `reference` lacks the tables, or one of them is damaged.
        OutputError: `out_html` exists, or cannot be written.
    """
    ours, theirs = Tables(hospital / "mimic-iv"), Tables(reference) if reference is not None else None
    pairs: list[tuple[str, Values, Values | None]] = []
    differences = []
    for name, unit, query in list_distributions():
        mine = ours.numbers(query)
        other = theirs.numbers(query) if theirs is not None else None
        pairs.append((f"{name} ({unit})", mine, other))
        differences.append(compare_distributions(name, unit, mine, other))
    for name, query in SHARES:
        differences.append(compare_shares(name, ours.share(query), theirs.share(query) if theirs is not None else None))
    films, findings = describe_films(hospital)
    card = HospitalCard(tuple(differences), films, findings)
    out_json = out_html.with_suffix(".json")
    if out_json == out_html:
        raise OutputError(
            "no-name", out_html, "is the name of the figures beside the page", "a page, such as card.html"
        )
    with new_output(out_html, replace=replace) as page, new_output(out_json, replace=replace) as beside:
        page.write_text(render_card(card, pairs, hospital.name, has_reference=theirs is not None), "utf-8")
        beside.write_text(json.dumps(asdict(card), indent=1, allow_nan=False) + "\n", "utf-8")
    return card


def list_distributions() -> list[tuple[str, str, str]]:
    """Name, unit and query of every distribution."""
    labs = [
        (name, "result", f"SELECT valuenum FROM {{hosp}}labevents WHERE itemid = {item} AND hadm_id IS NOT NULL")
        for item, name in COMMON_LABS.items()
    ]
    vitals = [
        (name, "charted", f"SELECT valuenum FROM {{icu}}chartevents WHERE itemid = {item}")
        for item, name in VITALS.items()
    ]
    return [*DISTRIBUTIONS, *labs, *vitals]


class Tables:
    """MIMIC-IV's compressed tables below a folder, read with SQL."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("hosp/patients", "hosp/admissions", "hosp/labevents", "icu/icustays"):
            if not (folder / f"{name}.csv.gz").is_file():
                raise RecordError(
                    "missing-file", folder / f"{name}.csv.gz", "is not there", "MIMIC-IV's folders hosp and icu",
                    "give the folder that chartsight built, or the one of the MIMIC-IV demo",
                )  # fmt: skip
        self.connection = duckdb.connect()
        self.connection.execute("SET threads = 2")
        for table in MIMIC_TABLES:
            path = folder / table.module / f"{table.name}.csv.gz"
            if table.name in READ_TABLES and path.is_file():
                self.read(table, path)

    def read(self, table: Table, path: Path) -> None:
        """Take one table in.

        Raises:
            RecordError: It is cut short, no gzip, or has other columns; the values in it stand in no message.
        """
        columns = {each.name: DUCKDB_TYPES[each.type] for each in table.columns}
        try:
            self.connection.execute(
                f"CREATE TABLE {table.module}_{table.name} AS "
                "SELECT * FROM read_csv(?, columns = ?, header = true, auto_detect = false)",
                [str(path), columns],
            )
        except duckdb.Error:
            raise RecordError(
                "bad-table", path, "cannot be read as MIMIC-IV's table of that name",
                "a .csv.gz with the columns " + ", ".join(list(columns)[:3]) + ", ...", "fetch it again",
            ) from None  # fmt: skip

    def numbers(self, query: str) -> Values:
        """float64 [n] of a query's only column, without nulls; empty when the folder lacks the table."""
        try:
            column = self.connection.execute(query.format(hosp="hosp_", icu="icu_")).fetchnumpy()
        except duckdb.CatalogException:
            return np.zeros(0)
        values = np.ma.compressed(np.ma.masked_array(next(iter(column.values())))).astype(np.float64)
        return values[np.isfinite(values)]

    def share(self, query: str) -> float | None:
        """A share; None when the folder lacks the table, or the table has no rows."""
        try:
            answer = self.connection.execute(query.format(hosp="hosp_", icu="icu_")).fetchone()
        except duckdb.CatalogException:
            return None
        return None if answer is None or answer[0] is None or not math.isfinite(answer[0]) else float(answer[0])


def summarise(values: Values) -> Summary:
    """Five quantiles, the mean and the size; NaN never stands in it: without values all are 0."""
    if not len(values):
        return Summary(0, 0.0, (0.0,) * 5)
    quantiles = tuple(round(float(each), 4) for each in np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95]))
    return Summary(len(values), round(float(values.mean()), 4), quantiles)


def compare_distributions(name: str, unit: str, ours: Values, theirs: Values | None) -> Difference:
    """How two distributions differ. Extreme values are pulled in to the 1st and 99th percentile of both before."""
    mine = summarise(ours)
    if theirs is None:
        return Difference(name, unit, "distribution", mine)
    other = summarise(theirs)
    if not other.n:
        return Difference(name, unit, "distribution", mine, words="not in the reference")
    if min(mine.n, other.n) < FEWEST:
        return Difference(name, unit, "distribution", mine, other, words="too few to compare")
    low, high = np.quantile(np.concatenate([ours, theirs]), [0.01, 0.99])
    first, second = np.clip(ours, low, high), np.clip(theirs, low, high)
    pooled = math.sqrt((first.var() + second.var()) / 2)
    standardised = round(float((first.mean() - second.mean()) / pooled), 3) if pooled > 0 else 0.0
    ks = round(kolmogorov_smirnov(ours, theirs), 3)
    medians, means = (mine.quantiles[2], other.quantiles[2]), (mine.mean, other.mean)
    middle, pair = ("median", medians) if short(medians[0]) != short(medians[1]) else ("mean", means)
    words = in_words(standardised, f"{middle} {short(pair[0])} against {short(pair[1])}")
    return Difference(name, unit, "distribution", mine, other, standardised=standardised, ks=ks, words=words)


def compare_shares(name: str, ours: float | None, theirs: float | None) -> Difference:
    """How two shares differ, standardised by the spread of a yes or no; None is a share of nothing."""
    share, other = (None if each is None else round(each, 4) for each in (ours, theirs))
    if share is None or other is None:
        return Difference(name, "share", "share", our_share=share, their_share=other)
    spread = math.sqrt((share * (1 - share) + other * (1 - other)) / 2)
    standardised = round((share - other) / spread, 3) if spread > 0 else 0.0
    words = in_words(standardised, f"{share:.1%} against {other:.1%}")
    return Difference(
        name, "share", "share", our_share=share, their_share=other, standardised=standardised, words=words
    )  # fmt: skip


def kolmogorov_smirnov(first: Values, second: Values) -> float:
    """The largest distance between two empirical distribution functions, 0 to 1."""
    places = np.sort(np.concatenate([first, second]))
    shares = [np.searchsorted(np.sort(each), places, side="right") / len(each) for each in (first, second)]
    return float(np.abs(shares[0] - shares[1]).max())


def in_words(standardised: float, figures: str) -> str:
    """`much higher here: median 5 against 3`."""
    size = abs(standardised)
    if size < SMALL:
        return f"alike: {figures}"
    direction = "higher" if standardised > 0 else "lower"
    return f"{'much ' if size >= LARGE else 'somewhat '}{direction} here: {figures}"


def describe_films(hospital: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Counts and shares of films, and the share of films that truly show each attribute, from common to rare."""
    truth = str(hospital / "truth.parquet")
    if not Path(truth).is_file():
        raise RecordError("missing-file", truth, "is not there", "the truth.parquet of a built hospital")
    connection = duckdb.connect()
    counted = connection.execute(
        """SELECT count(DISTINCT study_id), count(DISTINCT subject_id),
                  count(DISTINCT study_id) FILTER (view_position = 'AP'),
                  count(DISTINCT study_id) FILTER (attribute IS NOT NULL)
           FROM read_parquet(?)""",
        [truth],
    ).fetchone()
    assert counted is not None
    studies, patients, portable, abnormal = (int(each) for each in counted)
    rows = connection.execute(
        """SELECT attribute, count(DISTINCT study_id) FROM read_parquet(?)
           WHERE attribute IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1""",
        [truth],
    ).fetchall()
    films = {
        "studies": studies,
        "studies a patient": round(studies / patients, 2),
        "share of AP views": round(portable / studies, 4),
        "share of films with a finding": round(abnormal / studies, 4),
    }
    return films, {str(attribute): round(count / studies, 4) for attribute, count in rows}


def plot_pairs(pairs: Sequence[tuple[str, Values, Values | None]]) -> str:
    """SVG text: both distributions of every pair laid over each other, four to a line."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = [pair for pair in pairs if len(pair[1])]
    lines = math.ceil(len(shown) / 4)
    with matplotlib.rc_context({"svg.hashsalt": "chartsight", "font.size": 8}):
        figure, axes = pyplot.subplots(lines, 4, figsize=(12, 2.1 * lines), squeeze=False)
        for axis, (name, mine, other) in zip(axes.flat, shown, strict=False):
            both = mine if other is None or not len(other) else np.concatenate([mine, other])
            low, high = np.quantile(both, [0.01, 0.99])
            edges = np.linspace(low, high if high > low else low + 1, 31)
            axis.hist(np.clip(mine, low, high), edges, density=True, color="#1f6f8b", alpha=0.55, label="this hospital")
            if other is not None and len(other):
                axis.hist(
                    np.clip(other, low, high), edges, density=True, histtype="step", color="#c2410c", label="reference"
                )  # fmt: skip
            axis.set_title(name)
            axis.set_yticks([])
            axis.spines[["top", "right", "left"]].set_visible(False)
        for axis in axes.flat[len(shown) :]:
            axis.set_axis_off()
        axes.flat[0].legend(frameon=False, fontsize=7)
        figure.tight_layout()
        drawn = io.BytesIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
        pyplot.close(figure)
    return base64.b64encode(drawn.getvalue()).decode()


def render_card(
    card: HospitalCard, pairs: Sequence[tuple[str, Values, Values | None]], name: str, *, has_reference: bool
) -> str:
    """The HTML text of a card; nothing in it is loaded from elsewhere."""
    rows = "".join(render_row(each) for each in card.differences)
    stated = "".join(f"<li><b>{html.escape(each.name)}</b>: {html.escape(each.words)}</li>" for each in card.large())
    films = "".join(
        f"<tr><td>{html.escape(key)}</td><td>{f'{value:.1%}' if key.startswith('share') else f'{value:g}'}</td></tr>"
        for key, value in card.films.items()
    )
    findings = "".join(
        f"<tr><td>{html.escape(key)}</td><td>{value:.1%}</td></tr>" for key, value in card.findings.items()
    )
    differences = (
        f"<h2>What differs most from the reference</h2><ul>{stated or '<li>Nothing by half a standard deviation.</li>'}"
        "</ul><p>The public MIMIC-IV demo, the usual one, is 100 patients chosen for having been in intensive care.</p>"
        if has_reference
        else ""
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Hospital card: {html.escape(name)}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em; color: #1c1917 }}
table {{ border-collapse: collapse; margin: 1em 0 }}
td, th {{ border-bottom: 1px solid #e7e5e4; padding: .2em .8em .2em 0; text-align: left }}
img {{ width: 100% }}
</style></head><body>
<h1>Hospital card: {html.escape(name)}</h1>
<p>Synthetic patients. Nobody in these tables lives or has lived.</p>
{differences}
<h2>Distributions</h2>
<img alt="Histograms of every distribution" src="data:image/svg+xml;base64,{plot_pairs(pairs)}">
<h2>All figures</h2>
<table><tr><th>what</th><th>unit</th><th>this hospital</th><th>reference</th><th>standardised difference</th>
<th>KS</th><th>in words</th></tr>{rows}</table>
<h2>Films</h2><table>{films}</table>
<h2>Findings, share of films that truly show them</h2><table>{findings}</table>
</body></html>
"""


def render_row(each: Difference) -> str:
    """One line of the table of all figures."""
    cells: list[Any] = [
        each.name, each.unit, figures(each.ours, each.our_share), figures(each.theirs, each.their_share),
        "" if each.standardised is None else f"{each.standardised:+.2f}", "" if each.ks is None else f"{each.ks:.2f}",
        each.words,
    ]  # fmt: skip
    return "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells) + "</tr>"


def figures(summary: Summary | None, share: float | None) -> str:
    """`median 5 (2 to 9), n=120`, or a percentage."""
    if share is not None:
        return f"{share:.1%}"
    if summary is None or summary.n == 0:
        return "none"
    low, middle, high = (short(each) for each in summary.quantiles[1:4])
    return f"median {middle} ({low} to {high}), n={summary.n:,}"


def short(value: float) -> str:
    """A number in three figures, thousands whole: `4.66`, `137`, `1,204`."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
