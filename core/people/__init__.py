"""Who may do what where several people share a server.

Without the setting PARETOSCOPE_PEOPLE nobody is told apart: whoever asks is the person at the machine and administers.
With it, a file says which role each person has (`core.people.policy`), pages say who asks (`core.people.asking`), and the
store refuses each write that the role does not allow (`core.store.permits`): a button that was forgotten cannot pass.
"""

from core.people.actions import Action, Role
from core.people.asking import asking, may, own_work, require, told_apart, why_not
from core.people.person import MACHINE, NOBODY, Person

__all__ = [
    "MACHINE",
    "NOBODY",
    "Action",
    "Person",
    "Role",
    "asking",
    "may",
    "own_work",
    "require",
    "told_apart",
    "why_not",
]
