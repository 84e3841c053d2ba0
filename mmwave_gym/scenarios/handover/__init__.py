"""UDN handover (Wang et al., arXiv 1801.02077): a UE walks among small cells and chooses the one that serves it."""

from mmwave_gym.core.rooms import Entry, Room

ROOM = Room(
    name="handover",
    package=__name__,
    entries=(
        Entry(
            id="MmwaveHandover-v0",
            summary="a UE walks among small cells and chooses the one that serves it",
            history=("v0: first version",),
        ),
        Entry(
            id="MmwaveHandover-v1",
            summary="the same, as a receiver can know and do it: past fading, codes, interference, interruptions",
            overrides={"receiver": "real"},
            history=(
                "v1: agents see the fading of past slots only, the best code limits rates, other cells interfere, and "
                "a handover interrupts data. v0 stays the paper's world, which no receiver could play.",
            ),
        ),
    ),
    scenario="compiled_game:CompiledHandover",
    config="config:HandoverConfig",
    tasks="tasks:TASKS",
    scene="scene:HandoverScene",
    grants={
        "local": "The UE measures the link of every cell in this slot, and knows which cell serves it.",
        "central": "Nothing more: the UE measures everything that there is now.",
        "trajectory": "Where the UE will be in every slot, and where the cells are.",
        "hindsight": "The spectral efficiency of every cell in every slot.",
    },
    variants={"street": "street"},
)
