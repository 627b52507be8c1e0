"""Models x questions x conditions → scores, differences, and one page that says whether the model looks."""

from chartsight.comparison.recipe import ComparedModel, CompareRecipe, read_compare_recipe
from chartsight.comparison.run import ComparisonResult, compare

__all__ = ["CompareRecipe", "ComparedModel", "ComparisonResult", "compare", "read_compare_recipe"]
