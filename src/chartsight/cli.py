"""One verb a stage: parse arguments and call. Nothing heavy is imported before a verb needs it.

Exit codes: 0 done, 2 the user's mistake (one clear line), 3 a gate failed, 130 interrupted.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from chartsight import __version__
from chartsight.errors import ChartsightError, GateError, RecordError
from chartsight.exits import INTERRUPTED, exit_code
from chartsight.schema import TERMS, Terms

app = typer.Typer(
    name="chartsight",
    help="Read a hospital's records and films, build questions with known answers, teach a model to look, and measure "
    "whether it does. Research use only: not a medical device.",
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    add_completion=False,
)
records_app = typer.Typer(help="Source tables and films → one relational record (DuckDB).")
questions_app = typer.Typer(help="A record → questions with known answers.")
review_app = typer.Typer(help="A comparison → blinded sheets for people → how far they and the scorer agree.")
models_app = typer.Typer(help="Models that come with the package.")
app.add_typer(records_app, name="records")
app.add_typer(questions_app, name="questions")
app.add_typer(review_app, name="review")
app.add_typer(models_app, name="models")

ENVIRONMENT = "CHARTSIGHT"  # what the names of the variables begin with that stand for flags

JSON_VARIABLE = f"{ENVIRONMENT}_JSON"  # of every verb, as that for quiet is

Json = Annotated[bool, typer.Option("--json", envvar=JSON_VARIABLE, help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", envvar=f"{ENVIRONMENT}_QUIET", help="No progress.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the output when it exists.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same bytes.")]


@app.callback(invoke_without_command=True)
def version_option(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version.")] = False,
) -> None:
    """Options before the verb."""
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def hospital(
    out: Annotated[Path, typer.Argument(help="A new folder.")],
    recipe: Annotated[
        Path | None, typer.Option(help="A YAML recipe, see recipes/hospitals/; flags override it.")
    ] = None,
    patients: Annotated[int | None, typer.Option(help="How many patients.  [default: 200]")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same bytes.  [default: 7]")] = None,
    style: Annotated[str | None, typer.Option(help="Its films' look: harbour (the default), hillside, ...")] = None,
    difficulty: Annotated[str | None, typer.Option(help="easy, standard (the default) or hard.")] = None,
    confounding: Annotated[
        float | None, typer.Option(help="How far a film's look betrays sickness, -1 to 1.  [default: 0.5]")
    ] = None,
    film_size: Annotated[int | None, typer.Option(help="Side of a film in pixels.  [default: 256]")] = None,
    bits: Annotated[int | None, typer.Option(help="16 writes PNGs of 16 bits beside the JPEGs.  [default: 8]")] = None,
    label_noise: Annotated[float | None, typer.Option(help="Share of labels turned round (never the truth).")] = None,
    report_omission: Annotated[float | None, typer.Option(help="Share of findings that reports leave out.")] = None,
    override: Annotated[
        list[str] | None,
        typer.Option(
            "--set", envvar="CHARTSIGHT_HOSPITAL_SET", help="Any dial: --set reader_disagreement=0.5. Repeatable."
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that draw films; all cores by default.")] = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Draw a synthetic hospital: MIMIC-IV tables, MIMIC-CXR-JPG films, Chest ImaGenome labels, and the whole truth."""
    from chartsight.hospital import build_hospital
    from chartsight.hospital.recipe import hospital_config

    flags = {
        "patients": patients, "seed": seed, "style": style, "difficulty": difficulty, "confounding": confounding,
        "film_size_px": film_size, "bits": bits, "label_noise": label_noise, "report_omission": report_omission,
    }  # fmt: skip
    changes = settings(override, {key: value for key, value in flags.items() if value is not None})
    run = build_hospital(out, hospital_config(recipe, changes), workers=workers, quiet=quiet, force=force)
    show(as_json, {"hospital": str(out), "kept": run.kept}, f"{out}: {counts(run.kept)}")


@app.command("hospital-card")
def hospital_card(
    hospital: Annotated[Path, typer.Argument(help="What `chartsight hospital` made.")],
    out: Annotated[Path, typer.Argument(help="A new page, such as card.html; its figures as JSON beside it.")],
    reference: Annotated[Path | None, typer.Option(help="MIMIC-IV, such as the demo: the folder of hosp/.")] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Describe a synthetic hospital, compared with a real one: what is alike, what differs, by how much."""
    from chartsight.hospital.card import hospital_card as write_card

    card = write_card(hospital, out, reference, replace=force)
    show(as_json, {"card": str(out), **asdict(card)}, str(out))


@records_app.command("build")
def records_build(
    out: Annotated[Path, typer.Argument(help="The record to make, such as record.duckdb.")],
    mimiciv: Annotated[Path | None, typer.Option(help="MIMIC-IV v2.2, v3.1 or the demo: the folder of hosp/.")] = None,
    mimic_iv_note: Annotated[Path | None, typer.Option(help="MIMIC-IV-Note.")] = None,
    mimic_cxr_jpg: Annotated[Path | None, typer.Option(help="MIMIC-CXR-JPG 2.0.0: the folder of files/.")] = None,
    mimic_cxr_reports: Annotated[Path | None, typer.Option(help="MIMIC-CXR reports (.txt).")] = None,
    chest_imagenome: Annotated[Path | None, typer.Option(help="Chest ImaGenome 1.0.0.")] = None,
    meds: Annotated[
        Path | None, typer.Option(help="MEDS events (file or folder) to rebuild charted events from.")
    ] = None,
    films: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of images of any modality: import, no specialised support. May be repeated."),
    ] = None,
    labels: Annotated[list[Path] | None, typer.Option(help="The CSV of each --films, in the same order.")] = None,
    terms: Annotated[
        list[str] | None, typer.Option(help="Terms of each --films: open, share-alike, credentialed, private.")
    ] = None,
    findings: Annotated[str, typer.Option(help="Findings in the CSV that chartsight does not know: a,b,c.")] = "",
    columns: Annotated[str, typer.Option(help="Unusual CSV columns: image=scan,patient=case.")] = "",
    pair_films: Annotated[
        bool, typer.Option(help="Give film patients to record patients of like sex and age (a synthetic pairing).")
    ] = False,
    seed: Seed = 0,
    memory_limit: Annotated[float, typer.Option(min=0.25, help="GiB that the database may use.")] = 2.0,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Build one record from MIMIC's folders, from folders of images, or from both."""
    from chartsight.records import FilmFolder, RecordSources, build_record

    folders, tables = films or [], labels or []
    declared = tuple(part.strip() for part in findings.split(",") if part.strip())
    named = column_names(columns)
    if len(folders) != len(tables):
        raise RecordError("films-without-labels", "--films", f"{len(folders)} folders, {len(tables)} CSVs", "one each")
    stated = terms or []
    if len(stated) not in {0, 1, len(folders)}:
        raise RecordError("bad-terms", "--terms", f"given {len(stated)} times", "once, or once for each --films")
    film_folders = []
    for number, (folder, table) in enumerate(zip(folders, tables, strict=True)):
        own: Terms = one_of_terms(stated[number if len(stated) > 1 else 0]) if stated else "private"
        film_folders.append(FilmFolder(folder, table, columns=named, findings=declared, terms=own))
    sources = RecordSources(
        mimiciv=mimiciv, mimic_iv_note=mimic_iv_note, mimic_cxr_jpg=mimic_cxr_jpg, mimic_cxr_reports=mimic_cxr_reports,
        chest_imagenome=chest_imagenome, meds=meds, film_folders=tuple(film_folders), pair_films=pair_films, seed=seed,
    )  # fmt: skip
    run = build_record(out, sources, quiet=quiet, force=force, memory_limit_gib=memory_limit)
    result = {
        "record": str(out), "kept": run.kept, "dropped": run.dropped, "terms": run.terms, "pairing": run.pairing,
    }  # fmt: skip
    told = f"{out}: {counts(run.kept)}\nterms {run.terms}, pairing {run.pairing}{left_out(run.dropped)}"
    show(as_json, result, told)


@records_app.command("build-ehrsql")
def records_build_ehrsql(
    out: Annotated[Path, typer.Argument(help="The SQLite database to make, such as ehrsql.sqlite.")],
    mimiciv: Annotated[Path, typer.Option(help="The MIMIC-IV demo 2.2: the folder of hosp/.")],
    meds: Annotated[
        Path | None, typer.Option(help="MEDS events (.parquet) to rebuild charted events from, when icu/ lacks them.")
    ] = None,
    memory_limit: Annotated[float, typer.Option(min=0.25, help="GiB that DuckDB may use.")] = 2.0,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Build EHRSQL-2024's database (17 tables, SQLite), as its published questions expect it."""
    from chartsight.records import build_ehrsql

    run = build_ehrsql(out, mimiciv, meds, quiet=quiet, force=force, memory_limit_gib=memory_limit)
    result = {"database": str(out), "kept": run.kept, "dropped": run.dropped, "terms": run.terms}
    tables = {name: n for name, n in run.kept.items() if " " not in name}
    lines = [f"{out}: {counts(tables)}", f"terms {run.terms}"]
    lines += [f"{n:,} {said}" for said, n in run.kept.items() if said not in tables]
    lines += [f"dropped {n:,}: {reason}" for reason, n in sorted(run.dropped.items())]
    show(as_json, result, "\n".join(lines))


@records_app.command("build-ehrxqa")
def records_build_ehrxqa(
    out: Annotated[Path, typer.Argument(help="The database to make, such as ehrxqa-train.sqlite.")],
    mimiciv: Annotated[Path, typer.Option(help="MIMIC-IV 2.2: the folder of hosp/ and icu/.")],
    mimic_cxr_jpg: Annotated[Path, typer.Option(help="MIMIC-CXR-JPG 2.0.0: the folder of the metadata.")],
    chest_imagenome: Annotated[Path, typer.Option(help="Chest ImaGenome 1.0.0.")],
    split: Annotated[Literal["train", "test"], typer.Option(help="train serves the train and valid questions.")],
    patients: Annotated[int | None, typer.Option(help="Of the database.  [default: 800 train, 400 test]")] = None,
    staying: Annotated[
        int | None, typer.Option(help="Patients kept in hospital at the end.  [default: 80 train, 40 test]")
    ] = None,
    valid_share: Annotated[float, typer.Option(help="Share of silver patients whose films are taken (train).")] = 0.05,
    max_study_order: Annotated[int, typer.Option(help="Later studies of a patient are left out.")] = 20,
    any_version: Annotated[bool, typer.Option("--any-version", help="Build from other releases all the same.")] = False,
    memory_limit: Annotated[float, typer.Option(help="GiB that the build may use.")] = 4.0,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes that do its steps side by side; by default 2, or fewer where less is free."),
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Build EHRXQA's own database (19 tables, SQLite), row for row as published; a killed run goes on."""
    from chartsight.records.ehrxqa import EhrxqaSources, build_ehrxqa
    from chartsight.records.ehrxqa.config import published_config

    changes = {"patients": patients, "staying": staying}
    given = {name: value for name, value in changes.items() if value is not None}
    config = published_config(
        split, valid_share=valid_share, max_study_order=max_study_order, any_version=any_version, **given
    )
    sources = EhrxqaSources(mimiciv, mimic_cxr_jpg, chest_imagenome)
    run = build_ehrxqa(out, sources, config, memory_limit_gib=memory_limit, workers=workers, force=force, quiet=quiet)
    result = {
        "database": str(out), "kept": run.kept, "dropped": run.dropped, "terms": run.terms, "pairing": run.pairing,
    }  # fmt: skip
    lines = [f"{out}: {counts(run.kept)}", f"terms {run.terms}, pairing {run.pairing}: values belong to no patient"]
    lines += [f"{reason}: {n:,}" for reason, n in sorted(run.dropped.items())]
    show(as_json, result, "\n".join(lines))


@records_app.command("copy")
def records_copy(
    record: Annotated[Path, typer.Argument(help="A record, or EHRSQL's or EHRXQA's database.")],
    target: Annotated[
        str, typer.Argument(help="x.sqlite, x.duckdb or postgresql://user@host/database; passwords from PGPASSFILE.")
    ],
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Copy a record to SQLite or PostgreSQL: whole or not at all, read back and compared."""
    from chartsight.records.copy import copy_record

    run = copy_record(record, target, force=force, quiet=quiet)
    (copy,) = run.outputs
    result = {
        "copy": copy["path"], "kept": run.kept, "digest": copy["digest"], "terms": run.terms, "pairing": run.pairing,
        "reader": run.config.get("reader"),
    }  # fmt: skip
    show(as_json, result, f"{copy['path']}: {counts(run.kept)}\nterms {run.terms}, pairing {run.pairing}")


@questions_app.command("build")
def questions_build(
    record: Annotated[Path, typer.Argument(help="A record of `records build`.")],
    out: Annotated[Path, typer.Argument(help="The question set to make, such as questions.parquet.")],
    seed: Seed = 7,
    per_film: Annotated[int, typer.Option(help="Most questions about one film.")] = 16,
    yes_share: Annotated[float, typer.Option(help="Prior of yes.")] = 0.5,
    unmentioned: Annotated[str, typer.Option(help="A finding that no label mentions: absent or unknown.")] = "absent",
    test_share: Annotated[float, typer.Option(help="Share of patients in test.")] = 0.2,
    valid_share: Annotated[float, typer.Option(help="Share of patients in valid.")] = 0.1,
    min_support: Annotated[int, typer.Option(help="Films that each answer of a question needs.")] = 5,
    templates: Annotated[
        str | None, typer.Option(help="A YAML file of templates: of one-image questions, or with --kinds of families.")
    ] = None,
    all_views: Annotated[bool, typer.Option("--all-views", help="Every film, not one frontal a study.")] = False,
    kinds: Annotated[
        str | None,
        typer.Option(
            help="Families of all nine kinds instead of one-image questions: all, or image/two,table/group,..."
        ),
    ] = None,
    per_template: Annotated[int, typer.Option(help="With --kinds: questions of each family.")] = 40,
    per_kind: Annotated[int, typer.Option(help="With --kinds: least questions of each kind.")] = 200,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Build questions with known answers, split by patient, with a data card: about films, or of all nine kinds."""
    from chartsight.questions import FamilyConfig, QuestionConfig, build_family_questions, build_questions

    if kinds is not None:
        families = FamilyConfig(
            seed=seed, kinds=() if kinds == "all" else tuple(each.strip() for each in kinds.split(",")),
            per_template=per_template, per_kind=per_kind, yes_share=yes_share, unmentioned=unmentioned,  # type: ignore[arg-type]
            test_share=test_share, valid_share=valid_share, min_support=min_support, templates=templates or "families",
        )  # fmt: skip
        run = build_family_questions(record, out, families, quiet=quiet, force=force)
        lines = [f"{out}: {run.kept['questions']:,} questions, {run.kept['tied']:,} of them tied"]
        lines += [f"  {kind}: {n:,}" for kind, n in run.kept.items() if "/" in kind]
        lines += [f"left out, {reason}: {n:,}" for reason, n in sorted(run.dropped.items())]
        show(as_json, {"questions": str(out), "kept": run.kept, "dropped": run.dropped}, "\n".join(lines))
        return
    config = QuestionConfig(
        seed=seed, per_film=per_film, yes_share=yes_share, unmentioned=unmentioned, test_share=test_share,  # type: ignore[arg-type]
        valid_share=valid_share, min_support=min_support, templates=templates or "one-image",
        frontal_only=not all_views,
    )  # fmt: skip
    run = build_questions(record, out, config, quiet=quiet, force=force)
    show(as_json, {"questions": str(out), "kept": run.kept, "dropped": run.dropped}, f"{out}: {counts(run.kept)}")


@questions_app.command("import")
def questions_import(
    file: Annotated[Path, typer.Argument(help="The file, or for a public set the folder of its files.")],
    out: Annotated[Path, typer.Argument(help="The question set to make, such as questions.parquet.")],
    format: Annotated[
        Literal["jsonl", "ehrsql", "ehrxqa", "mimic-cxr-vqa", "vqa-rad", "slake", "path-vqa"],
        typer.Option("--format", help="jsonl: one question a line; otherwise the public set's own layout."),
    ] = "jsonl",
    images: Annotated[Path | None, typer.Option(help="Folder that image names are relative to.")] = None,
    record: Annotated[Path | None, typer.Option(help="ehrxqa, mimic-cxr-vqa: the record that has the films.")] = None,
    database: Annotated[
        Path | None,
        typer.Option(help="ehrxqa, ehrsql: its own database (SQLite); ehrxqa: or the folder of its train/ and test/."),
    ] = None,
    split: Annotated[
        Literal["released", "patient"],
        typer.Option(help="released: the set's own, what they share is reported; patient: split anew."),
    ] = "released",
    terms: Annotated[
        str | None,
        typer.Option(help="synthetic, open, share-alike, credentialed, private.  [default: what the set says]"),
    ] = None,
    seed: Seed = 7,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Import any set of images, questions and answers, or a public one; what is wrong with it is reported by name."""
    if format == "ehrsql":
        from chartsight.questions.ehrsql import import_ehrsql

        for option, value in (("--images", images), ("--record", record), ("--terms", terms)):
            if value is not None:
                raise ChartsightError(
                    "bad-option",
                    option,
                    "means nothing for ehrsql",
                    hint="it has tables alone, and its own terms",
                )
        run = import_ehrsql(file, out, database=database, split=split, seed=seed, force=force, quiet=quiet)
    else:
        from chartsight.questions.importers import ImportConfig, import_questions

        config = ImportConfig(
            format=format, images=images, record=record, database=database, split=split, seed=seed,
            terms=None if terms is None else one_of_terms(terms),
        )  # fmt: skip
        run = import_questions(file, out, config, force=force, quiet=quiet)
    found = {name: fault["count"] for name, fault in run.faults.items()}
    result = {
        "questions": str(out), "kept": run.kept, "dropped": run.dropped, "faults": run.faults, "terms": run.terms,
        "pairing": run.pairing,
    }  # fmt: skip
    lines = [f"{out}: {counts(run.kept)}", f"terms {run.terms}, pairing {run.pairing}{left_out(run.dropped)}"]
    lines += [f"fault {n:,}: {name}, {run.faults[name]['meaning']}" for name, n in found.items()]
    show(as_json, result, "\n".join(lines))


@questions_app.command("export")
def questions_export(
    questions: Annotated[Path, typer.Argument(help="A question set.")],
    out: Annotated[Path, typer.Argument(help="A new folder.")],
    format: Annotated[
        Literal["llava", "jsonl", "hf"],
        typer.Option("--format", help="llava: conversations; jsonl: one object a line; hf: Parquet with the films."),
    ] = "llava",
    text: Annotated[
        Literal["question", "template"], typer.Option(help="The paraphrase, or the template's own words.")
    ] = "question",
    subset: Annotated[
        Literal["all", "poster"], typer.Option(help="poster: EHRXQA's 4,200 one-image questions.")
    ] = "all",
    max_length: Annotated[int, typer.Option(help="Tokens that the training run will read of a question.")] = 2048,
    image_tokens: Annotated[int, typer.Option(help="Tokens that a film takes of them.")] = 576,
    allow_leakage: Annotated[
        bool, typer.Option("--allow-leakage", help="Write splits that share patients, and say so beside them.")
    ] = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write a question set for other trainers; what would make them blind in silence stops it by name."""
    from chartsight.questions.export import ExportConfig, export_questions

    config = ExportConfig(
        format=format, text=text, subset=subset, max_length=max_length, image_tokens=image_tokens,
        allow_leakage=allow_leakage,
    )  # fmt: skip
    run = export_questions(questions, out, config, force=force, quiet=quiet)
    result = {
        "export": str(out), "kept": run.kept, "dropped": run.dropped, "terms": run.terms, "pairing": run.pairing,
    }  # fmt: skip
    lines = [f"{out}: {counts(run.kept)}", f"terms {run.terms}, pairing {run.pairing}"]
    lines += [f"left out {n:,}: {reason}" for reason, n in sorted(run.dropped.items())]
    show(as_json, result, "\n".join(lines))


@questions_app.command("card")
def questions_card(
    questions: Annotated[Path, typer.Argument(help="A question set.")],
    out: Annotated[Path, typer.Argument(help="A new page, such as card.html; its figures as JSON beside it.")],
    near_duplicates: Annotated[
        bool, typer.Option("--near-duplicates", help="Look for one picture under two files; reads every film.")
    ] = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Describe a question set: sizes, what a guesser scores, leakage, ties, faults, whose films."""
    from chartsight.questions.data_card import write_data_card

    card = write_data_card(questions, out, near_duplicates=near_duplicates, quiet=quiet, force=force)
    show(as_json, {"card": str(out), **card}, str(out))


@questions_app.command("curate")
def questions_curate(
    questions: Annotated[Path, typer.Argument(help="A question set.")],
    out: Annotated[Path, typer.Argument(help="The curated set to make, such as curated.parquet.")],
    action: Annotated[
        Literal["drop", "mark"], typer.Option(help="What is done to a question that a rule finds.")
    ] = "drop",
    subset: Annotated[
        Literal["all", "poster"], typer.Option(help="poster: EHRXQA's 4,200 one-image questions.")
    ] = "all",
    ties: Annotated[bool, typer.Option(help="Answers that hang on a tie are found.")] = True,
    leakage: Annotated[
        Literal["test", "train"], typer.Option(help="Which split keeps what two of them share.")
    ] = "test",
    max_prior: Annotated[float, typer.Option(help="Most that a template's commonest answer may have; 1: any.")] = 0.8,
    near_duplicates: Annotated[
        bool, typer.Option("--near-duplicates", help="One picture under two files is one image; reads every film.")
    ] = False,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Make test of pairs: one question, two films, two answers.")
    ] = False,
    seed: Seed = 7,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Take out, or mark, what spoils a measurement; make a test set that a guesser gets half right at most."""
    from chartsight.questions.curate import CurationConfig, curate_questions, render_table

    config = CurationConfig(
        action=action, subset=subset, ties=ties, leakage=leakage, max_prior=max_prior,
        near_duplicates=near_duplicates, pairs=pairs, seed=seed,
    )  # fmt: skip
    run, table = curate_questions(questions, out, config, force=force, quiet=quiet)
    before, after = run.config["blind_before"], run.config["blind_after"]
    result = {
        "questions": str(out), "kept": run.kept, "dropped": run.dropped, "rules": table, "blind_before": before,
        "blind_after": after,
    }  # fmt: skip
    lines = [f"{out}: {counts(run.kept)}", render_table(table)]
    for name, words in (("per_slots_majority", "a majority"), ("question_only", "the question's words")):
        shown = " → ".join("–" if each[name] is None else f"{100 * each[name]:.1f} %" for each in (before, after))
        lines.append(f"{run.config['blind_scored_on']} answered right by {words} alone: {shown}")
    show(as_json, result, "\n".join(lines))


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="A YAML recipe; see recipes/.")],
    out: Annotated[Path, typer.Argument(help="A new folder for the run.")],
    override: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            envvar="CHARTSIGHT_TRAIN_SET",
            help="Replace a key of the recipe: --set steps=100. Repeatable.",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last whole checkpoint.")] = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Teach a model: questions about films (kind: answers), or a vision tower its labels (kind: tower)."""
    from chartsight.recipes import read_keys, read_recipe
    from chartsight.training.recipe import AnswerRecipe, TowerRecipe, WordsRecipe

    changes = settings(override)
    kind = read_keys(recipe).get("kind")
    if kind in ("tower", "words") and resume:
        raise ChartsightError("bad-option", "--resume", f"a lesson of kind {kind} starts anew", "without it", "--force")
    if kind == "words":
        from chartsight.training.words import align_words

        run = align_words(read_recipe(WordsRecipe, recipe, changes), out, force=force)
    elif kind == "tower":
        from chartsight.training.tower import train_tower

        run = train_tower(read_recipe(TowerRecipe, recipe, changes), out, force=force, quiet=quiet)
    else:
        from chartsight.training.run import train_answers

        run = train_answers(read_recipe(AnswerRecipe, recipe, changes), out, resume=resume, force=force, quiet=quiet)
    result = {"model": str(out / "model"), "kept": run.kept, "dropped": run.dropped, "outputs": run.outputs}
    if os.environ.get("RANK", "0") == "0":  # of torchrun's processes one speaks
        show(as_json, result, f"{out / 'model'}{left_out(run.dropped)}")


@app.command()
def doctor(
    recipe: Annotated[Path, typer.Argument(help="A YAML recipe of a training run (kind: answers).")],
    override: Annotated[
        list[str] | None,
        typer.Option("--set", envvar="CHARTSIGHT_DOCTOR_SET", help="Replace a key of the recipe. Repeatable."),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Examine a training run before any weight is loaded: every film and sample, memory, time, and what is refused."""
    from chartsight.recipes import read_recipe
    from chartsight.training.doctor import examine
    from chartsight.training.recipe import AnswerRecipe

    found = examine(read_recipe(AnswerRecipe, recipe, settings(override)), quiet=quiet or as_json)
    show(as_json, found.as_dict(), found.text())
    if as_json and found.faults:
        raise typer.Exit(GateError.exit_code)  # the faults are in the JSON
    found.check()


@app.command()
def predict(
    model: Annotated[str, typer.Argument(help="A shipped model, a model folder, or a training run.")],
    questions: Annotated[Path, typer.Argument(help="A question set.")],
    out: Annotated[Path, typer.Argument(help="predictions.parquet; a killed run goes on.")],
    condition: Annotated[
        str,
        typer.Option(
            help="full; shuffled, swap (another film); blank, noise, question_only; mirrored, occluded, "
            "occluded_elsewhere; paraphrase, negated, scrambled."
        ),
    ] = "full",
    split: Annotated[str, typer.Option(help="train, valid, test or all.")] = "test",
    seed: Seed = 0,
    limit: Annotated[int | None, typer.Option(help="Only so many questions.")] = None,
    sets: Annotated[
        str, typer.Option(help="Lists: generate writes them, constrained too, itemwise asks yes or no a name.")
    ] = "generate",
    scoring: Annotated[str, typer.Option(help="free, or allowed: the likeliest of the allowed answers.")] = "free",
    shots: Annotated[int, typer.Option(help="So many examples of the train split before every question.")] = 0,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, ...; the GPU when there is one.")] = None,
    engine: Annotated[str, typer.Option(help="local, or ray: the workers of a cluster (RAY_ADDRESS).")] = "local",
    workers: Annotated[int, typer.Option(help="Of Ray.")] = 2,
    endpoint: Annotated[
        str | None, typer.Option(help="Ask a server that speaks OpenAI's chat completions: http://127.0.0.1:8000/v1.")
    ] = None,
    served: Annotated[str | None, typer.Option(help="The model's name at the endpoint.")] = None,
    concurrency: Annotated[int, typer.Option(help="Requests at once to the endpoint.")] = 8,
    timeout: Annotated[float, typer.Option(help="Seconds for one request to the endpoint.")] = 120.0,
    attest: Annotated[
        bool, typer.Option("--attest", help="The terms of these data allow to send them to the endpoint.")
    ] = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Let a model answer a question set under a condition."""
    from chartsight.prediction import predict_questions
    from chartsight.prediction.backends.choice import open_back_end
    from chartsight.prediction.backends.endpoint import Endpoint
    from chartsight.runs import read_manifest

    back_end = open_back_end(
        model, device, engine=engine, workers=workers, served=served,  # type: ignore[arg-type]
        endpoint=None if endpoint is None else Endpoint(endpoint, concurrency, timeout),
    )  # fmt: skip
    path = predict_questions(
        model, questions, out, condition=condition, split=split, seed=seed, limit=limit, sets=sets,  # type: ignore[arg-type]
        scoring=scoring, shots=shots, back_end=back_end, attested=attest, force=force, quiet=quiet,  # type: ignore[arg-type]
    )  # fmt: skip
    counted = (read_manifest(path) or {}).get("counts", {"kept": {}, "dropped": {}})
    show(as_json, {"predictions": str(path), **counted}, f"{path}{left_out(counted['dropped'])}")


@app.command()
def compare(
    recipe: Annotated[Path, typer.Argument(help="A YAML recipe: models, questions, conditions.")],
    out: Annotated[Path, typer.Argument(help="A folder for report.html, report.json and predictions/.")],
    shareable: Annotated[
        bool, typer.Option("--shareable", help="A page to share too: no films of people, identifiers or free text.")
    ] = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Compare models on the same questions: does the fine-tuned one look at the film, or guess?"""
    from chartsight.comparison import compare as compare_models

    result = compare_models(recipe, out, quiet=quiet, force=force, shareable=shareable)
    found = {"report": str(result.report), "json": str(result.report_json), "verdict": result.sentence}
    show(as_json, found, f"{result.sentence}\n{result.report}")


@app.command()
def audit(
    model: Annotated[str, typer.Argument(help="A shipped model's name, a model folder, or a training run.")],
    questions: Annotated[Path, typer.Argument(help="questions.parquet.")],
    out: Annotated[Path, typer.Argument(help="A folder for report.html, report.json and predictions/.")],
    twin: Annotated[
        str | None, typer.Option(help="The model trained by the same recipe without films: the best blind control.")
    ] = None,
    role: Annotated[
        Literal["tuned", "baseline"], typer.Option(help="baseline: it has not learned from these questions.")
    ] = "tuned",
    split: Annotated[Literal["train", "valid", "test"], typer.Option(help="Whose questions are asked.")] = "test",
    limit: Annotated[int | None, typer.Option(help="Only so many questions, spread over the films.")] = None,
    resamples: Annotated[int, typer.Option(help="Of whole patients behind every interval.")] = 10_000,
    seed: Seed = 7,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Audit one model: does it look, at the finding or at a shortcut, and for whom does it work?

    The cost is told first. Ends with 3 when a gate fails: a patient in two splits, unreadable answers, a film that is
    not needed.
    """
    from chartsight.comparison.one_model import audit_model, audit_recipe, failed_gates

    recipe = audit_recipe(
        model, questions, twin=twin, role=role, split=split, limit=limit, seed=seed, resamples=resamples
    )
    result, report = audit_model(recipe, out, quiet=quiet, force=force)
    failed = failed_gates(report.gates)
    verdict = report.models[0].verdict
    found = {
        "report": str(result.report), "json": str(result.report_json), "kind": verdict.kind,
        "verdict": verdict.sentence, "rule": verdict.rule, "passed": report.passed, "failed_gates": failed,
    }  # fmt: skip
    show(as_json, found, "\n".join([verdict.sentence, *failed, str(result.report)]))
    if not report.passed:
        raise typer.Exit(GateError.exit_code)


@app.command()
def sql(
    record: Annotated[str, typer.Argument(help="record.duckdb, or a copy of one: SQLite, postgresql://...")],
    query: Annotated[str, typer.Argument(help='NeuralSQL: SQL that may say FUNC_VQA("question", t.study_id).')],
    mode: Annotated[
        Literal["stable", "published"],
        typer.Option(help="stable: ties in order, on any engine; published: SQLite's own."),
    ] = "stable",
    explain: Annotated[bool, typer.Option("--explain", help="What it would cost; no look is made.")] = False,
    model: Annotated[str, typer.Option(help="labels, a shipped model, a model folder, or a training run.")] = "labels",
    budget: Annotated[int | None, typer.Option(help="Most looks made; what is then certain is told.")] = None,
    batch: Annotated[int, typer.Option(help="Most looks asked at once, and most made beyond need.")] = 64,
    now: Annotated[
        str | None, typer.Option(help="current_time.  [default: the record's latest film or admission]")
    ] = None,
    answers: Annotated[Path | None, typer.Option(help="The store of looks.  [default: the user's own]")] = None,
    validation: Annotated[
        Path | None, typer.Option(help="JSON of the model's errors at a question: counts are corrected for them.")
    ] = None,
    evidence: Annotated[Path | None, typer.Option(help="Keep a row for every look: .parquet or .json.")] = None,
    films: Annotated[Path | None, typer.Option(help="The record with the films, when RECORD is a copy of it.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, ...; the GPU when there is one.")] = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Ask a record in SQL that may look at films: the fewest looks, what is certain, and evidence for every row."""
    from rich.console import Console

    from chartsight.neuralsql.evidence import write_evidence
    from chartsight.query import QueryConfig, answer_query, explain_query
    from chartsight.query.screen import show_answer, show_explanation, show_progress

    config = QueryConfig(
        mode=mode, model=model, budget=budget, batch=batch, now=now, answers=answers, validation=validation,
        device=device, films=films,
    )  # fmt: skip
    if explain:
        cost = explain_query(record, query, config)
        if as_json:
            show(True, {"sentence": cost.sentence, **asdict(cost)}, "")
        else:
            show_explanation(cost, Console())
        return
    with show_progress(quiet or as_json) as (announce, stream):
        answer = answer_query(record, query, config, announce=announce, stream=stream, quiet=quiet or as_json)
    if evidence is not None:
        write_evidence(answer.evidence, evidence, replace=force)
    if as_json:
        show(True, answer.as_dict(), "")
    else:
        show_answer(answer, Console())
    if answer.result.stopped == "cancelled":
        raise typer.Exit(INTERRUPTED)


@app.command()
def ask(
    record: Annotated[Path, typer.Argument(help="A record: record.duckdb, or a copy of one in SQLite.")],
    question: Annotated[
        str | None, typer.Argument(help="In English; without one, a conversation at a prompt (or of lines of a file).")
    ] = None,
    patient: Annotated[int | None, typer.Option(help="The patient that is spoken of: a subject_id.")] = None,
    model: Annotated[str, typer.Option(help="labels, a shipped model, a model folder, or a training run.")] = "labels",
    explain: Annotated[
        bool, typer.Option("--explain", help="The query and what it would cost; no look is made.")
    ] = False,
    budget: Annotated[int | None, typer.Option(help="Most looks made; what is then certain is told.")] = None,
    now: Annotated[
        str | None, typer.Option(help="The time asked at.  [default: the latest film or admission of the patient]")
    ] = None,
    answers: Annotated[Path | None, typer.Option(help="The store of looks.  [default: the user's own]")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, ...; the GPU when there is one.")] = None,
    as_json: Json = False,
) -> None:
    """Ask a record in English: known kinds of question, offline; names are looked up, what is unsure is asked back."""
    from chartsight.assistant.command import run_ask
    from chartsight.query import QueryConfig

    config = QueryConfig(model=model, budget=budget, now=now, answers=answers, device=device)
    run_ask(record, question, config, patient=patient, explain_only=explain, as_json=as_json)


@review_app.command("export")
def review_export(
    comparison: Annotated[Path, typer.Argument(help="A folder that `compare` finished.")],
    out: Annotated[Path, typer.Argument(help="A new folder: a sheet (.html) for each rater, and the key.")],
    questions: Annotated[Path | None, typer.Option(help="Its question set, where it moved since.")] = None,
    models: Annotated[
        str, typer.Option(help="Whose answers: a,b. The one that it is about first.  [default: fine-tuned, baseline]")
    ] = "",
    items: Annotated[int, typer.Option(help="How many items are drawn.")] = 200,
    rater: Annotated[
        list[str] | None, typer.Option(help="A code for each rater; better no name. Repeatable.  [default: r1, r2]")
    ] = None,
    double: Annotated[
        float | None, typer.Option(help="Share of items that two raters see.  [default: 0.75; 0 with one rater]")
    ] = None,
    repeats: Annotated[float, typer.Option(help="Share of a rater's items that come again, unsaid.")] = 0.1,
    seed: Seed = 7,
    film_pixels: Annotated[int, typer.Option(help="Longest side of a film on the sheet.")] = 1024,
    title: Annotated[str, typer.Option(help="On top of the sheets.")] = "Which answer would you give?",
    shareable: Annotated[bool, typer.Option("--shareable", help="Without films, free text and identifiers.")] = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Draw items of a comparison and make a blinded sheet for each rater, to be opened from disk."""
    from chartsight.review import ReviewConfig, export_review

    config = ReviewConfig(
        models=tuple(name.strip() for name in models.split(",")) if models.strip() else None, items=items,
        raters=tuple(rater or ("r1", "r2")), double=double, repeats=repeats, seed=seed, film_pixels=film_pixels,
        shareable=shareable, title=title,
    )  # fmt: skip
    run = export_review(comparison, out, config, questions=questions, force=force)
    result = {
        "review": str(out), "kept": run.kept, "dropped": run.dropped, "terms": run.terms, "pairing": run.pairing,
    }  # fmt: skip
    kept = run.kept
    lines = [
        f"{out}: {kept['sheets']} sheets, {kept['items']:,} items of {kept['of']:,}, "
        f"{kept['rated twice']:,} of them for two raters, {kept['repeats']:,} hidden repeats",
        f"terms {run.terms}, pairing {run.pairing}{left_out(run.dropped)}",
    ]
    if run.terms in ("credentialed", "private") and not shareable:
        lines.append(f"the sheets hold {run.terms} films: give them only to people whom the terms cover")
    lines.append("key.parquet says which model is which: keep it from the raters")
    show(as_json, result, "\n".join(lines))


@review_app.command("import")
def review_import(
    review: Annotated[Path, typer.Argument(help="The folder that `review export` made.")],
    out: Annotated[Path, typer.Argument(help="The ratings to make, such as ratings.parquet.")],
    ratings: Annotated[list[Path], typer.Argument(help="The files that the raters saved, one a rater.")],
    shareable: Annotated[bool, typer.Option("--shareable", help="Without remarks and question ids.")] = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Read what raters saved, check it against the key, and put models back for letters."""
    from chartsight.review import import_ratings

    run = import_ratings(review, out, ratings, shareable=shareable, force=force)
    result = {
        "ratings": str(out), "kept": run.kept, "dropped": run.dropped, "terms": run.terms, "pairing": run.pairing,
    }  # fmt: skip
    show(as_json, result, f"{out}: {counts(run.kept)}{left_out(run.dropped)}")


@review_app.command("agree")
def review_agree(
    ratings: Annotated[Path, typer.Argument(help="What `review import` wrote.")],
    out: Annotated[Path, typer.Argument(help="A new folder for agreement.json and disagreements.csv.")],
    bootstrap: Annotated[int, typer.Option(help="Draws of patients behind every interval.")] = 10_000,
    seed: Seed = 7,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """How far raters agree, with each other, themselves and the scorer; what people say of the models."""
    from chartsight.review import agree, findings_text

    findings, run = agree(ratings, out, resamples=bootstrap, seed=seed, force=force)
    result = {"folder": str(out), "kept": run.kept, **json.loads((out / "agreement.json").read_text("utf-8"))}
    show(as_json, result, f"{findings_text(findings)}\n{out}: {counts(run.kept)}")


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="A checkpoint in LLaVA's original layout; or the other way, a model.")],
    out: Annotated[Path, typer.Argument(help="A new folder.")],
    base: Annotated[
        Path | None,
        typer.Option(help="What an adapter stands on; or the converted model that a trained one began from."),
    ] = None,
    tower: Annotated[
        str | None, typer.Option(help="The folder of the vision tower; on the way back, what it shall be called.")
    ] = None,
    tower_from: Annotated[
        Literal["external", "checkpoint"] | None,
        typer.Option(help="Which tower, when there are two.  [default: the one that the original's code takes]"),
    ] = None,
    template: Annotated[
        str | None, typer.Option(help="vicuna_v1, mistral_instruct, llava_med_vicuna_v1.  [default: the family's]")
    ] = None,
    name: Annotated[str | None, typer.Option(help="On reports.  [default: the folder's]")] = None,
    terms: Annotated[str, typer.Option(help="Of what the model learned from.")] = "private",
    delta: Annotated[
        bool, typer.Option("--delta", help="SOURCE is a delta: add it to --base, in the same layout.")
    ] = False,
    lora: Annotated[
        bool, typer.Option("--lora", help="On the way back: an adapter stays one, in the original's LoRA folder.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Compare the logits of both; loads the model whole.")] = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Convert LLaVA-1.5 and LLaVA-Med (whole or LoRA) to Hugging Face's layout, or a model back, exactly."""
    from chartsight.vlm.command import run_convert

    run = run_convert(
        source, out, base=base, tower=tower, tower_from=tower_from, template=template, name=name,
        terms=one_of_terms(terms), delta=delta, lora=lora, check=check, force=force, quiet=quiet,
    )  # fmt: skip
    said = {key: value for each in run.outputs for key, value in each.items()}
    lines = [f"{out}: {counts(run.kept)}", *said.get("notes", ())]
    if "check" in said:
        found = said["check"]
        lines.append(f"logits differ by {found['largest_difference']:.2g} at most (limit {found['limit']:.2g})")
    show(as_json, {"model": str(out), "kept": run.kept, **said}, "\n".join(lines))


@models_app.command("list")
def models_list(as_json: Json = False) -> None:
    """The models that come with the package, and what each is."""
    from chartsight.vlm.checkpoint import list_models

    models = list_models()
    found = {name: card.as_dict() for name, card in models.items()}
    show(as_json, found, "\n".join(f"{name}: {card.description}" for name, card in models.items()) or "none")


@models_app.command("merge")
def models_merge(
    model: Annotated[str, typer.Argument(help="A training run, or the folder of an adapter.")],
    out: Annotated[Path, typer.Argument(help="A new folder of whole weights, which transformers reads as it is.")],
    dtype: Annotated[Literal["float32", "bfloat16"], typer.Option(help="Of the stored weights.")] = "float32",
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Fold an adapter into its base, and compare the logits of both."""
    from chartsight.vlm.merge import merge_adapter

    _, check = merge_adapter(model, out, dtype=dtype, force=force)
    told = (
        f"{out}: logits differ by at most {check.largest_difference:.2g} from the adapter's, which moves its base by "
        f"{check.moved:.2g}; {check.greedy_agree:.1%} of positions go on alike"
    )
    show(as_json, {"model": str(out), **asdict(check)}, told)


def show(as_json: bool, result: dict[str, Any], text: str) -> None:
    """The result on standard output, for a program or for a person."""
    typer.echo(json.dumps(result, indent=2, default=str) if as_json else text)


SHOWN_COUNTS = 8


def counts(kept: dict[str, int]) -> str:
    """`20 patients, 1,234 films, ...`: all counts that are not 0, or the telling ones and the sum of the rest."""
    counted = {name: n for name, n in kept.items() if n}
    telling = ("patients", "admissions", "icustays", "labevents", "chartevents", "films", "reports", "boxes")
    shown = counted if len(counted) <= SHOWN_COUNTS else {name: counted[name] for name in telling if name in counted}
    parts = [f"{n:,} {name}" for name, n in shown.items()]
    if rest := [n for name, n in counted.items() if name not in shown]:
        parts.append(f"{sum(rest):,} rows in {len(rest)} other tables")
    return ", ".join(parts) or "nothing"


def left_out(dropped: Mapping[str, int]) -> str:
    """A line for each reason why rows were left out, each after a line break."""
    return "".join(f"\ndropped {n:,}: {reason}" for reason, n in sorted(dropped.items()))


def one_of_terms(text: str) -> Terms:
    """One of `schema.TERMS`.

    Raises:
        RecordError: It is none.
    """
    if text not in TERMS:
        raise RecordError("bad-terms", "--terms", repr(text), " or ".join(TERMS))
    return text


def column_names(text: str) -> dict[str, str]:
    """`image=scan,patient=case` as a mapping."""
    return dict(key_and_value(part) for part in text.split(",") if part.strip())


def key_and_value(text: str) -> tuple[str, str]:
    """`key=value` apart.

    Raises:
        ChartsightError: There is no `=`.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ChartsightError("bad-option", text, "has no key=value form", "such as steps=100")
    return key.strip(), value.strip()


def settings(override: Sequence[str] | None, said: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What flags say (`said`) and every `--set key=value`, by key.

    Raises:
        ChartsightError: A key is said twice, has no value, or its value is no YAML.
    """
    changes = dict(said or {})
    for key, text in map(key_and_value, override or []):
        if key in changes:
            raise ChartsightError("bad-option", f"--set {key}", "is said twice", "one value for it")
        changes[key] = yaml_value(key, text)
    return changes


def yaml_value(key: str, text: str) -> Any:
    """The value of `--set key=text`, read as a recipe would read it: `100` is a number, `[a, b]` a list.

    Raises:
        ChartsightError: It is no YAML.
    """
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise ChartsightError(
            "bad-option", f"--set {key}", "has a value that is no YAML", "such as steps=100"
        ) from None


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; every mistake is one line on standard error."""
    # torch's threads spin while they wait for each other; with another process on the cores that made a two-thread run
    # ten times slower than one thread. Sleeping costs little when the machine is free.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    as_json = "--json" in (sys.argv[1:] if arguments is None else arguments)
    as_json |= os.environ.get(JSON_VARIABLE, "").lower() in {"1", "true", "t", "yes", "y", "on"}
    before = signal.signal(signal.SIGTERM, stop)
    try:
        sys.exit(exit_code(lambda: run_command(arguments), as_json=as_json))
    finally:
        signal.signal(signal.SIGTERM, before)


def stop(number: int, _: object) -> None:
    """End as a shell counts it, by way of every `finally`: a half-made output is removed, as after an interrupt."""
    sys.exit(128 + number)


def run_command(arguments: Sequence[str] | None = None) -> Any:
    """One verb with its arguments (those of the process when None), its errors left to the caller.

    A flag that is not given is taken from the environment: `--limit` of `predict` from CHARTSIGHT_PREDICT_LIMIT.

    Raises:
        KeyboardInterrupt: Typer returns its exit code instead, and a caller with more to do would go on.
    """
    result = app(
        args=list(arguments) if arguments is not None else None, standalone_mode=False, auto_envvar_prefix=ENVIRONMENT
    )
    if result == INTERRUPTED:
        raise KeyboardInterrupt
    return result


if __name__ == "__main__":
    main()
