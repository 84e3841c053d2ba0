"""The tasks of relay selection: channels that change slowly, and fast."""

from functools import partial

from mmwave_gym.benchmark.bounds import of_agent
from mmwave_gym.benchmark.task import Task

task = partial(Task, env_id="Relay-v0", primary="rate_bps_hz", reference="max-min", ceiling="oracle", episodes=64)
TASKS = (
    task(name="relay/slow", kwargs={"correlation": 0.95}, description="The last slot says much of the next."),
    task(name="relay/fast", kwargs={"correlation": 0.5}, description="The last slot says little of the next."),
)
BOUNDS = (of_agent("oracle", "The relay that will be best, in every slot."),)
