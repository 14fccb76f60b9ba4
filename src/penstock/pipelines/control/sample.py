"""The frozen lake of gymnasium, four by four, as a text map."""

from pathlib import Path

from gymnasium.envs.toy_text.frozen_lake import MAPS

ENVIRONMENT = """\
id: FrozenLake-v1
max_episode_steps: 100
arguments:
  is_slippery: true
"""


def sample(folder: Path) -> None:
    """Write an environment and a map."""
    (folder / "environment.yaml").write_text(ENVIRONMENT)
    (folder / "4x4.txt").write_text("\n".join(MAPS["4x4"]) + "\n")
