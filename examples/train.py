"""A few small, real training runs that log to Weights & Biases, without an account.

    python examples/train.py --runs 5 --out demo

Each run takes about a second: a classifier from scikit-learn learns one of the data sets that come
with that package, and logs its losses and accuracies after every epoch with wandb in offline mode.
The run folders lie in OUT/wandb afterwards. Every run draws its own configuration and seed, so
that no two are alike.
"""

import argparse
import os
import random
from dataclasses import asdict, dataclass
from itertools import cycle, islice, product
from pathlib import Path
from typing import Any

import numpy as np
import wandb
from sklearn.datasets import load_breast_cancer, load_digits, load_wine  # type: ignore[import-untyped]
from sklearn.linear_model import SGDClassifier  # type: ignore[import-untyped]
from sklearn.metrics import accuracy_score, log_loss  # type: ignore[import-untyped]
from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]
from sklearn.neural_network import MLPClassifier  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

MODELS = ("mlp", "linear")
DATA = {"digits": load_digits, "breast_cancer": load_breast_cancer, "wine": load_wine}

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Split:
    """Inputs and labels, to learn from and to check against."""

    train_x: Array
    check_x: Array
    train_y: Array
    check_y: Array


@dataclass(frozen=True)
class Data:
    name: str
    check_share: float


@dataclass(frozen=True)
class Model:
    kind: str
    alpha: float
    hidden: tuple[int, ...] = ()


@dataclass(frozen=True)
class Settings:
    """What one run is made from."""

    data: Data
    model: Model
    learning_rate: float
    batch_size: int
    epochs: int
    seed: int

    def config(self) -> dict[str, Any]:
        """The same as W&B shows it: nested, and without hidden layers where there are none."""
        config = asdict(self)
        if not self.model.hidden:
            del config["model"]["hidden"]
        return config


def main() -> None:
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    dice = random.Random()
    pairs = list(product(MODELS, DATA))
    dice.shuffle(pairs)
    for number, (kind, name) in enumerate(islice(cycle(pairs), options.runs), start=1):
        settings = draw(dice, kind, name)
        run_id, accuracy = train(settings, options.project, options.out)
        said = f"run {number} of {options.runs}: {run_id}, {kind} on {name}, val_accuracy {accuracy:.3f}"
        print(said, flush=True)  # noqa: T201 - an example speaks to whoever tries it


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train small models and log them with wandb, offline.")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="how many (default: 5)")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="where wandb/ goes")
    parser.add_argument("--project", default="runsheet-demo", help="the W&B project (default: runsheet-demo)")
    return parser.parse_args()


def draw(dice: random.Random, kind: str, name: str) -> Settings:
    """A configuration that makes sense for this model and data, and a seed of its own."""
    hidden = dice.choice([(32,), (64,), (64, 32)]) if kind == "mlp" else ()
    return Settings(
        data=Data(name, check_share=dice.choice([0.2, 0.25, 0.3])),
        model=Model(kind, alpha=dice.choice([1e-5, 1e-4, 1e-3]), hidden=hidden),
        learning_rate=dice.choice([3e-4, 1e-3, 3e-3, 1e-2]),
        batch_size=dice.choice([16, 32, 64]),
        epochs=dice.randint(15, 40),
        seed=dice.randrange(2**31),
    )


def train(settings: Settings, project: str, out: Path) -> tuple[str, float]:
    """Train and log one run. Returns its id, and the accuracy on data that it has not learned from."""
    split = load(settings)
    classifier = build(settings)
    labels = np.unique(split.train_y)
    with wandb.init(
        project=project,
        dir=str(out),
        config=settings.config(),
        group=settings.data.name,
        tags=["demo", settings.model.kind],
        notes=f"{settings.model.kind} with learning rate {settings.learning_rate:g}",
        settings=wandb.Settings(mode="offline", silent=True, console="off"),
    ) as run:
        best = 0.0
        for epoch in range(1, settings.epochs + 1):
            for batch in batches(len(split.train_y), settings, epoch):
                classifier.partial_fit(split.train_x[batch], split.train_y[batch], classes=labels)
            measured = measure(classifier, split, labels)
            best = max(best, measured["val_accuracy"])
            run.log({"epoch": epoch, **measured})
        run.summary["best"] = {"val_accuracy": best}
    return run.id, measured["val_accuracy"]


def load(settings: Settings) -> Split:
    """The data set, split in two and scaled."""
    inputs, labels = DATA[settings.data.name](return_X_y=True)
    train_x, check_x, train_y, check_y = train_test_split(
        inputs, labels, test_size=settings.data.check_share, random_state=settings.seed, stratify=labels
    )
    scaler = StandardScaler().fit(train_x)
    return Split(scaler.transform(train_x), scaler.transform(check_x), train_y, check_y)


def build(settings: Settings) -> Any:
    model, rate = settings.model, settings.learning_rate
    if model.kind == "mlp":
        return MLPClassifier(
            model.hidden, alpha=model.alpha, learning_rate_init=rate, random_state=settings.seed
        )
    return SGDClassifier(
        loss="log_loss", alpha=model.alpha, learning_rate="constant", eta0=rate, random_state=settings.seed
    )


def batches(size: int, settings: Settings, epoch: int) -> list[Array]:
    """All indices once, shuffled anew for each epoch, in batches."""
    order = np.random.default_rng([settings.seed, epoch]).permutation(size)
    return np.array_split(order, max(1, size // settings.batch_size))


def measure(classifier: Any, split: Split, labels: Array) -> dict[str, float]:
    """Loss and accuracy on both parts of the data."""
    measured = {}
    for part, inputs, truth in (
        ("train", split.train_x, split.train_y),
        ("val", split.check_x, split.check_y),
    ):
        guesses = classifier.predict_proba(inputs)
        measured[f"{part}_loss"] = float(log_loss(truth, guesses, labels=labels))
        measured[f"{part}_accuracy"] = float(accuracy_score(truth, labels[guesses.argmax(axis=1)]))
    return measured


if __name__ == "__main__":
    # Nothing about these runs leaves this machine: not even a report of an error in wandb.
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    main()
