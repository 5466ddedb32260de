"""What the fold should answer, written again from the rules; slow, and no part of the product."""

from .oracle import COLUMNS, fold_world  # noqa: F401
