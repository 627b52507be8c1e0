"""What was said before: the patient and the film in view, and the question that a short one goes on from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chartsight.schema import GroundedValue, Translation
from chartsight.translate.vocabulary import Vocabulary


@dataclass(frozen=True)
class Conversation:
    """What a question may leave unsaid. Every turn gives a new one; nothing is changed in place.

    Args:
        subject_id: The patient in view.
        study_id: The film in view.
        template_id: Of the last question that was answered.
        values: Slot → what filled it there.
    """

    subject_id: int | None = None
    study_id: int | None = None
    template_id: str | None = None
    values: tuple[GroundedValue, ...] = ()

    def about(self, subject_id: int) -> Conversation:
        """With this patient in view; a film of another patient is out of it."""
        return self if subject_id == self.subject_id else replace(self, subject_id=subject_id, study_id=None)

    def after(self, translation: Translation, vocabulary: Vocabulary, looked_at: tuple[int, ...] = ()) -> Conversation:
        """What is in view after a question was answered.

        Args:
            translation: Of the question.
            vocabulary: Of the record; it knows whose a study is.
            looked_at: Studies that the answer looked at; a single one comes into view.
        """
        if translation.program is None:
            return self
        now = replace(self, template_id=translation.template_id, values=translation.grounded)
        named = [int(value.value) for value in translation.grounded if value.kind == "study"]
        patients = {int(value.value) for value in translation.grounded if value.kind == "patient"}
        studies = named[-1:] or (list(looked_at) if len(looked_at) == 1 else [])
        for study_id in studies:
            if study_id in vocabulary.studies:
                patients.add(vocabulary.studies[study_id].subject_id)
        if len(patients) == 1:
            now = now.about(patients.pop())
        return replace(now, study_id=studies[0]) if studies else now
