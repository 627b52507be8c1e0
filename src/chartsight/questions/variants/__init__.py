"""What becomes of a question under a condition: other films with a known right answer, changed films, other words."""

from chartsight.questions.variants.build import build_variants, read_variants, write_variants
from chartsight.questions.variants.donors import donor_films
from chartsight.questions.variants.entailment import find_entailments
from chartsight.questions.variants.facts import film_facts
from chartsight.questions.variants.known_films import KnownFilms, read_known_films
from chartsight.questions.variants.regold import GoldMaker
from chartsight.questions.variants.thinning import plan_variants, thin_variants

__all__ = [
    "GoldMaker",
    "KnownFilms",
    "build_variants",
    "donor_films",
    "film_facts",
    "find_entailments",
    "plan_variants",
    "read_known_films",
    "read_variants",
    "thin_variants",
    "write_variants",
]
