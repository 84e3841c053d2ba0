"""The tasks of relay selection: channels that change slowly, and fast."""

from functools import partial

from mmwave_gym.benchmark.task import Task

task = partial(Task, env_id="Relay-v0", primary="rate_bps_hz", floor="random", reference="max-min", episodes=64)
task = partial(task, ceiling="oracle")
TASKS = (
    task(name="relay/slow", kwargs={"correlation": 0.95}, description="The last slot says much of the next."),
    task(name="relay/fast", kwargs={"correlation": 0.5}, description="The last slot says little of the next."),
)
