"""What a run of faults came to."""

from collections import Counter
from dataclasses import dataclass, field, fields


class Mismatch(AssertionError):
    """The promise did not hold; the message says where."""


@dataclass
class Counts:
    """What a run came to. `faults` counts what was done, by name."""

    events: int = 0
    lost: int = 0
    duplicated: int = 0
    gaps: int = 0  # that no fault of the run explains
    checks: int = 0  # how often acknowledgements were compared with the tables while faults happened
    faults: Counter = field(default_factory=Counter)
    notes: list = field(default_factory=list)  # where a number above comes from

    def add(self, other: "Counts") -> None:
        for item in fields(self):
            setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))

    @property
    def is_clean(self) -> bool:
        return self.lost == self.duplicated == self.gaps == 0

    def line(self, rounds: int) -> str:
        return (f"rounds {rounds}, events {self.events}, lost {self.lost}, duplicated {self.duplicated}, "
                f"unexplained gaps {self.gaps}")
