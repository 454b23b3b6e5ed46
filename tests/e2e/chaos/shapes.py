"""How large a run is: short for every `make test`, long for `make long`, and a minute of deployments."""

from typing import Final, Literal

from tests.e2e.chaos.plan import CHURN
from tests.e2e.chaos.run import Shape

Name = Literal["short", "long", "churn"]
SHAPES: Final[dict[Name, Shape]] = {
    "short": Shape(orders=48, per_s=4.0, hits=10, first_s=1.5, last_s=12.0, scarce_pieces=8),
    "long": Shape(orders=150, per_s=1.5, hits=50, first_s=1.0, last_s=100.0, scarce_pieces=20, redrives=True),
    "churn": Shape(orders=80, per_s=2.0, hits=20, first_s=1.0, last_s=40.0, scarce_pieces=10, blows=CHURN),
}


def shape_of(name: Name) -> Shape:
    """By name."""
    return SHAPES[name]
