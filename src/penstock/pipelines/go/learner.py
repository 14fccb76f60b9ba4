"""Learning from games against itself: rounds of play, then steps on what is remembered."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch.nn import functional as F

from ...datasets.dataset import Dataset
from ...kinds.games.points import place_of
from ...learning.learner import Learner
from ...learning.sources import Arrays, Batch
from .acting import PolicyPlayer, make_player, see_stones, sensible_places
from .encoding import empty_rows, encode_games, from_record
from .guided import GuidedSearch
from .matches import Pairing, play_games, wins_of
from .network import DensePolicy, GoModel, PatternPolicy, ResidualNetwork
from .openings import Opening
from .players import SearchPlayer
from .questions import pairings_of
from .records_table import read_records
from .self_play import LONGEST, Plan, Played, play_by_network, play_by_search

if TYPE_CHECKING:
    from .params import Train

SLOWEST = 0.1  # of the learning rate, at the end


class GoLearner(Learner):
    """Whom the games of validation are played against, and when to stop.

    A batch of training is random numbers that decide what is learned from; of validation, `row`,
    the questions to play.
    """

    MONITOR = "val/lost"
    DROP_LAST = False
    network: GoModel
    params: "Train"
    positions: torch.Tensor

    def __init__(self, network: GoModel, params: "Train", dataset: Dataset) -> None:
        super().__init__(network, params)
        self.dataset, self.rules = dataset, network.rules
        train = dataset.examples("train").drop_duplicates("group")
        self.openings: list[Opening] = [it.opening for it in pairings_of(train, self.rules)]
        self.register_buffer("positions", torch.zeros((), dtype=torch.int64))
        self.asked: list[int] = []
        self.started = time.monotonic()

    def configure_optimizers(self) -> Any:
        """Adam, whose rate falls in a straight line."""
        adam = torch.optim.Adam(
            self.network.parameters(),
            self.params.learning_rate,
            weight_decay=self.params.weight_decay,
        )
        falling = torch.optim.lr_scheduler.LambdaLR(
            adam, lambda step: 1 - (1 - SLOWEST) * min(1.0, self.share_done(step))
        )
        return {"optimizer": adam, "lr_scheduler": {"scheduler": falling, "interval": "step"}}

    def share_done(self, step: int) -> float:
        """How much of the training is behind, by whichever of its budgets is spent the most."""
        train = self.params
        shares = [step / max(1, int(self.trainer.estimated_stepping_batches))]
        if train.positions is not None:
            shares.append(int(self.positions) / train.positions)
        if train.minutes is not None:
            shares.append((time.monotonic() - self.started) / 60 / train.minutes)
        return max(shares)

    def plan(self) -> Plan:
        """How the games of a round are played."""
        train = self.params
        playouts = train.search_playouts if self.by_search else train.playouts
        return Plan(self.rules, self.openings, train.games, playouts, train.full_share)

    @property
    def by_search(self) -> bool:
        """Whether classical search plays this round, in place of a network."""
        networks = isinstance(self.network, ResidualNetwork)
        return networks and self.current_epoch < self.params.search_rounds

    def validation_step(self, batch: Batch, number: int) -> None:
        """Note which questions to play."""
        self.asked += batch["row"].tolist()

    def on_validation_epoch_end(self) -> None:
        """Play them, and log how many were lost."""
        rows = self.dataset.index.iloc[self.asked]
        self.asked, self.sums = [], []
        pairings = pairings_of(rows, self.rules)
        opponent = SearchPlayer(self.dataset.info["opponent_playouts"])
        with evaluating(self.network):
            games = play_games(self.rules, pairings, make_player(self.network), opponent)
        wins = wins_of(games, pairings)
        self.log_dict({"val/win_rate": float(wins.mean()), "val/lost": 1.0 - float(wins.mean())})

    def on_train_epoch_end(self) -> None:
        """Log, and end the training where its budget is spent."""
        super().on_train_epoch_end()
        train = self.params
        spent = train.positions is not None and int(self.positions) >= train.positions
        minutes = (time.monotonic() - self.started) / 60
        if spent or (train.minutes is not None and minutes >= train.minutes):
            self.trainer.should_stop = True

    def round_seed(self) -> int:
        """Of the games of this round."""
        return self.params.seed * 1_000_003 + self.current_epoch

    def say(self, games: int, positions: int, seconds: float) -> None:
        """Tell the person watching how fast games are played."""
        self.positions += positions
        print(
            f"  round {self.current_epoch + 1}: {games} games, {games / seconds:.2f} games/s, "
            f"{positions / seconds:,.0f} positions/s; {int(self.positions):,} positions so far",
            flush=True,
        )


class RememberingLearner(GoLearner):
    """Learns from the positions of the last rounds, again and again."""

    METRICS = ("loss", "agreed", "weight")
    window: list[str]
    written: torch.Tensor

    def __init__(
        self, network: PatternPolicy | ResidualNetwork, params: "Train", dataset: Dataset
    ) -> None:
        """As GoLearner, with room for what is remembered."""
        super().__init__(network, params, dataset)
        rows = empty_rows(network, params.window)
        self.window = list(rows)
        for name, values in rows.items():
            self.register_buffer(f"window_{name}", torch.from_numpy(values))
        self.register_buffer("written", torch.zeros((), dtype=torch.int64))

    def on_train_epoch_start(self) -> None:
        """Play the games of a round, and remember them; before the first, those on record."""
        super().on_train_epoch_start()
        if not int(self.written) and self.params.learn_from_records:
            self._remember(self._recorded())
        started = time.perf_counter()
        with evaluating(self.network):
            games = self._play()
        seconds = time.perf_counter() - started
        self.say(len(games), sum(len(it.game.moves) - it.start for it in games), seconds)
        self._remember(encode_games(self.network, games))

    def _play(self) -> list[Played]:
        network, plan, seed = self.network, self.plan(), self.round_seed()
        if isinstance(network, ResidualNetwork) and not self.by_search:
            return play_by_network(plan, seed, GuidedSearch(network))
        learns_policy = isinstance(network, PatternPolicy) and self.current_epoch > 0
        learned = cast(PatternPolicy, network).learned() if learns_policy else None
        return play_by_search(plan, seed, learned)

    def _recorded(self) -> Arrays:
        records = [it for split in self.params.splits for it in read_records(self.dataset, split)]
        games = [from_record(it, it.replay(self.rules)) for it in records]
        rows = encode_games(self.network, games)
        return {name: it[-self.params.window :] for name, it in rows.items()}

    def _remember(self, rows: Arrays) -> None:
        """Write rows over the oldest there are."""
        count = len(next(iter(rows.values())))
        places = (int(self.written) + torch.arange(count)) % self.params.window
        for name in self.window:
            getattr(self, f"window_{name}")[places] = torch.from_numpy(rows[name]).to(self.device)
        self.written += count

    def training_step(self, batch: Batch, number: int) -> torch.Tensor:
        """Learn from some of what is remembered."""
        there = self.written.clamp(max=self.params.window)
        places = (batch["place"] * there).long().clamp(max=self.params.window - 1)
        rows = {name: getattr(self, f"window_{name}")[places] for name in self.window}
        rows["symmetry"] = batch["symmetry"]
        network: Any = self.network
        sums = network.loss(rows)
        weight = rows["weight"].sum()
        self.add(len(places), sums["loss"], sums["agreed"], weight)
        loss: torch.Tensor = sums["loss"] / len(places)
        return loss

    def metrics(self, means: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The loss, and how often the likeliest move is the one that was chosen."""
        agreed = means["agreed"] / means["weight"].clamp(min=1e-9)
        return {"loss": means["loss"], "agreed": agreed}


class ReinforcedLearner(GoLearner):
    """REINFORCE: each step plays games by the policy, and makes what won them likelier."""

    METRICS = ("loss",)
    network: DensePolicy

    def training_step(self, batch: Batch, number: int) -> torch.Tensor:
        """Play games, and learn from all their moves once."""
        started = time.perf_counter()
        seed = self.round_seed() * 1_000_003 + number
        stones, allowed, moves, won = self._play(seed)
        if number == 0:
            self.say(self.params.games, len(moves), time.perf_counter() - started)
        else:
            self.positions += len(moves)
        logits = self.network(stones).masked_fill(~allowed, -1e9)
        chosen = F.log_softmax(logits, 1).gather(1, moves[:, None])[:, 0]
        loss: torch.Tensor = -(chosen * won).mean()
        self.add(1, loss)
        return loss

    def _play(self, seed: int) -> tuple[torch.Tensor, ...]:
        """Positions, what was allowed there, what was played, and whether that won (1 or -1)."""
        seen: list[np.ndarray] = []
        allowed: list[np.ndarray] = []
        who: list[tuple[int, int, int]] = []

        class Noting(PolicyPlayer):
            def choose(self, games: Any, positions: Any) -> list[int]:
                chosen = super().choose(games, positions)
                for game, it, move in zip(games, positions, chosen, strict=True):
                    if move:
                        seen.append(see_stones(it))
                        allowed.append(sensible_places(it))
                        row, column = place_of(move)
                        who.append((game, it.turn, row * it.size + column))
                return chosen

        player = Noting(self.network, draws=True)
        pairings = [Pairing((), 1, seed + number) for number in range(self.params.games)]
        with evaluating(self.network):
            games = play_games(self.rules, pairings, player, player, LONGEST)
        margins = np.array([it.margin() for it in games])
        number, turn, place = np.array(who).T
        won = np.sign(margins[number]) * np.where(turn == 1, 1, -1)
        device = self.device
        return (
            torch.from_numpy(np.stack(seen)).to(device),
            torch.from_numpy(np.stack(allowed)).to(device),
            torch.from_numpy(place).to(device),
            torch.from_numpy(won.astype(np.float32)).to(device),
        )


@contextmanager
def evaluating(network: GoModel) -> Iterator[None]:
    """Have a network play as it would be served, and then go on learning."""
    was = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was)
