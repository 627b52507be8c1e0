"""All audits of all models, from one set of draws."""

from __future__ import annotations

from chartsight.audit.aligned import measure_alignment
from chartsight.audit.blind import OTHER_FILMS, measure_other_film, measure_question_only
from chartsight.audit.calibration import measure_calibration
from chartsight.audit.clean_subset import measure_clean_subset
from chartsight.audit.columns import Columns
from chartsight.audit.decomposition import Decomposition, measure_decomposition
from chartsight.audit.distribution import measure_distribution
from chartsight.audit.gates import Gate, leak_gates, model_gates
from chartsight.audit.inputs import AuditedModel, AuditInput
from chartsight.audit.label_errors import measure_label_errors
from chartsight.audit.memorisation import measure_memorisation
from chartsight.audit.occlusion import measure_occlusion
from chartsight.audit.priors import measure_gain, measure_prior
from chartsight.audit.quadrants import measure_quadrants
from chartsight.audit.report import AuditReport, ModelAudit
from chartsight.audit.selective import measure_selective
from chartsight.audit.subgroups import measure_slices, measure_subgroups
from chartsight.audit.swap import measure_mirrored, measure_swap
from chartsight.audit.verdict import judge, rule_stamp
from chartsight.audit.wording import measure_contradictions, measure_paraphrase
from chartsight.audit.yes_bias import measure_yes_bias
from chartsight.evaluation import scorer_stamp


def run_audits(given: AuditInput) -> AuditReport:
    """The findings.

    Raises:
        QuestionError: Answers that cannot be those of these questions (`columns.check_input`).
    """
    columns = Columns(given)
    gates = [*leak_gates(columns)]
    models = []
    for model in given.models:
        audited, its_gates = audit_model(columns, model)
        models.append(audited)
        gates += its_gates
    overall = columns.bootstrap.proportion(columns.everything) if columns.n else None
    return AuditReport(
        n=columns.n,
        clusters=columns.bootstrap.n_clusters,
        scorer=scorer_stamp(),
        rule=rule_stamp(),
        prior=measure_prior(columns),
        models=tuple(models),
        decompositions=decompose(columns),
        leaks=given.leaks,
        exposure=given.exposure,
        label_errors=measure_label_errors(columns),
        gates=tuple(gates),
        warning=None if overall is None else overall.warning,
    )


def audit_model(columns: Columns, model: AuditedModel) -> tuple[ModelAudit, tuple[Gate, ...]]:
    """All audits of one model, and its gates."""
    blind, yes_bias = measure_question_only(columns, model), measure_yes_bias(columns, model)
    others = {condition: measure_other_film(columns, model, condition) for condition in OTHER_FILMS}
    audited = ModelAudit(
        name=model.name,
        role=model.role,
        accuracy=columns.bootstrap.proportion(columns.full(model).is_correct),
        verdict=judge(columns, model, blind, others["shuffled"]),
        gain=measure_gain(columns, model),
        question_only=blind,
        other_films=tuple(each for each in others.values() if each is not None),
        swap=measure_swap(columns, model),
        occlusion=measure_occlusion(columns, model),
        quadrants=measure_quadrants(columns, model),
        paraphrase=measure_paraphrase(columns, model),
        contradictions=measure_contradictions(columns, model),
        distribution=measure_distribution(columns, model),
        yes_bias=yes_bias,
        alignment=measure_alignment(columns, model),
        clean_subset=measure_clean_subset(columns, model),
        subgroups=measure_subgroups(columns, model),
        memorisation=measure_memorisation(columns, model),
        calibration=measure_calibration(columns, model),
        selective=measure_selective(columns, model),
        mirrored=measure_mirrored(columns, model),
        slices=measure_slices(columns, model),
    )
    return audited, model_gates(model, blind, yes_bias)


def decompose(columns: Columns) -> tuple[Decomposition, ...]:
    """Every tuned model against the first baseline, where both have a blind control."""
    base = next(
        (model for role in ("baseline", "medical") for model in columns.given.models if model.role == role), None
    )
    if base is None:
        return ()
    tuned = [model for model in columns.given.models if model.role == "tuned"]
    found = [measure_decomposition(columns, base, model) for model in tuned]
    return tuple(each for each in found if each is not None)
