"""Learning while acting: environments side by side, all played by chance that is drawn before."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from ...learning.learner import Learner
from ...learning.sources import Batch
from .episodes import draw_chance, follow, play
from .exact import best_returns
from .network import Actor
from .tables import Tables
from .world import World

if TYPE_CHECKING:
    from .params import Train

TIE = 1e-9  # of values: what differs by less is as good


class Chance(NamedTuple):
    """What decides a step, numbers from 0 to 1, each of shape (lanes,).

    Attributes:
        explore: whether to try an action at random, and which.
        tie: which of equally good actions to take.
        outcome: what the step leads to.
        start: where to start again if the episode is over.
        coin: which of two tables learns.
    """

    explore: torch.Tensor
    tie: torch.Tensor
    outcome: torch.Tensor
    start: torch.Tensor
    coin: torch.Tensor


class Move(NamedTuple):
    """What a step of all lanes led to, each of shape (lanes,).

    Attributes:
        reward: what it was worth.
        row: of the state that followed, before any new start.
        final: whether nothing is worth anything after it.
        over: whether the episode was over, and another began.
    """

    reward: torch.Tensor
    row: torch.Tensor
    final: torch.Tensor
    over: torch.Tensor


class ActingLearner(Learner):
    """Acts in many environments side by side, its lanes; a kind of it learns from each step.

    A batch is `chance`, (steps, fields of Chance, lanes). Each run has as many lanes of its own.
    Where the lanes are is a buffer, so that a training can be taken up again.
    """

    METRICS = ("loss", "return", "episodes")
    MONITOR: str | None = None
    DROP_LAST = False
    network: Actor
    params: "Train"
    starts: torch.Tensor
    run: torch.Tensor
    state: torch.Tensor
    elapsed: torch.Tensor
    gained: torch.Tensor
    set_back: torch.Tensor

    def __init__(self, network: Actor, params: "Train", tables: Tables, starts: np.ndarray) -> None:
        """Take over what acts, what it acts in, and the states where episodes may start."""
        super().__init__(network, params)
        self.automatic_optimization = False
        network.take(tables)
        self.world = World(tables)
        self.trial = World(tables), best_returns(tables)  # a tuple: it stays on the CPU
        self.tried: list[tuple[np.ndarray, np.ndarray]] = []
        first, lanes = torch.from_numpy(starts), network.runs * params.environments
        places = torch.arange(network.actions)
        for name, value in {
            "starts": first,
            "run": torch.arange(network.runs).repeat_interleave(params.environments),
            "state": first[torch.arange(lanes) % len(first)],
            "elapsed": torch.zeros(lanes, dtype=torch.int64),
            "gained": torch.zeros(lanes, dtype=torch.float64),
            "set_back": TIE * ((places - places[:, None]) % network.actions),
        }.items():
            self.register_buffer(name, value)

    def training_step(self, batch: Batch, number: int) -> None:
        """Play, and learn from, some steps of all lanes."""
        sums = torch.zeros(len(self.METRICS), dtype=torch.float64, device=self.device)
        epochs, batches = self.trainer.max_epochs or 1, self.trainer.num_training_batches
        for moment, numbers in enumerate(batch["chance"]):
            done = self.current_epoch + (number + moment / len(batch["chance"])) / batches
            self.learn(Chance(*numbers), float(done / epochs), sums)
        self.add(len(self.state) * len(batch["chance"]), *sums)

    def learn(self, chance: Chance, done: float, sums: torch.Tensor) -> None:
        """Take a step in all lanes, learn from it, and add up METRICS.

        Args:
            chance: what decides it.
            done: share of the training that is behind.
            sums: of METRICS so far.
        """
        raise NotImplementedError

    def choose(self, values: torch.Tensor, chance: Chance, epsilon: float) -> torch.Tensor:
        """The best of the values, (lanes, actions), or at random in a share of the lanes."""
        actions = self.network.actions
        set_back = self.set_back.index_select(0, (chance.tie * actions).long())
        best = (values - set_back).argmax(1)
        if not epsilon:
            return best
        any_one = (chance.explore * (actions / epsilon)).long().clamp(max=actions - 1)
        return torch.where(chance.explore < epsilon, any_one, best)

    def move(self, action: torch.Tensor, chance: Chance, sums: torch.Tensor) -> Move:
        """Take a step in all lanes; where the episode is over, another begins."""
        step = self.world.step(self.state, action, chance.outcome)
        gained = self.gained + step.reward
        elapsed = self.elapsed + 1
        row = self.network.row(step.state, elapsed)
        over = step.ended | (elapsed >= self.network.limit)
        sums[1] += gained @ over.double()
        sums[2] += over.sum()
        again = self.starts.index_select(0, (chance.start * len(self.starts)).long())
        self.state = torch.where(over, again, step.state)
        self.elapsed = elapsed.masked_fill(over, 0)
        self.gained = gained.masked_fill(over, 0.0)
        # Who knows the time knows that nothing follows the last step. Who does not, must not think
        # that a state is worth nothing because an episode was cut there (Pardo et al. 2018).
        final = over if self.network.periods > 1 else step.ended
        return Move(step.reward, row, final, over)

    def metrics(self, means: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The loss of a step, and the return of an episode, if one was over."""
        shown = {"loss": means["loss"]}
        if means["episodes"] > 0:
            shown["return"] = means["return"] / means["episodes"]
        return shown

    def validation_step(self, batch: Batch, number: int) -> None:
        """Play the episodes of a batch by the best actions of every run."""
        world, best = self.trial
        starts, seeds = (batch[it].cpu().numpy() for it in ("row", "seed"))
        chance = draw_chance(seeds, self.network.limit + 1)[:, 1:]
        runs = self.network.runs
        by = follow(
            self.network.values().argmax(3),
            self.network.length,
            np.arange(runs).repeat(len(seeds)),
        )
        played = play(world, by, np.tile(starts, runs), np.tile(chance, (runs, 1)))
        self.tried.append((played.returns.reshape(runs, -1), best[starts]))

    def on_validation_epoch_end(self) -> None:
        """Keep the run with the largest return on validation; log that, and its regret."""
        returns, best = (np.concatenate(it, -1) for it in zip(*self.tried, strict=True))
        self.tried, self.sums = [], []
        means = returns.mean(1)
        kept = int(means.argmax())
        self.network.kept.fill_(kept)
        played = (self.current_epoch + 1) * self.params.epoch_steps * self.params.environments
        self.network.keep_point(means, played, self.current_epoch, self.trainer.max_epochs or 1)
        self.log_dict({"val/return": means[kept], "val/regret": best.mean() - means[kept]})


def between(ends: tuple[float, float], done: float) -> float:
    """Where a setting is that goes from one value to another in the course of a training."""
    return ends[0] + (ends[1] - ends[0]) * done
