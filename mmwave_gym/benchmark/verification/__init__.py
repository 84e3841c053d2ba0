"""Verification: are published rows what their agents do, and is what they do what the board says?

`docs/submitting.md` says what is checked, and what nobody can find this way.
"""

from mmwave_gym.benchmark.verification.checks import Asked, Verdict, verify
from mmwave_gym.benchmark.verification.many import roles_of, verify_all
from mmwave_gym.benchmark.verification.subjects import found_at, note

__all__ = ["Asked", "Verdict", "found_at", "note", "roles_of", "verify", "verify_all"]
