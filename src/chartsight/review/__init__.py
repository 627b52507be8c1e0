"""People look: a sample of a comparison's items, a blinded sheet a rater, and how far people and scorer agree."""

from chartsight.review.export import ReviewConfig, export_review
from chartsight.review.findings import Findings, agree, find_agreement, findings_text
from chartsight.review.ratings import import_ratings, read_ratings

__all__ = [
    "Findings",
    "ReviewConfig",
    "agree",
    "export_review",
    "find_agreement",
    "findings_text",
    "import_ratings",
    "read_ratings",
]
