"""Several agents side by side on the same episode of a task, in one file that needs nothing but a browser.

    recordings = [recorded(agent, task, episode=17) for agent in ("a3", "ppo")]
    html = replay_page(recordings)

`recording` plays, `packing` thins out and compresses, `player.js` draws.
"""

from mmwave_gym.benchmark.side_by_side.page import replay_page
from mmwave_gym.benchmark.side_by_side.recording import Recording, recorded

__all__ = ["Recording", "recorded", "replay_page"]
