"""What the stages before the report left, as the report reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.doubts import Row, Rows
from pipeline.relations import Relations

MODELS = ("source_only", "adapted")
Role = Literal["source", "target"]


@dataclass(frozen=True)
class Results:
    """A card, numbers, CSV tables, pictures.

    card      models/adapted/card.json
    metrics, shares  results/metrics.json, results/retrieval.json
    pretrain, adapt  the logs of training: `seed`, `epoch`, then named numbers
    predictions, confusion, embedding, retrieval, domains  results/<name>.csv
    relations of the test videos' clips, in the order of `predictions`
    pictures  of each domain's videos, by key; empty where there are none
    """

    card: Mapping[str, Any]
    metrics: Mapping[str, Any]
    pretrain: Rows
    adapt: Rows
    predictions: Rows
    confusion: Rows
    embedding: Rows
    shares: Mapping[str, float | None]
    retrieval: Rows
    domains: Rows
    relations: Relations
    pictures: Mapping[Role, Mapping[str, bytes]]

    @property
    def classes(self) -> list[str]:
        """The task's classes, in the order of their numbers."""
        return list(self.card["classes"])

    @property
    def source(self) -> str:
        """The source's name."""
        return str(self.card["training"]["pretrain"]["source"])

    @property
    def target(self) -> str:
        """The target's name."""
        return str(self.card["training"]["adapt"]["target"])

    @property
    def labelled(self) -> bool:
        """Whether any test video has a label of the task's classes."""
        return bool(self.metrics["labelled_test_videos"] > 0)

    @property
    def test(self) -> list[Row]:
        """The predictions for test videos, a row a seed and video."""
        return [row for row in self.predictions if row["split"] == "test"]

    @property
    def of_first_seed(self) -> dict[str, Row]:
        """The predictions of the first seed for test videos, by key."""
        first = self.predictions[0]["seed"]
        return {row["key"]: row for row in self.test if row["seed"] == first}
